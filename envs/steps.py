"""What `reset` and `step` return: the time step of dm_env and jumanji, field for field, as a pytree.

It is not jumanji's own class, since importing that package touches a device and, in a notebook, changes how plots are
shown. `Environment.to_jumanji` gives a task that speaks in jumanji's own types.
"""

from __future__ import annotations

from typing import Any, Generic, NamedTuple, TypeVar

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np

Seen = TypeVar("Seen")


class Observation(NamedTuple):
    """What the team observes at one step; leading axes may stand before each of these."""

    agents_view: jax.Array  # [N, O] float32: what each agent sees
    action_mask: jax.Array  # [N, A] bool: which actions each agent may take
    global_state: jax.Array  # [S] float32: what the mixer or critic sees in training
    alive: jax.Array  # [N] bool: those that are not alive neither act, send nor receive
    step_count: jax.Array  # [] int32: steps taken since reset


class StepType:
    """Whether a step is the first, a middle or the last one of its episode."""

    FIRST = np.int8(0)
    MID = np.int8(1)
    LAST = np.int8(2)


@flax.struct.dataclass
class TimeStep(Generic[Seen]):
    """What `reset` and `step` return; leading axes may stand before each of these."""

    step_type: jax.Array  # [] int8, one of `StepType`
    reward: jax.Array  # [N] float32
    discount: jax.Array  # [] float32: 0 where the task itself ended, else 1
    observation: Seen
    extras: dict[str, Any] = flax.struct.field(default_factory=dict)  # facts that nobody observes, such as `won`

    def first(self) -> jax.Array:
        """[] bool: whether `reset` made it."""
        return self.step_type == StepType.FIRST

    def mid(self) -> jax.Array:
        """[] bool: whether the episode goes on before and after it."""
        return self.step_type == StepType.MID

    def last(self) -> jax.Array:
        """[] bool: whether it ends the episode."""
        return self.step_type == StepType.LAST


def restart(observation: Observation, extras: dict[str, jax.Array] | None = None) -> TimeStep[Observation]:
    """The first `TimeStep` of an episode: reward [N] zero, discount 1."""
    return TimeStep(
        step_type=jnp.asarray(StepType.FIRST),
        reward=jnp.zeros(observation.alive.shape, jnp.float32),
        discount=jnp.ones((), jnp.float32),
        observation=observation,
        extras=extras or {},
    )


def timestep(
    observation: Observation,
    reward: jax.Array,
    terminal: jax.Array,
    truncated: jax.Array | bool = False,
    extras: dict[str, jax.Array] | None = None,
) -> TimeStep[Observation]:
    """A later `TimeStep`.

    Args:
      observation: what is seen after the step.
      reward: [N], or [] for a reward that every agent gets.
      terminal: [] bool, the task itself ended: discount becomes 0.
      truncated: [] bool, a limit that is not part of the task cut the episode: discount stays 1.
      extras: further facts of the step, not observed; `won` ([] bool) is counted by evaluation.
    """
    terminal = jnp.asarray(terminal)
    return TimeStep(
        step_type=jnp.where(terminal | truncated, StepType.LAST, StepType.MID),
        reward=jnp.broadcast_to(jnp.asarray(reward, jnp.float32), observation.alive.shape),
        discount=1.0 - terminal.astype(jnp.float32),
        observation=observation,
        extras=extras or {},
    )
