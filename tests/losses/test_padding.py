"""No number that a network makes of a padded step reaches a loss or its gradient, not even as 0 times NaN."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from batches import ACTIONS, AGENTS, BATCH, STEPS, make_batch

from marlcomm.losses import (
    Every,
    LabelLoss,
    Since,
    attention_entropy_loss,
    bits_loss,
    counterfactual_loss,
    expressiveness_loss,
    joint_critic_loss,
    nonoptimality_loss,
    optimality_loss,
    prediction_loss,
    reconstruction_loss,
    reply_gate_loss,
    robustness_loss,
    smoothness_loss,
    succinctness_loss,
    teammate_model_loss,
    teammate_value_loss,
    temporal_difference_loss,
    variance_loss,
)
from marlcomm.losses.actor_critic import actor_loss, critic_loss, saturation_loss
from marlcomm.losses.policy import entropy_loss, gate_loss, policy_loss, talk_loss, value_loss
from marlcomm.messages import AggregationChannel, GatedChannel, MeanChannel, QuantizedChannel
from marlcomm.names import CHANNELS, LEARNERS
from marlcomm.networks import QTRANMixer
from marlcomm.types import ActorCriticUnroll, Episodes, PolicyUnroll, Unroll

NUMBERS = SimpleNamespace(overestimate_weight=0.25, clip_ratio=0.2)
ENDS = ["weight", "scale"]  # what tells where an episode ends, and what has no steps


def spoilt(x: jax.Array, lengths: np.ndarray) -> jax.Array:
    """NaN after the last real step of each episode."""
    x = np.array(x)
    for b, length in enumerate(lengths):
        x[b, length:] = np.nan
    return jnp.asarray(x)


def batch_of(kind: type) -> tuple[dict, Episodes]:
    """What a learner's networks may make of a batch, NaN at padded steps."""
    values, episodes, lengths = make_batch(0, team=False)
    rng = np.random.default_rng(0)

    def normal(*shape: int) -> jax.Array:
        return jnp.asarray(rng.normal(size=(BATCH, *shape)), jnp.float32)

    alive = (episodes.valid[..., None] & episodes.alive[:, :STEPS]).astype(jnp.float32)
    names = "value", "target", "advantage", "log_prob", "old_log_prob", "entropy"
    each = {name: normal(STEPS, AGENTS) for name in names}
    if kind is Unroll:
        names = "utilities", "joint", "state_value", "greedy_utilities", "greedy_joint"
        others = {f"other_{name}": normal(STEPS, AGENTS, ACTIONS) for name in ("utilities", "joint")}
        fields = values._asdict() | {"mixing": {name: normal(STEPS) for name in names} | others}
    elif kind is PolicyUnroll:
        gate = (normal(STEPS + 1, AGENTS) > 0).astype(jnp.float32)
        said = {"gate": gate, "gate_log_prob": -jnp.abs(normal(STEPS + 1, AGENTS))}
        fields = {**each, "logits": normal(STEPS + 1, AGENTS, ACTIONS), "weight": alive, "scale": jnp.float32(2.0)}
        fields |= {"messages": None, "auxiliary": said, "acted": {"gate": gate[:, :STEPS]}}
    else:
        fields = {name: each[name] for name in ("value", "target")} | {"policy_value": normal(STEPS, AGENTS)}
        outputs = {name: normal(STEPS, AGENTS, ACTIONS) for name in ("outputs", "action")}
        fields |= {**outputs, "weight": alive, "messages": None, "auxiliary": {}}
    kept = {name: fields.pop(name) for name in ENDS if name in fields}
    return jax.tree.map(lambda x: spoilt(x, lengths), fields) | kept, episodes


CASES = [
    (optimality_loss, Unroll), (nonoptimality_loss, Unroll), (counterfactual_loss, Unroll),
    (temporal_difference_loss, Unroll), (expressiveness_loss, Unroll), (succinctness_loss, Unroll),
    (variance_loss, Unroll), (smoothness_loss, Unroll), (robustness_loss, Unroll),
    (teammate_model_loss, Unroll), (attention_entropy_loss, Unroll),
    (reply_gate_loss, Unroll), (teammate_value_loss, Unroll),
    (reconstruction_loss, Unroll), (prediction_loss, Unroll),
    (policy_loss, PolicyUnroll), (value_loss, PolicyUnroll), (entropy_loss, PolicyUnroll),
    (gate_loss, PolicyUnroll), (talk_loss, PolicyUnroll),
    (critic_loss, ActorCriticUnroll), (actor_loss, ActorCriticUnroll), (saturation_loss, ActorCriticUnroll),
]  # fmt: skip
IN_TESTS_OF_THEIR_OWN = {LabelLoss, joint_critic_loss, bits_loss}


def test_every_loss_that_a_learner_a_channel_or_a_mixer_brings_has_a_case():
    brought = []
    for learner in map(LEARNERS.get, LEARNERS):
        brought += [loss for loss, _ in (learner.losses | learner.joint_critic_losses).values()]
    channels = [CHANNELS.get(name)() for name in CHANNELS if not name.endswith("test")]
    mixers = [QTRANMixer(), QTRANMixer(alternative=True)]
    settings = GatedChannel(sampled=True), AggregationChannel(predicts=True), QuantizedChannel(MeanChannel(), 1.0)
    for part in [*channels, *settings, *mixers]:
        brought += [each.loss for each in part.losses().values()]
    brought = [loss.loss if isinstance(loss, Every | Since) else loss for loss in brought]
    kinds = {type(loss) if isinstance(loss, LabelLoss) else loss for loss in brought}
    assert kinds - IN_TESTS_OF_THEIR_OWN == {loss for loss, _ in CASES}


@pytest.mark.parametrize(("loss", "kind"), CASES)
def test_padding_teaches_nothing(loss, kind):
    fields, episodes = batch_of(kind)
    learned = {name: fields.pop(name) for name in list(fields) if name not in ENDS and fields[name] is not None}

    @jax.jit
    def gradient_of(learned):
        def of(learned):
            return loss(kind(**learned, **fields), episodes, NUMBERS)

        return jax.value_and_grad(of, has_aux=True)(learned)

    (value, metrics), gradient = gradient_of(learned)
    assert np.isfinite(value)
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(metrics))
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(gradient))
    assert any(np.any(x) for x in jax.tree.leaves(gradient)), "real steps teach"
