"""Many copies of a computation at once, with copies in the last axis of every array.

A battle is many small arrays of a few dozen units. Mapped over copies as usual, with these in the first axis, its
innermost loops run over a few units; with copies last, over as many copies as there are, and a processor's vector units
are full. On a processor, copies are taken in blocks that stay in its cache.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap


def with_copies_last(function: Callable[..., Any], block: int) -> Callable[..., Any]:
    """A function of one copy, from one of many whose arrays have copies in the last axis.

    Args:
      function: pytrees of arrays [..., B] -> pytree of arrays [..., B], each copy for itself.
      block: copies that are taken together on a processor, at least 1.

    Returns:
      A function of pytrees of arrays without the last axis, which `jax.vmap` turns back into `function`, however often
      it is applied.
    """

    def all_at_once(arguments: Any) -> Any:  # copies first
        arguments = jax.tree.map(lambda leaf: jnp.moveaxis(leaf, 0, -1), arguments)
        return jax.tree.map(lambda leaf: jnp.moveaxis(leaf, -1, 0), function(*arguments))

    @custom_vmap
    def many(*arguments: Any) -> Any:
        count = len(jax.tree.leaves(arguments)[0])
        if count <= block or jax.default_backend() != "cpu":
            return all_at_once(arguments)
        blocks = -(-count // block)
        size = -(-count // blocks)
        spare = blocks * size - count
        split = jax.tree.map(lambda leaf: _padded(leaf, spare).reshape(blocks, size, *leaf.shape[1:]), arguments)
        result = jax.lax.map(all_at_once, split)
        return jax.tree.map(lambda leaf: leaf.reshape(blocks * size, *leaf.shape[2:])[:count], result)

    @many.def_vmap
    def many_of_many(size: int, mapped: Any, *arguments: Any) -> Any:
        arguments = _all_mapped(size, mapped, arguments)
        flat = jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), arguments)
        result = jax.tree.map(lambda leaf: leaf.reshape(size, -1, *leaf.shape[1:]), many(*flat))
        return result, jax.tree.map(lambda _: True, result)

    @custom_vmap
    def one(*arguments: Any) -> Any:
        result = function(*jax.tree.map(lambda leaf: leaf[..., None], arguments))
        return jax.tree.map(lambda leaf: leaf[..., 0], result)

    @one.def_vmap
    def one_of_many(size: int, mapped: Any, *arguments: Any) -> Any:
        result = many(*_all_mapped(size, mapped, arguments))
        return result, jax.tree.map(lambda _: True, result)

    return one


def _all_mapped(size: int, mapped: Any, arguments: Any) -> Any:
    """Arguments of which all have the mapped axis, in front."""
    return jax.tree.map(
        lambda leaf, has: leaf if has else jnp.broadcast_to(leaf, (size, *leaf.shape)), arguments, tuple(mapped)
    )


def _padded(leaf: jax.Array, spare: int) -> jax.Array:
    return leaf if spare == 0 else jnp.concatenate([leaf, leaf[:spare]])
