"""Learners: how parameters move, and how episodes are collected for them."""

from marlcomm.learners.collect import collect
from marlcomm.learners.ddpg import DdpgLearner, DdpgState
from marlcomm.learners.ddpg_settings import DdpgHParams, DdpgSettings
from marlcomm.learners.learner import AgentMemory, Decision, Learner, LearnerState, with_params
from marlcomm.learners.reinforce import ReinforceHParams, ReinforceLearner, ReinforceSettings, ReinforceState
from marlcomm.learners.value import TrainState, ValueHParams, ValueLearner, ValueSettings

__all__ = [
    "AgentMemory",
    "DdpgHParams",
    "DdpgLearner",
    "DdpgSettings",
    "DdpgState",
    "Decision",
    "Learner",
    "LearnerState",
    "ReinforceHParams",
    "ReinforceLearner",
    "ReinforceSettings",
    "ReinforceState",
    "TrainState",
    "ValueHParams",
    "ValueLearner",
    "ValueSettings",
    "collect",
    "with_params",
]
