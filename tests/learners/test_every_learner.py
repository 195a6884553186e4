"""What holds for every learner, with and without memory, whatever the channel."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from toy_env import Toy

import marlcomm as mc

ENVS = 6
KEY = jax.random.PRNGKey(2)
SIZES = {"hidden": 4, "num_envs": ENVS, "batch_episodes": ENVS, "replay_episodes": ENVS, "batch_steps": 30,
         "replay_steps": 30, "update_interval": 15}  # fmt: skip
CASES = {
    "ndq": {},
    "ic3net_qmix": {"last_action": True},
    "ic3net": {},
    "maddpg": {},
    "commnet_maddpg": {"recurrent": True},
}


def make(name: str, **settings: Any) -> mc.Algorithm:
    known = mc.algorithm_settings(name)
    sizes = {key: value for key, value in SIZES.items() if key in known}
    return mc.make_algorithm(name, Toy(), **{**sizes, **CASES.get(name, {}), **settings})


class Case:
    """An algorithm, its state, episodes that it played, and its compiled `learn`."""

    def __init__(self, name: str) -> None:
        self.algorithm = make(name)
        self.learn = jax.jit(self.algorithm.learn)

        @jax.jit
        def start(key):
            state = self.algorithm.init(key)
            play_key, _ = jax.random.split(state.key)
            edit = self.algorithm.learner.edit(state)
            return state, *self.algorithm.play(state.params, play_key, exploration=1.0, edit=edit)[:2]

        self.state, self.episodes, self.decisions = start(KEY)


make_case = functools.cache(Case)


@pytest.fixture(params=CASES)
def case(request):
    return make_case(request.param)


def same(one, other):
    jax.tree.map(np.testing.assert_array_equal, one, other)


def after_end(episodes, junk):
    """The same episodes with `junk` wherever the task's own end or a time limit lies before."""
    episodes = jax.tree.map(np.array, episodes)
    for b, valid in enumerate(episodes.valid):
        length = int(valid.sum())
        for name in ("agents_view", "global_state"):
            seen_last = 0 if episodes.terminal[b, length - 1] else 1  # a cut episode is bootstrapped from there
            getattr(episodes, name)[b, length + seen_last :] = junk
        episodes.reward[b, length:] = junk
        episodes.action[b, length:] = 99
        episodes.terminal[b, length:] = True
    return episodes


@pytest.mark.parametrize("junk", [np.nan, np.inf])
def test_what_a_task_gives_after_its_end_teaches_nothing(case, junk):
    spoilt = after_end(case.episodes, junk)
    assert not np.isfinite(spoilt.reward).all()
    expected, metrics = case.learn(case.state, case.episodes, case.decisions)
    learned, found = case.learn(case.state, spoilt, case.decisions)
    assert bool(learned.healthy)
    assert int(learned.updates) > 0
    same(learned.params, expected.params)
    same(found, metrics)


def test_a_reward_that_is_not_a_number_freezes_what_is_learned(case):
    spoilt = case.episodes._replace(reward=jnp.full_like(case.episodes.reward, jnp.nan))
    learned, metrics = case.learn(case.state, spoilt, case.decisions)
    assert not bool(learned.healthy)
    assert not np.isfinite(metrics["loss"])
    same(learned.params, case.state.params)
    same(learned.optimizer, case.state.optimizer)
    same(learned.without_replay().extra, case.state.without_replay().extra)


def test_a_step_that_would_store_what_is_not_finite_is_not_taken(case):
    """Loss and gradient of the first step are sound; the rate makes the parameters infinite."""
    state = case.state.replace(hparams=case.state.hparams.replace(learning_rate=jnp.float32(jnp.inf)))
    learned, _ = case.learn(state, case.episodes, case.decisions)
    assert not bool(learned.healthy)
    assert int(learned.updates) == 0
    same(learned.params, state.params)
    same(learned.optimizer, state.optimizer)


def overflowing(hparams):
    """Moves nothing, and remembers more than a number can hold."""
    return optax.GradientTransformation(
        lambda params: jnp.float32(1e38),
        lambda gradient, state, params=None: (jax.tree.map(jnp.zeros_like, gradient), state * 10),
    )


@pytest.mark.parametrize("name", ["ndq", "ic3net", "maddpg"])
def test_what_the_optimizer_remembers_counts_too(name):
    algorithm, case = make(name, optimizer=overflowing), make_case(name)
    state = algorithm.init(KEY)
    learned, _ = jax.jit(algorithm.learn)(state, case.episodes, case.decisions)
    assert not bool(learned.healthy)
    assert int(learned.updates) == 0
    same(learned.optimizer, state.optimizer)


def test_clipping_at_zero_is_none(case):
    def with_clip(clip, **weights):
        hparams = case.state.hparams
        hparams = hparams.replace(gradient_clip=jnp.float32(clip), weights={**hparams.weights, **weights})
        return case.learn(case.state.replace(hparams=hparams), case.episodes, case.decisions)[0]

    same(with_clip(0.0).params, with_clip(np.inf).params)
    nothing = with_clip(0.0, **{name: jnp.float32(0.0) for name in case.state.hparams.weights})
    assert bool(nothing.healthy), "a gradient of zero has no direction"
    same(nothing.params, case.state.params)


def test_episodes_of_other_shapes_or_types_are_refused_and_named(case):
    learn = functools.partial(jax.eval_shape, case.algorithm.learn, case.state)
    fewer = jax.tree.map(lambda x: x[1:], case.episodes)
    with pytest.raises(ValueError, match=rf"agents_view has shape \({ENVS - 1}, .*must be \({ENVS}, .*num_envs"):
        learn(fewer, case.decisions)
    with pytest.raises(ValueError, match=r"reward has shape .* must be"):
        learn(case.episodes._replace(reward=case.episodes.reward[..., 0]), case.decisions)
    with pytest.raises(ValueError, match=r"alive is of type float32: must be bool"):
        learn(case.episodes._replace(alive=case.episodes.alive.astype(jnp.float32)), case.decisions)


def test_a_loss_that_is_no_scalar_with_metrics_is_named(case):
    def refused(loss):
        algorithm = case.algorithm.with_loss("mine", loss, 1.0)
        state = jax.eval_shape(algorithm.init, KEY)
        with pytest.raises(ValueError, match="the loss 'mine' gives"):
            jax.eval_shape(algorithm.learn, state, case.episodes, case.decisions)

    refused(lambda unroll, episodes, hparams: unroll.value.mean())
    refused(lambda unroll, episodes, hparams: (unroll.value, {}))


@pytest.mark.parametrize("name", ["iql", "mappo", "maddpg"])
def test_a_loss_without_a_weight_is_named(name):
    with pytest.raises(ValueError, match="'mine' has no weight"):
        make(name, losses={"mine": lambda unroll, episodes, hparams: (0.0, {})})


@pytest.mark.parametrize("name", ["ndq", "ic3net", "maddpg", "rgmcomm", "rgmcomm_qmix"])
def test_training_runs_where_jax_computes_in_64_bits(name):
    """The state comes back as it went in, so that steps can be scanned; parameters are of 32 bits either way."""
    with jax.enable_x64(True):
        algorithm = make(name)
        state = jax.eval_shape(algorithm.init, jax.random.PRNGKey(0))
        after, _ = jax.eval_shape(algorithm.step, state, 100)
        assert [x.dtype for x in jax.tree.leaves(after)] == [x.dtype for x in jax.tree.leaves(state)]
        assert {x.dtype for x in jax.tree.leaves(state.params)} == {jnp.dtype("float32")}
