"""When a loss counts: at every k-th gradient step only, or from some environment step on."""

from __future__ import annotations

import abc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from marlcomm.types import Episodes

Taken = tuple[jax.Array, dict[str, jax.Array]]


class When(NamedTuple):
    """The place of a gradient step in training."""

    left: jax.Array  #: [] int32, gradient steps to come before episodes are played again
    env_steps: jax.Array  #: [] int32, environment steps of training so far


class Timed(abc.ABC):
    """A loss that counts at some gradient steps only; see `Every` and `Since`."""

    loss: Callable[[Any, Episodes, Any], Taken]

    def __call__(self, unroll: Any, episodes: Episodes, hparams: Any) -> Taken:
        """The loss itself, whatever the step."""
        return self.loss(unroll, episodes, hparams)

    @abc.abstractmethod
    def at(self, when: When, unroll: Any, episodes: Episodes, hparams: Any) -> Taken:
        """The loss as it counts at a gradient step: [] and its metrics."""


@dataclass(frozen=True)
class Every(Timed):
    """Computes a loss at every `interval`-th gradient step only; at the others it is zero and costs nothing.

    Steps are counted backwards from the last of each training step, which always counts: an interval of more gradient
    steps than a training step takes (`updates_per_step`) is as long as that. Under Adam, whose moments see zeros in
    between, parameters that only this loss trains move about 1 / sqrt(interval) as far, not 1 / interval.

    Attributes:
      interval: k, at least 1.
      loss: any loss of the learner.
    """

    interval: int
    loss: Callable[[Any, Episodes, Any], Taken]

    def __post_init__(self) -> None:
        if self.interval < 1:
            raise ValueError(f"interval is {self.interval}: must be at least 1")

    def at(self, when: When, unroll: Any, episodes: Episodes, hparams: Any) -> Taken:
        """The loss if `when.left` is a multiple of k, else 0.

        Nothing is computed in vain as long as `left` is the same for all members, as the index of a scan is.
        """
        like = jax.eval_shape(self.loss, unroll, episodes, hparams)
        zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), like)
        return jax.lax.cond(when.left % self.interval == 0, lambda: self(unroll, episodes, hparams), lambda: zeros)


@dataclass(frozen=True)
class Since(Timed):
    """Counts a loss from some environment step of training on; before it is zero, and teaches nothing.

    Attributes:
      start: environment steps, 0 .. 2^31 - 1, which is as far as steps are counted.
      loss: any loss of the learner.
    """

    start: int
    loss: Callable[[Any, Episodes, Any], Taken]

    def __post_init__(self) -> None:
        if not 0 <= self.start < 2**31:
            raise ValueError(f"start is {self.start}: must be at least 0, and less than 2^31")

    def at(self, when: When, unroll: Any, episodes: Episodes, hparams: Any) -> Taken:
        """The loss if `when.env_steps` are `start` or more, else 0. What it tells of itself is told from the start."""
        value, details = self(unroll, episodes, hparams)
        return jnp.where(when.env_steps >= self.start, value, 0.0), details
