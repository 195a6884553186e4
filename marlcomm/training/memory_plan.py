"""What a member takes of memory, by its parts and before anything compiles, and how a population is split to fit."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import jax
import jax.numpy as jnp

from marlcomm.algorithms.algorithm import Algorithm
from marlcomm.training.live_bytes import AT_MOST, live_bytes
from marlcomm.training.memory import bytes_of, device_bytes_free, host_bytes_free, in_words, smaller_replay
from marlcomm.validation import UsageError


@dataclass(frozen=True)
class MemberMemory:
    """Bytes of one member.

    Attributes:
      parameters: of its networks, target networks too.
      optimizer: what the optimizer remembers.
      replay: episodes that are kept.
      rest: of its state.
      update: an estimate of what a training step needs on the way; 0 where a simulator outside JAX plays.
    """

    parameters: int
    optimizer: int
    replay: int
    rest: int
    update: int

    @property
    def state(self) -> int:
        """Bytes that it keeps."""
        return self.parameters + self.optimizer + self.replay + self.rest

    @property
    def on_device(self) -> float:
        """Bytes that it needs at the most while it is trained."""
        return self.state + AT_MOST * self.update

    def __str__(self) -> str:
        parts = [f"{field.name} {in_words(getattr(self, field.name))}" for field in fields(self)]
        return f"{in_words(self.state + self.update)} ({', '.join(parts)})"


def member_memory(algorithm: Algorithm) -> MemberMemory:
    """What one member takes, from shapes alone: nothing is compiled."""
    state = jax.eval_shape(algorithm.init, jax.random.PRNGKey(0))
    traceable = getattr(algorithm.env, "driver", None) is None
    update = live_bytes(jax.make_jaxpr(algorithm.step)(state, jnp.int32(2**30))) if traceable else 0
    sizes = {
        "parameters": bytes_of(state.params) + bytes_of(state.target_params),
        "optimizer": bytes_of(state.optimizer),
        "replay": bytes_of(state.replay),
    }
    return MemberMemory(**sizes, rest=bytes_of(state) - sum(sizes.values()), update=update)


def split_to_fit(algorithm: Algorithm, members: int, memory: MemberMemory, saved: bool) -> list[int]:
    """Sizes of the parts, as equal as can be, in which so many members fit into memory one part after the other.

    Args:
      algorithm: whose settings to name.
      members: of the whole population.
      memory: of one of them.
      saved: whether checkpoints are written: the host then holds what a part keeps, and nearly as much again.

    Raises:
      UsageError: not even one member fits; says with numbers what it takes, what there is, and what would fit.
    """
    fit = _members_that_fit(memory, saved)
    if fit < 1:
        free = _free_for_one()
        state = jax.eval_shape(algorithm.init, jax.random.PRNGKey(0))
        raise UsageError(
            f"one member of {algorithm!r} takes {memory}, and as much as it keeps again on this machine while it is "
            f"saved; {in_words(free)} are free: {smaller_replay(algorithm, state, _need_of_one(memory, saved), free)}"
            "play fewer episodes at once, learn from a smaller batch, or use more memory"
        )
    return equal_parts(members, math.ceil(members / fit))


def equal_parts(members: int, parts: int) -> list[int]:
    """Sizes of so many parts, as equal as can be."""
    return [members // parts + (number < members % parts) for number in range(parts)]


def _members_that_fit(memory: MemberMemory, saved: bool) -> int:
    on_device = None if jax.default_backend() == "cpu" else device_bytes_free()
    if on_device is None:
        return int(host_bytes_free() / _need_of_one(memory, saved))
    fit = int(on_device / memory.on_device) * len(jax.devices())
    return min(fit, host_bytes_free() // (2 * memory.state)) if saved else fit


def _free_for_one() -> int:
    return (None if jax.default_backend() == "cpu" else device_bytes_free()) or host_bytes_free()


def _need_of_one(memory: MemberMemory, saved: bool) -> float:
    copied = saved and jax.default_backend() == "cpu"
    return memory.on_device + memory.state * copied
