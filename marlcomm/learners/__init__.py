"""Learners: how parameters move, and how episodes are collected for them."""

from marlcomm.learners.collect import collect
from marlcomm.learners.value import AgentMemory, TrainState, ValueHParams, ValueLearner, ValueSettings

__all__ = ["AgentMemory", "TrainState", "ValueHParams", "ValueLearner", "ValueSettings", "collect"]
