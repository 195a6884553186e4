"""What a worker process runs: a simulator, its sizes, and what it says at reset and at every step.

A worker makes its simulator by a function `make(name, **options) -> Simulator`, which `marlcomm.names.SIMULATORS` names
for each scheme: for `sc2:MMM` the function at `sc2`, called with the name `MMM`.

Letters of axes as in `marlcomm.types`: N agents, A actions, O observation features, S state features.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np


@dataclass(frozen=True)
class SimulatorSpec:
    """Sizes of a simulator: known before its first reset, and the same ever after.

    Attributes:
      num_agents: N.
      num_actions: A, choices of each agent; if continuous, numbers that make up its action.
      observation_size: O, features of each agent's view.
      state_size: S, features of the global state.
      horizon: T, the most steps of an episode: one that lasts longer is cut there, which is a truncation.
      continuous: whether an action is A numbers in -1 .. 1, in place of one of A choices.
      reports_won: whether `Outcome.won` means something.
      action_names: one short word an action, for pictures; may be empty.
    """

    num_agents: int
    num_actions: int
    observation_size: int
    state_size: int
    horizon: int
    continuous: bool = False
    reports_won: bool = False
    action_names: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> SimulatorSpec:
        """A spec as JSON brought it, which knows no tuples; `dataclasses.asdict` makes what it can bring."""
        fields: dict[str, Any] = {name: tuple(it) if isinstance(it, list) else it for name, it in said.items()}
        return cls(**fields)


class Observed(NamedTuple):
    """What the team observes between two steps. What it is written into is float32 and bool; all of it is copied."""

    agents_view: np.ndarray  #: [N, O] finite numbers: what each agent sees
    global_state: np.ndarray  #: [S] finite numbers: what mixers and critics see in training
    action_mask: np.ndarray | None = None  #: [N, A] which actions each agent may take, at least one each; None for all
    alive: np.ndarray | None = None  #: [N] those that are not alive neither act, send nor receive; None for everybody


class Outcome(NamedTuple):
    """What a step led to."""

    observed: Observed  #: after the step, also where that ended the episode
    reward: Any  #: [] of the team, or [N] of each agent; finite
    terminated: bool = False  #: the task itself ended: nothing is bootstrapped from here
    truncated: bool = False  #: a limit that is no part of the task cut the episode: the last value is bootstrapped
    won: bool = False  #: the team has won; stays true for the episode once it was


class SimulatorFault(Exception):
    """The simulator is not what it was: it died, began anew unasked, or says what cannot be.

    Raised from a simulator's methods, it loses the episode, which is then counted under `cause` and never taken for an
    end, a win or a return; the process is replaced by a new one. Any other exception does the same, as a "crash".
    """

    def __init__(self, cause: str, message: str = "") -> None:
        """Args: one or two words that losses are counted under, such as "restart"; and what happened."""
        super().__init__(message or cause)
        self.cause = cause


@runtime_checkable
class Simulator(Protocol):
    """A simulator as a worker runs it. Made anew, with its process, after every fault and every so many episodes.

    Its module must not import jax, and may be imported by another interpreter than the learner's, in which only numpy
    and the simulator itself are installed: of this package it imports `marlcomm.bridge.simulator` alone, or what needs
    no more.
    """

    @property
    def spec(self) -> SimulatorSpec:
        """Its sizes. What takes long, such as starting a game, waits for the first `reset`."""
        ...

    def reset(self, seed: int) -> Observed:
        """Starts an episode, after any other, over or not.

        Args:
          seed: 0 .. 2^31 - 1, decides the episode as far as the simulator can be seeded.
        """
        ...

    def step(self, actions: np.ndarray) -> Outcome:
        """Moves on by one step.

        Args:
          actions: [N] int32, each allowed by the last `action_mask` (0 for an agent to whom nothing is allowed); if
            continuous, [N, A] float32 in -1 .. 1. Not to be kept or changed.
        """
        ...

    def close(self) -> None:
        """Frees what it holds; called once, before the process ends, if that is still possible."""
        ...
