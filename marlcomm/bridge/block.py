"""Memory that the learner and its workers share: what each slot is told, and what it answers.

One array a field, with a leading axis W of slots, each beginning at a multiple of 64 bytes. Letters as in
`marlcomm.bridge.simulator`. Only the learner writes the fields of orders, only a slot's worker its row of the others.
The memory has no name: who holds its descriptor sees it, and it is gone with the last of them, however they end.
"""

from __future__ import annotations

import errno
import mmap
import os
import tempfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from marlcomm.bridge.simulator import SimulatorSpec
from marlcomm.validation import UsageError

LINE = 64  # bytes of a cache line
TEXT = 8192  # bytes that say what went wrong

HELLO, RESET, STEP, CLOSE = range(1, 5)  # kinds of orders

_ORDER = {  # of the learner
    "number": np.uint64,  # counts the orders of a slot; the answer carries the same
    "action_of": np.uint64,  # the number of the answer whose mask the action was chosen by
    "episode": np.int64,
    "seed": np.int64,
    "kind": np.int64,
}
_ANSWER = {  # of a worker
    "number": np.uint64,
    "episode": np.int64,
    "heartbeat": np.float64,  # seconds of the monotonic clock
    "simulated": np.float64,  # seconds that the simulator took
    "terminated": np.uint8,
    "truncated": np.uint8,
    "won": np.uint8,
    "fault": np.uint8,
}


def _line(fields: Mapping[str, Any]) -> np.dtype:
    """A record of these fields that takes a cache line, so that no two slots share one."""
    packed = np.dtype(list(fields.items()))
    offsets = [packed.fields[name][1] for name in fields]  # pyright: ignore
    return np.dtype({"names": list(fields), "formats": list(fields.values()), "offsets": offsets, "itemsize": LINE})


def layout(spec: SimulatorSpec) -> dict[str, tuple[np.dtype, tuple[int, ...]]]:
    """Field -> its type and its shape in one slot."""
    n, a, flag, real = spec.num_agents, spec.num_actions, np.dtype(bool), np.dtype(np.float32)
    action = (real, (n, a)) if spec.continuous else (np.dtype(np.int32), (n,))
    return {
        "order": (_line(_ORDER), ()),
        "answer": (_line(_ANSWER), ()),
        "action": action,
        "agents_view": (real, (n, spec.observation_size)),
        "action_mask": (flag, (n, a)),
        "alive": (flag, (n,)),
        "global_state": (real, (spec.state_size,)),
        "reward": (real, (n,)),
        "trouble": (np.dtype(np.uint8), (TEXT,)),
    }


class SharedBlock:
    """The fields as arrays [W, ...]: `order`, `answer`, `action`, `agents_view`, `action_mask`, `alive`,
    `global_state`, `reward` and `trouble`."""

    order: np.ndarray
    answer: np.ndarray
    action: np.ndarray
    agents_view: np.ndarray
    action_mask: np.ndarray
    alive: np.ndarray
    global_state: np.ndarray
    reward: np.ndarray
    trouble: np.ndarray

    def __init__(self, spec: SimulatorSpec, slots: int, descriptor: int | None = None) -> None:
        """Makes the memory, or opens that behind a descriptor.

        Raises:
          UsageError: there is no room for it.
        """
        places, size = {}, 0
        for name, (dtype, shape) in layout(spec).items():
            places[name] = size
            size += -(-dtype.itemsize * int(np.prod(shape)) * slots // LINE) * LINE
        self.descriptor = _reserve(size) if descriptor is None else descriptor
        self._memory = mmap.mmap(self.descriptor, size)
        for name, (dtype, shape) in layout(spec).items():
            flat = np.frombuffer(self._memory, dtype, slots * int(np.prod(shape)), places[name])
            setattr(self, name, flat.reshape(slots, *shape))

    def close(self) -> None:
        """Gives the descriptor back; the memory goes when its last array does."""
        os.close(self.descriptor)


def say_trouble(row: np.ndarray, cause: str, text: str) -> None:
    """Writes what went wrong into a slot's row of `trouble`; of a long text its end."""
    head = cause.encode()[:64] + b"\0"
    tail = text.encode()[-(TEXT - len(head) - 1) :]
    row[: len(head) + len(tail) + 1] = np.frombuffer(head + tail + b"\0", np.uint8)


def read_trouble(row: np.ndarray) -> tuple[str, str]:
    """The cause and the text that `say_trouble` wrote."""
    cause, text, *_ = (*row.tobytes().split(b"\0", 2), b"", b"")
    return cause.decode(errors="replace"), text.decode(errors="replace")


def sentinels(field: str, slot: int, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    """Values that tell every entry of a slot's row of a field from all others nearby: what a hand-shake compares."""
    count = np.arange(int(np.prod(shape)), dtype=np.int64).reshape(shape)
    value = (count * 7919 + slot * 104_729 + len(field) * 31) % 16_777_213  # exact in float32
    return (value % 3 == 0) if dtype == np.dtype(bool) else value.astype(dtype)


def _reserve(size: int) -> int:
    """A descriptor of so many bytes, all of them there, private to this process and those that it is passed to."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("marlcomm-bridge", os.MFD_CLOEXEC)
    else:
        with tempfile.TemporaryFile() as file:  # without a name
            descriptor = os.dup(file.fileno())
    try:
        os.ftruncate(descriptor, size)
        if hasattr(os, "posix_fallocate"):  # else the first write beyond what there is would kill the process
            os.posix_fallocate(descriptor, 0, size)
    except OSError as error:
        os.close(descriptor)
        if error.errno not in (errno.ENOSPC, errno.ENOMEM, errno.EDQUOT):
            raise
        raise UsageError(
            f"no room for the {size / 2**20:.0f} MiB that learner and workers share: take fewer workers, or free memory"
        ) from error
    return descriptor
