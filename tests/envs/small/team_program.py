"""The best team of deterministic policies as an integer program, which a solver proves optimal."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array


class TeamProgram:
    """Collects variables and linear constraints; `best` is the greatest total that they allow."""

    def __init__(self) -> None:
        self._worth: list[float] = []
        self._most: list[float] = []
        self._entries: list[tuple[float, int, int]] = []  # factor, constraint, variable
        self._bounds: list[float] = []

    def variable(self, worth: float = 0.0, most: float = 1.0) -> int:
        """A new whole number in 0 .. `most`, which adds `worth` times itself to the total."""
        self._worth.append(worth)
        self._most.append(most)
        return len(self._worth) - 1

    def at_most(self, bound: float, *terms: tuple[float, Iterable[int]]) -> None:
        """Demands that the sum of factor * (sum of variables) over the terms is at most `bound`."""
        for factor, variables in terms:
            self._entries.extend((factor, len(self._bounds), variable) for variable in variables)
        self._bounds.append(bound)

    def one_of(self, count: int) -> list[int]:
        """A decision between `count` choices: variables of which at most one is 1."""
        choices = [self.variable() for _ in range(count)]
        self.at_most(1, (1, choices))
        return choices

    def best(self) -> float:
        """The greatest total."""
        factors, rows, columns = zip(*self._entries, strict=True)
        shape = (len(self._bounds), len(self._worth))
        matrix = coo_array((factors, (rows, columns)), shape=shape).tocsr()
        found = milp(
            c=-np.array(self._worth),
            constraints=LinearConstraint(matrix, ub=np.array(self._bounds)),  # pyright: ignore[reportArgumentType]
            integrality=np.ones(len(self._worth)),
            bounds=Bounds(0, np.array(self._most)),  # pyright: ignore[reportArgumentType]
        )
        assert found.status == 0, found.message
        return -found.fun
