"""Replay from which single steps or whole episodes can be drawn."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import flashbax
import jax
import jax.numpy as jnp

from marlcomm.learners.episodes import empty_episode
from marlcomm.learners.packing import EXACT, pack_episodes, unpack_episodes
from marlcomm.types import Episodes, TaskSpec

ONE_LESS = ("action", "reward", "terminal", "valid")  # fields that have no entry for the last observation


@dataclass(frozen=True)
class EpisodeReplay:
    """A ring of whole episodes, of which a batch holds none twice, as in PyMARL.

    Attributes:
      task: its sizes.
      replay_episodes: episodes that are kept.
      batch_episodes: episodes in a learning batch.
      precision: of observations, see `pack_episodes`.
    """

    task: TaskSpec
    replay_episodes: int
    batch_episodes: int
    precision: str = EXACT

    def init(self) -> Any:
        """The empty ring."""
        return self._buffer.init(pack_episodes(self.task, self.precision, empty_episode(self.task)))

    def add(self, replay: Any, episodes: Episodes) -> Any:
        """The ring with B more episodes [B, ...], in place of the oldest where it is full."""
        return self._buffer.add(replay, pack_episodes(self.task, self.precision, episodes))

    def can_sample(self, replay: Any) -> jax.Array:
        """[] bool: whether it holds a batch."""
        return self._buffer.can_sample(replay)

    def sample(self, replay: Any, key: jax.Array) -> Episodes:
        """Different episodes [batch_episodes, ...], each as likely as any other; needs `can_sample`."""
        place = jnp.arange(self.replay_episodes)
        held = replay.is_full | (place < replay.current_index)
        chance = jnp.where(held, jax.random.uniform(key, place.shape, jnp.float32), -1.0)
        _, drawn = jax.lax.top_k(chance, self.batch_episodes)
        return unpack_episodes(jax.tree.map(lambda x: x[0, drawn], replay.experience))

    @property
    def _buffer(self) -> Any:
        return flashbax.make_item_buffer(
            max_length=self.replay_episodes,
            min_length=self.batch_episodes,
            sample_batch_size=self.batch_episodes,
            add_batches=True,
        )


@dataclass(frozen=True)
class StepReplay:
    """A ring of episodes, each kept in one piece with its last observation behind it, as an entry that is no step.

    Attributes:
      task: its sizes.
      num_envs: B, episodes that are added at once.
      batch_steps: steps in a learning batch; with `whole_episodes`, as many episodes as hold at least that many.
      replay_steps: steps kept, at least; a whole number of additions is.
      whole_episodes: whether to draw whole episodes, in place of single steps with what was seen after them.
      precision: of observations, see `pack_episodes`.
    """

    task: TaskSpec
    num_envs: int
    batch_steps: int
    replay_steps: int
    whole_episodes: bool
    precision: str = EXACT

    def init(self) -> Any:
        """The empty ring."""
        episode = empty_episode(self.task)
        entry = jax.tree.map(lambda x: x[0], episode._replace(won=episode.valid))
        return self._buffer.init(pack_episodes(self.task, self.precision, entry))

    def add(self, replay: Any, episodes: Episodes) -> Any:
        """The ring with B more episodes [B, ...], in place of the oldest where it is full."""
        longer = {name: _one_more(getattr(episodes, name)) for name in ONE_LESS}
        won = jnp.broadcast_to(episodes.won[:, None], longer["valid"].shape)
        entries = episodes._replace(**longer, won=won)
        return self._buffer.add(replay, pack_episodes(self.task, self.precision, entries))

    def can_sample(self, replay: Any) -> jax.Array:
        """[] bool: whether it holds a batch."""
        return self._buffer.can_sample(replay)

    def sample(self, replay: Any, key: jax.Array) -> Episodes:
        """A batch: parts of episodes, one step long, or whole ones.

        Where an episode ended before the horizon, a part may be no step (`valid` is False).
        """
        entries = unpack_episodes(self._buffer.sample(replay, key).experience)
        shorter = {name: getattr(entries, name)[:, :-1] for name in ONE_LESS}
        return entries._replace(**shorter, won=entries.won[:, 0])

    @property
    def _buffer(self) -> Any:
        horizon = self.task.horizon
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
