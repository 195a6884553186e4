"""MASIA's channel against its formula in loops over messages: what receivers make of those that arrive."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from formulas import dense, mlp, softmax

from marlcomm.messages import AggregationChannel, check_channel
from marlcomm.messages.channel import bits_sent
from marlcomm.messages.edits import CutPairs
from marlcomm.messages.transmission import Transmission

AGENTS, INPUTS, ACTIONS, STATE, WIDTH, LATENT = 4, 5, 3, 6, 4, 2
KEY = jax.random.PRNGKey(2)
WAYS = pytest.mark.parametrize(
    "way",
    [{}, {"pooled": False}, {"remembers": True}, {"pooled": False, "remembers": True, "dims": 2}],
    ids=lambda way: "-".join(way) or "default",
)
EVERYBODY = (True,) * AGENTS


class Team:
    """A channel with random parameters, and two steps of what agents see."""

    def __init__(self, **settings):
        sizes = {"num_agents": AGENTS, "num_actions": ACTIONS, "input_size": INPUTS, "state_size": STATE}
        self.channel = AggregationChannel(**sizes, latent=LATENT, width=WIDTH, query_size=3, **settings)
        rng = np.random.default_rng(0)
        self.inputs = rng.normal(size=(2, AGENTS, INPUTS)).astype(np.float32)
        shapes = jax.eval_shape(lambda: self.channel.init(KEY, *self._step(0, EVERYBODY, None), method="talk"))
        self.params = jax.tree.map(lambda x: (0.9 * rng.normal(size=x.shape)).astype(np.float32), shapes)

    def _step(self, t, alive, edit, state=None):
        state = self.channel.initial_state(AGENTS) if state is None else state
        transmit = Transmission(self.channel, jnp.asarray(alive), KEY, edit, state=state, training=True)
        return self.inputs[t], None, KEY, transmit

    def talk(self, alive=EVERYBODY, edit=None):
        """Features of both steps, bits of the second, and what is reported of it."""

        @jax.jit
        def run(params):
            state, features = None, []
            for t in range(2):
                *given, transmit = self._step(t, alive, edit, state)
                heard, reported = self.channel.apply(params, *given, transmit, method="talk")
                state = heard.state
                features.append(heard.features)
            return features, bits_sent(transmit.account()), reported

        return jax.tree.map(np.asarray, run(self.params))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def gru(p, memory, x):
    split = np.split(x @ np.asarray(p["input_kernel"], np.float64) + p["input_bias"], 3)
    of_memory = np.split(memory @ np.asarray(p["memory_kernel"], np.float64) + p["memory_bias"], 3)
    reset, update = (sigmoid(split[k] + of_memory[k]) for k in (0, 1))
    new = np.tanh(split[2] + reset * of_memory[2])
    return (1 - update) * new + update * memory


def expected(team, comes):
    """Features of both steps [N, Z], and z at the second; `comes` [N, N] bool, sender first."""
    p, channel = team.params["params"], team.channel
    rows_of = 1 if channel.pooled else AGENTS
    memory, features = np.zeros((AGENTS, rows_of, WIDTH)), []
    for inputs in team.inputs.astype(np.float64):
        said = dense(p["encoder"], inputs) if channel.dims else inputs
        z = []
        for j in range(AGENTS):
            senders = [i for i in range(AGENTS) if comes[i, j]]
            rows = np.zeros((AGENTS, WIDTH))
            for k in senders:
                query = dense(p["query_head"], said[k])
                weights = softmax([query @ dense(p["key_head"], said[i]) / 3**0.5 for i in senders])
                attended = sum(w * dense(p["value_head"], said[i]) for w, i in zip(weights, senders, strict=True))
                rows[k] = np.maximum(dense(p["mix"], attended), 0)
            if channel.pooled:
                rows = rows.sum(0, keepdims=True) / max(len(senders), 1)
            if channel.remembers:
                rows = np.stack([gru(p["recurrent"], memory[j, k], rows[k]) for k in range(rows_of)])
                memory[j] = rows
            z.append(np.concatenate([dense(p["representation_head"], row) for row in rows]))
        features.append(np.stack([sigmoid(dense(p["gate_head"], inputs[j])) * z[j] for j in range(AGENTS)]))
    return features, np.stack(z)


@WAYS
@pytest.mark.parametrize("alive", [EVERYBODY, (True, False, True, True)])
def test_what_receivers_make_of_it(way, alive):
    team = Team(**way)
    comes = np.outer(alive, alive)
    (features, bits, reported), (wanted, z) = team.talk(alive), expected(team, comes)
    np.testing.assert_allclose(features, wanted, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(reported["representation"], z, rtol=1e-4, atol=1e-5)
    state = dense(team.params["params"]["decoder"], z)
    np.testing.assert_allclose(reported["state_estimate"], state, rtol=1e-3, atol=1e-4)
    entries = way.get("dims", INPUTS)
    np.testing.assert_array_equal(bits, [32 * entries * (sum(alive) - 1) * each for each in alive])


@WAYS
def test_what_is_cut_for_one_is_heard_by_the_others(way):
    team = Team(**way)
    cut = np.zeros((AGENTS, AGENTS), bool)
    cut[0, 2] = cut[3, 2] = cut[1, 3] = True
    (features, *_), (wanted, _) = team.talk(edit=CutPairs(jnp.asarray(cut))), expected(team, ~cut)
    np.testing.assert_allclose(features, wanted, rtol=1e-4, atol=1e-5)


def test_what_is_foretold():
    team = Team(predicts=True, remembers=True)
    _, _, reported = team.talk()
    z = reported["representation"].astype(np.float64)
    for j in range(AGENTS):
        flat = mlp(team.params["params"]["transition"], z[j])
        np.testing.assert_allclose(reported["next_representation"][j], z[j] + flat[:LATENT], rtol=1e-3, atol=1e-4)
        basis, effect = flat[LATENT : 5 * LATENT].reshape(4, LATENT), flat[5 * LATENT :].reshape(AGENTS, ACTIONS, 4)
        np.testing.assert_allclose(reported["effect_basis"][j], basis, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(reported["effect_of_action"][j], effect, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("way", [{}, {"pooled": False, "remembers": True, "predicts": True}])
def test_the_contract(way):
    check_channel(AggregationChannel(latent=2, width=4, query_size=3, **way))


def test_settings_that_are_not_right():
    for settings, says in [({"width": 0}, "width=0 must be a whole"), ({"dims": -1}, "dims is -1: must be at")]:
        with pytest.raises(ValueError, match=says):
            AggregationChannel(**settings)
