"""Teams that nobody trained: enough for what can be checked in closed form."""

import jax
import jax.numpy as jnp
import pytest
from scripted import ScriptedTeams

import marlcomm as mc
from marlcomm.analysis import record_episodes
from marlcomm.training import Population, SavedRun

EPISODES = 16  # everywhere, since each number is another program to compile


class Untrained:
    """What `train` would give before its first step: an algorithm, a population and parameters."""

    def __init__(self, name: str, task: str, members: int) -> None:
        self.algorithm = mc.make_algorithm(name, mc.make_env(task))
        self.population = Population(tuple(range(members)), ({},) * members)
        init = jax.jit(lambda key: self.algorithm.init(key).params)
        members_params = [init(jax.random.PRNGKey(seed)) for seed in range(members)]
        self.params = jax.tree.map(lambda *x: jnp.stack(x), *members_params)

    def record(self, edits=(), seed=0, member=0):
        team = self.algorithm, jax.tree.map(lambda x: x[member], self.params)
        return record_episodes(team, EPISODES, seed=seed, edits=edits)

    def saved(self, path) -> SavedRun:
        return SavedRun(path, self.algorithm, self.population, self.params, {})


@pytest.fixture(scope="session")
def hallway() -> Untrained:
    return Untrained("ndq", "hallway", 2)


@pytest.fixture(scope="session")
def sensor() -> Untrained:
    return Untrained("ndq", "sensor", 1)


@pytest.fixture(scope="session")
def silent() -> Untrained:
    return Untrained("qmix", "sensor", 1)


@pytest.fixture(scope="session")
def scripted() -> ScriptedTeams:
    return ScriptedTeams()
