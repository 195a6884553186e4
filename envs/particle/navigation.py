"""Cooperative navigation: agents should stand on different landmarks without bumping into each other.

Sources: RGMComm (Chen et al., AAAI 2024), whose paper and code differ in view and reward; `simple_spread` of OpenAI's
particle environments (the released code) and of Farama's MPE2.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np

from marlcomm.envs.options import check_choice, check_count, check_flag
from marlcomm.envs.particle import drawing, views
from marlcomm.envs.particle.controls import Controls
from marlcomm.envs.particle.physics import Integration, distance
from marlcomm.envs.particle.task import Group, ParticleTask, check_neighbors, flat, seen_of
from marlcomm.envs.steps import Observation, TimeStep, restart

AGENT_RADIUS, LANDMARK_RADIUS = 0.15, 0.05

RewardKind = Literal["paper", "released", "farama"]


class NavigationState(NamedTuple):
    """Bodies in the order agents, landmarks: E = N + L, and the first N move."""

    position: jax.Array  # [E, 2] float32
    velocity: jax.Array  # [N, 2] float32
    step_count: jax.Array  # [] int32


class Navigation(ParticleTask[NavigationState]):
    """N agents and L landmarks. Agents that touch repel each other; landmarks do not.

    With d(a, l) the distance from agent to landmark after the move, and bumps(a) the number of other agents that
    a touches, the reward is

    - "paper": for each agent its own, -min_l d(a, l) - bumps(a);
    - "released": for all the same, the sum over agents of -sum_l min_a d(a, l) - bumps(a), where with
      `self_collision` each agent also touches itself, which costs N a step whatever is done;
    - "farama": half of -sum_l min_a d(a, l) for all, and half of -bumps(a) for each.

    An agent sees its velocity, its position, then landmarks and other agents relative to itself. By default, as in
    the paper, it sees only its nearest landmark, so two agents cannot know that they go to the same one: the
    setting where messages help. The released view is `num_landmark_neighbors=None, num_agent_neighbors=None`
    (without its other agents' utterances, which are always zero), where "agent i goes to landmark i" is nearly
    optimal without a word.

    Scripted returns of 100-step episodes for N = L = 2 (`scripted.cover`, `controls="pairs"`): released with
    self-collision -216 (of which -200 is the constant), each to its nearest landmark -390; the paper's, summed
    over agents, -11 and -80.

    Sizes: O = 4 + 2 L' + 2 N', where L' and N' are how many landmarks and other agents are seen; S = 4 N + 2 L:
    all positions, then velocities. Horizon `steps`, a truncation.
    Extras: `bumps`, [] int32, pairs of agents that touch.
    """

    def __init__(
        self,
        num_agents: int = 2,
        num_landmarks: int | None = None,
        reward: RewardKind = "paper",
        self_collision: bool = False,
        num_landmark_neighbors: int | None = 1,
        num_agent_neighbors: int | None = 0,
        steps: int = 100,
        controls: Controls = "discrete",
        integration: Integration = "openai",
    ) -> None:
        """Makes the task.

        Args:
          num_agents: N.
          num_landmarks: L; None has as many as agents.
          reward: "paper", "released" or "farama".
          self_collision: whether an agent bumps into itself at each step; only with the released reward.
          num_landmark_neighbors: landmarks that an agent sees, nearest first; None shows all, in order.
          num_agent_neighbors: the same for other agents.
          steps: T, after which the episode is cut; 100 in the released code, 25 in most others.
          controls: "discrete" (A = 5), "force" (A = 2) or "pairs" (A = 5, as released); see `controls`.
          integration: "openai" (as released) or "farama" (MPE2, JaxMARL).

        Raises:
          ValueError: an option is out of its range, or `self_collision` goes with another reward.
        """
        name = "navigation"
        self.num_agents = check_count(name, "num_agents", num_agents)
        landmarks = num_agents if num_landmarks is None else num_landmarks
        self.num_landmarks = check_count(name, "num_landmarks", landmarks)
        self.reward: RewardKind = check_choice(name, "reward", reward, ("paper", "released", "farama"))
        self.self_collision = check_flag(name, "self_collision", self_collision)
        if self.self_collision and self.reward != "released":
            raise ValueError(f"{name}: self_collision=True goes with reward='released', not {reward!r}.")
        self.num_landmark_neighbors = check_neighbors(name, "num_landmark_neighbors", num_landmark_neighbors)
        self.num_agent_neighbors = check_neighbors(name, "num_agent_neighbors", num_agent_neighbors)
        groups = [
            Group(self.num_agents, AGENT_RADIUS, force=5.0),
            Group(self.num_landmarks, LANDMARK_RADIUS, collides=False),
        ]
        self.observation_size = (
            4
            + 2 * seen_of(self.num_landmarks, self.num_landmark_neighbors)
            + 2 * seen_of(self.num_agents - 1, self.num_agent_neighbors)
        )
        self.state_size = 4 * self.num_agents + 2 * self.num_landmarks
        super().__init__(name, groups, integration=integration, controls=controls, steps=steps)

    def reset(self, key: chex.PRNGKey) -> tuple[NavigationState, TimeStep[Observation]]:
        """Places everything uniformly in the square -1 .. 1, at rest."""
        state = NavigationState(*self.place(key, np.ones_like(self.bodies.radius)), jnp.zeros((), jnp.int32))
        return state, restart(self.get_observation(state), {"bumps": jnp.zeros((), jnp.int32)})

    def step(self, state: NavigationState, action: jax.Array) -> tuple[NavigationState, TimeStep[Observation]]:
        """Moves agents with `action`, [N] int32 (or [N, A] float32)."""
        position, velocity = self.bodies.advance(state.position, state.velocity, self.push(action))
        state = NavigationState(position, velocity, state.step_count + 1)
        agents, landmarks = position[: self.num_agents], position[self.num_agents :]
        apart = distance(views.offsets(agents, landmarks))  # [N, L]
        touches = distance(views.offsets(agents, agents)) < 2 * AGENT_RADIUS  # [N, N], also each itself
        bumps = jnp.sum(touches, axis=1) - 1  # [N]
        step = self.end_step(self.get_observation(state), self._reward(apart, bumps), {"bumps": jnp.sum(bumps) // 2})
        return state, step

    def _reward(self, apart: jax.Array, bumps: jax.Array) -> jax.Array:
        """[N] or []."""
        if self.reward == "paper":
            return -jnp.min(apart, axis=1) - bumps
        uncovered = jnp.sum(jnp.min(apart, axis=0))
        if self.reward == "farama":
            return -0.5 * uncovered - 0.5 * bumps
        return -self.num_agents * (uncovered + self.self_collision) - jnp.sum(bumps)

    def get_observation(self, state: NavigationState) -> Observation:
        """What every agent sees in `state`, and the global state."""
        agents, landmarks = state.position[: self.num_agents], state.position[self.num_agents :]
        view = [
            state.velocity,
            agents,
            views.look(views.offsets(agents, landmarks), nearest=self.num_landmark_neighbors),
        ]
        if self.num_agent_neighbors != 0:
            others = views.without_self(views.offsets(agents, agents))
            view.append(views.look(others, nearest=self.num_agent_neighbors))
        view = jnp.concatenate(view, axis=-1)
        return self.observe(view, flat(state.position, state.velocity), state.step_count)

    def draw(self, axes: Any, state: NavigationState) -> None:
        """Draws agents as numbered discs and landmarks as stars."""
        position = np.asarray(state.position)
        drawing.draw_landmarks(axes, position[self.num_agents :])
        drawing.draw_agents(axes, position[: self.num_agents], np.asarray(state.velocity), AGENT_RADIUS)
        drawing.frame(axes, position)
