"""check_env accepts every task, and names what each of many broken environments does wrong."""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jumanji.types import StepType

from marlcomm.envs import Environment, EnvironmentContractError, check_env, make_env, restart, timestep


class Counter(Environment):
    """Two agents count to three. Subclasses break one promise each."""

    num_agents, num_actions, observation_size, state_size, horizon = 2, 3, 1, 1, 3

    def reset(self, key):
        state = jax.random.randint(key, (), 0, 5)
        return (state, jnp.zeros((), jnp.int32)), restart(self.look(state, 0), self.extras(0))

    def step(self, state, action):
        seen, time = state[0], state[1] + 1
        step = timestep(self.look(seen, time), 1.0, time >= 3, extras=self.extras(time))
        return (seen, time), step

    def look(self, seen, time):
        return self.observe(jnp.full((2, 1), seen), jnp.full((1,), seen), time)

    def extras(self, time):
        return {"won": jnp.asarray(time) >= 3}


def changed(**changes):
    """A Counter whose `step` returns a time step with some fields replaced by functions of it."""

    class Changed(Counter):
        def step(self, state, action):
            state, step = super().step(state, action)
            return state, dataclasses.replace(step, **{k: f(step) for k, f in changes.items()})

    return Changed


def looking(**changes):
    """A Counter whose observations have some fields replaced by functions of the observation."""

    class Looking(Counter):
        def look(self, seen, time):
            old = super().look(seen, time)
            return old._replace(**{k: f(old) for k, f in changes.items()})

    return Looking


class Flags(Counter):
    view_dtype = bool


class NoType(Counter):
    state_dtype = "float16"


class NoAgents(Counter):
    num_agents = 0


class WrongNames(Counter):
    action_names: ClassVar = ("one",)


class Branches(Counter):
    def step(self, state, action):
        return super().step(state, action + 1 if action[0] > 1 else action)


class GrowsState(Counter):
    def step(self, state, action):
        (seen, time), step = super().step(state, action)
        return (seen.astype(jnp.float32), time), step


class LosesExtras(Counter):
    def step(self, state, action):
        state, step = super().step(state, action)
        return state, dataclasses.replace(step, extras={})


class Remembers(Counter):
    calls = 0

    def look(self, seen, time):
        self.calls += 1
        return super().look(seen + self.calls, time)


class Dice(Counter):
    def step(self, state, action):
        state, step = super().step(state, action)
        return state, dataclasses.replace(step, reward=step.reward + np.random.default_rng().random())


class NeverEnds(Counter):
    def step(self, state, action):
        (seen, time), step = super().step(state, action)
        return (seen, time), dataclasses.replace(step, step_type=jnp.asarray(StepType.MID), discount=jnp.ones(()))


class StepFirst(Counter):
    def step(self, state, action):
        state, step = super().step(state, action)
        return step, state


class StepAlone(Counter):
    def reset(self, key):
        return super().reset(key)[1]


BROKEN = {
    "step first": (StepFirst, "step returns a TimeStep and then the state; it must return the state first"),
    "step alone": (StepAlone, "reset returns TimeStep; it must return the state and a TimeStep"),
    "no agents": (NoAgents, "num_agents is 0; it must be a whole number, at least 1"),
    "names": (WrongNames, "action_names has 1 names; it must be empty or name all 3"),
    "a type too small": (Flags, r"agents_view of reset has [2-4] at feature 0; view_dtype must name .* bool does not"),
    "no type": (NoType, r"state_dtype='float16': must be one of bool, uint8"),
    "python branch": (Branches, "step cannot be traced by jax"),
    "state type": (GrowsState, r"the state at \[0\] is int32\[\] after reset and float32\[\] after step"),
    "extras": (LosesExtras, r"extras has \['won'\] after reset but not step"),
    "won": (
        changed(extras=lambda s: {"won": s.reward}),
        r"extras\['won'\] of step is float32\[2\]; it must be bool\[\]",
    ),
    "reward shape": (changed(reward=lambda s: s.reward[0]), r"reward of step is float32\[\]; .*float32\[2\]"),
    "discount nan": (changed(discount=lambda s: s.discount * jnp.nan), "it must be 0 .the task ended. or 1"),
    "discount early": (
        changed(discount=lambda s: s.discount * 0),
        "discount is 0 at a step that is not LAST",
    ),
    "never ends": (NeverEnds, "no LAST step within the horizon of 3"),
    "view shape": (
        looking(agents_view=lambda o: o.agents_view[:, 0]),
        r"agents_view of reset is float32\[2\]; it must be float32\[2, 1\]",
    ),
    "view type": (
        looking(agents_view=lambda o: o.agents_view.astype(jnp.int32)),
        r"agents_view of step is int32\[2, 1\]; it must be float32",
    ),
    "memory": (Remembers, "reset differs when traced again"),
    "dice": (Dice, "step differs when traced again"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_each_fault_is_named(fault):
    broken, complaint = BROKEN[fault]
    env = object.__new__(broken) if fault == "no agents" else broken()
    with pytest.raises(EnvironmentContractError, match=complaint) as caught:
        check_env(env, episodes=2)
    assert all("\n" not in problem for problem in caught.value.problems)


class AllWrong(looking(agents_view=lambda o: o.agents_view / 0, step_count=lambda o: o.step_count * 0)):
    """Many faults at once, and none of them in shapes or types."""

    def look(self, seen, time):
        old = super().look(seen, time)
        return old._replace(action_mask=old.action_mask.at[1].set(False))

    def step(self, state, action):
        state, step = super().step(state, action)
        kind = jnp.where(step.last(), step.step_type, StepType.FIRST)
        return state, dataclasses.replace(step, reward=step.reward * jnp.inf, step_type=kind)


def test_all_faults_are_listed_at_once():
    with pytest.raises(EnvironmentContractError) as caught:
        check_env(AllWrong())
    for complaint in (
        "reward is not finite",
        "step_type of step is FIRST",
        "observation.agents_view of step is not finite",
        "action_mask of reset allows agent 1 nothing",
        "observation.step_count of step is 0",
    ):
        assert sum(complaint in problem for problem in caught.value.problems) == 1


class Afterlife(Counter):
    """Ends at once, and goes on without numbers, allowing nothing."""

    def step(self, state, action):
        state, step = super().step(state, action)
        over = step.observation.step_count > 1
        seen = step.observation._replace(
            agents_view=jnp.where(over, jnp.nan, step.observation.agents_view),
            action_mask=step.observation.action_mask & ~over,
        )
        reward = jnp.where(over, jnp.inf, step.reward)
        return state, timestep(seen, reward, terminal=jnp.ones((), bool), extras=step.extras)


def test_it_looks_beyond_the_end():
    with pytest.raises(EnvironmentContractError) as caught:
        check_env(Afterlife())
    for complaint in ("agents_view of step after the end", "reward after the end", "action_mask of step after the end"):
        assert sum(complaint in problem for problem in caught.value.problems) == 1


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("sensor", {}),
        ("hallway", {"lengths": (3, 5, 4), "groups": (0, 0, 1)}),
        ("hallway", {"lengths": (3, 5, 4), "groups": (0, 0, 1), "start_delay": 3}),
        ("search", {"steps": 7}),
        ("maze", {"clock": True}),
        ("matrix_game", {}),
        ("sensor_grid", {"rows": 2, "columns": 3, "steps": 4}),
        ("switch_riddle", {"bulb": True}),
        ("traffic_junction", {"vision": 1}),
        ("red_blue_doors", {"steps": 6}),
        ("find_goal", {"steps": 6}),
    ],
)
def test_our_tasks_pass(name, options):
    assert check_env(make_env(name, **options)) is None


def test_a_dead_agent_needs_no_action():
    env = looking(action_mask=lambda o: o.action_mask.at[1].set(False), alive=lambda o: o.alive.at[1].set(False))()
    assert check_env(env) is None


def test_episodes_are_checked():
    with pytest.raises(ValueError, match="episodes=0"):
        check_env(Counter(), episodes=0)
