"""Positive signaling and positive listening (Lowe et al. 2019, sections 3 and 4), by mutual information."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import false_discovery_control

from marlcomm.analysis.measures.codes import MAX_CODES, discretize, find_codes
from marlcomm.analysis.measures.information import permutation_test
from marlcomm.analysis.measures.recorded import RecordedEpisodes, chosen, later
from marlcomm.short_repr import ShortRepr


@dataclass(frozen=True, repr=False)
class Dependence(ShortRepr):
    """Mutual information of messages and another variable, by sender and receiver; NaN for pairs never both alive.

    Attributes:
      bits: [N, N] mutual information by the plug-in estimator, which chance and the clock alone make larger than zero.
      chance: [N, N] bits that remain when messages come from another episode: chance and the clock.
      p_value: [N, N] of finding as many bits by chance, corrected for the number of pairs (Benjamini and Hochberg).
    """

    bits: np.ndarray
    chance: np.ndarray
    p_value: np.ndarray

    @property
    def excess(self) -> np.ndarray:
        """[N, N] bits beyond chance, at least 0."""
        return np.maximum(self.bits - self.chance, 0.0)

    def found(self, level: float = 0.05) -> np.ndarray:
        """[N, N] bool: pairs whose p-value is at most `level`."""
        return np.nan_to_num(self.p_value, nan=1.0) <= level


@dataclass(frozen=True, repr=False)
class Signaling(ShortRepr):
    """Mutual information of messages with observations and with actions.

    Attributes:
      about_view: positive signaling: message and the sender's view of that step.
      about_action: positive listening: message and the receiver's action at the step in which it arrives. Not causal,
        as both may follow what sender and receiver observe alike: see `intervene`.
    """

    about_view: Dependence
    about_action: Dependence


def measure_signaling(recorded: RecordedEpisodes, *, permutations: int = 499, seed: int = 0) -> Signaling:
    """Mutual information between messages, views and actions, for each sender and receiver.

    Messages and views are made discrete first (up to 32 different ones as they are, else 8 clusters), which can only
    lose information: apart from the bias that `chance` shows, the bits are a lower bound.

    Args:
      recorded: from `record_episodes`; a few hundred episodes or more.
      permutations: of each pair's test.
      seed: decides the permutations.

    Raises:
      ValueError: permutations below 1.
    """
    if permutations < 1:
        raise ValueError(f"permutations is {permutations}: must be at least 1")
    rng = np.random.default_rng(seed)
    said, pairs = find_codes(recorded, MAX_CODES).label, recorded.offered
    heard, arriving = later(said, recorded.delay), recorded.arriving
    seen = _views(recorded)
    done = chosen(np.asarray(recorded.episodes.action), recorded.episodes.action.ndim == 4)
    agents = pairs.shape[-1]
    found = np.full((2, 3, agents, agents), np.nan)
    for i, j in np.argwhere(pairs.any((0, 1))).tolist():
        tests = (said, seen[:, :, i], pairs), (heard, done[:, :, j], arriving)
        for number, (code, label, counted) in enumerate(tests):
            table = code[:, :, i, j], label, counted[:, :, i, j]
            found[number, :, i, j] = permutation_test(*table, permutations, rng)
    return Signaling(*(_dependence(*table) for table in found))


def _dependence(bits: np.ndarray, chance: np.ndarray, p_value: np.ndarray) -> Dependence:
    tested = ~np.isnan(p_value)
    corrected = p_value.copy()
    if tested.any():
        corrected[tested] = false_discovery_control(p_value[tested])
    return Dependence(bits, chance, corrected)


def _views(recorded: RecordedEpisodes) -> np.ndarray:
    """[B, T, N] int: which view each agent had, numbered for each agent by itself."""
    seen = np.asarray(recorded.episodes.agents_view)[:, :-1]
    real = np.asarray(recorded.episodes.valid)[..., None] & np.asarray(recorded.episodes.alive)[:, :-1]
    label = np.zeros(real.shape, int)
    for agent in range(real.shape[-1]):
        label[real[..., agent], agent] = discretize(seen[:, :, agent][real[..., agent]])[0]
    return label
