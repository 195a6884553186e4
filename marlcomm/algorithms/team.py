"""The agent that a channel makes for a task, the same for every learner."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from marlcomm.agents import CommunicatingAgent
from marlcomm.envs.api import Environment
from marlcomm.learners.base import agent_inputs
from marlcomm.messages import Channel, SilentChannel


def communicating_agent(
    env: Environment, settings: Any, channel: Channel | None, hidden: int, delay: int, bandwidth: int
) -> CommunicatingAgent:
    """The default agent for a task, with the channel's sizes filled in.

    Args:
      env: the task.
      settings: the learner's: with the flags `last_action` and `agent_id`.
      channel: how agents talk; None for silence. The task's graph is its own where it has none.
      hidden: H.
      delay, bandwidth: those of the channel, where they are not 0.

    Raises:
      ValueError: a size below 1, a delay or bandwidth below 0, or what is no channel.
    """
    if hidden < 1:
        raise ValueError(f"hidden is {hidden}: must be at least 1")
    channel = SilentChannel() if channel is None else channel
    if not isinstance(channel, Channel):
        raise ValueError(f"channel is {channel!r}: must be a channel, such as MeanChannel()")
    n, size = env.num_agents, env.observation_size
    view, no_action = jax.ShapeDtypeStruct((n, size), jnp.float32), jax.ShapeDtypeStruct((n,), jnp.int32)
    inputs = jax.eval_shape(lambda *x: agent_inputs(env.task_spec, settings, *x), view, no_action)
    channel = channel.clone(
        num_agents=n,
        num_actions=env.num_actions,
        input_size=inputs.shape[-1],
        graph=env.graph if channel.graph is None else channel.graph,
        delay=min(delay or channel.delay, env.horizon + 1),  # what takes longer never arrives
        bandwidth=bandwidth or channel.bandwidth,
    )
    return CommunicatingAgent(channel, env.num_actions, hidden)
