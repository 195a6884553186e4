"""What must hold in every episode of every task, whatever the actions."""

import functools

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import strategies as st
from jumanji.types import StepType

from marlcomm.envs import make_env
from marlcomm.names import TASKS

# Task, options, least and largest reward of a step.
CASES = {
    "sensor": ({}, -15.0, 20.0),
    "hallway": ({"lengths": (2, 3), "reward_win": 7.0}, 0.0, 7.0),
    "grouped": ({"lengths": (2, 2, 3), "groups": (0, 1, 1)}, -10.0, 10.0),
    "delayed": ({"lengths": (2, 3), "start_delay": 5}, 0.0, 10.0),
    "search": ({"steps": 12}, 0.0, 1.0),
    "maze": ({}, 0.0, 1.0),
    "matrix_game": ({}, 0.3, 81.5),
    "sensor_grid": ({}, -15.0, 6.0),
    "switch_riddle": ({"num_agents": 4, "bulb": True}, -1.0, 1.0),
    "whisper": ({}, 0.0, 1.0),
    "red_blue_doors": ({"size": 4, "view": 3, "steps": 14}, 0.0, 1.0),
    "find_goal": ({"size": 5, "num_agents": 2, "view": 3, "team_reward": 2.0, "steps": 15}, 0.0, 3.0),
    "traffic_junction": ({"steps": 16, "arrival_rates": (0.1, 0.9)}, -10.15, 0.0),
}
MOST_STEPS = 16


def test_every_small_task_has_a_case():
    small = {name for name in TASKS if TASKS.get(name).__module__.startswith("marlcomm.envs.small.")}
    assert small <= CASES.keys()


@functools.cache
def player(name):
    env = make_env("hallway" if name in ("grouped", "delayed") else name, **CASES[name][0])

    @jax.jit
    def play(seed, action):  # [MOST_STEPS, N]
        state, first = env.reset(jax.random.key(seed))
        _, (states, steps) = jax.lax.scan(
            lambda state, a: (lambda out: (out[0], out))(env.step(state, a)), state, action
        )
        return first, states, steps

    return env, play


@pytest.mark.parametrize("name", CASES)
@hypothesis.settings(max_examples=15, deadline=None, derandomize=True)
@hypothesis.given(data=st.data())
def test_every_episode(name, data):
    env, play = player(name)
    seed = data.draw(st.integers(0, 2**31 - 1))
    choices = st.lists(st.integers(0, env.num_actions - 1), min_size=env.num_agents, max_size=env.num_agents)
    action = data.draw(st.lists(choices, min_size=MOST_STEPS, max_size=MOST_STEPS))
    first, states, steps = jax.device_get(play(seed, jnp.array(action, jnp.int32)))
    last = steps.step_type == StepType.LAST
    assert last.any()
    end = int(np.argmax(last))
    assert end < env.horizon
    assert first.step_type == StepType.FIRST
    assert (steps.step_type[:end] == StepType.MID).all()
    assert (steps.discount[: end + 1] == ~last[: end + 1]).all()  # all ends of these tasks are their own
    _, least, most = CASES[name]
    reward = steps.reward[: end + 1]
    assert (reward >= least - 1e-5).all()
    assert (reward <= most + 1e-5).all()
    if hasattr(states, "position"):
        limit = np.array(env.lengths) if hasattr(env, "lengths") else getattr(env, "size", 4) - 1
        assert (states.position >= 0).all()
        assert (states.position <= limit).all()
    if "won" in steps.extras:
        assert not first.extras["won"]
        assert (reward[-1] > 0).all() or not steps.extras["won"][end] or name == "traffic_junction"
