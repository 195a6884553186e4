"""Variants of training, compiled and timed chunk by chunk in turns, so that load on the machine meets all alike."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from marlcomm.training import make_population
from marlcomm.training.step import make_chunk

WARM_UP_CHUNKS = 3


@dataclass(frozen=True)
class Measured:
    """One variant; speeds are of all members together, one entry a timed chunk."""

    label: str
    members: int
    compile_seconds: list[float]  # one entry a compilation
    compile_cpu_seconds: list[float]  # of all threads: a busy machine stretches these less
    env_steps_per_second: list[float]
    updates_per_second: list[float]
    member_bytes: int
    replay_bytes: int


def measure(
    algorithms: Mapping[str, Any],
    members: int,
    *,
    chunk: int,
    repeats: int,
    compilations: int = 1,
    blocks: Sequence[int] = (),
) -> list[Measured]:
    """Compiles and times every algorithm, by label, in turns.

    Args:
      algorithms: label -> algorithm.
      members: of each population.
      chunk: in training steps.
      repeats: timed chunks of each.
      compilations: how often each is compiled.
      blocks: sizes in which members are computed together, each a variant; without any, as `Population` chooses.
    """
    variants = [
        Variant(f"{label}, blocks of {block}" if block else label, algorithm, members, chunk, block)
        for label, algorithm in algorithms.items()
        for block in [each for each in blocks if each <= members] or [None]
    ]
    for _ in range(compilations):
        for variant in variants:
            variant.compile()
    for variant in variants:
        variant.warm_up()
    for _ in range(repeats):
        for variant in variants:
            variant.time_one_chunk()
    return [variant.measured() for variant in variants]


class Variant:
    """A chunk of training and the state that it moves."""

    def __init__(self, label: str, algorithm: Any, members: int, chunk: int, block: int | None = None) -> None:
        """Names what is measured: `chunk` training steps of so many members, `block` of them together."""
        self.label, self.members, self._algorithm = label, members, algorithm
        self._population = replace(make_population(algorithm, members), block=block)
        self._state = self._population.init(algorithm)
        self._limit, self._chunk = jnp.int32(jnp.iinfo(jnp.int32).max), jnp.int32(chunk)
        self._compile_seconds, self._compile_cpu_seconds, self._env_steps, self._updates = [], [], [], []

    def compile(self) -> None:
        """Compiles the chunk anew and notes how long that took."""
        started, cpu_started = time.perf_counter(), time.process_time()
        advance = make_chunk(self._algorithm, self._population)
        self._advance = advance.lower(self._state, self._limit, self._chunk).compile()
        self._compile_seconds.append(time.perf_counter() - started)
        self._compile_cpu_seconds.append(time.process_time() - cpu_started)

    def warm_up(self) -> None:
        """Runs until replay holds a batch."""
        for _ in range(WARM_UP_CHUNKS):
            self.time_one_chunk()
        self._env_steps, self._updates = [], []

    def time_one_chunk(self) -> None:
        """Runs one chunk and notes its speeds."""
        before = self._counts()
        started = time.perf_counter()
        self._state, _ = jax.block_until_ready(self._advance(self._state, self._limit, self._chunk))
        seconds = time.perf_counter() - started
        steps, updates = (self._counts() - before) / seconds
        self._env_steps.append(float(steps))
        self._updates.append(float(updates))

    def measured(self) -> Measured:
        """What was found."""
        return Measured(
            self.label,
            self.members,
            self._compile_seconds,
            self._compile_cpu_seconds,
            self._env_steps,
            self._updates,
            _bytes(self._state) // self.members,
            _bytes(self._state.replay) // self.members,
        )

    @property
    def updates(self) -> int:
        """Gradient steps of all members so far."""
        return int(self._counts()[1])

    def _counts(self) -> np.ndarray:
        return np.array([int(np.sum(self._state.env_steps)), int(np.sum(self._state.updates))])


def _bytes(tree: Any) -> int:
    return sum(leaf.nbytes for leaf in jax.tree.leaves(tree))
