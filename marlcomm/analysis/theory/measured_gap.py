"""The return gap of trained teams, from recorded episodes (RGMComm, Chen et al. 2024, section 5.2 and Fig. 6).

Episodes tell what is lost, what is seen how often, and which label goes with it. They do not tell what other actions
would have been worth: epsilon, Q_max and the bounds need action values, from a critic or an exact solution. So
`tabulate` gives the table to fill in, and `sender_gap(values, seen.label, seen.probability)` the rest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from marlcomm.analysis.measures.recorded import RecordedEpisodes
from marlcomm.short_repr import ShortRepr


@dataclass(frozen=True, repr=False)
class MeasuredGap(ShortRepr):
    """Return gap of a team to the fully informed one, with standard errors.

    Attributes:
      episode_gap: of the undiscounted return of an episode, as the paper's Fig. 6 plots it.
      episode_error: its standard error.
      step_gap: of J = (1 - discount) * discounted return (Eq. 3): the scale of Eq. 4's bounds. An episode that ends
        earns nothing afterwards.
      step_error: its standard error.
    """

    episode_gap: float
    episode_error: float
    step_gap: float
    step_error: float


def measure_gap(ideal: RecordedEpisodes, team: RecordedEpisodes, discount: float) -> MeasuredGap:
    """J(pi*) - J(pi, g) of two trained teams on the same task.

    Args:
      ideal: of a team that sees everything (`FullObservation`).
      team: of the team that talks.
      discount: at least 0 and below 1.

    Raises:
      ValueError: a discount out of its range, or fewer than 2 episodes.
    """
    if not 0.0 <= discount < 1.0:
        raise ValueError(f"discount is {discount}: must be at least 0 and below 1")
    if min(len(ideal.returns), len(team.returns)) < 2:
        raise ValueError("a standard error needs at least 2 episodes of each team")
    return MeasuredGap(
        *_difference(ideal.returns, team.returns),
        *_difference(_average_return(ideal, discount), _average_return(team, discount)),
    )


@dataclass(frozen=True, repr=False)
class SeenTable(ShortRepr):
    """Empirical joint distribution of one sender's and the others' observations, with the sender's labels.

    Attributes:
      observation: [J, O] each different view of the sender, in lexicographic order.
      context: [C, N - 1, O] each different view of all others together.
      probability: [J, C] how often both came together, of the steps that count.
      label: [J] int, the number of what the sender said most often with that view.
      consistency: share of the steps on which the sender said that; below 1 where it also goes by something else than
        its view, or samples.
    """

    observation: np.ndarray
    context: np.ndarray
    probability: np.ndarray
    label: np.ndarray
    consistency: float


def tabulate(recorded: RecordedEpisodes, sender: int) -> SeenTable:
    """Counts observations and labels over valid steps, for tasks with few distinct views.

    What a sender says is what it sends to the next agent (`sender` + 1, from 0 again after the last): meant for
    channels that tell everybody the same, such as `ClusterChannel`. Steps count on which both are alive.

    Raises:
      ValueError: no such agent, or the two are never alive together.
    """
    views = recorded.episodes.agents_view
    agents = views.shape[2]
    if not 0 <= sender < agents:
        raise ValueError(f"sender is {sender}: must be in 0 .. {agents - 1}")
    receiver = (sender + 1) % agents
    real = recorded.offered[:, :, sender, receiver]  # else zeros would count as seen and said
    if not real.any():
        raise ValueError(f"sender is {sender}: it is never alive together with agent {receiver}, which is to hear it")
    seen = np.asarray(views)[:, :-1][real]  # [M, N, O]
    others = np.delete(seen, sender, 1)
    observation, own = _number(seen[:, sender])
    context, around = _number(others.reshape(len(seen), -1))
    _, said = _number(recorded.content[:, :, sender, receiver][real])
    probability = _count(own, around) / len(seen)
    by_view = _count(own, said)
    return SeenTable(
        observation=observation,
        context=context.reshape(-1, *others.shape[1:]),
        probability=probability,
        label=by_view.argmax(1),
        consistency=float(by_view.max(1).sum() / len(seen)),
    )


def _number(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Different rows [K, F] of [M, F], and which one each is [M]."""
    different, number = np.unique(rows, axis=0, return_inverse=True)
    return different, number.reshape(-1)


def _count(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    counts = np.zeros((first.max() + 1, second.max() + 1))
    np.add.at(counts, (first, second), 1.0)
    return counts


def _average_return(recorded: RecordedEpisodes, discount: float) -> np.ndarray:
    """[B] (1 - discount) times the discounted return of the team."""
    reward = np.where(recorded.episodes.valid, np.asarray(recorded.episodes.reward, float).mean(-1), 0.0)
    return (1.0 - discount) * reward @ discount ** np.arange(reward.shape[1])


def _difference(ideal: np.ndarray, team: np.ndarray) -> tuple[float, float]:
    error = np.sqrt(ideal.var(ddof=1) / len(ideal) + team.var(ddof=1) / len(team))
    return float(ideal.mean() - team.mean()), float(error)
