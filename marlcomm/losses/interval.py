"""A loss that is not taken at every gradient step."""

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
    """Takes a loss at every `interval`-th gradient step only; at the others it costs nothing and teaches nothing.

    Learners take gradient steps in rows, one row after every collection of episodes; the last of a row is always among
    those that count. Under Adam, whose moments see zeros between, what only this loss teaches moves about
    1 / sqrt(interval) as far in all, not 1 / interval.

    Attributes:
      interval: gradient steps from one to the next, at least 1.
      loss: any loss of the learner's.
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
        """The loss where it is its turn, else zeros; with `left` [] int32 gradient steps to come in this row.

        The choice is made at run time as long as `left` is the same for all members, as the index of a scan is.
        """
        like = jax.eval_shape(self.loss, unroll, episodes, hparams)
        zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), like)
        return jax.lax.cond(left % self.interval == 0, lambda: self(unroll, episodes, hparams), lambda: zeros)
