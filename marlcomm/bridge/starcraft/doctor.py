"""What `marlcomm doctor` looks at: whether StarCraft II can be played here, and what to type where it cannot."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

from marlcomm.bridge.starcraft import packages, protocol
from marlcomm.bridge.starcraft.installation import STAND_IN_BUILD, Installation
from marlcomm.bridge.starcraft.map_files import MAP_FILES
from marlcomm.validation import UsageError

OF_NDQ = ("3b_vs_1h1m", "3s_vs_5z", "1o2r_vs_4r", "5z_vs_1ul", "MMM", "1o10b_vs_1r")
UNITS = 22  # in the observation by which parsing is timed
PARSES = 200
SLOW = 300.0  # microseconds for it, above which protobuf is not compiled
GAME_MEMORY, SHARED_MEMORY, TEMPORARY = 1.5, 0.25, 2.0  # GiB that a game, the workers' block, and its files want
GIB = 2**30
OTHER_PYTHON = "name an interpreter in which the simulator is installed, such as smac_env/bin/python"
ELSEWHERE = """
import sys, types
package = types.ModuleType("marlcomm")
package.__path__ = [sys.argv[1]]
sys.modules["marlcomm"] = package
from marlcomm.bridge.starcraft import doctor
print(doctor.as_json(list(doctor.interpreter())))
"""


class Finding(NamedTuple):
    """One thing that was looked at."""

    what: str
    found: str
    state: Literal["good", "wrong", "absent"] = "good"  #: "absent" is what only some tasks need
    do: str = ""  #: what to type or change


def examine(sc2_path: str | None = None, python: str | None = None, play: str | None = None) -> list[Finding]:
    """Looks at the interpreter, the game, its maps and the machine.

    Args:
      sc2_path: the game's folder; by default what SC2PATH says.
      python: the interpreter that is looked at, where workers have one of their own; by default this one.
      play: a map on which the game is started and played for a moment.
    """
    found = [*(interpreter() if python is None else _elsewhere(python)), *_game(sc2_path), *machine()]
    if play is not None:
        found += _play(play, sc2_path)
    return found


def as_json(findings: list[Finding]) -> str:
    """The findings as a JSON list of objects."""
    return json.dumps([each._asdict() for each in findings])


def interpreter() -> Iterator[Finding]:
    """This interpreter and the packages in it."""
    yield Finding("python", f"{platform.python_version()}, {sys.executable}")
    for package in ("numpy", "websockets"):
        version = _version(package)
        missing = f"pip install numpy in {sys.executable}" if package == "numpy" else protocol.INSTALL
        yield Finding(package, version) if version else Finding(package, "missing", "wrong", missing)
    yield from _messages()
    yield from _optional()


def _messages() -> Iterator[Finding]:
    """The protocol's messages, and how fast this protobuf reads them."""
    from_where = ", ".join(
        f"{name} {version}" for name in ("pys2clientprotocol", "s2clientprotocol") if (version := _version(name))
    )
    try:
        messages = protocol.messages()
    except ImportError as error:
        yield Finding("protocol", from_where or "missing", "wrong", str(error))
        return
    yield Finding("protocol", from_where or "there")
    from google.protobuf.internal import api_implementation

    kind, spent = api_implementation.Type(), _parsing_time(messages)
    found = f"{_version('protobuf')}, {kind}, {spent:.1f} microseconds for an observation of {UNITS} units"
    if kind == "python" or spent > SLOW:
        yield Finding("protobuf", found, "wrong", 'it is not compiled: pip install --upgrade "protobuf>=6"')
    else:
        yield Finding("protobuf", found)


def _parsing_time(messages: Any) -> float:
    """Microseconds for one observation, the best of a few rounds."""
    response = messages.Response()
    for number in range(UNITS):
        unit = response.observation.observation.raw_data.units.add(tag=2**33 + number, unit_type=48, owner=1)
        unit.health, unit.health_max, unit.pos.x, unit.pos.y = 45, 45, 9.0, 16.0
    data = response.SerializeToString()
    rounds = []
    for _ in range(3):
        begin = time.perf_counter()
        for _ in range(PARSES // 3):
            messages.Response().ParseFromString(data)
        rounds.append((time.perf_counter() - begin) / (PARSES // 3))
    return min(rounds) * 1e6


def _optional() -> Iterator[Finding]:
    """Packages that only their own tasks need."""
    for package, module in (("smac", "smac.env"), ("smacv2", "smacv2.env"), ("smaclite", "smaclite")):
        other = package == "smac" and packages.is_optimizer()
        if other or importlib.util.find_spec(package) is None:
            found = "an optimizer of the same name" if other else "not there"
            yield Finding(package, f"{found}; only {package}: needs it", "absent", packages.install_command(package))
            continue
        try:
            packages.load(package, module)
        except ImportError as error:
            yield Finding(package, "does not load", "wrong", str(error))
        else:
            yield Finding(package, _version(package) or "there")


def _elsewhere(python: str) -> list[Finding]:
    """The same of another interpreter, in which this package need not be installed."""
    package = str(Path(__file__).parents[2])
    try:
        done = subprocess.run(
            [python, "-c", ELSEWHERE, package], capture_output=True, text=True, timeout=120, check=True
        )
        return [Finding(**each) for each in json.loads(done.stdout.splitlines()[-1])]
    except subprocess.TimeoutExpired as error:
        return [Finding("python", f"{python} does not answer within {error.timeout:g} seconds", "wrong", OTHER_PYTHON)]
    except (OSError, subprocess.SubprocessError, ValueError, IndexError) as error:
        said = (getattr(error, "stderr", "") or str(error)).strip().splitlines()
        return [Finding("python", f"{python} does not run: {said[-1] if said else error}", "wrong", OTHER_PYTHON)]


def _game(sc2_path: str | None) -> Iterator[Finding]:
    """The game, its versions and its maps."""
    try:
        there = Installation(sc2_path)
        newest = there.version()
    except UsageError as error:
        yield Finding("StarCraft II", "not there", "wrong", str(error))
        return
    listed = ", ".join(each.name for each in there.versions())
    yield Finding("StarCraft II", f"{there.folder}: {listed}")
    if newest.build == STAND_IN_BUILD:
        return  # its maps hold nothing
    for name in OF_NDQ:
        yield _maps(f"map {name}", there, [name])
    yield _maps("other maps", there, [name for name in MAP_FILES if name not in OF_NDQ])


def _maps(what: str, there: Installation, names: list[str]) -> Finding:
    wrong = {name: reason for name in names if (reason := there.check_map(name))}
    if not wrong:
        return Finding(what, "as published" if len(names) == 1 else f"all {len(names)} as published")
    return Finding(
        what, f"{len(names) - len(wrong)} of {len(names)} as published", "absent", next(iter(wrong.values()))
    )


def machine() -> Iterator[Finding]:
    """Processors, memory, and room for shared memory and temporary files."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    yield Finding("processors", f"{cores}: as many games run at once")
    free = _free_memory()
    if free:
        games = int(free / GIB / GAME_MEMORY)
        yield Finding(
            "free memory",
            f"{free / GIB:.1f} GiB: enough for {games} games",
            "good" if games else "wrong",
            "" if games else "end other programs: a game takes a gigabyte or more",
        )
    shared, temporary = Path("/dev/shm"), Path(tempfile.gettempdir())
    if shared.is_dir():
        yield _room("shared memory", shared, SHARED_MEMORY, "mount -o remount,size=2G /dev/shm (docker: --shm-size=2g)")
    yield _room("temporary files", temporary, TEMPORARY, "make room there, or set TMPDIR to a folder that has it")


def _room(what: str, folder: Path, needed: float, do: str) -> Finding:
    free = shutil.disk_usage(folder).free / GIB
    found = f"{folder}: {free:.1f} GiB free"
    return Finding(what, found, "wrong", do) if free < needed else Finding(what, found)


def _free_memory() -> int:
    """Bytes, or 0 where nobody knows."""
    try:
        import psutil
    except ImportError:
        return 0
    return psutil.virtual_memory().available


def _play(name: str, sc2_path: str | None, steps: int = 50) -> Iterator[Finding]:
    """Starts the game on a map and plays at random."""
    import numpy as np

    from marlcomm.bridge.simulator import SimulatorFault
    from marlcomm.bridge.starcraft.simulator import StarCraft

    what = f"play {name}"
    try:
        game = StarCraft(name, sc2_path=sc2_path)
    except (UsageError, ImportError) as error:
        yield Finding(what, "cannot be", "wrong", str(error))
        return
    try:
        launched, observed = _timed(lambda: game.reset(0))
        rng, spent = np.random.default_rng(0), []
        for _ in range(steps):
            mask = np.asarray(observed.action_mask)
            action = (rng.random(mask.shape) * mask).argmax(1).astype(np.int32)
            once, outcome = _timed(lambda action=action: game.step(action))
            spent.append(once)
            observed = outcome.observed
            if outcome.terminated or outcome.truncated:
                observed = game.reset(0)
    except SimulatorFault as error:
        yield Finding(what, f"fault: {error.cause}", "wrong", str(error))
    except Exception as error:  # in a run this would be a crash
        yield Finding(what, "crash", "wrong", f"{type(error).__name__}: {error}")
    else:
        speed = f"started in {launched:.1f} s, {1e3 * np.median(spent):.1f} ms a step"
        yield Finding(what, f"version {game.version}: {speed}")
    finally:
        game.close()


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    begin = time.perf_counter()
    result = work()
    return time.perf_counter() - begin, result


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""
