"""Hallway against its exact values, by enumeration over the task's own step, and the rules of the groups."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from exhaustive import all_outcomes
from jumanji.types import StepType
from team_program import TeamProgram

from marlcomm.envs.small.hallway import Hallway, HallwayState

STAY, LEFT, RIGHT = 0, 1, 2


def make_state(env, position, won=None, failed=None, delay=None):
    groups = [False] * env.num_groups
    return HallwayState(
        jnp.array(position, jnp.int32),
        jnp.array(won or groups),
        jnp.array(failed or groups),
        jnp.array(delay or [0] * env.num_agents, jnp.int32),
        jnp.array(0, jnp.int32),
    )


def all_starts(env, lowest=1):
    positions = np.array(list(itertools.product(*(range(lowest, n + 1) for n in env.lengths))), np.int32)
    one = make_state(env, [0] * env.num_agents)
    many = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (len(positions), *leaf.shape)), one)
    return many._replace(position=jnp.asarray(positions))


def play(env, state, policy):
    """Whether `policy(positions, step)` wins from `state`, and at which step the episode ended."""

    def move(carry, _):
        state, won, ended = carry
        live = ended == 0
        state, step = env.step(state, policy(state.position, state.step_count))
        won |= live & step.extras["won"]
        return (
            state,
            won,
            jnp.where(live & (step.step_type == StepType.LAST), state.step_count, ended),
        ), None

    carry = (state, jnp.zeros((), bool), jnp.zeros((), jnp.int32))
    (_, won, ended), _ = jax.lax.scan(move, carry, length=env.horizon)
    return won, ended


def test_no_reactive_silent_policy_beats_always_left():
    env = Hallway((4, 4))
    tables = np.array(list(itertools.product(range(3), repeat=4)), np.int32)  # an action for each of 1 .. 4
    tables = jnp.asarray(np.concatenate([np.zeros((81, 1), np.int32), tables], axis=1))
    starts = all_starts(env)

    def rate(first, second):
        def policy(position, _):
            return jnp.stack([first[position[0]], second[position[1]]])

        return jnp.mean(jax.vmap(lambda state: play(env, state, policy)[0])(starts))

    rates = np.asarray(jax.jit(jax.vmap(jax.vmap(rate, (None, 0)), (0, None)))(tables, tables))
    always_left = int(np.flatnonzero((tables[:, 1:] == LEFT).all(axis=1))[0])
    assert rates.max() == 0.25
    assert rates[always_left, always_left] == 0.25


@pytest.mark.parametrize(
    ("lengths", "rate"),
    [((4, 4), 1 / 4), ((6, 6), 1 / 6), ((2, 6, 10), 1 / 60), ((4, 6, 10), 1 / 60), ((4, 6, 8, 10), 1 / 480)],
)
def test_always_left(lengths, rate):
    env = Hallway(lengths)
    won, _ = jax.jit(jax.vmap(lambda state: play(env, state, lambda p, _: jnp.full_like(p, LEFT))))(all_starts(env))
    assert np.mean(won) == pytest.approx(rate)


@pytest.mark.parametrize("lengths", [(4, 4), (2, 6, 10), (4, 6, 10), (4, 6, 8, 10)])
def test_a_clock_replaces_messages(lengths):
    env = Hallway(lengths)

    def wait_then_walk(position, time):  # n_max - position steps of waiting: everyone arrives at n_max
        return jnp.where(max(lengths) - time <= position, LEFT, STAY)

    won, ended = jax.jit(jax.vmap(lambda state: play(env, state, wait_then_walk)))(all_starts(env))
    assert np.asarray(won).all()
    assert (np.asarray(ended) == max(lengths)).all()


def test_fastest_win():
    env = Hallway((4, 4))
    _, after, steps = all_outcomes(env, all_starts(env, lowest=0))
    following = after.position @ np.array([5, 1])
    reward, discount = steps.reward.mean(-1), steps.discount
    value, steps_left = np.zeros(25), np.full(25, np.inf)
    for _ in range(env.horizon):
        value = (reward + 0.99 * discount * value[following]).max(axis=1)
        steps_left = np.where(reward > 0, 1, 1 + np.where(discount > 0, steps_left[following], np.inf)).min(1)
    starts = [5 * a + b for a in range(1, 5) for b in range(1, 5)]
    assert steps_left[starts].mean() == 3.125
    assert value[starts].mean() == pytest.approx(9.789, abs=5e-4)


def test_time_is_part_of_the_task():
    env = Hallway((4, 4))
    state, step = make_state(env, [2, 3]), None
    move = jax.jit(env.step)
    for _ in range(14):
        assert step is None or step.step_type == StepType.MID
        state, step = move(state, jnp.array([STAY, STAY]))
    assert env.horizon == 14
    assert step is not None
    assert step.step_type == StepType.LAST
    assert step.discount == 0
    assert not step.extras["won"]


def test_view_is_the_raw_position():
    env = Hallway((4, 7))
    _, step = jax.jit(env.step)(make_state(env, [3, 6]), jnp.array([STAY, RIGHT]))
    np.testing.assert_array_equal(step.observation.agents_view, [[3], [7]])
    np.testing.assert_array_equal(step.observation.global_state, [3, 7])


def test_groups_in_turn():
    env = Hallway((3, 5, 4, 6, 10), groups=(0, 0, 1, 1, 1))
    starts = all_starts(env)
    longest = jnp.array([5, 5, 10, 10, 10])  # of each agent's group: the groups arrive at different times

    def both(state):
        waiting, _ = play(env, state, lambda position, time: jnp.where(longest - time <= position, LEFT, STAY))
        hasty, _ = play(env, state, lambda position, _: jnp.full_like(position, LEFT))
        return waiting, hasty

    waiting, hasty = jax.jit(jax.vmap(both))(starts)
    assert np.asarray(waiting).all()
    assert np.sum(hasty) == 9  # all of group 0 start at a, of group 1 at b: a in 1 .. 3, b in 1 .. 4, a not b
    assert len(hasty) == 3600


def all_delayed_starts(env):
    """Every delay and position of everyone, and which of them each agent has: [starts, N] (delay, position)."""
    kinds = [list(itertools.product(range(env.start_delay + 1), range(1, n + 1))) for n in env.lengths]
    drawn = np.array(list(itertools.product(*kinds)), np.int32)  # [starts, N, 2]
    one = make_state(env, [0] * env.num_agents)
    many = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (len(drawn), *leaf.shape)), one)
    return many._replace(delay=jnp.asarray(drawn[..., 0]), position=jnp.asarray(drawn[..., 1]))


@pytest.mark.parametrize(("lengths", "start_delay", "extra_steps"), [((4, 4), 4, None), ((2, 4, 3), 3, 1)])
def test_with_messages_a_delay_costs_nothing(lengths, start_delay, extra_steps):
    env = Hallway(lengths, start_delay=start_delay, extra_steps=extra_steps)

    def together(state):  # whoever is at 1 waits until all are there and free
        def rule(position, time):
            ready = jnp.all((position == 1) & (time >= state.delay))
            return jnp.where((position > 1) | ready, LEFT, STAY)

        return play(env, state, rule)

    starts = all_delayed_starts(env)
    won, ended = jax.jit(jax.vmap(together))(starts)
    assert np.asarray(won).all()
    np.testing.assert_array_equal(ended, np.max(starts.delay + starts.position, axis=1))  # nobody can be faster


def wins_by_arrival(env):
    """[kinds, kinds, arrivals]: does a pair of (delay, position) win if both mean to arrive then, in the task itself?

    All that a silent agent ever learns before the episode ends is its own delay and position, so its policy is a
    time of arrival for each of them.
    """

    def aim(state, arrival):
        won, ended = play(env, state, lambda position, time: jnp.where(arrival - time <= position, LEFT, STAY))
        return won & (ended == arrival)

    starts = all_delayed_starts(env)
    over_arrivals = jax.vmap(aim, in_axes=(None, 0))
    wins = jax.jit(jax.vmap(over_arrivals, in_axes=(0, None)))(starts, jnp.arange(1, env.horizon + 1))
    kinds = (env.start_delay + 1) * env.lengths[0]
    return np.asarray(wins).reshape(kinds, kinds, env.horizon)


def best_silent(wins):
    """The greatest share of wins over all pairs of policies."""
    kinds, _, times = wins.shape
    program = TeamProgram()
    first, second = ([program.one_of(times) for _ in range(kinds)] for _ in range(2))
    for kind, time in itertools.product(range(kinds), range(times)):
        partners = np.flatnonzero(wins[kind, :, time])
        won = program.variable(worth=1.0, most=len(partners))  # by this kind of the first agent, at this time
        program.at_most(0, (1, [won]), (-1, [second[partner][time] for partner in partners]))
        program.at_most(0, (1, [won]), (-len(partners), [first[kind][time]]))
    return program.best() / kinds**2


@pytest.mark.parametrize(
    ("start_delay", "extra_steps", "wins"),
    [
        (4, 0, 233 / 400),
        (6, 0, 377 / 784),
        (2, 2, 1.0),  # no longer than the extra steps: it can be waited out
        pytest.param(8, 0, 527 / 1296, marks=pytest.mark.slow),
        pytest.param(10, 0, 687 / 1936, marks=pytest.mark.slow),
    ],
)
def test_with_a_delay_no_clock_replaces_messages(start_delay, extra_steps, wins):
    env = Hallway((4, 4), start_delay=start_delay, extra_steps=extra_steps)
    assert best_silent(wins_by_arrival(env)) == pytest.approx(wins, abs=1e-6)
    assert env.best_returns() == pytest.approx((10 * wins, 10.0))


def test_best_returns_are_told_where_they_are_known():
    assert Hallway((4, 6, 10), reward_win=3.0).best_returns() == (3.0, 3.0)
    assert Hallway((4, 4), start_delay=5).best_returns() is None
    assert Hallway((4, 6), start_delay=6).best_returns() is None
    assert Hallway((4, 4), start_delay=6, extra_steps=1).best_returns() is None
    assert Hallway((4, 4, 4, 4), groups=(0, 0, 1, 1)).best_returns() is None


def test_who_is_held():
    env = Hallway((4, 4), start_delay=3)
    state = make_state(env, [2, 4], delay=[0, 2])
    move = jax.jit(env.step)
    for time, (position, held) in enumerate([([1, 4], 1), ([1, 4], 0), ([1, 3], 0)]):
        state, step = move(state, jnp.array([LEFT if time == 0 else STAY, LEFT]))
        np.testing.assert_array_equal(state.position, position)
        np.testing.assert_array_equal(step.observation.agents_view, [[position[0], 0], [position[1], held]])
        np.testing.assert_array_equal(step.observation.action_mask, [[1, 1, 1], [1, 1 - held, 1 - held]])
    assert env.horizon == 7
    for _ in range(3):
        assert step.step_type == StepType.MID
        state, step = move(state, jnp.array([STAY, STAY]))
    assert step.step_type == StepType.LAST  # 2 + 4 steps: the limit counts from when the last agent was let go
    assert step.discount == 0
    drawn = jax.device_get(
        jax.jit(jax.vmap(lambda key: env.reset(key)[0].delay))(jax.random.split(jax.random.key(0), 500))
    )
    assert sorted(set(drawn.ravel().tolist())) == [0, 1, 2, 3]
    assert abs(np.corrcoef(drawn.T)[0, 1]) < 0.15


@pytest.fixture(scope="module")
def grouped():
    env = Hallway((3, 3, 3, 3), groups=(0, 0, 1, 1))
    return env, jax.jit(env.step)


# fmt: off
GROUP_RULES = {  # position, won, failed, action -> reward, won, failed, over
    "one group wins": ([1, 1, 2, 2], [0, 0], [0, 0], [1, 1, 0, 0], 10.0, [1, 0], [0, 0], False),
    "one group fails": ([1, 2, 2, 2], [0, 0], [0, 0], [1, 1, 0, 0], 0.0, [0, 0], [1, 0], False),
    "clash": ([1, 1, 1, 1], [0, 0], [0, 0], [1, 1, 1, 1], -10.0, [0, 0], [1, 1], True),
    "both fail": ([1, 2, 1, 2], [0, 0], [0, 0], [1, 1, 1, 1], 0.0, [0, 0], [1, 1], True),
    "second wins": ([0, 0, 1, 1], [1, 0], [0, 0], [2, 2, 1, 1], 10.0, [1, 1], [0, 0], True),
    "win beside failure": ([0, 1, 1, 1], [0, 0], [1, 0], [1, 1, 1, 1], 10.0, [0, 1], [1, 0], True),
    "win as other fails": ([1, 1, 1, 2], [0, 0], [0, 0], [1, 1, 1, 1], 10.0, [1, 0], [0, 1], True),
}
# fmt: on


@pytest.mark.parametrize("rule", GROUP_RULES)
def test_rules_of_groups(grouped, rule):
    env, move = grouped
    position, won, failed, action, reward, won_after, failed_after, over = GROUP_RULES[rule]
    before = make_state(env, position, [bool(w) for w in won], [bool(f) for f in failed])
    state, step = move(before, jnp.array(action))
    np.testing.assert_array_equal(step.reward, [reward] * 4)
    np.testing.assert_array_equal(state.won_groups, np.array(won_after, bool))
    np.testing.assert_array_equal(state.failed_groups, np.array(failed_after, bool))
    assert (step.step_type == StepType.LAST) == over
    assert bool(step.extras["won"]) == all(won_after)
    assert int(step.extras["groups_won"]) == sum(won_after)
    done = (np.array(won) | np.array(failed)).astype(bool)[[0, 0, 1, 1]]
    np.testing.assert_array_equal(np.asarray(state.position)[done], np.array(position)[done])
    still = ~(np.array(won_after) | np.array(failed_after)).astype(bool)[[0, 0, 1, 1]]
    np.testing.assert_array_equal(step.observation.agents_view[:, 1], still)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lengths": ()}, "must hold one length for each agent"),
        ({"lengths": (4, 0)}, r"lengths\[1\]=0 must be a whole number, at least 1"),
        ({"lengths": 4}, "must be a sequence of whole numbers"),
        ({"groups": (0,)}, "a group for each of the 2 agents"),
        ({"groups": (0, 2)}, r"without gaps, such as \(0, 1\)"),
        ({"reward_win": "10"}, "must be a finite number"),
        ({"start_delay": -1}, "start_delay=-1 must be a whole number, 0 to"),
        ({"extra_steps": 0.5}, "extra_steps=0.5 must be a whole number, 0 to"),
    ],
)
def test_options_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        Hallway(**options)
