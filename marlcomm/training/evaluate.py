"""What a trained team is worth, with and without edits to its messages."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from marlcomm.algorithms.algorithm import Algorithm
from marlcomm.learners.collect import team_return
from marlcomm.learners.state import Decision
from marlcomm.messages.channel import said_by_channel
from marlcomm.messages.edits import (
    CalibratedCut,
    CutBelow,
    Edit,
    OneOf,
    chain_edits,
    pairs_at_work,
    parse_edits,
)
from marlcomm.training.drivers import Player, driver_of
from marlcomm.training.population import Population
from marlcomm.training.saved import as_population
from marlcomm.training.schedule import COUNTERS_END
from marlcomm.types import Episodes, Messages, Scalar, bits_sent
from marlcomm.validation import check_count, check_seed

CALIBRATION_ROUNDS = 12  # halvings: a threshold near 5 is found to a thousandth


class Trained(Protocol):
    """A trained population: what `train` and `load_run` give."""

    @property
    def algorithm(self) -> Algorithm: ...
    @property
    def population(self) -> Population: ...
    @property
    def params(self) -> Any: ...  # leading axis P


@functools.partial(jax.jit, inline=True)
def assess(episodes: Episodes, decisions: Decision) -> dict[str, jax.Array]:
    """A team's worth over whole episodes; each value is [].

    Args:
      episodes: leading axis B; decisions: what stood behind their actions, leading axes [B, T].

    Returns:
      return: the team's undiscounted return; won: share of episodes won; episode_length: steps; sent_fraction: share of
      the entries between agents alive that were sent and not lost; bits_per_step: bits that the whole team sends in one
      environment step.
    """
    pairs = pairs_at_work(episodes)[..., None]
    dims = decisions.messages.sent.shape[-1]
    sent = _count(decisions.messages.sent & pairs) / jnp.maximum(_count(pairs) * dims, 1.0)
    bits = jnp.where(episodes.valid, bits_sent(decisions.messages).sum(-1), 0.0).sum() / episodes.valid.sum()
    return {
        "return": team_return(episodes).mean(),
        "won": episodes.won.mean(),
        "episode_length": episodes.valid.sum(1).mean(),
        "sent_fraction": sent,
        "bits_per_step": bits,
    }


def assess_player(player: Player, key: jax.Array, edit: Edit | None = None) -> dict[str, jax.Array]:
    """What `assess` finds of a team that plays greedily, with an edit to its messages; a task that knows no winning
    has no `won`."""
    played = player.play(key, edit)
    found = assess(played.episodes, played.decisions)
    return found if player.algorithm.env.reports_won else {name: x for name, x in found.items() if name != "won"}


def assess_edited(player: Player, key: jax.Array, edits: Sequence[Edit]) -> dict[str, Any]:
    """As `assess_player`, with several edits, of which one may be a calibrated cut; adds its `threshold`."""
    key, calibration_key = jax.random.split(key)
    ready, found = [], {}
    for edit in edits:
        if isinstance(edit, CalibratedCut):
            edit = calibrate_cut(player, calibration_key, edit.fraction, edit.whole)
            found = {"threshold": edit.threshold}
        ready.append(edit)
    return assess_player(player, key, chain_edits(ready)) | found


def calibrate_cut(player: Player, key: jax.Array, fraction: Scalar, whole: bool = False) -> CutBelow:
    """The threshold that cuts the share nearest to `fraction` of what is said between agents.

    What the channel withholds by itself counts neither as said nor as cut. With `whole`, the cut decides on messages,
    and so the share is that of messages.

    A cut changes what agents do and so what they say: every threshold is tried with itself in force, by bisection.
    Where agents say only a few different things, no threshold cuts the very share: look at `sent_fraction`
    (which also lacks what the channel withholds by itself).
    """
    return CutBelow(find_threshold(player, key, fraction, whole), whole)


def find_threshold(player: Player, key: jax.Array, fraction: Scalar, whole: jax.Array | bool) -> jax.Array:
    """[] the threshold of `calibrate_cut`; `whole` may be traced, so that one compiled program serves both."""

    def halve(bounds: tuple, key: jax.Array) -> tuple:
        low, cut_at_low, high, cut_at_high = bounds
        first = jnp.isinf(high)  # finds how loud the loudest is: in the same row, so that playing is compiled once
        middle = jnp.where(first, 0.0, (low + high) / 2)
        edit = OneOf(jnp.int32(whole), (CutBelow(middle), CutBelow(middle, whole=True)))
        played = player.play(key, edit)
        cut, loudest = _share_cut(played.episodes, played.decisions.messages, whole)
        high, enough = jnp.where(first, loudest + 1.0, high), (cut >= fraction) & ~first
        low, cut_at_low = jnp.where(enough, low, middle), jnp.where(enough | first, cut_at_low, cut)
        high, cut_at_high = jnp.where(enough, middle, high), jnp.where(enough, cut, cut_at_high)
        return low, cut_at_low, high, cut_at_high

    first_key, key = jax.random.split(key)
    keys = jnp.concatenate([first_key[None], jax.random.split(key, CALIBRATION_ROUNDS)])
    low, cut_at_low, high, cut_at_high = player.repeat(halve, tuple(map(jnp.float32, (0.0, 0.0, jnp.inf, 1.0))), keys)
    nearest = jnp.where(fraction - cut_at_low < cut_at_high - fraction, low, high)
    return jnp.where(fraction >= 1.0, jnp.inf, jnp.where(fraction <= 0.0, 0.0, nearest))


@functools.partial(jax.jit, inline=True)
def _share_cut(episodes: Episodes, messages: Messages, whole: jax.Array | bool) -> tuple[jax.Array, jax.Array]:
    """[] the share that edits cut of what the channel said between agents, and [] the greatest importance of that."""
    pairs = pairs_at_work(episodes)[..., None]
    said = pairs & said_by_channel(messages)
    before, after = (jnp.where(whole, _count(x.any(-1)), _count(x)) for x in (said, pairs & messages.sent))
    cut = 1.0 - after / jnp.maximum(before, 1.0)
    return cut, jnp.where(said, messages.importance, 0.0).max(initial=0.0)


def evaluate(
    run: Trained | str | Path, *, edits: Edit | str | Sequence[Edit | str] = (), episodes: int = 1000, seed: int = 0
) -> dict[str, np.ndarray]:
    """Every member of a run over fresh greedy episodes, with edits to its messages.

    Args:
      run: from `train` or `load_run`, or a run folder.
      edits: what happens to messages on their way, in this order; edits or their names, such as "cut:0.8".
      episodes: how many for each member.
      seed: decides everything.

    Returns:
      name -> array [P]; the names are those of `assess`, and `threshold` where a cut was calibrated.

    Raises:
      UsageError: what is no run, an edit that does not exist, no episodes, more than memory can hold, or no seed; a
        ValueError.
    """
    trained = as_population(run)
    episodes = check_episodes(trained.algorithm, "episodes", episodes)
    key = jax.random.PRNGKey(check_seed("seed", seed))
    ready = parse_edits(edits)

    driver, members = driver_of(trained.algorithm), trained.population
    program = driver.measurer(assess_edited, trained.algorithm, episodes, members, shared=2)
    return on_host(program(trained.params, key, tuple(ready)))


def on_host(found: Mapping[str, jax.Array]) -> dict[str, np.ndarray]:
    """What `assess` found for each member, as numpy arrays [P]; `won` is NaN where the task knows no winning."""
    arrays = {name: np.asarray(value) for name, value in found.items()}
    return {"return": arrays["return"], "won": np.full_like(arrays["return"], np.nan)} | arrays


def _count(which: jax.Array) -> jax.Array:
    """[] float32 how many are True of [B, ...]: of all episodes together there may be more than 32 bits can count."""
    return which.reshape(which.shape[0], -1).sum(1).astype(jnp.float32).sum()


def check_episodes(algorithm: Algorithm, name: str, episodes: Any) -> int:
    """The number of episodes to evaluate, if their steps can be counted; else a UsageError about `name`."""
    return check_count(name, episodes, 1, (COUNTERS_END - 1) // algorithm.env.horizon)
