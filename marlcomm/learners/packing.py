"""Arrays as replay keeps them: every feature in the smallest type that holds it exactly, flags eight to a byte."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from marlcomm.types import Dtypes, Episodes, TaskSpec

EXACT, HALVED = "exact", "bfloat16"
PRECISIONS = (EXACT, HALVED)  # of observations in replay
_FLAG, _NUMBER = "bool", "float32"
_PER_BYTE = 8  # flags


def check_precision(precision: str) -> None:
    """Raises ValueError for what is no precision of observations in replay."""
    if precision not in PRECISIONS:
        raise ValueError(f"replay_precision is {precision!r}: must be one of {', '.join(PRECISIONS)}")


class Packed(struct.PyTreeNode):
    """An array [..., F] whose features are kept apart by their types."""

    parts: dict[str, jax.Array]  #: type -> [..., its features] in that type; flags are bits, [..., bytes] uint8
    dtypes: tuple[str, ...] = struct.field(pytree_node=False)  #: of each feature
    dtype: str = struct.field(pytree_node=False)  #: of the array that was packed

    def unpacked(self) -> jax.Array:
        """[..., F] the array that was packed, bit for bit where its features' types hold them exactly."""
        where = _places(self.dtypes)
        if len(where) == 1:
            (name,) = where
            return _restored(name, self.parts[name], len(self.dtypes)).astype(self.dtype)
        found = jnp.zeros((), self.dtype)
        for name, places in where.items():  # each a gather that fuses: far faster than slices side by side
            number = np.zeros(len(self.dtypes), np.int32)
            number[places] = np.arange(len(places))
            own = np.array(self.dtypes) == name
            found = jnp.where(own, _feature(name, self.parts[name], number).astype(self.dtype), found)
        return found


def pack(x: jax.Array, dtypes: Dtypes) -> Packed | jax.Array:
    """`x` [..., F] in the types of its features; as it is, where that would save nothing.

    Args:
      x: the array.
      dtypes: one name for all features, or one a feature.
    """
    each = (dtypes,) * x.shape[-1] if isinstance(dtypes, str) else dtypes
    if not each or (set(each) == {x.dtype.name} and x.dtype != bool):
        return x
    parts = {
        name: _kept(name, x if len(places) == len(each) else x[..., places]) for name, places in _places(each).items()
    }
    return Packed(parts=parts, dtypes=each, dtype=x.dtype.name)


def pack_episodes(task: TaskSpec, precision: str, episodes: Episodes) -> Episodes:
    """Episodes, or steps of them, as replay keeps them.

    Args:
      task: whose types views and states have.
      precision: "exact", or "bfloat16" for what of views and states needs float32 otherwise.
      episodes: any leading axes.
    """
    packed = {name: pack(getattr(episodes, name), dtypes) for name, dtypes in _kept_as(task, precision).items()}
    return episodes._replace(**packed)


def unpack_episodes(episodes: Episodes) -> Episodes:
    """What was packed, as it was."""
    return Episodes(*(x.unpacked() if isinstance(x, Packed) else x for x in episodes))


def _kept_as(task: TaskSpec, precision: str) -> Mapping[str, Dtypes]:
    """The types of the features of each field that is packed."""
    action = task.action_dtype.name if task.continuous else np.min_scalar_type(task.num_actions - 1).name
    return {
        "agents_view": _halved(task.view_dtype, precision),
        "global_state": _halved(task.state_dtype, precision),
        "action_mask": _FLAG,
        "action": action,
    }


def _halved(dtypes: Dtypes, precision: str) -> Dtypes:
    """The types at this precision."""
    if precision == EXACT:
        return dtypes
    return HALVED if dtypes == _NUMBER else tuple(HALVED if name == _NUMBER else name for name in _each(dtypes))


def _each(dtypes: Dtypes) -> tuple[str, ...]:
    return (dtypes,) if isinstance(dtypes, str) else dtypes


def _places(dtypes: tuple[str, ...]) -> dict[str, np.ndarray]:
    """The places of the features of each type, by its name."""
    return {name: np.flatnonzero(np.array(dtypes) == name) for name in sorted(set(dtypes))}


def _kept(name: str, x: jax.Array) -> jax.Array:
    return jnp.packbits(x != 0, -1, bitorder="little") if name == _FLAG else x.astype(name)


def _restored(name: str, x: jax.Array, count: int) -> jax.Array:
    """[..., count] the features of one type."""
    return jnp.unpackbits(x, -1, count=count, bitorder="little") if name == _FLAG else x


def _feature(name: str, x: jax.Array, number: np.ndarray) -> jax.Array:
    """[..., F] for each place the feature of that number, of one type."""
    if name != _FLAG:
        return x[..., number]
    return (x[..., number // _PER_BYTE] >> (number % _PER_BYTE).astype(np.uint8)) & 1
