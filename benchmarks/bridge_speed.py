"""How many environment steps a second pass between simulators and a learner; see `benchmarks.bridge`.

Processes of gymnasium import this module again, and should not load JAX.
"""

from __future__ import annotations

import contextlib
import functools
import os
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import gymnasium
import numpy as np

from benchmarks.bridge_simulators import MMM, PLACE, Nothing, NothingInGymnasium
from marlcomm.bridge.launch import Recipe, describe
from marlcomm.bridge.simulator import SimulatorSpec


class Kind(NamedTuple):
    """A simulator of which nothing comes; see `Nothing`."""

    sleep: float = 0.0
    spread: float = 0.0
    early: bool = False
    busy: bool = False

    def recipe(self) -> Recipe:
        """For workers."""
        return Recipe(f"{PLACE}:Nothing", "", self._asdict())

    def own_rate(self, workers: int) -> float:
        """Steps a second of so many that wait for nobody: of one alone times how many can step at once."""
        at_once = min(workers, os.cpu_count() or 1) if self.busy else workers
        simulator, actions, steps = Nothing(**self._asdict()), np.zeros((10,), np.int32), 200
        simulator.reset(0)
        began = time.perf_counter()
        for _ in range(steps):
            simulator.step(actions)
        return at_once * steps / (time.perf_counter() - began)


def speed(workers: list[int], seconds: float, kind: Kind) -> Iterator[str]:
    """A row for each number of workers."""
    yield "| workers | nobody acts, steps/s | they wait | a team acts | they wait | of own rate | AsyncVectorEnv |"
    yield "|---|---|---|---|---|---|---|"
    for count in workers:
        alone, waits = transport(kind.recipe(), MMM, count, seconds)
        acting, wait = with_a_team(kind, count, seconds)
        share = f"{acting / kind.own_rate(count):.1%}" if kind.sleep else "-"
        theirs = of_gymnasium([functools.partial(NothingInGymnasium, **kind._asdict())] * count, seconds)
        yield f"| {count} | {alone:,.0f} | {waits:.1%} | {acting:,.0f} | {wait:.1%} | {share} | {theirs:,.0f} |"


def learning(workers: int, seconds: float, kind: Kind) -> Iterator[str]:
    """A row for each lag of the policy that plays."""
    yield "| policy_lag | steps/s | of their own rate | workers wait | simulate | infer | transfer | learn |"
    yield "|---|---|---|---|---|---|---|---|"
    own = kind.own_rate(workers)
    for lag in (0, 1):
        rate, waits, parts = training(kind, workers, seconds, lag)
        shares = " | ".join(f"{share:.0%}" for share in parts.values())
        yield f"| {lag} | {rate:,.0f} | {rate / own:.1%} | {waits:.1%} | {shares} |"


def cart_pole(workers: list[int], seconds: float) -> Iterator[str]:
    """CartPole-v1, which all have; EnvPool's own is written in C++, and acts in threads of one process."""
    yield "| workers | nobody acts, steps/s | AsyncVectorEnv | EnvPool |"
    yield "|---|---|---|---|"
    recipe = Recipe("marlcomm.bridge.adapters.gymnasium:make", "CartPole-v1")
    spec = describe(recipe, 60.0)
    for count in workers:
        ours, _ = transport(recipe, spec, count, seconds)
        theirs = of_gymnasium([functools.partial(gymnasium.make, "CartPole-v1")] * count, seconds)
        yield f"| {count} | {ours:,.0f} | {theirs:,.0f} | {of_envpool(count, seconds)} |"


def transport(recipe: Recipe, spec: SimulatorSpec, workers: int, seconds: float) -> tuple[float, float]:
    """Steps a second, resets included, of a pool whose actions are always the first; share of time that workers wait.

    All take each step together.
    """
    from marlcomm.bridge.pool import WorkerPool

    pool = WorkerPool(recipe, spec, workers)
    slots, actions = np.arange(workers), np.zeros((workers, spec.num_agents), np.int32)
    try:
        while len(pool.idle()) < workers:
            pool.wait(0.1)
        pool.begin(slots, slots)
        _all_answer(pool, workers)

        def step() -> None:
            answer = pool.block.answer[slots]
            over = (answer["terminated"] | answer["truncated"]) != 0
            if over.any():
                pool.delivered(slots[over])
                pool.begin(slots[over], slots[over])
            if not over.all():
                pool.step(slots[~over], actions[~over])
            _all_answer(pool, workers)

        _timed(step, 0.5)
        pool.account.busy = 0.0
        rounds, spent = _timed(step, seconds)
        return rounds * workers / spent, 1.0 - pool.account.busy / (workers * spent)
    finally:
        pool.close()


def _all_answer(pool: Any, workers: int) -> None:
    waiting = workers
    while waiting:
        waiting -= len(pool.wait(1.0))


def with_a_team(kind: Kind, workers: int, seconds: float) -> tuple[float, float]:
    """The same of a team of QMIX that acts: an episode of each worker at a time."""
    import jax

    import marlcomm as mc
    from marlcomm.bridge.task import BridgeTask

    env = BridgeTask(kind.recipe(), workers)
    algorithm = mc.qmix(env, num_envs=workers, batch_episodes=1, replay_episodes=workers)
    params, steps = algorithm.init(jax.random.PRNGKey(0)).params, []

    def play() -> None:
        played = env.driver.play(algorithm, params, jax.random.PRNGKey(len(steps)), workers, training=True)
        steps.append(int(played.episodes.valid.sum()))

    try:
        for _ in range(2):  # the first compiles, the second settles in how many waves to play
            play()
        account = env.driver.account
        account.busy, steps = 0.0, []
        _, spent = _timed(play, seconds)
        return sum(steps) / spent, 1.0 - account.busy / (workers * spent)
    finally:
        env.close()


def training(kind: Kind, workers: int, seconds: float, lag: int) -> tuple[float, float, dict[str, float]]:
    """The same of QMIX that learns from 32 episodes at a time; and how the time divides."""
    import jax.numpy as jnp

    import marlcomm as mc
    from marlcomm.bridge.task import BridgeTask
    from marlcomm.training.population import make_population

    env = BridgeTask(kind.recipe(), workers, policy_lag=lag)
    algorithm = mc.qmix(env, num_envs=workers, batch_episodes=32, replay_episodes=64)
    population, limit = make_population(algorithm, 1, 0, None), jnp.int32(10**9)
    program, state = env.driver.trainer(algorithm, population), population.init(algorithm)

    def step() -> None:
        nonlocal state
        state, _ = program(state, limit, jnp.int32(1))

    try:
        for _ in range(32 // workers + 2):  # until it learns, and all is compiled
            step()
        account, before = env.driver.account, int(state.env_steps[0])
        account.busy, account.seconds = 0.0, dict.fromkeys(account.seconds, 0.0)
        _, spent = _timed(step, seconds)
        waits = 1.0 - account.busy / (workers * spent)
        return (int(state.env_steps[0]) - before) / spent, waits, account.shares()
    finally:
        env.close()


def of_gymnasium(make: list[Callable[[], Any]], seconds: float) -> float:
    """Steps a second, resets included, of `AsyncVectorEnv` with its shared memory."""
    envs = gymnasium.vector.AsyncVectorEnv(make, context="spawn", shared_memory=True, copy=False)
    with contextlib.closing(envs):
        envs.reset()
        actions = np.zeros_like(envs.action_space.sample())
        step = functools.partial(envs.step, actions)
        _timed(step, 0.5)
        rounds, spent = _timed(step, seconds)
        return rounds * len(make) / spent


def of_envpool(workers: int, seconds: float) -> str:
    """The same of EnvPool, where it is installed."""
    try:
        import envpool  # pyright: ignore[reportMissingImports]
    except ImportError:
        return "not installed"
    envs = envpool.make_gymnasium("CartPole-v1", num_envs=workers)
    envs.reset()
    step = functools.partial(envs.step, np.zeros(workers, np.int32))
    rounds, spent = _timed(step, seconds)
    return f"{rounds * workers / spent:,.0f}"


def _timed(step: Callable[[], Any], seconds: float) -> tuple[int, float]:
    """How often it was called in about so many seconds, and in exactly how many."""
    rounds, began = 0, time.perf_counter()
    while (spent := time.perf_counter() - began) < seconds:
        step()
        rounds += 1
    return rounds, spent
