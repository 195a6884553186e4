"""Learners: how parameters move, and how episodes are collected for them."""

from marlcomm.learners.actor_critic import ActorCriticLearner, ActorCriticState
from marlcomm.learners.actor_critic_config import ActorCriticConfig, ActorCriticHParams
from marlcomm.learners.collect import collect
from marlcomm.learners.learner import AgentMemory, Decision, Learner, LearnerState, with_params
from marlcomm.learners.on_policy import OnPolicyConfig, OnPolicyHParams, OnPolicyLearner, OnPolicyState
from marlcomm.learners.value import TrainState, ValueConfig, ValueHParams, ValueLearner

__all__ = [
    "ActorCriticConfig",
    "ActorCriticHParams",
    "ActorCriticLearner",
    "ActorCriticState",
    "AgentMemory",
    "Decision",
    "Learner",
    "LearnerState",
    "OnPolicyConfig",
    "OnPolicyHParams",
    "OnPolicyLearner",
    "OnPolicyState",
    "TrainState",
    "ValueConfig",
    "ValueHParams",
    "ValueLearner",
    "collect",
    "with_params",
]
