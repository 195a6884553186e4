"""What a worker process does: it makes a simulator, and does what it is told, until nobody is there to tell it.

It imports numpy and the simulator. Orders come as a byte on a socket, whose end is the end of whoever gives them; what
is ordered, and the answer, stand in the shared block, and a byte on a pipe says that it is there.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import os
import signal
import socket
import sys
import threading
import time
import traceback
from dataclasses import asdict
from typing import Any

import numpy as np

from marlcomm.bridge import block as blocks
from marlcomm.bridge.block import CLOSE, HELLO, RESET, STEP, SharedBlock, say_trouble, sentinels
from marlcomm.bridge.checks import checked, rewards
from marlcomm.bridge.simulator import Observed, Outcome, SimulatorFault, SimulatorSpec
from marlcomm.validation import UsageError

HEARTBEAT = 1.0  # seconds
LOG = 2**20  # bytes of what a simulator prints that are kept
CRASH, SEQUENCE, HANDSHAKE = "crash", "sequence", "handshake"  # causes
FOREIGN = ("jax", "jaxlib")  # what no worker may import: it would take the learner's device


def work(descriptor: int, config: dict[str, Any]) -> None:
    """Serves one slot, or says what a simulator's sizes are, and ends the process."""
    channel = socket.socket(fileno=descriptor)
    channel.set_inheritable(False)  # what the simulator starts must not hold it open
    code = 0
    try:
        simulator = make_simulator(config)
        if "slots" in config:
            _Server(channel, config, simulator).serve()
        else:
            _describe(channel, simulator.spec)
        with contextlib.suppress(Exception):
            simulator.close()
    except BaseException as error:
        code = 1
        with contextlib.suppress(OSError):
            traceback.print_exc()  # into the log
        with contextlib.suppress(OSError):
            channel.sendall(json.dumps({"error": _sentence(error), "trace": _trace(error)}).encode() + b"\n")
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)  # whatever threads the simulator has


def make_simulator(config: dict[str, Any]) -> Any:
    """The simulator that is asked for: what the function at `place` makes of `name` and `options`."""
    for module in config.get("import", ()):
        importlib.import_module(module)
    module, _, function = config["place"].rpartition(":")
    return getattr(import_place(module), function)(config["name"], **config["options"])


def import_place(module: str) -> Any:
    """A module by its name, or by the path of its file, which is imported under another name than `__main__`."""
    if not module.endswith(".py"):
        return importlib.import_module(module)
    name = "simulator_of_" + os.path.basename(module)[:-3]
    spec = importlib.util.spec_from_file_location(name, module)
    if spec is None or spec.loader is None:
        raise ImportError(f"{module} cannot be imported")
    made = sys.modules[name] = importlib.util.module_from_spec(spec)
    sys.path.insert(0, os.path.dirname(module))
    spec.loader.exec_module(made)
    return made


def _describe(channel: socket.socket, spec: SimulatorSpec) -> None:
    channel.sendall(json.dumps({"spec": asdict(spec)}).encode() + b"\n")


class _Server:
    """One slot of the shared block, and the simulator that plays in it."""

    def __init__(self, channel: socket.socket, config: dict[str, Any], simulator: Any) -> None:
        self._channel, self._simulator, self._done = channel, simulator, config["done"]
        os.set_inheritable(self._done, False)
        os.set_inheritable(config["block"], False)
        self._slot, self._spec = config["slot"], SimulatorSpec.from_json(config["spec"])
        block = SharedBlock(self._spec, config["slots"], config["block"])
        self._row = {name: getattr(block, name)[self._slot] for name in blocks.layout(self._spec)}
        self._order, self._answer = block.order[self._slot : self._slot + 1], block.answer[self._slot : self._slot + 1]
        self._row["order"] = self._row["answer"] = None
        self._number, self._parent = int(self._order["number"][0]) - 1, os.getppid()
        threading.Thread(target=self._live, daemon=True).start()

    def serve(self) -> None:
        """Does what is ordered; returns when it is to close, and ends the process where nobody is left."""
        while True:
            if not self._channel.recv(1):
                _end_group()
            order, answer = self._order, self._answer
            number, kind = int(order["number"][0]), int(order["kind"][0])
            if kind == CLOSE:
                return
            began = time.perf_counter()
            answer["fault"] = 0
            try:
                self._obey(kind, number)
            except BaseException as error:
                answer["fault"] = 1
                cause = error.cause if isinstance(error, SimulatorFault) else CRASH
                say_trouble(self._row["trouble"], cause, f"{_sentence(error)}\n{_trace(error)}")
            answer["simulated"] = time.perf_counter() - began
            answer["episode"] = order["episode"]
            answer["number"] = number  # last: it says that all else is there
            os.write(self._done, b"d")

    def _obey(self, kind: int, number: int) -> None:
        before, self._number = self._number, number
        if number != before + 1 or (kind == STEP and int(self._order["action_of"][0]) != before):
            raise SimulatorFault(SEQUENCE, f"order {number} came after {before}")
        if kind == HELLO:
            self._shake_hands()
            return
        if kind == RESET:
            self._answer["terminated"] = self._answer["truncated"] = self._answer["won"] = 0
            self._tell(self._simulator.reset(int(self._order["seed"][0])))
            return
        observed, reward, terminated, truncated, won = _outcome(self._simulator.step(self._row["action"].copy()))
        self._row["reward"][...] = rewards(self._spec, reward)
        self._tell(observed)
        self._answer["terminated"], self._answer["truncated"] = bool(terminated), bool(truncated)
        self._answer["won"] |= np.uint8(bool(won))

    def _tell(self, observed: Any) -> None:
        now = checked(self._spec, observed)
        for name, value in zip(Observed._fields, now, strict=True):
            self._row[name][...] = value

    def _shake_hands(self) -> None:
        """Compares the actions with their sentinels, and writes those of everything else."""
        found, mine = self._simulator.spec, self._spec
        if found != mine:
            raise SimulatorFault(HANDSHAKE, f"the simulator is now {found}, and was {mine}")
        if loaded := [name for name in FOREIGN if name in sys.modules]:
            raise SimulatorFault(HANDSHAKE, f"the simulator imports {loaded[0]}, which would take the learner's device")
        for name, (dtype, shape) in blocks.layout(mine).items():
            if name in ("order", "answer", "trouble"):
                continue
            expected = sentinels(name, self._slot, dtype, shape)
            if name != "action":
                self._row[name][...] = expected
            elif not np.array_equal(self._row[name], expected):
                raise SimulatorFault(HANDSHAKE, "actions do not arrive where they should")

    def _live(self) -> None:
        """Says that the process lives; ends it where its parent does not; keeps its log short."""
        while True:
            self._answer["heartbeat"] = time.monotonic()
            if os.getppid() != self._parent:
                _end_group()
            with contextlib.suppress(OSError):
                if os.fstat(2).st_size > LOG:
                    os.ftruncate(2, 0)
            time.sleep(HEARTBEAT)


def _end_group() -> None:
    """Ends this process and all that the simulator started."""
    with contextlib.suppress(OSError):
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def _outcome(given: Any) -> Outcome:
    if not isinstance(given, tuple) or len(given) != len(Outcome._fields):
        raise SimulatorFault("wrong shape", f"step must give Outcome(...), not {type(given).__name__}")
    return Outcome(*given)


def _sentence(error: BaseException) -> str:
    if isinstance(error, UsageError | SimulatorFault):  # says by itself what is wrong
        return str(error)
    return f"{type(error).__name__}: {error}".strip().splitlines()[0] if str(error) else type(error).__name__


def _trace(error: BaseException) -> str:
    """Where it happened; nothing where the sentence is all that helps."""
    if isinstance(error, UsageError):
        return ""
    return "".join(traceback.format_exception(type(error), error, error.__traceback__))
