"""The weight of bits makes every learner's team cheaper, where what it says are numbers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import marlcomm as mc
from marlcomm.algorithms.algorithm import set_hparams

SMALL = {"hidden": 8, "num_envs": 4, "quantization_step": 0.3}
ON_REPLAY = SMALL | {"batch_episodes": 4, "replay_episodes": 16, "learning_rate": 0.01}
OFF_POLICY = SMALL | {"batch_steps": 8, "replay_steps": 64, "update_interval": 4, "learning_rate": 0.01}
CASES = {
    "ndq": ("ndq", ON_REPLAY | {"channel.sigma": 0.0}),
    "commnet": ("commnet", SMALL | {"learning_rate": 0.01}),
    "tarmac_maddpg": ("tarmac_maddpg", OFF_POLICY),
    "discrete": ("qmix", ON_REPLAY | {"channel": "discrete"}),
    "cluster": ("rgmcomm_qmix", ON_REPLAY),
}


def bits_and_params(name, weights, steps=40, **more):
    """What the team spends a step, at first and after a short training with each of the weights, and its parameters."""
    method, settings = CASES[name]
    algorithm = mc.make_algorithm(method, mc.make_env("hallway", lengths=(2, 2)), **settings, **more)
    members = [set_hparams(algorithm, {"weights.bits": weight}) for weight in weights]
    hparams = jax.tree.map(lambda *x: jnp.asarray(x, jnp.float32), *members)
    keys = jnp.stack([jax.random.PRNGKey(0)] * len(weights))
    state, step = jax.jit(jax.vmap(algorithm.init))(keys, hparams), jax.jit(jax.vmap(algorithm.step))
    bits = []
    for _ in range(steps):
        state, metrics = step(state)
        bits.append(np.asarray(metrics["bits"]))
    assert np.asarray(state.healthy).all()
    return bits[0], np.mean(bits[-4:], 0), state.params


@pytest.mark.parametrize("name", ["ndq", "commnet", "tarmac_maddpg"])
def test_the_price_falls_as_its_weight_rises(name):
    first, (free, dear), _ = bits_and_params(name, (0.0, 1.0))
    assert dear < 0.8 * max(first)
    assert dear < 0.8 * free


@pytest.mark.parametrize("name", ["discrete", pytest.param("cluster", marks=pytest.mark.slow)])
def test_symbols_cost_what_they_cost_and_learn_nothing_of_it(name):
    _, (free, dear), params = bits_and_params(name, (0.0, 1.0), steps=5)
    assert free == dear > 0
    assert all(np.array_equal(leaf[0], leaf[1]) for leaf in jax.tree.leaves(params))


def test_before_its_step_the_price_teaches_nothing():
    _, _, params = bits_and_params("ndq", (0.0, 1.0), steps=5, **{"losses.bits.start": 100_000})
    assert all(np.array_equal(leaf[0], leaf[1]) for leaf in jax.tree.leaves(params))
