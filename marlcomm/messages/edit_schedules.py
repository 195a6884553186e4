"""Edit schedules: edits that change in the course of training, by what is said then.

Where a learner takes an edit for training, it takes a schedule too; an edit is a schedule that never changes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np

from marlcomm.messages.channel import said_by_channel
from marlcomm.messages.edits import CutBelow, Edit, chain_edits, importance_quantile
from marlcomm.messages.edits.edit import as_pytree
from marlcomm.types import Episodes, Messages, Scalar, pairs_at_work
from marlcomm.validation import UsageError, check_number

Range = tuple[float, float]


class Moment(NamedTuple):
    """What an edit schedule sees after a gradient step."""

    messages: Messages  #: of the episodes that were learned from, as delivered, leading axes [B, T] or [B, T+1]
    episodes: Episodes  #: these, [B, T, ...]
    env_steps: jax.Array  #: [] int32, environment steps of training so far
    hparams: Mapping[str, Scalar]  #: the schedule's numbers, by their names in `EditSchedule.hparams`
    key: jax.Array  #: randomness


@runtime_checkable
class EditSchedule(Protocol):
    """What happens to messages at each point of training. Pure; its own state is a small pytree of arrays."""

    @property
    def hparams(self) -> Mapping[str, float]:
        """Its numbers that may be traced, by name: they become the hyper-parameters `training_edit.<name>`."""
        ...

    @property
    def ranges(self) -> dict[str, Range]:
        """The lowest and the highest of these numbers."""
        ...

    def init(self) -> Any:
        """Its state before training; None where it has none."""
        ...

    def edit(self, state: Any) -> Edit | None:
        """The edit in force."""
        ...

    def update(self, state: Any, moment: Moment) -> Any:
        """Its state after a gradient step."""
        ...

    def news(self, hparams: Mapping[str, np.ndarray], before: np.ndarray, now: np.ndarray) -> str | None:
        """What a person who watches should know of what has begun since; None where nothing has.

        Args:
          hparams: its numbers by name, [P] of all members.
          before, now: [P] environment steps.
        """
        ...


@dataclass(frozen=True)
class RandomCut:
    """Cuts a random share of the entries that are said, the least important ones; ours, for NDQ.

    For every gradient step a share is drawn, and the threshold found that would have cut as much of the batch
    (`CutBelow`); it holds until the next one. Teams so learn protocols that bear cutting. Nothing is cut in the first
    `start` environment steps; the cut grows to its full force over as many more.

    Attributes:
      share: the largest share, 0 .. 1. Traced.
      start: environment steps before cutting begins, at least 1. Traced.
      largest: how often the largest share is drawn, 0 .. 1.
      nothing: how often nothing is cut, 0 .. 1.
      between: the share that is cut otherwise; None draws it between nothing and the largest.
      power: of the uniform number that this is drawn by, at least 0: 1 draws evenly, 0.5 more large shares than small,
        0 the largest alone.

    Raises:
      UsageError: a number out of its range, or `largest` and `nothing` together above 1.
    """

    share: float = 0.95
    start: float = 300_000
    largest: float = 2 / 3
    nothing: float = 1 / 6
    between: float | None = None
    power: float = 1.0

    def __post_init__(self) -> None:
        for name, (low, high) in self.ranges.items():
            check_number(name, getattr(self, name), low, high)
        for name in ("largest", "nothing"):
            check_number(name, getattr(self, name), 0.0, 1.0)
        if self.between is not None:
            check_number("between", self.between, 0.0, 1.0)
        check_number("power", self.power, 0.0)
        if self.largest + self.nothing > 1.0 + 1e-6:
            raise UsageError(f"largest={self.largest} and nothing={self.nothing} must not be more than 1 together.")

    @property
    def hparams(self) -> Mapping[str, float]:
        """See `EditSchedule`."""
        return {"share": self.share, "start": self.start}

    @property
    def ranges(self) -> dict[str, Range]:
        """See `EditSchedule`."""
        return {"share": (0.0, 1.0), "start": (1.0, math.inf)}

    def init(self) -> jax.Array:
        """[] float32: the threshold of importance below which entries are cut; 0 cuts nothing."""
        return jnp.float32(0.0)

    def edit(self, state: jax.Array) -> Edit:
        """See `EditSchedule`."""
        return CutBelow(state)

    def update(self, state: jax.Array, moment: Moment) -> jax.Array:
        """See `EditSchedule`; the threshold cuts at least the share that is drawn."""
        messages, episodes, env_steps, hparams, key = moment
        force = jnp.clip(env_steps.astype(jnp.float32) / hparams["start"] - 1.0, 0.0, 1.0)
        share = self._drawn(force * hparams["share"], force, key)
        steps = episodes.valid.shape[1]
        importance = jax.lax.stop_gradient(messages.importance[:, :steps])
        said = said_by_channel(messages)[:, :steps] & pairs_at_work(episodes)[..., None]
        quantile = importance_quantile(importance, said, share)
        return jnp.where(share > 0, jnp.nextafter(quantile, jnp.inf), 0.0)  # equals are cut too

    def news(self, hparams: Mapping[str, np.ndarray], before: np.ndarray, now: np.ndarray) -> str | None:
        """Once, that cutting has begun: until teams have learned to live with it, they win less."""
        start = hparams["start"]
        if (before > start).any() or not (now > start).any():
            return None
        return (
            f"cutting in training has begun, after {start.min():,.0f} steps: more and more of what is said is cut, "
            "and returns may fall before they come back"
        )

    def _drawn(self, largest: jax.Array, force: jax.Array, key: jax.Array) -> jax.Array:
        """[] the share to cut: a ramp of the uniform number that is flat at both of its ends."""
        uniform = jax.random.uniform(key, dtype=jnp.float32)
        rest = max(1.0 - self.largest - self.nothing, 1e-6)
        ramp = uniform * (1.0 / rest) - self.nothing / rest
        if self.between is not None:
            middle = jnp.minimum(force * self.between, largest)
            return jnp.where(ramp < 0, 0.0, jnp.where(ramp < 1, middle, largest))
        height = jnp.clip(ramp, 0.0, 1.0)  # 0 ** 0 is 1, and yet nothing is cut there
        return largest * (height if self.power == 1.0 else jnp.where(height > 0, height**self.power, 0.0))


@dataclass(frozen=True)
class Constant:
    """An edit that holds throughout training, as a schedule.

    Attributes:
      always: the edit, or None for none.
    """

    always: Edit | None = None

    @property
    def hparams(self) -> Mapping[str, float]:
        """None."""
        return {}

    @property
    def ranges(self) -> dict[str, Range]:
        """None."""
        return {}

    def init(self) -> None:
        """Nothing."""

    def edit(self, state: None) -> Edit | None:
        """See `EditSchedule`."""
        return None if self.always is None else as_pytree(self.always)

    def update(self, state: None, moment: Moment) -> None:
        """Nothing."""

    def news(self, hparams: Mapping[str, np.ndarray], before: np.ndarray, now: np.ndarray) -> None:
        """None."""


@dataclass(frozen=True)
class _Chain:
    """Several schedules, whose edits follow one another."""

    links: tuple[EditSchedule, ...]

    @property
    def hparams(self) -> Mapping[str, float]:
        return {name: value for link in self.links for name, value in link.hparams.items()}

    @property
    def ranges(self) -> dict[str, Range]:
        return {name: value for link in self.links for name, value in link.ranges.items()}

    def init(self) -> tuple:
        return tuple(link.init() for link in self.links)

    def edit(self, state: tuple) -> Edit | None:
        edits = [link.edit(own) for link, own in zip(self.links, state, strict=True)]
        return chain_edits([edit for edit in edits if edit is not None])

    def update(self, state: tuple, moment: Moment) -> tuple:
        return tuple(link.update(own, moment) for link, own in zip(self.links, state, strict=True))

    def news(self, hparams: Mapping[str, np.ndarray], before: np.ndarray, now: np.ndarray) -> str | None:
        told = [link.news(hparams, before, now) for link in self.links]
        return "; ".join(each for each in told if each) or None


def in_order(*given: EditSchedule | Edit | None) -> Any:
    """What happens to messages where several of these follow one another: None for none, one alone as it is."""
    listed = [each for each in given if each is not None]
    return listed if len(listed) > 1 else listed[0] if listed else None


def as_schedule(given: EditSchedule | Edit | Sequence[Any] | None) -> EditSchedule:
    """A learner's `training_edit` as one schedule: an edit is a constant one, several follow one another.

    Raises:
      UsageError: it is none of these, or two schedules call a number alike.
    """
    if given is None or isinstance(given, EditSchedule):
        return Constant() if given is None else given
    if isinstance(given, Sequence) and given and not isinstance(given, str):
        links = tuple(as_schedule(each) for each in given if each is not None)
        names = [name for link in links for name in link.hparams]
        if len(names) > len(set(names)):
            raise UsageError(f"training_edit={given!r}: two of these schedules have a number of the same name.")
        constant = [link.always for link in links if isinstance(link, Constant)]
        if len(constant) == len(links):
            return Constant(chain_edits([edit for edit in constant if edit is not None]))
        return links[0] if len(links) == 1 else _Chain(links)
    if not callable(given):
        raise UsageError(f"training_edit={given!r} must be an edit, such as Noise(0.1), or an edit schedule.")
    return Constant(given)
