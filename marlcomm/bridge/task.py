"""The task that stands for a simulator outside JAX, wherever an environment goes."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

import jax

from marlcomm.bridge.driver import BridgeDriver
from marlcomm.bridge.launch import Recipe, describe
from marlcomm.bridge.pool import Limits
from marlcomm.envs.api import Environment
from marlcomm.names import SIMULATORS
from marlcomm.validation import UsageError, check_above_zero, check_choice, check_count

RAY = "ray"
OWN = "marlcomm.bridge.adapters.own:make"


class BridgeTask(Environment[Any]):
    """A task that worker processes play; see `bridge`.

    Attributes:
      recipe: how a worker makes its simulator.
      See `Environment` for the others.
    """

    def __init__(
        self,
        recipe: Recipe,
        workers: int = 0,
        limits: Limits | None = None,
        engine: str = "",
        address: str | None = None,
        policy_lag: int = 0,
    ) -> None:
        """Asks a process of its own for the simulator's sizes.

        Args:
          recipe: how to make the simulator.
          workers: processes, each with one; 0 for one a core, up to 8.
          limits: when a worker counts as failed.
          engine, address: where workers are; see `bridge`.
          policy_lag: see `Environment`.

        Raises:
          UsageError: the simulator cannot be made.
        """
        self._limits = limits or Limits()
        self._workers, self.recipe, self.policy_lag = workers, recipe, policy_lag
        self._engine, self._address = engine, address
        self._spec = spec = describe(recipe, self._limits.start_seconds)
        self.num_agents, self.num_actions, self.horizon = spec.num_agents, spec.num_actions, spec.horizon
        self.observation_size, self.state_size = spec.observation_size, spec.state_size
        self.continuous, self.action_names = spec.continuous, spec.action_names
        super().__init__()

    @functools.cached_property
    def reports_won(self) -> bool:
        """Whether the simulator knows winning."""
        return self._spec.reports_won

    @functools.cached_property
    def driver(self) -> BridgeDriver:
        """Who plays; workers start with the first episodes."""
        if self._engine == RAY:
            from marlcomm.bridge.ray_driver import RayDriver

            return RayDriver(self.recipe, self._spec, self._workers, self._limits, self._address)
        return BridgeDriver(self.recipe, self._spec, self._workers, self._limits)

    def __getstate__(self) -> dict[str, Any]:
        """Of the task alone: where it is sent to, others play it."""
        return {name: value for name, value in vars(self).items() if name != "driver"}

    def close(self) -> None:
        """Ends the workers. The next episodes start new ones."""
        self.driver.close()

    def reset(self, key: Any) -> Any:
        """Raises UsageError: worker processes play, not a program in JAX."""
        raise UsageError(f"{self!r} is played by worker processes: ask for episodes, such as by mc.record_episodes")

    def step(self, state: Any, action: jax.Array) -> Any:
        """Raises UsageError, as `reset`."""
        return self.reset(None)


def bridge(
    simulator: str | Callable[..., Any],
    *,
    map_name: str | None = None,
    workers: int = 0,
    python: str = "",
    start_seconds: float = 180.0,
    reset_seconds: float = 180.0,
    step_seconds: float = 60.0,
    failures: int = 8,
    min_workers: int = 1,
    recycle: int = 0,
    policy_lag: int = 0,
    imports: tuple[str, ...] = (),
    engine: str = "",
    address: str | None = None,
    **options: Any,
) -> BridgeTask:
    """A simulator outside JAX as a task: worker processes play it, and the team acts in this one.

    Args:
      simulator: `gymnasium:NAME`, `pettingzoo:MODULE` or another of `marlcomm.names.SIMULATORS`; `module:function` or
        `file.py:function`, or such a function, for one of your own.
      map_name: what stands behind the colon, where it is not written there: bridge("smac", map_name="MMM").
      workers: processes, each with one simulator; 0 for one a core, up to 8.
      python: another interpreter for them, in which the simulator is installed; by default this one.
      start_seconds, reset_seconds, step_seconds: how long each may take before a worker counts as failed.
      failures: of a worker in a row, without an episode between them, after which it is given up; others go on.
      min_workers: the run stops where fewer are left, with all that was learned saved.
      recycle: episodes after which a worker is replaced in good health, against what leaks; 0 for never.
      policy_lag: 1 to play the next episodes while the learner learns: by policy and exploration of one training step
        before. Learning from replay allows it. It is another run than with 0, as reproducible, and faster where
        learning takes long.
      imports: modules that workers import first, such as those that register environments.
      engine: where workers are: "" on this machine; "ray" on every node of a Ray cluster that has cores to lend, so
        many on each. See `marlcomm.bridge.ray_driver.RayDriver`.
      address: of the cluster; None for whichever there is, see `marlcomm.devices.connect_to_ray`.
      **options: of the simulator; `horizon` for those that have no limit of steps themselves.

    Raises:
      UsageError: no such simulator, one that cannot be made (with its own words), or a limit out of its range.
    """
    name = name_of(simulator, map_name)
    limits = Limits(
        start_seconds=check_above_zero("start_seconds", start_seconds),
        reset_seconds=check_above_zero("reset_seconds", reset_seconds),
        step_seconds=check_above_zero("step_seconds", step_seconds),
        failures=check_count("failures", failures),
        min_workers=check_count("min_workers", min_workers),
        recycle=check_count("recycle", recycle, 0),
    )
    workers, policy_lag = check_count("workers", workers, 0), check_count("policy_lag", policy_lag, 0, 1)
    if workers and min_workers > workers:
        raise UsageError(f"min_workers={min_workers}: must be at most workers={workers}.")
    place, what = _found(name)
    if engine:
        check_choice("engine", engine, (RAY,))
    recipe = Recipe(place, what, _plain(options), python, tuple(imports))
    return BridgeTask(recipe, workers, limits, engine, address, policy_lag)


def name_of(simulator: str | Callable[..., Any], map_name: str | None = None) -> str:
    """What `make_env` calls a simulator. Raises UsageError where workers could not import it."""
    name = simulator if isinstance(simulator, str) else _place_of(simulator)
    return name if map_name is None else f"{name}:{map_name}"


def _found(name: str) -> tuple[str, str]:
    """Where workers find what makes the simulator, and what it is to make."""
    SIMULATORS.check(name)
    scheme, _, what = name.partition(":")
    return (SIMULATORS.place(scheme), what) if scheme in SIMULATORS.schemes() else (OWN, name)


def _place_of(function: Callable[..., Any]) -> str:
    """`module:function` of a function that a worker can import, or that of its file.

    Raises:
      UsageError: it can be found in neither.
    """
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", "")
    if module and name.isidentifier():
        if module != "__main__":
            return f"{module}:{name}"
        if file := getattr(sys.modules["__main__"], "__file__", None):
            return f"{os.path.abspath(file)}:{name}"
    raise UsageError(
        f"{function!r}: workers import what makes the simulator, so that it must be a function or class of a module or "
        "a file: write it to one, such as my_simulator.py, and give 'my_simulator:make'"
    )


def _plain(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options that JSON can hold. Raises UsageError for others."""
    for name, value in options.items():
        if not isinstance(value, bool | int | float | str | list | tuple | dict | None):
            raise UsageError(f"{name}={value!r}: workers are told numbers, words, flags and lists of them, no objects.")
    return dict(options)
