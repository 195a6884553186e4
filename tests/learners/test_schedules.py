"""What changes in the course of a run: the learning rate, and how far values lean toward the best."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import pytest
from toy_env import Toy

import marlcomm as mc
from marlcomm.learners.schedules import progress_of

SMALL = {"hidden": 4, "num_envs": 4, "batch_episodes": 4, "replay_episodes": 8, "paper": True}
STEPS = 1000


@functools.cache
def begun():
    """A first state; its hyper-parameters do not matter."""
    return jax.jit(mc.vdn(Toy(), **SMALL).init)(jax.random.PRNGKey(0))


def hparams_at(share, env_steps=0, total_steps=STEPS, **changes):
    """The hyper-parameters in force at this share of a run, with so many environment steps played."""
    algorithm = mc.vdn(Toy(), **SMALL, **changes)
    state = begun().replace(env_steps=jnp.int32(env_steps), hparams=algorithm.hparams)
    return algorithm.learner.hparams_now(state, progress_of(jnp.int32(share * STEPS), total_steps))


@pytest.mark.parametrize(("share", "rate"), [(0.0, 1.0), (0.5, 1.0), (0.75, 0.55), (1.0, 0.1), (2.0, 0.1)])
def test_the_learning_rate_falls_linearly_over_the_second_half(share, rate):
    now = hparams_at(share, learning_rate=2.0, learning_rate_decay_to=0.1)
    assert float(now.learning_rate) == pytest.approx(2.0 * rate)


def test_without_an_end_and_in_the_published_setting_it_stays():
    endless = hparams_at(1000.0, total_steps=float("inf"), learning_rate_decay_to=0.1)
    assert float(endless.learning_rate) == pytest.approx(5e-4)
    assert float(hparams_at(1.0).learning_rate) == pytest.approx(5e-4)


def test_both_learning_rates_of_an_actor_critic_fall():
    algorithm = mc.maddpg(Toy(), hidden=4, learning_rate=2.0, critic_learning_rate=4.0, learning_rate_decay_to=0.1)
    state = begun().replace(hparams=algorithm.hparams)
    now = algorithm.learner.hparams_now(state, progress_of(jnp.int32(750), STEPS))
    assert (float(now.learning_rate), float(now.critic_learning_rate)) == pytest.approx((1.1, 2.2))


@pytest.mark.parametrize(("env_steps", "weight"), [(0, 0.5), (50_000, 0.75), (100_000, 1.0), (500_000, 1.0)])
def test_values_stop_leaning_toward_the_best_as_exploration_ends(env_steps, weight):
    now = hparams_at(0.0, env_steps, exploration_steps=100_000, overestimate_weight=0.5)
    assert float(now.overestimate_weight) == pytest.approx(weight)
