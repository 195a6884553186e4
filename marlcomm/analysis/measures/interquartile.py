"""The interquartile mean over seeds, and how sure it is."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.stats import bootstrap, trim_mean


class Middle(NamedTuple):
    """An interquartile mean and its 95 % interval."""

    mean: float
    low: float
    high: float


def interquartile_mean(values: np.ndarray, resamples: int = 10_000) -> Middle:
    """The mean of the middle half of the seeds, and its percentile bootstrap interval (Agarwal et al. 2021).

    Args:
      values: [P]; what is not finite is left out. A single seed has no interval.
      resamples: of the bootstrap.
    """
    finite = values[np.isfinite(values)].astype(float)
    if finite.size < 2:
        return Middle(float(finite.mean()) if finite.size else np.nan, np.nan, np.nan)

    def middle(values: np.ndarray, axis: int) -> np.ndarray:
        return trim_mean(values, 0.25, axis)

    interval = bootstrap((finite,), middle, n_resamples=resamples, method="percentile", rng=0).confidence_interval
    return Middle(float(middle(finite, 0)), float(interval.low), float(interval.high))
