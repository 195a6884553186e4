"""Learning step by step: when it starts, what an update is, when the target moves, what a NaN does."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from toy_env import AGENTS, Toy

from marlcomm.algorithms import vdn
from marlcomm.learners import ValueConfig

ENVS, BATCH, UPDATES, INTERVAL = 2, 4, 2, 3
KEY = jax.random.PRNGKey(4)


def make(**settings):
    sizes = {"hidden": 4, "num_envs": ENVS, "batch_episodes": BATCH, "replay_episodes": 2 * BATCH}
    return vdn(Toy(), paper=True, **sizes, **settings)


class Case:
    """VDN on the toy task, its compiled `learn` of two updates, and two episodes."""

    def __init__(self):
        self.algorithm = make(target_interval=INTERVAL, updates_per_step=UPDATES, learning_rate=0.01)
        self.init = jax.jit(self.algorithm.init)(KEY)
        play = jax.jit(lambda params: self.algorithm.play(params, KEY, exploration=1.0)[0])
        self.episodes = play(self.init.params)
        self.learn = jax.jit(self.algorithm.learn)

    def after(self, calls):
        """The states after 0, 1, .. `calls` calls of `learn`."""
        states = [self.init]
        for _ in range(calls):
            states.append(self.learn(states[-1], self.episodes)[0])
        return states


@pytest.fixture(scope="module")
def case():
    return Case()


def equal(one, other):
    return all(np.array_equal(a, b) for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True))


def test_start(case):
    state = case.init
    assert equal(state.params, state.target_params)
    assert (int(state.env_steps), int(state.episodes), int(state.updates)) == (0, 0, 0)
    assert bool(state.healthy)


def test_nothing_is_learned_before_replay_holds_a_batch(case):
    start, half, full = case.after(2)
    assert equal(half.params, start.params)
    assert equal(half.optimizer, start.optimizer)
    assert int(half.updates) == 0
    assert bool(half.healthy)
    assert int(full.updates) == UPDATES
    assert not equal(full.params, half.params)


def test_counts_are_of_real_steps_and_episodes(case):
    real = int(np.asarray(case.episodes.valid).sum())
    assert real < case.episodes.valid.size
    for calls, state in enumerate(case.after(3)):
        assert int(state.env_steps) == calls * real
        assert int(state.episodes) == calls * ENVS


def close(one, other):
    """Equal but for the last bits: a compiler may compute the same update twice."""
    pairs = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    return all(np.allclose(a, b, rtol=1e-6, atol=1e-7) for a, b in pairs)


def test_target_is_copied_after_every_third_update_and_stays_between(case):
    """Two updates a call: the third falls inside a call, the sixth ends one."""
    states = case.after(8)
    assert [int(s.updates) for s in states] == [0, 0, 2, 4, 6, 8, 10, 12, 14]
    moved = [not equal(a.target_params, b.target_params) for a, b in itertools.pairwise(states)]
    assert moved == [False, False, True, True, False, True, True, False]
    current = [close(s.target_params, s.params) for s in states]
    assert current == [True, True, False, False, True, False, False, True, False]


def test_an_update_is_rmsprop_on_the_gradient_of_the_weighted_loss(case):
    """Replay holds one and the same episode, so any batch drawn from it is known."""
    twins = jax.tree.map(lambda x: jnp.stack([x[0]] * ENVS), case.episodes)
    batch = jax.tree.map(lambda x: jnp.stack([x[0]] * BATCH), case.episodes)
    learner = case.algorithm.learner
    start = case.init.replace(hparams=case.init.hparams.replace(weights={"temporal_difference": jnp.float32(0.5)}))
    learned, metrics = case.learn(case.learn(start, twins)[0], twins)

    @jax.jit
    @jax.value_and_grad
    def loss_of(params):
        unroll = learner.unroll(params, start.target_params, batch, start.hparams, KEY)
        real = np.asarray(batch.valid)[..., None]
        return 0.5 * jnp.where(real, (unroll.value - unroll.target) ** 2, 0.0).sum() / real.sum()

    params, structure = jax.tree.flatten(start.params)
    square = [np.zeros(p.shape) for p in params]
    for _ in range(UPDATES):
        loss, gradient = loss_of(jax.tree.unflatten(structure, [jnp.float32(p) for p in params]))
        gradient = [np.asarray(g, np.float64) for g in jax.tree.leaves(gradient)]
        norm = np.sqrt(sum((g**2).sum() for g in gradient))
        for k, g in enumerate(gradient):
            clipped = g * min(1.0, 10.0 / norm)
            square[k] = 0.99 * square[k] + 0.01 * clipped**2
            params[k] = params[k] - 0.01 * clipped / (np.sqrt(square[k]) + 1e-5)
    np.testing.assert_allclose(metrics["temporal_difference"], 2 * loss, rtol=1e-3)
    np.testing.assert_allclose(metrics["loss"], loss, rtol=1e-3)
    np.testing.assert_allclose(metrics["gradient_norm"], norm, rtol=1e-3)
    for found, expected in zip(jax.tree.leaves(learned.params), params, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("steps", "epsilon"), [(0, 1.0), (25, 0.8), (50, 0.6), (100, 0.2), (1000, 0.2)])
def test_epsilon_falls_linearly_in_environment_steps_and_then_stays(case, steps, epsilon):
    hparams = case.init.hparams.replace(exploration_start=1.0, exploration_final=0.2, exploration_steps=100.0)
    state = case.init.replace(hparams=hparams, env_steps=jnp.int32(steps))
    np.testing.assert_allclose(case.algorithm.learner.exploration(state), epsilon, rtol=1e-6)


def test_replay_forgets_the_oldest(case):
    """It holds 8 episodes: after 6 calls of 2, those of the last 4 calls."""
    state = case.init
    for call in range(6):
        marked = case.episodes._replace(reward=jnp.full_like(case.episodes.reward, float(call)))
        state, _ = case.learn(state, marked)
    held = np.asarray(state.replay.experience.reward).reshape(2 * BATCH, -1, AGENTS)
    assert sorted(held[:, 0, 0].tolist()) == [2, 2, 3, 3, 4, 4, 5, 5]


def poisoned(state):
    """The same state, with rewards in replay that are not numbers."""
    experience = state.replay.experience
    spoilt = experience._replace(reward=jnp.full_like(experience.reward, jnp.nan))
    return state.with_extra(replay=state.replay.replace(experience=spoilt))


LEARNED = ("params", "target_params", "optimizer", "updates", "hparams")


def test_a_nan_in_a_batch_marks_the_state_and_changes_nothing_learned(case):
    before = poisoned(case.after(4)[-1])  # the two new episodes are sound, the other six are not
    after, _ = case.learn(before, case.episodes)
    assert bool(before.healthy)
    assert not bool(after.healthy)
    for name in LEARNED:
        assert equal(getattr(after, name), getattr(before, name)), name


def test_an_unhealthy_state_learns_no_more(case):
    """As `LearnerState.healthy` says ("the member then stays as it was"), also when later batches are sound."""
    before = case.after(4)[-1].replace(healthy=jnp.bool_(False))
    after, _ = case.learn(before, case.episodes)
    assert not bool(after.healthy)
    for name in LEARNED:
        assert equal(getattr(after, name), getattr(before, name)), name


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_envs": 0}, "num_envs is 0"),
        ({"updates_per_step": 0}, "updates_per_step is 0"),
        ({"target_interval": -1}, "target_interval is -1"),
        ({"replay_episodes": 8, "batch_episodes": 16}, "replay_episodes is 8"),
        ({"replay_episodes": 33, "num_envs": 40}, "replay_episodes is 33"),
    ],
)
def test_settings_out_of_range_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        ValueConfig(**settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"exploration_begin": 1.0}, "'exploration_begin'"),
        ({"discount": 1.5}, "discount is 1.5"),
        ({"learning_rate": -1.0}, "learning_rate is -1.0"),
        ({"exploration_steps": 0}, "exploration_steps is 0"),
    ],
)
def test_unknown_hyper_parameters_and_those_out_of_range_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        make(**settings)
