"""A population: seeds x hyper-parameters, trained as one vmapped program."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as Spec

from marlcomm.algorithms.algorithm import Algorithm, set_hparams
from marlcomm.learners.state import LearnerState
from marlcomm.short_repr import html_table
from marlcomm.training.interrupt import interruptibly
from marlcomm.training.memory import compute
from marlcomm.validation import UsageError, check_members, check_seeds, to_python

MEASURED = {"env_steps": "steps", "test_return": "return", "test_won": "won", "test_bits_per_step": "bits a step"}


@dataclass(frozen=True)
class Population:
    """Who is trained.

    Attributes:
      seeds: one integer a member; it alone decides the member's run.
      changes: one mapping a member: the hyper-parameters in which it differs from the algorithm's own.
    """

    seeds: tuple[int, ...]
    changes: tuple[Mapping[str, float], ...]

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
        """Every member's first state, leading axis P, spread over the devices.

        Raises:
          ValueError: it does not fit into memory.
        """
        place = NamedSharding(self.mesh(), Spec("population"))
        # runs once: not worth the compiler's best effort
        options = {"xla_backend_optimization_level": 0}
        init = jax.jit(jax.vmap(algorithm.init), out_shardings=place, compiler_options=options)
        starts = self._starts(algorithm)
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

    def mesh(self) -> Mesh:
        """The devices that share the population: the most that divide it evenly."""
        devices = jax.devices()
        count = max(n for n in range(1, len(devices) + 1) if len(self) % n == 0)
        return Mesh(np.asarray(devices[:count]), ("population",))

    def spread(self, function: Any, shared: int = 0) -> Any:
        """`function` of one member, vmapped over the population and spread over the devices.

        Args:
          function: (member's pytree, ..., shared arguments) -> pytree.
          shared: how many trailing arguments are the same for all members.
        """

        def of_all(*arguments: Any) -> Any:
            own = len(arguments) - shared
            axes = (0,) * own + (None,) * shared
            specs = (Spec("population"),) * own + (Spec(),) * shared
            mapped = jax.vmap(function, in_axes=axes)
            split = jax.shard_map(
                mapped, mesh=self.mesh(), in_specs=specs, out_specs=Spec("population"), check_vma=False
            )
            return split(*arguments)

        return of_all


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
      UsageError: no seeds or one that cannot be, no values or something that is no number, an unknown name, or more
        members than can be trained together.
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
    return [float(value) for value in listed]


def member_of(tree: Any, member: int) -> Any:
    """One member's part of a pytree with leading axis P."""
    return jax.tree.map(lambda x: x[member], tree)
