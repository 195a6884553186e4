"""The bridge: how many steps a second pass between workers and learner, and what a thousand faults leave behind.

    python -m benchmarks.bridge speed [--workers 1 2 8 16] [--sleep 0.005] [--spread 0.5] [--early] [--busy]
    python -m benchmarks.bridge learning [--workers 8] [--sleep 0.005] ...
    python -m benchmarks.bridge cart_pole [--workers 1 2 8 16]
    python -m benchmarks.bridge faults [--faults 1000] [--chance 0.03] [--workers 8]

`speed` plays a simulator that computes nothing, of the sizes of the battle MMM, with actions that are allowed: with
nobody who chooses them, with a team of QMIX that does, and in gymnasium's `AsyncVectorEnv`, in the same process.
`--sleep` is what a step takes, `--spread` by which share it varies, `--early` lets episodes end early, and `--busy` has
steps take it from a processor. Of own rate is what is reached of what so many simulators do that wait for nobody, or,
if they are busy, so many as there are processors. `learning` trains, with and without a lag of the policy that plays.
`cart_pole` plays that task, which EnvPool has, too, if it is installed.

`faults` trains while simulators crash, are killed, hang and talk nonsense at random moments, at each look at them with
the given chance, and trains once more without all that: the parameters are compared. They are equal unless an episode
was lost five times, and another drawn.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import psutil

from benchmarks import bridge_speed
from benchmarks.bridge_simulators import PLACE
from marlcomm.bridge.launch import Recipe

if TYPE_CHECKING:  # gymnasium's processes import this module again, and should not load JAX
    from marlcomm.bridge.account import Account


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
    env = BridgeTask(
        Recipe("marlcomm.bridge.adapters.own:make", f"{PLACE}:Target", {"chance": chance}), workers, limits
    )
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


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("speed", "learning", "cart_pole", "faults"))
    parser.add_argument("--workers", type=int, nargs="+", default=None)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--sleep", type=float, default=None)
    parser.add_argument("--spread", type=float, default=0.0)
    parser.add_argument("--early", action="store_true")
    parser.add_argument("--busy", action="store_true")
    parser.add_argument("--faults", type=int, default=1000)
    parser.add_argument("--chance", type=float, default=0.03)
    given = parser.parse_args()
    several, (one, *_) = given.workers or [1, 2, 8, 16], given.workers or [8]
    sleep = given.sleep if given.sleep is not None else 0.005 if given.what == "learning" else 0.0
    kind = bridge_speed.Kind(sleep, given.spread, given.early, given.busy)
    if given.what == "speed":
        lines = bridge_speed.speed(several, given.seconds, kind)
    elif given.what == "learning":
        lines = bridge_speed.learning(one, given.seconds, kind)
    elif given.what == "cart_pole":
        lines = bridge_speed.cart_pole(several, given.seconds)
    else:
        lines = _faults(given.faults, one, given.chance)
    for line in lines:
        print(line, flush=True)


if __name__ == "__main__":
    main()
