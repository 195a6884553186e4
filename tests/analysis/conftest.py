"""Teams that nobody trained: enough for what can be checked in closed form."""

import jax
import pytest

import marlcomm as mc
from marlcomm.training import Population


class Untrained:
    """What `train` would give before its first step: an algorithm, a population and parameters."""

    def __init__(self, name: str, task: str, members: int) -> None:
        self.algorithm = mc.make_algorithm(name, mc.make_env(task))
        self.population = Population(tuple(range(members)), ({},) * members)
        self.params = self.population.init(self.algorithm).params

    def team(self, member: int = 0):
        return self.algorithm, jax.tree.map(lambda x: x[member], self.params)


@pytest.fixture(scope="session")
def hallway() -> Untrained:
    return Untrained("ndq", "hallway", 2)


@pytest.fixture(scope="session")
def sensor() -> Untrained:
    return Untrained("ndq", "sensor", 1)


@pytest.fixture(scope="session")
def silent() -> Untrained:
    return Untrained("qmix", "hallway", 1)
