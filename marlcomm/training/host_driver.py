"""What every driver of a simulator outside JAX has in common: members in turn, learning, and measuring."""

from __future__ import annotations

import abc
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from marlcomm.algorithms.algorithm import Algorithm
from marlcomm.learners.base import with_delay
from marlcomm.learners.state import AgentMemory, LearnerState, who_plays
from marlcomm.messages.edits import Delay, Edit, split_delay
from marlcomm.training.drivers import CannotPlay, CompiledProgram, DriverReport, Measure, Played, Program, Same
from marlcomm.training.population import Population, member_of
from marlcomm.types import Scalar

Result = TypeVar("Result")


class Acting(NamedTuple):
    """A team that acts step by step, compiled."""

    act: Callable[..., Any]  #: (params, observation, memory, key, exploration, edit) -> (action, memory, decision)
    memory: Callable[..., AgentMemory]  #: B -> memory before the first step
    edit: Edit | None  #: what `act` is to be given


class HostDriver(abc.ABC):
    """Plays with a simulator outside JAX: a subclass says how one team plays, all else follows.

    Members of a population play one after the other, or as a driver shares itself among them, and learn together. What
    is made of episodes runs on the host as it is written, operation by operation.

    Attributes:
      steps_at_once: training steps after which, at the latest, progress is shown, a checkpoint may be saved and a
        signal to stop is heard; 1 suits slow simulators. None for as many as of tasks in JAX: up to 200.
    """

    steps_at_once: int | None = None

    @abc.abstractmethod
    def play(
        self,
        algorithm: Algorithm,
        params: Any,
        key: jax.Array,
        episodes: int,
        *,
        exploration: Scalar = 0.0,
        edit: Edit | None = None,
        progress: Scalar = 1.0,
        training: bool = False,
    ) -> Played:
        """Whole episodes of one team, from reset to their ends, as NumPy or JAX arrays; as `Algorithm.play`.

        Args:
          algorithm: the task and the networks; `acting` gives what acts.
          params: of one member.
          key: decides what the team does. All episodes act together, at step t with the key t of `episode_keys`.
          episodes: B.
          exploration, edit, progress, training: as for `Algorithm.play`.
        """

    def begin(
        self, algorithm: Algorithm, params: Any, key: jax.Array, episodes: int, **how: Any
    ) -> Callable[[], Played]:
        """Begins what `play` is asked for, where that can go on by itself: gives what waits for it, in the order in
        which it was begun. By default nothing goes on, and to wait is to play."""
        return functools.partial(self.play, algorithm, params, key, episodes, **how)

    def meanwhile(self, work: Callable[[], Result]) -> Result:
        """Does some work, such as to learn, and plays meanwhile what was begun; by default, nothing."""
        return work()

    def learns_from(self, episodes: int, age: int) -> None:
        """Hears how many gradient steps old the policy is that played the episodes that are learned from now."""
        del episodes, age

    def acting(self, algorithm: Algorithm, edit: Edit | None = None, training: bool = False) -> Acting:
        """The team as it acts under an edit, whose delays are part of its memory, in training or in evaluation."""
        edit, delay = split_delay(edit)
        return _acting(Same(algorithm), delay, training)._replace(edit=edit)

    def trainer(self, algorithm: Algorithm, population: Population) -> Program:
        """See `Driver`; what learns is compiled when the first episodes are there."""
        return _HostTrainer(self, algorithm, population)

    def measurer(
        self,
        measure: Measure,
        algorithm: Algorithm,
        episodes: int,
        population: Population | None = None,
        *,
        shared: int = 0,
        quick: bool = False,
    ) -> Program:
        """See `Driver`."""
        del quick
        return _HostMeasurer(self, measure, algorithm, episodes, population, shared)

    def report(self) -> DriverReport:
        """See `Driver`: nothing, by default."""
        return DriverReport()


@dataclass(frozen=True)
class HostPlayer:
    """Plays at once; see `Player`."""

    driver: HostDriver
    algorithm: Algorithm
    params: Any
    episodes: int

    def play(self, key: jax.Array, edit: Edit | None = None, exploration: Scalar = 0.0) -> Played:
        """See `Player`."""
        return self.driver.play(self.algorithm, self.params, key, self.episodes, exploration=exploration, edit=edit)

    def repeat(self, step: Callable[[Any, jax.Array], Any], carry: Any, keys: jax.Array) -> Any:
        """See `Player`."""
        return functools.reduce(step, keys, carry)


class _Begun(NamedTuple):
    """Episodes for one training step."""

    played: Sequence[Callable[[], Played]]  # of each member
    updates: int  # gradient steps that the policy had learned by: of the member that had most


class _HostTrainer:
    """Training steps: members play and learn together.

    Where the policy that plays is one training step behind, the episodes of the next step are begun beside those of
    this one, and go on while it learns. A state says by itself what they are: whoever goes on from it begins the same.
    """

    def __init__(self, driver: HostDriver, algorithm: Algorithm, population: Population) -> None:
        self._driver, self._algorithm, self._population = driver, algorithm, population
        spread, devices = functools.partial(population.spread, shared=1), population.mesh().size
        about = devices, "learning", "lower the batch, or train fewer seeds together"
        self._begin = CompiledProgram(jax.jit(spread(functools.partial(_orders, algorithm))), *about)
        self._finish = CompiledProgram(jax.jit(spread(algorithm.finish_step, moves=True), donate_argnums=0), *about)
        self._ahead: _Begun | None = None

    def compile(self, *arguments: Any) -> None:
        """What learns is compiled when the shapes of episodes and decisions are known."""
        state, total_steps, _ = arguments
        self._begin.compile(state, total_steps)

    def __call__(self, *arguments: Any) -> tuple[Any, dict[str, Any]]:
        state, total_steps, length = arguments
        taken: list[dict[str, jax.Array]] = []
        length = min(int(length), self._driver.steps_at_once or int(length))
        while len(taken) < length and (not taken or self._goes_on(state, total_steps)):
            begun, self._ahead = self._ahead or self._begun(who_plays(state), total_steps), None
            ahead = self._begun(state, total_steps) if self._algorithm.policy_lag else None
            try:
                played = [each()._replace(states=None) for each in begun.played]
            except CannotPlay:
                if taken:  # what was learned before goes back; the next call finds the same
                    break
                raise
            self._ahead = ahead
            self._driver.learns_from(len(played) * len(played[0].episodes.won), _most(state.updates) - begun.updates)
            learn = functools.partial(self._learn, state, played, total_steps)
            state, metrics = self._driver.meanwhile(learn)
            taken.append(metrics)
        return state, {name: sum(each[name] for each in taken) / len(taken) for name in taken[0]}

    def _begun(self, state: Any, total_steps: jax.Array) -> _Begun:
        orders = self._begin(state, total_steps)
        own = [member_of(orders, member) for member in range(len(self._population))]
        count = self._algorithm.learner.config.num_envs
        begin = functools.partial(self._driver.begin, self._algorithm, episodes=count, training=True)
        return _Begun([begin(**each) for each in own], _most(state.updates))

    def _learn(self, state: Any, played: Sequence[Played], total_steps: jax.Array) -> tuple[Any, dict[str, jax.Array]]:
        together = jax.tree.map(lambda *x: jnp.stack(x), *played)
        learners = self._population  # which lie on several devices
        together = jax.device_put(learners.padded(together), learners.sharding())
        return self._finish(state, together.episodes, together.decisions, total_steps)

    def _goes_on(self, state: Any, total_steps: jax.Array) -> bool:
        return bool((np.asarray(state.healthy) & (np.asarray(state.env_steps) < int(total_steps))).any())


def _orders(algorithm: Algorithm, state: LearnerState, total_steps: jax.Array) -> dict[str, Any]:
    """What `HostDriver.begin` is to be given; the parameters are a copy, as those of the state are given away."""
    return {"params": jax.tree.map(jnp.copy, state.params), **algorithm.begin_step(state, total_steps)}


def _most(updates: jax.Array) -> int:
    return int(np.asarray(updates).max())


@dataclass(frozen=True)
class _HostMeasurer:
    driver: HostDriver
    measure: Measure
    algorithm: Algorithm
    episodes: int
    population: Population | None
    shared: int

    def compile(self, *arguments: Any) -> None:
        """Nothing is compiled."""

    def __call__(self, params: Any, *arguments: Any) -> Any:
        if self.population is None:
            return self.measure(self._player(params), *arguments)
        own = len(arguments) - self.shared
        found = [
            self.measure(self._player(member_of(params, m)), *member_of(arguments[:own], m), *arguments[own:])
            for m in range(len(self.population))
        ]
        return jax.tree.map(lambda *x: jnp.stack(x), *found)

    def _player(self, params: Any) -> HostPlayer:
        return HostPlayer(self.driver, self.algorithm, params, self.episodes)


@functools.lru_cache(maxsize=16)
def _acting(algorithm: Same[Algorithm], delay: int, training: bool) -> Acting:
    learner, _ = with_delay(algorithm.value.learner, Delay(delay) if delay else None)
    return Acting(jax.jit(functools.partial(learner.act, training=training)), learner.initial_memory, None)
