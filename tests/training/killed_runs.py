"""Writes a run of four chunks, killed at one file operation after the other, and goes on with it each time.

Run as a program under the library that `kill_at.c` makes: each attempt is a fork of this process, which has imported
everything and started nothing. Prints one JSON object.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
import traceback
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from flax import struct

from marlcomm.training.checkpoint import digest
from marlcomm.training.population import Population
from marlcomm.training.progress import ProgressReport
from marlcomm.training.recorder import Recorder

CHUNKS = 4
NOT_COUNTING = -1


class State(struct.PyTreeNode):
    """What the recorder reads of a learner's state, for two members."""

    params: Any
    replay: Any
    env_steps: np.ndarray
    updates: np.ndarray
    healthy: np.ndarray


FIRST = State(
    params={"weights": np.arange(6.0).reshape(2, 3)},
    replay=np.zeros((2, 500), np.float32),
    env_steps=np.zeros(2, np.int32),
    updates=np.zeros(2, np.int32),
    healthy=np.ones(2, bool),
)


def advance(state: State) -> State:
    """A chunk of training: numbers that depend on all that came before."""
    return state.replace(
        params={"weights": np.sin(state.params["weights"]) + state.env_steps[:, None]},
        replay=state.replay + state.params["weights"].sum(1, keepdims=True).astype(np.float32),
        env_steps=state.env_steps + np.int32(10),
        updates=state.updates + np.int32(1),
    )


def go_on(folder: Path) -> dict[str, Any]:
    """Begins the run or goes on with it, to its end."""
    described = {"algorithm": "a", "task": "t", "resolved": {"hidden": 8}}
    algorithm = SimpleNamespace(describe=lambda: described, aliases={})
    population, report = Population((0, 1), ({}, {})), ProgressReport(40, 2, shown=False)
    with Recorder(algorithm, population, {"steps": 40}, folder, 0.0, report) as recorder:  # type: ignore[arg-type]
        state = recorder.open(FIRST, resume=True, tensorboard=False) or FIRST
        while recorder.chunk < CHUNKS:
            state = advance(state)
            recorder.record(state, {"loss": state.params["weights"].sum(1)}, save=True)
    lines = [(folder / f"member_{m}" / "metrics.jsonl").read_text() for m in (0, 1)]
    return {"digest": digest(state), "metrics": lines}


def in_a_fork(folder: Path, operation: int) -> dict[str, Any] | None:
    """What `go_on` gives in a process that dies at that operation; None if it died."""
    answer, said = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            library.kill_at(ctypes.c_long(operation))
            found = go_on(folder)
            count = library.operations()
            library.kill_at(ctypes.c_long(NOT_COUNTING))
            os.write(said, json.dumps({**found, "operations": count}).encode())
        except BaseException:
            traceback.print_exc()
        os._exit(0)
    os.close(said)
    with os.fdopen(answer, "rb") as file:
        text = file.read()
    _, status = os.waitpid(child, 0)
    if os.waitstatus_to_exitcode(status) == 137:
        return None
    return json.loads(text) if text else {"failed": True}


def main(place: Path, every: int) -> dict[str, Any]:
    """Kills at every `every`-th operation of a whole run; gives what came out otherwise than in an undisturbed one."""
    undisturbed = in_a_fork(place / "undisturbed", 10**9)
    assert undisturbed is not None
    assert "operations" in undisturbed
    count = undisturbed.pop("operations")
    wrong, kills = [], 0
    for operation in range(0, count, every):
        folder = place / str(operation)
        if in_a_fork(folder, operation) is None:
            kills += 1
        found = in_a_fork(folder, NOT_COUNTING) or {}
        found.pop("operations", None)
        if found != undisturbed:
            wrong.append([operation, found])
    return {"operations": count, "kills": kills, "wrong": wrong}


if __name__ == "__main__":
    library = ctypes.CDLL(None)
    library.operations.restype = ctypes.c_long
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]))))
