"""Ablation of messages: return lost without them, and the smallest communication graph that keeps the return."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from scipy.stats import t as student

from marlcomm.analysis.measures.recorded import AnyTeam, team_of
from marlcomm.learners.collect import team_return
from marlcomm.messages.edits import CutPairs, SwapPairs, chain_edits
from marlcomm.short_repr import ShortRepr
from marlcomm.training.drivers import Player, driver_of
from marlcomm.training.evaluate import check_episodes
from marlcomm.validation import check_seed

CONFIDENCE = 0.95
EXHAUSTIVE = 6  # pairs up to which every graph may be tried: three agents

Pair = tuple[int, int]  # sender, receiver


@dataclass(frozen=True, repr=False)
class Difference(ShortRepr):
    """A mean over episodes with its 95 % confidence interval (Student's t).

    Attributes:
      mean: [...]; low: [...]; high: [...] of the same shape.
    """

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @property
    def certain(self) -> np.ndarray:
        """[...] bool: whether the interval leaves out zero."""
        return (self.low > 0) | (self.high < 0)


@dataclass(frozen=True, repr=False)
class LostReturn(ShortRepr):
    """Return lost when messages are ablated: positive where they help.

    Attributes:
      pair: [N, N] messages of this sender to this receiver; NaN on the diagonal.
      sender: [N] all messages of this agent.
      everything: [] all messages between agents.
    """

    pair: Difference
    sender: Difference
    everything: Difference


@dataclass(frozen=True, repr=False)
class MessageWorth(ShortRepr):
    """Return lost without messages, over the same episodes with and without.

    Attributes:
      team_return: [] undiscounted return without ablation.
      cut: lost when messages are zero, which receivers may never have met in training.
      swapped: lost when messages are those of another episode: the value of the information in them.
    """

    team_return: Difference
    cut: LostReturn
    swapped: LostReturn


@dataclass(frozen=True, repr=False)
class TalkGraph(ShortRepr):
    """The smallest communication graph found that keeps the return when all other pairs are cut.

    Attributes:
      pairs: [N, N] bool, edges from sender to receiver.
      team_return: [] return with these pairs alone, and `full_return`: [] with all, on episodes not used to find them.
      full_return: see `team_return`.
      keep: share of the return that was to be kept.
      exhaustive: whether all smaller graphs were tried; else edges were removed greedily, and a smaller one may exist.
    """

    pairs: np.ndarray
    team_return: float
    full_return: float
    keep: float
    exhaustive: bool


def message_worth(policy: AnyTeam, *, episodes: int = 1000, seed: int = 0) -> MessageWorth:
    """Return lost without messages of each pair, each sender, and all, over the same greedy episodes.

    A team trained with messages may do worse without them than one trained without: what communication is worth to
    the *task* needs a silent team as baseline.

    Args:
      policy: as for `record_episodes`.
      episodes: B, of each comparison.
      seed: decides the episodes and all else; `record_episodes` with as many episodes and this seed plays the same.

    Raises:
      ValueError: fewer than 2 episodes.
    """
    ablated = _SameEpisodes(policy, episodes, seed)
    full, agents = ablated.returns(), range(ablated.agents)
    everyone = list(itertools.product(agents, agents))

    def lost(how: str) -> LostReturn:
        def without(pairs: Iterable[Pair]) -> Difference:
            return interval(full - ablated.returns(**{how: pairs}))

        pair = [without([pair]) if pair[0] != pair[1] else _UNKNOWN for pair in everyone]
        sender = [without([pair for pair in everyone if pair[0] == i]) for i in agents]
        return LostReturn(_stack(pair, (len(agents), len(agents))), _stack(sender, (len(agents),)), without(everyone))

    return MessageWorth(interval(full), lost("cut"), lost("swapped"))


def smallest_graph(policy: AnyTeam, *, keep: float = 0.95, episodes: int = 1000, seed: int = 0) -> TalkGraph:
    """The smallest communication graph with which the team keeps a share of its return.

    Up to three agents, graphs are tried by size until one suffices. With more, edges are removed one by one, those
    first whose single removal costs least, as long as the rest suffices.

    Args:
      policy: as for `record_episodes`.
      keep: the return must be at least R - (1 - keep) |R|, where R is the return of the full graph.
      episodes: B, of each graph, the same for all; the result is evaluated on others.
      seed: decides the episodes and all else.

    Raises:
      ValueError: `keep` outside 0 .. 1, or fewer than 2 episodes.
    """
    if not 0.0 <= keep <= 1.0:
        raise ValueError(f"keep is {keep}: must be a share from 0 to 1")
    ablated, fresh = _SameEpisodes(policy, episodes, seed), _SameEpisodes(policy, episodes, seed + 1)
    everyone = list(itertools.permutations(range(ablated.agents), 2))

    def left(pairs: Sequence[Pair], on: _SameEpisodes = ablated) -> float:
        """The return if these pairs alone communicate."""
        return float(on.returns(cut=set(everyone) - set(pairs)).mean())

    full = left(everyone)
    enough = full - (1.0 - keep) * abs(full)
    exhaustive = len(everyone) <= EXHAUSTIVE
    found = (_fewest if exhaustive else _take_away)(everyone, left, enough)
    return TalkGraph(_square(ablated.agents, found), left(found, fresh), left(everyone, fresh), keep, exhaustive)


def _square(agents: int, pairs: Iterable[Pair]) -> np.ndarray:
    """[N, N] bool: True at these pairs."""
    square = np.zeros((agents, agents), bool)
    for pair in pairs:
        square[pair] = True
    return square


def _fewest(pairs: list[Pair], left: Callable[[Sequence[Pair]], float], enough: float) -> Sequence[Pair]:
    for size in range(len(pairs)):
        best = max(itertools.combinations(pairs, size), key=left)
        if left(best) >= enough:
            return best
    return pairs


def _take_away(pairs: list[Pair], left: Callable[[Sequence[Pair]], float], enough: float) -> Sequence[Pair]:
    single = {pair: left([other for other in pairs if other != pair]) for pair in pairs}
    kept = list(pairs)
    for pair in sorted(pairs, key=lambda pair: -single[pair]):
        fewer = [other for other in kept if other != pair]
        if left(fewer) >= enough:
            kept = fewer
    return kept


class _SameEpisodes:
    """Plays the same episodes again and again, with messages cut or swapped between some pairs."""

    def __init__(self, policy: AnyTeam, episodes: int, seed: int) -> None:
        algorithm, self._params = team_of(policy)
        if check_episodes(algorithm, "episodes", episodes) < 2:
            raise ValueError(f"episodes is {episodes}: must be at least 2, for a confidence interval")
        self.agents = algorithm.env.num_agents
        self._key = jax.random.PRNGKey(check_seed("seed", seed))
        self._play = driver_of(algorithm).measurer(_returns, algorithm, episodes, quick=True)

    def returns(self, cut: Iterable[Pair] = (), swapped: Iterable[Pair] = ()) -> np.ndarray:
        """[B] undiscounted returns of the team."""
        masks = (jnp.asarray(_square(self.agents, pairs)) for pairs in (cut, swapped))
        return np.asarray(self._play(self._params, self._key, *masks), float)


def _returns(player: Player, key: jax.Array, cut: jax.Array, swapped: jax.Array) -> jax.Array:
    """[B] undiscounted returns where messages of the pairs `cut` [N, N] are lost, and of `swapped` [N, N] exchanged."""
    return team_return(player.play(key, chain_edits([SwapPairs(swapped), CutPairs(cut)])).episodes)


def interval(values: np.ndarray) -> Difference:
    """The mean of [B] values with its interval; each is []."""
    mean, count = values.mean(), len(values)
    half = student.ppf((1 + CONFIDENCE) / 2, count - 1) * values.std(ddof=1) / np.sqrt(count)
    return Difference(*(np.asarray(value) for value in (mean, mean - half, mean + half)))


def _stack(rows: Sequence[Difference], shape: tuple[int, ...]) -> Difference:
    return Difference(*(np.array([getattr(row, name) for row in rows]).reshape(shape) for name in _BOUNDS))


_BOUNDS = ("mean", "low", "high")
_UNKNOWN = Difference(*(np.asarray(np.nan) for _ in _BOUNDS))
