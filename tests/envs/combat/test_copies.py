"""Many copies at once are each copy alone, whatever their number and however they are mapped."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from marlcomm.envs.combat.copies import with_copies_last


def weighted(table, number):  # [3, B], [B]
    assert table.shape[-1] == number.shape[-1]
    return {"sum": jnp.cumsum(table, 0) * number, "least": table.min(0)}


def plain(table, number):
    return {"sum": jnp.cumsum(table, 0) * number, "least": table.min(0)}


@pytest.mark.parametrize("count", [1, 3, 4, 5, 9])
def test_blocks_give_what_one_by_one_gives(count):
    rng = np.random.default_rng(0)
    table, number = jnp.asarray(rng.normal(size=(count, 3))), jnp.asarray(rng.normal(size=count))
    one = with_copies_last(weighted, 4)
    found, wanted = jax.jit(jax.vmap(one))(table, number), jax.vmap(plain)(table, number)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), found, wanted)
    alone = one(table[0], number[0])
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b[0], rtol=1e-6), alone, wanted)


def test_maps_of_maps_and_what_is_not_mapped():
    rng = np.random.default_rng(0)
    table, number = jnp.asarray(rng.normal(size=(2, 5, 3))), jnp.asarray(rng.normal(size=5))
    one = with_copies_last(weighted, 4)
    found = jax.jit(jax.vmap(jax.vmap(one), in_axes=(0, None)))(table, number)
    wanted = jax.vmap(jax.vmap(plain), in_axes=(0, None))(table, number)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), found, wanted)
