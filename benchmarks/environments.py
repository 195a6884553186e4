"""Speed of the tasks: environment steps per second, all copies together, beside the peers that have the same task.

A copy plays whole episodes with random actions drawn beforehand, in battles those that the mask allows: reset, then one
step after another without auto-reset, as learners here collect episodes, so that steps after a battle's end count, too.
JaxMARL (`pip install "marlcomm[jaxmarl]"`; on battles SMAX, against its own enemies) runs in the same loop, in turns
with ours, so that load on the machine meets both alike; MPE2 plays one copy in Python. Peers that are not installed are
left out. What is measured is what a learner reads: every view, mask, state and reward of every step, as far as a
library has it.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from benchmarks.tables import line, table

STEPS_PER_CALL = 20_000  # at least, of all copies together, so that calling costs nothing beside playing
PEER_GOAL = {"navigation": 5 * 330_000.0, "predator_prey": 5 * 490_000.0}  # at 4096 copies on 2 cores
MANY = 2**30  # beside which the number of legal actions is small, so that each is as likely
FULL_VIEW = {"num_landmark_neighbors": None, "num_agent_neighbors": None}


class Peers(NamedTuple):
    """A task as the peers have it: our options, JaxMARL's name, MPE2's module."""

    options: dict[str, Any]
    jaxmarl: str
    mpe2: str


FARAMA = {"integration": "farama", "steps": 25}
SHARED = {
    "navigation": Peers(
        {"num_agents": 3, "reward": "farama", **FULL_VIEW, **FARAMA}, "MPE_simple_spread_v3", "simple_spread_v3"
    ),
    "predator_prey": Peers(
        {"shaped": False, "num_predator_neighbors": None, **FARAMA}, "MPE_simple_tag_v3", "simple_tag_v3"
    ),
    "reference": Peers(FARAMA, "MPE_simple_reference_v3", "simple_reference_v3"),
    "speaker_listener": Peers(FARAMA, "MPE_simple_speaker_listener_v4", "simple_speaker_listener_v4"),
}

# battles that SMAX has, too; none with healers
SMAX = (
    "3m",
    "8m",
    "25m",
    "5m_vs_6m",
    "10m_vs_11m",
    "27m_vs_30m",
    "2s3z",
    "3s5z",
    "3s5z_vs_3s6z",
    "3s_vs_5z",
    "6h_vs_8z",
)

# One step of one copy: (state, action, key) -> (state, what is seen and paid). And its start: key -> state.
Step = Callable[[Any, Any, jax.Array], tuple[Any, Any]]
Start = Callable[[jax.Array], Any]


class Variant:
    """A library's task, compiled to play `copies` at once."""

    def __init__(self, label: str, start: Start, step: Step, actions: Any, copies: int) -> None:
        """Compiles; `actions` have leading axes [T, B]."""
        self.label, self.copies, self.speeds = label, copies, []
        horizon = len(jax.tree.leaves(actions)[0])
        episodes = -(-STEPS_PER_CALL // (copies * horizon))
        self.steps = episodes * copies * horizon

        def play(keys: jax.Array, actions: Any) -> jax.Array:  # keys [episodes, B]
            def move(carry: tuple, acted: Any) -> tuple[tuple, None]:
                state, total, keys = carry
                state, seen = jax.vmap(step)(state, acted, keys)
                total += sum(jnp.sum(leaf, axis=range(1, leaf.ndim)) for leaf in jax.tree.leaves(seen))
                return (state, total, keys), None

            def episode(total: jax.Array, keys: jax.Array) -> tuple[jax.Array, None]:
                (_, total, _), _ = jax.lax.scan(move, (jax.vmap(start)(keys), total, keys), actions)
                return total, None

            return jax.lax.scan(episode, jnp.zeros(keys.shape[1]), keys)[0]

        devices = jax.devices() if copies % jax.device_count() == 0 else jax.devices()[:1]
        mesh = Mesh(np.array(devices), ("copies",))
        whole = jax.shard_map(
            play, mesh=mesh, in_specs=(P(None, "copies"), P(None, "copies")), out_specs=P("copies"), check_vma=False
        )
        self.keys = jax.random.split(jax.random.key(0), (episodes, copies))
        self.actions = actions
        self.run = jax.jit(whole)
        jax.block_until_ready(self.run(self.keys, actions))

    def time_one_call(self) -> None:
        """Plays once and notes the speed."""
        started = time.perf_counter()
        jax.block_until_ready(self.run(self.keys, self.actions))
        self.speeds.append(self.steps / (time.perf_counter() - started))


def ours(name: str, copies: int) -> Variant:
    """Our task, with the options of the peers' where they have it."""
    import marlcomm as mc
    from marlcomm.envs.combat import Combat

    env = mc.make_env(name, **(SHARED[name].options if name in SHARED else {}))

    def step(carry: Any, action: jax.Array, _: jax.Array) -> tuple[Any, Any]:
        state, mask = carry
        state, now = env.step(state, legal(mask, action) if fights else action)
        seen = now.observation
        return (state, seen.action_mask), (seen.agents_view, seen.action_mask, seen.global_state, now.reward)

    def start(key: jax.Array) -> Any:
        state, now = env.reset(key)
        return state, now.observation.action_mask

    fights = isinstance(env.unwrapped, Combat)
    actions = _random_actions((env.horizon, copies, env.num_agents), MANY if fights else env.num_actions)
    return Variant("marlcomm", start, step, actions, copies)


def legal(mask: jax.Array, drawn: jax.Array) -> jax.Array:
    """[...] one of the actions that `mask` [..., A] allows, each as likely, by numbers `drawn` [...] below MANY."""
    nth = drawn % mask.sum(-1)
    return jnp.argmax(jnp.cumsum(mask, -1) > nth[..., None], -1).astype(jnp.int32)


def of_jaxmarl(name: str, copies: int) -> Variant | None:
    """JaxMARL's task, if it has this one and is installed."""
    from marlcomm.envs.adapters.jaxmarl_tasks import import_jaxmarl

    try:
        jaxmarl = import_jaxmarl()
    except ImportError:
        return None
    env, horizon = _made_by_jaxmarl(jaxmarl, name)

    def step(state: Any, action: Any, key: jax.Array) -> tuple[Any, Any]:
        mask = env.get_avail_actions(state) if fights else {}
        action = {agent: legal(mask[agent].astype(bool), drawn) if fights else drawn for agent, drawn in action.items()}
        seen, state, reward, _, _ = env.step_env(key, state, action)
        return state, (seen, mask, reward)

    fights = name in SMAX
    counts = {agent: MANY if fights else env.action_space(agent).n for agent in env.agents}
    actions = {agent: _random_actions((horizon, copies), count) for agent, count in counts.items()}
    return Variant("JaxMARL", lambda key: env.reset(key)[1], step, actions, copies)


def _made_by_jaxmarl(jaxmarl: Any, name: str) -> tuple[Any, int]:
    """JaxMARL's task, and steps of an episode."""
    if name not in SMAX:
        return jaxmarl.make(SHARED[name].jaxmarl), SHARED[name].options["steps"]
    import marlcomm as mc
    from marlcomm.envs.quiet_imports import without_prints

    with without_prints():
        from jaxmarl.environments.smax import map_name_to_scenario  # pyright: ignore[reportMissingImports]

    return jaxmarl.make("HeuristicEnemySMAX", scenario=map_name_to_scenario(name)), mc.make_env(name).horizon


def steps_per_second_of_mpe2(name: str, episodes: int = 40) -> float | None:
    """MPE2's speed with one copy, if it is installed."""
    import importlib

    try:
        scenario = importlib.import_module(f"mpe2.{SHARED[name].mpe2}")
    except ImportError:
        return None
    env = scenario.parallel_env()
    horizon = SHARED[name].options["steps"]
    rng = np.random.default_rng(0)
    env.reset(seed=0)
    counts = {agent: env.action_space(agent).n for agent in env.agents}
    drawn = [{agent: int(rng.integers(n)) for agent, n in counts.items()} for _ in range(horizon)]
    started = time.perf_counter()
    for _ in range(episodes):
        env.reset()
        for action in drawn:
            env.step(action)
    return episodes * horizon / (time.perf_counter() - started)


def main() -> None:
    """Measures and prints."""
    given = _arguments()
    import marlcomm as mc

    if given.devices == "all":
        mc.use_all_cores()  # before anything touches a device, so before tasks load
    tasks = given.tasks or [name for name in mc.env_names() if name != "jaxmarl"]
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, jax {jax.__version__}, {jax.default_backend()}, "
          f"{jax.device_count()} devices; environment steps/s, median of {given.repeats} calls\n")  # fmt: skip
    print("\n".join(table(["task", "library", *(f"{copies:,} copies" for copies in given.copies)], [])))
    found = {}
    for name in tasks:
        found[name] = _measure(name, given.copies, given.repeats)
        for row in _rows(name, found[name], given.copies):
            print(line(row), flush=True)
    print(f"\nload {os.getloadavg()[0]:.1f} at the end")
    for name, goal in PEER_GOAL.items():
        if 4096 in found.get(name, {}).get("marlcomm", {}):
            speed = np.median(found[name]["marlcomm"][4096])
            print(f"{name}, 4,096 copies: {speed:,.0f} steps/s, {speed / goal:.2f} of the goal of {goal:,.0f}")
    if given.json:
        with open(given.json, "w") as file:
            json.dump(found, file, indent=1)


def _measure(name: str, sizes: list[int], repeats: int) -> dict[str, dict[int, list[float]]]:
    """Speeds by library and number of copies, one a call."""
    found: dict[str, dict[int, list[float]]] = {}
    for copies in sizes:
        variants = [ours(name, copies)]
        peer = of_jaxmarl(name, copies) if name in SHARED or name in SMAX else None
        variants += [] if peer is None else [peer]
        for _ in range(repeats):
            for variant in variants:  # in turns
                variant.time_one_call()
        for variant in variants:
            found.setdefault(variant.label, {})[copies] = variant.speeds
    speed = steps_per_second_of_mpe2(name) if name in SHARED and 1 in sizes else None
    return found if speed is None else {**found, "MPE2": {1: [speed]}}


def _rows(name: str, found: dict[str, dict[int, list[float]]], sizes: list[int]) -> list[list[str]]:
    def cells(speeds: dict[int, list[float]]) -> list[str]:
        return [f"{np.median(speeds[copies]):,.0f}" if copies in speeds else "" for copies in sizes]

    rows = [[name, label, *cells(speeds)] for label, speeds in found.items()]
    if "JaxMARL" in found:
        pairs = [np.array(found["marlcomm"][copies]) / found["JaxMARL"][copies] for copies in sizes]  # call by call
        rows.append([name, "times JaxMARL", *(f"{np.median(pair):.1f}" for pair in pairs)])
    return rows


def _random_actions(shape: tuple[int, ...], count: int) -> jax.Array:
    return jnp.asarray(np.random.default_rng(0).integers(0, count, shape), jnp.int32)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--tasks", nargs="+", metavar="TASK", help="by default every task")
    add("--copies", type=int, nargs="+", default=[1, 16, 256, 4096, 16384], help="how many at once")
    add("--repeats", type=int, default=7, help="timed calls (default: 7)")
    add("--devices", choices=("all", "one"), default="all", help="every core as a device, as the command line does")
    add("--json", help="a file for every number")
    return parser.parse_args()


if __name__ == "__main__":
    main()
