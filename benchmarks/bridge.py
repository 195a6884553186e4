"""The bridge: how many steps a second pass between workers and learner, and what a thousand faults leave behind.

    python -m benchmarks.bridge speed [--workers 1 2 8 16] [--seconds 5] [--sleep 0.005]
    python -m benchmarks.bridge faults [--faults 1000] [--chance 0.03] [--workers 8]

`speed` plays a simulator that computes nothing, of the sizes of the battle MMM, with actions that are allowed; beside
it, the same simulator in gymnasium's `AsyncVectorEnv`, in the same process. `faults` trains while simulators crash, are
killed, hang and talk nonsense at random moments, at each look at them with the given chance, and trains once more
without all that: the parameters are compared. They are equal unless an episode was lost five times, and another drawn.
"""

from __future__ import annotations

import argparse
import contextlib
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import gymnasium
import numpy as np
import psutil

from benchmarks.bridge_simulators import MMM, NothingInGymnasium
from marlcomm.bridge.launch import Recipe

if TYPE_CHECKING:  # gymnasium's processes import this module again, and should not load JAX
    from marlcomm.bridge.account import Account
    from marlcomm.bridge.pool import WorkerPool

HERE = "benchmarks.bridge_simulators"


def steps_per_second(workers: int, seconds: float, sleep: float) -> tuple[float, float]:
    """Environment steps a second of the pool, and the share of their time that workers wait."""
    from marlcomm.bridge.pool import WorkerPool

    pool = WorkerPool(Recipe(f"{HERE}:Nothing", "", {"sleep": sleep}), MMM, workers)
    slots, actions = np.arange(workers), np.zeros((workers, 10), np.int32)
    try:
        while len(pool.idle()) < workers:
            pool.wait(0.1)
        steps, began = 0, None
        while began is None or time.perf_counter() - began < seconds:
            pool.begin(slots, slots)
            _all_answer(pool, workers)
            for _ in range(MMM.horizon):
                pool.step(slots, actions)
                _all_answer(pool, workers)
            pool.delivered(slots)
            if began is None:  # the first episode warms up
                began, pool.account.busy = time.perf_counter(), 0.0
            else:
                steps += workers * MMM.horizon
        spent = time.perf_counter() - began
        return steps / spent, 1.0 - pool.account.busy / (workers * spent)
    finally:
        pool.close()


def _all_answer(pool: WorkerPool, workers: int) -> None:
    waiting = workers
    while waiting:
        waiting -= len(pool.wait(1.0))


def gymnasium_steps_per_second(workers: int, seconds: float, sleep: float) -> float:
    """The same of `AsyncVectorEnv`, with its shared memory."""
    make = [lambda: NothingInGymnasium(sleep)] * workers
    envs = gymnasium.vector.AsyncVectorEnv(make, context="spawn", shared_memory=True, copy=False)
    actions = np.zeros((workers, 10), np.int64)
    with contextlib.closing(envs):
        envs.reset()
        for _ in range(MMM.horizon):
            envs.step(actions)
        steps, began = 0, time.perf_counter()
        while time.perf_counter() - began < seconds:
            envs.step(actions)
            steps += workers
        return steps / (time.perf_counter() - began)


class Trained(NamedTuple):
    """A run on `Target`."""

    params: Any
    account: Account
    numbers: list[int]  #: of the episodes that were delivered, as the workers that played them said
    outlived: int  #: processes that are left


def train_with(chance: float, workers: int, steps: int) -> Trained:
    """Trains while things go wrong with some chance, whenever a worker is looked at."""
    import marlcomm as mc
    from marlcomm.bridge.pool import Limits
    from marlcomm.bridge.task import BridgeTask

    limits = Limits(reset_seconds=1.0, step_seconds=1.0, failures=10_000, backoff=0.001, longest_backoff=0.01)
    env = BridgeTask(Recipe("marlcomm.bridge.adapters.own:make", f"{HERE}:Target", {"chance": chance}), workers, limits)
    algorithm = mc.vdn(env, hidden=8, num_envs=workers, batch_episodes=8, replay_episodes=64)
    pool, numbers = env.driver.pool(workers), []
    delivered = pool.delivered

    def noted(slots: np.ndarray) -> None:
        numbers.extend(pool.block.answer["episode"][slots].tolist())
        delivered(slots)

    pool.delivered = noted
    result = mc.train(algorithm, steps=steps, evaluations=1, evaluation_episodes=workers, progress=False)
    env.close()
    return Trained(result.params, pool.account, numbers, len(psutil.Process().children(recursive=True)))


def _faults(faults: int, workers: int, chance: float) -> Iterator[str]:
    import jax

    steps = max(int(faults * 0.72 / chance), 400)  # a little more than needed
    faulty, sound = train_with(chance, workers, steps), train_with(0.0, workers, steps)
    account, clean, numbers = faulty.account, sound.account, set(faulty.numbers)
    lost = sum(account.lost.values())
    yield f"begun {account.begun:,} = delivered {account.delivered:,} + lost {lost:,}: " + str(
        account.begun == account.delivered + lost
    )
    yield f"lost by cause: {dict(account.lost.most_common())}; {sum(account.failures.values()):,} workers replaced"
    twice, false = len(faulty.numbers) - len(numbers), len(numbers - set(range(account.begun)))
    yield f"delivered twice, by their numbers: {twice}; that nobody began: {false}; processes left: {faulty.outlived}"
    yield f"delivered without faults: {clean.delivered:,}, lost {sum(clean.lost.values())}"
    equal = jax.tree.map(lambda a, b: bool((np.asarray(a) == np.asarray(b)).all()), faulty.params, sound.params)
    yield f"lost five times, so that another was drawn: {account.redrawn}"
    yield f"learned parameters equal, bit for bit: {all(jax.tree.leaves(equal))}"


def _speed(workers: list[int], seconds: float, sleep: float) -> Iterator[str]:
    yield "| workers | bridge, steps/s | of the simulators' own | workers wait | AsyncVectorEnv, steps/s |"
    yield "|---|---|---|---|---|"
    for count in workers:
        ours, waits = steps_per_second(count, seconds, sleep)
        theirs = gymnasium_steps_per_second(count, seconds, sleep)
        own = f"{ours * sleep / count:.1%}" if sleep else "-"
        yield f"| {count} | {ours:,.0f} | {own} | {waits:.0%} | {theirs:,.0f} |"


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("speed", "faults"))
    parser.add_argument("--workers", type=int, nargs="+", default=None)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--sleep", type=float, default=0.0)
    parser.add_argument("--faults", type=int, default=1000)
    parser.add_argument("--chance", type=float, default=0.03)
    given = parser.parse_args()
    if given.what == "speed":
        lines = _speed(given.workers or [1, 2, 8, 16], given.seconds, given.sleep)
    else:
        lines = _faults(given.faults, (given.workers or [8])[0], given.chance)
    for line in lines:
        print(line, flush=True)


if __name__ == "__main__":
    main()
