"""Optimisers: functions from hyper-parameters to an optax transformation."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import jax
import optax

MakeOptimiser = Callable[[Any], optax.GradientTransformation]
Optimiser = optax.GradientTransformation | MakeOptimiser


def torch_rmsprop(hparams: Any, decay: float = 0.99, eps: float = 1e-5) -> optax.GradientTransformation:
    """RMSprop as PyTorch's (eps outside the root) after clipping by global norm; by default with PyMARL's numbers."""
    return _after_clipping(hparams, optax.rmsprop(hparams.learning_rate, decay=decay, eps=eps, eps_in_sqrt=False))


def adam(hparams: Any, eps: float = 1e-5) -> optax.GradientTransformation:
    """Adam after clipping by global norm; eps as MAPPO has it."""
    return _after_clipping(hparams, optax.adam(hparams.learning_rate, eps=eps))


def apart(rate: float, rest: MakeOptimiser = torch_rmsprop) -> MakeOptimiser:
    """The channel and the teacher each by an optimiser of its own, so that none disturbs another's scale.

    Args:
      rate: of the channel's learning rate to the team's; its optimiser is Adam (published with RGMComm: 2e-3).
      rest: the optimiser of everything else, and of a teacher.
    """

    def make(hparams: Any) -> optax.GradientTransformation:
        channel = adam(hparams.replace(learning_rate=rate * hparams.learning_rate))
        each: dict[Hashable, Any] = {"channel": channel, "teacher": rest(hparams), "team": rest(hparams)}

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
        return next((name for name in ("channel", "teacher") if name in names), "team")

    return jax.tree_util.tree_map_with_path(part, params)


def as_function(optimiser: Optimiser | str) -> MakeOptimiser:
    """What a user passed as `optimiser`: a transformation, a function from hyper-parameters to one, or a name.

    Raises:
      ValueError: there is no optimiser of that name.
    """
    if isinstance(optimiser, str):
        if optimiser not in _BY_NAME:
            raise ValueError(f"optimiser is {optimiser!r}: one of {', '.join(_BY_NAME)}, or an optax transformation")
        return _BY_NAME[optimiser]
    return optimiser if callable(optimiser) else lambda hparams: optimiser


def _after_clipping(hparams: Any, step: optax.GradientTransformation) -> optax.GradientTransformation:
    # one vector instead of many small arrays: the same numbers, fewer kernels
    return optax.flatten(optax.chain(optax.clip_by_global_norm(hparams.gradient_clip), step))


_BY_NAME: dict[str, MakeOptimiser] = {"adam": adam, "rmsprop": torch_rmsprop}
