"""`sc2:`, our own client: StarCraft II's units through the same views as the battles in JAX."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import numpy as np

from marlcomm.bridge.simulator import Observed, Outcome, SimulatorFault, SimulatorSpec
from marlcomm.bridge.starcraft import protocol
from marlcomm.bridge.starcraft.connection import in_words, websockets_client
from marlcomm.bridge.starcraft.game import Game
from marlcomm.bridge.starcraft.installation import Installation
from marlcomm.bridge.starcraft.lineup import FIELDS, Lineup
from marlcomm.bridge.starcraft.map_files import MAP_FILES, scenario_name
from marlcomm.bridge.starcraft.process import GameProcess
from marlcomm.envs.combat.roster import Roster, Side
from marlcomm.envs.combat.scenarios import SCENARIOS
from marlcomm.envs.combat.types import FIRST_MOVE, FIRST_TARGET, MOVES, Seen
from marlcomm.envs.combat.views import Views, view_options
from marlcomm.validation import as_type, check_above_zero, check_choice, check_count, check_flag

MOST_LOOPS = 400_000  # of one game, after which it is started anew: the game itself ends some time after 500,000


class StarCraft:
    """A map of SMAC or NDQ in StarCraft II itself.

    Actions, masks, observations, states and rewards are those of `marlcomm.envs.Combat`, made by the same code. Full
    health and shields, and the ground, are the game's own; where its numbers differ from ours, rewards are scaled by
    its.
    """

    def __init__(
        self,
        map_name: str,
        *,
        settings: str | None = None,
        step_mul: int = 8,
        enemy_order: str = "spawned",
        continuing_episode: bool = True,
        difficulty: str = "7",
        sc2_path: str | None = None,
        game_version: str | None = None,
        seconds: float = 30.0,
        launch_seconds: float = 120.0,
        **options: Any,
    ) -> None:
        """Looks up the map and the game, and starts nothing yet.

        Args:
          map_name: a battle, such as "1o2r_vs_4r", or the name of its map's file.
          settings, step_mul, enemy_order: as of `marlcomm.envs.Combat`.
          continuing_episode: whether the time limit cuts an episode; False ends it there, as PyMARL has it.
          difficulty: of the computer's player, "1" to "9" or "A"; it does not matter on these maps.
          sc2_path: the game's folder; by default what the environment variable SC2PATH says.
          game_version: such as "4.6.2" or "75689"; by default the newest that there is.
          seconds: that the game has for an answer.
          launch_seconds: that it has to start, and again to load a map; the bridge's `reset_seconds` is for both.
          **options: of `marlcomm.envs.ViewOptions`, such as sight_range=9.

        Raises:
          UsageError: an option is wrong, or the game or the map is missing; the message says what to do.
          MissingPackage: one is missing.
        """
        for needed in (protocol.messages, websockets_client):
            needed()
        scenario = SCENARIOS[scenario_name(map_name)]
        name = self._name = scenario.name
        _, self._options = view_options(scenario, settings, options)
        self._views = Views(Roster(scenario), self._options)
        self._step_mul = check_count(f"{name}: step_mul", step_mul)
        self._sort_enemies = check_choice(f"{name}: enemy_order", enemy_order, ("spawned", "sorted")) == "sorted"
        self._continuing = check_flag(f"{name}: continuing_episode", continuing_episode)
        self._difficulty = check_choice(f"{name}: difficulty", str(difficulty), tuple(protocol.DIFFICULTIES))
        self._seconds = check_above_zero(f"{name}: seconds", seconds)
        self._launch_seconds = check_above_zero(f"{name}: launch_seconds", launch_seconds)
        self._installation = Installation(sc2_path and as_type(f"{name}: sc2_path", sc2_path, str))
        self._version = self._installation.version(game_version and as_type(f"{name}: game_version", game_version, str))
        self._map_file = self._installation.map_file(name)
        self._process: GameProcess | None = None
        self._game: Game | None = None
        self._most: np.ndarray | None = None
        self._won = False

    @property
    def spec(self) -> SimulatorSpec:
        """Sizes of the battle."""
        views = self._views
        return SimulatorSpec(
            num_agents=views.roster.num_allies,
            num_actions=views.num_actions,
            observation_size=views.observation_size,
            state_size=views.state_size,
            horizon=views.roster.scenario.limit,
            reports_won=True,
            action_names=views.action_names(),
        )

    @property
    def version(self) -> str:
        """What the game calls its version; nothing before the first reset."""
        return in_words(self._game.version) if self._game else ""

    def reset(self, seed: int) -> Observed:
        """Starts an episode. The game takes `seed` when it is created, and plays on from there in later episodes."""
        roster = self._views.roster
        if self._game is None or self._game.loop > MOST_LOOPS:
            self._start(seed)
            anew = False
        else:
            anew = True
        assert self._game is not None
        self._game.begin(roster.num_allies, roster.num_enemies, anew)
        self._lineup = Lineup(roster, self._game.units, self._game.names, self._sort_enemies)
        self._check_strength(self._lineup.most)
        self._last_action: Any = np.full((roster.num_allies, 1), -1, np.int32)
        self._steps, self._won = 0, False
        self._seen = self._read()
        return self._observed()

    def step(self, actions: np.ndarray) -> Outcome:
        """Plays `step_mul` game loops."""
        assert self._game is not None
        before = self._seen
        self._last_action = np.array(actions, np.int32)[:, None]
        self._game.play(self._orders(actions), self._step_mul)
        self._steps += 1
        self._seen = self._read()
        views = self._views
        stands = views.outcome(self._seen)
        reward = float(views.reward(before, self._seen, stands)[0])
        over, late = bool(stands.over[0]), self._steps >= views.roster.scenario.limit
        self._won |= bool(stands.won[0])
        return Outcome(
            self._observed(),
            reward,
            terminated=over or (late and not self._continuing),
            truncated=late,
            won=self._won,
        )

    def close(self) -> None:
        """Ends the game."""
        if self._process is not None:
            self._process.close()
        self._process = self._game = None

    def _start(self, seed: int) -> None:
        """Launches the game, after whatever ran before, and loads the map."""
        self.close()
        self._process = GameProcess(self._installation, self._version, self._launch_seconds)
        game = Game(self._process.connection, self._seconds)
        file = MAP_FILES[self._name]
        game.create(self._map_file, (file.allies, file.enemies), self._difficulty, seed, self._launch_seconds)
        self._game = game
        self._views = Views(self._views.roster, self._options, game.terrain)

    def _check_strength(self, most: np.ndarray) -> None:
        """Takes full health and shields [U, 2] from the game, which knows best, and never lets them change again."""
        if self._most is None:
            self._most = most
            roster = self._views.roster
            if not np.array_equal(most, np.concatenate([roster.of("health"), roster.of("shield")], 1)):
                self._views = Views(_as_strong(roster, most), self._options, self._views.terrain)
        elif not np.array_equal(most, self._most):
            raise SimulatorFault("reward scale", "full health or shields of units are not what they were")

    def _read(self) -> Seen:
        assert self._game is not None
        values = self._lineup.read(self._game.units)
        now: Any = np.array([self._steps], np.int32)
        return Seen(*(values[name] for name in FIELDS), last_action=self._last_action, step_count=now)

    def _observed(self) -> Observed:
        views, seen = self._views, self._seen
        mask = views.action_mask(seen)
        view = views.observations(seen, mask)
        state = views.state(seen, view)
        alive = seen.health[: views.roster.num_allies] > 0.0
        return Observed(*(np.asarray(each[..., 0]) for each in (view, state, mask, alive)))

    def _orders(self, actions: np.ndarray) -> list[tuple[int, int, Any]]:
        """What the game is told: nothing of those that do nothing."""
        roster, tags = self._views.roster, self._lineup.tags
        x, y = self._seen.x, self._seen.y
        orders: list[tuple[int, int, Any]] = []
        for agent, action in enumerate(actions.tolist()):
            if action >= FIRST_TARGET:
                heals = agent in roster.ally.healers
                target = action - FIRST_TARGET + (0 if heals else roster.num_allies)
                orders.append((tags[agent], protocol.HEAL if heals else protocol.ATTACK, tags[target]))
            elif action >= FIRST_MOVE:
                east, north = MOVES[action - FIRST_MOVE] * self._options.move_amount
                place = (float(x[agent, 0] + east), float(y[agent, 0] + north))
                orders.append((tags[agent], protocol.MOVE, place))
            elif action == 1:
                orders.append((tags[agent], protocol.STOP, None))
        return orders


def _as_strong(roster: Roster, most: np.ndarray) -> Roster:
    """The roster with the game's own numbers of full health and shields [U, 2], which may differ between the sides."""
    scales = [unit.shield_scale or unit.shield or None for unit in roster.units]
    strong, split = copy.copy(roster), roster.num_allies
    strong.units = tuple(
        dataclasses.replace(unit, health=health, shield=shield, shield_scale=scale)
        for unit, (health, shield), scale in zip(roster.units, most.tolist(), scales, strict=True)
    )
    allies, enemies = strong.units[:split], strong.units[split:]
    strong.ally, strong.enemy = Side(allies, enemies), Side(enemies, allies)
    return strong
