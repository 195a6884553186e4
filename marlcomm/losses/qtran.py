"""QTRAN's losses (Son et al. 2019): the agents' values are to follow a joint action value that others teach.

With D(a) = sum_i Q_i(a_i) - Q_jt(s, a) + V_jt(s), where Q_jt takes no gradient, they ask D = 0 at the agents' greedy
joint action and D >= 0 elsewhere: then greedy agents do what Q_jt holds best (theorem 1). Each is a mean over real
steps. They read what `QTRANMixer` reports in `Unroll.mixing`.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from marlcomm.losses.masking import masked_mean
from marlcomm.types import Episodes, Unroll

_Loss = tuple[jax.Array, dict[str, jax.Array]]


def optimality_loss(unroll: Unroll, episodes: Episodes, hparams: Any) -> _Loss:
    """L_opt (section 3.2): the square of D at the greedy joint action."""
    gap = _difference(unroll, "greedy_")
    return masked_mean(gap**2, _weight(unroll)), {"gap": masked_mean(jnp.abs(gap), _weight(unroll))}


def nonoptimality_loss(unroll: Unroll, episodes: Episodes, hparams: Any) -> _Loss:
    """L_nopt (section 3.2) of QTRAN-base: the square of D at what was done, where it is negative."""
    gap = jnp.minimum(_difference(unroll, ""), 0.0)
    return masked_mean(gap**2, _weight(unroll)), {"gap": masked_mean(-gap, _weight(unroll))}


def counterfactual_loss(unroll: Unroll, episodes: Episodes, hparams: Any) -> _Loss:
    """L_nopt-min (section 3.3) of QTRAN-alt: the square of the least D over the allowed actions of each agent.

    Not only what is below 0 is pressed: each agent has an action at which D is 0, which makes the others' gap wider.
    """
    allowed = episodes.action_mask[:, : unroll.weight.shape[1]]
    has_choice = allowed.any(-1)
    counts = has_choice * _weight(unroll)[..., None]
    gap = _difference(unroll, "other_")
    least = jnp.min(jnp.where(allowed | ~has_choice[..., None], gap, jnp.inf), -1)
    return masked_mean(least**2, counts), {"gap": masked_mean(jnp.abs(least), counts)}


def _weight(unroll: Unroll) -> jax.Array:
    """[B, T] 1 on real steps."""
    return unroll.weight[..., 0]


def _difference(unroll: Unroll, which: str) -> jax.Array:
    """[B, T] or [B, T, N, A]: D, and 0 on padding."""
    utilities, joint = unroll.mixing[f"{which}utilities"], unroll.mixing[f"{which}joint"]
    counts, state_value = _weight(unroll), unroll.mixing["state_value"]
    extra = (1,) * (joint.ndim - state_value.ndim)
    counts, state_value = (x.reshape(*x.shape, *extra) for x in (counts, state_value))
    return jnp.where(counts > 0, utilities - jax.lax.stop_gradient(joint) + state_value, 0.0)
