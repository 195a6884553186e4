"""From actions to pushes, and back. A push is a vector along the two axes; a body's force multiplies it.

    discrete  one of five: nothing, left, right, down, up, with a push of 1
    force     two numbers, each in -1 .. 1: the push itself
    pairs     five numbers, each in -1 .. 1, as released with both papers' code: the first is not used, and each
              axis is pushed by the difference of two others, so by up to 2

Source: OpenAI's multi-agent particle environments, where the first number of a pair points up an axis, and
Farama's MPE2, where the second does, as with discrete actions.
"""

from __future__ import annotations

from typing import Literal

import jax
import jax.numpy as jnp

from marlcomm.envs.particle.physics import Integration

Controls = Literal["discrete", "force", "pairs"]
SIZES: dict[Controls, int] = {"discrete": 5, "force": 2, "pairs": 5}
MOVE_NAMES = ("stay", "left", "right", "down", "up")


def push(action: jax.Array, controls: Controls, integration: Integration) -> jax.Array:
    """What actions do.

    Args:
      action: [N] int32 if discrete, else [N, 2 or 5] float32; what is beyond -1 .. 1 is cut off.
      controls: how to read it.
      integration: whose sign pairs have.

    Returns:
      [N, 2] float32.
    """
    if controls == "discrete":
        up_x, down_x, up_y, down_y = ((action == move).astype(jnp.float32) for move in (2, 1, 4, 3))
        return jnp.stack([up_x - down_x, up_y - down_y], axis=-1)
    action = jnp.clip(action, -1.0, 1.0)
    if controls == "force":
        return action
    difference = action[..., 1::2] - action[..., 2::2]
    return difference if integration == "openai" else -difference


def action_for(wanted: jax.Array, controls: Controls, integration: Integration) -> jax.Array:
    """The action whose push comes nearest to the one that is wanted; discrete ones move along the longer axis.

    Args:
      wanted: [N, 2] float32.
      controls: how the action will be read.
      integration: whose sign pairs have.

    Returns:
      [N] int32 if discrete, else [N, 2 or 5] float32.
    """
    if controls == "discrete":
        x, y = wanted[..., 0], wanted[..., 1]
        along_x = jnp.abs(x) >= jnp.abs(y)
        larger = jnp.where(along_x, x, y)
        move = jnp.where(along_x, 1, 3) + (larger > 0)
        return jnp.where(jnp.abs(larger) < 0.5, 0, move).astype(jnp.int32)  # 0.5: half of what a move pushes
    if controls == "force":
        return jnp.clip(wanted, -1.0, 1.0)
    half = jnp.clip(wanted / 2.0, -1.0, 1.0) * (1.0 if integration == "openai" else -1.0)
    both = jnp.stack([half, -half], axis=-1).reshape(*half.shape[:-1], 4)
    return jnp.concatenate([jnp.zeros_like(both[..., :1]), both], axis=-1)
