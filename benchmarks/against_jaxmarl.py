"""Training beside JaxMARL's, at the same work, each library in a process of its own and in turns.

    python -m benchmarks.against_jaxmarl JAXMARL/baselines --json out.json

The folder is that of JaxMARL's scripts (its repository has it; its package, `pip install "marlcomm[jaxmarl]"`, has
not). Without one, ours is measured alone. `--before FOLDER` takes another checkout of marlcomm into the turns. Every
library starts as its users start it: ours with every core as a device, JaxMARL's as JAX is by default.

Measured are environment steps and updates a second of all members together, seconds to compile, and seconds from the
start of a process to the end of the first update: with an empty compile cache, and again with the one that this left.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cases import CASES, Case, Measured, tiny
from benchmarks.tables import ratio, spread, table
from benchmarks.turns import Worker, WorkerError

OURS, BEFORE, PEER = "marlcomm", "marlcomm before", "JaxMARL"
ALONE = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}  # several processes share an accelerator
COLD = {**ALONE, "JAX_ENABLE_COMPILATION_CACHE": "false"}
MOST_CHUNKS = 1000  # until the first update
CHUNKS = {"qmix": 100, "mappo": 20, "maddpg": 4}  # training steps of a turn


def main() -> None:
    """Measures and prints."""
    given = _arguments()
    if given.baselines is not None:
        from benchmarks.jaxmarl_baselines import baselines_folder, not_installed

        try:
            baselines_folder(given.baselines)
        except FileNotFoundError as error:
            sys.exit(str(error))
        if stubs := not_installed():
            print(f"JaxMARL's scripts get modules that do nothing for {', '.join(stubs)}, which are not installed")
    print(f"{_cores()} cores, load {os.getloadavg()[0]:.1f}; median (lowest .. highest) of {given.repeats} turns\n")
    found: dict[str, Any] = {}
    for name in given.cases:
        found[name] = {"speed": [], "start": []}
        print(f"**{name}**: {CASES[name].note}\n")
        printed = 0
        for members in given.members:
            found[name]["speed"] += speeds(name, members, given)
            lines = speed_table(found[name]["speed"])
            print("\n".join(lines[printed:]), flush=True)
            printed = len(lines)
            _keep(found, given.json)
        if given.starts:
            for library in libraries(name, given):
                found[name]["start"] += starts(library, name, given)
            print("\n" + "\n".join(start_table(found[name]["start"])))
            _keep(found, given.json)
        print(flush=True)
    print(f"load {os.getloadavg()[0]:.1f} at the end")


def _keep(found: Mapping[str, Any], path: Path | None) -> None:
    """Writes what was found so far: what is stopped has not been for nothing."""
    if path is not None:
        path.write_text(json.dumps(found, indent=1))


def libraries(name: str, given: argparse.Namespace) -> list[str]:
    """Those that take turns at a case."""
    has_peer = given.baselines is not None and CASES[name].script
    return [OURS, *([BEFORE] if given.before else []), *([PEER] if has_peer else [])]


def speeds(name: str, members: int, given: argparse.Namespace) -> list[dict[str, Any]]:
    """What each library reaches with so many members; of one that fails, why."""
    chunk = given.chunk or (2 if given.quick else CHUNKS[name])
    workers: dict[str, Worker] = {}
    failed: dict[str, str] = {}

    def each(function: Any, *arguments: Any) -> dict[str, Any]:
        answers = {}
        for library in list(workers):
            try:
                answers[library] = workers[library].call(function, *arguments, limit=given.limit)
            except WorkerError as error:
                failed[library] = str(error)
                del workers[library]
        return answers

    for library in libraries(name, given):
        worker = workers[library] = _worker(library, COLD, given)
        try:
            worker.call(make, library, name, members, chunk, given.quick, given.baselines, limit=given.limit)
        except WorkerError as error:
            failed[library] = str(error)
            del workers[library]
    each(call, "compile")
    each(call, "warm_up")
    for _ in range(given.repeats):
        each(call, "time_one_chunk")
    found = each(call, "measured")
    for worker in workers.values():
        worker.close()
    said = [{"library": library, "members": members, "failed": why} for library, why in failed.items()]
    return [asdict(measured) | {"library": library} for library, measured in found.items()] + said


def starts(library: str, name: str, given: argparse.Namespace) -> list[dict[str, Any]]:
    """Seconds from the start of a process to the end of the first update, twice with one compile cache."""
    with tempfile.TemporaryDirectory() as cache:
        keeping = {"JAX_COMPILATION_CACHE_DIR": cache, "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.5"}
        found = []
        for which in ("empty cache", "second start"):
            worker = _worker(library, ALONE | keeping, given)
            try:
                worker.call(make, library, name, 1, 1, given.quick, given.baselines, limit=given.limit)
                worker.call(call, "first_update", limit=given.limit)
                seconds = {"seconds": time.perf_counter() - worker.started}
            except WorkerError as error:
                seconds = {"failed": str(error)}
            worker.close()
            found.append({"library": library, "which": which, **seconds})
    return found


def make(_: None, library: str, name: str, members: int, chunk: int, quick: bool, baselines: str | None) -> Any:
    """In a worker: what is called in turns."""
    case = tiny(CASES[name]) if quick else CASES[name]
    if library == PEER:
        from benchmarks.jaxmarl_baselines import Baseline

        assert baselines is not None
        return Baseline(case, members, baselines, chunk)
    return Ours(case, members, chunk)


def call(held: Any, method: str) -> Any:
    """In a worker: a method of what was made."""
    return getattr(held, method)()


class Ours:
    """A chunk of our training, as `marlcomm train` runs it."""

    def __init__(self, case: Case, members: int, chunk: int) -> None:
        """Makes task, algorithm and the members' first state."""
        import marlcomm as mc

        mc.use_all_cores()
        from benchmarks.measured import Variant

        env = mc.make_env("navigation", **case.task_options)
        algorithm = mc.make_algorithm(case.algorithm, env, **case.ours)
        self.variant = Variant("marlcomm", algorithm, members, chunk)

    def compile(self) -> None:
        """Compiles the chunk."""
        self.variant.compile()

    def warm_up(self) -> None:
        """Runs until something is learned, and a little longer."""
        self._learn()
        self.variant.warm_up()

    def time_one_chunk(self) -> None:
        """Runs one chunk and notes its speeds."""
        self.variant.time_one_chunk()

    def first_update(self) -> None:
        """Compiles, and trains until something was learned."""
        self.compile()
        self._learn()

    def measured(self) -> Measured:
        """What was found."""
        found = self.variant.measured()
        numbers = found.compile_seconds, found.env_steps_per_second, found.updates_per_second
        return Measured(OURS, found.members, *numbers)

    def _learn(self) -> None:
        for _ in range(MOST_CHUNKS):
            self.variant.time_one_chunk()
            if self.variant.updates:
                return
        raise RuntimeError(f"nothing was learned within {MOST_CHUNKS} chunks")


def speed_table(found: Iterable[Mapping[str, Any]]) -> list[str]:
    """The lines of a table; ratios are of ours to each other library, turn by turn."""
    found = list(found)
    head = ["library", "members", "env steps/s", "updates/s", "ours to it: env steps/s", "updates/s",
            "compile s", "time of one member's"]  # fmt: skip
    rows = []
    for each in found:
        if "failed" in each:
            rows.append([each["library"], str(each["members"]), each["failed"], *[""] * 5])
            continue
        ours = _of(found, OURS, each["members"]) if each["library"] != OURS else None
        one = _of(found, each["library"], 1) if each["members"] > 1 else None
        kinds = ("env_steps_per_second", "updates_per_second")
        rows.append(
            [
                each["library"],
                str(each["members"]),
                *(spread(each[kind]) for kind in kinds),
                *(ratio(ours[kind], each[kind]) if ours else "" for kind in kinds),
                f"{np.median(each['compile_seconds']):.1f}",
                _slower(each, one) if one else "",
            ]
        )
    return table(head, rows)


def _slower(each: Mapping[str, Any], one: Mapping[str, Any]) -> str:
    """How many times as long as one member the members take together."""
    speeds = [np.median(of["env_steps_per_second"]) for of in (one, each)]
    return f"{each['members'] * speeds[0] / speeds[1]:.2f}"


def start_table(found: Iterable[Mapping[str, Any]]) -> list[str]:
    """The lines of a table of seconds to the first update."""
    rows = [
        [each["library"], each["which"], f"{each['seconds']:.1f}" if "seconds" in each else each["failed"]]
        for each in found
    ]
    return table(["library", "one member, from the start of a process", "s to the first update"], rows)


def _of(found: Iterable[Mapping[str, Any]], library: str, members: int) -> Mapping[str, Any] | None:
    wanted = (each for each in found if (each["library"], each["members"]) == (library, members))
    return next((each for each in wanted if "failed" not in each), None)


def _worker(library: str, environment: Mapping[str, str], given: argparse.Namespace) -> Worker:
    return Worker(environment, [str(given.before.resolve())] if library == BEFORE else [])


def _cores() -> str:
    here = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{here} of {os.cpu_count()}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("baselines", nargs="?", help="JaxMARL's folder `baselines`, or its repository")
    add("--before", type=Path, metavar="FOLDER", help="another checkout of marlcomm, in turns with this one")
    add("--cases", nargs="+", choices=list(CASES), default=list(CASES), help="by default all")
    add("--members", type=int, nargs="+", default=[1, 4, 8], help="sizes of population (default: 1 4 8)")
    add("--repeats", type=int, default=7, help="turns (default: 7)")
    add("--chunk", type=int, help="training steps of a turn (default: " + ", ".join(map(str, CHUNKS.values())) + ")")
    add("--limit", type=float, default=600.0, help="seconds that one call of a library may take (default: 600)")
    add("--no-starts", dest="starts", action="store_false", help="leave out seconds to the first update")
    add("--quick", action="store_true", help="tiny sizes, which only show that it runs")
    add("--json", type=Path, help="a file for every number")
    return parser.parse_args()


if __name__ == "__main__":
    main()
