"""Codes: messages of any channel, discretized into a small vocabulary for each sender and receiver."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from scipy.cluster import vq

from marlcomm.analysis.measures.information import entropy
from marlcomm.analysis.measures.recorded import RecordedEpisodes
from marlcomm.short_repr import ShortRepr

DISTINCT = 32  # up to so many different things are told apart as they are
MAX_CODES = 8  # of more, so many clusters are made
STARTS = 5  # of k-means, which finds a local optimum
FITTED = 4000  # rows that clusters are fitted to, at most


@dataclass(frozen=True, repr=False)
class Codes(ShortRepr):
    """Codes of every sender for every receiver; K is the largest number of codes of a pair.

    Attributes:
      label: [B, T, N, N] int, the code sent; -1 where one of both is not alive, and on padding.
      content: [N, N, K, D] message of each code, in lexicographic order; NaN where a pair has fewer codes.
      count: [N, N] int, codes of each pair; 0 on the diagonal.
      entropy: [N, N] bits, of the code sent at a step, at most log2 of the count; NaN where nothing is sent.
    """

    label: np.ndarray
    content: np.ndarray
    count: np.ndarray
    entropy: np.ndarray


def find_codes(recorded: RecordedEpisodes, num_codes: int | None = None) -> Codes:
    """Discretizes the messages of each sender to each receiver into codes.

    Args:
      recorded: from `record_episodes`.
      num_codes: clusters for pairs with more than 32 distinct messages; None selects from 1 to 8 by a likelihood
        criterion. See `discretize`.
    """
    pairs = recorded.offered
    agents, dims = recorded.content.shape[-2:]
    label = np.full(pairs.shape, -1)
    entropies = np.full((agents, agents), np.nan)
    found: dict[tuple[int, int], np.ndarray] = {}
    for i, j in np.argwhere(pairs.any((0, 1))).tolist():
        said = pairs[:, :, i, j]
        label[said, i, j], found[i, j] = discretize(recorded.content[:, :, i, j][said], num_codes)
        entropies[i, j] = entropy(np.bincount(label[said, i, j]))
    content = np.full((agents, agents, max(map(len, found.values()), default=0), dims), np.nan)
    count = np.zeros((agents, agents), int)
    for pair, centers in found.items():
        content[pair][: len(centers)], count[pair] = centers, len(centers)
    return Codes(label, content, count, entropies)


def discretize(values: np.ndarray, num_codes: int | None = MAX_CODES) -> tuple[np.ndarray, np.ndarray]:
    """Clusters rows: a code for each.

    Up to 32 different rows (to a thousandth) are told apart as they are. Of more, k-means makes `num_codes` clusters;
    for None it makes the number from 1 to 8 that the integrated classification likelihood prefers, so that one blurred
    code is not counted as several (Biernacki, Celeux and Govaert 2000; spheres of one size).

    Args:
      values: [M, F].
      num_codes: number of clusters, or None.

    Returns:
      label [M] int, and the clusters' centers [K, F] in lexicographic order.
    """
    if not values.shape[1] or not len(values):
        return np.zeros(len(values), int), np.zeros((min(1, len(values)), values.shape[1]))
    rounded = np.round(values.astype(float), 3) + 0.0  # no negative zeros
    rows, label = np.unique(rounded, axis=0, return_inverse=True)
    if len(rows) <= DISTINCT:
        return label.reshape(-1), rows
    some = rounded[np.linspace(0, len(rounded) - 1, min(FITTED, len(rounded))).astype(int)]
    tried = [_cluster(some, k) for k in (range(1, MAX_CODES + 1) if num_codes is None else [num_codes])]
    centers = min(tried, key=lambda centers: _criterion(some, centers))
    return vq.vq(rounded, centers)[0], centers


def _cluster(values: np.ndarray, num_codes: int) -> np.ndarray:
    """The best of several starts of k-means."""
    rng = np.random.default_rng(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # an empty cluster, which goes
        tried = [vq.kmeans2(values, num_codes, iter=30, minit="++", rng=rng) for _ in range(STARTS)]
    centers, label = min(tried, key=lambda found: ((values - found[0][found[1]]) ** 2).sum())
    centers = centers[np.unique(label)]
    return centers[np.lexsort(centers.T[::-1])]


def _criterion(values: np.ndarray, centers: np.ndarray) -> float:
    """Minus twice the integrated classification likelihood, up to what is the same for all numbers of clusters."""
    label, distance = vq.vq(values, centers)
    size = values.size
    variance = max(float((distance**2).sum()) / size, 1e-12)
    nats = entropy(np.bincount(label)) * np.log(2)
    return size * np.log(variance) + 2 * len(values) * nats + centers.size * np.log(len(values))
