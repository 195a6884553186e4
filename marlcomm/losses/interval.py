"""A loss that is computed at every k-th gradient step only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from marlcomm.types import Episodes

Taken = tuple[jax.Array, dict[str, jax.Array]]


@dataclass(frozen=True)
class Every:
    """Computes a loss at every `interval`-th gradient step only; at the others it is zero and costs nothing.

    Steps are counted backwards from the last of each training step, which always counts. Under Adam, whose moments see
    zeros in between, parameters that only this loss trains move about 1 / sqrt(interval) as far, not 1 / interval.

    Attributes:
      interval: k, at least 1.
      loss: any loss of the learner.
    """

    interval: int
    loss: Callable[[Any, Episodes, Any], Taken]

    def __post_init__(self) -> None:
        if self.interval < 1:
            raise ValueError(f"interval is {self.interval}: must be at least 1")

    def __call__(self, unroll: Any, episodes: Episodes, hparams: Any) -> Taken:
        """The loss itself, whatever the step."""
        return self.loss(unroll, episodes, hparams)

    def at(self, left: jax.Array, unroll: Any, episodes: Episodes, hparams: Any) -> Taken:
        """The loss if `left` is a multiple of k, else 0; `left` [] int32 is how many gradient steps are to come.

        Nothing is computed in vain as long as `left` is the same for all members, as the index of a scan is.
        """
        like = jax.eval_shape(self.loss, unroll, episodes, hparams)
        zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), like)
        return jax.lax.cond(left % self.interval == 0, lambda: self(unroll, episodes, hparams), lambda: zeros)
