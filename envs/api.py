"""The interface of tasks: jumanji's `Environment`, with one multi-agent observation for all.

Axis letters as in `marlcomm.types`: N agents, A actions, O observation features, S state features.
"""

from __future__ import annotations

import abc
import inspect
import reprlib
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

import chex
import jax
import jax.numpy as jnp
import numpy as np

from marlcomm.envs.steps import Observation, TimeStep
from marlcomm.types import Dtypes, TaskSpec
from marlcomm.validation import UsageError

if TYPE_CHECKING:
    from jumanji import specs

    from marlcomm.envs.jumanji_view import JumanjiView

State = TypeVar("State")

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 100
_SHORT.maxlevel = 2
_SHORT.maxlist = _SHORT.maxtuple = 8


class BestReturns(NamedTuple):
    """Exact expected returns between which what is said makes a difference; undiscounted, mean over agents."""

    silent: float  #: the best team of which nobody is told anything, and everybody remembers all that it saw
    informed: float  #: the best team of which everybody knows all that anybody saw


KEPT_AS = ("bool", "uint8", "int8", "uint16", "int16", "float32")  # types that features may be declared to have
SIZES = ("num_agents", "num_actions", "observation_size", "state_size", "horizon")


class Environment(abc.ABC, Generic[State]):
    """Base class of every task: cooperative, discrete or continuous actions, a finite horizon.

    A task names its sizes as attributes *before* calling `super().__init__()`, and writes `reset` and `step`
    with the help of `self.observe(...)` and `timestep(...)`; the specs follow from the sizes.

    Attributes:
      num_agents: N, number of agents.
      num_actions: A, number of actions of each agent; if continuous, of the numbers that make up its action.
      observation_size: O, features in each agent's view.
      state_size: S, features in the global state.
      horizon: T, the most steps an episode can last, at least 1.
      continuous: an action is A numbers, each in -1 .. 1, in place of one of A choices; `action_mask` then says
        which of the numbers count.
      view_dtype: the smallest type that holds every number of `agents_view` exactly, such as `bool` for zeros and
        ones: one for all features, or one for each of O; replay keeps views in it, agents always see float32. One of
        bool, uint8, int8, uint16, int16, float32.
      state_dtype: the same of `global_state`.
      action_names: one short word an action, for pictures; may be empty.
      graph: [N, N] bool, sender first: who can reach whom, where the task says; None for everybody. Channels without a
        graph of their own take it.
      default_steps: environment steps that training takes where nobody says otherwise.
      training_settings: name of a learner or channel, or several joined by "+" -> settings, by their full names, that
        algorithms with all of these take on this task where nobody says otherwise; with `paper=True` they do not.
      driver: who plays the task where a simulator outside JAX does, a `training.drivers.Driver`; None for tasks that
        are written in JAX. As a cached property it stays out of the records of runs.
      policy_lag: training steps by which the policy that plays in training is behind the one that learns, 0 or 1: with
        1 its driver plays the next episodes while the learner learns.
      made_by: name and options in the registry, where `make_env` made it of what can be recorded; None
        for an environment made by hand, or of objects.
    """

    num_agents: int
    num_actions: int
    observation_size: int
    state_size: int
    horizon: int
    continuous: bool = False
    view_dtype: Any = np.float32
    state_dtype: Any = np.float32
    action_names: tuple[str, ...] = ()
    graph: np.ndarray | None = None
    default_steps: int = 1_000_000
    training_settings: Mapping[str, Mapping[str, Any]] = {}
    driver: Any = None
    policy_lag: int = 0
    made_by: tuple[str, dict[str, Any]] | None = None

    def __init__(self) -> None:
        """Looks whether the sizes are named. Raises AttributeError for the first that is not."""
        for size in SIZES:
            if not hasattr(self, size):
                raise AttributeError(
                    f"{type(self).__name__} has no {size}: a task names {', '.join(SIZES)} before super().__init__()."
                )

    def __repr__(self) -> str:
        """As a call: the name and options that made it, or its class and what is unlike the defaults."""
        name, options = self.made_by or (type(self).__name__, {})
        return f"{name}({', '.join(f'{key}={_SHORT.repr(value)}' for key, value in self._shown(options).items())})"

    def _shown(self, given: dict[str, Any]) -> dict[str, Any]:
        """Options for `repr`: those given, and of the class's own the first, as what tells most, and changed ones."""
        if self.made_by and given:
            return given
        parameters = list(inspect.signature(type(self)).parameters.values())
        kept = {each.name: getattr(self, each.name) for each in parameters if hasattr(self, each.name)}
        if self.made_by:  # with no option given
            first = parameters[0].name if parameters else ""
            return {first: kept[first]} if isinstance(kept.get(first), int | float | str | tuple) else {}
        changed = {each.name for each in parameters if repr(kept.get(each.name)) != repr(each.default)}
        return {name: value for name, value in kept.items() if name in changed}

    @abc.abstractmethod
    def reset(self, key: chex.PRNGKey) -> tuple[State, TimeStep[Observation]]:
        """Starts an episode. `key` alone decides it."""

    def reset_at(self, key: chex.PRNGKey, progress: jax.Array | float) -> tuple[State, TimeStep[Observation]]:
        """Starts an episode of training, `progress` of the way through the run ([], 0 .. 1, may be traced).

        A task with a curriculum is easier early on; by default every episode starts as `reset` says.
        """
        del progress
        return self.reset(key)

    @abc.abstractmethod
    def step(self, state: State, action: jax.Array) -> tuple[State, TimeStep[Observation]]:
        """Moves on by one step. `action` is [N] int32, each in 0 .. A-1; if continuous, [N, A] float32."""

    def observe(
        self,
        agents_view: jax.Array,
        global_state: jax.Array,
        step_count: jax.Array,
        action_mask: jax.Array | None = None,
        alive: jax.Array | None = None,
    ) -> Observation:
        """An `Observation` with the right types; by default every action is allowed and all agents are alive.

        Args:
          agents_view: [N, O]; global_state: [S]; step_count: [];
          action_mask: [N, A] or None; alive: [N] or None.
        """
        return Observation(
            agents_view=jnp.asarray(agents_view, jnp.float32),
            action_mask=_true_unless_given(action_mask, (self.num_agents, self.num_actions)),
            global_state=jnp.asarray(global_state, jnp.float32),
            alive=_true_unless_given(alive, (self.num_agents,)),
            step_count=jnp.asarray(step_count, jnp.int32),
        )

    @property
    def unwrapped(self) -> Any:
        """The task inside all wrappers: itself, where there are none."""
        return self

    @property
    def task_spec(self) -> TaskSpec:
        """The task's sizes: all that a learner needs to know of it."""
        rows = None if self.graph is None else np.asarray(self.graph, bool).tolist()
        return TaskSpec(
            **{size: getattr(self, size) for size in SIZES},
            continuous=self.continuous,
            graph=None if rows is None else tuple(map(tuple, rows)),
            view_dtype=_dtypes("view_dtype", self.view_dtype, self.observation_size),
            state_dtype=_dtypes("state_dtype", self.state_dtype, self.state_size),
        )

    @property
    def action_shape(self) -> tuple[int, ...]:
        """Of what `step` takes: (N,), or (N, A) if continuous."""
        return self.task_spec.action_shape

    @property
    def action_dtype(self) -> np.dtype:
        """Of what `step` takes: int32, or float32 if continuous."""
        return self.task_spec.action_dtype

    @cached_property
    def reports_won(self) -> bool:
        """Whether the task knows winning, and reports it as `won`.

        What a `driver` plays does, unless the task says `reports_won = False`: its `reset` need not be one of JAX.
        """
        if self.driver is not None:
            return True
        _, first = jax.eval_shape(self.reset, jax.random.PRNGKey(0))
        return "won" in first.extras

    def best_returns(self) -> BestReturns | None:
        """What the best silent team and the best fully informed team get, where that is known exactly; None elsewhere.

        The scale on which `marlcomm.frontier` puts returns: 0 for the one, 1 for the other.
        """
        return None

    def to_jumanji(self) -> JumanjiView:
        """This task as an instance of `jumanji.env.Environment`, with jumanji's time steps, for jumanji's wrappers."""
        from marlcomm.envs.jumanji_view import JumanjiView

        return JumanjiView(self)

    @cached_property
    def observation_spec(self) -> specs.Spec[Observation]:
        """The shapes, types and ranges of an `Observation`, as jumanji writes them."""
        from marlcomm.envs import jumanji_view

        return jumanji_view.observation_spec(self.task_spec)

    @cached_property
    def action_spec(self) -> specs.MultiDiscreteArray | specs.BoundedArray:
        """[N] int32, each below A; if continuous, [N, A] float32, each in -1 .. 1; as jumanji writes it."""
        from marlcomm.envs import jumanji_view

        return jumanji_view.action_spec(self.task_spec)

    @cached_property
    def reward_spec(self) -> specs.Array:
        """[N] float32: each agent's reward; the team's reward is the mean over agents."""
        from marlcomm.envs import jumanji_view

        return jumanji_view.reward_spec(self.task_spec)

    @cached_property
    def discount_spec(self) -> specs.BoundedArray:
        """[] float32: 0 where the task itself ended, else 1, also where a time limit cut the episode."""
        from marlcomm.envs import jumanji_view

        return jumanji_view.discount_spec()

    def draw(self, axes: Any, state: State) -> None:
        """Draws `state` on matplotlib `axes`. A task without a picture may leave this out."""
        axes.text(0.5, 0.5, f"{type(self).__name__} has no drawing", ha="center", va="center")
        axes.set_axis_off()


def _dtypes(field: str, given: Any, size: int) -> Dtypes:
    """The name of a type, or of one for each of `size` features. Raises UsageError for what is no such thing."""
    each = isinstance(given, list | tuple)
    try:
        names = tuple(np.dtype(dtype).name for dtype in (given if each else (given,)))
    except TypeError:
        names = ()
    if not names or (each and len(names) != size) or not set(names) <= set(KEPT_AS):
        raise UsageError(f"{field}={given!r}: must be one of {', '.join(KEPT_AS)}, or {size} of them, one a feature")
    return names if each else names[0]


def _true_unless_given(value: jax.Array | None, shape: tuple[int, ...]) -> jax.Array:
    return jnp.ones(shape, bool) if value is None else jnp.asarray(value, bool)
