"""Traffic junction: cars that observe only their own position must not collide at crossings.

Sources: CommNet (Sukhbaatar et al., NeurIPS 2016), and IC3Net (Singh et al., ICLR 2019) with its released
`traffic_junction_env.py`, whose three levels, routes, constants and order of events these are. Two things differ: a
car that comes has gas as its last action (there, that of the car before it), and cells outside the map have a number of
their own (there, on the easy level, that of a road cell).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np

from marlcomm.envs.api import Environment
from marlcomm.envs.options import check_count, check_number
from marlcomm.envs.render import shapes
from marlcomm.envs.render.palette import COLLISION, INK, ROAD, agent_color
from marlcomm.envs.small.roads import Roads, crossing, two_way
from marlcomm.envs.steps import Observation, TimeStep, restart, timestep
from marlcomm.validation import nearest

GAS, BRAKE = 0, 1
COLLISION_REWARD = -10.0  # for each car that shares its cell, at each step
WAITING_REWARD = -0.01  # for each car and step, times the steps since it came
CURRICULUM = (0.125, 0.625)  # the arrival rate rises between these parts of a run (epochs 250 to 1250 of 2000)


class Level(NamedTuple):
    """What makes a level harder."""

    roads: Roads
    num_agents: int
    steps: int
    arrival_rates: tuple[float, float]  # at the curriculum's start and end


def _level(difficulty: str) -> Level:
    if difficulty == "easy":
        return Level(crossing(7), num_agents=5, steps=20, arrival_rates=(0.1, 0.3))
    if difficulty == "medium":
        return Level(two_way(14, lanes=(6,)), num_agents=10, steps=40, arrival_rates=(0.05, 0.2))
    if difficulty == "hard":
        return Level(two_way(18, lanes=(4, 12)), num_agents=20, steps=80, arrival_rates=(0.02, 0.05))
    raise ValueError(
        f"traffic_junction: no difficulty {difficulty!r}.{nearest(difficulty, ('easy', 'medium', 'hard'))}"
    )


class TrafficJunctionState(NamedTuple):
    """Where the cars are. A car that is not on the road waits to be sent from any entrance."""

    on_road: jax.Array  # [N] bool
    route: jax.Array  # [N] int32
    progress: jax.Array  # [N] int32: cells driven on the route
    waited: jax.Array  # [N] int32: steps since the car came
    last_action: jax.Array  # [N] int32, gas when the car comes
    collided: jax.Array  # [N] bool: shares its cell now
    failed: jax.Array  # [] bool: whether any cars have collided in this episode
    arrival_rate: jax.Array  # [] float32: probability of a new car at each entrance and step
    key: chex.PRNGKey  # decides who comes
    step_count: jax.Array  # [] int32


class TrafficJunction(Environment[TrafficJunctionState]):
    """Cars drive on fixed routes through junctions. Each chooses to go on or to brake, and hardly sees others.

    At each step cars with gas move one cell along their route; whoever drives beyond its end leaves the road. Then
    at each entrance in turn, with probability `arrival_rate` and if one of the N cars is off the road, such a car
    starts there, on one of the entrance's routes (even if the entrance is taken: then they collide). Cars in one
    cell collide, and drive on. Each car on the road gets -0.01 times the steps since it came, and -10 if it
    collides. An episode starts with empty roads and is won if nobody has collided after `steps` steps, its
    terminal end.

    ======  =====  =========================  ==================  ==  =====  ============
    level   grid   roads                      entrances x routes  N   steps  arrival rate
    ======  =====  =========================  ==================  ==  =====  ============
    easy    7x7    two one-way, 1 junction    2 x 1               5   20     0.1 to 0.3
    medium  14x14  two two-way, 1 junction    4 x 3               10  40     0.05 to 0.2
    hard    18x18  four two-way, 4 junctions  8 x 7               20  80     0.02 to 0.05
    ======  =====  =========================  ==================  ==  =====  ============

    The released curriculum lets the arrival rate rise from the first to the second number while training:
    `reset_at(key, progress)` does that, in a straight line between an eighth and five eighths of the run. `reset`
    is the full task.

    On the easy level a team that knows everything can win always; without ever braking it wins 0.2811 of the
    episodes (0.8441 at the rate of 0.1). Both are exact.

    View: last action, route / (R - 1), and for each cell of the square of (2 vision + 1)^2 around the car which
    road cell it is, one-hot, with one entry more for none, and how many cars are there. Cars that are not on the road
    are not `alive`: they see zeros, get nothing, and neither act, send nor receive. Actions (A = 2): gas, brake.

    Sizes: O = 2 + (2 vision + 1)^2 (C + 2) with C = 13, 52 or 128 road cells; S = 6N (on the road, row, column,
    route, last action, waiting time of each car, scaled to 0 .. 1). Horizon `steps`.
    Extras: `won`, at the last step; `collisions`, [] int32, cars that share a cell.
    """

    num_actions = 2
    action_names = ("gas", "brake")
    default_steps = 5_000_000
    # with one update for 16 episodes, everybody, the oracle too, still drove always after 1,560 updates
    training_settings: Mapping[str, Mapping[str, Any]] = {
        "value": {"num_envs": 8, "batch_episodes": 16, "updates_per_step": 4, "discount": 0.95},
        "on_policy": {"discount": 0.95},
    }

    def __init__(
        self,
        difficulty: str = "easy",
        vision: int = 0,
        num_agents: int | None = None,
        steps: int | None = None,
        arrival_rates: Sequence[float] | None = None,
    ) -> None:
        """Makes the task.

        Args:
          difficulty: "easy", "medium" or "hard".
          vision: cells that a car sees in each direction, next to its own.
          num_agents: N, the most cars on the road at a time; None takes the level's.
          steps: length of an episode; None takes the level's.
          arrival_rates: of a new car at each entrance and step, at the start and at the end of the curriculum, the
            first no greater than the second, both in 0 .. 1; None takes the level's.

        Raises:
          ValueError: an option is of the wrong type or out of its range.
        """
        level = _level(difficulty)
        self.roads = level.roads
        self.vision = check_count("traffic_junction", "vision", vision, at_least=0)
        chosen = level.num_agents if num_agents is None else num_agents
        self.num_agents = check_count("traffic_junction", "num_agents", chosen)
        self.horizon = check_count("traffic_junction", "steps", level.steps if steps is None else steps)
        self.arrival_rates = _check_rates(level.arrival_rates if arrival_rates is None else arrival_rates)
        count = int(self.roads.is_road.sum())
        number = np.where(
            self.roads.is_road, np.cumsum(self.roads.is_road).reshape(self.roads.is_road.shape) - 1, count
        )
        self._cell_number = np.pad(number, self.vision, constant_values=count)  # [G + 2 vision, G + 2 vision]
        self._cells = count
        self.observation_size = 2 + (2 * self.vision + 1) ** 2 * (count + 2)
        cell = [bool] * (count + 1) + [np.min_scalar_type(self.num_agents)]  # which it is, and how many cars are there
        self.view_dtype = [bool, np.float32, *cell * (2 * self.vision + 1) ** 2]
        self.state_size = 6 * self.num_agents
        super().__init__()

    def reset(self, key: chex.PRNGKey) -> tuple[TrafficJunctionState, TimeStep[Observation]]:
        """Empties the roads; cars come at the full rate."""
        return self.reset_at(key, 1.0)

    def reset_at(
        self, key: chex.PRNGKey, progress: jax.Array | float
    ) -> tuple[TrafficJunctionState, TimeStep[Observation]]:
        """Empties the roads; cars come as often as the curriculum says at this part of the run, 0 .. 1."""
        (low, high), (start, end) = self.arrival_rates, CURRICULUM
        risen = jnp.clip((progress - start) / (end - start), 0.0, 1.0)
        nothing = jnp.zeros((self.num_agents,), jnp.int32)
        nobody = jnp.zeros((self.num_agents,), bool)
        state = TrafficJunctionState(
            on_road=nobody,
            route=nothing,
            progress=nothing,
            waited=nothing,
            last_action=nothing,
            collided=nobody,
            failed=jnp.zeros((), bool),
            arrival_rate=jnp.asarray(low + (high - low) * risen, jnp.float32),
            key=key,
            step_count=jnp.zeros((), jnp.int32),
        )
        return state, restart(self.get_observation(state), self._extras(state))

    def step(
        self, state: TrafficJunctionState, action: jax.Array
    ) -> tuple[TrafficJunctionState, TimeStep[Observation]]:
        """Drives with `action` [N] int32, then lets new cars come. Each car has a reward of its own."""
        key, arrival_key = jax.random.split(state.key)
        state = self._arrive(self._drive(state, action), arrival_key)
        row, column = self._places(state)
        together = (row[:, None] == row) & (column[:, None] == column) & state.on_road[:, None] & state.on_road
        collided = jnp.sum(together, axis=1) > 1
        state = state._replace(
            collided=collided,
            failed=state.failed | jnp.any(collided),
            key=key,
            step_count=state.step_count + 1,
        )
        reward = jnp.where(state.on_road, WAITING_REWARD * state.waited + COLLISION_REWARD * collided, 0.0)
        over = state.step_count >= self.horizon
        return state, timestep(self.get_observation(state), reward, terminal=over, extras=self._extras(state))

    def _drive(self, state: TrafficJunctionState, action: jax.Array) -> TrafficJunctionState:
        """Moves the cars on the road, and takes those beyond the end of their route off it."""
        progress = state.progress + (state.on_road & (action == GAS))
        on_road = state.on_road & (progress < jnp.asarray(self.roads.path_length)[state.route])
        return state._replace(
            on_road=on_road,
            progress=progress,
            waited=jnp.where(on_road, state.waited + 1, 0),
            last_action=jnp.asarray(action, jnp.int32),
        )

    def _arrive(self, state: TrafficJunctionState, key: chex.PRNGKey) -> TrafficJunctionState:
        """Lets a car come at each entrance, one entrance after the other, while any car is off the road."""

        def arrive(
            state: TrafficJunctionState, turn: tuple[jax.Array, chex.PRNGKey]
        ) -> tuple[TrafficJunctionState, None]:
            routes, key = turn
            come_key, car_key, route_key = jax.random.split(key, 3)
            comes = jax.random.uniform(come_key) < state.arrival_rate
            lot = jnp.where(state.on_road, -1.0, jax.random.uniform(car_key, (self.num_agents,)))
            new = comes & ~state.on_road & (jnp.arange(self.num_agents) == jnp.argmax(lot))
            return state._replace(
                on_road=state.on_road | new,
                route=jnp.where(new, jax.random.choice(route_key, routes), state.route),
                progress=jnp.where(new, 0, state.progress),
                waited=jnp.where(new, 0, state.waited),
                last_action=jnp.where(new, GAS, state.last_action),
            ), None

        turns = (jnp.asarray(self.roads.routes), jax.random.split(key, len(self.roads.routes)))
        return jax.lax.scan(arrive, state, turns)[0]

    def _places(self, state: TrafficJunctionState) -> tuple[jax.Array, jax.Array]:
        """The row [N] and column [N] of each car; for one off the road, where it left."""
        last = jnp.asarray(self.roads.path_length)[state.route] - 1
        place = jnp.asarray(self.roads.path)[state.route, jnp.minimum(state.progress, last)]
        return place[:, 0], place[:, 1]

    def get_observation(self, state: TrafficJunctionState) -> Observation:
        """What every agent sees in `state`, and the global state."""
        row, column = self._places(state)
        route = state.route / max(len(self.roads.path) - 1, 1)
        number, width = jnp.asarray(self._cell_number), 2 * self.vision + 1
        cars = jnp.zeros(number.shape).at[row + self.vision, column + self.vision].add(state.on_road)
        rows, columns = (
            start[:, None] + offset.reshape(1, -1)
            for start, offset in zip((row, column), np.indices((width, width)), strict=True)
        )  # [N, width ** 2] each, in the padded map
        cells = jax.nn.one_hot(number[rows, columns], self._cells + 1)
        seen = jnp.concatenate([cells, cars[rows, columns][..., None]], axis=-1).reshape(self.num_agents, -1)
        view = jnp.concatenate([state.last_action[:, None], route[:, None], seen], axis=1)
        edge = len(self.roads.is_road) - 1
        car = [jnp.ones_like(route), row / edge, column / edge, route, state.last_action, state.waited / self.horizon]
        return self.observe(
            jnp.where(state.on_road[:, None], view, 0.0),
            jnp.where(state.on_road[:, None], jnp.stack(car, axis=1), 0.0).reshape(-1),
            state.step_count,
            alive=state.on_road,
        )

    def _extras(self, state: TrafficJunctionState) -> dict[str, jax.Array]:
        return {
            "won": (state.step_count >= self.horizon) & ~state.failed,
            "collisions": jnp.sum(state.collided, dtype=jnp.int32),
        }

    def draw(self, axes: Any, state: TrafficJunctionState) -> None:
        """Draws the roads, each car with the way before it, and collisions; cars off the road stand below."""
        size, spacing = len(self.roads.is_road), 0.9 * max(1.0, len(self.roads.is_road) / self.num_agents)
        for row, column in np.argwhere(self.roads.is_road).tolist():
            shapes.add_rectangle(axes, column - 0.5, -row - 0.5, 1, 1, facecolor=ROAD, edgecolor="white", lw=1)
        look = {"radius": 0.4, "fontsize": float(np.clip(90 / size, 6, 10))}
        on_road, route, progress = (np.asarray(x) for x in (state.on_road, state.route, state.progress))
        parked = np.flatnonzero(~on_road).tolist()
        if parked:
            axes.text(-0.5, -size + 0.05, "off the road", va="center", color=INK, fontsize=8)
        for place, agent in enumerate(parked):
            shapes.draw_agent(axes, place * spacing, -size - 0.75, agent, **look)
        sharing: dict[tuple[int, int], list[int]] = {}  # cell -> the cars on it
        for agent in np.flatnonzero(on_road).tolist():
            way = self.roads.path[route[agent], progress[agent] : self.roads.path_length[route[agent]]]
            axes.plot(
                way[:, 1], -way[:, 0], color=agent_color(agent), lw=2.5, alpha=0.5, zorder=2, solid_capstyle="round"
            )
            sharing.setdefault((int(way[0, 0]), int(way[0, 1])), []).append(agent)
        for (row, column), agents in sharing.items():
            for place, agent in enumerate(agents):
                x = column + 0.7 * (place - (len(agents) - 1) / 2)
                if state.collided[agent]:
                    shapes.add_circle(axes, x, -row, 0.56, facecolor=COLLISION, edgecolor="none", zorder=4)
                shapes.draw_agent(axes, x, -row, agent, **look)
        shapes.clear(axes, (-0.8, max(size, self.num_agents * spacing) - 0.2), (-size - 1.3, 0.8))


def _check_rates(rates: Any) -> tuple[float, float]:
    pair = tuple(rates) if isinstance(rates, Sequence) and not isinstance(rates, str) else ()
    if len(pair) == 2:
        low, high = (check_number("traffic_junction", f"arrival_rates[{i}]", rate) for i, rate in enumerate(pair))
        if 0 <= low <= high <= 1:
            return low, high
    raise ValueError(
        f"traffic_junction: arrival_rates={rates!r} must be two probabilities, the lower first, such as (0.1, 0.3)."
    )
