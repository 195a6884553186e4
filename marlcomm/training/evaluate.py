"""What a trained team is worth, with and without edits to its messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import chex
import jax
import jax.numpy as jnp

from marlcomm.algorithms.algorithm import Algorithm
from marlcomm.envs.api import Environment
from marlcomm.learners.collect import team_return
from marlcomm.messages.channel import bits_sent
from marlcomm.messages.edits import CalibratedCut, CutBelow, Edit, chain_edits
from marlcomm.types import Episodes, Messages, others

CALIBRATION_ROUNDS = 4


def assess(
    algorithm: Algorithm, params: Any, key: chex.PRNGKey, edit: Edit | None = None, episodes: int = 1000
) -> dict[str, chex.Array]:
    """One member's worth, greedy, over fresh episodes; each value is [].

    Returns:
      return: the team's undiscounted return; won: share of episodes won (NaN where the task knows no winning);
      episode_length: steps; sent_fraction: share of the entries between living agents that were sent;
      bits_per_step: bits that the whole team sends in one environment step.
    """
    played, decision, _ = algorithm.play(params, key, num_envs=episodes, edit=edit)
    offered = _offered(played)
    dims = decision.messages.sent.shape[-1]
    sent = (decision.messages.sent & offered[..., None]).sum() / jnp.maximum(offered.sum() * dims, 1)
    bits = jnp.where(played.valid, bits_sent(decision.messages).sum(-1), 0.0).sum() / played.valid.sum()
    return {
        "return": team_return(played).mean(),
        "won": played.won.mean() if knows_winning(algorithm.env) else jnp.float32(jnp.nan),
        "episode_length": played.valid.sum(1).mean(),
        "sent_fraction": sent,
        "bits_per_step": bits,
    }


def calibrate_cut(
    algorithm: Algorithm, params: Any, key: chex.PRNGKey, fraction: chex.Numeric, episodes: int = 1000
) -> CutBelow:
    """The threshold that cuts the share `fraction` of all entries between agents, for one member.

    A cut changes what agents do and so what they say; the threshold is found anew with itself in force a few times.
    """
    threshold = jnp.float32(0.0)
    for round_key in jax.random.split(key, CALIBRATION_ROUNDS):
        played, decision, _ = algorithm.play(params, round_key, num_envs=episodes, edit=CutBelow(threshold))
        quantile = importance_quantile(played, decision.messages, fraction)
        threshold = jnp.where(fraction >= 1.0, jnp.inf, quantile)
    return CutBelow(threshold)


def importance_quantile(episodes: Episodes, messages: Messages, fraction: chex.Numeric) -> chex.Array:
    """[] the importance below which the share `fraction` of the entries between agents lies."""
    counts = jnp.broadcast_to(_offered(episodes)[..., None], messages.importance.shape)
    return jnp.nanquantile(jnp.where(counts, messages.importance, jnp.nan), fraction)


def assess_with(
    algorithm: Algorithm, params: Any, key: chex.PRNGKey, edits: Sequence[Edit], episodes: int = 1000
) -> dict[str, chex.Array]:
    """As `assess`, with several edits, of which one may be a calibrated cut; adds its `threshold`."""
    key, calibration_key = jax.random.split(key)
    ready, found = [], {}
    for edit in edits:
        if isinstance(edit, CalibratedCut):
            edit = calibrate_cut(algorithm, params, calibration_key, edit.fraction, episodes)
            found = {"threshold": edit.threshold}
        ready.append(edit)
    return assess(algorithm, params, key, chain_edits(ready), episodes) | found


def knows_winning(env: Environment) -> bool:
    """Whether the task reports `won`."""
    _, first = jax.eval_shape(env.reset, jax.random.PRNGKey(0))
    return "won" in first.extras


def _offered(episodes: Episodes) -> chex.Array:
    """[B, T, N, N] bool: pairs of different living agents at real steps."""
    alive = episodes.alive[:, :-1]
    pairs = alive[..., :, None] & alive[..., None, :] & others(alive.shape[-1])
    return pairs & episodes.valid[..., None, None]
