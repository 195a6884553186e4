"""Units stay on the ground that is theirs, slide along walls, and make room for one another."""

import dataclasses
import functools
import itertools

import hypothesis
import jax.numpy as jnp
import numpy as np
import pytest
from duels import Field, fresh, scenario
from hypothesis import strategies as st

from marlcomm.envs.combat.roster import Roster, side_by_side
from marlcomm.envs.combat.terrain import TERRAINS, Terrain
from marlcomm.envs.combat.types import Orders
from marlcomm.envs.combat.units import UNITS


@pytest.mark.parametrize("name", TERRAINS)
def test_maps_are_square_and_their_open_ground_is_known(name):
    terrain = Terrain("test", name)
    assert terrain.size == (32, 32)
    assert all(terrain.open[x, y] == (terrain.rows[31 - y][x] in ".:") for x in range(32) for y in range(32))
    near = terrain.nearest_open.astype(int)
    assert terrain.open[near[..., 0], near[..., 1]].all()


def test_the_strip_is_a_box_and_the_ring_is_not():
    assert Terrain("test", "strip").box == (0, 8, 32, 24)
    assert Terrain("test", "ring").box is None


WALL = ("........", "........", "....+...", "....+...", "........")


@functools.cache
def walled():
    places = {"left": ((1.5, 1.5, 1.5, 1.5),), "right": ((7.5, 4.5, 7.5, 4.5),)}
    two = scenario([("marine", 1), ("medivac", 1)], [("overlord", 1)])
    return Field(Roster(dataclasses.replace(two, terrain=WALL, places=places)))


@pytest.mark.parametrize(("goal", "on_foot"), [(1.5, (3.99, 1.5)), (4.0, (7.0, 4.0))])
def test_who_walks_into_a_wall_slides_along_it_and_flying_units_do_not_care(goal, on_foot):
    field = walled().set(x=[3.5, 3.5, 7.5], y=[1.5, 1.5, 4.5], health=[45, 150, 0], target=[-1, -1, -1])
    field.orders = Orders(
        *(jnp.array(each)[:, None] for each in ([7.0, 7.0, 0.0], [goal, goal, 0.0], [True, True, False]))
    )
    field.play(64)
    assert (field.x[1], field.y[1]) == pytest.approx((7.0, goal), abs=0.02)
    assert (field.x[0], field.y[0]) == pytest.approx(on_foot, abs=0.15)  # a step goes all the way or not at all


@hypothesis.settings(max_examples=20, deadline=None, derandomize=True)
@hypothesis.given(
    st.lists(st.sampled_from(["marine", "zealot", "ultralisk", "medivac", "overlord"]), min_size=1, max_size=12)
)
def test_units_that_appear_together_do_not_overlap(names):
    units = [UNITS[name] for name in names]
    place = side_by_side(units)
    assert (place[0] == 0).all()
    for i, j in itertools.combinations(range(len(units)), 2):
        if units[i].flying == units[j].flying:
            radii = [each.radius if each.separation is None else each.separation for each in (units[i], units[j])]
            assert np.hypot(*(place[i] - place[j])) >= sum(radii) - 1e-4


def test_crowded_units_make_room_within_a_second():
    field = fresh((("marine", 2),), (("overlord", 1),))
    field.set(x=[16.0, 16.1, 16.0], y=[16.0, 16.0, 16.0], health=[45, 45, 200], target=[-1] * 3).play(16)
    assert np.hypot(field.x[1] - field.x[0], field.y[1] - field.y[0]) == pytest.approx(0.75, abs=0.02)
    assert (field.x[2], field.y[2]) == (16.0, 16.0)
