"""How a battle looks, on matplotlib axes: the map, units in their true size, and what they do to one another."""

from __future__ import annotations

from typing import Any

import numpy as np

from marlcomm.envs.combat.roster import Roster
from marlcomm.envs.combat.types import CombatState, Unit
from marlcomm.envs.render.palette import FAINT, FLOOR, INK, RIGHT, WRONG, agent_color
from marlcomm.envs.render.shapes import add_circle, add_rectangle, clear

GROUND = {"open": FLOOR, "#": "#A9A48F", "-": "#C9D3DE", "+": "#DDD9CC"}
ENEMY, SHIELD = "#5A5A66", "#56B4E9"
RECENT = 0.5  # seconds after an attack began in which it is drawn
LETTERS = {
    "marine": "m", "marauder": "M", "medivac": "+", "reaper": "r", "stalker": "S", "zealot": "Z", "colossus": "C",
    "zergling": "z", "baneling": "b", "hydralisk": "H", "roach": "R", "ultralisk": "U", "overlord": "O",
    "spine_crawler": "Y",
}  # fmt: skip


def draw_battle(axes: Any, roster: Roster, state: CombatState, sight: float) -> None:
    """One state of a battle. Own units are numbered in their colors, enemies gray with a letter for their kind."""
    units = state.units._replace(**{key: np.asarray(value) for key, value in state.units._asdict().items()})
    _draw_ground(axes, roster)
    alive = np.asarray(units.health) > 0
    for unit in np.flatnonzero(alive):
        _draw_deed(axes, roster, units, int(unit))
    for unit in np.argsort([kind.flying for kind in roster.units], kind="stable"):
        at = (float(units.x[unit]), float(units.y[unit]))
        if not alive[unit]:
            axes.plot(*at, marker="x", color=FAINT, ms=4, zorder=2)
            continue
        _draw_unit(axes, roster, int(unit), at)
        _draw_bars(axes, roster.units[unit], at, float(units.health[unit]), float(units.shield[unit]))
        if unit < roster.num_allies and roster.num_allies <= 11:
            style = {"fill": False, "edgecolor": agent_color(int(unit)), "lw": 0.6, "ls": (0, (2, 4)), "zorder": 2}
            add_circle(axes, *at, sight, **style)
    _frame(axes, roster, units, alive)


def _draw_ground(axes: Any, roster: Roster) -> None:
    terrain = roster.terrain
    shades = {cell: _rgb(GROUND.get(cell, GROUND["open"])) for row in terrain.rows for cell in row}
    picture = np.array([[shades[cell] for cell in row] for row in terrain.rows])
    width, height = terrain.size
    axes.imshow(picture, extent=(0, width, 0, height), zorder=0, interpolation="nearest")


def _rgb(color: str) -> list[float]:
    """Red, green and blue of such as #A9A48F, in 0 .. 1."""
    return [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]


def _draw_unit(axes: Any, roster: Roster, unit: int, at: tuple[float, float]) -> None:
    own = unit < roster.num_allies
    kind = roster.units[unit]
    color = agent_color(unit) if own else ENEMY
    look: dict[str, Any] = {"facecolor": color, "edgecolor": "white", "lw": 0.8, "zorder": 5}
    if kind.flying:  # what is below shows through
        look |= {"alpha": 0.45, "edgecolor": INK, "ls": (0, (3, 1.5)), "zorder": 6}
    add_circle(axes, *at, kind.radius, **look)
    letter = LETTERS.get(roster.names[unit], roster.names[unit][:1])
    text = str(unit) if own else letter
    style = {"ha": "center", "va": "center_baseline", "color": "white", "zorder": 7}
    axes.text(*at, text, fontsize=5.5 + 3.5 * kind.radius, fontweight="bold", clip_on=True, **style)


def _draw_bars(axes: Any, kind: Unit, at: tuple[float, float], health: float, shield: float) -> None:
    """Thin bars above a unit: health from red to green, and a shield in blue above it."""
    wide, x, y = 2 * kind.radius, at[0] - kind.radius, at[1] + kind.radius + 0.12
    for share, color in ((health / kind.health, RIGHT), (shield / kind.shield if kind.shield else None, SHIELD)):
        if share is None:
            continue
        color = WRONG if color == RIGHT and share < 0.35 else color
        add_rectangle(axes, x, y, wide, 0.16, facecolor="white", edgecolor="none", zorder=7)
        add_rectangle(axes, x, y, wide * share, 0.16, facecolor=color, edgecolor="none", zorder=8)
        y += 0.2


def _draw_deed(axes: Any, roster: Roster, units: Any, unit: int) -> None:
    """A line to whom a unit attacks, or in green to whom it heals."""
    own = unit < roster.num_allies
    kind = roster.units[unit]
    first, last = (0, roster.num_allies) if own else (roster.num_allies, len(roster.units))
    if kind.heals > 0:
        target, color = first + int(units.target[unit]), RIGHT
        busy = units.target[unit] >= 0 and target < last and units.health[target] > 0
        reach = kind.range + kind.radius + roster.units[target].radius if busy else 0.0
    else:
        target, color = (roster.num_allies if own else 0) + int(units.victim[unit]), agent_color(unit) if own else ENEMY
        busy = kind.damage > 0 and units.victim[unit] >= 0 and units.cooldown[unit] > kind.period - RECENT
        reach = np.inf
    if not busy or np.hypot(units.x[target] - units.x[unit], units.y[target] - units.y[unit]) > reach:
        return
    axes.plot(
        [units.x[unit], units.x[target]], [units.y[unit], units.y[target]],
        color=color, lw=1.6 if kind.heals else 1.0, alpha=0.8, zorder=4, solid_capstyle="round",
    )  # fmt: skip


def _frame(axes: Any, roster: Roster, units: Any, alive: np.ndarray) -> None:
    """Shows the part of the map that can be walked on, and a line that says what letters mean."""
    width, height = roster.terrain.size
    left, bottom, right, top = roster.terrain.box or (0, 0, width, height)
    clear(axes, (left - 0.5, right + 0.5), (bottom - 1.6, top + 0.8))
    kinds = dict.fromkeys(roster.names[roster.num_allies :])
    legend = "   ".join(f"{LETTERS.get(name, name[:1])} {name.replace('_', ' ')}" for name in kinds)
    counts = f"agents {int(alive[: roster.num_allies].sum())}   enemies {int(alive[roster.num_allies :].sum())}:   "
    axes.text((left + right) / 2, bottom - 0.6, counts + legend, ha="center", va="top", fontsize=8, color=INK)
