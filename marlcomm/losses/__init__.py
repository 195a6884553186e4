"""Losses: pure functions `f(unroll, episodes, hparams) -> (scalar, metrics)`, masked by what really happened."""

from marlcomm.losses.clustering import (
    AS_PRINTED,
    AS_RELEASED,
    action_value_matrix,
    action_value_vectors,
    clustering_loss,
    most_frequent,
)
from marlcomm.losses.information import expressiveness_loss, succinctness_loss
from marlcomm.losses.temporal_difference import double_q_target, temporal_difference_loss

__all__ = [
    "AS_PRINTED",
    "AS_RELEASED",
    "action_value_matrix",
    "action_value_vectors",
    "clustering_loss",
    "double_q_target",
    "expressiveness_loss",
    "most_frequent",
    "succinctness_loss",
    "temporal_difference_loss",
]
