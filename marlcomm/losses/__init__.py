"""Losses: pure functions `f(unroll, episodes, hparams) -> (scalar, metrics)`, masked by what really happened."""

from marlcomm.losses.information import expressiveness_loss, succinctness_loss
from marlcomm.losses.temporal_difference import double_q_target, temporal_difference_loss

__all__ = ["double_q_target", "expressiveness_loss", "succinctness_loss", "temporal_difference_loss"]
