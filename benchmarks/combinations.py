"""Every channel with every mixer and learner, by name from the command line: trained, or refused with a sentence.

    python -m benchmarks.combinations            # a table in Markdown; about ten minutes on two cores

Each is a process of its own, `marlcomm train ...`, on a small task with tiny networks: what counts is that it trains
to the end with finite numbers, or says in one line what would be right.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from benchmarks import tables
from marlcomm.names import CHANNELS, CRITICS, MIXERS

TASK = "hallway", ("task.lengths=2,3,2",)
TINY = {
    "qmix": ("hidden=8", "num_envs=4", "batch_episodes=8", "replay_episodes=64"),
    "mappo": ("hidden=8", "num_envs=8"),
    "maddpg": ("hidden=8", "num_envs=4", "batch_steps=32", "replay_steps=1000"),
}
DRAWN = "gated, drawn"  # the one channel that has two ways to be taught
REFUSED = 2  # the exit code of a usage error


class Found(NamedTuple):
    """What became of one combination: what it earns, or why it was refused; `fault` where it was neither."""

    earned: float | None = None
    refused: str = ""
    fault: str = ""


def ways() -> dict[str, tuple[str, ...]]:
    """What stands beside the channel: title -> algorithm and settings."""
    return {
        **{f"value, {mixer}": ("qmix", f"mixer={mixer}") for mixer in MIXERS},
        **{f"on-policy, {critic}": ("mappo", f"critic={critic}") for critic in CRITICS},
        "actor-critic": ("maddpg",),
        "actor-critic, recurrent": ("maddpg", "recurrent=yes"),
    }


def channels() -> dict[str, tuple[str, ...]]:
    """Title -> settings."""
    found = {name: (f"channel={name}",) for name in CHANNELS}
    return {**found, DRAWN: ("channel=gated", "channel.sampled=yes")}


def train(way: Sequence[str], channel: Sequence[str], steps: int) -> Found:
    """Trains one combination in a process of its own."""
    algorithm, *settings = way
    task, options = TASK
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "run"
        words = ["train", algorithm, task, "--steps", str(steps), "--out", str(folder), "--quiet"]
        words += ["--evaluations", "1", "--evaluation-episodes", "32"]
        words += ["--set", *channel, *settings, *TINY[algorithm], *options]
        done = subprocess.run([sys.executable, "-m", "marlcomm", *words], capture_output=True, text=True)
        if done.returncode == REFUSED:
            return Found(refused=done.stderr.strip().removeprefix("marlcomm: "))
        if done.returncode:
            return Found(fault=done.stderr.strip().splitlines()[-1])
        (member,) = json.loads((folder / "summary.json").read_text())["members"]
        return Found(earned=member["return"]) if member["healthy"] else Found(fault="not finite")


def table(found: dict[tuple[str, str], Found]) -> str:
    """Markdown: a row a channel, a column a way; what is refused has a number, and a sentence below."""
    reasons: list[str] = []

    def cell(each: Found) -> str:
        if each.fault:
            return f"**{each.fault}**"
        if not each.refused:
            return f"{each.earned:.2f}"
        if each.refused not in reasons:
            reasons.append(each.refused)
        return f"refused ({reasons.index(each.refused) + 1})"

    rows = [[name, *(cell(found[name, way]) for way in ways())] for name in channels()]
    lines = tables.table(["channel", *ways()], rows)
    return "\n".join([*lines, "", *(f"{number}. {reason}" for number, reason in enumerate(reasons, 1))])


def main() -> None:
    """Trains all, prints; ends with 1 where one neither trains nor is refused."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=5000, help="environment steps of each (default: 5000)")
    parser.add_argument("--at-once", type=int, default=2, help="processes at a time (default: 2)")
    given = parser.parse_args()
    pairs = list(itertools.product(channels(), ways()))
    with ThreadPoolExecutor(given.at_once) as pool:
        results = pool.map(lambda pair: train(ways()[pair[1]], channels()[pair[0]], given.steps), pairs)
        found = dict(zip(pairs, results, strict=True))
    print(table(found))
    sys.exit(any(each.fault for each in found.values()))


if __name__ == "__main__":
    main()
