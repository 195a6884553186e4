"""A square room with walls around it, as both grid worlds of AE-comm have: moves, views and its picture."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from marlcomm.envs.render import shapes
from marlcomm.envs.render.palette import FAINT, FLOOR, INK, agent_color

DIRECTIONS = np.array([(0, 1), (1, 0), (0, -1), (-1, 0)], np.int32)  # [4, 2] row, column: right, down, left, up
DIRECTION_NAMES = ("right", "down", "left", "up")


def border(size: int) -> np.ndarray:
    """[G, G] bool: the outermost cells, which are wall."""
    is_wall = np.ones((size, size), bool)
    is_wall[1:-1, 1:-1] = False
    return is_wall


def inner_cells(size: int) -> np.ndarray:
    """[(G - 2)^2, 2] int32: row and column of the cells inside the walls."""
    return np.argwhere(~border(size)).astype(np.int32)


def patches(layers: jax.Array, position: jax.Array, view: int) -> jax.Array:
    """The square around each agent, as it is seen.

    Args:
      layers: [G, G, C] what is in each cell.
      position: [N, 2] row, column.
      view: V, cells along each side of the square, an odd number.

    Returns:
      [N, V * V, C], row by row, zero outside the map.
    """
    reach = view // 2
    padded = jnp.pad(layers, ((reach, reach), (reach, reach), (0, 0)))
    offsets = np.indices((view, view)).reshape(2, -1)  # from the corner of the square, which padding makes its place
    return padded[position[:, :1] + offsets[0], position[:, 1:] + offsets[1]]


def counts(size: int, position: jax.Array, counted: jax.Array) -> jax.Array:
    """[G, G] float32: how many of the agents at `position` [N, 2] that are `counted` [N] stand in each cell."""
    return jnp.zeros((size, size)).at[position[:, 0], position[:, 1]].add(counted.astype(jnp.float32))


def draw_walls(axes: Any, is_wall: np.ndarray) -> None:
    """The cells of a map `is_wall` [G, G]; cell (row, column) has its center at (column, -row)."""
    for (row, column), wall in np.ndenumerate(np.asarray(is_wall)):
        color = FAINT if wall else FLOOR
        shapes.add_rectangle(axes, column - 0.5, -row - 0.5, 1, 1, facecolor=color, edgecolor="white", lw=1)


def draw_team(axes: Any, position: np.ndarray, view: int) -> None:
    """The agents, side by side where they share a cell, and the square that each sees."""
    places = [tuple(place) for place in np.asarray(position).tolist()]
    for agent, (row, column) in enumerate(places):
        here = [other for other, place in enumerate(places) if place == (row, column)]
        aside = 0.44 * (here.index(agent) - (len(here) - 1) / 2) / max(1, len(here) - 1)
        left, bottom = column - view / 2, -row - view / 2
        style = {"fill": False, "edgecolor": agent_color(agent), "lw": 1.2, "linestyle": ":"}
        shapes.add_rectangle(axes, left, bottom, view, view, **style)
        shapes.draw_agent(axes, column + aside, -row, agent, radius=0.36 if len(here) == 1 else 0.24)


def frame(axes: Any, size: int) -> None:
    """Limits around a map of `size` cells, and its outline."""
    shapes.add_rectangle(axes, -0.5, -size + 0.5, size, size, fill=False, edgecolor=INK, lw=1.5, zorder=4)
    shapes.clear(axes, (-0.8, size - 0.2), (-size + 0.2, 0.8))
