"""CACOM's losses against loops over real steps."""

import hypothesis
import jax
import numpy as np
from batches import ACTIONS, AGENTS, BATCH, HPARAMS, STEPS, make_batch, real_steps, scramble_after_end
from hypothesis import strategies as st

from marlcomm.losses import reply_gate_loss, teammate_value_loss


@jax.jit
def losses(unroll, episodes):
    return [loss(unroll, episodes, HPARAMS)[0] for loss in (reply_gate_loss, teammate_value_loss)]


def pairs(batch):
    alive = np.asarray(batch.episodes.alive)
    for b, t in real_steps(batch):
        for i in range(AGENTS):
            for j in range(AGENTS):
                if i != j and alive[b, t, i] and alive[b, t, j]:
                    yield b, t, i, j


def by_loops(batch):
    given = {name: np.asarray(x, float) for name, x in batch.unroll.auxiliary.items()}
    surprise, taught, error, count = 0.0, 0, 0.0, 0
    for b, t, i, j in pairs(batch):
        if given["gate_taught"][b, t, i, j]:
            chance = 1 / (1 + np.exp(-given["gate_logit"][b, t, i, j]))
            surprise -= np.log(chance if given["gate_label"][b, t, i, j] else 1 - chance)
            taught += 1
        error += np.mean((given["teammate_values"][b, t, i, j] - given["own_values"][b, t, j]) ** 2)
        count += 1
    return surprise / max(taught, 1), error / max(count, 1)


@hypothesis.settings(max_examples=15, deadline=None)
@hypothesis.given(st.integers(0, 2**31))
def test_against_loops_over_real_steps(seed):
    batch = make_batch(seed)
    np.testing.assert_allclose(losses(batch.unroll, batch.episodes), by_loops(batch), rtol=1e-4)
    other = scramble_after_end(batch, seed)
    np.testing.assert_array_equal(losses(batch.unroll, batch.episodes), losses(other.unroll, other.episodes))


def test_what_is_predicted_is_taught_nothing():
    batch = make_batch(4)

    def loss(own):
        unroll = batch.unroll._replace(auxiliary=batch.unroll.auxiliary | {"own_values": own})
        return teammate_value_loss(unroll, batch.episodes, HPARAMS)[0]

    own = batch.unroll.auxiliary["own_values"]
    assert own.shape == (BATCH, STEPS + 1, AGENTS, ACTIONS)
    assert not np.any(jax.grad(loss)(own))
