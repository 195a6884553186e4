"""What messages are worth: the return with and without them, and the fewest pairs that need to talk."""

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
    """Return that is lost when messages do not arrive as they were said: positive where messages help.

    Attributes:
      pair: [N, N] when it happens to this sender's messages to this receiver; NaN on the diagonal.
      sender: [N] to all that this agent says.
      everything: [] to all that anybody says.
    """

    pair: Difference
    sender: Difference
    everything: Difference


@dataclass(frozen=True, repr=False)
class MessageWorth(ShortRepr):
    """What messages are worth, over the same episodes with and without.

    Attributes:
      team_return: [] undiscounted return as the team is.
      cut: lost when nothing arrives. A receiver that has never met silence may be put off by it, whatever was said.
      swapped: lost when what was said in another episode arrives: what the receiver makes of the information.
    """

    team_return: Difference
    cut: LostReturn
    swapped: LostReturn


@dataclass(frozen=True, repr=False)
class TalkGraph(ShortRepr):
    """The fewest pairs found that keep the return when all others are cut.

    Attributes:
      pairs: [N, N] bool, who needs to talk to whom.
      team_return: [] return with these pairs alone, and `full_return`: [] with all, on episodes not used to find them.
      full_return: see `team_return`.
      keep: share of the return that was to be kept.
      exhaustive: whether all smaller graphs were tried; else pairs were taken away one by one, and a smaller graph may
        exist.
    """

    pairs: np.ndarray
    team_return: float
    full_return: float
    keep: float
    exhaustive: bool


def message_worth(policy: AnyTeam, *, episodes: int = 1000, seed: int = 0) -> MessageWorth:
    """Plays the same episodes with and without messages, greedily.

    A team that has learned to be told something may do worse without it than a team that never talked: compare with a
    silent algorithm before saying what communication is worth to the task.

    Args:
      policy: as for `record_episodes`.
      episodes: B, of each comparison.
      seed: decides the episodes and all else; `record_episodes` with as many episodes and this seed plays the same.

    Raises:
      ValueError: fewer than 2 episodes.
    """
    judge = _Judge(policy, episodes, seed)
    full, agents = judge.returns(), range(judge.agents)
    everyone = list(itertools.product(agents, agents))

    def lost(how: str) -> LostReturn:
        def without(pairs: Iterable[Pair]) -> Difference:
            return interval(full - judge.returns(**{how: pairs}))

        pair = [without([pair]) if pair[0] != pair[1] else _UNKNOWN for pair in everyone]
        sender = [without([pair for pair in everyone if pair[0] == i]) for i in agents]
        return LostReturn(_stack(pair, (len(agents), len(agents))), _stack(sender, (len(agents),)), without(everyone))

    return MessageWorth(interval(full), lost("cut"), lost("swapped"))


def smallest_graph(policy: AnyTeam, *, keep: float = 0.95, episodes: int = 1000, seed: int = 0) -> TalkGraph:
    """The fewest pairs that need to talk for the team to keep a share of its return.

    Up to three agents, graphs are tried by size until one suffices. With more, pairs are taken away one by one, those
    first whose single cut costs least, as long as the rest suffices.

    Args:
      policy: as for `record_episodes`.
      keep: the return must be at least R - (1 - keep) |R|, where R is the return when all talk.
      episodes: B, of each graph, the same for all; the result is judged on others.
      seed: decides the episodes and all else.

    Raises:
      ValueError: `keep` outside 0 .. 1, or fewer than 2 episodes.
    """
    if not 0.0 <= keep <= 1.0:
        raise ValueError(f"keep is {keep}: must be a share from 0 to 1")
    judge, fresh = _Judge(policy, episodes, seed), _Judge(policy, episodes, seed + 1)
    everyone = list(itertools.permutations(range(judge.agents), 2))

    def left(pairs: Sequence[Pair], judge: _Judge = judge) -> float:
        """The return that is left when these alone talk."""
        return float(judge.returns(cut=set(everyone) - set(pairs)).mean())

    full = left(everyone)
    enough = full - (1.0 - keep) * abs(full)
    exhaustive = len(everyone) <= EXHAUSTIVE
    found = (_fewest if exhaustive else _take_away)(everyone, left, enough)
    return TalkGraph(_square(judge.agents, found), left(found, fresh), left(everyone, fresh), keep, exhaustive)


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


class _Judge:
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
