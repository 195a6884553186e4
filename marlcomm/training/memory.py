"""What a run takes of memory, said before it is taken, and programs that are refused where it does not suffice."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import jax
import psutil

from marlcomm.algorithms.algorithm import Algorithm
from marlcomm.learners.state import LearnerState
from marlcomm.training.interrupt import interruptibly
from marlcomm.validation import UsageError

LARGE = 2**30  # bytes that are worth a word
CONTAINER_LIMIT = Path("/sys/fs/cgroup/memory.max")


def compute(program: Callable[..., Any], *arguments: Any) -> Any:
    """What a compiled program gives, waited for, with signals heard meanwhile.

    Reading one array of a program that has failed would wait for ever: all are waited for before any is read.

    Raises:
      UsageError: there was not enough memory.
    """
    try:
        return interruptibly(lambda: jax.block_until_ready(program(*arguments)))
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        first = str(error).splitlines()[0].removeprefix("RESOURCE_EXHAUSTED: ")
        raise UsageError(
            f"not enough memory ({first}): keep less for replay (replay_episodes or replay_steps), play fewer episodes "
            "at once (num_envs, evaluation_episodes), or train fewer seeds together"
        ) from error


def require_room(algorithm: Algorithm, state: LearnerState, devices: int, saved: bool) -> str | None:
    """What states [P] take of memory, in words, where it is much.

    Args:
      algorithm: whose settings to name.
      state: arrays or their shapes, leading axis P.
      devices: how many share the members evenly.
      saved: whether checkpoints are written: the host then holds the state, and nearly as much again that is written.

    Raises:
      UsageError: it cannot fit; says which setting would.
    """
    whole, members = bytes_of(state), state.env_steps.shape[0]
    on_host = jax.default_backend() == "cpu"
    need, free = whole * (2 if saved else on_host), host_bytes_free()
    place = "this machine"
    if not on_host and (on_device := device_bytes_free()) is not None and whole / devices > on_device:
        need, free, place = whole // devices, on_device, "a device"
    each = f"a member's state takes {in_words(whole // members)}"
    each += f", of which {in_words(bytes_of(state.replay) // members)} are replay" if bytes_of(state.replay) else ""
    copy = " and as much again while they are saved" if saved and place == "this machine" else ""
    if need > free:
        raise UsageError(
            f"{each}; {members} of them{copy} take {in_words(need)}, and {place} has {in_words(free)} free: "
            f"{smaller_replay(algorithm, state, need, free)}train fewer seeds together, or use more memory"
        )
    return f"{each}; in all {in_words(whole)}{copy if on_host else ''}" if whole > LARGE else None


def require_room_to_run(on_the_way: float, devices: int, what: str, advice: str) -> None:
    """Raises UsageError where a program needs more memory than there is for what it computes on the way.

    Args:
      on_the_way: bytes on each of so many `devices`; what: the program's name; advice: what makes it smaller.
    """
    on_host = jax.default_backend() == "cpu"
    need = on_the_way * devices if on_host else on_the_way
    free = host_bytes_free() if on_host else device_bytes_free()
    if free is not None and need > free:
        raise UsageError(f"{what} needs {in_words(need)} on the way, and {in_words(free)} are free: {advice}")


def bytes_of(tree: Any) -> int:
    """Bytes of all arrays of a pytree, or of what their shapes stand for."""
    return sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


def host_bytes_free() -> int:
    """Memory that this process can still have: the machine's, or what its container leaves it."""
    free = psutil.virtual_memory().available
    try:
        limit = int(CONTAINER_LIMIT.read_text())
    except (OSError, ValueError):  # no container, or one without a limit
        return free
    return min(free, limit - psutil.Process().memory_info().rss)


def device_bytes_free() -> int | None:
    """Memory that the first device still has; None where it does not say."""
    stats = jax.local_devices()[0].memory_stats() or {}
    return stats["bytes_limit"] - stats.get("bytes_in_use", 0) if "bytes_limit" in stats else None


def in_words(count: float) -> str:
    """Such as "2.5 GiB"."""
    value, unit = float(count), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if value >= 1000:
            value, unit = value / 1024, larger
    return f"{value:.3g} {unit}"


def smaller_replay(algorithm: Algorithm, state: LearnerState, need: float, free: float) -> str:
    """The start of advice: how much replay would fit, where replay is what is large."""
    replay = need * bytes_of(state.replay) / bytes_of(state)
    settings = algorithm.learner.config
    sizes = [field.name for field in fields(settings) if field.name.startswith("replay_") and field.type == "int"]
    fits = (free - (need - replay)) / replay if replay else 0.0
    return "".join(
        f"set {name}={int(getattr(settings, name) * fits):,} or less ({getattr(settings, name):,} now), "
        for name in sizes
        if fits > 0
    )
