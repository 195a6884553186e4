"""The agent that a channel makes for a task, the same for every learner."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from marlcomm.agents import CommunicatingAgent
from marlcomm.envs.api import Environment
from marlcomm.learners.base import agent_inputs
from marlcomm.messages import Channel
from marlcomm.messages.contract import check_shapes
from marlcomm.validation import UsageError


def communicating_agent(
    env: Environment, config: Any, channel: Channel, options: Mapping[str, Any]
) -> CommunicatingAgent:
    """The default agent for a task, with the channel's sizes filled in.

    Args:
      env: the task.
      config: the learner's: with the flags `last_action` and `agent_id`.
      channel: how agents talk. The task's graph is its own where it has none.
      options: with `hidden`, H; and `delay` and `bandwidth`, those of the channel where they are not 0.

    Raises:
      UsageError: a size below 1, a delay or bandwidth below 0, what is no channel, or one that gives wrong shapes.
    """
    if options["hidden"] < 1:
        raise UsageError(f"hidden is {options['hidden']}: must be at least 1")
    if not isinstance(channel, Channel):
        raise UsageError(f"channel is {channel!r}: must be a channel, such as 'mean' or MeanChannel()")
    n, size = env.num_agents, env.observation_size
    view, no_action = jax.ShapeDtypeStruct((n, size), jnp.float32), jax.ShapeDtypeStruct((n,), jnp.int32)
    inputs = jax.eval_shape(lambda *x: agent_inputs(env.task_spec, config, *x), view, no_action)
    channel = channel.clone(
        num_agents=n,
        num_actions=env.num_actions,
        input_size=inputs.shape[-1],
        state_size=env.state_size,
        graph=env.graph if channel.graph is None else channel.graph,
        delay=min(options["delay"] or channel.delay, env.horizon + 1),  # what takes longer never arrives
        bandwidth=options["bandwidth"] or channel.bandwidth,
    )
    if not type(channel).__module__.startswith("marlcomm."):  # one of the user's: ours are tested
        check_shapes(channel)
    return CommunicatingAgent(channel, env.num_actions, options["hidden"])
