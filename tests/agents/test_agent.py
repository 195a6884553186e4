"""The communicating agent: one step against numpy, and whole episodes against single steps."""

import functools

import jax
import numpy as np
import pytest
from talkers import Team, assert_same

from marlcomm.messages import Channel, CutBelow, GaussianChannel, RankCut, Shuffle, SilentChannel

BATCH, TIME, AGENTS, ACTIONS, INPUTS, HIDDEN, DIMS = 3, 4, 3, 4, 5, 6, 2
CHANNELS = {
    "gaussian": GaussianChannel(sigma=0.0, dims=DIMS, hidden=6, posterior_width=1),
    "memory": GaussianChannel(sigma=0.0, dims=DIMS, hidden=6, posterior_width=1, reads_memory=True),
    "silent": SilentChannel(),
}


@functools.cache
def team_with(channel):
    return Team(CHANNELS[channel], batch=BATCH, inputs=INPUTS, hidden=HIDDEN)


@pytest.fixture(params=CHANNELS)
def team(request):
    return team_with(request.param)


@pytest.fixture
def gaussian():
    return team_with("gaussian")


def test_unroll_equals_steps(team):
    q, messages, auxiliary = team.unroll()
    assert q.shape == (BATCH, TIME, AGENTS, ACTIONS)
    assert messages.content.shape[:4] == (BATCH, TIME, AGENTS, AGENTS)
    assert np.std(q) > 1e-2
    assert_same((q, messages, auxiliary), team.steps())


def test_a_batch_equals_one_at_a_time(team):
    memory, q, messages, auxiliary = team.step(team.start, team.inputs[:, 0], team.alive[:, 0])
    for b in range(BATCH):
        alone = team.step(team.start[b], team.inputs[b, 0], team.alive[b, 0])
        assert_same(alone, jax.tree.map(lambda x, b=b: x[b], (memory, q, messages, auxiliary)))


def test_memory_starts_empty(gaussian):
    assert gaussian.agent.initial_memory(2, AGENTS).shape == (2, AGENTS, HIDDEN)
    assert not np.any(gaussian.start)


def dense(layer, x):
    return x @ np.asarray(layer["kernel"], np.float64) + np.asarray(layer["bias"], np.float64)


def mlp(layers, x):
    for k in range(len(layers)):
        x = dense(layers[f"Linear_{k}"], x if k == 0 else np.maximum(x, 0))
    return x


def gru(p, x, h):
    gate_x, gate_h = x @ p["input_kernel"] + p["input_bias"], h @ p["memory_kernel"] + p["memory_bias"]
    (xr, xz, xn), (hr, hz, hn) = np.split(gate_x, 3), np.split(gate_h, 3)
    reset, update = 1 / (1 + np.exp(-xr - hr)), 1 / (1 + np.exp(-xz - hz))
    return (1 - update) * np.tanh(xn + reset * hn) + update * h


@pytest.mark.parametrize("name", ["gaussian", "memory"])
def test_one_step_is_the_papers(name):
    """Encoder, routing, agent and posterior with loops over agents (agents that are not alive are silent)."""
    team = team_with(name)
    rng = np.random.default_rng(1)
    before = rng.normal(size=(BATCH, AGENTS, HIDDEN)).astype(np.float32)
    inputs, alive = team.inputs[:, 1], team.alive[:, 1]
    assert not alive.all()
    memory, q, _, auxiliary = team.step(before, inputs, alive)
    p = team.params["params"]
    for b in range(BATCH):
        mean = np.zeros((AGENTS, AGENTS, DIMS))
        for i in range(AGENTS):
            seen = inputs[b, i] if name == "gaussian" else np.concatenate([inputs[b, i], before[b, i]])
            mean[i] = mlp(p["channel"]["encoder"], seen).reshape(AGENTS, DIMS)
        np.testing.assert_allclose(auxiliary["message_mean"][b], mean, rtol=1e-4, atol=1e-5)
        for j in range(AGENTS):
            told = [mean[i, j] if alive[b, i] and alive[b, j] else np.zeros(DIMS) for i in range(AGENTS)]
            x = np.concatenate([inputs[b, j], *told])
            h = gru(p["recurrent"], np.maximum(dense(p["input_layer"], x), 0), before[b, j])
            np.testing.assert_allclose(memory[b, j], h, rtol=1e-4, atol=1e-5)
            np.testing.assert_allclose(q[b, j], dense(p["head"], h), rtol=1e-4, atol=1e-5)
            logits = mlp(p["channel"]["posterior"], x)
            np.testing.assert_allclose(auxiliary["posterior_logits"][b, j], logits, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("edit", [CutBelow(0.5), RankCut(0.6)], ids=["threshold", "rank"])
def test_a_cut_is_the_same_in_unroll_and_in_steps(gaussian, edit):
    """A training edit must do in learning what it did in acting; a rank is taken over environments at one step."""
    sent = gaussian.unroll(edit=edit)[1].sent
    assert 0 < np.mean(sent) < np.mean(gaussian.unroll()[1].sent)
    np.testing.assert_array_equal(sent, gaussian.steps(edit)[1].sent)
    assert_same(gaussian.unroll(edit=edit), gaussian.steps(edit))


def test_shuffle_in_unroll_takes_another_environment_at_the_same_step(gaussian):
    """Were it another step of the same environment, the receiver would still learn about its own partners."""
    content = np.asarray(gaussian.unroll(edit=Shuffle())[1].content)
    mean = np.asarray(gaussian.unroll()[2]["message_mean"])
    checked = 0
    for b in range(BATCH):
        for t in range(TIME):
            for i in range(AGENTS):
                for j in range(AGENTS):
                    if i == j or not (gaussian.alive[b, t, i] and gaussian.alive[b, t, j]):
                        continue
                    if not content[b, t, i, j].any():
                        both = gaussian.alive[:, t, i] & gaussian.alive[:, t, j]
                        assert not np.delete(both, b).all(), "only the dead of another environment say nothing"
                        continue
                    sources = np.argwhere(np.isclose(mean[:, :, i, j], content[b, t, i, j]).all(-1))
                    assert len(sources) == 1
                    assert sources[0][0] != b, f"environment {b} hears itself"
                    assert sources[0][1] == t, f"step {t} hears step {sources[0][1]}"
                    checked += 1
    assert checked > 0


def test_what_a_channel_must_define_is_named():
    class Empty(Channel):
        pass

    with pytest.raises(TypeError, match="Empty must define send"):
        Team(Empty())
