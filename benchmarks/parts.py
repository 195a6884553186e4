"""Where the time of a training step goes: playing, replay, forward passes, losses, gradient and optimizer.

By default MADDPG and RGMComm on navigation, for 1 and for 8 members, as one vmapped program. Each part is
compiled alone and timed in turns with the others, so their sum need not be the whole step: what they share is counted
twice, and what a loop over gradient steps costs is in none of them.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.measured import spread, table
from marlcomm.losses import Every

WARM_UP_STEPS = 3
EXPLORING = 0.1
FOREVER = float("inf")
WHOLE_UPDATE, LIGHT_UPDATE = "update: forward, backward, optimizer", "update without the losses taken now and then"


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--algorithms", nargs="+", default=["maddpg", "rgmcomm"], help="of the off-policy actor-critic")
    add("--task", default="navigation")
    add("--members", type=int, nargs="+", default=[1, 8])
    add("--repeats", type=int, default=20, help="timed calls of each part")
    given = parser.parse_args()
    print(f"{jax.default_backend()}, jax {jax.__version__}; median (lowest .. highest) of {given.repeats} calls\n")
    for members in given.members:
        for name in given.algorithms:
            print("\n".join(report(name, given.task, members, given.repeats)) + "\n", flush=True)


def report(name: str, task: str, members: int, repeats: int) -> list[str]:
    """The lines of one algorithm's table."""
    import marlcomm as mc

    algorithm = mc.make_algorithm(name, mc.make_env(task))
    learner: Any = algorithm.learner
    parts, times_a_step = parts_of(algorithm, members), learner.updates_per_step
    found = _in_turns(parts, repeats)
    whole = np.median(found["training step"])
    often = {part: times_a_step for part in found if part not in ("training step", "playing")}
    seldom = {
        _loss(name): -(-times_a_step // loss.interval)
        for name, loss in learner.losses.items()
        if isinstance(loss, Every)
    }
    if seldom:  # and so are the updates with them
        taught = max(seldom.values())
        often |= {**seldom, WHOLE_UPDATE: taught, LIGHT_UPDATE: times_a_step - taught}
    rows = [
        [part, spread(taken, ".2f"), str(often.get(part, 1)), f"{often.get(part, 1) * np.median(taken) / whole:.0%}"]
        for part, taken in found.items()
    ]
    head = ("part", "ms a call, all members", "calls a training step", "of the step")
    return [f"**{name}** on {task}, {members} members", "", *table(head, rows)]


def parts_of(algorithm: Any, members: int) -> dict[str, Callable[[], Any]]:
    """The parts of a training step by name, compiled, as functions of nothing."""
    learner = algorithm.learner
    keys = jax.vmap(jax.random.PRNGKey)(jnp.arange(members))
    step = jax.jit(jax.vmap(lambda state: algorithm.step(state, FOREVER)[0]))
    state = jax.jit(jax.vmap(lambda key: learner.init(key, algorithm.hparams)))(keys)
    for _ in range(WARM_UP_STEPS):
        state = step(state)
    num_envs = learner.config.num_envs

    def play(state: Any) -> Any:
        return algorithm.play(state.params, state.key, num_envs=num_envs, exploration=EXPLORING)[0]

    def unroll(state: Any, batch: Any) -> Any:
        return learner.unroll(state.params, state.target_params, batch, state.hparams, state.key)

    def loss(name: str) -> Callable[[Any, Any, Any], Any]:
        return lambda unrolled, state, batch: learner.losses[name](unrolled, batch, state.hparams)[0]

    def update(left: int) -> Callable[[Any, Any], Any]:
        def apply(state: Any, batch: Any) -> Any:
            return learner.gradient_step(state, state.hparams, batch, state.key, jnp.bool_(True), jnp.int32(left))[0]

        return apply

    def sample(state: Any) -> Any:
        return learner.replay.sample(state.replay, state.key)

    batch, light = jax.jit(jax.vmap(sample))(state), state.without_replay()
    unrolled = jax.jit(jax.vmap(unroll))(light, batch)
    parts = {"training step": (step, state), "playing": (play, light), "sampling from replay": (sample, state)}
    parts |= {"forward passes": (unroll, light, batch)}
    parts |= {_loss(name): (loss(name), unrolled, light, batch) for name in learner.losses}
    parts |= {WHOLE_UPDATE: (update(0), light, batch)}
    if any(isinstance(loss, Every) for loss in learner.losses.values()):
        parts |= {LIGHT_UPDATE: (update(1), light, batch)}
    return {name: _compiled(*part) for name, part in parts.items()}


def _loss(name: str) -> str:
    return f"loss {name!r}, forward"


def _compiled(part: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
    call = part if hasattr(part, "lower") else jax.jit(jax.vmap(part))
    jax.block_until_ready(call(*arguments))
    return lambda: jax.block_until_ready(call(*arguments))


def _in_turns(parts: Mapping[str, Callable[[], Any]], repeats: int) -> dict[str, list[float]]:
    """Milliseconds of every call of every part."""
    found: dict[str, list[float]] = {name: [] for name in parts}
    for _ in range(repeats):
        for name, part in parts.items():
            started = time.perf_counter()
            part()
            found[name].append(1000 * (time.perf_counter() - started))
    return found


if __name__ == "__main__":
    main()
