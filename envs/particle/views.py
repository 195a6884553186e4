"""What agents see of others: everything, the nearest few, or what is within a radius."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from marlcomm.envs.particle.physics import distance


def offsets(viewer: jax.Array, seen: jax.Array) -> jax.Array:
    """Where X things are as N viewers see them: [N, 2], [X, 2] -> [N, X, 2]."""
    return seen - viewer[:, None]


def without_self(values: jax.Array) -> jax.Array:
    """What is left of each row of [N, N, F] without its own entry: [N, N - 1, F], in the same order."""
    n, features = values.shape[1:]
    after_self = values.reshape(n * n, features)[1:]  # now N entries away from one's own to the next
    return after_self.reshape(n - 1, n + 1, features)[:, :n].reshape(n, n - 1, features)


def look(
    offset: jax.Array, more: jax.Array | None = None, *, nearest: int | None = None, radius: float | np.ndarray = np.inf
) -> jax.Array:
    """One row of features for each viewer: the offsets that it sees, then what else it sees of the same things.

    Args:
      offset: [N, X, 2].
      more: [N, X, F] or None, such as velocities.
      nearest: how many are seen, nearest first; None sees all, in their own order.
      radius: farther things are not seen; a number, or [N] one for each viewer.

    Returns:
      [N, K * (2 + F)] float32 with K = X or `nearest`; zeros stand for what is not there or not seen.
    """
    values = [offset] if more is None else [offset, more]
    apart = distance(offset)
    if nearest is not None:
        place = _place_by_distance(apart)
        slots = place[:, None] == np.arange(nearest)[:, None]  # [N, K, X]
        values = [jnp.sum(jnp.where(slots[..., None], value[:, None], 0.0), axis=2) for value in values]
        apart = jnp.sum(jnp.where(slots, apart[:, None], 0.0), axis=2)
    if np.isfinite(radius).any():
        values = [jnp.where((apart <= np.reshape(radius, (-1, 1)))[..., None], value, 0.0) for value in values]
    return jnp.concatenate([value.reshape(len(value), -1) for value in values], axis=-1)


def _place_by_distance(apart: jax.Array) -> jax.Array:
    """[N, X] int32: how many others are nearer. Equal ones keep their order. Needs no sort, which is slow here."""
    index = np.arange(apart.shape[1])
    nearer = apart[:, None] < apart[:, :, None]
    tied = (apart[:, None] == apart[:, :, None]) & (index < index[:, None])
    return jnp.sum(nearer | tied, axis=-1)
