"""What a method has by default, or as published, fits the parts that are chosen in place of its own."""

import pytest

import marlcomm as mc

ENV = mc.make_env("hallway", lengths=(2, 2))


@pytest.mark.parametrize("name", ["maic", "masia", "vbc", "tmc", "cacom", "ndq"])
def test_published_weights_go_with_the_channel_that_brings_the_losses(name):
    algorithm = mc.make_algorithm(name, ENV, paper=True, channel="mean")
    assert list(algorithm.learner.losses) == ["temporal_difference"]


def test_a_loss_of_the_mixer_is_left_out_as_published():
    assert list(mc.qtran(ENV, paper=True, mixer="qplex").learner.losses) == ["temporal_difference"]
    without = mc.qtran(ENV, paper=True, **{"losses.nonoptimality": None})
    assert list(without.learner.losses) == ["temporal_difference", "optimality"]


@pytest.mark.parametrize("name", ["dop", "rgmcomm_dop"])
def test_a_decomposed_critic_is_as_large_as_the_actors(name):
    critic = mc.make_algorithm(name, ENV, hidden=16, layers=1, shared_critic=True).learner.critic
    assert (critic.hidden, critic.layers, critic.shared) == (16, 1, True)
    assert mc.make_algorithm(name, ENV, hidden=16, **{"critic.hidden": 8}).learner.critic.hidden == 8


def test_a_weight_that_was_given_is_not_dropped():
    with pytest.raises(ValueError, match=r"weights\.teammate_model"):
        mc.maic(ENV, channel="mean", teammate_model=0.5)
