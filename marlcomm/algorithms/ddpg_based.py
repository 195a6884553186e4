"""Builds an algorithm of the off-policy actor-critic learner from a channel, critics and losses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marlcomm.agents import CommunicatingAgent, FeedForwardAgent
from marlcomm.algorithms.algorithm import Algorithm, assemble, static_and_traced
from marlcomm.algorithms.arguments import check_losses, check_module, checked
from marlcomm.algorithms.optimizers import Optimizer, as_function
from marlcomm.algorithms.team import communicating_agent
from marlcomm.envs.api import Environment
from marlcomm.learners.actor_critic import ActorCriticLearner
from marlcomm.learners.actor_critic_config import ActorCriticConfig, ActorCriticHParams
from marlcomm.learners.update import Loss
from marlcomm.losses import actor_loss, critic_loss, saturation_loss
from marlcomm.messages import Channel, Edit
from marlcomm.networks import ActionCritic


@checked
def ddpg_based(
    name: str,
    env: Environment,
    *,
    channel: Channel | None = None,
    agent: Any = None,
    critic: Any = None,
    hidden: int = 64,
    layers: int = 3,
    recurrent: bool = False,
    separate_actors: bool = False,
    shared_critic: bool = False,
    delay: int = 0,
    bandwidth: int = 0,
    saturation: float = 1e-3,
    losses: Mapping[str, Loss] | None = None,
    weights: Mapping[str, float] | None = None,
    optimizer: Optimizer | str = "adam",
    training_edit: Edit | None = None,
    aliases: Mapping[str, str] | None = None,
    **settings: Any,
) -> Algorithm:
    """An algorithm of the off-policy actor-critic learner, for continuous and discrete actions.

    Args:
      name: what to call it.
      env: the task.
      channel: how agents talk; silent by default. Sizes are filled in here.
      agent: a flax module with the methods of `CommunicatingAgent`, in place of the actors and of `channel`.
      critic: a flax module in place of `ActionCritic`, with its arguments.
      hidden: width of the layers of actors and critics, H of recurrent actors.
      layers: hidden layers of critics and of feed-forward actors.
      recurrent: whether actors remember; a channel that reads memory needs that.
      separate_actors: whether each actor has parameters of its own (feed-forward ones only); the channel is shared.
      shared_critic: whether all critics share theirs.
      delay: steps that messages are under way (see `Channel`).
      bandwidth: entries that an agent may send at a step (see `Channel`); 0 for no cap.
      saturation: weight of the mean square of the actors' outputs.
      losses: further losses by name, beside `actor`, `critic` and `saturation`; functions of an `ActorCriticUnroll`.
      weights: their weights.
      optimizer: "adam", "rmsprop", an optax transformation, or a function from hyper-parameters to one.
      training_edit: what happens to messages in training.
      aliases: short names of hyper-parameters.
      **settings: fields of `ActorCriticConfig` and of `ActorCriticHParams`.

    Raises:
      ValueError: a setting that does not exist, a value out of its range, or settings that exclude each other.
    """
    static, traced = static_and_traced(settings, ActorCriticConfig)
    for part, module in {"agent": agent, "critic": critic}.items():
        check_module(part, module)
    if agent is None:
        agent = communicating_agent(env, static, channel, hidden, delay, bandwidth)
        agent = _recurrent(agent, separate_actors) if recurrent else _feed_forward(agent, layers, separate_actors)
    losses, weights = check_losses(
        {"actor": actor_loss, "critic": critic_loss, "saturation": saturation_loss, **(losses or {})},
        {"actor": 1.0, "critic": 1.0, "saturation": saturation, **(weights or {})},
    )
    learner = ActorCriticLearner(
        task=env.task_spec,
        agent=agent,
        critic=ActionCritic(hidden, layers, shared_critic) if critic is None else critic,
        losses=losses,
        optimizer=as_function(optimizer),
        config=static,
        training_edit=training_edit,
    )
    names = {"saturation": "weights.saturation", **(aliases or {})}
    return assemble(name, env, learner, ActorCriticHParams(weights=weights), traced, names)


def _recurrent(agent: CommunicatingAgent, separate: bool) -> CommunicatingAgent:
    if separate:
        raise ValueError("separate_actors goes with recurrent=False: recurrent actors share parameters, and have an id")
    return agent


def _feed_forward(agent: CommunicatingAgent, layers: int, separate: bool) -> FeedForwardAgent:
    if layers < 1:
        raise ValueError(f"layers is {layers}: must be at least 1")
    if agent.channel.reads_memory:
        raise ValueError(
            f"{type(agent.channel).__name__} reads memory, which feed-forward actors do not have: use recurrent=True"
        )
    return FeedForwardAgent(agent.channel, agent.num_actions, agent.hidden, layers, separate)
