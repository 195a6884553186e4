"""The price of talk: bits that a team sends, for channels that can learn to send fewer."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from marlcomm.types import AnyUnroll, Episodes, bits_sent


def bits_loss(unroll: AnyUnroll, episodes: Episodes, hparams: Any) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Bits that the whole team sends in an environment step, mean over valid steps; the unit of `bits_per_step`.

    Its gradient is that of `Messages.price`: of channels whose prices have one, such as `QuantizedChannel`, what is
    said becomes cheaper. Prices that are the same whatever is said teach nothing.
    """
    steps = episodes.valid.shape[1]
    bits = bits_sent(unroll.messages).sum(-1)[:, :steps]  # [B, T]
    return jnp.where(episodes.valid, bits, 0.0).sum() / jnp.maximum(episodes.valid.sum(), 1), {}
