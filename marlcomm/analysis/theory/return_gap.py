"""The return gap of discrete messages, and its bound (RGMComm, Chen et al. 2024, eq. 5-10), for tables; in numpy.

A table holds action values Q*[o_j, o_-j, a]: J observations of the sender, C contexts (what all others see, together),
A joint actions. Any leading axes may stand before these: many games at once. `probability` [..., J, C] is how often
sender and others see what; uniform by default. A label [..., J] says what the sender sends for each observation.

The team acts on (o_-j, label). So the gap here is exact in one-step games where the sender itself does not act, and
else an upper bound, as a sender that acts may use its own observation.

The scale: Eq. 3 takes J as (1 - discount) V, and Eq. 4 makes of that a mean of plain Q* over the visited observations.
So gaps of J, per step, stand beside bounds made of plain action values.

What the published proof leaves open, and what is done here:

- The theorem is an order, O(sqrt(epsilon) n Q_max). With the constant 1, as the paper's Fig. 6 uses it, it does not
  hold, whichever Q_max is meant (`printed_bound`; counterexamples stand in its test). The constant
  sqrt(2 C) for a sender makes it hold: Phi takes one entry a context, so Phi(x) <= sqrt(C) |x|.
- Q_max is the largest absolute action value in the main text and the largest norm of a vector in the appendix; the
  rigorous bound needs the norm.
- The paper projects a vector onto cos(theta) times the center; it must be (|Q| cos(theta) / |H|) times the center, of
  which the mean over a cluster is the center.
- That projection may have a negative factor, which Phi does not let pass. With the factor cut off at 0, a vector of
  cosine c < 0 costs at most sqrt(C) |Q| (1 - c), which sqrt(2 C epsilon) |Q| covers too: the bound holds for values of
  any sign.
- Eq. 22 averages within a cluster without weights; here as in Eq. 6, by how often each observation occurs.
- Beyond one step, the visits in Eq. 8 are those of the very policy that is the best answer to them. Where there is such
  a policy, all of this holds for it (`tabular.label_policy`, and its test).

For a trained team, a table of K1 sampled observations, C sampled contexts and all actions, filled in by a critic, makes
all of this an estimate; `average_cosine_distance` takes the bare K1 x K2 matrix of the clustering loss.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

CLUSTERINGS_AT_MOST = 1_000_000  # that `exact_clustering` tries
_AT_ONCE = 4096


@dataclass(frozen=True)
class SenderGap:
    """Return gap of one sender's labels, and its upper bounds. Arrays [...], one entry for each game.

    Attributes:
      ideal_return: J(pi*): everybody sees everything.
      labeled_return: J(pi, g): the others know the sender's label only, and do the best with it.
      distance: epsilon of Eq. 6, the mean cosine distance of action-value vectors to the center of their cluster.
      largest_norm: max |Q(o_j)|, the appendix's Q_max.
      largest_value: max |Q*(o, a)|, the main text's Q_max.
      tight_bound: the rigorous bound before it is simplified: each vector with its own norm and distance.
      contexts: C.
    """

    ideal_return: np.ndarray
    labeled_return: np.ndarray
    distance: np.ndarray
    largest_norm: np.ndarray
    largest_value: np.ndarray
    tight_bound: np.ndarray
    contexts: int

    @property
    def gap(self) -> np.ndarray:
        """[...] J(pi*) - J(pi, g), the right side of Eq. 8; never negative."""
        return self.ideal_return - self.labeled_return

    @property
    def bound(self) -> np.ndarray:
        """[...] sqrt(2 C) Q_max sqrt(epsilon), with the norm as Q_max: never below `gap`."""
        return np.sqrt(2 * self.contexts * self.distance) * self.largest_norm

    def printed_bound(self, num_agents: int, q_max: np.ndarray | float | None = None) -> np.ndarray:
        """[...] sqrt(epsilon) n Q_max (Eq. 10 with the constant 1). It can lie below `gap`.

        Args:
          num_agents: n.
          q_max: the norm by default.
        """
        return np.sqrt(self.distance) * num_agents * (self.largest_norm if q_max is None else q_max)


def sender_gap(values: Any, labels: Any, probability: Any = None) -> SenderGap:
    """The exact return gap of one sender's labels, and its upper bounds.

    Args:
      values: [..., J, C, A] action values Q*.
      labels: [..., J] int, 0 or more.
      probability: [..., J, C] of sender's observation and context; uniform by default. Need not sum to 1.

    Raises:
      ValueError: shapes that do not fit, labels below 0, or a probability below 0.
    """
    values, labels, probability = _check(values, labels, probability)
    vectors, own = _weigh(values, probability)
    center = cluster_centers(vectors, labels, own)
    labeled = np.einsum("...m,...m->...", center.weight, _best(center.vector))
    nearest = np.take_along_axis(center.vector, labels[..., None, None], -3)  # [..., J, C, A]: each one's own center
    distance = cosine_distance(_flat(vectors), _flat(nearest))  # [..., J]
    norm = np.linalg.norm(_flat(vectors), axis=-1)
    outside = np.where(distance < 1.0, np.sqrt(np.clip(distance * (2.0 - distance), 0.0, None)), distance)
    contexts = values.shape[-2]
    return SenderGap(
        ideal_return=(own * _best(vectors)).sum(-1),
        labeled_return=labeled,
        distance=(own * distance).sum(-1),
        largest_norm=np.where(own > 0, norm, 0.0).max(-1),
        largest_value=np.abs(np.where(probability[..., None] > 0, values, 0.0)).max((-3, -2, -1)),
        tight_bound=np.sqrt(contexts) * (own * norm * outside).sum(-1),
        contexts=contexts,
    )


@dataclass(frozen=True)
class Centers:
    """The centers of clusters (Eq. 21).

    Attributes:
      vector: [..., M, C, A], zero where nothing has the label.
      weight: [..., M] how often each label is sent, d(m).
    """

    vector: np.ndarray
    weight: np.ndarray


def cluster_centers(vectors: np.ndarray, labels: np.ndarray, own: np.ndarray) -> Centers:
    """The mean action-value vector of each label, weighted by how often each observation occurs (Eq. 21).

    Args:
      vectors: [..., J, C, A] from `weighted_action_values`.
      labels: [..., J] int.
      own: [..., J] probability of the sender's observations.
    """
    member = (labels[..., None] == np.arange(labels.max() + 1)) * own[..., None]  # [..., J, M]
    weight = member.sum(-2)
    total = np.einsum("...jm,...jca->...mca", member, vectors)
    return Centers(_ratio(total, weight[..., None, None]), weight)


def weighted_action_values(values: Any, probability: Any = None) -> np.ndarray:
    """[..., J, C, A] -> the same: Eq. 5, action values weighted by how often each context comes with o_j.

    The vector of an observation is its [C, A] entries; that they stand in a table keeps Phi simple.
    """
    values = np.asarray(values, float)
    return _weigh(values, _check_probability(probability, values.shape))[0]


def average_cosine_distance(vectors: Any, labels: Any, own: Any = None) -> np.ndarray:
    """[...] epsilon of Eq. 6, of vectors [..., J, K] of any origin, such as a critic's over K sampled columns.

    Args:
      vectors: [..., J, K].
      labels: [..., J] int, 0 or more.
      own: [..., J] how often each row occurs; uniform by default. Need not sum to 1.
    """
    vectors = np.asarray(vectors, float)[..., None]
    own = np.ones(vectors.shape[:-2]) if own is None else np.asarray(own, float)
    # with one context of all columns, action values are the vectors themselves
    return sender_gap(np.swapaxes(vectors, -1, -2), labels, own[..., None]).distance


def exact_clustering(values: Any, vocab_size: int, probability: Any = None) -> np.ndarray:
    """[J] the labels, at most `vocab_size` of them, with the smallest epsilon; all clusterings are tried.

    The first observation has label 0, and each new label is the next number.

    Args:
      values: [J, C, A] action values; one game.
      vocab_size: M, at least 1.
      probability: [J, C]; uniform by default.

    Raises:
      ValueError: M below 1, or too many clusterings to try.
    """
    if vocab_size < 1:
        raise ValueError(f"vocab_size is {vocab_size}: must be at least 1")
    values = np.asarray(values, float)
    rows = len(values)
    if (count := count_clusterings(rows, vocab_size)) > CLUSTERINGS_AT_MOST:
        raise ValueError(
            f"{rows} observations have {count} clusterings into {vocab_size} labels: at most {CLUSTERINGS_AT_MOST} can "
            "be tried; losses.clustering_loss learns one by gradient"
        )
    best, smallest = np.zeros(rows, int), np.inf
    for labels in _batches(all_clusterings(rows, vocab_size)):
        distance = sender_gap(values, labels, probability).distance
        if distance.min() < smallest - 1e-12:
            best, smallest = labels[distance.argmin()], distance.min()
    return best


def all_clusterings(rows: int, vocab_size: int) -> Iterator[tuple[int, ...]]:
    """Every way to put `rows` things under at most `vocab_size` labels, up to the labels' names.

    Each new label is the next number (a restricted growth string), so that no way comes twice.
    """
    if rows == 0:
        yield ()
        return
    for labels in all_clusterings(rows - 1, vocab_size):
        for label in range(min(max(labels, default=-1) + 2, vocab_size)):
            yield (*labels, label)


def count_clusterings(rows: int, vocab_size: int) -> int:
    """How many `all_clusterings` gives: a sum of Stirling numbers of the second kind."""
    ways = [1] + [0] * vocab_size  # [labels used so far]
    for _ in range(rows):
        ways = [0] + [ways[used] * used + ways[used - 1] for used in range(1, vocab_size + 1)]
    return sum(ways)


@dataclass(frozen=True)
class TeamGap:
    """Return gap of the labels of a whole team (Theorem 4.3).

    Attributes:
      ideal_return: [...] everybody sees everything.
      labeled_return: [...] everybody knows all labels only, and the team does the best with them. A real agent also
        knows its own observation, and can do no worse.
      senders: what each agent's labels would cost alone.
    """

    ideal_return: np.ndarray
    labeled_return: np.ndarray
    senders: tuple[SenderGap, ...]

    @property
    def gap(self) -> np.ndarray:
        """[...] what all labels together cost; never negative."""
        return self.ideal_return - self.labeled_return

    @property
    def bound(self) -> np.ndarray:
        """[...] the sum of the senders' rigorous bounds: never below `gap`.

        Agents pass from observations to labels one by one. At each step the contexts of those before have been merged
        into labels, and Phi of a sum is at most the sum of Phis, so each sender's own bound still covers its step.
        """
        return np.sum([sender.bound for sender in self.senders], axis=0)


def team_gap(values: Any, labels: Sequence[Any], probability: Any = None) -> TeamGap:
    """The gap of one-step games in which every agent sends labels, and Theorem 4.3's bound with its constants.

    Args:
      values: [..., O_1, ..., O_n, A] action values of what the n agents see and do.
      labels: n arrays [O_i] int; `np.arange(O_i)` for an agent whose observation everybody knows.
      probability: [..., O_1, ..., O_n]; uniform by default.

    Raises:
      ValueError: fewer agents than axes, or anything that `sender_gap` rejects.
    """
    values = np.asarray(values, float)
    count = len(labels)
    if values.ndim < count + 1:
        raise ValueError(f"values have shape {values.shape}: {count} agents need {count + 1} axes or more")
    seen = values.shape[-count - 1 : -1]
    games = values.shape[: -count - 1]
    uniform = np.ones((*games, *seen)) if probability is None else np.asarray(probability, float)
    senders = []
    for agent in range(count):
        first = np.moveaxis(values, agent - count - 1, -count - 1).reshape(*games, seen[agent], -1, values.shape[-1])
        weight = np.moveaxis(uniform, agent - count, -count).reshape(*games, seen[agent], -1)
        senders.append(sender_gap(first, labels[agent], weight))
    # all agents as one sender, and nothing else to be seen
    cells = np.indices(seen).reshape(count, -1)
    sizes = [int(np.max(label)) + 1 for label in labels]
    together = np.ravel_multi_index([np.asarray(label)[cells[i]] for i, label in enumerate(labels)], sizes)
    joint = sender_gap(values.reshape(*games, -1, 1, values.shape[-1]), together, uniform.reshape(*games, -1, 1))
    return TeamGap(joint.ideal_return, joint.labeled_return, tuple(senders))


def cosine_distance(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """[..., K], [..., K] -> [...] 1 - cosine, in 0 .. 2; 1 where either vector is zero."""
    one, two = _unit(first), _unit(second)
    # half the squared distance of unit vectors: where the cosine is nearly 1, 1 - cosine would be all rounding
    distance = 0.5 * ((one - two) ** 2).sum(-1)
    return np.where(one.any(-1) & two.any(-1), distance, 1.0)


def _check(values: Any, labels: Any, probability: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    values, labels = np.asarray(values, float), np.asarray(labels)
    if values.ndim < 3:
        raise ValueError(f"values have shape {values.shape}: must be [..., observations, contexts, actions]")
    if labels.shape[-1:] != values.shape[-3:-2]:
        raise ValueError(f"labels have shape {labels.shape}: must end with the {values.shape[-3]} observations")
    if not np.issubdtype(labels.dtype, np.integer) or labels.min() < 0:
        raise ValueError("labels must be whole numbers, 0 or more")
    games = np.broadcast_shapes(values.shape[:-3], labels.shape[:-1])
    return (
        np.broadcast_to(values, (*games, *values.shape[-3:])),
        np.broadcast_to(labels, (*games, labels.shape[-1])),
        _check_probability(probability, values.shape),
    )


def _check_probability(probability: Any, shape: tuple[int, ...]) -> np.ndarray:
    """[..., J, C], summing to 1."""
    probability = np.ones(shape[-3:-1]) if probability is None else np.asarray(probability, float)
    if probability.shape[-2:] != shape[-3:-1]:
        raise ValueError(f"probability has shape {probability.shape}: must end with {shape[-3:-1]}")
    if probability.min() < 0 or not probability.sum((-2, -1)).all():
        raise ValueError("probability must not be below 0, nor all 0")
    return probability / probability.sum((-2, -1), keepdims=True)


def _weigh(values: np.ndarray, probability: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    own = probability.sum(-1)  # [..., J]
    return values * _ratio(probability, own[..., None])[..., None], own


def _best(vectors: np.ndarray) -> np.ndarray:
    """Phi: [..., C, A] -> [...], the sum over contexts of the largest entry."""
    return vectors.max(-1).sum(-1)


def _flat(vectors: np.ndarray) -> np.ndarray:
    return vectors.reshape(*vectors.shape[:-2], -1)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return _ratio(vectors, np.linalg.norm(vectors, axis=-1, keepdims=True))


def _ratio(value: np.ndarray, by: np.ndarray) -> np.ndarray:
    return np.divide(value, by, out=np.zeros(np.broadcast_shapes(value.shape, by.shape)), where=by != 0)


def _batches(clusterings: Iterator[tuple[int, ...]]) -> Iterator[np.ndarray]:
    while batch := list(itertools.islice(clusterings, _AT_ONCE)):
        yield np.array(batch)
