"""Plug-in estimates of entropy and mutual information from counts, and a permutation test over episodes."""

from __future__ import annotations

import numpy as np


def entropy(counts: np.ndarray) -> np.ndarray:
    """[...] bits: the entropy of counts [..., K], by the plug-in estimator.

    The estimate is too small on few samples, by about (K - 1) / (2 M ln 2) bits of M samples.
    """
    share = counts / counts.sum(-1, keepdims=True)
    bits = share * np.log2(share, where=share > 0, out=np.zeros_like(share, float))
    return np.abs(bits.sum(-1))  # every term is at most zero


def mutual_information(counts: np.ndarray) -> np.ndarray:
    """[...] bits: the mutual information of counts [..., K, L], by the plug-in estimator.

    The estimate is too large on few samples, by about (K - 1)(L - 1) / (2 M ln 2) bits of M independent samples.
    """
    both = counts.reshape(*counts.shape[:-2], -1)
    bits = entropy(counts.sum(-1)) + entropy(counts.sum(-2)) - entropy(both)
    return np.maximum(bits, 0.0)  # rounding may leave a hair below zero


def joint_counts(first: np.ndarray, second: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """[K, L] how often each of K labels met each of L, each time counted by its weight; all three have one shape."""
    kinds = int(first.max(initial=0)) + 1, int(second.max(initial=0)) + 1
    counted = weight > 0
    flat = first[counted] * kinds[1] + second[counted]
    return np.bincount(flat, weight[counted], minlength=kinds[0] * kinds[1]).reshape(kinds)


def permutation_test(
    first: np.ndarray, second: np.ndarray, counted: np.ndarray, permutations: int, rng: np.random.Generator
) -> tuple[float, float, float]:
    """Permutation test of the mutual information of two labels, given the time step.

    Steps of an episode are not independent, so whole episodes are permuted: the first label of one episode meets the
    second of another at the same step, where both go on; each step weighs as much as it did. So what both labels share
    because they follow the clock counts as chance, and the test errs to the safe side where lengths differ.

    Args:
      first: [B, T] int; second: [B, T] int; counted: [B, T] bool, the steps that count.
      permutations: how many; the smallest possible p-value is 1 / (permutations + 1).
      rng: randomness.

    Returns:
      the mutual information, its mean over permutations, both in bits, and the p-value.
    """
    if not counted.any():
        return 0.0, 0.0, 1.0
    found = float(mutual_information(joint_counts(first, second, counted.astype(float))))
    chance = np.empty(permutations)
    for number in range(permutations):
        other = rng.permutation(len(first))
        both = counted & counted[other]
        weight = both * (counted.sum(0) / np.maximum(both.sum(0), 1))
        chance[number] = mutual_information(joint_counts(first[other], second, weight)) if both.any() else 0.0
    as_large = (chance >= found - 1e-9).sum()
    return found, float(chance.mean()), float((1 + as_large) / (1 + permutations))
