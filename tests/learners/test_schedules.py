"""What changes in the course of a run: the learning rate, and how much of what is said gets cut."""

from __future__ import annotations

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import marlcomm as mc
from marlcomm.learners.value import ValueHParams, _at_this_point
from marlcomm.messages.edits import CutBelow, pairs_at_work

SMALL = {"hidden": 8, "num_envs": 8, "batch_episodes": 8, "replay_episodes": 16}


def hparams_at(progress, env_steps=0, **changes):
    """The hyper-parameters in force at this point of a run."""
    state = SimpleNamespace(env_steps=jnp.int32(env_steps), hparams=ValueHParams(**changes))
    return _at_this_point(state, jnp.float32(progress))


@pytest.mark.parametrize(("progress", "rate"), [(0.0, 1.0), (0.5, 1.0), (0.75, 0.55), (1.0, 0.1), (2.0, 0.1)])
def test_the_learning_rate_falls_linearly_over_the_second_half(progress, rate):
    now = hparams_at(progress, learning_rate=2.0, learning_rate_decay_to=0.1)
    assert float(now.learning_rate) == pytest.approx(2.0 * rate)


def test_without_a_limit_and_in_the_published_setting_it_stays():
    assert float(hparams_at(1e6 / float("inf"), learning_rate_decay_to=0.1).learning_rate) == pytest.approx(5e-4)
    assert float(hparams_at(1.0).learning_rate) == pytest.approx(5e-4)


@pytest.mark.parametrize(("env_steps", "weight"), [(0, 0.5), (50_000, 0.75), (100_000, 1.0), (500_000, 1.0)])
def test_values_stop_leaning_towards_the_best_as_exploration_ends(env_steps, weight):
    now = hparams_at(0.0, env_steps, exploration_steps=100_000, overestimate_weight=0.5)
    assert float(now.overestimate_weight) == pytest.approx(weight)


@pytest.fixture(scope="module")
def talking():
    """A learner, a state far in its run, episodes, and what is said in them."""
    algorithm = mc.ndq(mc.make_env("hallway"), cut_start=1000, **SMALL)
    state = algorithm.init(jax.random.PRNGKey(0))
    episodes, decision, _ = algorithm.play(state.params, jax.random.PRNGKey(1))
    return algorithm.learner, state, episodes, decision.messages


def test_nothing_is_cut_before_its_time(talking):
    learner, state, episodes, messages = talking
    early = state.replace(env_steps=jnp.int32(1000))
    assert float(learner._next_cut(early, episodes, messages, jax.random.PRNGKey(0))) == 0.0


def test_the_threshold_cuts_at_least_the_share_that_was_drawn(talking):
    learner, state, episodes, messages = talking
    late = state.replace(env_steps=jnp.int32(2000))
    offered = np.asarray(pairs_at_work(episodes))[..., None]
    count = offered.sum() * messages.importance.shape[-1]
    for seed in range(5):
        key = jax.random.PRNGKey(seed)
        share = 0.95 * min(max(6 * float(jax.random.uniform(key)) - 1, 0.0), 1.0)
        edit = CutBelow(learner._next_cut(late, episodes, messages, key))
        sent = (np.asarray(edit(messages, key).sent) & offered).sum() / count
        assert sent <= 1 - share + 1e-6
        assert sent >= 1 - share - 0.25  # a young encoder has few distinct values, each a step of the share


def test_the_published_setting_never_cuts():
    assert not mc.ndq(mc.make_env("hallway"), paper=True, **SMALL).learner.config.cut_in_training
    assert mc.ndq(mc.make_env("hallway"), **SMALL).learner.config.cut_in_training
