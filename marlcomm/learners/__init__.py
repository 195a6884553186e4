"""Learners: how parameters move, and how episodes are collected for them."""

from marlcomm.learners.actor_critic import ActorCriticLearner
from marlcomm.learners.actor_critic_config import ActorCriticConfig, ActorCriticHParams
from marlcomm.learners.base import Intake, Learner
from marlcomm.learners.collect import collect, episode_keys
from marlcomm.learners.config import LearnerConfig, LearnerHParams
from marlcomm.learners.joint_critic import JointCriticPart, Part
from marlcomm.learners.off_policy import OffPolicyLearner
from marlcomm.learners.on_policy import OnPolicyConfig, OnPolicyHParams, OnPolicyLearner
from marlcomm.learners.state import (
    AgentMemory,
    Decision,
    LearnerState,
    learning_key,
    playing_key,
    with_params,
)
from marlcomm.learners.value import ValueConfig, ValueHParams, ValueLearner

__all__ = [
    "ActorCriticConfig",
    "ActorCriticHParams",
    "ActorCriticLearner",
    "AgentMemory",
    "Decision",
    "Intake",
    "JointCriticPart",
    "Learner",
    "LearnerConfig",
    "LearnerHParams",
    "LearnerState",
    "OffPolicyLearner",
    "OnPolicyConfig",
    "OnPolicyHParams",
    "OnPolicyLearner",
    "Part",
    "ValueConfig",
    "ValueHParams",
    "ValueLearner",
    "collect",
    "episode_keys",
    "learning_key",
    "playing_key",
    "with_params",
]
