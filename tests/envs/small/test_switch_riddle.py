"""The switch riddle against exact values: every sequence of visitors, and the best silent team."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jumanji.types import StepType
from team_program import TeamProgram

from marlcomm.envs.small.switch_riddle import NOTHING, TELL, TOGGLE, SwitchRiddle


def every_episode(env, policy):
    """The return for each sequence of visitors. `policy(view [N, O], day, memory [N]) -> (action [N], memory)`."""
    sequences = np.array(list(itertools.product(range(env.num_agents), repeat=env.horizon)), np.int32)
    first, _ = jax.jit(env.reset)(jax.random.key(0))

    def one(sequence):
        visitor = jnp.append(sequence, 0)
        state = first._replace(visitor=visitor, has_been=jnp.arange(env.num_agents) == visitor[0])

        def day(carry, time):
            state, memory, live, total = carry
            action, memory = policy(env.get_observation(state).agents_view, time, memory)
            state, step = env.step(state, action)
            return (state, memory, live & ~step.last(), total + live * step.reward[0]), None

        start = (state, jnp.zeros((env.num_agents,), jnp.int32), jnp.ones((), bool), 0.0)
        (_, _, _, total), _ = jax.lax.scan(day, start, jnp.arange(env.horizon))
        return total

    return np.asarray(jax.jit(jax.vmap(one))(jnp.asarray(sequences)))


def all_there(num_agents):
    """The probability that everybody has been in the room by the last day (inclusion and exclusion)."""
    days = 4 * num_agents - 6
    return sum((-1) ** k * math.comb(num_agents, k) * (1 - k / num_agents) ** days for k in range(num_agents + 1))


def test_messages_and_a_light_are_worth_the_same():
    def told(view, _, memory):  # everyone hears who is in the room
        been = memory | (view[:, 0] > 0)
        return jnp.full_like(memory, jnp.where(jnp.all(been), TELL, NOTHING)), been

    def with_light(view, day, memory):  # the light says that two have been there
        newcomer = (view[:, 0] > 0) & (memory == 0)
        is_on = view[:, 1] > 0
        action = jnp.where(newcomer & is_on, TELL, jnp.where(newcomer & (day > 0), TOGGLE, NOTHING))
        return action, memory | newcomer

    for env, policy in ((SwitchRiddle(), told), (SwitchRiddle(bulb=True), with_light)):
        returns = every_episode(env, policy)
        assert returns.sum() == 540
        assert returns.min() == 0
        assert len(returns) == 729
    assert all_there(3) == pytest.approx(540 / 729)
    assert all_there(4) == pytest.approx(0.7806, abs=5e-5)


def test_the_best_silent_team():
    num_agents, days = 3, SwitchRiddle().horizon
    program = TeamProgram()
    tells = {}  # by agent and the days on which it was in the room, of which the last is today
    ends = {}  # by the visitors so far: does the episode end here
    for length in range(1, days + 1):
        for visitors in itertools.product(range(num_agents), repeat=length):
            known = tuple(day for day in range(length) if visitors[day] == visitors[-1])
            tell = tells.setdefault((visitors[-1], known), None)
            if tell is None:
                tell = tells[visitors[-1], known] = program.variable()
            reward = 1 if len(set(visitors)) == num_agents else -1
            end = ends[visitors] = program.variable(worth=reward * num_agents ** (days - length))
            before = [ends[visitors[:k]] for k in range(1, length)]
            program.at_most(0, (1, [end]), (-1, [tell]))
            program.at_most(1, (1, [end, *before]))
            program.at_most(0, (1, [tell]), (-1, [end, *before]))
    assert len(tells) == 3 * (2**days - 1)
    assert program.best() == pytest.approx(390)


def test_a_silent_team_reaches_that_bound():
    def rule(view, day, visits):  # on the last day, unless one was there too often oneself; a newcomer a day earlier
        in_room = view[:, 0] > 0
        visits = visits + in_room
        sure = ((day == 5) & (visits <= 3)) | ((day == 4) & (visits == 1))
        return jnp.where(in_room & sure, TELL, NOTHING), visits

    assert every_episode(SwitchRiddle(), rule).sum() == 390


def test_who_may_do_what():
    env = SwitchRiddle(bulb=True)
    state, first = jax.jit(env.reset)(jax.random.key(0))
    state = state._replace(visitor=jnp.array([1, 1, 0, 2, 2, 2, 0]), has_been=jnp.array([False, True, False]))
    move = jax.jit(env.step)
    assert first.observation.step_count == 0
    state, step = move(state, jnp.array([TELL, TOGGLE, TELL]))  # only agent 1 is heard
    np.testing.assert_array_equal(step.observation.agents_view, [[0, 0], [1, 1], [0, 0]])
    np.testing.assert_array_equal(step.observation.action_mask, [[1, 0, 0], [1, 1, 1], [1, 0, 0]])
    np.testing.assert_array_equal(step.observation.global_state, [0, 1, 0, 0, 1, 0, 1])
    assert step.step_type == StepType.MID
    state, step = move(state, jnp.array([NOTHING, NOTHING, NOTHING]))
    np.testing.assert_array_equal(step.observation.global_state, [1, 0, 0, 1, 1, 0, 1])
    _, wrong = move(state, jnp.array([TELL, NOTHING, NOTHING]))
    assert (wrong.reward == -1).all()
    assert wrong.last()
    assert not wrong.extras["won"]
    state, _ = move(state, jnp.array([TOGGLE, NOTHING, NOTHING]))
    _, right = move(state, jnp.array([NOTHING, NOTHING, TELL]))
    assert (right.reward == 1).all()
    assert right.discount == 0
    assert right.extras["won"]
    for _ in range(3):
        assert step.step_type == StepType.MID
        state, step = move(state, jnp.array([NOTHING, NOTHING, NOTHING]))
    assert step.step_type == StepType.LAST  # day 6 of 6
    assert (step.reward == 0).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [({"num_agents": 2}, "num_agents=2 must be a whole number, 3 to"), ({"bulb": 1}, "bulb=1 must be True or")],
)
def test_options_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        SwitchRiddle(**options)
