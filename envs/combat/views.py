"""SMAC's actions, observations, states and rewards, from arrays of units, whoever filled them.

Layouts, orders and conditions are those of `StarCraft2Env` (oxwhirl/smac@d6aab33) and of NDQ's copy of it, feature by
feature. Letters as in `types`; K = 6 + E actions. Copies stand in the last axis. Arrays may be of JAX or of NumPy: the
bridge's worker processes, which must not load JAX, fill the latter from the game itself.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from marlcomm.envs.combat.roster import Roster
from marlcomm.envs.combat.terrain import Terrain
from marlcomm.envs.combat.types import FIRST_MOVE, FIRST_TARGET, MOVES, Scenario, Seen
from marlcomm.envs.options import check_above_zero, check_choice, check_flag, check_number

if TYPE_CHECKING:
    import jax

MOVE_NAMES = ("north", "south", "east", "west")
AROUND = np.array([(0, 2), (0, -2), (2, 0), (-2, 0), (1, 1), (-1, -1), (1, -1), (-1, 1)])  # in moves, as SMAC looks


@dataclass(frozen=True, kw_only=True)
class ViewOptions:
    """What SMAC's wrapper takes as arguments of the same names; `task.Combat` says what each means."""

    sight_range: float = 9.0
    shoot_range: float = 6.0
    move_amount: float = 2.0
    obs_all_health: bool = True
    obs_own_health: bool = True
    obs_enemy_health: bool = True
    obs_own_pos: bool = False
    obs_last_action: bool = False
    obs_pathing_grid: bool = False
    obs_terrain_height: bool = False
    obs_timestep_number: bool = False
    obs_instead_of_state: bool = False
    state_last_action: bool = True
    state_timestep_number: bool = False
    reward_sparse: bool = False
    reward_only_positive: bool = True
    reward_abs: bool = False
    reward_death_value: float = 10.0
    reward_win: float = 200.0
    reward_defeat: float = 0.0
    reward_negative_scale: float = 0.5
    reward_scale: bool = True
    reward_scale_rate: float = 20.0


SETTINGS: dict[str, dict[str, Any]] = {  # what `task.Combat` calls `settings`
    "smac": {"sight_range": 9.0, "shoot_range": 6.0, "obs_all_health": True},
    "ndq": {"sight_range": 2.0, "shoot_range": 6.0, "obs_all_health": False},
}


def view_options(scenario: Scenario, settings: str | None, given: Mapping[str, Any]) -> tuple[str, ViewOptions]:
    """The name of the settings, and the options of the views under them.

    Args:
      scenario: whose settings hold where `settings` is None.
      settings: a name in `SETTINGS`, or None.
      given: options by name; what is None or missing is as the settings have it, or else as by default.

    Raises:
      UsageError: an option is unknown or out of its range.
    """
    name, fields = scenario.name, dataclasses.fields(ViewOptions)
    wanted = scenario.settings if settings is None else settings
    known: str = check_choice(name, "settings", wanted, tuple(SETTINGS))
    for option in given:
        check_choice(name, "option", option, tuple(field.name for field in fields))
    of_scenario = {"shoot_range": scenario.shoot_range} if known == scenario.settings else {}
    layers = (SETTINGS[known], of_scenario, given)
    chosen = {option: value for layer in layers for option, value in layer.items() if value is not None}
    chosen.setdefault("obs_enemy_health", chosen["obs_all_health"])
    found: dict[str, Any] = {}
    for field in fields:
        option, value = field.name, chosen.get(field.name, field.default)
        if isinstance(field.default, bool):
            found[option] = check_flag(name, option, value)
        elif option in ("sight_range", "shoot_range", "move_amount", "reward_scale_rate"):
            found[option] = check_above_zero(name, option, value)
        elif option == "reward_defeat":
            found[option] = check_number(name, option, value, at_most=0.0)
        else:
            found[option] = check_number(name, option, value, at_least=0.0)
    found["obs_own_health"] |= found["obs_all_health"]
    return known, ViewOptions(**found)


class Outcome(NamedTuple):
    """How a battle stands."""

    won: jax.Array  # [B] bool
    lost: jax.Array  # [B] bool
    over: jax.Array  # [B] bool: won, lost, or nobody is left
    dead_allies: jax.Array  # [B] int32
    dead_enemies: jax.Array  # [B] int32


class Views:
    """Masks, observations, states and rewards of one scenario under one set of options."""

    def __init__(self, roster: Roster, options: ViewOptions, terrain: Terrain | None = None) -> None:
        """Of a scenario, on its own ground or on one that a game has told."""
        self.roster, self.options = roster, options
        self.terrain = roster.terrain if terrain is None else terrain
        allies, enemies, codes = roster.num_allies, roster.num_enemies, roster.num_codes
        self.num_actions = FIRST_TARGET + (max(allies, enemies) if roster.ally.healers else enemies)
        self.ally_shields = any(unit.shield > 0 for unit in roster.ally.units)
        self.enemy_shields = any(unit.shield > 0 for unit in roster.enemy.units)
        self.observation_size, self.state_size = len(self.feature_names()), len(self.state_names())
        most = sum(unit.health + unit.shield for unit in roster.enemy.units)
        #: what a perfect win pays before it is scaled
        self.max_reward = enemies * options.reward_death_value + options.reward_win + most
        self._ally_codes = (np.arange(codes) == roster.ally_codes[:, None]).astype(np.float32)  # [A, codes]
        self._enemy_codes = (np.arange(codes) == roster.enemy_codes[:, None]).astype(np.float32)
        self._full_health, self._cooldown_scale = roster.of("health"), roster.of("cooldown_scale")[:allies]
        self._shield_scale = np.array([[unit.shield_scale or unit.shield or 1.0] for unit in roster.units], np.float32)
        self._ally_healers = np.isin(np.arange(allies), roster.ally.healers)[:, None]
        self._enemy_healers = np.isin(np.arange(enemies), roster.enemy.healers)[:, None]

    def action_mask(self, seen: Seen) -> jax.Array:
        """[A, K, B] bool: what each agent may do. The dead may do nothing but nothing, which nobody else may."""
        xp = array_module(seen.x)
        split = self.roster.num_allies
        alive = seen.health > 0.0
        moves = xp.stack([self._can_go(seen.x[:split] + x, seen.y[:split] + y) for x, y in self._half_moves()], 1)
        near = _distance2(seen, split, slice(split, None)) <= self.options.shoot_range**2
        targets = self._width(near & alive[None, split:])
        if self.roster.ally.healers:
            near = _distance2(seen, split, slice(None, split)) <= self.options.shoot_range**2
            patients = self._width(near & alive[None, :split] & ~self._ally_healers[None])
            targets = xp.where(self._ally_healers[..., None], patients, targets)
        stop = xp.ones_like(moves[:, :1])
        rest = xp.concatenate([stop, moves, targets], 1) & alive[:split, None]
        return xp.concatenate([~alive[:split, None], rest], 1)

    def _half_moves(self) -> np.ndarray:
        return MOVES * self.options.move_amount / 2

    def _width(self, targets: jax.Array) -> jax.Array:
        """[A, K - 6, B] from targets of one side: there may be more of the other."""
        missing = self.num_actions - FIRST_TARGET - targets.shape[1]
        return array_module(targets).pad(targets, ((0, 0), (0, missing), (0, 0))) if missing else targets

    def _can_go(self, x: jax.Array, y: jax.Array) -> jax.Array:
        """Whether cells at places of any shape are on the map and can be walked on; asked of the flying, too."""
        return self._cells(x.astype(np.int32), y.astype(np.int32), self.terrain.open, False) > 0

    def _cells(self, column: jax.Array, row: jax.Array, grid: np.ndarray, outside: float) -> jax.Array:
        """What stands in cells of a grid [W, H], and `outside` beyond it."""
        xp = array_module(column)
        width, height = grid.shape
        inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        box = self.terrain.box
        if grid is self.terrain.open and box is not None:  # no need to look it up
            value = (column >= box[0]) & (column < box[2]) & (row >= box[1]) & (row < box[3])
        else:
            at = xp.clip(column, 0, width - 1) * height + xp.clip(row, 0, height - 1)
            value = xp.asarray(grid.ravel())[at]
        return xp.where(inside, value.astype(np.float32), outside)

    def observations(self, seen: Seen, mask: jax.Array) -> jax.Array:
        """[A, O, B] float32: what each agent sees; zeros of those not alive. `mask` [A, K, B] is `action_mask`."""
        xp = array_module(seen.x)
        split, options = self.roster.num_allies, self.options
        enemies = self.roster.num_enemies
        parts = [mask[:, FIRST_MOVE:FIRST_TARGET].astype(np.float32), *self._surroundings(seen)]
        shown = options.obs_enemy_health
        can = mask[:, FIRST_TARGET : FIRST_TARGET + enemies].astype(np.float32)
        parts.append(self._others(seen, slice(split, None), can, self._enemy_codes, shown, self.enemy_shields))
        ones = xp.ones((split, split, seen.x.shape[-1]), np.float32)
        allies = self._others(
            seen, slice(None, split), ones, self._ally_codes, options.obs_all_health, self.ally_shields
        )
        parts.append(_without_self(allies, split))
        own = []
        if options.obs_own_health:
            own = self._health(seen, slice(None, split), self.ally_shields)
        if options.obs_own_pos:
            width, height = self.terrain.size
            own = [*own, seen.x[:split] / np.float32(width), seen.y[:split] / np.float32(height)]
        rest = [xp.stack(own, 1)] if own else []
        rest.append(self._constant(self._ally_codes, seen))
        whole = xp.where(seen.health[:split, None] > 0.0, xp.concatenate([*parts, *rest], axis=1), 0.0)
        if not options.obs_timestep_number:
            return whole
        time = seen.step_count / self.roster.scenario.limit  # which SMAC shows to the dead, too
        return xp.concatenate([whole, xp.broadcast_to(time, (split, 1, *time.shape)).astype(np.float32)], axis=1)

    def _surroundings(self, seen: Seen) -> list[jax.Array]:
        """[A, 8, B] whether cells around can be walked on, and [A, 9, B] how high they are, where these are shown."""
        xp = array_module(seen.x)
        split, terrain = self.roster.num_allies, self.terrain
        x, y = (each[:split].astype(np.int32) for each in (seen.x, seen.y))
        around = (AROUND * self.options.move_amount).astype(int)
        parts = []
        if self.options.obs_pathing_grid:
            parts.append(xp.stack([self._cells(x + right, y + up, terrain.open, 1.0) for right, up in around], 1))
        if self.options.obs_terrain_height:
            places = [*around, (0, 0)]
            parts.append(xp.stack([self._cells(x + right, y + up, terrain.height, 1.0) for right, up in places], 1))
        return parts

    def _others(
        self, seen: Seen, part: slice, first: jax.Array, codes: np.ndarray, health: bool, shields: bool
    ) -> jax.Array:
        """[A, J * F, B]: what each agent sees of one side; zeros of whom it does not see. `first` [A, J, B] leads."""
        xp = array_module(seen.x)
        split, sight = self.roster.num_allies, self.options.sight_range
        dx, dy = (each[None, part] - each[:split, None] for each in (seen.x, seen.y))
        distance = xp.sqrt(dx * dx + dy * dy)
        visible = (distance < sight) & (seen.health[None, part] > 0.0)
        features = [first, distance / sight, dx / sight, dy / sight]
        if health:
            features += [xp.broadcast_to(each, visible.shape) for each in self._health(seen, part, shields)]
        features += [xp.broadcast_to(code[:, None], visible.shape) for code in codes.T]
        mine = slice(None, split) == part
        if mine and self.options.obs_last_action:
            done = self._last_actions(seen)  # [A, K, B]
            features += [xp.broadcast_to(done[:, n], visible.shape) for n in range(self.num_actions)]
        table = xp.where(visible[:, :, None], xp.stack(features, 2), 0.0)
        return table.reshape(split, -1, table.shape[-1])

    def _health(self, seen: Seen, part: slice, shields: bool) -> list[jax.Array]:
        """[J, B] health and, where the side has them, shields, as shares."""
        found = [seen.health[part] / self._full_health[part]]
        return [*found, seen.shield[part] / self._shield_scale[part]] if shields else found

    def _last_actions(self, seen: Seen) -> jax.Array:
        """[A, K, B] float32: one-hot codes of what each agent did last; zeros before the first step."""
        return (seen.last_action[:, None] == np.arange(self.num_actions)[:, None]).astype(np.float32)

    def _constant(self, table: np.ndarray, seen: Seen) -> jax.Array:
        return array_module(seen.x).broadcast_to(table[..., None], (*table.shape, seen.x.shape[-1]))

    def state(self, seen: Seen, observations: jax.Array) -> jax.Array:
        """[S, B] float32: the global state; with `obs_instead_of_state` the `observations` [A, O, B] one by one."""
        if self.options.obs_instead_of_state:
            return observations.reshape(-1, observations.shape[-1])
        xp = array_module(seen.x)
        split = self.roster.num_allies
        (width, height), (wide, high) = self.terrain.size, self.terrain.extent
        x, y = (seen.x - width / 2) / wide, (seen.y - height / 2) / high
        cooldown = xp.where(self._ally_healers, seen.energy[:split], seen.cooldown[:split])
        cooldown = cooldown / self._cooldown_scale
        sides = []
        for part, shields, codes, more in (
            (slice(None, split), self.ally_shields, self._ally_codes, [cooldown]),
            (slice(split, None), self.enemy_shields, self._enemy_codes, []),
        ):
            health, *shield = self._health(seen, part, shields)
            table = xp.stack([health, *more, x[part], y[part], *shield], 1)
            table = xp.concatenate([table, self._constant(codes, seen)], 1)
            table = xp.where(seen.health[part][:, None] > 0.0, table, 0.0)
            sides.append(table.reshape(-1, table.shape[-1]))
        if self.options.state_last_action:
            sides.append(self._last_actions(seen).reshape(-1, seen.x.shape[-1]))
        if self.options.state_timestep_number:
            sides.append((seen.step_count / self.roster.scenario.limit)[None].astype(np.float32))
        return xp.concatenate(sides)

    def outcome(self, seen: Seen) -> Outcome:
        """Who has won, in SMAC's order: with healers alone a side has lost, where the scenario says so."""
        xp = array_module(seen.x)
        split, rule = self.roster.num_allies, self.roster.scenario.medics_alone
        alive = seen.health > 0.0
        allies, enemies = (xp.sum(each, 0, dtype=np.int32) for each in (alive[:split], alive[split:]))
        fighters = xp.any(alive[split:] & ~self._enemy_healers, 0)
        unfit = (enemies > 0) & ~fighters if rule != "fight" else xp.zeros(allies.shape, bool)
        lost = (allies == 0) & (enemies > 0)
        if rule == "lose":
            lost |= ~xp.any(alive[:split] & ~self._ally_healers, 0)
        if rule == "win":
            lost = (allies == 0) & ~unfit
        won = (((allies > 0) & (enemies == 0)) | unfit) & ~lost
        over = won | lost | ((allies == 0) & (enemies == 0))
        return Outcome(won, lost, over, split - allies, self.roster.num_enemies - enemies)

    def reward(self, before: Seen, now: Seen, outcome: Outcome) -> jax.Array:
        """[B] float32: what a step pays, scaled so that a win without any healing pays `reward_scale_rate` in all."""
        xp = array_module(now.x)
        options, split = self.options, self.roster.num_allies
        scale = self.max_reward / options.reward_scale_rate if options.reward_scale else 1.0
        if options.reward_sparse:
            return (outcome.won.astype(np.float32) - outcome.lost) / scale
        was_alive, alive = before.health > 0.0, now.health > 0.0
        lost = xp.where(was_alive, before.health + before.shield - xp.where(alive, now.health + now.shield, 0.0), 0.0)
        died = (was_alive & ~alive).astype(np.float32) * options.reward_death_value
        paid = xp.sum((lost + died)[split:], 0)
        if not options.reward_only_positive:
            paid -= options.reward_negative_scale * xp.sum((lost + died)[:split], 0)
        else:
            paid = xp.abs(paid) if options.reward_abs else xp.maximum(paid, 0.0)
        paid += xp.where(outcome.won, options.reward_win, xp.where(outcome.lost, options.reward_defeat, 0.0))
        return paid / scale

    def feature_names(self) -> tuple[str, ...]:
        """[O] what each entry of an agent's observation is. Allies are counted without the agent itself."""
        options = self.options
        names = [f"can move {way}" for way in MOVE_NAMES]
        if options.obs_pathing_grid:
            names += [f"cell {right:+d} {up:+d} can be walked on" for right, up in AROUND]
        if options.obs_terrain_height:
            names += [f"cell {right:+d} {up:+d} height" for right, up in [*AROUND, (0, 0)]]
        enemy = ["can be attacked", "distance", "x", "y"]
        enemy += _health_names(options.obs_enemy_health, self.enemy_shields) + self._code_names(self.roster.enemy_types)
        names += [f"enemy {j} {name}" for j in range(self.roster.num_enemies) for name in enemy]
        ally = ["visible", "distance", "x", "y"]
        ally += _health_names(options.obs_all_health, self.ally_shields) + self._code_names(self.roster.ally_types)
        ally += [f"did {name}" for name in self.action_names()] if options.obs_last_action else []
        names += [f"ally {j} {name}" for j in range(self.roster.num_allies - 1) for name in ally]
        own = _health_names(options.obs_own_health, self.ally_shields) + (["x", "y"] if options.obs_own_pos else [])
        own += self._code_names(self.roster.ally_types)
        return (*names, *(f"own {name}" for name in own), *(["time"] if options.obs_timestep_number else []))

    def state_names(self) -> tuple[str, ...]:
        """[S] what each entry of the global state is."""
        allies, enemies = range(self.roster.num_allies), range(self.roster.num_enemies)
        if self.options.obs_instead_of_state:
            return tuple(f"agent {i}: {name}" for i in allies for name in self.feature_names())
        shield = (["shield"] if self.ally_shields else [], ["shield"] if self.enemy_shields else [])
        ally = ["health", "cooldown or energy", "x", "y", *shield[0], *self._code_names(self.roster.ally_types)]
        enemy = ["health", "x", "y", *shield[1], *self._code_names(self.roster.enemy_types)]
        names = [f"agent {i} {name}" for i in allies for name in ally]
        names += [f"enemy {j} {name}" for j in enemies for name in enemy]
        if self.options.state_last_action:
            names += [f"agent {i} did {name}" for i in allies for name in self.action_names()]
        return (*names, *(["time"] if self.options.state_timestep_number else []))

    def action_names(self) -> tuple[str, ...]:
        """[K] a short word an action; a healer's targets are allies."""
        deed = "attack/heal" if self.roster.ally.healers else "attack"
        return ("nothing", "stop", *MOVE_NAMES, *(f"{deed} {k}" for k in range(self.num_actions - FIRST_TARGET)))

    def _code_names(self, types: tuple[str, ...]) -> list[str]:
        codes = self.roster.num_codes
        return [f"is {name}" for name in (*types, *["nothing"] * (codes - len(types)))][:codes]


def array_module(array: Any) -> Any:
    """`numpy` for its arrays, `jax.numpy` for those of JAX."""
    if isinstance(array, np.ndarray):
        return np
    import jax.numpy  # which is there already where such an array is

    return jax.numpy


def _health_names(shown: bool, shields: bool) -> list[str]:
    return ["health", *(["shield"] if shields else [])] if shown else []


def _distance2(seen: Seen, split: int, part: slice) -> jax.Array:
    """[A, J, B] squared distances from agents to the units of a part."""
    dx, dy = (each[None, part] - each[:split, None] for each in (seen.x, seen.y))
    return dx * dx + dy * dy


def _without_self(table: jax.Array, count: int) -> jax.Array:
    """[A, (A - 1) * F, B] from [A, A * F, B]: each row without the entry about itself."""
    rest = table.reshape(count * count, -1, table.shape[-1])[1:]  # the entries left out now come last of each A + 1
    size = rest.shape[1]
    rest = rest.reshape(count - 1, count + 1, size, -1)[:, :-1] if count > 1 else rest
    nobody = array_module(table).zeros((1, 0, table.shape[-1]), table.dtype)
    return rest.reshape(count, (count - 1) * size, -1) if count > 1 else nobody
