"""Optimizers: functions from hyper-parameters to an optax transformation."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax

from marlcomm.validation import UsageError, check_choice

MakeOptimizer = Callable[[Any], optax.GradientTransformation]
Optimizer = optax.GradientTransformation | MakeOptimizer
ASKED_FOR = ("learning_rate", "critic_learning_rate", "learning_rate_decay_to", "gradient_clip")


def torch_rmsprop(hparams: Any, decay: float = 0.99, eps: float = 1e-5) -> optax.GradientTransformation:
    """RMSprop as PyTorch's (eps outside the root) after clipping by global norm; by default with PyMARL's numbers."""
    return _after_clipping(hparams, optax.rmsprop(hparams.learning_rate, decay=decay, eps=eps, eps_in_sqrt=False))


def adam(hparams: Any, eps: float = 1e-5) -> optax.GradientTransformation:
    """Adam after clipping by global norm; eps as MAPPO has it."""
    return _after_clipping(hparams, optax.adam(hparams.learning_rate, eps=eps))


def apart(rate: float, rest: MakeOptimizer = torch_rmsprop) -> MakeOptimizer:
    """The channel and the joint critic each by an optimizer of its own, so that none disturbs another's scale.

    Args:
      rate: of the channel's learning rate to the team's; its optimizer is Adam (published with RGMComm: 2e-3).
      rest: the optimizer of everything else, and of a joint critic.
    """

    def make(hparams: Any) -> optax.GradientTransformation:
        channel = adam(hparams.replace(learning_rate=rate * hparams.learning_rate))
        each: dict[Hashable, Any] = {"channel": channel, "joint_critic": rest(hparams), "team": rest(hparams)}

        def of_those_in(params: Any) -> optax.GradientTransformation:
            parts = _parts(params)
            found = set(jax.tree.leaves(parts))  # what is flattened must not be empty
            return optax.partition({name: each[name] for name in each if name in found}, parts)

        def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
            return of_those_in(updates).update(updates, state, params)

        return optax.GradientTransformation(lambda params: of_those_in(params).init(params), update)

    return make


def _parts(params: Any) -> Any:
    """The name of the part that each array of `params` belongs to."""

    def part(path: tuple, _: Any) -> str:
        names = [getattr(entry, "key", None) for entry in path]
        return next((name for name in ("channel", "joint_critic") if name in names), "team")

    return jax.tree_util.tree_map_with_path(part, params)


@dataclass(frozen=True)
class Own:
    """An optimizer of the user's, which asks for no hyper-parameter."""

    transformation: optax.GradientTransformation

    def __call__(self, hparams: Any) -> optax.GradientTransformation:
        """See `MakeOptimizer`."""
        return self.transformation


def as_function(optimizer: Optimizer | str) -> MakeOptimizer:
    """What a user passed as `optimizer`: a transformation, a function from hyper-parameters to one, or a name.

    Raises:
      UsageError: it is none of these, or there is no optimizer of that name.
    """
    if isinstance(optimizer, str):
        return _BY_NAME[check_choice("optimizer", optimizer, tuple(_BY_NAME))]
    if isinstance(optimizer, optax.GradientTransformation):
        return Own(optimizer)
    if not callable(optimizer) or _takes_a_rate(optimizer):
        name = getattr(optimizer, "__name__", repr(optimizer))
        raise UsageError(
            f"optimizer={name} must be an optax transformation, such as optax.adam(1e-3), or a function of "
            "hyper-parameters that makes one, such as lambda hparams: optax.adam(hparams.learning_rate)."
        )
    return optimizer


def refuse_unused(optimizer: Any, names: Iterable[str]) -> None:
    """Raises UsageError where one of `names` is only for optimizers that ask for it, and this is one that does not."""
    unused = [name for name in names if name in ASKED_FOR]
    if unused and isinstance(optimizer, Own | optax.GradientTransformation):
        raise UsageError(
            f"{unused[0]} says nothing to an optimizer of your own: give a function of hyper-parameters, such as "
            "lambda hparams: optax.adam(hparams.learning_rate), or leave it out."
        )


def _takes_a_rate(optimizer: Callable[..., Any]) -> bool:
    """Whether it is a function of optax's, such as `optax.adam`, in place of what it gives."""
    try:
        parameters = list(inspect.signature(optimizer).parameters)
    except (TypeError, ValueError):  # a function that does not say
        return False
    return parameters[:1] == ["learning_rate"]


def _after_clipping(hparams: Any, step: optax.GradientTransformation) -> optax.GradientTransformation:
    clip = jnp.asarray(hparams.gradient_clip, jnp.float32)
    clip = jnp.where(clip > 0, clip, jnp.inf)  # 0 is no clipping: optax would divide a gradient of 0 by its norm
    # one vector instead of many small arrays: the same numbers, fewer kernels
    return optax.flatten(optax.chain(optax.clip_by_global_norm(clip), step))


_BY_NAME: dict[str, MakeOptimizer] = {"adam": adam, "rmsprop": torch_rmsprop}
