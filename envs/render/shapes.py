"""Shapes on matplotlib axes. matplotlib is imported when the first is drawn."""

from __future__ import annotations

from typing import Any

from marlcomm.envs.render.palette import FLOOR, GOAL, INK, agent_color

Cell = tuple[int, int]  # row, column


def add_circle(axes: Any, x: float, y: float, radius: float, **style: Any) -> None:
    """A disc around (x, y); `style` as for matplotlib's patches, here and below."""
    from matplotlib.patches import Circle

    axes.add_patch(Circle((x, y), radius, **style))


def outline(width: float) -> Any:
    """For `path_effects` of text: a white edge of so many points, so that it can be read on anything."""
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=width, foreground="white")]


def add_rectangle(axes: Any, left: float, bottom: float, width: float, height: float, **style: Any) -> None:
    """A rectangle with its lower left corner at (left, bottom)."""
    from matplotlib.patches import Rectangle

    axes.add_patch(Rectangle((left, bottom), width, height, **style))


def add_rounded_square(axes: Any, x: float, y: float, side: float, rounding: float, **style: Any) -> None:
    """A square around (x, y) whose corners are arcs of radius `rounding`."""
    from matplotlib.patches import FancyBboxPatch

    boxstyle = f"round,pad=0,rounding_size={rounding}"
    axes.add_patch(FancyBboxPatch((x - side / 2, y - side / 2), side, side, boxstyle=boxstyle, **style))


def add_wedge(axes: Any, x: float, y: float, radius: float, direction: float, opening: float, **style: Any) -> None:
    """A sector around (x, y) that opens by `opening` degrees, half to each side of `direction` (0 is right)."""
    from matplotlib.patches import Wedge

    axes.add_patch(Wedge((x, y), radius, direction - opening / 2, direction + opening / 2, **style))


def draw_agent(axes: Any, x: float, y: float, agent: int, radius: float = 0.3, fontsize: float = 10.0) -> None:
    """A disc with the agent's index, in its color."""
    add_circle(axes, x, y, radius, facecolor=agent_color(agent), edgecolor="white", lw=1.5, zorder=5)
    style = {"ha": "center", "va": "center_baseline", "fontweight": "bold", "fontsize": fontsize}
    axes.text(x, y, str(agent), color="white", zorder=6, **style)


def draw_star(axes: Any, x: float, y: float, size: float = 300.0) -> None:
    """A golden star: a place worth going to."""
    axes.scatter([x], [y], s=size, marker="*", color=GOAL, edgecolor=INK, linewidth=0.8, zorder=3)


def clear(axes: Any, x: tuple[float, float], y: tuple[float, float]) -> None:
    """Limits without frame or ticks, one unit as long in both directions."""
    axes.set_xlim(*x)
    axes.set_ylim(*y)
    axes.set_aspect("equal")
    axes.set_axis_off()


def draw_grid(axes: Any, size: int, left: float = 0.0) -> None:
    """A square room of cells; cell (row, column) has its center at (left + column, -row)."""
    for row in range(size):
        for column in range(size):
            add_rectangle(axes, left + column - 0.5, -row - 0.5, 1, 1, facecolor=FLOOR, edgecolor="white", lw=1.5)
    add_rectangle(axes, left - 0.5, -size + 0.5, size, size, fill=False, edgecolor=INK, lw=2, zorder=4)
