"""Losses: pure functions `f(unroll, episodes, hparams) -> (scalar, metrics)`, masked by what really happened."""

from marlcomm.losses.actor_critic import actor_loss, critic_loss, saturation_loss
from marlcomm.losses.aggregation import prediction_loss, reconstruction_loss
from marlcomm.losses.bits import bits_loss
from marlcomm.losses.clustering import (
    AS_PRINTED,
    AS_RELEASED,
    action_value_matrix,
    action_value_vectors,
    clustering_loss,
    most_frequent,
)
from marlcomm.losses.incentive import attention_entropy_loss, teammate_model_loss
from marlcomm.losses.information import expressiveness_loss, succinctness_loss
from marlcomm.losses.interval import Every, Since, When
from marlcomm.losses.labels import LabelLoss, joint_critic_loss
from marlcomm.losses.policy import entropy_loss, gate_loss, generalized_advantage, policy_loss, value_loss
from marlcomm.losses.qtran import counterfactual_loss, nonoptimality_loss, optimality_loss
from marlcomm.losses.request_reply import reply_gate_loss, teammate_value_loss
from marlcomm.losses.temporal_difference import double_q_target, lambda_return, temporal_difference_loss
from marlcomm.losses.value_messages import robustness_loss, smoothness_loss, variance_loss

__all__ = [
    "AS_PRINTED",
    "AS_RELEASED",
    "Every",
    "LabelLoss",
    "Since",
    "When",
    "action_value_matrix",
    "action_value_vectors",
    "actor_loss",
    "attention_entropy_loss",
    "bits_loss",
    "clustering_loss",
    "counterfactual_loss",
    "critic_loss",
    "double_q_target",
    "entropy_loss",
    "expressiveness_loss",
    "gate_loss",
    "generalized_advantage",
    "joint_critic_loss",
    "lambda_return",
    "most_frequent",
    "nonoptimality_loss",
    "optimality_loss",
    "policy_loss",
    "prediction_loss",
    "reconstruction_loss",
    "reply_gate_loss",
    "robustness_loss",
    "saturation_loss",
    "smoothness_loss",
    "succinctness_loss",
    "teammate_model_loss",
    "teammate_value_loss",
    "temporal_difference_loss",
    "value_loss",
    "variance_loss",
]
