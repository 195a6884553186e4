"""Speaker-listener and reference: an agent knows where another one must go, and can only tell it.

Source: OpenAI's multi-agent particle environments (`simple_speaker_listener`, `simple_reference`); views, rewards and
the order of the numbers are those of Farama's MPE2.
"""

from __future__ import annotations

import abc
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np

from marlcomm.envs.options import check_count
from marlcomm.envs.particle import controls as control
from marlcomm.envs.particle import drawing, views
from marlcomm.envs.particle.controls import Controls
from marlcomm.envs.particle.physics import Integration, distance
from marlcomm.envs.particle.task import Group, ParticleTask, flat
from marlcomm.envs.steps import Observation, TimeStep, restart


class SpeechState(NamedTuple):
    """Bodies in the order of those that move (M), those that stand, landmarks. Two agents, N = 2."""

    position: jax.Array  # [E, 2] float32
    velocity: jax.Array  # [M, 2] float32
    goal: jax.Array  # [M] int32: the landmark that each moving agent must reach, and does not know
    spoken: jax.Array  # [N, W] float32: what each agent last said
    step_count: jax.Array  # [] int32


class SpeechTask(ParticleTask[SpeechState]):
    """What both tasks share: two agents, landmarks of different colors, words. Nothing collides."""

    num_agents = 2
    num_standing: int  # agents that only speak
    agent_radius: float
    colors: tuple[float, float]  # of a landmark, where it is not and where it is of its own color

    def __init__(
        self, name: str, *, words: int, num_landmarks: int, steps: int, controls: Controls, integration: Integration
    ) -> None:
        """Places M movers, then standing agents, then landmarks."""
        self.words = check_count(name, "words", words, at_least=0)
        self.num_landmarks = check_count(name, "num_landmarks", num_landmarks)
        moving = self.num_agents - self.num_standing
        groups = [
            Group(moving, self.agent_radius, collides=False, force=5.0),
            Group(self.num_standing, self.agent_radius, collides=False),
            Group(self.num_landmarks, 0.05, collides=False),
        ]
        self.state_size = 4 * moving + 2 * self.num_landmarks + moving * self.num_landmarks + 2 * self.words
        super().__init__(name, groups, integration=integration, controls=controls, steps=steps)

    def reset(self, key: chex.PRNGKey) -> tuple[SpeechState, TimeStep[Observation]]:
        """Places everything uniformly in the square -1 .. 1, at rest; draws goals uniformly. Nothing is said yet."""
        place_key, goal_key = jax.random.split(key)
        position, velocity = self.place(place_key, np.ones_like(self.bodies.radius))
        goal = jax.random.randint(goal_key, (self.bodies.num_moving,), 0, self.num_landmarks, jnp.int32)
        spoken = jnp.zeros((self.num_agents, self.words))
        state = SpeechState(position, velocity, goal, spoken, jnp.zeros((), jnp.int32))
        return state, restart(self.get_observation(state))

    def step(self, state: SpeechState, action: jax.Array) -> tuple[SpeechState, TimeStep[Observation]]:
        """Moves and speaks with `action`, [N] int32 (or [N, A] float32); words are heard at once."""
        push, spoken = self._read(action)
        position, velocity = self.bodies.advance(state.position, state.velocity, push)
        state = SpeechState(position, velocity, state.goal, spoken, state.step_count + 1)
        return state, self.end_step(self.get_observation(state), self._reward(state))

    @property
    def _moves(self) -> int:
        """How many choices or numbers it takes to move."""
        return control.SIZES[self.controls]

    @abc.abstractmethod
    def _read(self, action: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Pushes [M, 2] and words [N, W]."""

    @abc.abstractmethod
    def _reward(self, state: SpeechState) -> jax.Array:
        """[N] or []."""

    @abc.abstractmethod
    def get_observation(self, state: SpeechState) -> Observation:
        """What every agent sees in `state`, and the global state."""

    def _parts(self, position: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Positions of the moving agents [M, 2] and the landmarks [L, 2]."""
        return position[: self.bodies.num_moving], position[self.num_agents :]

    def _to_goal(self, state: SpeechState) -> jax.Array:
        """[M, 2] from each moving agent to its goal."""
        moving, landmarks = self._parts(state.position)
        chosen = state.goal[:, None] == np.arange(self.num_landmarks)  # [M, L]
        return jnp.sum(jnp.where(chosen[..., None], views.offsets(moving, landmarks), 0.0), axis=1)

    def _goal_color(self, state: SpeechState) -> jax.Array:
        """[M, L] color of each goal: one number for each landmark, high at that one."""
        low, high = self.colors
        return jnp.where(state.goal[:, None] == np.arange(self.num_landmarks), high, low)

    def _seen_by_movers(self, state: SpeechState) -> jax.Array:
        """[M, 2 + 2 L] own velocity, and landmarks relative to oneself."""
        moving, landmarks = self._parts(state.position)
        return jnp.concatenate([state.velocity, views.look(views.offsets(moving, landmarks))], axis=-1)

    def _global_state(self, state: SpeechState) -> jax.Array:
        moving, landmarks = self._parts(state.position)
        return flat(moving, landmarks, state.velocity, self._goal_color(state), state.spoken)

    def draw(self, axes: Any, state: SpeechState) -> None:
        """Draws agents as numbered discs, with what they say, and landmarks ringed by who must go there."""
        position, moving = np.asarray(state.position), self.bodies.num_moving
        order = np.roll(np.arange(self.num_agents), self.num_standing)  # of bodies, by agent
        agents = position[order]
        velocity = np.concatenate([np.asarray(state.velocity), np.zeros((self.num_standing, 2))])[order]
        targets: list[list[int]] = [[] for _ in range(self.num_landmarks)]
        for mover, goal in enumerate(np.asarray(state.goal)):
            targets[int(goal)].append(mover + self.num_agents - moving)
        drawing.draw_colored_landmarks(axes, position[self.num_agents :], targets)
        drawing.draw_agents(axes, agents, velocity, max(self.agent_radius, 0.06))
        for agent in range(self.num_agents):
            drawing.draw_speech(axes, agents[agent], np.asarray(state.spoken[agent]), agent)
        drawing.frame(axes, position)


class SpeakerListener(SpeechTask):
    """Agent 0 stands still and sees the color of a landmark; agent 1 must go there, and sees all landmarks.

    Both get minus the squared distance from the listener to that landmark.

    Discrete actions: those of the speaker are words, those of the listener are moves; A = max(W, 5), the rest is
    masked. Continuous: the speaker's first W numbers are what it says, the listener's first ones are its move.
    With `words=0` nothing can be said by acting: only messages over a channel tell the listener where to go.

    Sizes: O = max(L, 2 + 2 L + W): the speaker sees the goal's color [L] and then zeros, the listener its
    velocity, the landmarks relative to itself, and what the speaker said; S = 4 + 3 L + 2 W. Horizon `steps`, a
    truncation.
    """

    num_standing = 1
    agent_radius = 0.075
    colors = (0.15, 0.65)

    def __init__(
        self,
        words: int = 3,
        num_landmarks: int = 3,
        steps: int = 25,
        controls: Controls = "discrete",
        integration: Integration = "farama",
    ) -> None:
        """Makes the task.

        Args:
          words: W, how many different words (discrete) or numbers (continuous) the speaker can say.
          num_landmarks: L.
          steps: T, after which the episode is cut.
          controls: "discrete", "force" or "pairs"; see `controls`.
          integration: "farama" (MPE2, JaxMARL) or "openai".

        Raises:
          ValueError: an option is out of its range.
        """
        self.observation_size = max(num_landmarks, 2 + 2 * num_landmarks + words)
        super().__init__(
            "speaker_listener",
            words=words,
            num_landmarks=num_landmarks,
            steps=steps,
            controls=controls,
            integration=integration,
        )
        self.action_names = ()
        numbers = np.array([max(self.words, 1), self._moves])  # where nothing can be said, there is one way to do so
        self._mask = np.arange(self.num_actions) < numbers[:, None]  # [N, A]

    def count_actions(self, moves: int) -> int:
        """Enough for moving, and for speaking."""
        return max(moves, self.words)

    def _read(self, action: jax.Array) -> tuple[jax.Array, jax.Array]:
        speaker, listener = action[0], action[1:]
        if self.continuous:
            word, listener = jnp.clip(speaker[: self.words], -1.0, 1.0), listener[:, : self._moves]
        else:
            word = jax.nn.one_hot(speaker, self.words)
        return self.push(listener), jnp.stack([word, jnp.zeros_like(word)])

    def _reward(self, state: SpeechState) -> jax.Array:
        return -jnp.sum(self._to_goal(state) ** 2)

    def get_observation(self, state: SpeechState) -> Observation:
        """What every agent sees in `state`, and the global state."""
        listener = jnp.concatenate([self._seen_by_movers(state)[0], state.spoken[0]])
        speaker = self._goal_color(state)[0]
        speaker = jnp.pad(speaker, (0, self.observation_size - len(speaker)))
        view = jnp.stack([speaker, listener])
        return self.observe(view, self._global_state(state), state.step_count, action_mask=jnp.asarray(self._mask))


class Reference(SpeechTask):
    """Two agents must each go to a landmark that only the other one knows. Both speak and move at the same time.

    With d_i the distance of agent i to its landmark, agent i gets -(d_0 + d_1) / 4 - d_j / 2 where j is the other
    agent: half is shared, half is for having told the other one well.

    Discrete actions: a = move + 5 * word, A = 5 * max(W, 1). Continuous: the move's numbers, then what is said.
    With `words=0` nothing can be said by acting: only messages over a channel tell where to go.

    Sizes: O = 2 + 3 L + W: own velocity, the landmarks relative to oneself, the color [L] of the landmark that the
    other one must reach, and what it said; S = 8 + 4 L + 2 W. Horizon `steps`, a truncation.
    """

    num_standing = 0
    agent_radius = 0.05
    colors = (0.25, 0.75)

    def __init__(
        self,
        words: int = 10,
        num_landmarks: int = 3,
        steps: int = 25,
        controls: Controls = "discrete",
        integration: Integration = "farama",
    ) -> None:
        """Makes the task.

        Args:
          words: W, how many different words (discrete) or numbers (continuous) each agent can say.
          num_landmarks: L.
          steps: T, after which the episode is cut.
          controls: "discrete", "force" or "pairs"; see `controls`.
          integration: "farama" (MPE2, JaxMARL) or "openai".

        Raises:
          ValueError: an option is out of its range.
        """
        self.observation_size = 2 + 3 * num_landmarks + words
        super().__init__(
            "reference",
            words=words,
            num_landmarks=num_landmarks,
            steps=steps,
            controls=controls,
            integration=integration,
        )
        if self.words and not self.continuous:
            self.action_names = tuple(f"{move}, “{w}”" for w in range(self.words) for move in control.MOVE_NAMES)

    def count_actions(self, moves: int) -> int:
        """Moving and speaking at the same time."""
        return moves + self.words if self.continuous else moves * max(self.words, 1)

    def _read(self, action: jax.Array) -> tuple[jax.Array, jax.Array]:
        if self.continuous:
            return self.push(action[:, : self._moves]), jnp.clip(action[:, self._moves :], -1.0, 1.0)
        return self.push(action % self._moves), jax.nn.one_hot(action // self._moves, self.words)

    def _reward(self, state: SpeechState) -> jax.Array:
        apart = distance(self._to_goal(state))  # [2]
        return -0.5 * jnp.mean(apart) - 0.5 * apart[::-1]

    def get_observation(self, state: SpeechState) -> Observation:
        """What every agent sees in `state`, and the global state."""
        others = [self._goal_color(state)[::-1], state.spoken[::-1]]
        view = jnp.concatenate([self._seen_by_movers(state), *others], axis=-1)
        return self.observe(view, self._global_state(state), state.step_count)
