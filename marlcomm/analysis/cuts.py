"""What a team is worth when more and more of what it says is cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from marlcomm.messages.edits import RankCut
from marlcomm.training.evaluate import Trained, assess, calibrate_cut, on_host

FRACTIONS = (0.0, 0.5, 0.8, 0.9, 1.0)


@dataclass(frozen=True)
class CutCurve:
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
    run: Trained,
    fractions: Sequence[float] = FRACTIONS,
    kind: Literal["cut", "rank_cut"] = "cut",
    *,
    whole: bool = False,
    episodes: int = 1000,
    seed: int = 0,
) -> CutCurve:
    """Evaluates every member of a run at several cuts, on the same fresh episodes' seed.

    Args:
      run: from `train` or `load_run`.
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
    if episodes < 1:
        raise ValueError(f"episodes is {episodes}: must be at least 1")

    def uncut(params: Any, key: jax.Array) -> dict[str, jax.Array]:
        return assess(run.algorithm, params, key, None, episodes)

    def cut(params: Any, key: jax.Array, fraction: jax.Array) -> dict[str, jax.Array]:
        if kind == "rank_cut":
            return assess(run.algorithm, params, key, RankCut(fraction, whole), episodes)
        other_key = jax.random.fold_in(key, 1)  # a threshold must hold on episodes that it was not made for
        edit = calibrate_cut(run.algorithm, params, other_key, fraction, episodes, whole)
        return assess(run.algorithm, params, key, edit, episodes) | {"threshold": jnp.asarray(edit.threshold)}

    # The share is traced: one compiled program serves all of them.
    of_uncut = jax.jit(run.population.spread(uncut, shared=1))
    of_cut = jax.jit(run.population.spread(cut, shared=2))
    key = jax.random.PRNGKey(seed)
    found = [
        of_cut(run.params, key, jnp.float32(fraction)) if fraction > 0 else of_uncut(run.params, key)
        for fraction in fractions
    ]
    return _stack(kind, fractions, [on_host(row) for row in found])


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
