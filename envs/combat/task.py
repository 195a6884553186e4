"""The battle as a task: the only room that knows the interface of environments."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import chex
import jax
import jax.numpy as jnp
import numpy as np

from marlcomm.envs.api import Environment
from marlcomm.envs.combat import battle, drawing
from marlcomm.envs.combat.copies import with_copies_last
from marlcomm.envs.combat.roster import Roster
from marlcomm.envs.combat.types import LOOPS_PER_SECOND, CombatState, Orders, Scenario, Seen, Units
from marlcomm.envs.combat.views import ViewOptions, Views, view_options
from marlcomm.envs.options import check_choice, check_count, check_flag
from marlcomm.envs.steps import Observation, TimeStep, restart, timestep

FLAGS = ("can ", " visible", " is ", " did ")  # in the names of features that are 0 or 1
MOST_LOOPS = 1000  # in a step
BLOCK = 64  # copies that a processor plays together
# found with NDQ on 1o2r_vs_4r; with targets copied at every 13th update values run away (experiments/RESULTS.md)
OFTEN = {
    "num_envs": 32,
    "updates_per_step": 40,
    "batch_episodes": 8,
    "target_interval": 0,
    "exploration_steps": 50_000,
}
FEW_AGENTS = 4  # of more, what follows costs too much, as pairs of agents count
# with messages of two dimensions two places often share one (experiments/RESULTS.md)
LONG_MESSAGES = {"channel.dims": 10}
# agents that do not see where they are can only tell what they remember of it (the same, 3b_vs_1h1m)
REMEMBERED = {"channel.reads_memory": True}


class Combat(Environment[CombatState]):
    """Micromanagement of StarCraft II units against enemies that play by rule: SMAC's and NDQ's maps, in JAX.

    Each agent commands one unit; `register_scenario` makes a task of a battle. Actions, masks, observations, states,
    rewards and endings are those of SMAC's wrapper (Samvelyan et al., 2019), whose arguments are the options here;
    `feature_names()` and `state_names()` say what each entry is. What plays is a model of the game, not the game:
    units turn and speed up at once, shots do not travel, who would walk into a wall slides along it, and enemies
    follow the rules of `opponents`. Difficulty has no meaning here.

    Actions (A = 6 + enemies): nothing (the dead, and only they), stop, move north, south, east, west, then one a
    target: an enemy to attack, for healers an ally to heal.
    Extras: `won`, [] bool; `dead_allies` and `dead_enemies`, [] int32.
    """

    scenario: ClassVar[Scenario]
    default_steps = 2_000_000

    def __init__(
        self,
        settings: Literal["smac", "ndq"] | None = None,
        sight_range: float | None = None,
        shoot_range: float | None = None,
        step_mul: int = 8,
        move_amount: float = 2.0,
        enemy_order: Literal["spawned", "sorted"] = "spawned",
        continuing_episode: bool = False,
        jitter: bool = True,
        obs_all_health: bool | None = None,
        obs_own_health: bool = True,
        obs_enemy_health: bool | None = None,
        obs_own_pos: bool = False,
        obs_last_action: bool = False,
        obs_pathing_grid: bool = False,
        obs_terrain_height: bool = False,
        obs_timestep_number: bool = False,
        obs_instead_of_state: bool = False,
        state_last_action: bool = True,
        state_timestep_number: bool = False,
        reward_sparse: bool = False,
        reward_only_positive: bool = True,
        reward_abs: bool = False,
        reward_death_value: float = 10.0,
        reward_win: float = 200.0,
        reward_defeat: float = 0.0,
        reward_negative_scale: float = 0.5,
        reward_scale: bool = True,
        reward_scale_rate: float = 20.0,
    ) -> None:
        """Makes the task. What is not described has SMAC's name and meaning.

        Args:
          settings: what an agent sees where the next arguments and those of health do not say: "smac" sees 9 cells
            far, shoots 6, and sees everybody's health; "ndq" sees 2 cells far, shoots 6, and sees nobody's health
            but its own. By default what the scenario says. NDQ's authors publish the shooting range, 2, of
            `3b_vs_1h1m` alone, which has it.
          sight_range: cells from center to center, above 0.
          shoot_range: cells from center to center at which an attack may be ordered, above 0.
          step_mul: game loops a step; 16 make a second of the game.
          move_amount: cells to the point to which a move goes; it is given anew each step.
          enemy_order: "spawned" numbers enemies as they were made; "sorted" those of a kind from left to right.
          continuing_episode: whether the time limit cuts the episode (discount 1) in place of ending it.
          jitter: whether periods of attacks vary, as they do in the game.
          obs_all_health: whether agents see the health of allies and, where `obs_enemy_health` is None, of enemies.
          obs_own_health: whether an agent sees its own health; `obs_all_health` implies it.
          obs_enemy_health: whether agents see the health of enemies.
          obs_own_pos: whether an agent sees where on the map it is, as SMACv2 has it. On `1o2r_vs_4r` and `1o10b_vs_1r`
            the overlord's first view is else the same in all four corners: it must fly to an edge to know its own.
          obs_last_action: whether they see what allies in sight did last.
          obs_pathing_grid: whether they see where around them units can walk.
          obs_terrain_height: whether they see how high the ground around them is.
          obs_timestep_number: whether they see the time.
          obs_instead_of_state: whether the state is all observations in a row.
          state_last_action: whether the state holds last actions.
          state_timestep_number: whether it holds the time.
          reward_sparse: pays 1 for a win and -1 for a defeat, before scaling, and nothing else.
          reward_only_positive: whether damage to agents is left out.
          reward_abs: takes the size of a step's damage with its sign lost, as released: what enemies heal then pays.
          reward_death_value: pays a killed enemy.
          reward_win: pays a win.
          reward_defeat: pays a defeat, not above 0.
          reward_negative_scale: weight of damage to agents.
          reward_scale: whether a perfect win pays `reward_scale_rate` in all.
          reward_scale_rate: above 0.

        Raises:
          ValueError: an option is out of its range, or the scenario cannot be.
        """
        name = self.scenario.name
        options = {each.name for each in dataclasses.fields(ViewOptions)}
        given = {key: value for key, value in locals().items() if key in options}
        self.roster = self._tables()
        self.step_mul = check_count(name, "step_mul", step_mul, at_most=MOST_LOOPS)
        self.enemy_order = check_choice(name, "enemy_order", enemy_order, ("spawned", "sorted"))
        self.continuing_episode = check_flag(name, "continuing_episode", continuing_episode)
        self.jitter = check_flag(name, "jitter", jitter)
        self.settings, self.options = view_options(self.scenario, settings, given)
        for option, value in dataclasses.asdict(self.options).items():
            setattr(self, option, value)
        self.views = Views(self.roster, self.options)
        self.num_agents = self.roster.num_allies
        self.num_actions = self.views.num_actions
        self.observation_size, self.state_size = self.views.observation_size, self.views.state_size
        self.view_dtype = [_kept_as(feature) for feature in self.views.feature_names()]
        self.state_dtype = [_kept_as(feature) for feature in self.views.state_names()]
        self.horizon = self.scenario.limit
        self.action_names = self.views.action_names()
        self._look = with_copies_last(self._seen_by_all, BLOCK)
        self._advance = with_copies_last(self._played, BLOCK)
        super().__init__()

    @property
    def training_settings(self) -> Mapping[str, Mapping[str, Any]]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """More updates for an episode than elsewhere; of few agents, longer messages, and of what they remember."""
        if self.num_agents > FEW_AGENTS:
            return {"value": OFTEN}
        remembered = {} if self.views.options.obs_own_pos else {"value+gaussian": REMEMBERED}
        return {"value": OFTEN, "gaussian": LONG_MESSAGES, **remembered}

    @classmethod
    @functools.cache
    def _tables(cls) -> Roster:
        """Of the scenario: they do not depend on options."""
        return Roster(cls.scenario)

    def reset(self, key: chex.PRNGKey) -> tuple[CombatState, TimeStep[Observation]]:
        """Places all units. `key` decides where, if the scenario leaves that open, and how periods vary."""
        place, vary = jax.random.split(key)
        units, orders = battle.start(self.roster, place, self.enemy_order == "sorted")
        nothing = jnp.full(self.num_agents, -1, jnp.int32)
        state = CombatState(units, orders, nothing, jnp.zeros((), jnp.int32), vary)
        seen, _ = self._look(units, nothing, state.step_count)
        extras = {
            "won": jnp.zeros((), bool),
            **dict.fromkeys(("dead_allies", "dead_enemies"), jnp.zeros((), jnp.int32)),
        }
        return state, restart(self._observation(seen, state), extras)

    def step(self, state: CombatState, action: jax.Array) -> tuple[CombatState, TimeStep[Observation]]:
        """Plays `step_mul` game loops with `action` [N] int32; what the mask forbids is done as far as it can be."""
        bits = battle.jitter_bits(self.roster, state.key, state.step_count)
        (units, orders), (seen, outcome), reward = self._advance(
            state.units, state.orders, action, state.step_count, bits
        )
        state = CombatState(units, orders, action.astype(jnp.int32), state.step_count + 1, state.key)
        late = state.step_count >= self.horizon
        extras = {"won": outcome.won, "dead_allies": outcome.dead_allies, "dead_enemies": outcome.dead_enemies}
        return state, timestep(
            self._observation(seen, state),
            reward,
            terminal=outcome.over | (late & (not self.continuing_episode)),
            truncated=late,
            extras=extras,
        )

    def feature_names(self) -> tuple[str, ...]:
        """[O] what each entry of an agent's observation is."""
        return self.views.feature_names()

    def state_names(self) -> tuple[str, ...]:
        """[S] what each entry of the global state is."""
        return self.views.state_names()

    @property
    def max_reward(self) -> float:
        """What a perfect win pays before it is scaled."""
        return self.views.max_reward

    def draw(self, axes: Any, state: CombatState) -> None:
        """Draws the map, all units with health and shield, and who attacks or heals whom."""
        drawing.draw_battle(axes, self.roster, state, self.options.sight_range, self.options.shoot_range)

    def _observation(self, seen: tuple[jax.Array, ...], state: CombatState) -> Observation:
        view, mask, whole = seen
        return self.observe(view, whole, state.step_count, mask, state.units.health[: self.num_agents] > 0.0)

    def _seen_by_all(self, units: Units, last_action: jax.Array, step_count: jax.Array) -> Any:
        """Observations, masks and states, and how the battle stands; copies last in all arrays, as in `_played`."""
        seen = to_seen(units, last_action, step_count)
        mask = self.views.action_mask(seen)
        view = self.views.observations(seen, mask)
        return (view, mask, self.views.state(seen, view)), self.views.outcome(seen)

    def _played(
        self, units: Units, orders: Orders, action: jax.Array, step_count: jax.Array, bits: jax.Array
    ) -> tuple[tuple[Units, Orders], Any, jax.Array]:
        before = to_seen(units, action, step_count)
        jitter = battle.jitter_of(self.roster, bits) * float(self.jitter)
        units, orders = battle.ordered(self.roster, units, orders, action, self.options.move_amount)
        units = battle.play(self.roster, units, orders, jitter, self.step_mul)
        seen, outcome = self._seen_by_all(units, action, step_count + 1)
        reward = self.views.reward(before, to_seen(units, action, step_count + 1), outcome)
        return (units, orders), (seen, outcome), reward


def to_seen(units: Units, last_action: jax.Array, step_count: jax.Array) -> Seen:
    """What observations are made of, of units [U, B]; `last_action` [A, B], `step_count` [B]."""
    cooldown = units.cooldown * LOOPS_PER_SECOND
    return Seen(units.x, units.y, units.health, units.shield, units.energy, cooldown, last_action, step_count)


def _kept_as(feature: str) -> type:
    """The smallest type that holds a feature of this name exactly."""
    return bool if any(flag in feature for flag in FLAGS) else np.float32
