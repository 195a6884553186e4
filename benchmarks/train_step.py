"""Speed and memory of training: collecting and learning, as `marlcomm train` runs them.

By default ndq on hallway 4x4 with the published settings (16 environments, batches of 32 episodes, 64 hidden units),
for 1 and for 8 members, beside the floor of DESIGN.md. `--baseline plain` measures the same step with a plain agent
in turns with ours, so that load on the machine meets both alike. No compiled program is cached.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import time
from dataclasses import asdict, dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

WARM_UP_CHUNKS = 3
# DESIGN.md, 2 cores: updates/s in all and environment steps/s in all by members; compile seconds
FLOOR_UPDATES, FLOOR_STEPS, FLOOR_COMPILE = {1: 80.0, 8: 115.0}, {1: 17_000.0}, (12.0, 25.0)


@dataclass(frozen=True)
class Measured:
    """One variant; speeds are of all members together, one entry a timed chunk."""

    label: str
    members: int
    compile_seconds: float
    env_steps_per_second: list[float]
    updates_per_second: list[float]
    member_bytes: int
    replay_bytes: int


class Variant:
    """A compiled chunk of training and the state that it moves."""

    def __init__(self, label: str, algorithm: Any, members: int, chunk: int) -> None:
        """Compiles, and warms up until replay holds a batch."""
        from marlcomm.training import make_population
        from marlcomm.training.step import make_chunk

        self.label, self.members = label, members
        population = make_population(algorithm, members)
        self.state = population.init(algorithm)
        self.limit = jnp.int32(jnp.iinfo(jnp.int32).max)
        started = time.perf_counter()
        self.advance = make_chunk(algorithm, population, chunk).lower(self.state, self.limit).compile()
        self.compile_seconds = time.perf_counter() - started
        self.env_steps, self.updates = [], []
        for _ in range(WARM_UP_CHUNKS):
            self.time_one_chunk()
        self.env_steps, self.updates = [], []

    def time_one_chunk(self) -> None:
        """Runs one chunk and notes its speeds."""
        before = self._counts()
        started = time.perf_counter()
        self.state, _ = jax.block_until_ready(self.advance(self.state, self.limit))
        seconds = time.perf_counter() - started
        steps, updates = (self._counts() - before) / seconds
        self.env_steps.append(float(steps))
        self.updates.append(float(updates))

    def measured(self) -> Measured:
        """What was found."""
        return Measured(
            self.label,
            self.members,
            self.compile_seconds,
            self.env_steps,
            self.updates,
            _bytes(self.state) // self.members,
            _bytes(self.state.replay) // self.members,
        )

    def _counts(self) -> np.ndarray:
        return np.array([int(np.sum(self.state.env_steps)), int(np.sum(self.state.updates))])


def main() -> None:
    """Measures and prints."""
    given = _arguments()
    jax.config.update("jax_enable_compilation_cache", False)
    import marlcomm as mc

    if given.devices == "all":
        mc.use_all_cores()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, jax {jax.__version__}")
    found = []
    for members in given.members:
        variants = [Variant("marlcomm", _algorithm(given, plain=False), members, given.chunk)]
        if given.baseline == "plain":
            variants.append(Variant("plain", _algorithm(given, plain=True), members, given.chunk))
        for _ in range(given.repeats):
            for variant in variants:  # in turns
                variant.time_one_chunk()
        found += [variant.measured() for variant in variants]
    standard = (given.algorithm, given.task) == ("ndq", "hallway")
    print(f"{jax.default_backend()}, {jax.device_count()} devices: {given.algorithm} on {given.task}, {given.repeats} "
          f"chunks of {given.chunk} training steps; median (lowest .. highest), all members together\n")  # fmt: skip
    print("\n".join(_table(found, standard)))
    if given.json:
        with open(given.json, "w") as file:
            json.dump([asdict(each) for each in found], file, indent=1)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--algorithm", default="ndq")
    add("--task", default="hallway")
    add("--members", type=int, nargs="+", default=[1, 8], help="sizes of population (default: 1 8)")
    add("--baseline", choices=("none", "plain"), default="none", help="what to measure in turns with ours")
    add("--repeats", type=int, default=7, help="timed chunks (default: 7)")
    add("--chunk", type=int, default=100, help="training steps in a chunk (default: 100)")
    add("--devices", choices=("all", "one"), default="all", help="every core as a device, as the command line does")
    add("--json", help="a file for every number")
    return parser.parse_args()


def _algorithm(given: argparse.Namespace, plain: bool) -> Any:
    import marlcomm as mc
    from benchmarks.plain_agent import PlainAgent

    env = mc.make_env(given.task)
    algorithm = mc.make_algorithm(given.algorithm, env, paper=True)
    if not plain:
        return algorithm
    ours = algorithm.learner.agent
    agent = PlainAgent(ours.channel, ours.num_actions, ours.hidden)
    return mc.make_algorithm(given.algorithm, env, paper=True, agent=agent)


def _bytes(tree: Any) -> int:
    return sum(leaf.nbytes for leaf in jax.tree.leaves(tree))


def _table(found: list[Measured], standard: bool) -> list[str]:
    head = ["variant", "members", "env steps/s", "updates/s", "compile s", "MiB a member", "of it replay"]
    rows = []
    for each in found:
        rows.append(
            [
                each.label,
                str(each.members),
                _spread(each.env_steps_per_second),
                _spread(each.updates_per_second),
                f"{each.compile_seconds:.1f}",
                f"{each.member_bytes / 2**20:.2f}",
                f"{each.replay_bytes / each.member_bytes:.0%}",
            ]
        )
    lines = [_line(head), _line(["---"] * len(head)), *map(_line, rows), ""]
    if standard:
        lines += [line for each in found for line in _against_floor(each)]
    for ours, plain in itertools.pairwise(found):
        if (ours.label, plain.label) == ("marlcomm", "plain"):
            faster = np.array(ours.updates_per_second) / np.array(plain.updates_per_second)  # chunk by chunk
            lines.append(
                f"marlcomm against plain, {ours.members} members: {_spread(faster.tolist(), '.2f')} times "
                f"the updates/s, {ours.compile_seconds / plain.compile_seconds:.2f} times the compile seconds"
            )
    return lines


def _against_floor(each: Measured) -> list[str]:
    parts = []
    if each.members in FLOOR_UPDATES:
        floor = FLOOR_UPDATES[each.members]
        parts.append(f"{np.median(each.updates_per_second) / floor:.2f} x its {floor:g} updates/s")
    if each.members in FLOOR_STEPS:
        floor = FLOOR_STEPS[each.members]
        parts.append(f"{np.median(each.env_steps_per_second) / floor:.2f} x its {floor:,.0f} env steps/s")
    low, high = FLOOR_COMPILE
    parts.append(f"compile {each.compile_seconds:.1f} s against its {low:g} .. {high:g} s")
    return [f"{each.label}, {each.members} members, against DESIGN.md's floor: {'; '.join(parts)}"]


def _spread(values: list[float], form: str = ",.0f") -> str:
    return f"{np.median(values):{form}} ({min(values):{form}} .. {max(values):{form}})"


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
