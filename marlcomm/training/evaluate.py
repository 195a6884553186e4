"""What a trained team is worth, with and without edits to its messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from marlcomm.algorithms.algorithm import Algorithm
from marlcomm.envs.api import Environment
from marlcomm.learners.collect import team_return
from marlcomm.messages.channel import bits_sent, said_by_channel
from marlcomm.messages.edits import (
    CalibratedCut,
    CutBelow,
    Edit,
    OneOf,
    chain_edits,
    pairs_at_work,
    parse_edits,
)
from marlcomm.training.memory import compute, require_room_to_run
from marlcomm.training.population import Population
from marlcomm.training.saved import as_population
from marlcomm.training.schedule import COUNTERS_END
from marlcomm.types import Scalar
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


def assess(
    algorithm: Algorithm, params: Any, key: jax.Array, edit: Edit | None = None, episodes: int = 1000
) -> dict[str, jax.Array]:
    """One member's worth, greedy, over fresh episodes; each value is [].

    Returns:
      return: the team's undiscounted return; won: share of episodes won (left out where the task knows no winning);
      episode_length: steps; sent_fraction: share of the entries between living agents that were sent;
      bits_per_step: bits that the whole team sends in one environment step.
    """
    played, decision, _ = algorithm.play(params, key, num_envs=episodes, edit=edit)
    offered = pairs_at_work(played)[..., None]
    dims = decision.messages.sent.shape[-1]
    sent = _count(decision.messages.sent & offered) / jnp.maximum(_count(offered) * dims, 1.0)
    bits = jnp.where(played.valid, bits_sent(decision.messages).sum(-1), 0.0).sum() / played.valid.sum()
    won = {"won": played.won.mean()} if knows_winning(algorithm.env) else {}
    return {
        "return": team_return(played).mean(),
        **won,
        "episode_length": played.valid.sum(1).mean(),
        "sent_fraction": sent,
        "bits_per_step": bits,
    }


def calibrate_cut(
    algorithm: Algorithm, params: Any, key: jax.Array, fraction: Scalar, episodes: int = 1000, whole: bool = False
) -> CutBelow:
    """The threshold that cuts the share nearest to `fraction` of what is said between agents, for one member.

    What the channel withholds by itself counts neither as said nor as cut. With `whole`, the cut decides on messages,
    and so the share is that of messages.

    A cut changes what agents do and so what they say: every threshold is tried with itself in force, by bisection.
    Where agents say only a few different things, no threshold cuts the very share: look at `sent_fraction`.
    """
    return CutBelow(find_threshold(algorithm, params, key, fraction, episodes, whole), whole)


def find_threshold(
    algorithm: Algorithm, params: Any, key: jax.Array, fraction: Scalar, episodes: int, whole: jax.Array | bool
) -> jax.Array:
    """[] the threshold of `calibrate_cut`; `whole` may be traced, so that one compiled program serves both."""

    def cut_by(threshold: Scalar, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        edit = OneOf(jnp.int32(whole), (CutBelow(threshold), CutBelow(threshold, whole=True)))
        played, decision, _ = algorithm.play(params, key, num_envs=episodes, edit=edit)
        messages, pairs = decision.messages, pairs_at_work(played)[..., None]
        said = pairs & said_by_channel(messages)
        before, after = (jnp.where(whole, _count(x.any(-1)), _count(x)) for x in (said, pairs & messages.sent))
        cut = 1.0 - after / jnp.maximum(before, 1.0)
        return cut, jnp.where(said, messages.importance, 0.0).max(initial=0.0)

    def halve(bounds: tuple, key: jax.Array) -> tuple[tuple, None]:
        low, cut_at_low, high, cut_at_high = bounds
        first = jnp.isinf(high)  # finds how loud the loudest is: in the same scan, so that playing is compiled once
        middle = jnp.where(first, 0.0, (low + high) / 2)
        cut, loudest = cut_by(middle, key)
        high, enough = jnp.where(first, loudest + 1.0, high), (cut >= fraction) & ~first
        low, cut_at_low = jnp.where(enough, low, middle), jnp.where(enough | first, cut_at_low, cut)
        high, cut_at_high = jnp.where(enough, middle, high), jnp.where(enough, cut, cut_at_high)
        return (low, cut_at_low, high, cut_at_high), None

    first_key, key = jax.random.split(key)
    keys = jnp.concatenate([first_key[None], jax.random.split(key, CALIBRATION_ROUNDS)])
    start = tuple(map(jnp.float32, (0.0, 0.0, jnp.inf, 1.0)))
    bounds, _ = jax.lax.scan(halve, start, keys)
    low, cut_at_low, high, cut_at_high = bounds
    nearest = jnp.where(fraction - cut_at_low < cut_at_high - fraction, low, high)
    return jnp.where(fraction >= 1.0, jnp.inf, jnp.where(fraction <= 0.0, 0.0, nearest))


def assess_with(
    algorithm: Algorithm, params: Any, key: jax.Array, edits: Sequence[Edit], episodes: int = 1000
) -> dict[str, Any]:
    """As `assess`, with several edits, of which one may be a calibrated cut; adds its `threshold`."""
    key, calibration_key = jax.random.split(key)
    ready, found = [], {}
    for edit in edits:
        if isinstance(edit, CalibratedCut):
            edit = calibrate_cut(algorithm, params, calibration_key, edit.fraction, episodes, edit.whole)
            found = {"threshold": edit.threshold}
        ready.append(edit)
    return assess(algorithm, params, key, chain_edits(ready), episodes) | found


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

    def of_one(params: Any, key: jax.Array) -> dict[str, jax.Array]:
        return assess_with(trained.algorithm, params, key, ready, episodes)

    program = jax.jit(trained.population.spread(of_one, shared=1)).lower(trained.params, key).compile()
    require_room_to_run(program, trained.population.mesh().size, "evaluation", f"lower episodes={episodes}")
    found = compute(program, trained.params, key)
    return on_host(found)


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


def knows_winning(env: Environment) -> bool:
    """Whether the task reports `won`."""
    _, first = jax.eval_shape(env.reset, jax.random.PRNGKey(0))
    return "won" in first.extras
