"""A population: seeds x hyper-parameters, trained as one compiled program."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as Spec

from marlcomm.algorithms.algorithm import Algorithm, set_hparams
from marlcomm.learners.state import LearnerState
from marlcomm.short_repr import html_table
from marlcomm.training.interrupt import interruptibly
from marlcomm.training.memory import compute
from marlcomm.validation import UsageError, check_different, check_members, check_seeds, to_python

MEASURED = {"env_steps": "steps", "test_return": "return", "test_won": "won", "test_bits_per_step": "bits a step"}


@dataclass(frozen=True)
class Population:
    """Who is trained.

    Members are computed in blocks of equal size, one block after the other on each device. The size of a block decides
    the last bits of what is computed, so that it stays when devices come and go; a last block that is not full is
    filled up with copies of the last member, which nobody sees. A CPU is fastest at one member after the other, and an
    accelerator at all members of a device together.

    Attributes:
      seeds: one integer a member; it alone decides the member's run.
      changes: one mapping a member: the hyper-parameters in which it differs from the algorithm's own.
      block: members that are computed together; None for what is fastest on the devices at hand.
    """

    seeds: tuple[int, ...]
    changes: tuple[Mapping[str, float], ...]
    block: int | None = None

    def __len__(self) -> int:
        return len(self.seeds)

    def name(self, member: int) -> str:
        """Such as "seed 3, beta=0.001"."""
        return ", ".join([f"seed {self.seeds[member]}", *(f"{k}={v:g}" for k, v in self.changes[member].items())])

    def __repr__(self) -> str:
        names = [self.name(member) for member in range(len(self))]
        return f"Population({'; '.join(names if len(names) <= 4 else [*names[:2], '...', names[-1]])})"

    def html(self, title: str, metrics: Mapping[str, np.ndarray]) -> str:
        """A table for notebooks: the last of what was measured of each member [time, P], a row a member."""
        shown = {name: title for name, title in MEASURED.items() if np.isfinite(metrics.get(name, np.nan)).any()}
        last = {name: [next(iter(own[np.isfinite(own)][::-1]), None) for own in metrics[name].T] for name in shown}
        rows = [[self.name(m), *(last[name][m] for name in shown)] for m in range(len(self))]
        return html_table(title, rows, ["member", *shown.values()])

    def init(self, algorithm: Algorithm) -> LearnerState:
        """Every member's first state, leading axis that of `padded`, spread over the devices.

        Raises:
          ValueError: it does not fit into memory.
        """
        place = self.sharding()
        # runs once: not worth the compiler's best effort
        options = {"xla_backend_optimization_level": 0}
        init = jax.jit(jax.vmap(algorithm.init), out_shardings=place, compiler_options=options)
        starts = self.padded(self._starts(algorithm))
        compiled = interruptibly(init.lower(*starts).compile)
        return compute(compiled, *starts)

    def template(self, algorithm: Algorithm) -> LearnerState:
        """Shapes and types of `init`, without computing it."""
        return jax.eval_shape(jax.vmap(algorithm.init), *self._starts(algorithm))

    def keys(self) -> jax.Array:
        """[P, 2] a key for each member, of its seed alone."""
        return jnp.stack([jax.random.PRNGKey(seed) for seed in self.seeds])

    def _starts(self, algorithm: Algorithm) -> tuple[jax.Array, Any]:
        members = [set_hparams(algorithm, changes) for changes in self.changes]
        return self.keys(), jax.tree.map(lambda *x: jnp.asarray(x, jnp.float32), *members)

    @property
    def members_together(self) -> int:
        """Members of a block."""
        return self.block or (1 if jax.default_backend() == "cpu" else math.ceil(len(self) / len(jax.devices())))

    @property
    def blocks_in_turn(self) -> int:
        """Blocks that each device computes, one after the other."""
        return math.ceil(math.ceil(len(self) / self.members_together) / len(jax.devices()))

    @property
    def places(self) -> int:
        """Members and the copies that fill the last block up."""
        return self.mesh().size * self.blocks_in_turn * self.members_together

    def mesh(self) -> Mesh:
        """The devices that share the population."""
        blocks = math.ceil(len(self) / self.members_together)
        devices = jax.devices()[: math.ceil(blocks / self.blocks_in_turn)]
        return Mesh(np.asarray(devices), ("population",))

    def sharding(self) -> NamedSharding:
        """How a leading axis of `places` is spread over the devices."""
        return NamedSharding(self.mesh(), Spec("population"))

    def padded(self, tree: Any) -> Any:
        """A pytree with leading axis P as one with as many entries as there are `places`; those stay as they are."""
        place = np.minimum(np.arange(self.places), len(self) - 1)
        return jax.tree.map(lambda x: x if len(x) == len(place) else x[place], tree)

    def own(self, tree: Any) -> Any:
        """The members' part of a pytree that is padded, leading axis P; of all processes, where there are several."""
        return jax.tree.map(
            lambda x: x if len(x) == len(self) else x[: len(self)], jax.tree.map(_of_all_processes, tree)
        )

    def spread(self, function: Any, shared: int = 0, moves: bool = False) -> Any:
        """`function` of one member, vmapped over the population and spread over the devices.

        Args:
          function: (member's pytree, ..., shared arguments) -> pytree.
          shared: how many trailing arguments are the same for all members.
          moves: whether it gives (the first argument's next value, pytree), which then takes that one's place.

        Returns:
          A function of arguments that are padded or not; what it gives is, where the first of them is.
        """

        def of_all(*arguments: Any) -> Any:
            count = len(arguments) - shared
            own, same = arguments[:count], arguments[count:]
            padded = len(jax.tree.leaves(own[0])[0]) == self.places
            specs = (Spec("population"),) * count + (Spec(),) * shared
            split = jax.shard_map(
                self._in_blocks(function, shared, moves),
                mesh=self.mesh(),
                in_specs=specs,
                out_specs=Spec("population"),
                check_vma=False,
            )
            found = split(*self.padded(own), *same)
            return found if padded else jax.tree.map(lambda x: x[: len(self)], found)

        return of_all

    def _in_blocks(self, function: Any, shared: int, moves: bool) -> Any:
        """`function` of one member as one of all members of a device."""

        def of_device(*arguments: Any) -> Any:
            own, same = arguments[: len(arguments) - shared], arguments[len(arguments) - shared :]
            together = jax.vmap(lambda *one: function(*one, *same))
            in_turn = functools.partial(_in_turn, together, size=self.members_together, moves=moves)
            return (together if self.blocks_in_turn == 1 else in_turn)(*own)

        return of_device


def _in_turn(function: Any, *arguments: Any, size: int, moves: bool) -> Any:
    """`function` of the first `size` members, then of the next; `moves` as for `Population.spread`."""

    def turn(first: Any, start: jax.Array) -> tuple:
        block = jax.tree.map(lambda x: jax.lax.dynamic_slice_in_dim(x, start, size), (first, *arguments[1:]))
        found = function(*block)
        if not moves:
            return first, found
        moved = jax.tree.map(lambda x, new: jax.lax.dynamic_update_slice_in_dim(x, new, start, 0), first, found[0])
        return moved, found[1]  # written in place: no second replay

    starts = jnp.arange(0, len(jax.tree.leaves(arguments[0])[0]), size)
    first, found = jax.lax.scan(turn, arguments[0], starts)
    found = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), found)
    return (first, found) if moves else found


def make_population(
    algorithm: Algorithm,
    seeds: int | Sequence[int] = 1,
    first_seed: int = 0,
    hparams: Mapping[str, float | Sequence[float]] | None = None,
) -> Population:
    """Every seed with every combination of the hyper-parameters.

    Args:
      algorithm: names and defaults of the hyper-parameters.
      seeds: how many, counted from `first_seed`, or the seeds themselves.
      first_seed: see `seeds`.
      hparams: name -> value or values; names as in `algorithm.hparam_names()`.

    Raises:
      UsageError: no seeds or one that cannot be, no values or something that is no number, a seed or a value that is
        listed twice, an unknown name, or more members than can be trained together.
    """
    listed = check_seeds(seeds, first_seed)
    grid = {name: _values(name, values) for name, values in (hparams or {}).items()}
    check_members(len(listed) * math.prod(map(len, grid.values())))
    combinations = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
    for changes in combinations:
        set_hparams(algorithm, changes)  # refuses names and values that cannot be
    members = [(seed, changes) for changes in combinations for seed in listed]
    return Population(tuple(seed for seed, _ in members), tuple(changes for _, changes in members))


def _values(name: str, values: Any) -> list[float]:
    given = to_python(values)
    listed = list(given) if isinstance(given, Sequence) and not isinstance(given, str) else [given]
    if not listed:
        raise UsageError(f"hyper-parameter {name!r} has no values to try")
    for value in listed:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise UsageError(f"{name}={value!r} must be a number, or numbers to try")
    check_different(name, listed)
    return [float(value) for value in listed]


def _of_all_processes(array: Any) -> Any:
    """An array that this process can read: numpy's, where other processes hold a part of it."""
    if getattr(array, "is_fully_addressable", True):
        return array
    return multihost_utils.process_allgather(array, tiled=True)


def member_of(tree: Any, member: int) -> Any:
    """One member's part of a pytree with leading axis P."""
    return jax.tree.map(lambda x: x[member], tree)
