"""How the particle tasks look, on matplotlib axes. Bodies have their true size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from marlcomm.envs.render.palette import AGENT_COLORS, FAINT, FLOOR, GOAL, INK, agent_color
from marlcomm.envs.render.shapes import add_circle, add_rectangle, clear, draw_agent, draw_star

ARROW = 0.3  # units of length for a velocity of 1


def frame(axes: Any, positions: np.ndarray) -> None:
    """Shows the square -1.2 .. 1.2, or more if a body, of positions [E, 2], has left it; the start is shaded."""
    add_rectangle(axes, -1, -1, 2, 2, facecolor=FLOOR, edgecolor="none", zorder=0)
    side = max(1.2, float(np.abs(positions).max()) + 0.25)
    clear(axes, (-side, side), (-side, side))


def draw_agents(axes: Any, positions: np.ndarray, velocities: np.ndarray, radius: float) -> None:
    """Numbered discs at [N, 2] with arrows along their velocities, [N or more, 2]."""
    for agent, ((x, y), (right, up)) in enumerate(zip(positions, velocities, strict=False)):
        draw_agent(axes, float(x), float(y), agent, radius=radius)
        if np.hypot(right, up) > 0.05:
            axes.annotate(
                "",
                (x + ARROW * right, y + ARROW * up),
                (x, y),
                arrowprops={"arrowstyle": "->", "color": agent_color(agent), "lw": 1.5},
                zorder=4,
            )


def draw_prey(axes: Any, positions: np.ndarray, radius: float) -> None:
    """Golden discs."""
    for x, y in positions:
        add_circle(axes, x, y, radius, facecolor=GOAL, edgecolor=INK, lw=1.2, zorder=4)


def draw_obstacles(axes: Any, positions: np.ndarray, radius: float) -> None:
    """Gray discs."""
    for x, y in positions:
        add_circle(axes, x, y, radius, facecolor=FAINT, edgecolor="none", zorder=1)


def draw_landmarks(axes: Any, positions: np.ndarray) -> None:
    """Golden stars."""
    for x, y in positions:
        draw_star(axes, float(x), float(y), size=220)


def draw_view(axes: Any, positions: np.ndarray, radius: float | np.ndarray) -> None:
    """A dashed circle as far as each agent sees; none if it sees nothing or there is no limit."""
    for agent, ((x, y), far) in enumerate(zip(positions, np.broadcast_to(radius, len(positions)), strict=True)):
        if 0 < far < np.inf:
            add_circle(axes, x, y, far, fill=False, edgecolor=agent_color(agent), ls=(0, (4, 3)), zorder=2)


def draw_colored_landmarks(axes: Any, positions: np.ndarray, targets: Sequence[Sequence[int]]) -> None:
    """Diamonds of different colors; each is ringed in the color of every agent that must reach it."""
    for landmark, (x, y) in enumerate(positions):
        color = AGENT_COLORS[-1 - landmark % len(AGENT_COLORS)]
        axes.scatter([x], [y], s=110, marker="D", color=color, edgecolor=INK, linewidth=0.8, zorder=3)
        for ring, agent in enumerate(targets[landmark]):
            add_circle(axes, x, y, 0.1 + 0.03 * ring, fill=False, edgecolor=agent_color(agent), lw=2.5, zorder=3)


def draw_speech(axes: Any, position: np.ndarray, words: np.ndarray, agent: int) -> None:
    """What the agent at [2] says, [W] numbers, above it: the number of the word, or all where there is no one word."""
    if not words.any():
        return
    said = f"“{int(words.argmax())}”" if sorted(words)[-2:] == [0.0, 1.0] else " ".join(f"{word:.1f}" for word in words)
    bubble = {"boxstyle": "round,pad=0.25", "facecolor": "white", "edgecolor": agent_color(agent)}
    axes.text(position[0], position[1] + 0.16, said, ha="center", va="bottom", fontsize=9, bbox=bubble, zorder=7)
