"""Speed and memory of training: collecting and learning, as `marlcomm train` runs them.

By default ndq on hallway 4x4 with the published settings (16 environments, batches of 32 episodes, 64 hidden units),
for 1 and for 8 members, beside the floor: a plainly written step, measured once on two cores. `--baseline plain`
measures the same step with a plain agent in turns with ours, so that load on the machine meets both alike.
`--blocks 1 4` measures members one after the other beside four at a time. `--channels` measures QMIX with every channel
instead, in turns too, each held to silence. Nothing compiled is cached.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import jax
import numpy as np

from benchmarks.measured import Measured, measure
from benchmarks.tables import ratio, spread, table

# of the floor: updates/s in all and environment steps/s in all by members; compile seconds
FLOOR_UPDATES, FLOOR_STEPS, FLOOR_COMPILE = {1: 80.0, 8: 115.0}, {1: 17_000.0}, (12.0, 25.0)
QUICK = {"hidden": 8, "num_envs": 2, "batch_episodes": 2, "replay_episodes": 8, "batch_steps": 8, "replay_steps": 64}
CHANNEL_COMPILATIONS = 3  # so that one that a busy machine disturbed is told from a slow one


def main() -> None:
    """Measures and prints."""
    given = _arguments()
    jax.config.update("jax_enable_compilation_cache", False)
    import marlcomm as mc

    if given.devices == "all":
        mc.use_all_cores()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    print(f"{cores} of {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, jax {jax.__version__}", flush=True)
    by_channel = given.channels is not None
    algorithms = _channels(given) if by_channel else _algorithms(given)
    times = {"chunk": given.chunk, "repeats": given.repeats, "blocks": given.blocks}
    times |= {"compilations": CHANNEL_COMPILATIONS} if by_channel else {}
    found = [each for members in given.members for each in measure(algorithms, members, **times)]
    called = "QMIX with each channel" if by_channel else given.algorithm
    print(f"{jax.default_backend()}, {jax.device_count()} devices: {called} on {given.task}, {given.repeats} "
          f"chunks of {given.chunk} training steps; median (lowest .. highest), all members together\n")  # fmt: skip
    print("\n".join(_channel_table(found, algorithms) if by_channel else _table(found)))
    if (given.algorithm, given.task, by_channel) == ("ndq", "hallway", False):
        print("\n".join(_against_floor(each) for each in found))
    if given.json:
        with open(given.json, "w") as file:
            json.dump([asdict(each) for each in found], file, indent=1)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--algorithm", default="ndq")
    add("--task", default="hallway")
    add("--members", type=int, nargs="+", default=[1, 8], help="sizes of population (default: 1 8)")
    add("--blocks", type=int, nargs="+", default=[], metavar="SIZE", help="how many members are computed together, "
        "each measured in turns (default: as a run chooses)")  # fmt: skip
    add("--baseline", choices=("none", "plain"), default="none", help="what to measure in turns with ours")
    add("--channels", nargs="*", metavar="NAME", help="QMIX with these channels in turns (default: all); with the "
        "ending +memory, a channel reads memory too")  # fmt: skip
    add("--repeats", type=int, default=7, help="timed chunks (default: 7)")
    add("--chunk", type=int, default=100, help="training steps in a chunk (default: 100)")
    add("--devices", choices=("all", "one"), default="all", help="every core as a device, as the command line does")
    add("--quick", action="store_true", help="tiny sizes, which only show that it runs")
    add("--json", help="a file for every number")
    return parser.parse_args()


def _algorithms(given: argparse.Namespace) -> dict[str, Any]:
    import marlcomm as mc
    from benchmarks.plain_agent import PlainAgent

    env = mc.make_env(given.task)
    known = mc.algorithm_settings(given.algorithm)
    sizes = {name: value for name, value in QUICK.items() if given.quick and name in known}
    algorithms = {"marlcomm": mc.make_algorithm(given.algorithm, env, paper=True, **sizes)}
    if given.baseline == "plain":
        ours = algorithms["marlcomm"].learner.agent
        agent = PlainAgent(ours.channel, ours.num_actions, ours.hidden)
        sizes.pop("hidden", None)
        algorithms["plain"] = mc.make_algorithm(given.algorithm, env, paper=True, agent=agent, **sizes)
    return algorithms


def _channels(given: argparse.Namespace) -> dict[str, Any]:
    from benchmarks.channels import with_every_channel
    from marlcomm.names import CHANNELS

    return with_every_channel(given.task, given.channels or list(CHANNELS))


def _table(found: list[Measured]) -> list[str]:
    head = ["variant", "members", "env steps/s", "updates/s", "compile s", "MiB a member", "of it replay"]
    rows = [
        [
            each.label,
            str(each.members),
            spread(each.env_steps_per_second),
            spread(each.updates_per_second),
            f"{np.median(each.compile_seconds):.1f}",
            f"{each.member_bytes / 2**20:.2f}",
            f"{each.replay_bytes / each.member_bytes:.0%}",
        ]
        for each in found
    ]
    lines = [*table(head, rows), ""]
    for ours, plain in itertools.pairwise(found):
        if (ours.label, plain.label) == ("marlcomm", "plain"):
            lines.append(
                f"marlcomm against plain, {ours.members} members: "
                f"{ratio(ours.updates_per_second, plain.updates_per_second)} times the updates/s, "
                f"{ratio(ours.compile_seconds, plain.compile_seconds)} times the compile seconds"
            )
    return lines


def _channel_table(found: list[Measured], algorithms: Mapping[str, Any]) -> list[str]:
    """A row a channel and size of population; ratios are to silence, turn by turn."""
    from benchmarks.channels import PRODUCT, operations

    head = ["channel", "members", "updates/s", "of silent", "env steps/s", "of silent", "compile s",
            "its CPU seconds, of silent", "matrix products in the time loop", "outside it"]  # fmt: skip
    made = {label: operations(algorithm) for label, algorithm in algorithms.items()}
    rows = []
    for each in found:
        silent = next(other for other in found if (other.label, other.members) == ("silent", each.members))
        rows.append(
            [
                each.label,
                str(each.members),
                spread(each.updates_per_second),
                ratio(each.updates_per_second, silent.updates_per_second),
                spread(each.env_steps_per_second),
                ratio(each.env_steps_per_second, silent.env_steps_per_second),
                spread(each.compile_seconds, ".1f"),
                ratio(each.compile_cpu_seconds, silent.compile_cpu_seconds),
                *(str(made[each.label][in_loop][PRODUCT]) for in_loop in (True, False)),
            ]
        )
    return table(head, rows)


def _against_floor(each: Measured) -> str:
    parts = []
    if each.members in FLOOR_UPDATES:
        floor = FLOOR_UPDATES[each.members]
        parts.append(f"{np.median(each.updates_per_second) / floor:.2f} x its {floor:g} updates/s")
    if each.members in FLOOR_STEPS:
        floor = FLOOR_STEPS[each.members]
        parts.append(f"{np.median(each.env_steps_per_second) / floor:.2f} x its {floor:,.0f} env steps/s")
    low, high = FLOOR_COMPILE
    parts.append(f"compile {np.median(each.compile_seconds):.1f} s against its {low:g} .. {high:g} s")
    return f"{each.label}, {each.members} members, against the floor: {'; '.join(parts)}"


if __name__ == "__main__":
    main()
