"""Where the time of a training step goes: playing, replay, forward, backward, optimizer, and what XLA makes of it.

By default one algorithm of each learner, for 1 and for 8 members, as one vmapped program. Each part is compiled alone
and timed in turns with the others, so their sum need not be the whole step: what they share is counted twice, and what
a loop over gradient steps costs is in none of them. What is taken away from another is marked as a difference.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.compiled import cost, heaviest, summary
from benchmarks.tables import spread, table
from marlcomm.learners.update import guarded_step, weighted_sum
from marlcomm.losses import Every
from marlcomm.losses.interval import When
from marlcomm.types import ActionValues

WARM_UP_STEPS = 3
FOREVER = float("inf")
WHOLE, PLAYING, TAKING_IN = "training step", "playing", "taking in episodes (replay: insert)"
DRAWING, FORWARD = "drawing a batch (replay: sample)", "forward passes"
BOTH, BACKWARD = "forward, losses and backward", "backward (difference)"
MIXER, OPTIMIZER = "mixer, forward and backward", "optimizer"
WHOLE_UPDATE, LIGHT_UPDATE = "whole update", "update without the losses taken now and then"
ONCE = (WHOLE, PLAYING, TAKING_IN)  # a training step


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--algorithms", nargs="+", default=["qmix", "ndq", "mappo", "maddpg", "rgmcomm"])
    add("--task", default="navigation")
    add("--members", type=int, nargs="+", default=[1, 8])
    add("--repeats", type=int, default=20, help="timed calls of each part")
    add("--set", nargs="*", default=[], metavar="NAME=VALUE", help="settings, for algorithms that have them")
    add("--json", type=Path, help="a file for every number")
    given = parser.parse_args()
    print(f"{jax.default_backend()}, jax {jax.__version__}; median (lowest .. highest) of {given.repeats} calls\n")
    settings = {name: json.loads(value) for name, _, value in (each.partition("=") for each in given.set)}
    found = []
    for members in given.members:
        for name in given.algorithms:
            found.append(measure(name, given.task, members, given.repeats, settings))
            print("\n".join(report(found[-1])) + "\n", flush=True)
    if given.json:
        given.json.write_text(json.dumps(found, indent=1))


def measure(name: str, task: str, members: int, repeats: int, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Milliseconds of every part of an algorithm's training step, how often each is called, and what XLA says of it."""
    import marlcomm as mc

    known = mc.algorithm_settings(name)
    algorithm = mc.make_algorithm(name, mc.make_env(task), **{k: v for k, v in settings.items() if k in known})
    parts, compiled = parts_of(algorithm, members)
    taken = _in_turns(parts, repeats)
    return {
        "algorithm": name,
        "task": task,
        "members": members,
        "milliseconds": taken,
        "calls": calls_of(algorithm.learner, list(taken)),
        "cost": cost(compiled)._asdict(),
        "heaviest": [writer._asdict() for writer in heaviest(compiled.as_text())],
        "instructions": {kind: tally._asdict() for kind, tally in summary(compiled.as_text()).items()},
    }


def calls_of(learner: Any, parts: list[str]) -> dict[str, int]:
    """How often each part is called in a training step."""
    updates = learner.updates_per_step
    seldom = {
        _loss(name): -(-updates // loss.interval) for name, loss in learner.losses.items() if isinstance(loss, Every)
    }
    often = {part: 1 if part in ONCE else updates for part in parts} | seldom
    if seldom:  # and so are the updates with them
        often |= {WHOLE_UPDATE: max(seldom.values()), LIGHT_UPDATE: updates - max(seldom.values())}
        often |= {BOTH: max(seldom.values())}
    return often


def report(found: Mapping[str, Any]) -> list[str]:
    """The lines of one algorithm's tables."""
    taken, often = dict(found["milliseconds"]), dict(found["calls"])
    whole = np.median(taken[WHOLE])
    losses = sum(np.median(taken[part]) for part in taken if part.startswith(_LOSS))
    taken[BACKWARD], often[BACKWARD] = [np.median(taken[BOTH]) - np.median(taken[FORWARD]) - losses], often[BOTH]
    rows = [
        [part, spread(times, ".2f"), str(often[part]), f"{often[part] * np.median(times) / whole:.0%}"]
        for part, times in taken.items()
    ]
    head = ("part", "ms a call, all members", "calls a training step", "of the step")
    said = found["cost"]
    instructions = [
        [kind, *(f"{tally[name]:,}" for name in ("places", "fused", "runs")), f"{tally['written'] / 2**20:,.1f}"]
        for kind, tally in found["instructions"].items()
    ]
    return [
        f"**{found['algorithm']}** on {found['task']}, {found['members']} members",
        "",
        *table(head, rows),
        "",
        f"Compiled, the training step takes {said['flops'] / 1e9:.2f} GFLOP and {said['bytes_accessed'] / 2**20:,.0f} "
        "MiB by XLA's count, which takes loops once. Its instructions, with loops counted through:",
        "",
        *table(("instruction", "places", "of them fused", "runs", "MiB written outside fusions"), instructions),
        "",
        "What writes most:",
        "",
        *table(("MiB", "runs", "instruction", "of shape", "from"), _writers(found["heaviest"])),
    ]


def _writers(found: list[Mapping[str, Any]]) -> list[list[str]]:
    """Rows of instructions, with the end of where each comes from."""
    return [
        [f"{each['written'] / 2**20:,.1f}", f"{each['runs']:,}", each["operation"], each["shape"].split("{")[0],
         "/".join(each["origin"].split("/")[-4:])]
        for each in found
    ]  # fmt: skip


def parts_of(algorithm: Any, members: int) -> tuple[dict[str, Callable[[], Any]], Any]:
    """The parts of a training step by name, compiled, as functions of nothing; and the compiled training step."""
    learner = algorithm.learner
    keys = jax.vmap(jax.random.PRNGKey)(jnp.arange(members))
    state = jax.jit(jax.vmap(lambda key: learner.init(key, algorithm.hparams)))(keys)
    step = jax.jit(jax.vmap(lambda state: algorithm.step(state, FOREVER)[0]), donate_argnums=0).lower(state).compile()
    for _ in range(WARM_UP_STEPS):
        state = step(state)

    def play(state: Any) -> Any:
        return algorithm.play(state.params, **algorithm.begin_step(state), training=True)[:2]

    def take_in(state: Any, episodes: Any, decisions: Any) -> Any:
        taken = learner.take_in(state, episodes, decisions, jnp.bool_(True))
        return taken.state.with_extra(**taken.kept)

    def draw(state: Any, episodes: Any, decisions: Any) -> Any:
        return learner.take_in(state, episodes, decisions, jnp.bool_(True)).draw(state.key)[0]

    episodes, decisions = jax.jit(jax.vmap(play))(state)
    batch = jax.jit(jax.vmap(draw))(state, episodes, decisions)
    parts = {
        WHOLE: _moving(step, _copy(state)),
        PLAYING: _compiled(play, state.without_replay()),
        TAKING_IN: _moving(jax.jit(jax.vmap(take_in), donate_argnums=0), _copy(state), episodes, decisions),
    }
    if state.replay is not None:
        parts[DRAWING] = _compiled(lambda replay, key: learner.replay.sample(replay, key), state.replay, state.key)
    return {**parts, **_learning(learner, state.without_replay(), batch)}, step


def _learning(learner: Any, state: Any, batch: Any) -> dict[str, Callable[[], Any]]:
    """The parts of a gradient step."""

    def unroll(state: Any, batch: Any) -> Any:
        return learner.unroll_batch(state.params, state, batch, state.key)

    def loss(name: str) -> Callable[..., Any]:
        return lambda unrolled, state: learner.losses[name](*unrolled, state.hparams)[0]

    def gradient(state: Any, batch: Any) -> Any:
        def total(params: Any) -> jax.Array:
            unrolled, episodes = learner.unroll_batch(params, state, batch, state.key)
            now = When(jnp.int32(0), state.env_steps)
            return weighted_sum(learner.losses, unrolled, episodes, state.hparams, now)[0]

        return jax.grad(total)(state.params)

    def optimize(state: Any, gradient: Any) -> Any:
        optimizer, metrics = learner.optimizer_of(state.hparams), {"loss": jnp.float32(0.0)}
        moved, _, taken = guarded_step(state, optimizer, gradient, metrics, jnp.bool_(True))
        return learner.after_update(moved, taken)

    def update(left: int) -> Callable[[Any, Any], Any]:
        def apply(state: Any, batch: Any) -> Any:
            return learner.gradient_step(state, state.hparams, batch, state.key, jnp.bool_(True), jnp.int32(left))[0]

        return apply

    unrolled = jax.jit(jax.vmap(unroll))(state, batch)
    parts = {FORWARD: (unroll, state, batch)}
    parts |= {_loss(name): (loss(name), unrolled, state) for name in learner.losses}
    parts |= {BOTH: (gradient, state, batch)}
    if hasattr(learner, "mix"):
        parts |= {MIXER: (lambda state, batch: _mixer_gradient(learner, state, batch), state, batch)}
    parts |= {OPTIMIZER: (optimize, state, state.params), WHOLE_UPDATE: (update(0), state, batch)}
    if any(isinstance(loss, Every) for loss in learner.losses.values()):
        parts |= {LIGHT_UPDATE: (update(1), state, batch)}
    return {name: _compiled(*part) for name, part in parts.items()}


def _mixer_gradient(learner: Any, state: Any, batch: Any) -> Any:
    """Of mixed values with respect to the mixer's parameters and the values that go in: those of one network."""
    seen, mask = batch.global_state[:, :-1], batch.action_mask[:, :-1]

    def mixed(params: Any, q: jax.Array) -> jax.Array:
        return learner.mix(params, ActionValues(q, mask, batch.action), seen)[0].sum()

    return jax.grad(mixed, (0, 1))(state.params, mask.astype(jnp.float32))


_LOSS = "loss "


def _loss(name: str) -> str:
    return f"{_LOSS}{name!r}, forward"


def _copy(tree: Any) -> Any:
    return jax.tree.map(jnp.copy, tree)


def _compiled(part: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
    call = jax.jit(jax.vmap(part))
    jax.block_until_ready(call(*arguments))
    return lambda: jax.block_until_ready(call(*arguments))


def _moving(call: Any, state: Any, *arguments: Any) -> Callable[[], Any]:
    """A part that reuses the memory of the state which it moves, as training does."""
    held = [jax.block_until_ready(call(state, *arguments))]

    def move() -> None:
        held[0] = jax.block_until_ready(call(held[0], *arguments))

    return move


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
