"""What an edit is, and how several are one: in a row, or one of many by a traced number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from marlcomm.types import Messages, Scalar, others

INFINITY = float("inf")


class Edit(Protocol):
    """Takes the messages [..., N, N, D] on their way and gives them back changed.

    One that looks at several environments has a class attribute `ACROSS = True`: they are then played step by step
    together where simulators play.
    """

    def __call__(self, messages: Messages, key: jax.Array) -> Messages: ...


class Delay(struct.PyTreeNode):
    """Lets messages arrive `steps` steps later than they otherwise would.

    What is under way is part of a team's memory, so this edit holds for whole episodes only (`Algorithm.play`,
    `evaluate`, learning), where `split_delay` takes it out of a chain: its place in the chain makes no difference.
    """

    steps: int = struct.field(pytree_node=False, default=1)

    def __post_init__(self) -> None:
        require("steps", self.steps, 0, INFINITY, whole=True)

    def __call__(self, messages: Messages, key: jax.Array) -> Messages:
        """Raises TypeError: the team's memory must know of the delay from the first step."""
        raise TypeError("a delay works on whole episodes: pass it to evaluate(edits=...) or Algorithm.play(edit=...)")


class _Chain(struct.PyTreeNode):
    edits: tuple[Edit, ...]

    def __call__(self, messages: Messages, key: jax.Array) -> Messages:
        for number, edit in enumerate(self.edits):
            messages = edit(messages, jax.random.fold_in(key, number))
        return messages


class OneOf(struct.PyTreeNode):
    """One of several edits, or none: as which is traced, one compiled program serves all.

    Attributes:
      which: [] int32, its place among `edits`.
      edits: None stands for no edit.
    """

    which: jax.Array
    edits: tuple[Edit | None, ...]

    def __call__(self, messages: Messages, key: jax.Array) -> Messages:
        """See `Edit`."""
        edited = [messages if edit is None else edit(messages, key) for edit in self.edits]
        # some edits add a mask or losses, some take the mask away; one that is zero costs as little
        for name, none in {"mask": messages.overhead, "lost": messages.sent}.items():
            if any(getattr(each, name) is not None for each in edited):
                nothing = {name: jnp.zeros_like(none)}
                edited = [each._replace(**nothing) if getattr(each, name) is None else each for each in edited]
        return jax.tree.map(lambda *x: jax.lax.select_n(self.which, *x), *edited)


def chain_edits(edits: Sequence[Edit]) -> Edit | None:
    """Several edits, one after the other; None for none."""
    flat = tuple(
        single for edit in edits for single in (edit.edits if isinstance(edit, _Chain) else (as_pytree(edit),))
    )
    return None if not flat else flat[0] if len(flat) == 1 else _Chain(flat)


def split_delay(edit: Edit | None) -> tuple[Edit | None, int]:
    """The edit without its delays, and how many steps they delay in all."""
    edits = edit.edits if isinstance(edit, _Chain) else () if edit is None else (edit,)
    delays = [one.steps for one in edits if isinstance(one, Delay)]
    if not delays:
        return edit, 0
    return chain_edits([one for one in edits if not isinstance(one, Delay)]), sum(delays)


def looks_across(edit: Edit | None) -> bool:
    """Whether what an edit makes of one environment's messages depends on what is said in others at the same step: such
    an edit has `ACROSS = True`."""
    return getattr(edit, "ACROSS", False) or any(looks_across(each) for each in getattr(edit, "edits", ()))


def as_pytree(edit: Edit) -> Edit:
    """The edit, or one that holds it where it is a plain function: compiled programs take pytrees of numbers."""
    return jax.tree_util.Partial(edit) if jax.tree_util.all_leaves([edit]) else edit


def require(name: str, value: Any, low: float, high: float, whole: bool = False) -> None:
    """Raises ValueError where a number, or one in an array of NumPy, is out of its range, or is text.

    All else passes: JAX makes edits of shapes, gradients and None, too, as of any pytree.
    """
    for number in np.ravel(value).tolist() if isinstance(value, np.ndarray | np.number) else [value]:
        if isinstance(number, str | bytes) or (whole and isinstance(number, float)):
            raise ValueError(f"{name} is {number!r}: must be a {'whole ' if whole else ''}number")
        if isinstance(number, int | float) and not low <= number <= high:
            raise ValueError(f"{name} {number} is outside {low} .. {high}")


def to_whole(x: Scalar, rounded: Callable[[Any], jax.Array]) -> jax.Array:
    """[] x above 0 made whole by `rounded`, such as `jnp.floor`; what is whole but for its float32 is that number."""
    nearest = jnp.round(x)
    return jnp.where(jnp.abs(x - nearest) <= x * 2.0**-22, nearest, rounded(x))


def between_agents(messages: Messages) -> jax.Array:
    """[N, N, 1] bool: False where an agent tells itself something."""
    return others(messages.sent.shape[-2])[..., None]


def between(messages: Messages, changed: Messages) -> Messages:
    """The changed messages between agents, and what agents tell themselves as it was."""
    between = others(messages.sent.shape[-2])

    def choose(new: jax.Array, old: jax.Array) -> jax.Array:
        return jnp.where(between[..., None] if old.ndim == messages.sent.ndim else between, new, old)

    return jax.tree.map(choose, changed, messages)
