"""How the small tasks look: one function a task, on matplotlib axes. Colors tell agents apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.patches import Circle, FancyBboxPatch, Rectangle, Wedge

# Okabe and Ito's palette, which color-blind readers can tell apart.
AGENT_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6D31", "#6A51A3")
INK, FAINT, FLOOR, GOAL = "#2B2B33", "#B9BCC6", "#F2F3F7", "#F2C14E"
RIGHT, WRONG = "#009E73", "#D55E00"

Cell = tuple[int, int]


def agent_color(agent: int) -> str:
    """The color of an agent, by its index; colors repeat after eight."""
    return AGENT_COLORS[agent % len(AGENT_COLORS)]


def draw_agent(axes: Any, x: float, y: float, agent: int, radius: float = 0.3, fontsize: float = 10.0) -> None:
    """A disc with the agent's index, in its color."""
    axes.add_patch(Circle((x, y), radius, facecolor=agent_color(agent), edgecolor="white", lw=1.5, zorder=5))
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
            corner = (left + column - 0.5, -row - 0.5)
            axes.add_patch(Rectangle(corner, 1, 1, facecolor=FLOOR, edgecolor="white", lw=1.5))
    axes.add_patch(Rectangle((left - 0.5, -size + 0.5), size, size, fill=False, edgecolor=INK, lw=2, zorder=4))


def draw_hallways(
    axes: Any,
    lengths: Sequence[int],
    positions: Sequence[int],
    groups: Sequence[int],
    won: Sequence[bool],
    failed: Sequence[bool],
    held: Sequence[bool],
) -> None:
    """One row for each agent, the goal on the left; on the right groups, how they fared, and who is held."""
    many = max(groups) > 0
    for agent, (length, position, group) in enumerate(zip(lengths, positions, groups, strict=True)):
        y = -1.35 * agent
        for cell in range(length + 1):
            color = GOAL if cell == 0 else FLOOR
            axes.add_patch(
                FancyBboxPatch(
                    (cell - 0.44, y - 0.44),
                    0.88,
                    0.88,
                    boxstyle="round,pad=0,rounding_size=0.12",
                    facecolor=color,
                    edgecolor=FAINT,
                )
            )
            if cell != position:
                label, ink = ("goal", INK) if cell == 0 else (str(cell), FAINT)
                axes.text(cell, y, label, ha="center", va="center", color=ink, fontsize=8)
        draw_agent(axes, position, y, agent)
        fate = "won" if won[group] else "failed" if failed[group] else "held" if held[agent] else ""
        if held[agent]:
            axes.add_patch(Circle((position, y), 0.37, fill=False, edgecolor=INK, lw=1.5, ls=(0, (2, 2)), zorder=6))
        label = (f"group {group}" if many else "") + ("  " + fate if fate else "")
        axes.text(length + 0.65, y, label.strip(), va="center", color=INK, fontsize=9)
    clear(axes, (-0.8, max(lengths) + (2.6 if many else 1.6)), (-1.35 * (len(lengths) - 1) - 0.8, 0.8))


def draw_rooms(axes: Any, size: int, positions: Sequence[Cell], landmarks: Sequence[Cell]) -> None:
    """A room for each agent, side by side, with its landmark."""
    for agent, (position, landmark) in enumerate(zip(positions, landmarks, strict=True)):
        left = agent * (size + 1.0)
        draw_grid(axes, size, left)
        draw_star(axes, left + landmark[1], -landmark[0], size=420)
        draw_agent(axes, left + position[1], -position[0], agent)
        axes.text(left + (size - 1) / 2, 0.75, f"room {agent}", ha="center", va="bottom", color=INK)
    clear(axes, (-0.7, len(positions) * (size + 1) - 1.3), (-size + 0.3, 1.5))


def draw_maze(
    axes: Any,
    size: int,
    positions: Sequence[Cell],
    landmarks: Sequence[Cell],
    rewards: Sequence[float],
) -> None:
    """The grid, both landmarks with what they pay, and the agents, side by side where they share a cell."""
    draw_grid(axes, size)
    for (row, column), reward in zip(landmarks, rewards, strict=True):
        draw_star(axes, column, -row, size=900)
        axes.text(column, -row - 0.4, f"{reward:g}", ha="center", va="center", fontsize=9, color=INK)
    together = len(set(positions)) == 1
    for agent, (row, column) in enumerate(positions):
        offset = (agent - (len(positions) - 1) / 2) * 0.44 if together else 0.0
        draw_agent(axes, column + offset, -row, agent, radius=0.21 if together else 0.27)
    clear(axes, (-0.7, size - 0.3), (-size + 0.3, 0.7))


def draw_sensor_chain(axes: Any, target: bool, actions: Sequence[int]) -> None:
    """Sensors as discs, areas as boxes between them; wedges are scans, and meet where they locate."""
    for area, present in enumerate((True, target)):
        x = 2.0 + 4.0 * area
        seen = actions[area] == 3 and actions[area + 1] == 1
        edge = "#2E9E5B" if seen else FAINT
        axes.add_patch(
            FancyBboxPatch(
                (x - 0.7, -0.7),
                1.4,
                1.4,
                boxstyle="round,pad=0,rounding_size=0.15",
                facecolor=FLOOR,
                edgecolor=edge,
                lw=3 if seen else 1.5,
            )
        )
        if present:
            draw_star(axes, x, 0.0, size=420)
        else:
            axes.text(x, 0.0, "empty", ha="center", va="center", color=FAINT, fontsize=9)
        axes.text(x, -1.15, f"area {area + 1}" + (" located" if seen else ""), ha="center", color=INK, fontsize=9)
    toward = {0: 90, 1: 180, 2: 270, 3: 0}  # degrees of the scan's direction
    for agent, action in enumerate(actions):
        x = 4.0 * agent
        if action in toward:
            angle = toward[action]
            axes.add_patch(Wedge((x, 0), 1.35, angle - 22, angle + 22, color=agent_color(agent), alpha=0.3))
        draw_agent(axes, x, 0.0, agent, radius=0.42)
    clear(axes, (-1.6, 9.6), (-1.7, 1.7))


def draw_sensor_grid(
    axes: Any,
    size: Cell,
    sensors: Sequence[Cell],
    targets: Sequence[Cell],
    last_targets: Sequence[Cell],
    scans: Sequence[Cell],
) -> None:
    """The map with its sensors and targets; rays are scans, grey stars the targets then, ringed if located."""
    rows, columns = size
    for row, column in np.ndindex(rows, columns):
        axes.add_patch(Rectangle((column - 0.46, -row - 0.46), 0.92, 0.92, facecolor=FLOOR, edgecolor="none"))
    scanned = [(row + down, column + right) for (row, column), (down, right) in zip(sensors, scans, strict=True)]
    for agent, ((row, column), (to_row, to_column)) in enumerate(zip(sensors, scanned, strict=True)):
        axes.plot([column, to_column], [-row, -to_row], color=agent_color(agent), lw=5, alpha=0.45, zorder=3)
        draw_agent(axes, column, -row, agent, radius=0.27)
    for row, column in last_targets:
        axes.scatter([column], [-row], s=130, marker="*", color=FAINT, edgecolor="white", linewidth=0.8, zorder=4)
        if scanned.count((row, column)) >= 2:
            axes.add_patch(Circle((column, -row), 0.33, fill=False, edgecolor="#2E9E5B", lw=2.5, zorder=4))
    for row, column in targets:
        draw_star(axes, column, -row, size=260)
    clear(axes, (-0.7, columns - 0.3), (-rows + 0.3, 0.7))


def draw_prison(axes: Any, visitor: int | None, has_been: Sequence[bool], light: bool | None, caption: str) -> None:
    """The room above with its visitor and light (None: no bulb), the cells below, golden for who has been there."""
    middle = 0.75 * (len(has_been) - 1)
    axes.add_patch(Rectangle((middle - 1.1, 0.9), 2.2, 1.6, facecolor=FLOOR, edgecolor=INK, lw=2))
    axes.text(middle, 2.75, caption, ha="center", va="bottom", color=INK)
    if light is not None:
        color = GOAL if light else "white"
        axes.add_patch(Circle((middle + 0.7, 2.05), 0.2, facecolor=color, edgecolor=INK, lw=1.2, zorder=4))
        axes.text(middle + 0.7, 1.6, "on" if light else "off", ha="center", va="center", color=INK, fontsize=9)
    for agent, been in enumerate(has_been):
        x = 1.5 * agent
        color = "#FFF3D1" if been else FLOOR
        axes.add_patch(Rectangle((x - 0.6, -0.6), 1.2, 1.2, facecolor=color, edgecolor=GOAL if been else FAINT, lw=2))
        axes.text(x, -0.85, "has been" if been else "", ha="center", va="center", color=INK, fontsize=8)
        draw_agent(axes, *((middle - 0.2, 1.7) if agent == visitor else (x, 0.0)), agent, radius=0.38)
    clear(axes, (-1.3, 1.5 * len(has_been) - 0.2), (-1.2, 3.2))


def draw_traffic(axes: Any, is_road: np.ndarray, ways: Sequence[Sequence[Cell]], collided: Sequence[bool]) -> None:
    """The roads, each car (a way starts at it; empty off the road) and the cells before it; cars off the road below."""
    size = len(is_road)
    for row, column in np.argwhere(is_road):
        axes.add_patch(Rectangle((column - 0.5, -row - 0.5), 1, 1, facecolor="#DCDEE6", edgecolor="white", lw=1))
    look = {"radius": 0.4, "fontsize": float(np.clip(90 / size, 6, 10))}
    parked = [agent for agent, way in enumerate(ways) if not way]
    if parked:
        axes.text(-0.5, -size + 0.05, "off the road", va="center", color=INK, fontsize=8)
    for place, agent in enumerate(parked):
        draw_agent(axes, place * max(1.0, size / len(ways)) * 0.9, -size - 0.75, agent, **look)
    sharing: dict[Cell, list[int]] = {}
    for agent, way in enumerate(ways):
        if way:
            sharing.setdefault(way[0], []).append(agent)
            rows, columns = np.array(way).T
            axes.plot(columns, -rows, color=agent_color(agent), lw=2.5, alpha=0.5, zorder=2, solid_capstyle="round")
    for (row, column), agents in sharing.items():
        for place, agent in enumerate(agents):
            x = column + 0.7 * (place - (len(agents) - 1) / 2)
            if collided[agent]:
                axes.add_patch(Circle((x, -row), 0.56, facecolor="#C1272D", edgecolor="none", zorder=4))
            draw_agent(axes, x, -row, agent, **look)
    right = max(size, len(ways) * max(1.0, size / len(ways)) * 0.9)
    clear(axes, (-0.8, right - 0.2), (-size - 1.3, 0.8))


def draw_table(axes: Any, table: np.ndarray, seen: tuple[int, int], action: int) -> None:
    """The rewards: a row for each observation and action of agent 0, a column for what agent 1 sees."""
    firsts, actions, seconds = table.shape
    for second in range(seconds):
        highlight = second == seen[1]
        axes.text(second, 0.75, f"$o_{{2{second + 1}}}$", ha="center", color=agent_color(1) if highlight else INK)
    for row, (first, choice) in enumerate(np.ndindex(firsts, actions)):
        chosen = first == seen[0] and choice == action
        label = f"$o_{{1{first + 1}}}$, a{choice + 1}"
        axes.text(-0.75, -row, label, ha="right", va="center", color=agent_color(0) if first == seen[0] else INK)
        for second in range(seconds):
            inside = first == seen[0] and second == seen[1]
            paid = inside and chosen
            color = GOAL if paid else "#FFF3D1" if inside else FLOOR
            axes.add_patch(Rectangle((second - 0.5, -row - 0.5), 1, 1, facecolor=color, edgecolor="white", lw=2))
            value = f"{table[first, choice, second]:g}"
            axes.text(second, -row, value, ha="center", va="center", fontweight="bold" if paid else "normal")
    clear(axes, (-2.1, seconds - 0.4), (-firsts * actions + 0.4, 1.4))


def draw_row(axes: Any, count: int, secret: str, answer: str, right: bool, caption: str) -> None:
    """Agents in a row that whisper to the next; what the first knows and what the last says stand above them."""
    for agent in range(count):
        draw_agent(axes, 1.2 * agent, 0, agent)
        if agent:
            axes.annotate(
                "",
                xy=(1.2 * agent - 0.35, 0),
                xytext=(1.2 * agent - 0.85, 0),
                arrowprops={"arrowstyle": "-|>", "color": FAINT, "lw": 1.5},
            )
    style = {"ha": "center", "va": "bottom", "fontsize": 13, "family": "monospace"}
    axes.text(0, 0.45, secret, color=INK, **style)
    if answer:
        axes.text(1.2 * (count - 1), 0.45, answer, color=RIGHT if right else WRONG, **style)
    axes.text(0.6 * (count - 1), -0.6, caption, ha="center", va="top", color=INK, fontsize=9)
    clear(axes, (-0.8, 1.2 * (count - 1) + 0.8), (-1.1, 1.1))
