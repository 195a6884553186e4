"""Return as a function of the share of message entries that is cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from marlcomm.messages.edits import CutBelow, OneOf, RankCut
from marlcomm.short_repr import ShortRepr
from marlcomm.training.drivers import Player, driver_of
from marlcomm.training.evaluate import Trained, assess_player, check_episodes, find_threshold, on_host
from marlcomm.training.saved import as_population
from marlcomm.validation import check_seed

FRACTIONS = (0.0, 0.5, 0.8, 0.9, 1.0)


@dataclass(frozen=True, repr=False)
class CutCurve(ShortRepr):
    """Return and bits of every member at every share of messages cut. F shares, P members.

    Attributes:
      kind: "cut" or "rank_cut".
      fraction: [F] share that was to be cut.
      team_return: [F, P] undiscounted return.
      won: [F, P] share of episodes won; NaN where the task knows no winning.
      sent_fraction: [F, P] share of the entries between agents alive that was sent: neither cut nor withheld by the
        channel.
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
    """Evaluates every member of a run at several cuts, with the same seed for all.

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
    measure = _assess_cut if kind == "cut" else _assess_rank_cut
    of, driver = (run.algorithm, episodes, run.population), driver_of(run.algorithm)
    assess_cut = driver.measurer(measure, *of, shared=2, quick=True)
    calibrate = driver.measurer(find_threshold, *of, shared=3, quick=True)
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


def _assess_cut(player: Player, number: jax.Array, key: jax.Array, which: jax.Array) -> dict[str, jax.Array]:
    """What `assess` finds where nothing, entries, or messages below the threshold `number` [] are cut: `which` []."""
    return assess_player(player, key, OneOf(which, (None, CutBelow(number), CutBelow(number, whole=True))))


def _assess_rank_cut(player: Player, number: jax.Array, key: jax.Array, which: jax.Array) -> dict[str, jax.Array]:
    """The same, where the share `number` [] is cut at every step."""
    return assess_player(player, key, OneOf(which, (None, RankCut(number), RankCut(number, whole=True))))


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
