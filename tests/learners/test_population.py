"""`Algorithm.step` of several members at once: each has a life, a limit and a failure of its own."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from toy_env import HORIZON, Toy

from marlcomm.algorithms import vdn

ENVS, BATCH, STEPS, LIMITED = 2, 4, 6, 12
WELL, SICK, LIMIT, TWIN = range(4)
NOT_REPLAY = ("params", "target_params", "optimizer", "key", "hparams", "env_steps", "episodes", "updates")


class Case:
    """Four members: one well, one whose replay goes bad, one with a limit, and a twin of the first."""

    def __init__(self):
        self.algorithm = vdn(
            Toy(),
            hidden=4,
            num_envs=ENVS,
            batch_episodes=BATCH,
            replay_episodes=16,
            target_interval=0,
            target_rate=0.2,
        )
        keys = jnp.stack([jax.random.PRNGKey(seed) for seed in (0, 1, 2, 0)])
        limits = jnp.array([10_000, 10_000, LIMITED, 10_000])
        self.start = jax.jit(jax.vmap(self.algorithm.init))(keys)
        step = jax.jit(jax.vmap(self.algorithm.step))
        self.states, self.metrics = [self.start], []
        for t in range(STEPS):
            before = self.states[-1] if t != 3 else self.states[-1].with_extra(replay=poison(self.states[-1].replay))
            state, metrics = step(before, limits)
            self.states.append(jax.tree.map(np.asarray, state))
            self.metrics.append(jax.tree.map(np.asarray, metrics))


def poison(replay):
    """Rewards that are not numbers, for the sick member only; from here on they stay in its replay."""
    reward = jnp.asarray(replay.experience.reward).at[SICK].set(jnp.nan)
    return replay.replace(experience=replay.experience._replace(reward=reward))


@pytest.fixture(scope="module")
def case():
    return Case()


def member(state, index):
    return {name: jax.tree.map(lambda x: x[index], getattr(state, name)) for name in NOT_REPLAY}


def equal(one, other):
    return all(np.array_equal(a, b) for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True))


def test_a_sick_member_learns_nothing_from_its_nan_and_then_stays_as_it_is_while_others_go_on(case):
    healthy = [bool(state.healthy[SICK]) for state in case.states]
    assert healthy == [True, True, True, True, False, False, False]
    before, failed = member(case.states[3], SICK), member(case.states[4], SICK)
    assert int(before["updates"]) == 2
    for name in ("params", "target_params", "optimizer", "updates", "hparams"):
        assert equal(failed[name], before[name]), name
    for state in case.states[5:]:
        assert equal(member(state, SICK), failed)
    assert int(case.states[-1].env_steps[WELL]) > int(case.states[4].env_steps[WELL])


def test_the_key_that_a_step_leaves_has_not_been_used(case):
    """Playing with it gives other episodes than those that the step has just played and stored."""
    before, after = case.states[0], case.states[1]
    stored = after.replay.experience.agents_view[WELL, 0, :ENVS]
    play = jax.jit(lambda params, key: case.algorithm.play(params, key)[0].agents_view)
    params = member(before, WELL)["params"]
    assert np.any(stored)
    assert not np.array_equal(play(params, member(after, WELL)["key"])[:, 0], stored[:, 0])


def test_replay_of_a_member_at_its_limit_holds_what_it_held(case):
    reached = next(t for t, state in enumerate(case.states) if int(state.env_steps[LIMIT]) >= LIMITED)
    for state in case.states[reached + 1 :]:
        assert int(state.replay.current_index[LIMIT]) == int(case.states[reached].replay.current_index[LIMIT])
        held = int(case.states[reached].replay.current_index[LIMIT])
        np.testing.assert_array_equal(
            state.replay.experience.reward[LIMIT, :, :held],
            case.states[reached].replay.experience.reward[LIMIT, :, :held],
        )


def test_metrics_agree_with_the_counts(case):
    for before, after, metrics in zip(case.states[:-1], case.states[1:], case.metrics, strict=True):
        played = int(after.env_steps[WELL]) - int(before.env_steps[WELL])
        np.testing.assert_allclose(metrics["episode_length"][WELL], played / ENVS, rtol=1e-6)
        assert 1 <= metrics["episode_length"][WELL] <= HORIZON
        h = case.algorithm.hparams
        expected = 1.0 + (h.exploration_final - 1.0) * int(before.env_steps[WELL]) / h.exploration_steps
        np.testing.assert_allclose(metrics["exploration"][WELL], expected, rtol=1e-5)
