"""What a simulator says is looked at before it is passed on: shapes, numbers, masks."""

from __future__ import annotations

from typing import Any

import numpy as np

from marlcomm.bridge.simulator import Observed, SimulatorFault, SimulatorSpec

SHAPE, NOT_FINITE, MASK = "wrong shape", "not finite", "wrong mask"  # causes


def numbers(name: str, given: Any, shape: tuple[int, ...]) -> np.ndarray:
    """`given` as float32. Raises SimulatorFault for another shape, and for what is no finite number."""
    try:
        array = np.asarray(given, np.float32)
    except (TypeError, ValueError) as error:
        raise SimulatorFault(SHAPE, f"{name} is no array of numbers of shape {shape}: {error}") from error
    if array.shape != shape:
        raise SimulatorFault(SHAPE, f"{name} has shape {array.shape}: must be {shape}")
    if not np.isfinite(array).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise SimulatorFault(NOT_FINITE, f"{name}{list(where)} is {array[where]}")
    return array


def flags(name: str, given: Any, shape: tuple[int, ...]) -> np.ndarray:
    """`given` as bool, all True where it is None. Raises SimulatorFault for another shape."""
    if given is None:
        return np.ones(shape, bool)
    try:
        array = np.asarray(given).astype(bool)
    except (TypeError, ValueError) as error:
        raise SimulatorFault(SHAPE, f"{name} is no array of flags of shape {shape}: {error}") from error
    if array.shape != shape:
        raise SimulatorFault(SHAPE, f"{name} has shape {array.shape}: must be {shape}")
    return array


def checked(spec: SimulatorSpec, observed: Any) -> Observed:
    """An observation of the right types and shapes, in which whoever is alive has something to do.

    Raises:
      SimulatorFault: it is none.
    """
    if not isinstance(observed, tuple) or len(observed) != len(Observed._fields):
        raise SimulatorFault(SHAPE, f"reset and step must give Observed(...), not {type(observed).__name__}")
    view, state, mask, alive = observed
    n, a = spec.num_agents, spec.num_actions
    now = Observed(
        numbers("agents_view", view, (n, spec.observation_size)),
        numbers("global_state", state, (spec.state_size,)),
        flags("action_mask", mask, (n, a)),
        flags("alive", alive, (n,)),
    )
    idle = np.asarray(now.alive) & ~np.asarray(now.action_mask).any(-1)
    if idle.any() and not spec.continuous:
        raise SimulatorFault(MASK, f"agent {int(idle.argmax())} is alive, and action_mask allows it nothing")
    return now


def rewards(spec: SimulatorSpec, given: Any) -> np.ndarray:
    """[N] the reward of each agent; that of a team is everybody's. Raises SimulatorFault as `numbers`."""
    shape = np.shape(given)
    return numbers("reward", np.full(spec.num_agents, given) if shape == () else given, (spec.num_agents,))
