"""The learners by name, and what algorithms of each are made of beside their channel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from marlcomm import names
from marlcomm.agents import CommunicatingAgent, FeedForwardAgent
from marlcomm.envs.api import Environment
from marlcomm.learners.actor_critic import ActorCriticLearner
from marlcomm.learners.actor_critic_config import ActorCriticConfig, ActorCriticHParams
from marlcomm.learners.joint_critic import JointCriticPart
from marlcomm.learners.on_policy import OnPolicyConfig, OnPolicyHParams, OnPolicyLearner
from marlcomm.learners.value import ValueConfig, ValueHParams, ValueLearner
from marlcomm.losses import (
    actor_loss,
    critic_loss,
    entropy_loss,
    joint_critic_loss,
    policy_loss,
    saturation_loss,
    temporal_difference_loss,
    value_loss,
)
from marlcomm.networks import ActionCritic, CentralCritic, DecomposedCritic, JointCritic, LocalCritic
from marlcomm.types import Loss
from marlcomm.validation import UsageError

Losses = Mapping[str, tuple[Loss, float]]  # name -> loss and weight


@dataclass(frozen=True)
class LearnerKind:
    """What algorithms of one learner are made of.

    Attributes:
      title: what to call it in lists.
      learner: its class; config: its dataclass of static settings; hparams: that of its hyper-parameters.
      losses: those that it always has, with their default weights.
      networks: (default agent, modules, options) -> the learner's fields that are networks. Without a default agent,
        as the user gives one, what it gives has no `agent`.
      parts: name -> the word that is taken by default, or None; see `marlcomm.algorithms.parts`.
      options: what `networks` can be told, with defaults.
      short_names: of weights and other settings.
      optimizer: the word of its default.
      joint_critic: (env, settings) -> the settings with which losses can ask a centralized critic of joint actions;
        None where that cannot be.
      joint_critic_losses: those that this critic learns by, where the learner's own do not teach it.
      critics: its own, which fit it.
      policy_gradient: whether it learns by policy gradient, and so can teach what a channel draws.
      action_values: whether what its agents score actions by are values, which have a unit, and not a policy's logits.
    """

    title: str
    learner: type
    config: type
    hparams: type
    losses: Losses
    networks: Callable[..., dict[str, Any]]
    parts: Mapping[str, str | None]
    options: Mapping[str, Any] = field(default_factory=dict)
    short_names: Mapping[str, str] = field(default_factory=dict)
    optimizer: str = "adam"
    joint_critic: Callable[[Environment, Mapping[str, Any]], dict[str, Any]] | None = None
    joint_critic_losses: Losses = field(default_factory=dict)
    critics: tuple[type, ...] = ()
    policy_gradient: bool = False
    action_values: bool = False

    @property
    def all_options(self) -> dict[str, Any]:
        """With those that every learner's algorithms have."""
        return {"hidden": 64, "delay": 0, "bandwidth": 0, "quantization_step": 0.0, **self.options}


def _value_networks(
    agent: CommunicatingAgent | None, modules: Mapping[str, Any], options: Mapping[str, Any]
) -> dict[str, Any]:
    critic = modules["joint_critic"]
    parts = {} if critic is None else {"joint_critic": JointCriticPart(critic)}
    networks = {"mixer": modules["mixer"], "parts": parts}
    return networks if agent is None else {"agent": agent, **networks}


def _on_policy_networks(
    agent: CommunicatingAgent | None, modules: Mapping[str, Any], options: Mapping[str, Any]
) -> dict[str, Any]:
    critic = {"critic": modules["critic"]}
    return critic if agent is None else {"agent": agent, **critic}


def _actor_critic_networks(
    agent: CommunicatingAgent | None, modules: Mapping[str, Any], options: Mapping[str, Any]
) -> dict[str, Any]:
    hidden, layers, separate = options["hidden"], options["layers"], options["separate_actors"]
    critic = modules["critic"] or ActionCritic(hidden, layers, options["shared_critic"])
    if agent is None:
        return {"critic": critic}
    actors = _recurrent(agent, separate) if options["recurrent"] else _feed_forward(agent, layers, separate)
    return {"agent": actors, "critic": critic}


def _recurrent(agent: CommunicatingAgent, separate: bool) -> CommunicatingAgent:
    if separate:
        raise UsageError("separate_actors goes with recurrent=False: recurrent actors share parameters, and have an id")
    return agent


def _feed_forward(agent: CommunicatingAgent, layers: int, separate: bool) -> FeedForwardAgent:
    if layers < 1:
        raise UsageError(f"layers is {layers}: must be at least 1")
    if agent.channel.reads_memory:
        raise UsageError(
            f"{type(agent.channel).__name__} reads memory, which feed-forward actors do not have: use recurrent=True"
        )
    return FeedForwardAgent(agent.channel, agent.num_actions, agent.hidden, layers, separate)


def _joint_critic_beside(env: Environment, settings: Mapping[str, Any]) -> dict[str, Any]:
    """A critic of joint actions that learns beside the team, from the same replay."""
    critic = settings.get("joint_critic") or JointCritic(env.num_agents, env.num_actions)
    return {**settings, "joint_critic": critic}


def _critics_that_see_views(env: Environment, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The learner's own critics, which losses can ask where they see all agents' views and nothing else."""
    if settings.get("critics_see", "observations") != "observations":
        raise UsageError('critics_see must be "observations": labels are found by asking critics about agents\' views')
    return {**settings, "critics_see": "observations"}


VALUE = LearnerKind(
    title=names.VALUE,
    learner=ValueLearner,
    config=ValueConfig,
    hparams=ValueHParams,
    losses={"temporal_difference": (temporal_difference_loss, 1.0)},
    networks=_value_networks,
    parts={"channel": "silent", "mixer": "monotonic", "joint_critic": None},
    optimizer="rmsprop",
    joint_critic=_joint_critic_beside,
    joint_critic_losses={"joint_critic": (joint_critic_loss, 1.0)},
    action_values=True,
)
ON_POLICY = LearnerKind(
    title=names.ON_POLICY,
    learner=OnPolicyLearner,
    config=OnPolicyConfig,
    hparams=OnPolicyHParams,
    losses={"policy": (policy_loss, 1.0), "value": (value_loss, 0.5), "entropy": (entropy_loss, 0.4)},
    networks=_on_policy_networks,
    parts={"channel": "silent", "critic": "local"},
    short_names={"entropy": "weights.entropy", "value_weight": "weights.value"},
    critics=(LocalCritic, CentralCritic),
    policy_gradient=True,
)
ACTOR_CRITIC = LearnerKind(
    title=names.ACTOR_CRITIC,
    learner=ActorCriticLearner,
    config=ActorCriticConfig,
    hparams=ActorCriticHParams,
    losses={"actor": (actor_loss, 1.0), "critic": (critic_loss, 1.0), "saturation": (saturation_loss, 1e-3)},
    networks=_actor_critic_networks,
    parts={"channel": "silent", "critic": None},
    options={"layers": 3, "recurrent": False, "separate_actors": False, "shared_critic": False},
    short_names={"saturation": "weights.saturation"},
    critics=(ActionCritic, DecomposedCritic),
    joint_critic=_critics_that_see_views,
)
