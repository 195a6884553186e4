"""Mixers of one's own: what they are given, what they bring, and what is refused."""

from typing import ClassVar

import jax
import numpy as np
import pytest
from flax import linen as nn

import marlcomm as mc

SMALL = {"hidden": 8, "num_envs": 2, "batch_episodes": 2, "replay_episodes": 8}


def regret_loss(unroll, episodes, hparams):
    """How much more the best actions promise than those that were taken."""
    return unroll.mixing["regret"].mean(), {}


class WithRegret(nn.Module):
    """The sum, and what is lost by what is done."""

    team: bool = True
    reads_actions: ClassVar[bool] = True

    def losses(self):
        return {"regret": mc.BroughtLoss(regret_loss, 0.5)}

    def __call__(self, values: mc.ActionValues, state):
        chosen, best = values.chosen.sum(-1), values.greedy.chosen.sum(-1)
        return chosen[..., None], {"regret": best - chosen}


def test_it_reads_all_values_and_brings_a_loss():
    algorithm = mc.qmix(mc.make_env("hallway", lengths=(2, 2)), mixer=WithRegret(), **SMALL)
    assert float(algorithm.hparams.weights["regret"]) == 0.5
    step = jax.jit(algorithm.step)
    state, _ = step(algorithm.init(jax.random.PRNGKey(0)))
    _, metrics = step(state)
    assert np.isfinite(metrics["regret"])
    assert float(metrics["regret"]) >= 0


class OnlyValues(nn.Module):
    team: bool = True
    reads_actions: ClassVar[bool] = True

    def __call__(self, values, state):
        return values.chosen.sum(-1, keepdims=True)


class OfEachAgent(nn.Module):
    team: bool = True

    def __call__(self, values, state):
        return values


@pytest.mark.parametrize(
    ("mixer", "says"), [(OnlyValues(), "OnlyValues reads actions"), (OfEachAgent(), r"must be \(1, 1\), as team=True")]
)
def test_what_it_must_not_give_is_said(mixer, says):
    algorithm = mc.qmix(mc.make_env("hallway", lengths=(2, 2)), mixer=mixer, **SMALL)
    with pytest.raises(ValueError, match=says):
        jax.eval_shape(algorithm.init, jax.random.PRNGKey(0))
