"""Optimisers: functions from hyper-parameters to an optax transformation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import optax

MakeOptimiser = Callable[[Any], optax.GradientTransformation]
Optimiser = optax.GradientTransformation | MakeOptimiser


def torch_rmsprop(hparams: Any, decay: float = 0.99, eps: float = 1e-5) -> optax.GradientTransformation:
    """RMSprop as PyTorch's (eps outside the root) after clipping by global norm; by default with PyMARL's numbers."""
    return _after_clipping(hparams, optax.rmsprop(hparams.learning_rate, decay=decay, eps=eps, eps_in_sqrt=False))


def adam(hparams: Any, eps: float = 1e-5) -> optax.GradientTransformation:
    """Adam after clipping by global norm; eps as MAPPO has it."""
    return _after_clipping(hparams, optax.adam(hparams.learning_rate, eps=eps))


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
