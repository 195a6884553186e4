"""Greedy episodes of a trained team, recorded with all messages: the data of all measures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from marlcomm.algorithms.algorithm import Algorithm
from marlcomm.learners.base import with_delay
from marlcomm.learners.collect import team_return
from marlcomm.learners.state import Decision
from marlcomm.messages.channels.gaussian import GaussianChannel
from marlcomm.messages.edits import CalibratedCut, CutBelow, Edit, chain_edits, pairs_at_work, parse_edits
from marlcomm.messages.wrapper import ChannelWrapper
from marlcomm.short_repr import ShortRepr
from marlcomm.training.drivers import Played, Player, driver_of
from marlcomm.training.evaluate import check_episodes, find_threshold
from marlcomm.training.loop import TrainResult
from marlcomm.training.policy import Policy
from marlcomm.training.saved import SavedRun, as_run
from marlcomm.types import Episodes, bits_sent, others
from marlcomm.validation import UsageError, check_seed

AnyTeam = TrainResult | SavedRun | Policy | tuple[Algorithm, Any] | str | Path
CALIBRATION_EPISODES = 1000


@dataclass(frozen=True, repr=False)
class RecordedEpisodes(ShortRepr):
    """Greedy episodes as numpy arrays, with messages, scores and states. Messages have the sender first.

    Attributes:
      episodes: arrays of `Episodes`.
      content: [B, T, N, N, D] messages after edits; zero where nothing was sent.
      importance: [B, T, N, N, D] by which cuts choose; |mean| of the Gaussian channel.
      sent: [B, T, N, N, D] bool: entries that were sent, after edits.
      bits: [B, T, N] bits of each sender's messages to others.
      mean: [B, T, N, N, D] mean of the distribution that each entry was sampled from; None where nothing is sampled.
      scores: [B, T, N, A] action values, or a policy's logits.
      states: states of the task, leading axes [B, T+1].
      edited: whether messages were edited.
      said: [B, T, N, N, D] bool: entries that the channel sent, before edits; None where that is not known.
      delay: steps from sending to receiving.
      links: [N, N] bool: who reaches whom, by the channel's graph; None for everybody.
      noise: standard deviation of entries around `mean`.
    """

    episodes: Episodes
    content: np.ndarray
    importance: np.ndarray
    sent: np.ndarray
    bits: np.ndarray
    mean: np.ndarray | None
    scores: np.ndarray
    states: Any
    edited: bool
    said: np.ndarray | None = None
    delay: int = 0
    links: np.ndarray | None = None
    noise: float = 1.0

    @property
    def lengths(self) -> np.ndarray:
        """[B] steps of each episode."""
        return np.asarray(self.episodes.valid).sum(1)

    @property
    def returns(self) -> np.ndarray:
        """[B] undiscounted return of the team: the mean over agents."""
        return np.asarray(team_return(self.episodes))

    @property
    def offered(self) -> np.ndarray:
        """[B, T, N, N] bool: pairs of different agents that are linked and both alive, on valid steps."""
        pairs = np.asarray(pairs_at_work(self.episodes))
        return pairs if self.links is None else pairs & self.links

    @property
    def received(self) -> np.ndarray:
        """[B, T, N, N, D] messages as received at each step: `content`, between agents `delay` steps later."""
        between = np.asarray(others(self.content.shape[2]))
        content = np.where(between[..., None], later(self.content, self.delay), self.content)
        return np.where((between & ~self.offered)[..., None], 0.0, content)

    @property
    def arriving(self) -> np.ndarray:
        """[B, T, N, N] bool: pairs of different agents alive now and when they sent what is received now."""
        return self.offered & later(self.offered, self.delay)

    def above(self, threshold: float) -> np.ndarray:
        """[B, T, N, N, D] bool: entries between agents that were sent and have at least this importance."""
        return self.sent & (self.importance >= threshold) & self.offered[..., None]


def record_episodes(
    run: AnyTeam,
    episodes: int = 1000,
    *,
    member: int | None = None,
    seed: int = 0,
    edits: Edit | str | Sequence[Edit | str] = (),
) -> RecordedEpisodes:
    """Plays greedy episodes of one team and records observations, messages, actions and rewards.

    Args:
      run: a run folder, what `train` or `load_run` gave, a policy, or an algorithm and one member's parameters.
      episodes: B.
      member: which member of a run; by default the best.
      seed: decides everything.
      edits: of messages, applied in this order; edits or their names, such as "cut:0.8".

    Returns:
      arrays of numpy; `step_table` and `message_table` make tables of them, `export_run` files.

    Raises:
      ValueError: no such member, an edit that does not exist, or no episodes.
    """
    algorithm, params = team_of(run, member)
    episodes, listed = check_episodes(algorithm, "episodes", episodes), parse_edits(edits)
    key = jax.random.PRNGKey(check_seed("seed", seed))
    calibration_key = jax.random.fold_in(key, 1)  # a threshold must hold on episodes that it was not made for
    edit = chain_edits([_ready(algorithm, params, edit, calibration_key) for edit in listed])
    played, bits = jax.device_get(play_and_keep(algorithm, params, key, episodes, edit))
    messages, mean = played.decisions.messages, played.decisions.auxiliary.get("message_mean")
    return RecordedEpisodes(
        episodes=played.episodes,
        content=messages.content,
        importance=messages.importance,
        sent=messages.sent,
        bits=bits,
        mean=mean,
        scores=played.decisions.scores,
        states=played.states,
        edited=bool(listed),
        said=messages.offered,
        delay=delay_of(algorithm, edit),
        links=links_of(algorithm),
        noise=noise_of(algorithm),
    )


def chosen(action: np.ndarray, continuous: bool) -> np.ndarray:
    """[...] int: discrete actions as they are; of continuous ones [..., A], the index of the entry largest in size."""
    return np.abs(action).argmax(-1) if continuous else action


def team_of(run: AnyTeam, member: int | None = None) -> tuple[Algorithm, Any]:
    """An algorithm and one member's parameters; by default those of a run's best member. Raises as `load_run`."""
    run = as_run(run)
    if isinstance(run, TrainResult | SavedRun):
        run = run.policy(run.best() if member is None else member)
    elif member is not None:
        raise ValueError(f"member is {member}: only a run has members, and this is one team")
    if isinstance(run, Policy):
        return run.algorithm, run.params
    if not isinstance(run, Sequence) or len(run) != 2:
        raise UsageError(f"run={run!r} must be a run, a run folder, a policy, or an algorithm and its parameters")
    return run[0], run[1]


def later(values: np.ndarray, steps: int) -> np.ndarray:
    """[B, T, ...] moved so many steps later, with zeros before."""
    moved = np.zeros_like(values)
    moved[:, steps:] = values[:, : max(values.shape[1] - steps, 0)]
    return moved


def delay_of(algorithm: Algorithm, edit: Edit | None = None) -> int:
    """Steps that messages are under way; none where the team's agents know no channel."""
    learner, _ = with_delay(algorithm.learner, edit)
    return getattr(getattr(learner.agent, "channel", None), "delay", 0)


def noise_of(algorithm: Algorithm) -> float:
    """Standard deviation of the samples that a Gaussian channel sends; 1 of all others."""
    channel = getattr(algorithm.learner.agent, "channel", None)
    while isinstance(channel, ChannelWrapper):
        channel = channel.channel
    return channel.sigma if isinstance(channel, GaussianChannel) else 1.0


def links_of(algorithm: Algorithm) -> np.ndarray | None:
    """[N, N] bool: who reaches whom, by the graph of the channel; None for everybody."""
    graph = getattr(getattr(algorithm.learner.agent, "channel", None), "graph", None)
    return None if graph is None else np.asarray(graph, bool)


def play_and_keep(
    algorithm: Algorithm, params: Any, key: jax.Array, episodes: int, edit: Edit | None = None
) -> tuple[Played, jax.Array]:
    """Greedy episodes of one team, on the device, and [B, T, N] bits that each sender spent."""
    return driver_of(algorithm).measurer(_record, algorithm, episodes, quick=True)(params, key, edit)


def _record(player: Player, key: jax.Array, edit: Edit | None) -> tuple[Played, jax.Array]:
    """What was played, with all that is kept of it, and [B, T, N] bits that each sender spent."""
    played = player.play(key, edit)
    decisions = played.decisions._replace(auxiliary=_means(played.decisions))
    return played._replace(decisions=decisions), bits_sent(decisions.messages)


def _means(decision: Decision) -> dict[str, jax.Array]:
    """Of all that channels compute by the way, what is kept."""
    return {name: value for name, value in decision.auxiliary.items() if name == "message_mean"}


def _ready(algorithm: Algorithm, params: Any, edit: Edit, key: jax.Array) -> Edit:
    if not isinstance(edit, CalibratedCut):
        return edit
    program = driver_of(algorithm).measurer(find_threshold, algorithm, CALIBRATION_EPISODES, quick=True)
    return CutBelow(program(params, key, jnp.float32(edit.fraction), edit.whole), edit.whole)
