"""What NDQ is made of by default, and as published."""

from __future__ import annotations

import jax
import pytest

import marlcomm as mc


def encoder_widths(**settings):
    algorithm = mc.ndq(mc.make_env("hallway"), num_envs=2, batch_episodes=2, replay_episodes=2, **settings)
    params = jax.eval_shape(algorithm.init, jax.random.PRNGKey(0)).params["agent"]["params"]["channel"]["encoder"]
    return [params[f"Linear_{layer}"]["bias"].shape[0] for layer in range(2)]


@pytest.mark.parametrize("paper", [False, True])
def test_the_encoder_is_as_wide_as_the_agent_unless_told_otherwise(paper):
    assert encoder_widths(paper=paper) == [64, 64]
    assert encoder_widths(paper=paper, hidden=16) == [16, 16]
    assert encoder_widths(paper=paper, hidden=16, encoder_hidden=64) == [64, 64]
