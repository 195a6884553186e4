"""Episodes of a trained team, kept with everything that was said: what the other files here read."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from marlcomm.algorithms.algorithm import Algorithm
from marlcomm.messages.edits import CalibratedCut, Edit, chain_edits, parse_edit
from marlcomm.training.evaluate import calibrate_cut
from marlcomm.training.policy import Policy
from marlcomm.types import Episodes, others

CALIBRATION_EPISODES = 1000


@dataclass(frozen=True)
class RecordedEpisodes:
    """Greedy episodes as numpy arrays, with what stood behind each action. The first agent axis is the sender.

    Attributes:
      episodes: arrays of `Episodes`.
      content: [B, T, N, N, D] what arrived, after edits: zero where nothing was sent.
      importance: [B, T, N, N, D] what each entry is worth; |mean| for the gaussian channel.
      sent: [B, T, N, N, D] bool, after edits.
      mean: [B, T, N, N, D] the mean that each entry was sampled around, or None where the channel has none.
      q: [B, T, N, A] action values.
      states: states of the task, leading axes [B, T+1].
      edited: whether edits stood between senders and receivers.
    """

    episodes: Episodes
    content: np.ndarray
    importance: np.ndarray
    sent: np.ndarray
    mean: np.ndarray | None
    q: np.ndarray
    states: Any
    edited: bool

    @property
    def lengths(self) -> np.ndarray:
        """[B] real steps of each episode."""
        return np.asarray(self.episodes.valid).sum(1)

    @property
    def returns(self) -> np.ndarray:
        """[B] undiscounted return of the team: the mean over agents."""
        return np.where(self.episodes.valid, np.asarray(self.episodes.reward).mean(-1), 0.0).sum(1)

    @property
    def offered(self) -> np.ndarray:
        """[B, T, N, N] bool: pairs of different living agents at real steps."""
        alive = np.asarray(self.episodes.alive)[:, :-1]
        pairs = alive[..., :, None] & alive[..., None, :] & np.asarray(others(alive.shape[-1]))
        return pairs & np.asarray(self.episodes.valid)[..., None, None]

    def above(self, threshold: float) -> np.ndarray:
        """[B, T, N, N, D] bool: entries between agents that were sent and are worth at least `threshold`."""
        return self.sent & (self.importance >= threshold) & self.offered[..., None]


def record_episodes(
    policy: Policy | tuple[Algorithm, Any],
    episodes: int = 1000,
    *,
    seed: int = 0,
    edits: Sequence[Edit | str] = (),
) -> RecordedEpisodes:
    """Plays greedy episodes of one team and keeps what was said.

    Args:
      policy: from `SavedRun.policy` or `TrainResult.policy`, or an algorithm and one member's parameters.
      episodes: B.
      seed: decides everything.
      edits: what happens to messages on their way, in this order; edits or their names, such as "cut:0.8".

    Raises:
      ValueError: an edit that does not exist, or no episodes.
    """
    if episodes < 1:
        raise ValueError(f"episodes is {episodes}: must be at least 1")
    algorithm, params = (policy.algorithm, policy.params) if isinstance(policy, Policy) else policy
    key, calibration_key, mean_key = jax.random.split(jax.random.PRNGKey(seed), 3)
    edit = chain_edits([_ready(algorithm, params, edit, calibration_key) for edit in edits])

    played, decision, states, mean = jax.device_get(_player(_Same(algorithm), episodes)(params, key, mean_key, edit))
    messages = decision.messages
    return RecordedEpisodes(
        played, messages.content, messages.importance, messages.sent, mean, decision.q, states, bool(edits)
    )


class _Same:
    """An algorithm as a key: algorithms hold mappings, which cannot be hashed."""

    def __init__(self, algorithm: Algorithm) -> None:
        self.algorithm = algorithm

    def __hash__(self) -> int:
        return id(self.algorithm)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.algorithm is self.algorithm


@functools.lru_cache(maxsize=16)
def _player(same: _Same, episodes: int) -> Any:
    """The compiled program, kept, so that the next member and the next threshold start at once."""
    algorithm = same.algorithm

    def play(params: Any, key: jax.Array, mean_key: jax.Array, edit: Edit | None) -> tuple:
        played, decision, states = algorithm.play(params, key, num_envs=episodes, edit=edit)
        # The means are no part of a decision. Unrolling the same episodes gives them: exactly where messages are
        # made from inputs; for channels that read memory, up to the noise in earlier messages.
        unroll = algorithm.learner.unroll(params, params, played, algorithm.hparams, mean_key)
        mean = unroll.auxiliary.get("message_mean")
        return played, decision, states, None if mean is None else mean[:, : played.valid.shape[1]]

    return jax.jit(play)


def _ready(algorithm: Algorithm, params: Any, edit: Edit | str, key: jax.Array) -> Edit:
    edit = parse_edit(edit) if isinstance(edit, str) else edit
    if not isinstance(edit, CalibratedCut):
        return edit
    fraction = jnp.float32(edit.fraction)
    calibrate = jax.jit(lambda p, k: calibrate_cut(algorithm, p, k, fraction, CALIBRATION_EPISODES))
    return calibrate(params, key)
