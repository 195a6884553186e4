"""Predator-prey: predators are paid for touching prey, which run at random or away, around obstacles.

Source: RGMComm (Chen et al., AAAI 2024) as released (`simple_tag_3` and its like), which changes `simple_tag` of
OpenAI's particle environments: shaped team reward, random prey, and a view without the other predators.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np

from marlcomm.envs.options import check_above_zero, check_choice, check_count, check_flag, check_number
from marlcomm.envs.particle import drawing, views
from marlcomm.envs.particle.controls import Controls
from marlcomm.envs.particle.physics import TINY, Integration, distance
from marlcomm.envs.particle.task import Group, ParticleTask, check_neighbors, flat, seen_of
from marlcomm.envs.steps import Observation, TimeStep, restart

PREDATOR_RADIUS, PREY_RADIUS, OBSTACLE_RADIUS = 0.075, 0.05, 0.2
CONTACT_REWARD, DISTANCE_COST = 10.0, 0.1

PreyBehavior = Literal["random", "flee"]


class PredatorPreyState(NamedTuple):
    """Bodies in the order predators, prey, obstacles: E = N + K + L, and the first N + K move."""

    position: jax.Array  # [E, 2] float32
    velocity: jax.Array  # [N + K, 2] float32
    key: chex.PRNGKey  # decides how random prey move; the same throughout an episode
    step_count: jax.Array  # [] int32


class PredatorPrey(ParticleTask[PredatorPreyState]):
    """Predator-prey on a plane: N cooperating predators chase K slightly faster prey among L round obstacles.

    There are no walls.

    All predators get the same reward, on the positions after the move:
    -0.1 * sum over predators of the distance to the nearest prey (if `shaped`) + 10 for each predator and prey
    that touch.

    A predator sees, in this order: its velocity, its position, the obstacles, the other predators and the prey
    (all relative to itself), and the prey's velocities. As released, agents see all but the other predators,
    so **messages are hardly needed**: a controller without any gets 851, 1145 and 1606 a 100-step episode for
    N = 2, 3 and 6 (`controls="pairs"`; `scripted.chase_on_ring`). What makes them matter: `view_radius`,
    `num_blind`, `num_prey_neighbors`, more prey, fleeing prey. Who is quite blind gains little from a few labels, as
    touching takes more than a quarter of the square; who sees as far as `blind_radius` can be called near.

    Sizes: O = 4 + 2 L' + 2 N' + 4 K', where L', N', K' are how many obstacles, other predators and prey are seen;
    S = 4 (N + K) + 2 L: all positions, then velocities. Horizon `steps`, a truncation.
    Extras: `contacts`, [] int32, pairs of a predator and a prey that touch.
    """

    def __init__(
        self,
        num_predators: int = 3,
        num_prey: int = 1,
        num_obstacles: int = 2,
        prey: PreyBehavior = "random",
        prey_speed: float = 1.0,
        shaped: bool = True,
        num_predator_neighbors: int | None = 0,
        num_prey_neighbors: int | None = None,
        num_landmark_neighbors: int | None = None,
        view_radius: float | None = None,
        num_blind: int = 0,
        blind_radius: float = 0.0,
        steps: int = 100,
        controls: Controls = "discrete",
        integration: Integration = "openai",
    ) -> None:
        """Makes the task.

        Args:
          num_predators: N, the agents; 2, 3 and 6 in the paper.
          num_prey: K.
          num_obstacles: L, may be 0.
          prey: "random" pushes uniformly within -1 .. 1 along each axis at each step; "flee" pushes as hard as it
            can away from predators, near ones above all, and back from the edge of the square -1 .. 1.
          prey_speed: times their top speed of 1.3 and their force of 4, where predators have 1 and 3; above 0. At 1,
            fleeing prey are hard to catch.
          shaped: whether distance costs.
          num_predator_neighbors: other predators that one sees, nearest first; None shows all, in order.
          num_prey_neighbors: the same for prey.
          num_landmark_neighbors: the same for obstacles.
          view_radius: anything farther from a predator is not seen by it; None sees any distance.
          num_blind: so many of the predators, the first ones, see no farther than `blind_radius`.
          blind_radius: how far they see, at least 0, where they see only their own velocity and position.
          steps: T, after which the episode is cut; 100 in the released code.
          controls: "discrete" (A = 5), "force" (A = 2) or "pairs" (A = 5, as released); see `controls`.
          integration: "openai" (as released) or "farama" (MPE2, JaxMARL); returns differ greatly.

        Raises:
          ValueError: an option is out of its range.
        """
        name = "predator_prey"
        self.num_agents = check_count(name, "num_predators", num_predators)
        self.num_prey = check_count(name, "num_prey", num_prey)
        self.num_obstacles = check_count(name, "num_obstacles", num_obstacles, at_least=0)
        self.prey: PreyBehavior = check_choice(name, "prey", prey, ("random", "flee"))
        self.prey_speed = check_above_zero(name, "prey_speed", prey_speed)
        self.shaped = check_flag(name, "shaped", shaped)
        self.num_predator_neighbors = check_neighbors(name, "num_predator_neighbors", num_predator_neighbors)
        self.num_prey_neighbors = check_neighbors(name, "num_prey_neighbors", num_prey_neighbors)
        self.num_landmark_neighbors = check_neighbors(name, "num_landmark_neighbors", num_landmark_neighbors)
        self.view_radius = np.inf if view_radius is None else check_above_zero(name, "view_radius", view_radius)
        self.num_blind = check_count(name, "num_blind", num_blind, at_least=0)
        self.sight = self._sight(check_number(name, "blind_radius", blind_radius, at_least=0.0))
        self.observation_size = self._view_size()
        self.state_size = 4 * (self.num_agents + self.num_prey) + 2 * self.num_obstacles
        super().__init__(name, self._groups(), integration=integration, controls=controls, steps=steps)

    def _groups(self) -> list[Group]:
        """Predators, prey and obstacles, in this order."""
        return [
            Group(self.num_agents, PREDATOR_RADIUS, force=3.0, max_speed=1.0),
            Group(self.num_prey, PREY_RADIUS, force=4.0 * self.prey_speed, max_speed=1.3 * self.prey_speed),
            Group(self.num_obstacles, OBSTACLE_RADIUS),
        ]

    def _view_size(self) -> int:
        """O: own velocity and position, then what is seen of obstacles, other predators and prey."""
        return (
            4
            + 2 * seen_of(self.num_obstacles, self.num_landmark_neighbors)
            + 2 * seen_of(self.num_agents - 1, self.num_predator_neighbors)
            + 4 * seen_of(self.num_prey, self.num_prey_neighbors)
        )

    def _sight(self, blind_radius: float) -> np.ndarray:
        """[N] how far each predator sees."""
        if self.num_blind > self.num_agents:
            raise ValueError(
                f"predator_prey: num_blind={self.num_blind} must be at most num_predators={self.num_agents}."
            )
        is_blind = np.arange(self.num_agents) < self.num_blind
        return np.where(is_blind, min(blind_radius, self.view_radius), self.view_radius)

    def reset(self, key: chex.PRNGKey) -> tuple[PredatorPreyState, TimeStep[Observation]]:
        """Places predators and prey uniformly in the square -1 .. 1, obstacles within -0.9 .. 0.9, all at rest."""
        place_key, prey_key = jax.random.split(key)
        widths = np.repeat(np.array([1.0, 0.9], np.float32), [self.bodies.num_moving, self.num_obstacles])
        state = PredatorPreyState(*self.place(place_key, widths), prey_key, jnp.zeros((), jnp.int32))
        return state, restart(self.get_observation(state), {"contacts": jnp.zeros((), jnp.int32)})

    def step(self, state: PredatorPreyState, action: jax.Array) -> tuple[PredatorPreyState, TimeStep[Observation]]:
        """Moves predators with `action` [N] int32 (or [N, A] float32) and prey as they please."""
        push = jnp.concatenate([self.push(action), self.prey_push(state)])
        position, velocity = self.bodies.advance(state.position, state.velocity, push)
        state = PredatorPreyState(position, velocity, state.key, state.step_count + 1)
        predators, prey, _ = self.split(position)
        apart = distance(views.offsets(predators, prey))  # [N, K]
        contacts = jnp.sum(apart < PREDATOR_RADIUS + PREY_RADIUS, dtype=jnp.int32)
        reward = CONTACT_REWARD * contacts
        if self.shaped:
            reward -= DISTANCE_COST * jnp.sum(jnp.min(apart, axis=1))
        return state, self.end_step(self.get_observation(state), reward, {"contacts": contacts})

    def split(self, position: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Positions of the predators [N, 2], the prey [K, 2] and the obstacles [L, 2]."""
        moving = self.bodies.num_moving
        return position[: self.num_agents], position[self.num_agents : moving], position[moving:]

    def prey_push(self, state: PredatorPreyState) -> jax.Array:
        """[K, 2] each within -1 .. 1: what the prey will do in this state."""
        if self.prey == "random":
            return self._random_push(state)
        predators, prey, _ = self.split(state.position)
        away = views.offsets(predators, prey)
        away = jnp.sum(away / (distance(away)[..., None] ** 2 + TINY), axis=0)  # each weighs 1 / distance
        inwards = -2.0 * prey**5  # nothing inside, twice the fear at the edge
        wanted = away / (distance(away)[..., None] + TINY) + inwards
        return wanted / (jnp.max(jnp.abs(wanted), -1, keepdims=True) + TINY)

    def _random_push(self, state: PredatorPreyState) -> jax.Array:
        # One hash a prey gives the two numbers it needs: half the cost of a key a step and a draw from it.
        index = state.step_count * self.num_prey + jnp.arange(self.num_prey)
        bits = jax.random.key_data(jax.vmap(jax.random.fold_in, (None, 0))(state.key, index))[:, :2]
        return (bits >> 8).astype(jnp.float32) * 2.0**-23 - 1.0  # 24 random bits, which float32 holds exactly

    def get_observation(self, state: PredatorPreyState) -> Observation:
        """What every agent sees in `state`, and the global state."""
        predators, prey, obstacles = self.split(state.position)
        velocity, prey_velocity = state.velocity[: self.num_agents], state.velocity[self.num_agents :]
        prey_velocity = jnp.broadcast_to(prey_velocity, (self.num_agents, self.num_prey, 2))
        radius = self.sight
        parts = [
            views.look(views.offsets(predators, obstacles), nearest=self.num_landmark_neighbors, radius=radius),
            views.look(views.offsets(predators, prey), prey_velocity, nearest=self.num_prey_neighbors, radius=radius),
        ]
        if self.num_predator_neighbors != 0:
            others = views.without_self(views.offsets(predators, predators))
            parts.insert(1, views.look(others, nearest=self.num_predator_neighbors, radius=radius))
        seen = jnp.concatenate(parts, axis=-1)
        view = jnp.concatenate([velocity, predators, seen], axis=-1)
        return self.observe(view, flat(state.position, state.velocity), state.step_count)

    def draw(self, axes: Any, state: PredatorPreyState) -> None:
        """Draws predators as numbered discs, prey as golden ones, obstacles gray, and how far predators see."""
        predators, prey, obstacles = (np.asarray(part) for part in self.split(state.position))
        drawing.draw_obstacles(axes, obstacles, OBSTACLE_RADIUS)
        drawing.draw_prey(axes, prey, PREY_RADIUS)
        drawing.draw_view(axes, predators, self.sight)
        drawing.draw_agents(axes, predators, np.asarray(state.velocity), PREDATOR_RADIUS)
        drawing.frame(axes, np.asarray(state.position))
