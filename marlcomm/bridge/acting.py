"""The team at work on what simulators show: one compiled call a step, and memory that stays on the device."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from marlcomm.algorithms.algorithm import Algorithm
from marlcomm.envs.steps import Observation
from marlcomm.learners.collect import episode_keys
from marlcomm.learners.state import AgentMemory, Decision
from marlcomm.messages.edits import Edit
from marlcomm.training.drivers import Same
from marlcomm.training.host_driver import Acting
from marlcomm.types import Scalar, TaskSpec


class Team(NamedTuple):
    """A team for episodes that act together, before any step."""

    #: (params, seen, memory, decisions, keys, t, rows, exploration, edit) -> (action, memory, decisions)
    advance: Callable[..., tuple[jax.Array, AgentMemory, Decision]]
    memory: Callable[[], AgentMemory]  #: fresh, as the first step needs it
    decisions: Decision  #: [T, B, ...] none yet
    keys: jax.Array  #: [T, 2] of the steps


def make_team(
    algorithm: Algorithm, acting: Acting, params: Any, batch: int, key: jax.Array, exploration: Scalar
) -> Team:
    """A team that plays `batch` episodes with `key`, as `acting` acts."""
    spec, edit = algorithm.env.task_spec, acting.edit
    _, keys = episode_keys(key, spec.horizon)
    blank = _blank(Same(acting.act), Same(acting.memory), spec, batch)(params, edit, exploration)

    def memory() -> AgentMemory:
        return jax.device_put(acting.memory(batch), device())

    return Team(_advance(Same(acting.act), spec), memory, jax.device_put(blank, device()), keys)


def device() -> Any:
    """Where the team acts: what is put there by name at the first step is there at the others, in one program."""
    return jax.local_devices()[0]


@jax.jit
def of_episodes(decisions: Decision, valid: jax.Array) -> Decision:
    """Decisions [T, B, ...] -> [B, T, ...], zero but for the keys where `valid` [B, T] is not: who is over waits for
    the others, for longer or not, and what is made of nothing meanwhile is no part of the episode."""

    def own(x: jax.Array) -> jax.Array:
        x = jnp.moveaxis(x, 0, 1)
        return jnp.where(valid.reshape(valid.shape + (1,) * (x.ndim - 2)), x, jnp.zeros((), x.dtype))

    return jax.tree.map(own, decisions)._replace(key=jnp.moveaxis(decisions.key, 0, 1))


@functools.lru_cache(maxsize=16)
def _blank(act: Same, memory: Same, spec: TaskSpec, batch: int) -> Callable[..., Decision]:
    """(params, edit, exploration) -> decisions [T, B, ...], all zero; traced once."""

    def zeros(params: Any, edit: Edit | None, exploration: jax.Array) -> Decision:
        observation = _observation(spec, jnp.zeros(_seen_shape(spec, batch)), jnp.int32(0))
        key = jax.random.PRNGKey(0)
        decision = jax.eval_shape(act.value, params, observation, memory.value(batch), key, exploration, edit)[2]
        return jax.tree.map(lambda x: jnp.zeros((spec.horizon, *x.shape), x.dtype), decision)

    return jax.jit(zeros)


@functools.lru_cache(maxsize=16)
def _advance(act: Same, spec: TaskSpec) -> Callable[..., tuple[jax.Array, AgentMemory, Decision]]:
    """One step of the team, compiled; memory and decisions are given away."""

    def advance(
        params: Any,
        seen: jax.Array,
        memory: AgentMemory,
        decisions: Decision,
        keys: jax.Array,
        time: jax.Array,
        rows: jax.Array,
        exploration: jax.Array,
        edit: Edit | None,
    ) -> tuple[jax.Array, AgentMemory, Decision]:
        observation = _observation(spec, seen, time)
        action, memory, decision = act.value(params, observation, memory, keys[time], exploration, edit)

        def kept(before: jax.Array, now: jax.Array) -> jax.Array:
            mine = rows.reshape(rows.shape + (1,) * (now.ndim - 1))
            return before.at[time].set(jnp.where(mine, now, before[time]))

        after = jax.tree.map(kept, decisions, decision)
        # the key is that of all who act together, whoever of them plays now
        return action, memory, after._replace(key=decisions.key.at[time].set(decision.key))

    return jax.jit(advance, donate_argnums=(2, 3))


def _seen_shape(spec: TaskSpec, batch: int) -> tuple[int, ...]:
    return (batch, spec.num_agents, spec.observation_size + spec.num_actions + 1)


def _observation(spec: TaskSpec, seen: jax.Array, time: jax.Array) -> Observation:
    """What `Rows.seen` holds of a step; the state is nobody's business who acts."""
    o, batch = spec.observation_size, seen.shape[0]
    return Observation(
        agents_view=seen[..., :o],
        action_mask=seen[..., o:-1] > 0,
        global_state=jnp.zeros((batch, spec.state_size)),
        alive=seen[..., -1] > 0,
        step_count=jnp.full(batch, time, jnp.int32),
    )
