"""Digests of what training makes of every algorithm: whether a change to the code changed any number.

    python -m benchmarks.digests before.json                   # writes
    python -m benchmarks.digests after.json --base before.json  # writes, compares, and ends with 1 where one differs

Every algorithm is trained with tiny networks, two seeds, on tasks whose episodes end early or whose agents die. Digests
are of the parameters' bits, and hold for one machine and one version of JAX only. Beside each stands the parameters'
norm: where it agrees but the digest does not, the order of a sum has changed, not what is computed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

# programs that run for a second: optimizing them takes longer, and moves sums about
os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_backend_optimization_level=0"

import jax
import jax.numpy as jnp
import numpy as np
import optax

TRAINING_STEPS = 10  # in one compiled call
EARLY_ENDS = "hallway", {"lengths": (2, 3, 2), "groups": (0, 0, 1)}
DEATHS = "traffic_junction", {}  # cars leave the road, and are not alive until they come again
UNLIKE_THE_TASK = {  # which chooses others since 2026-11-28: digests from before can be compared
    **{name: {"updates_per_step": 1, "discount": 0.99} for name in ("iql", "ndq")},
    **{name: {"discount": 0.99} for name in ("mappo", "ic3net")},
}
CONTINUOUS = "navigation", {"steps": 10, "controls": "force"}
TINY = {"hidden": 8, "num_envs": 4, "batch_episodes": 8, "replay_episodes": 64, "target_interval": 5,
        "batch_steps": 32, "replay_steps": 1000, "exploration_steps": 1000, "cut_start": 500}  # fmt: skip


class Trained(NamedTuple):
    """One algorithm on one task, and the settings that are not the tiny ones."""

    algorithm: str
    task: str
    task_options: Mapping[str, Any]
    settings: Mapping[str, Any]


def everything() -> dict[str, Trained]:
    """Every registered algorithm by label, and settings that take another way through its learner."""
    import marlcomm as mc

    found = {name: Trained(name, *EARLY_ENDS, {}) for name in mc.algorithm_names()}
    for name in ("ndq", "ic3net", "maddpg"):
        found[f"{name} paper"] = Trained(name, *EARLY_ENDS, {"paper": True})
    for name in ("iql", "ndq", "mappo", "ic3net", "maddpg", "rgmcomm"):
        found[f"{name} deaths"] = Trained(name, *DEATHS, UNLIKE_THE_TASK.get(name, {}))
    for name in ("maddpg", "rgmcomm"):
        found[f"{name} continuous"] = Trained(name, *CONTINUOUS, {})
    found["maddpg recurrent"] = Trained("maddpg", *EARLY_ENDS, {"recurrent": True})
    found["qmix soft targets"] = Trained("qmix", *EARLY_ENDS, {"target_interval": 0})
    return found


def digests(chosen: Trained, steps: int, seeds: int) -> list[dict[str, Any]]:
    """What training makes of one algorithm, for each seed.

    Args:
      chosen: what to train.
      steps: environment steps.
      seeds: how many, from 0.

    Returns:
      for each seed: `digest` and `norm` of the parameters, `updates` (gradient steps taken), `healthy`.
    """
    import marlcomm as mc

    known = mc.algorithm_settings(chosen.algorithm, **chosen.settings)
    sizes = {name: TINY[name] for name in known.keys() & TINY.keys()}
    env = mc.make_env(chosen.task, **chosen.task_options)
    algorithm = mc.make_algorithm(chosen.algorithm, env, **{**sizes, **chosen.settings})

    def step(state: Any, _: None) -> tuple[Any, None]:
        return algorithm.step(state, steps)[0], None

    advance = jax.jit(jax.vmap(lambda state: jax.lax.scan(step, state, None, TRAINING_STEPS)[0]))
    state = jax.jit(jax.vmap(algorithm.init))(jax.vmap(jax.random.PRNGKey)(jnp.arange(seeds)))
    while np.any(np.asarray(state.healthy & (state.env_steps < steps))):
        state = advance(state)
    members = [jax.tree.map(lambda x, i=i: x[i], state) for i in range(seeds)]
    return [
        {
            "digest": _digest(member.params),
            "norm": float(optax.global_norm(member.params)),
            "updates": int(member.updates),
            "healthy": bool(member.healthy),
        }
        for member in members
    ]


def compare(base: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """A line for each label in both whose digests differ, and for each label in only one."""
    lines = []
    for label in sorted(base.keys() | now.keys()):
        if label not in base or label not in now:
            lines.append(f"{label}: only {'before' if label in base else 'after'}")
        elif base[label] != now[label]:
            norms = [f"{a['norm']:.7g} -> {b['norm']:.7g}" for a, b in zip(base[label], now[label], strict=False)]
            lines.append(f"{label}: differs; norms of the parameters by seed: {', '.join(norms)}")
    return lines


def main() -> None:
    """Trains, prints, writes, compares."""
    given = _arguments()
    chosen = everything()
    unknown = sorted(set(given.only or []) - chosen.keys())
    if unknown:
        sys.exit(f"--only {unknown[0]!r}: one of {', '.join(chosen)}")
    found = {}
    for label in given.only or chosen:
        started = time.monotonic()
        found[label] = digests(chosen[label], given.steps, given.seeds)
        seen = ", ".join(f"{each['digest'][:12]} ({each['updates']} updates)" for each in found[label])
        print(f"{label}: {seen}, {time.monotonic() - started:.0f} s", flush=True)
    given.out.write_text(json.dumps({"steps": given.steps, "seeds": given.seeds, "found": found}, indent=1))
    if given.base is None:
        return
    base = json.loads(given.base.read_text())
    if (base["steps"], base["seeds"]) != (given.steps, given.seeds):
        sys.exit(f"{given.base} has {base['steps']} steps and {base['seeds']} seeds: take the same")
    lines = compare({k: v for k, v in base["found"].items() if k in found or not given.only}, found)
    print("\n".join(lines) or "every digest is as it was")
    sys.exit(1 if lines else 0)


def _digest(tree: Any) -> str:
    """Of the names, shapes and bits of all arrays."""
    digest = hashlib.sha256()
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        array = np.asarray(leaf)
        digest.update(f"{jax.tree_util.keystr(path)} {array.shape} {array.dtype}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("out", type=Path, help="a JSON file to write")
    add("--base", type=Path, help="what an earlier run wrote, to compare with")
    add("--steps", type=int, default=2000, help="environment steps of each seed (default: 2000)")
    add("--seeds", type=int, default=2, help="how many (default: 2)")
    add("--only", nargs="+", metavar="LABEL", help="these algorithms; by default all")
    return parser.parse_args()


if __name__ == "__main__":
    main()
