"""Losses that are taken now and then: how often, by which learner, and that the rest of the time they cost nothing."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from marlcomm.algorithms import maddpg, mappo, vdn
from marlcomm.envs import make_env
from marlcomm.losses import Every, Since, When
from marlcomm.messages import ClusterChannel

LABELS, RATE, MEMBERS = 7, 0.5, 2
ROW = 5  # gradient steps after every collection


def first_logit(unroll, episodes, hparams):
    """Its gradient by the bias of the first label is 1, whatever else there is; no other loss reaches that bias."""
    return unroll.auxiliary["label_logits"][..., 0].mean(), {"seen": jnp.float32(3.0)}


def talking(make, interval, timed=Every, **settings):
    """An algorithm by plain gradient descent, of which the channel learns from `first_logit` alone."""
    loss = {"mine": first_logit if interval is None else timed(interval, first_logit), "labels": None}
    channel = ClusterChannel(vocab_size=LABELS, hidden=4, shared=True)
    return make(
        make_env("maze"),
        channel=channel,
        hidden=4,
        losses=loss,
        weights={"mine": 1.0},
        optimizer=lambda hparams: optax.sgd(RATE),
        **settings,
    )


ALGORITHMS = {
    "ddpg": lambda interval: talking(maddpg, interval, num_envs=ROW, update_interval=3, batch_steps=4, replay_steps=60),
    "value": lambda interval, timed=Every: talking(
        vdn, interval, timed, num_envs=4, updates_per_step=ROW, batch_episodes=4, replay_episodes=8
    ),
    "policy": lambda interval: talking(mappo, interval, num_envs=4, epochs=ROW),
}


def bias(state):
    """[P, LABELS] of the message network's last layer."""
    (found,) = [leaf for leaf in jax.tree.leaves(state.params["agent"]) if leaf.shape[1:] == (LABELS,)]
    return np.asarray(found)


@functools.cache
def start(learner):
    """States of a small population: at first, no interval matters."""
    keys = jnp.stack([jax.random.PRNGKey(seed) for seed in range(MEMBERS)])
    return jax.jit(jax.vmap(ALGORITHMS[learner](None).init))(keys)


def members(learner, interval, **timed):
    """States of a small population, and one training step of all."""
    algorithm = ALGORITHMS[learner](interval, **timed)
    return start(learner), jax.vmap(lambda state: algorithm.step(state, float("inf")))


def cases():
    """Every learner with one interval, and one of them with the shortest and one longer than all its steps."""
    for name in ALGORITHMS:
        for interval, times in ((1, 5), (3, 2), (100, 1)):
            marks = () if interval == 3 or name == "policy" else pytest.mark.slow
            yield pytest.param(name, interval, times, marks=marks)


@pytest.mark.parametrize(("learner", "interval", "times"), cases())
def test_each_learner_takes_it_at_every_so_many_of_its_gradient_steps(learner, interval, times):
    state, step = members(learner, interval)
    after, metrics = jax.jit(step)(state)
    assert np.asarray(after.updates).tolist() == [ROW] * MEMBERS
    moved = bias(state)[:, 0] - bias(after)[:, 0]
    np.testing.assert_allclose(moved, times * RATE, rtol=1e-4)
    # what is reported is the last step's, at which it is always taken
    np.testing.assert_array_equal(metrics["mine/seen"], 3.0)


def test_at_every_step_it_is_the_loss_itself():
    states = []
    for interval in (None, 1):
        state, step = members("value", interval)
        states.append(jax.jit(step)(state)[0].params)
    jax.tree.map(np.testing.assert_array_equal, *states)


@pytest.mark.parametrize("learner", ALGORITHMS)
def test_a_population_skips_it_instead_of_computing_and_throwing_away(learner):
    state, step = members(learner, 3)
    without, plain = members(learner, None)
    skips = str(jax.make_jaxpr(step)(state)).count("cond[")
    assert skips > str(jax.make_jaxpr(plain)(without)).count("cond[")


@pytest.mark.parametrize("interval", [0, -1])
def test_an_interval_below_one_is_refused(interval):
    with pytest.raises(ValueError, match=f"interval is {interval}: must be at least 1"):
        Every(interval, first_logit)


def test_a_loss_teaches_since_its_environment_step():
    played = 4 * make_env("maze").horizon
    state, step = members("value", played + 1, timed=Since)
    step = jax.jit(step)
    before = step(state)[0]
    np.testing.assert_array_equal(bias(before), bias(state))
    assert int(before.env_steps[0]) == played
    np.testing.assert_allclose(bias(step(before)[0])[:, 0], bias(state)[:, 0] - ROW * RATE, rtol=1e-5)


@pytest.mark.parametrize(("env_steps", "counts"), [(6, 0.0), (7, 1.0), (8, 1.0)])
def test_before_its_step_a_loss_is_zero_and_what_it_tells_is_told(env_steps, counts):
    loss = Since(7, lambda unroll, episodes, hparams: (3.0 * unroll, {"seen": unroll}))
    when = When(jnp.int32(0), jnp.int32(env_steps))
    value, details = loss.at(when, jnp.float32(2.0), None, None)
    assert (float(value), float(details["seen"])) == (6.0 * counts, 2.0)
    assert float(jax.grad(lambda x: loss.at(when, x, None, None)[0])(2.0)) == 3.0 * counts


@pytest.mark.parametrize("start", [-1, 2**31])
def test_a_step_below_zero_or_beyond_all_counting_is_refused(start):
    with pytest.raises(ValueError, match=f"start is {start}: must be at least 0"):
        Since(start, first_logit)
