"""NDQ's released modules as arrays in PyTorch's layout, against a forward pass written by those modules' names."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import marlcomm as mc
from marlcomm.agents import from_torch, ndq_from_torch
from marlcomm.agents.torch_layout import AGENT
from marlcomm.networks import MonotonicMixer

AGENTS, HIDDEN, DIMS, EMBEDDING, BATCH = 2, 6, 2, 32, 3  # hallway: one number is seen, beside the agent's id
INPUTS, ACTIONS, STATE, HEARD = 1 + AGENTS, 3, 2, AGENTS * DIMS


def linear(rng, name, inputs, outputs):
    return {f"{name}.weight": rng.normal(size=(outputs, inputs)), f"{name}.bias": rng.normal(size=outputs)}


def released(seed):
    """The `state_dict()` of agent, comm and mixer."""
    rng = np.random.default_rng(seed)
    gates = {f"rnn.weight_{k}": rng.normal(size=(3 * HIDDEN, HIDDEN)) for k in ("ih", "hh")}
    gates |= {f"rnn.bias_{k}": rng.normal(size=3 * HIDDEN) for k in ("ih", "hh")}
    agent = linear(rng, "fc1", INPUTS + HEARD, HIDDEN) | gates | linear(rng, "fc2", HIDDEN, ACTIONS)
    comm = linear(rng, "fc1", INPUTS, HIDDEN) | linear(rng, "fc2", HIDDEN, HIDDEN) | linear(rng, "fc3", HIDDEN, HEARD)
    comm |= linear(rng, "inference_model.0", INPUTS + HEARD, 4 * HEARD)
    comm |= linear(rng, "inference_model.2", 4 * HEARD, 4 * HEARD) | linear(
        rng, "inference_model.4", 4 * HEARD, ACTIONS
    )
    return agent, comm, mixer_of(rng, layers=1)


def mixer_of(rng, layers):
    made = linear(rng, "hyper_b_1", STATE, EMBEDDING)
    made |= linear(rng, "V.0", STATE, EMBEDDING) | linear(rng, "V.2", EMBEDDING, 1)
    for name, outputs in (("hyper_w_1", AGENTS * EMBEDDING), ("hyper_w_final", EMBEDDING)):
        if layers == 1:
            made |= linear(rng, name, STATE, outputs)
        else:
            made |= linear(rng, f"{name}.0", STATE, 64) | linear(rng, f"{name}.2", 64, outputs)
    return made


def through(arrays, name, x):
    return x @ arrays[f"{name}.weight"].T + arrays[f"{name}.bias"]


def relu(x):
    return np.maximum(x, 0)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def torch_gru(arrays, x, h):
    """torch.nn.GRUCell, by its documentation."""
    input_gates = (x @ arrays["rnn.weight_ih"].T + arrays["rnn.bias_ih"]).reshape(3, HIDDEN)
    hidden_gates = (h @ arrays["rnn.weight_hh"].T + arrays["rnn.bias_hh"]).reshape(3, HIDDEN)
    reset, update = sigmoid(input_gates[0] + hidden_gates[0]), sigmoid(input_gates[1] + hidden_gates[1])
    new = np.tanh(input_gates[2] + reset * hidden_gates[2])
    return (1 - update) * new + update * h


def torch_mixer(arrays, values, state, layers=1):
    def weights(name):
        if layers == 1:
            return np.abs(through(arrays, name, state))
        return np.abs(through(arrays, f"{name}.2", relu(through(arrays, f"{name}.0", state))))

    hidden = values @ weights("hyper_w_1").reshape(AGENTS, EMBEDDING) + through(arrays, "hyper_b_1", state)
    hidden = np.where(hidden > 0, hidden, np.exp(np.minimum(hidden, 0)) - 1)
    return hidden @ weights("hyper_w_final") + through(arrays, "V.2", relu(through(arrays, "V.0", state)))


@pytest.fixture(scope="module")
def algorithm():
    return mc.ndq(mc.make_env("hallway"), paper=True, hidden=HIDDEN, num_envs=2, batch_episodes=2, replay_episodes=2)


def test_an_agents_step_is_that_of_the_released_modules(algorithm):
    agent, comm, mixer = released(0)
    params = ndq_from_torch(agent, comm, mixer)
    rng = np.random.default_rng(1)
    inputs, memory = rng.normal(size=(AGENTS, INPUTS)), rng.normal(size=(AGENTS, HIDDEN))
    network = algorithm.learner.agent
    network = network.clone(channel=network.channel.clone(sigma=0.0, parent=None), parent=None)
    alive, key = jnp.ones(AGENTS, bool), jax.random.PRNGKey(0)
    given = jnp.asarray(memory, jnp.float32), jnp.asarray(inputs, jnp.float32), alive, key
    remembered, q, _, reported = network.apply(params["agent"], *given, method="step")
    mean = through(comm, "fc3", relu(through(comm, "fc2", relu(through(comm, "fc1", inputs)))))
    heard = mean.reshape(AGENTS, AGENTS, DIMS).swapaxes(0, 1).reshape(AGENTS, HEARD)  # receiver first
    for j in range(AGENTS):
        x = np.concatenate([inputs[j], heard[j]])
        after = torch_gru(agent, relu(through(agent, "fc1", x)), memory[j])
        np.testing.assert_allclose(remembered[j], after, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(q[j], through(agent, "fc2", after), rtol=1e-4, atol=1e-5)
        logits = x
        for name in ("inference_model.0", "inference_model.2", "inference_model.4"):
            logits = through(comm, name, logits if name.endswith("0") else relu(logits))
        np.testing.assert_allclose(reported["posterior_logits"][j], logits, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("layers", [1, 2])
def test_a_mixer_is_that_of_the_released_module(layers):
    rng = np.random.default_rng(2)
    arrays = mixer_of(rng, layers)
    agent, comm, _ = released(0)
    values, state = rng.normal(size=AGENTS), rng.normal(size=STATE)
    params = ndq_from_torch(agent, comm, arrays)["mixer"]
    given = jnp.asarray(values, jnp.float32), jnp.asarray(state, jnp.float32)
    found = MonotonicMixer(hypernet_layers=layers).apply(params, *given)
    np.testing.assert_allclose(found, torch_mixer(arrays, values, state, layers), rtol=1e-4)


def test_training_starts_from_given_parameters(algorithm):
    params = ndq_from_torch(*released(0))
    key = jax.random.PRNGKey(0)
    one, several = jax.jit(algorithm.init)(key), jax.jit(jax.vmap(algorithm.init))(jax.random.split(key, 2))
    for state in (one, several):
        begun = mc.with_params(state, params)
        for tree in (begun.params, begun.target_params):
            jax.tree.map(lambda a, b: np.testing.assert_array_equal(*np.broadcast_arrays(a, b)), tree, params)
        assert jax.tree.map(jnp.shape, begun) == jax.tree.map(jnp.shape, state)
    kept = mc.with_params(one, {"agent": params["agent"]})
    jax.tree.map(np.testing.assert_array_equal, kept.params["mixer"], one.params["mixer"])


def test_what_does_not_fit_is_named(algorithm):
    agent, comm, mixer = released(0)
    params = ndq_from_torch(agent, comm, mixer)
    state = jax.eval_shape(algorithm.init, jax.random.PRNGKey(0))
    with pytest.raises(ValueError, match=r"fc2\.bias"):
        from_torch({name: x for name, x in agent.items() if name != "fc2.bias"}, AGENT)
    with pytest.raises(ValueError, match="critic"):
        mc.with_params(state, {"critic": params["mixer"]})
    wider = from_torch(agent | linear(np.random.default_rng(0), "fc2", HIDDEN, 5), AGENT)
    with pytest.raises(ValueError, match="head"):
        mc.with_params(state, {"agent": {"params": {**params["agent"]["params"], **wider}}})
    with pytest.raises(ValueError, match="channel"):
        mc.with_params(state, {"agent": {"params": from_torch(agent, AGENT)}})
