"""Drivers play episodes: whoever trains or evaluates a team asks one, and never steps an environment itself.

`CompiledDriver` plays tasks that are written in JAX. A task that a simulator outside JAX plays names its own driver, as
its attribute `driver`; most of such a driver stands in `training.host_driver`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import jax

from marlcomm.algorithms.algorithm import Algorithm
from marlcomm.learners.state import Decision
from marlcomm.messages.edits import Edit
from marlcomm.training.interrupt import interruptibly
from marlcomm.training.live_bytes import SURELY, live_bytes
from marlcomm.training.memory import compute, require_room_to_run
from marlcomm.training.population import Population
from marlcomm.training.step import make_chunk
from marlcomm.types import Episodes, Scalar

Kept = TypeVar("Kept")
QUICK = {"xla_backend_optimization_level": 1}  # the compiler's best effort takes longer than it saves in short runs
Measure = Callable[..., Any]  # (player, *arguments) -> pytree of arrays


class CannotPlay(RuntimeError):
    """No episodes are to be had; what was learned is as it was before they were asked for."""


class PlayStopped(CannotPlay):
    """A run is to stop, and episodes that were under way are abandoned."""


class DriverReport(NamedTuple):
    """What a driver has to tell of its simulators."""

    line: str = ""  #: where the time goes and what was lost, in a few words
    news: Sequence[str] = ()  #: sentences not told before
    summary: Mapping[str, Any] = {}  #: the same as names and numbers, for the run's summary


class Played(NamedTuple):
    """Whole episodes of one team."""

    episodes: Episodes  #: leading axis B
    decisions: Decision  #: leading axes [B, T]
    states: Any  #: of the task, leading axes [B, T+1]; None where a simulator keeps them to itself


class Player(Protocol):
    """One team on its task: what a measure asks for episodes."""

    @property
    def algorithm(self) -> Algorithm: ...
    @property
    def params(self) -> Any: ...

    def play(self, key: jax.Array, edit: Edit | None = None, exploration: Scalar = 0.0) -> Played:
        """Whole episodes, as many as the measure was asked for; `key` decides everything."""
        ...

    def repeat(self, step: Callable[[Any, jax.Array], Any], carry: Any, keys: jax.Array) -> Any:
        """The last carry of `carry = step(carry, key)` over `keys` [R, 2]: how to play R times, one after the other."""
        ...


class Program(Protocol):
    """What a driver gives: called with arrays, it gives arrays, and waits for them."""

    def compile(self, *arguments: Any) -> Any:
        """Makes ready for arguments of these shapes, so that it is known how long that takes.

        Raises:
          UsageError: it needs more memory than there is.
        """
        ...

    def __call__(self, *arguments: Any) -> Any:
        """Runs. Raises as `compile`."""
        ...


class Driver(Protocol):
    """Whoever plays episodes of a task."""

    def trainer(self, algorithm: Algorithm, population: Population) -> Program:
        """Training steps of every member.

        Returns:
          (state with leading axis P, total steps [], length []) -> (state, metrics): after at most `length` training
          steps, and the metrics' means over these, each [P]. The state that is given is given away.
        """
        ...

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
        """Measures a team, or every member of a population.

        Args:
          measure: `(player, *arguments) -> pytree of arrays`: asks the player for episodes and reduces them. Pure, as
            it may be traced, and a function of a module, as what it compiles to is kept.
          algorithm: the task and the networks.
          episodes: B, that the player plays at once.
          population: whose members are measured, each with its own parameters; None for one team.
          shared: how many trailing arguments are the same for all members; the others have a leading axis P.
          quick: whether it runs so seldom that it should rather compile fast than run fast.

        Returns:
          A function of `(params, *arguments)` that gives what `measure` does, with a leading axis P for a population.
        """
        ...

    def report(self) -> DriverReport:
        """What there is to tell since the last report, and of the whole; nothing where no simulators are asked."""
        ...


class Same(Generic[Kept]):
    """An object as a key, by identity: algorithms and populations hold mappings, which cannot be hashed."""

    def __init__(self, value: Kept) -> None:
        self.value = value

    def __hash__(self) -> int:
        return id(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and other.value is self.value


@dataclass(frozen=True)
class CompiledPlayer:
    """Plays under a trace: episodes and what is made of them are one program."""

    algorithm: Algorithm
    params: Any
    episodes: int

    def play(self, key: jax.Array, edit: Edit | None = None, exploration: Scalar = 0.0) -> Played:
        """See `Player`."""
        played = self.algorithm.play(self.params, key, num_envs=self.episodes, exploration=exploration, edit=edit)
        return Played(*played)

    def repeat(self, step: Callable[[Any, jax.Array], Any], carry: Any, keys: jax.Array) -> Any:
        """See `Player`; playing is compiled once."""
        return jax.lax.scan(lambda carry, key: (step(carry, key), None), carry, keys)[0]


class CompiledDriver:
    """Plays tasks written in JAX: playing, learning and measuring are fused into one program for all members.

    Programs are spread over the devices, heard signals interrupt them, and those that need more memory than there is
    are refused.
    """

    def trainer(self, algorithm: Algorithm, population: Population) -> Program:
        """See `Driver`."""
        advice = "lower num_envs or the batch, or train fewer seeds together"
        return CompiledProgram(make_chunk(algorithm, population), population.mesh().size, "training", advice)

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
        return _measurer(measure, Same(algorithm), episodes, Same(population), shared, quick)

    def report(self) -> DriverReport:
        """See `Driver`: nothing."""
        return DriverReport()


@functools.lru_cache(maxsize=64)
def _measurer(
    measure: Measure,
    algorithm: Same[Algorithm],
    episodes: int,
    population: Same[Population | None],
    shared: int,
    quick: bool,
) -> Program:
    """Kept, so that the next member and the next threshold start at once."""

    def of_one(params: Any, *arguments: Any) -> Any:
        return measure(CompiledPlayer(algorithm.value, params, episodes), *arguments)

    members = population.value
    function, devices = (of_one, 1) if members is None else (members.spread(of_one, shared), members.mesh().size)
    program = jax.jit(function, compiler_options=QUICK if quick else None)
    advice = f"lower the number of episodes (episodes, in training evaluation_episodes), {episodes} now"
    return CompiledProgram(program, devices, "playing", advice)


class CompiledProgram:
    """A program that is compiled once for arguments of the same shapes."""

    def __init__(self, jitted: Any, devices: int, what: str, advice: str) -> None:
        """Args: what `jax.jit` gave; how many devices share it; its name, and what would make it smaller."""
        self._jitted, self._about = jitted, (devices, what, advice)
        self._compiled: dict[Any, Any] = {}

    def compile(self, *arguments: Any) -> Any:
        """See `Program`; gives the compiled program."""
        leaves, structure = jax.tree.flatten(arguments)
        kind = structure, tuple((jax.typeof(leaf), getattr(leaf, "sharding", None)) for leaf in leaves)
        if kind not in self._compiled:
            traced = self._jitted.trace(*arguments)
            require_room_to_run(SURELY * live_bytes(traced.jaxpr), *self._about)
            program = interruptibly(traced.lower().compile)
            require_room_to_run(getattr(program.memory_analysis(), "temp_size_in_bytes", 0), *self._about)
            self._compiled[kind] = program
        return self._compiled[kind]

    def __call__(self, *arguments: Any) -> Any:
        """See `Program`."""
        return compute(self.compile(*arguments), *arguments)


def driver_of(algorithm: Algorithm) -> Driver:
    """Who plays an algorithm's task: the driver that it names, or else the compiled one."""
    return getattr(algorithm.env, "driver", None) or CompiledDriver()
