"""VBC's and TMC's regularizers against loops over real steps."""

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from batches import AGENTS, HPARAMS, make_batch, real_steps, scramble_after_end
from hypothesis import strategies as st

from marlcomm.losses import robustness_loss, smoothness_loss, variance_loss

LOSSES = (variance_loss, smoothness_loss, robustness_loss)


@jax.jit
def losses(unroll, episodes):
    return [loss(unroll, episodes, HPARAMS)[0] for loss in LOSSES]


def by_loops(batch):
    """Each as the papers write it, an agent and a step after the other."""
    message, gap = (np.asarray(batch.unroll.auxiliary[name], float) for name in ("message", "action_gap"))
    alive = np.asarray(batch.episodes.alive)
    variance, smoothness, robustness, count = 0.0, 0.0, 0.0, 0
    for b, t in real_steps(batch):
        for i in range(AGENTS):
            if not alive[b, t, i]:
                continue
            count += 1
            now = message[b, t, i]
            variance += np.mean((now - now.mean()) ** 2)
            robustness += np.exp(-25.0 * gap[b, t, i])
            back = min(t, 3)
            for k in range(1, back + 1):
                if alive[b, t - k, i]:
                    change = np.sum((now - message[b, t - k, i]) ** 2)
                    smoothness += [1.5, 1.0, 0.5][k - 1] * change / (back * len(now) * np.sum(now**2))
    return variance / len(real_steps(batch)), smoothness / count, robustness / count


@hypothesis.settings(max_examples=15, deadline=None)
@hypothesis.given(st.integers(0, 2**31))
def test_against_loops_over_real_steps(seed):
    batch = make_batch(seed)
    if any(batch.episodes.alive[b, t].any() for b, t in real_steps(batch)):
        np.testing.assert_allclose(losses(batch.unroll, batch.episodes), by_loops(batch), rtol=1e-4)
    other = scramble_after_end(batch, seed)
    np.testing.assert_array_equal(losses(batch.unroll, batch.episodes), losses(other.unroll, other.episodes))


def test_messages_that_stay_cost_nothing_and_no_gradient_makes_them_larger():
    batch = make_batch(3)
    one = jnp.ones_like(batch.unroll.auxiliary["message"]) * jnp.arange(4.0)

    def smoothness(message):
        unroll = batch.unroll._replace(auxiliary=batch.unroll.auxiliary | {"message": message})
        return smoothness_loss(unroll, batch.episodes, HPARAMS)[0]

    assert smoothness(one) == 0
    message = batch.unroll.auxiliary["message"]
    along = jnp.vdot(jax.grad(smoothness)(message), message)  # growing by itself changes no relative distance
    assert along > 0, "the loss can be lowered only by less change"


def test_an_agent_without_a_choice_is_sure():
    batch = make_batch(1)
    sure = batch.unroll._replace(auxiliary={"action_gap": jnp.full((4, 6, AGENTS), jnp.inf)})
    value, gradient = jax.value_and_grad(
        lambda gap: robustness_loss(sure._replace(auxiliary={"action_gap": gap}), batch.episodes, HPARAMS)[0]
    )(sure.auxiliary["action_gap"])
    assert value == pytest.approx(0.0)
    assert not np.any(gradient)
