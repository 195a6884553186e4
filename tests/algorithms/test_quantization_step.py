"""`quantization_step` puts a quantizer around the channel of any algorithm, and its bits among the losses."""

import jax
import numpy as np
import pytest

import marlcomm as mc
from marlcomm.validation import UsageError

SMALL = {"hidden": 8, "num_envs": 2}
ON_REPLAY = SMALL | {"batch_episodes": 2, "replay_episodes": 8}
TALKING = {
    "ndq": ON_REPLAY,
    "commnet": SMALL,
    "ic3net": SMALL,
    "tarmac_maddpg": SMALL | {"batch_steps": 4, "replay_steps": 64, "update_interval": 16},
}


def made(name="ndq", **settings):
    return mc.make_algorithm(name, mc.make_env("hallway", lengths=(2, 2)), **TALKING[name], **settings)


@pytest.mark.parametrize("name", TALKING)
def test_every_learner_is_given_the_bits_of_a_quantized_channel(name):
    plain, algorithm = made(name), made(name, quantization_step=0.5, **{"weights.bits": 1e-3})
    channel = algorithm.learner.agent.channel
    assert isinstance(channel, mc.QuantizedChannel)
    assert type(channel.channel) is type(plain.learner.agent.channel)
    assert channel.step == 0.5
    assert channel.channel.num_agents == 2
    assert set(algorithm.learner.losses) == {*plain.learner.losses, "bits"}
    assert float(algorithm.hparams.weights["bits"]) == np.float32(1e-3)


# the others are trained in test_trained_bits.py, where what they pay falls
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) for name in TALKING if name != "ic3net"] + ["ic3net"]
)
def test_every_learner_pays_bits_in_training(name):
    algorithm = made(name, quantization_step=0.5, **{"weights.bits": 1e-3})
    _, metrics = jax.jit(lambda key: algorithm.step(algorithm.init(key)))(jax.random.PRNGKey(0))
    assert float(metrics["bits"]) > 0


def test_its_weight_is_nothing_by_default_and_can_be_swept():
    algorithm = made(quantization_step=1.0)
    assert float(algorithm.hparams.weights["bits"]) == 0.0
    assert "weights.bits" in algorithm.hparam_names()
    assert mc.algorithm_settings("ndq", quantization_step=1.0)["weights.bits"] == (float, 0.0)
    assert "weights.bits" not in mc.algorithm_settings("ndq")


def test_options_of_every_channel_hold_around_it():
    channel = made(quantization_step=1.0, delay=1, bandwidth=3).learner.agent.channel
    assert (channel.delay, channel.bandwidth) == (1, 3)


def test_a_step_that_cannot_be_is_refused_by_name():
    for step in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="quantization_step"):
            made(quantization_step=step)
    for step in ("a", "0.5", None):
        with pytest.raises(UsageError, match=r"quantization_step=.* must be float"):
            made(quantization_step=step)


def test_symbols_alone_are_not_quantized_and_a_warning_says_so():
    for channel in ("silent", "discrete", "cluster"):
        with pytest.warns(UserWarning, match=r"quantization_step=0\.5 and weights.bits do nothing"):
            quantized = mc.qmix(
                mc.make_env("hallway", lengths=(2, 2)), channel=channel, quantization_step=0.5, **ON_REPLAY
            )
        assert not quantized.learner.agent.channel.channel.says_numbers


def test_the_graph_of_a_task_holds_around_it():
    env = mc.make_env("whisper")
    channel = mc.make_algorithm("commnet_qmix", env, quantization_step=0.5, **ON_REPLAY).learner.agent.channel
    np.testing.assert_array_equal(channel.graph, env.graph)
    assert channel.channel.graph is None


def test_an_agent_of_its_own_has_its_channel():
    agent = made().learner.agent
    with pytest.raises(ValueError, match="quantization_step"):
        mc.qmix(mc.make_env("hallway", lengths=(2, 2)), agent=agent, quantization_step=1.0, **ON_REPLAY)


def test_what_is_wrong_is_said_before_what_it_hides():
    with pytest.raises(ValueError, match="quantization_step is -1"):
        made(quantization_step=-1.0, **{"weights.bits": 1e-3})
    with pytest.raises(ValueError, match=r"weights\.bits.*quantization_step"):
        made(**{"weights.bits": 1e-3})
