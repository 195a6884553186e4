"""What is measured of battles: random legal actions, and the parts of a step. Speeds are not tested."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

import marlcomm as mc
from benchmarks import battle_parts
from benchmarks.environments import MANY, legal


def test_every_legal_action_is_drawn_as_often_and_no_other_ever():
    draw = np.random.default_rng(0)
    mask = np.array([[True, False, False, False], [False, True, True, True], [True, False, True, False]])
    drawn = jnp.asarray(draw.integers(0, MANY, (4000, 3)))
    actions = np.asarray(legal(jnp.asarray(mask), drawn))
    shares = np.stack([(actions == action).mean(0) for action in range(4)], 1)
    np.testing.assert_allclose(shares, mask / mask.sum(1, keepdims=True), atol=0.04)
    assert (shares[~mask] == 0).all()


def test_parts_of_a_battles_step_are_timed():
    env = mc.make_env("3m").unwrapped
    rows = battle_parts.measure(env, copies=2, after=1, repeats=1)  # pyright: ignore[reportArgumentType]
    assert rows[0][0] == "step"
    assert rows[0][-1] == "100%"
    assert all(len(row) == len(battle_parts.HEAD) for row in rows)
    state, _ = battle_parts.played(env, 2, 3)  # pyright: ignore[reportArgumentType]
    np.testing.assert_array_equal(state.step_count, 3)
