"""How a battle looks, on matplotlib axes: the map, units in their true size, and what they do to one another.

Where a cell of the map takes too little room to read what stands in it, units are drawn larger than they are.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from marlcomm.envs.combat.roster import Roster
from marlcomm.envs.combat.types import CombatState, Unit
from marlcomm.envs.render.palette import FAINT, FLOOR, INK, RIGHT, WRONG, agent_color, rgb
from marlcomm.envs.render.shapes import add_circle, add_rectangle, clear, outline

GROUND = {"#": "#A9A48F", "-": "#C9D3DE", "+": "#DDD9CC"}
ENEMY, SHIELD, BLAST = "#5A5A66", "#56B4E9", "#F2C14E"
RECENT = 0.5  # seconds after an attack began in which it is drawn
RINGS: Mapping[str, Any] = {"sees": (0, (1, 2.5)), "may attack": "-"}  # line styles of how far agents do that
MOST_RINGS = 54.0  # cells: radii of rings of one sort, all added up, from which on they only clutter
MARGIN, GRID = 2.0, 2.0  # cells around units that are shown, and to whose multiples the view is rounded
BAR = 0.2  # height of a bar, of a unit's radius and a bit
LEGEND, LEGEND_ROOM = 8, 180.0  # points: size of the legend, and the width of axes below which there is none
LEAST_CELL, MOST_GROWTH = 14.0, 2.0  # points that a cell takes below which units are drawn larger, and how much
FEW_UNITS, ROOMY = 8, 1.35  # where there are so few, both are larger by this
WIDENS = 1.3  # times that layouts make axes larger than they say while something is drawn on them
LETTERS = {
    "marine": "m", "marauder": "M", "medivac": "+", "reaper": "r", "stalker": "S", "zealot": "Z", "colossus": "C",
    "zergling": "z", "baneling": "b", "hydralisk": "H", "roach": "R", "ultralisk": "U", "overlord": "O",
    "spine_crawler": "Y",
}  # fmt: skip


class Body(NamedTuple):
    """A unit as it is drawn: `unit` is its index, `number` that in its side, `radius` as large as it shall look."""

    unit: int
    number: int
    own: bool
    name: str
    kind: Unit
    x: float
    y: float
    radius: float

    @property
    def color(self) -> str:
        """Agents have one each, enemies are gray."""
        return agent_color(self.unit) if self.own else ENEMY


def draw_battle(axes: Any, roster: Roster, state: CombatState, sight: float, shoot: float) -> None:
    """One state of a battle, where agents see `sight` cells far and may attack or heal within `shoot`."""
    units = state.units._replace(**{key: np.asarray(value) for key, value in state.units._asdict().items()})
    alive = np.asarray(units.health) > 0
    _draw_ground(axes, roster)
    _show_part(axes, roster, units)
    points = WIDENS * _points_per_cell(axes)
    rings = {"sees": sight, "may attack": shoot}
    rings = {what: radius for what, radius in rings.items() if roster.num_allies * radius <= MOST_RINGS}
    roomy = ROOMY if len(roster.units) <= FEW_UNITS else 1.0
    growth = float(np.clip(roomy * LEAST_CELL / points, 1.0, roomy * MOST_GROWTH))
    split = roster.num_allies
    bodies = [
        Body(unit, unit - split * (unit >= split), unit < split, name, kind, float(x), float(y), kind.radius * growth)
        for unit, (name, kind, x, y) in enumerate(zip(roster.names, roster.units, units.x, units.y, strict=True))
    ]
    for body in sorted(bodies, key=lambda body: body.kind.flying):
        if not alive[body.unit]:
            _draw_end(axes, body, float(units.cooldown[body.unit]))
            continue
        _draw_unit(axes, body, points)
        _draw_bars(axes, body, points, float(units.health[body.unit]), float(units.shield[body.unit]))
        _draw_deed(axes, body, bodies, units)
        for what, radius in rings.items() if body.own else ():
            _draw_ring(axes, body, what, radius)
    _draw_legend(axes, roster, alive, rings)


def _draw_ground(axes: Any, roster: Roster) -> None:
    picture = np.array([[rgb(GROUND.get(cell, FLOOR)) for cell in row] for row in roster.terrain.rows])
    width, height = roster.terrain.size
    axes.imshow(picture, extent=(0, width, 0, height), zorder=0, interpolation="nearest")


def _show_part(axes: Any, roster: Roster, units: Any) -> None:
    """Shows where units may start or march to, and where they are: in coarse steps, so that it seldom jumps; with room
    for rings beyond the edge of the map."""
    places = np.concatenate([roster.draws.reshape(-1, 2), np.stack([units.x, units.y], 1)])
    low = np.floor((places.min(0) - MARGIN) / GRID) * GRID
    high = np.ceil((places.max(0) + MARGIN) / GRID) * GRID
    grow = np.maximum(0.8 * (high - low).max() - (high - low), 0) / 2  # as high as axes are, whose legend takes a fifth
    low, high = (np.clip(end, -MARGIN, np.array(roster.terrain.size) + MARGIN) for end in (low - grow, high + grow))
    clear(axes, (low[0], high[0]), (low[1], high[1]))
    axes.set_anchor("S")  # else layouts that make room for the legend do not know how far down it gets


def _points_per_cell(axes: Any) -> float:
    """Points of paper that a cell takes, as far as axes know before a layout moves them."""
    (left, right), (bottom, top), box = axes.get_xlim(), axes.get_ylim(), axes.get_window_extent()
    return min(box.width / (right - left), box.height / (top - bottom)) * 72 / axes.figure.dpi


def _letter(name: str) -> str:
    return LETTERS.get(name, name[:1])


def _draw_unit(axes: Any, body: Body, points: float) -> None:
    """A disc with number and kind: of agents in their color, of enemies gray."""
    look: dict[str, Any] = {"facecolor": body.color, "edgecolor": "white", "lw": 0.8, "zorder": 5}
    style: dict[str, Any] = {"va": "center_baseline", "color": "white", "zorder": 7, "clip_on": True}
    size, y = 1.15 * body.radius * points, body.y - BAR * body.radius / 2
    if body.kind.flying:  # what is below shows through, and both can be read
        look |= {"alpha": 0.3, "edgecolor": INK, "ls": (0, (3, 1.5)), "zorder": 6}
        size, y = 0.55 * size, body.y - body.radius
        style |= {"color": body.color, "path_effects": outline(0.2 * size), "zorder": 10}
    add_circle(axes, body.x, body.y, body.radius, **look)
    more = len(str(body.number)) - 1  # digits
    x, size = body.x + 0.3 * body.radius * more, size / (1 + 0.5 * more)
    axes.text(x, y, str(body.number), ha="right", fontsize=size, fontweight="bold", **style)
    axes.text(x, y, _letter(body.name), ha="left", fontsize=0.85 * size, **style)


def _draw_bars(axes: Any, body: Body, points: float, health: float, shield: float) -> None:
    """Bars on the upper edge of a unit: health in green, or red where little is left; above it a shield in blue."""
    kind, wide, high = body.kind, 1.8 * body.radius, BAR * (0.2 + body.radius)
    x, y = body.x - wide / 2, body.y + body.radius - high
    bars = [(health / kind.health, WRONG if health < 0.35 * kind.health else RIGHT)]
    bars += [(shield / kind.shield, SHIELD)] if kind.shield else []
    for share, color in bars:
        add_rectangle(axes, x, y, wide, high, facecolor="white", edgecolor="white", lw=0.05 * points, zorder=8)
        add_rectangle(axes, x, y, wide * share, high, facecolor=color, edgecolor="none", zorder=9)
        y += 1.25 * high


def _draw_ring(axes: Any, body: Body, what: str, radius: float) -> None:
    style = {"fill": False, "edgecolor": body.color, "ls": RINGS[what], "lw": 0.7, "alpha": 0.7, "zorder": 2}
    if what == "sees" or body.kind.damage > 0 or body.kind.heals > 0:
        add_circle(axes, body.x, body.y, radius, **style)


def _draw_end(axes: Any, body: Body, cooldown: float) -> None:
    """A cross; and an explosion, if an attack began it, for as long as the weapon would have cooled."""
    axes.plot(body.x, body.y, marker="x", color=FAINT, ms=4, zorder=2)
    if body.kind.explodes and cooldown > 0:
        alpha = 0.7 * min(cooldown / body.kind.period, 1.0)
        style = {"facecolor": BLAST, "edgecolor": WRONG, "alpha": alpha, "zorder": 3}
        add_circle(axes, body.x, body.y, body.kind.splash_radius, **style)


def _draw_deed(axes: Any, body: Body, bodies: Sequence[Body], units: Any) -> None:
    """A line to the edge of whom a unit attacks, or in green of whom it heals."""
    kind, heals = body.kind, body.kind.heals > 0
    told = int((units.target if heals else units.victim)[body.unit])
    whom = [other for other in bodies if other.own == (body.own == heals)]  # healers deal with their own side
    if not 0 <= told < len(whom):
        return
    other = whom[told]
    x, y = other.x - body.x, other.y - body.y
    apart = float(np.hypot(x, y))
    mends = heals and units.health[other.unit] > 0 and apart <= kind.range + kind.radius + other.kind.radius
    if not mends and not (kind.damage > 0 and units.cooldown[body.unit] > kind.period - RECENT):
        return
    share = max(1 - other.radius / max(apart, 1e-6), 0.0)  # of the way, to the edge
    look: dict[str, Any] = {"alpha": 0.8, "mec": "white", "mew": 0.5, "markevery": [1], "zorder": 6}
    look |= {"marker": "P", "ms": 5, "lw": 1.6} if mends else {"marker": "D", "ms": 3.5, "lw": 1.0}
    axes.plot([body.x, body.x + share * x], [body.y, body.y + share * y], color=RIGHT if mends else body.color, **look)


def _draw_legend(axes: Any, roster: Roster, alive: np.ndarray, rings: Mapping[str, float]) -> None:
    """Lines below that say what letters, rings, lines and bars mean; none where there is no room to read them."""
    wide = axes.get_window_extent().width * 72 / axes.figure.dpi
    if wide < LEGEND_ROOM:
        return
    split = roster.num_allies
    who = [f"{int(alive[:split].sum())} agents", f"gray: {int(alive[split:].sum())} enemies"]
    who += [f"{_letter(name)} {name.replace('_', ' ')}" for name in dict.fromkeys(roster.names)]
    what = [f"{'thin' if RINGS[ring] == '-' else 'dotted'} ring: {ring} within {rings[ring]:g}" for ring in rings]
    what += ["line with diamond: attack", "gray x: dead"]
    what += ["green with cross: heals"] if any(kind.heals > 0 for kind in roster.units) else []
    what += ["yellow: explosion"] if roster.has_explosions else []
    what += ["blue bar: shield"] if roster.has_shields else []
    (left, right), (bottom, top) = ((max(round(end), 0) for end in span) for span in (axes.get_xlim(), axes.get_ylim()))
    what += ["tinted ground: no way on foot"] if not roster.terrain.open[left:right, bottom:top].all() else []
    lines = ["   ".join(item.replace(" ", "\u00a0") for item in items) for items in (who, what)]
    text = "\n".join(textwrap.fill(line, int(wide / (0.4 * LEGEND))) for line in lines).replace("\u00a0", " ")
    style = {"ha": "center", "va": "top", "fontsize": LEGEND, "color": INK, "linespacing": 1.4}
    axes.text(0.5, -0.02, text, transform=axes.transAxes, **style)
