"""The best team of agents that cannot talk, exactly, in tasks whose steps are not random."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

Node = tuple[tuple[int, ...], ...]  # of each state that is possible: itself, and what each agent knows it by


def informed_values(reward: np.ndarray, following: np.ndarray) -> np.ndarray:
    """[T, states, A, ..., A] the best return of a team that knows the state, after each joint action at each step.

    Args:
      reward: [T, states, A, ..., A].
      following: of the same shape, the next state, or -1 where the episode is over.
    """
    values, later = np.zeros(reward.shape), np.zeros(reward.shape[1] + 1)  # the last entry is worth nothing
    for t in reversed(range(len(reward))):
        values[t] = reward[t] + later[following[t]]
        later = np.append(values[t].reshape(reward.shape[1], -1).max(axis=1), 0.0)
    return values


def best_silent_value(
    starts: Sequence[int], views: np.ndarray, reward: np.ndarray, following: np.ndarray
) -> tuple[float, float]:
    """The best mean return over equally likely start states: of a silent team that remembers, and of an informed one.

    Every deterministic policy of each agent, from all that it has seen to an action, is searched; what the informed
    team earns bounds what is left. States that no agent could take for each other are searched apart.

    Args:
      starts: state indices; views: [states, N] a number for what each agent sees.
      reward, following: as above.
    """
    horizon, agents, actions = len(reward), views.shape[1], reward.shape[2]
    bound = informed_values(reward, following)

    @cache
    def value(t: int, node: Node) -> float:
        labels = [sorted({entry[1 + i] for entry in node}) for i in range(agents)]
        sizes = [len(each) for each in labels]
        owns = [[sum(sizes[:i]) + labels[i].index(entry[1 + i]) for i in range(agents)] for entry in node]
        hoped = np.zeros((actions,) * sum(sizes))  # one axis for each thing that an agent may know, its action there
        for entry, own in zip(node, owns, strict=True):
            shape = np.ones(hoped.ndim, int)
            shape[own] = actions
            hoped = hoped + bound[t, entry[0]].reshape(shape)
        best = -np.inf
        for number in np.argsort(-hoped, axis=None):
            choice = np.unravel_index(number, hoped.shape)
            if hoped[choice] <= best + 1e-9:
                break
            best = max(best, played(t, node, [tuple(int(choice[k]) for k in own) for own in owns]))
        return best

    def played(t: int, node: Node, joint: list[tuple[int, ...]]) -> float:
        total, after = 0.0, []
        for entry, action in zip(node, joint, strict=True):
            total += float(reward[(t, entry[0], *action)])
            state = int(following[(t, entry[0], *action)])
            if state >= 0 and t + 1 < horizon:
                after.append((state, *((entry[1 + i], int(views[state, i])) for i in range(agents))))
        return total + sum(value(t + 1, part) for part in parts(after))

    start = [(state, *((0, int(view)) for view in views[state])) for state in starts]
    silent = sum(value(0, part) for part in parts(start)) / len(starts)
    informed = bound[0].reshape(len(views), -1).max(axis=1)[list(starts)].mean()
    return silent, float(informed)


def parts(entries: list[tuple]) -> list[Node]:
    """Splits possible states where no agent knows two of them by the same; what is known is then just numbered."""
    left, found = list(entries), []
    while left:
        part, grown = [left.pop()], True
        while grown:
            near = [e for e in left if any(e[i] == p[i] for p in part for i in range(1, len(e)))]
            left = [e for e in left if e not in near]
            part, grown = part + near, bool(near)
        part.sort()
        numbers = [{} for _ in part[0][1:]]
        found.append(
            tuple((e[0], *(each.setdefault(e[1 + i], len(each)) for i, each in enumerate(numbers))) for e in part)
        )
    return found
