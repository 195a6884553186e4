"""Replay from which single steps or whole episodes can be drawn."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import flashbax
import jax
import jax.numpy as jnp

from marlcomm.envs.api import Environment
from marlcomm.types import Episodes

ONE_LESS = ("action", "reward", "terminal", "valid")  # fields that have no entry for the last observation


@dataclass(frozen=True)
class StepReplay:
    """A ring of episodes, each kept in one piece with its last observation behind it, as an entry that is no step.

    Attributes:
      env: the task; only its sizes are read.
      num_envs: B, episodes that are added at once.
      batch_steps: steps in a learning batch; with `whole_episodes`, as many episodes as hold at least that many.
      replay_steps: steps kept, at least; a whole number of additions is.
      whole_episodes: whether to draw whole episodes, in place of single steps with what was seen after them.
    """

    env: Environment
    num_envs: int
    batch_steps: int
    replay_steps: int
    whole_episodes: bool

    def init(self) -> Any:
        """The empty ring."""
        env = self.env
        n, a = env.num_agents, env.num_actions
        entry = Episodes(
            agents_view=jnp.zeros((n, env.observation_size), jnp.float32),
            action_mask=jnp.zeros((n, a), bool),
            global_state=jnp.zeros((env.state_size,), jnp.float32),
            alive=jnp.zeros((n,), bool),
            action=jnp.zeros(env.action_shape, env.action_dtype),
            reward=jnp.zeros((n,), jnp.float32),
            terminal=jnp.zeros((), bool),
            valid=jnp.zeros((), bool),
            won=jnp.zeros((), bool),
        )
        return self._buffer.init(entry)

    def add(self, replay: Any, episodes: Episodes) -> Any:
        """The ring with B more episodes [B, ...], in place of the oldest where it is full."""
        longer = {name: _one_more(getattr(episodes, name)) for name in ONE_LESS}
        won = jnp.broadcast_to(episodes.won[:, None], longer["valid"].shape)
        return self._buffer.add(replay, episodes._replace(**longer, won=won))

    def can_sample(self, replay: Any) -> jax.Array:
        """[] bool: whether it holds a batch."""
        return self._buffer.can_sample(replay)

    def sample(self, replay: Any, key: jax.Array) -> Episodes:
        """A batch: parts of episodes, one step long, or whole ones.

        Where an episode ended before the horizon, a part may be no step (`valid` is False).
        """
        entries = self._buffer.sample(replay, key).experience
        shorter = {name: getattr(entries, name)[:, :-1] for name in ONE_LESS}
        return entries._replace(**shorter, won=entries.won[:, 0])

    @property
    def _buffer(self) -> Any:
        horizon = self.env.horizon
        length = horizon + 1  # of an episode
        whole = self.whole_episodes or horizon == 1  # which is the same, but wastes nothing on last observations
        together = self.num_envs * horizon
        episodes, least = math.ceil(self.replay_steps / together), math.ceil(self.batch_steps / together)
        return flashbax.make_trajectory_buffer(
            add_batch_size=self.num_envs,
            sample_batch_size=math.ceil(self.batch_steps / horizon) if whole else self.batch_steps,
            sample_sequence_length=length if whole else 2,
            period=length if whole else 1,
            min_length_time_axis=least * length,
            max_length_time_axis=episodes * length,
        )


def _one_more(x: jax.Array) -> jax.Array:
    return jnp.pad(x, [(0, 0), (0, 1)] + [(0, 0)] * (x.ndim - 2))
