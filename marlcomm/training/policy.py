"""A trained team, ready to act."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import numpy as np

from marlcomm.algorithms.algorithm import Algorithm
from marlcomm.envs.api import Observation
from marlcomm.learners.state import AgentMemory, Decision
from marlcomm.messages.edits import Edit
from marlcomm.messages.edits.edit import as_pytree
from marlcomm.training.population import Population, member_of


@dataclass(frozen=True)
class Policy:
    """A trained team, ready to act.

    Attributes:
      algorithm: task and networks.
      params: one member's parameters.
    """

    algorithm: Algorithm
    params: Any

    def __repr__(self) -> str:
        count = sum(leaf.size for leaf in jax.tree.leaves(self.params))
        return f"Policy({self.algorithm!r}, {count:,} parameters)"

    def initial_memory(self, *batch: int) -> AgentMemory:
        """Memory at the start of an episode, with leading axes `batch`."""
        return self.algorithm.learner.initial_memory(*batch)

    def act(
        self, observation: Observation, memory: AgentMemory, key: jax.Array, edit: Edit | None = None
    ) -> tuple[jax.Array, AgentMemory, Decision]:
        """Greedy actions [..., N], the memory after this step, and the values and messages behind the actions."""
        return self._act(self.params, observation, memory, key, edit=None if edit is None else as_pytree(edit))

    @cached_property
    def _act(self) -> Any:
        return jax.jit(self.algorithm.act)


def policy_of(algorithm: Algorithm, population: Population, params: Any, member: int) -> Policy:
    """One member of a population as a policy; `params` has the leading axis P.

    Raises:
      ValueError: there is no such member.
    """
    if not 0 <= member < len(population):
        raise ValueError(f"member {member} does not exist: the run has 0 .. {len(population) - 1}")
    return Policy(algorithm, member_of(params, member))


def best_member(metrics: Mapping[str, np.ndarray], members: int) -> int:
    """The member with the highest return in its last evaluation; the first where nobody was evaluated.

    Args:
      metrics: name -> [time, P]; evaluations are in `test_return`, NaN between them.
      members: P.
    """
    returns = metrics.get("test_return", np.full((1, members), np.nan))
    last = [next(iter(own[np.isfinite(own)][::-1]), -np.inf) for own in returns.T]
    return int(np.argmax(last))
