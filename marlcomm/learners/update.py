"""Gradient steps: losses weighted and summed, and steps of which nothing is kept that is not finite."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from marlcomm.learners.state import LearnerState
from marlcomm.losses.interval import Timed, When
from marlcomm.types import Episodes, Loss
from marlcomm.validation import UsageError

Metrics = dict[str, jax.Array]


def weighted_sum(
    losses: Mapping[str, Loss], unroll: Any, episodes: Episodes, hparams: Any, when: When
) -> tuple[jax.Array, Metrics]:
    """The losses, each times `hparams.weights[name]`, and metrics: each by name, its own as `name/detail`.

    `when` is for losses that are taken at `Every` so many gradient steps, or `Since` an environment step.

    Raises:
      UsageError: a loss reads what the channel does not report, or gives no pair of a number and metrics.
    """
    total, metrics = jnp.float32(0.0), {}
    for name, loss in losses.items():
        given = unroll, episodes, hparams
        try:
            value, details = _pair(name, loss.at(when, *given) if isinstance(loss, Timed) else loss(*given))
        except KeyError as error:
            there = ", ".join(sorted(unroll.auxiliary)) or "nothing"
            raise UsageError(f"the loss {name!r} finds no {error}: the channel reports {there}") from error
        total = total + hparams.weights[name] * value
        metrics |= {name: value} | {f"{name}/{detail}": x for detail, x in details.items()}
    return total, {"loss": total} | metrics


def steps_left(steps: int) -> jax.Array:
    """[steps] int32 how many gradient steps of a row are still to come, for each of them."""
    return jnp.arange(steps - 1, -1, -1, jnp.int32)


def guarded_step(
    state: LearnerState, optimizer: optax.GradientTransformation, gradient: Any, metrics: Metrics, ready: jax.Array
) -> tuple[LearnerState, Metrics, jax.Array]:
    """One gradient step, which is not taken unless loss and gradient are finite.

    Args:
      state: `params`, `optimizer`, `updates` and `healthy` are read and may change.
      optimizer: what moves the parameters.
      gradient: as `state.params`.
      metrics: of the loss, with `loss` among them.
      ready: [] bool, whether there is anything to learn from.

    Returns:
      the new state, which is the old one but for `healthy` where a number was not finite; the metrics with
      `gradient_norm`; [] bool, whether a step was taken.
    """
    updates, moments = optimizer.update(gradient, state.optimizer, state.params)
    new, old = (optax.apply_updates(state.params, updates), moments), (state.params, state.optimizer)
    metrics = metrics | {"gradient_norm": optax.global_norm(gradient)}
    finite = jnp.isfinite(metrics["loss"]) & jnp.isfinite(metrics["gradient_norm"])
    taken = ready & state.healthy & finite
    params, moments = choose(taken, new, old)
    healthy = state.healthy & (finite | ~ready)
    updates = state.updates + taken
    return state.replace(params=params, optimizer=moments, updates=updates, healthy=healthy), metrics, taken


def guarded_row(
    update: Callable[[LearnerState, Any], tuple[LearnerState, Metrics]], state: LearnerState, turns: Any
) -> tuple[LearnerState, Metrics]:
    """Gradient steps in a row, of which nothing is kept if what they would store is not finite.

    Every step looks at its loss and gradient. Parameters and what the optimizer remembers are looked at once a row: at
    every step that took a tenth of MADDPG's time.

    Args:
      update: (state, turn) -> (state, metrics), such as by `guarded_step`.
      state: without replay, which would be copied; turns: what each step is given, leading axis U.

    Returns:
      the new state, and the metrics of the last step, or of the first at which a metric was not finite.
    """
    learned, metrics = jax.lax.scan(update, state, turns)
    sound = still_finite((learned.params, learned.optimizer), (state.params, state.optimizer))
    kept = choose(sound, learned, state.replace(healthy=jnp.bool_(False)))
    return kept, jax.tree.map(_telling, metrics)


def still_finite(new: Any, old: Any) -> jax.Array:
    """[] bool: whether every number of a pytree is finite that was so before."""
    kept = jax.tree.map(lambda new, old: (jnp.isfinite(new) | ~jnp.isfinite(old)).all(), new, old)
    return jnp.stack(jax.tree.leaves(kept)).all()


def choose(condition: jax.Array, chosen: Any, otherwise: Any) -> Any:
    """One of two pytrees of the same shapes."""
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), chosen, otherwise)


def _pair(name: str, found: Any) -> tuple[jax.Array, Metrics]:
    """What a loss gave. Raises UsageError where that is not a number and metrics."""
    if not (isinstance(found, tuple) and len(found) == 2 and jnp.shape(found[0]) == () and isinstance(found[1], dict)):
        parts = found if isinstance(found, tuple) else (found,)
        gives = ", ".join(f"shape {jnp.shape(x)}" if hasattr(x, "shape") else type(x).__name__ for x in parts)
        raise UsageError(f"the loss {name!r} gives {gives}: must give a pair, a number of shape () and a dict")
    return found


def _telling(x: jax.Array) -> jax.Array:
    broken = ~jnp.isfinite(x)
    return x[jnp.where(broken.any(), jnp.argmax(broken), x.shape[0] - 1)]
