"""A loss, a channel and a task of one's own, each written here as a user would, with no edit to the package."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn

import marlcomm as mc
from marlcomm.algorithms.kinds import VALUE
from marlcomm.messages import by_receiver, offer, to_everybody
from marlcomm.networks.layers import Linear
from marlcomm.training import RunFolderError

SMALL = {"num_envs": 4, "batch_episodes": 8, "replay_episodes": 64, "hidden": 8}


class GuessState(NamedTuple):
    secret: jax.Array
    step_count: jax.Array


class Guess(mc.Environment[GuessState]):
    """Agent 0 sees a secret bit; both are rewarded when agent 1 names it."""

    def __init__(self) -> None:
        self.num_agents, self.num_actions, self.observation_size, self.state_size, self.horizon = 2, 2, 1, 1, 1
        super().__init__()

    def reset(self, key):
        state = GuessState(jax.random.bernoulli(key), jnp.int32(0))
        return state, mc.restart(self._observe(state))

    def step(self, state, action):
        state = state._replace(step_count=state.step_count + 1)
        reward = jnp.where(action[1] == state.secret, 1.0, 0.0)
        return state, mc.timestep(self._observe(state), reward, terminal=jnp.bool_(True))

    def _observe(self, state):
        view = jnp.stack([state.secret.astype(jnp.float32), jnp.float32(0.0)])[:, None]
        return self.observe(view, jnp.zeros(1), state.step_count)


class Signs(mc.Channel):
    """One number to everybody, pushed through tanh."""

    def setup(self) -> None:
        self.encoder = Linear(1)

    def send(self, inputs, memory, key):
        word = jnp.tanh(self.encoder(inputs))  # [..., N, 1]
        return offer(to_everybody(word)), {"word": word}

    def receive(self, inputs, messages):
        return by_receiver(messages.content), {}


def loudness_loss(unroll, episodes, hparams):
    """Mean square of what is said."""
    steps = episodes.valid.shape[1]
    said = jnp.square(unroll.auxiliary["word"][:, :steps, :, 0]).mean(-1)
    loss = jnp.where(episodes.valid, said, 0.0).sum() / episodes.valid.sum()
    return loss, {}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    algorithm = mc.qmix(Guess(), channel=Signs(), optimizer=optax.adam(3e-3), exploration_steps=2000, **SMALL)
    algorithm = algorithm.with_loss("loudness", loudness_loss, 1e-4)
    out = tmp_path_factory.mktemp("runs") / "signs"
    return mc.train(algorithm, steps=8000, seeds=2, evaluations=1, out=out, progress=False)


def test_own_task_keeps_the_contract():
    mc.check_env(Guess())
    assert mc.ndq(Guess(), **SMALL).env.num_agents == 2


def test_own_channel_loss_and_optimizer_train_on_own_task(trained):
    returns = [member["return"] for member in trained.summary["members"]]
    assert max(returns) > 0.95  # without messages the best is 0.5
    assert np.isfinite(trained.metrics["loudness"]).all()


def test_own_channel_is_what_wins(trained):
    silenced = mc.evaluate(trained, edits=["silence"], episodes=400)
    assert (silenced["return"] < 0.65).all()
    assert (silenced["bits_per_step"] == 0).all()
    controlled = mc.evaluate(trained, edits=["quantize:1", "random"], episodes=400)
    assert (controlled["return"] < 0.65).all(), "as loud as ever, but without information"
    assert (controlled["bits_per_step"] == 2).all()


def test_own_channel_is_inspected(trained):
    with pytest.raises(RunFolderError, match="no code: pass what was trained, algorithm="):
        mc.inspect_run(trained.folder)
    page = mc.inspect_run(mc.load_run(trained.folder, algorithm=trained.algorithm), episodes=50)
    assert page == trained.folder / "inspection.html"
    text = " ".join(html.unescape(re.sub(r"<style.*?</style>|<[^>]*>", " ", page.read_text(), flags=re.DOTALL)).split())
    assert re.search(r"\b64 bits\b", text)  # a step: a real number from each of two to the other
    assert re.search(r"\b1 of 2\b", text)  # directions in which messages depend on what the sender sees
    assert "0 → 1" in text
    assert '"type": "Signs"' in text  # among the settings


def test_own_loss_has_a_weight_that_can_be_swept():
    algorithm = mc.qmix(Guess(), channel=Signs(), optimizer=optax.adam(1e-2), **SMALL)
    algorithm = algorithm.with_loss("loudness", loudness_loss, 0.0)
    result = mc.train(algorithm, steps=1000, hparams={"weights.loudness": [0.0, 100.0]}, evaluations=1, progress=False)
    free, pressed = result.metrics["loudness"][-1]
    assert pressed < 0.05 * free


def test_own_agent_network_and_mixer():
    class Feedforward(nn.Module):
        num_actions: int

        def initial_memory(self, *batch):
            return jnp.zeros((*batch, 1))

        @nn.compact
        def step(self, memory, inputs, alive, key, edit=None):
            nothing = offer(jnp.zeros((*inputs.shape[:-1], inputs.shape[-2], 0)))
            return memory, nn.Dense(self.num_actions)(inputs), nothing, {}

        def unroll(self, inputs, alive, key, edit=None):
            _, q, messages, auxiliary = self.step(None, inputs, alive, key, edit)
            return q, messages, auxiliary

    class Twice(nn.Module):
        team: bool = True

        def __call__(self, values, state):
            return 2.0 * values.sum(-1, keepdims=True)

    env = Guess()
    algorithm = mc.build("value", env, name="mine", mixer=Twice(), agent=Feedforward(env.num_actions), **SMALL)
    state, metrics = jax.jit(algorithm.step)(algorithm.init(jax.random.PRNGKey(0)))
    assert int(state.env_steps) == 4
    assert np.isfinite(metrics["loss"])
    assert set(state.params["mixer"]) == set()


def test_registered_task_and_algorithm_go_by_name():
    mc.register_env("guess_test", Guess)
    mc.register_algorithm("signs_test", lambda env, **settings: mc.qmix(env, channel=Signs(), **settings))
    algorithm = mc.make_algorithm("signs_test", mc.make_env("guess_test"), hidden=8)
    assert algorithm.describe()["task"] == "guess_test"
    assert algorithm.settings == {"hidden": 8}


def test_a_learner_of_your_own_goes_by_its_name():
    mc.register_learner("summed_test", replace(VALUE, parts={**VALUE.parts, "mixer": "sum"}))
    assert isinstance(mc.build("summed_test", Guess(), **SMALL).learner.mixer, mc.SumMixer)

    @mc.register_algorithm("own_learner_test", learner="summed_test")
    def own(env, *, loud: bool = False, **settings):
        return mc.build("summed_test", env, channel="mean" if loud else "silent", **settings)

    settings = mc.algorithm_settings("own_learner_test")
    assert settings["loud"] == (bool, False)
    assert settings["mixer"][1] == "sum"
    made = mc.make_algorithm("own_learner_test", Guess(), loud=True, **SMALL)
    assert isinstance(made.learner.agent.channel, mc.MeanChannel)
    assert made.settings == {"loud": True, **SMALL}


@mc.register_channel("whispers_test")
class Whispers(Signs):
    """One number to everybody, as quiet as can be."""

    loudness: float = 1.0

    @nn.nowrap
    def losses(self):
        return {"loudness": mc.ChannelLoss(loudness_loss, 0.5, short_name="quiet")}


def test_a_channel_of_your_own_goes_by_its_name_and_brings_its_loss():
    algorithm = mc.qmix(Guess(), channel="whispers_test", quiet=0.25, **{"channel.loudness": 2.0}, **SMALL)
    assert algorithm.learner.agent.channel.loudness == 2.0
    assert float(algorithm.hparams.weights["loudness"]) == 0.25
    assert np.isfinite(jax.jit(algorithm.step)(algorithm.init(jax.random.PRNGKey(0)))[1]["loudness"])
    again = mc.make_algorithm("qmix", Guess(), **algorithm.settings)
    assert again.describe() == algorithm.describe()
    silent = mc.qmix(Guess(), channel="whispers_test", losses={"loudness": None}, **SMALL)
    assert list(silent.learner.losses) == ["temporal_difference"]
