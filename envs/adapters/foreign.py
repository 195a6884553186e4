"""What foreign tasks need before their values may pass on: the same types at every step, and nothing after the end."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp


def like(tree: Any, wanted: Any) -> Any:
    """`tree` with the types of `wanted` (shapes and types, as of `jax.eval_shape`), and none of them weak.

    Tasks that change types after the first step would be compiled twice, and could not be scanned over.

    Raises:
      ValueError: the structure or a shape differs.
    """

    def convert(path: Any, leaf: Any, to: Any) -> jax.Array:
        leaf = jnp.asarray(leaf)
        if jnp.issubdtype(to.dtype, jax.dtypes.prng_key):
            return leaf  # a key of either kind, as the one that began the episode
        if leaf.shape != to.shape:
            raise ValueError(f"{jax.tree_util.keystr(path)} has the shape {leaf.shape} later, {to.shape} at first")
        return jax.lax.convert_element_type(leaf, to.dtype)

    return jax.tree_util.tree_map_with_path(convert, tree, wanted)


def unless(over: jax.Array, tree: Any) -> Any:
    """`tree`, with zeros and False in place of everything where `over` [] bool is True.

    What a task tells after its own end is nobody's business, and may be no number.
    """
    return jax.tree.map(lambda leaf: jnp.where(over, jnp.zeros_like(leaf), leaf), tree)
