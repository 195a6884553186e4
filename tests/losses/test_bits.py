"""The loss of bits: the mean over real steps of what senders alive pay, with the gradient of prices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from batches import AGENTS, BATCH, DIMS, HPARAMS, STEPS, make_batch, real_steps

from marlcomm.losses import bits_loss
from marlcomm.messages.channel import deliver
from marlcomm.types import Messages


def paid_messages(steps, seed=0):
    """Prices, overhead and masks of [B, steps], as they stand in an unroll; some of it is not sent."""
    rng = np.random.default_rng(seed)
    shape = (BATCH, steps, AGENTS, AGENTS, DIMS)
    alive = make_batch(seed).episodes.alive[:, :steps]
    price, overhead = (rng.random(size).astype(np.float32) for size in (shape, shape[:-1]))
    sent = jnp.asarray(rng.random(shape) < 0.6)
    content = jnp.ones(shape)
    return deliver(Messages(content, content, sent, jnp.asarray(price), jnp.asarray(overhead)), alive)


def by_hand(messages, batch):
    sent, price, overhead = map(np.asarray, (messages.sent, messages.price, messages.overhead))
    total = 0.0
    for b, t in real_steps(batch):
        for i in range(AGENTS):
            for j in range(AGENTS):
                if i != j:
                    total += (sent[b, t, i, j] * price[b, t, i, j]).sum() + overhead[b, t, i, j]
    return total / len(real_steps(batch))


@pytest.mark.parametrize("steps", [STEPS, STEPS + 1])
def test_it_is_what_a_team_sends_a_step(steps):
    batch, messages = make_batch(0), paid_messages(steps)
    value, _ = bits_loss(batch.unroll._replace(messages=messages), batch.episodes, HPARAMS)
    assert value == pytest.approx(by_hand(messages, batch), rel=1e-5)


@pytest.mark.parametrize("steps", [STEPS, STEPS + 1])
def test_padding_and_what_is_not_sent_teach_nothing(steps):
    batch, messages = make_batch(0), paid_messages(steps)
    price = np.array(messages.price)
    for b, length in enumerate(batch.lengths):
        price[b, length:] = np.nan

    def loss(price):
        unroll = batch.unroll._replace(messages=messages._replace(price=price))
        return bits_loss(unroll, batch.episodes, HPARAMS)[0]

    value, gradient = jax.value_and_grad(loss)(jnp.asarray(price))
    assert value == pytest.approx(by_hand(messages, batch), rel=1e-5)
    real = np.zeros((BATCH, steps, 1, 1, 1), bool)
    for b, t in real_steps(batch):
        real[b, t] = True
    teaches = real & np.asarray(messages.sent) & ~np.eye(AGENTS, dtype=bool)[..., None]
    np.testing.assert_allclose(gradient, teaches / len(real_steps(batch)), rtol=1e-5)


def test_nothing_real_costs_nothing():
    batch, messages = make_batch(0), paid_messages(STEPS)
    nothing = batch.episodes._replace(valid=jnp.zeros((BATCH, STEPS), bool))
    assert bits_loss(batch.unroll._replace(messages=messages), nothing, HPARAMS)[0] == 0
