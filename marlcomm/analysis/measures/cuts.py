"""What a team is worth when more and more of what it says is cut."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from marlcomm.algorithms.algorithm import Algorithm
from marlcomm.analysis.measures.recorded import QUICK, Same
from marlcomm.messages.edits import CutBelow, OneOf, RankCut
from marlcomm.short_repr import ShortRepr
from marlcomm.training.evaluate import Trained, assess, check_episodes, find_threshold, on_host
from marlcomm.training.population import Population
from marlcomm.training.saved import as_population
from marlcomm.validation import check_seed

FRACTIONS = (0.0, 0.5, 0.8, 0.9, 1.0)


@dataclass(frozen=True, repr=False)
class CutCurve(ShortRepr):
    """Every member's worth at every share that was cut. F shares, P members.

    Attributes:
      kind: "cut" or "rank_cut".
      fraction: [F] share that was to be cut.
      team_return: [F, P] undiscounted return.
      won: [F, P] share of episodes won; NaN where the task knows no winning.
      sent_fraction: [F, P] share of the entries between living agents that was sent.
      bits_per_step: [F, P] bits of the whole team in an environment step.
      threshold: [F, P] importance below which entries were cut; 0 where nothing is, NaN for "rank_cut".
    """

    kind: str
    fraction: np.ndarray
    team_return: np.ndarray
    won: np.ndarray
    sent_fraction: np.ndarray
    bits_per_step: np.ndarray
    threshold: np.ndarray


def cut_curve(
    run: Trained | str | Path,
    fractions: Sequence[float] = FRACTIONS,
    kind: Literal["cut", "rank_cut"] = "cut",
    *,
    whole: bool = False,
    episodes: int = 1000,
    seed: int = 0,
) -> CutCurve:
    """Evaluates every member of a run at several cuts, on the same fresh episodes' seed.

    Args:
      run: a run folder, or what `train` or `load_run` gave.
      fractions: shares of the message entries to cut; at 0 no edit acts, so no mask is paid for.
      kind: "cut" finds, for every member and share, one fixed threshold; "rank_cut" cuts that share of every step, as
        NDQ released it (it also cuts what agents tell themselves).
      whole: cut messages, by their most important entry, in place of single entries; shares are then of messages.
      episodes: for each member and share.
      seed: decides everything.

    Raises:
      ValueError: another kind, no or impossible fractions, or no episodes.
    """
    if kind not in ("cut", "rank_cut"):
        raise ValueError(f"kind is {kind!r}: must be 'cut' or 'rank_cut'")
    if not len(fractions) or not all(0.0 <= fraction <= 1.0 for fraction in fractions):
        raise ValueError(f"fractions is {tuple(fractions)}: must be numbers from 0 to 1, at least one")
    run = as_population(run)
    episodes = check_episodes(run.algorithm, "episodes", episodes)
    calibrate, assess_cut = _programs(Same(run.algorithm), Same(run.population), kind, episodes)
    key, members = jax.random.PRNGKey(check_seed("seed", seed)), len(run.population)
    other_key = jax.random.fold_in(key, 1)  # a threshold must hold on episodes that it was not made for
    found = []
    for fraction in fractions:
        row, number = {}, np.full(members, fraction)
        if kind == "cut":
            row["threshold"] = number = np.full(members, np.inf if fraction >= 1.0 else 0.0)
            if 0.0 < fraction < 1.0:
                row["threshold"] = number = calibrate(run.params, other_key, np.float32(fraction), whole)
        which = 0 if fraction == 0 else 2 if whole else 1
        assessed = assess_cut(run.params, jnp.asarray(number, jnp.float32), key, np.int32(which))
        found.append(on_host(assessed) | jax.device_get(row))
    return _stack(kind, fractions, found)


@functools.lru_cache(maxsize=16)
def _programs(algorithm: Same[Algorithm], population: Same[Population], kind: str, episodes: int) -> tuple[Any, Any]:
    """Two compiled programs over the population, kept: shares, thresholds and what is cut are traced.

    Returns:
      (params, key, share [], whether whole messages are cut []) -> thresholds [P];
      (params, threshold or share [P], key, which of nothing, entries, messages is cut []) -> what `assess` gives.
    """
    make = RankCut if kind == "rank_cut" else CutBelow

    def calibrate(params: Any, key: jax.Array, fraction: jax.Array, whole: jax.Array) -> jax.Array:
        return find_threshold(algorithm.value, params, key, fraction, episodes, whole)

    def assess_cut(params: Any, number: jax.Array, key: jax.Array, which: jax.Array) -> dict[str, jax.Array]:
        edit = OneOf(which, (None, make(number), make(number, whole=True)))
        return assess(algorithm.value, params, key, edit, episodes)

    spread = population.value.spread
    return (
        jax.jit(spread(calibrate, shared=3), compiler_options=QUICK),
        jax.jit(spread(assess_cut, shared=2), compiler_options=QUICK),
    )


def _stack(kind: str, fractions: Sequence[float], found: list[dict[str, Any]]) -> CutCurve:
    members = np.shape(found[0]["return"])
    missing = np.nan if kind == "rank_cut" else 0.0
    table = {
        name: np.stack([np.asarray(row.get(name, np.full(members, missing))) for row in found])
        for name in ("return", "won", "sent_fraction", "bits_per_step", "threshold")
    }
    return CutCurve(
        kind,
        np.asarray(fractions, float),
        table["return"],
        table["won"],
        table["sent_fraction"],
        table["bits_per_step"],
        table["threshold"],
    )
