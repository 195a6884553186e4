"""What RGMComm's label loss costs by the numbers of agents and of actions: memory for temporaries, and time.

One loss and its gradient on a learning batch of steps, all views different, with as many labels as actions, asked of
MADDPG's critics. Nothing is trained.
"""

from __future__ import annotations

import argparse
import time
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.tables import spread, table
from marlcomm.losses import LabelLoss
from marlcomm.networks import ActionCritic
from marlcomm.types import Episodes, JointQ

OBSERVATION_SIZE = 8
FEWEST_LABELS = 2


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--agents", type=int, nargs="+", default=[2, 3, 8])
    add("--actions", type=int, nargs="+", default=[4, 8, 16])
    add("--steps", type=int, default=256, help="of the learning batch")
    add("--repeats", type=int, default=5, help="timed calls")
    add("--most-gib", type=float, default=12.0, help="temporaries of a program that is still run")
    given = parser.parse_args()
    print(f"{jax.default_backend()}, jax {jax.__version__}; median (lowest .. highest) of {given.repeats} calls\n")
    rows = []
    for agents in given.agents:
        for actions in given.actions:
            mebibytes, call = compiled(agents, actions, given.steps)
            taken = spread(_milliseconds(call, given.repeats)) if mebibytes <= 1024 * given.most_gib else "not run"
            rows.append([str(agents), str(actions), f"{mebibytes:,.0f}", taken])
            print(f"{agents} agents, {actions} actions: {mebibytes:,.0f} MiB, {taken} ms", flush=True)
    print("\n" + "\n".join(table(("agents", "actions", "temporaries, MiB", "ms a call"), rows)))


def compiled(agents: int, actions: int, steps: int) -> tuple[float, Any]:
    """MiB of temporaries of the loss and its gradient, and that program as a function of nothing."""
    logits, episodes, joint_q = made_up(agents, actions, steps)

    def loss(logits: jax.Array, episodes: Episodes, joint_q: JointQ) -> jax.Array:
        unroll: Any = SimpleNamespace(auxiliary={"label_logits": logits}, joint_q=joint_q)
        return LabelLoss()(unroll, episodes, None)[0]

    arguments = logits, episodes, joint_q
    program = jax.jit(jax.grad(loss)).lower(*arguments).compile()
    analysis: Any = program.memory_analysis()
    return analysis.temp_size_in_bytes / 2**20, lambda: jax.block_until_ready(program(*arguments))


def made_up(agents: int, actions: int, steps: int) -> tuple[jax.Array, Episodes, JointQ]:
    """Logits of labels [steps, 2, N, M], episodes of one step, and what MADDPG's critics make of them."""
    rng = np.random.default_rng(0)
    done = jnp.asarray(rng.integers(actions, size=(steps, 1, agents)), jnp.int32)
    episodes = Episodes(
        agents_view=jnp.asarray(rng.normal(size=(steps, 2, agents, OBSERVATION_SIZE)), jnp.float32),
        action_mask=jnp.ones((steps, 2, agents, actions), bool),
        global_state=jnp.zeros((steps, 2, 1)),
        alive=jnp.ones((steps, 2, agents), bool),
        action=done,
        reward=jnp.zeros((steps, 1, agents)),
        terminal=jnp.zeros((steps, 1), bool),
        valid=jnp.ones((steps, 1), bool),
        won=jnp.zeros(steps, bool),
    )
    critic = ActionCritic()
    seen, joint = jnp.zeros(agents * OBSERVATION_SIZE), jnp.zeros((agents, agents, actions))
    params = critic.init(jax.random.PRNGKey(0), seen, joint)

    def worth(params: Any, views: jax.Array, action: jax.Array) -> jax.Array:
        seen = views.reshape(*views.shape[:-2], -1)
        for_each = jnp.broadcast_to(action[..., None, :, :], (*action.shape[:-1], agents, actions))
        return jnp.asarray(critic.apply(params, seen, for_each)).mean(-1)

    labels = max(actions, FEWEST_LABELS)
    logits = jnp.asarray(rng.normal(size=(steps, 2, agents, labels)), jnp.float32)
    return logits, episodes, JointQ(jax.tree_util.Partial(worth, params), jax.nn.one_hot(done, actions))


def _milliseconds(call: Any, repeats: int) -> list[float]:
    call()
    found = []
    for _ in range(repeats):
        started = time.perf_counter()
        call()
        found.append(1000 * (time.perf_counter() - started))
    return found


if __name__ == "__main__":
    main()
