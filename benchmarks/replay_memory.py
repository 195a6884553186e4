"""Bytes of replay a member: recurrent QMIX on SMAX's maps and ours, beside JaxMARL's buffers of recurrent Q-learning.

Sizes are computed from shapes: nothing is allocated, and no program is compiled. JaxMARL's are those of a flashbax
trajectory buffer with the published sizes for SMAX: 5,000 trajectories of 128 steps, each with every agent's
observation and id, the world state, actions, available actions, rewards and flags of ends. Ours keeps as many episodes,
exactly or with `replay_precision="bfloat16"`. An episode here ends at the task's limit (100 steps in SMAX),
so bytes are also given by environment step that is kept.
"""

from __future__ import annotations

import argparse
import json
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from benchmarks.tables import table
from marlcomm.training.memory import bytes_of

MAPS = (
    "3m", "8m", "25m", "2s3z", "3s5z", "3s_vs_5z", "3s5z_vs_3s6z", "5m_vs_6m", "10m_vs_11m", "27m_vs_30m", "6h_vs_8z",
)  # fmt: skip
OWN = ("3b_vs_1h1m", "1o2r_vs_4r", "5z_vs_1ul", "MMM", "1o10b_vs_1r")  # NDQ's
OPTIONS = {"see_enemy_actions": True, "walls_cause_death": True, "attack_mode": "closest"}  # as published
TRAJECTORIES, TRAJECTORY_STEPS, TOGETHER = 5000, 128, 16
GOAL = 1 / 3  # of JaxMARL's bytes


class Found(NamedTuple):
    """Bytes of one member's replay on one map."""

    name: str
    agents: int
    horizon: int
    jaxmarl: int
    exact: int
    bfloat16: int


def measure(name: str, trajectories: int = TRAJECTORIES) -> Found:
    """The bytes on one map of SMAX, by `jax.eval_shape`."""
    import marlcomm as mc

    env = mc.make_env("jaxmarl", env="HeuristicEnemySMAX", scenario=name, **OPTIONS)
    return Found(
        name, env.num_agents, env.horizon, bytes_of_jaxmarl(env.unwrapped, trajectories), *_ours(env, trajectories)
    )


def measure_own(name: str, trajectories: int = TRAJECTORIES) -> Found:
    """The same on our map, beside JaxMARL's on SMAX's map of that name; 0 where there is none."""
    import marlcomm as mc

    env, peer = mc.make_env(name), measure(name, trajectories).jaxmarl if name in MAPS else 0
    return Found(name, env.num_agents, env.horizon, peer, *_ours(env, trajectories))


def _ours(env: Any, trajectories: int) -> list[int]:
    """Bytes of QMIX's replay, exactly and with bfloat16."""
    import marlcomm as mc

    found = []
    for precision in ("exact", "bfloat16"):
        learner: Any = mc.qmix(env, replay_episodes=trajectories, replay_precision=precision).learner
        found.append(bytes_of(jax.eval_shape(learner.replay.init)))
    return found


def bytes_of_jaxmarl(env: Any, trajectories: int, steps: int = TRAJECTORY_STEPS, together: int = TOGETHER) -> int:
    """Of the buffer in which JaxMARL's recurrent Q-learning keeps what is played in its environment `env`."""
    import flashbax
    from jaxmarl.wrappers.baselines import CTRolloutManager, SMAXLogWrapper  # pyright: ignore[reportMissingImports]

    logged: Any = SMAXLogWrapper(env)
    rollout = CTRolloutManager(logged, batch_size=1)

    def step(key: jax.Array) -> dict[str, Any]:
        seen, state = rollout.batch_reset(key)
        actions = {agent: jnp.zeros(1, jnp.int32) for agent in env.agents}
        available = rollout.get_valid_actions(state.env_state)
        _, _, rewards, ends, _ = rollout.batch_step(key, state, actions)
        return {"obs": seen, "actions": actions, "rewards": rewards, "dones": ends, "avail_actions": available}

    one = jax.eval_shape(step, jax.random.PRNGKey(0))
    buffer = flashbax.make_trajectory_buffer(
        add_batch_size=together, sample_batch_size=1, sample_sequence_length=1, period=1, min_length_time_axis=1,
        max_length_time_axis=trajectories // together,
    )  # fmt: skip
    trajectory = jax.tree.map(lambda x: jax.ShapeDtypeStruct((steps, *x.shape[1:]), x.dtype), one)
    return bytes_of(jax.eval_shape(buffer.init, trajectory))


def report(found: list[Found]) -> list[str]:
    """The lines of the table."""
    head = ["map", "agents", "our steps", "JaxMARL, GiB"]
    head += [title for kept in ("exact", "bfloat16") for title in (f"{kept}, GiB", "of JaxMARL", "of it a step")]
    rows = []
    for each in found:
        cells = [each.name, str(each.agents), str(each.horizon)]
        cells += [f"{each.jaxmarl / 2**30:.2f}" if each.jaxmarl else ""]
        for ours in (each.exact, each.bfloat16):
            share = ours / each.jaxmarl if each.jaxmarl else 0.0
            shares = [f"{share:.2f}", f"{share * TRAJECTORY_STEPS / each.horizon:.2f}"] if share else ["", ""]
            cells += [f"{ours / 2**30:.2f}", *shares]
        rows.append(cells)
    both = [each for each in found if each.jaxmarl]
    within = [sum(getattr(each, kind) <= GOAL * each.jaxmarl for each in both) for kind in ("exact", "bfloat16")]
    return [
        *table(head, rows),
        "",
        f"At most a third of JaxMARL's bytes: {within[0]} of {len(both)} maps exactly, {within[1]} with bfloat16.",
    ]


def main() -> None:
    """Computes and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--maps", nargs="+", default=list(MAPS), help=f"by default {', '.join(MAPS)}")
    parser.add_argument("--own", nargs="*", default=list(OWN), help=f"ours alone, by default {', '.join(OWN)}")
    parser.add_argument("--json", help="a file for every number")
    given = parser.parse_args()
    found = {"SMAX's maps": [measure(name) for name in given.maps]}
    found["our maps, beside SMAX's of the same name"] = [measure_own(name) for name in [*given.maps, *given.own]]
    for title, rows in found.items():
        print("\n".join([f"**{title}**", "", *report(rows), ""]))
    if given.json:
        with open(given.json, "w") as file:
            json.dump({title: [each._asdict() for each in rows] for title, rows in found.items()}, file, indent=1)


if __name__ == "__main__":
    main()
