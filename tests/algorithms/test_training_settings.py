"""A task may choose settings of a learner or channel: they stand above an algorithm's own, and below what is given."""

from __future__ import annotations

import pytest

import marlcomm as mc
from marlcomm.algorithms.registry import algorithm_settings, make_recorded
from marlcomm.envs import FullObservation
from marlcomm.validation import UsageError

CHOSEN = {"num_envs": 3, "discount": 0.5, "weights.succinctness": 0.25}


def task(**chosen):
    env = mc.make_env("hallway", lengths=(2, 2))
    env.training_settings = chosen
    return env


def test_what_the_task_chooses_is_taken_and_remembered():
    made = mc.ndq(task(value=CHOSEN))
    assert (made.learner.config.num_envs, made.hparams.discount) == (3, 0.5)
    assert made.hparams.weights["succinctness"] == 0.25
    assert made.settings == CHOSEN


def test_what_is_given_stands_above_it_also_by_a_short_name():
    made = mc.make_algorithm("ndq", task(value=CHOSEN), num_envs=5, beta=0.125)
    assert (made.learner.config.num_envs, made.hparams.weights["succinctness"]) == (5, 0.125)
    assert made.settings == {"discount": 0.5, "num_envs": 5, "beta": 0.125}


def test_a_task_chooses_for_a_channel_whichever_method_has_it():
    env = task(value={"num_envs": 3}, gaussian={"channel.dims": 5, "weights.succinctness": 0.25})
    for made in (mc.ndq(env), mc.qmix(env, channel="gaussian")):
        assert (made.learner.config.num_envs, made.learner.agent.channel.dims) == (3, 5)
        assert made.hparams.weights["succinctness"] == 0.25
        again = make_recorded(made.name, task(gaussian={"channel.dims": 7}), made.settings)
        assert again.describe()["resolved"] == made.describe()["resolved"]
    assert mc.ndq(env, message_dims=4).learner.agent.channel.dims == 4
    assert mc.ndq(env, paper=True).describe() == mc.ndq(task(), paper=True).describe()


def test_a_task_chooses_for_a_learner_with_a_channel():
    env = task(**{"value+gaussian": {"channel.reads_memory": True}})
    assert mc.ndq(env).learner.agent.channel.reads_memory
    assert not mc.make_algorithm("maddpg", env, channel="gaussian").learner.agent.channel.reads_memory
    assert mc.qmix(env, channel="mean").settings == {"channel": "mean"}
    with pytest.raises(UsageError, match="No learner is called 'gausian'"):
        mc.ndq(task(**{"value+gausian": {}}))


def test_it_chooses_nothing_for_other_channels_objects_and_losses_left_out():
    env = task(gaussian={"channel.dims": 5, "weights.succinctness": 0.25})
    assert mc.make_algorithm("tarmac_qmix", env).settings == mc.qmix(env).settings == {}
    assert mc.ndq(env, channel="mean").settings == {"channel": "mean"}
    assert mc.ndq(env, channel=mc.GaussianChannel(dims=1)).learner.agent.channel.dims == 1
    assert "succinctness" not in mc.ndq(env, losses={"succinctness": None}).hparams.weights


@pytest.mark.parametrize("name", ["commnet", "maddpg"])
def test_other_learners_are_left_as_they_are(name):
    assert mc.make_algorithm(name, task(value=CHOSEN)).settings == {}


def test_published_settings_are_published_settings():
    made, published = (mc.ndq(task(**chosen), paper=True) for chosen in ({"value": CHOSEN}, {}))
    assert made.describe()["resolved"] == published.describe()["resolved"]


def test_a_wrapped_task_chooses_what_the_task_inside_does():
    assert mc.qmix(FullObservation(task(value={"num_envs": 3}))).learner.config.num_envs == 3


def test_a_record_is_made_again_as_it_was_whatever_the_task_chooses_by_then():
    made = mc.ndq(task(value=CHOSEN), hidden=8)
    again = make_recorded("ndq", task(value={"batch_episodes": 4, "discount": 0.9}), made.settings)
    assert again.describe()["resolved"] == made.describe()["resolved"]
    before = make_recorded("ndq", task(value=CHOSEN), {"hidden": 8})  # by a version whose tasks chose nothing
    assert before.describe()["resolved"] == mc.ndq(task(), hidden=8).describe()["resolved"]


def test_what_no_learner_or_algorithm_has_is_refused_by_name():
    with pytest.raises(UsageError, match="No learner is called 'num_envs'"):
        mc.ndq(task(num_envs=3))
    with pytest.raises(UsageError, match="no setting 'num_env'"):
        mc.ndq(task(value={"num_env": 3}))


@pytest.mark.parametrize("name", ["traffic_junction", "3m", "1o2r_vs_4r"])
def test_settings_that_the_packages_tasks_choose_are_no_defaults_already(name):
    env = mc.make_env(name)
    assert env.training_settings
    for chooser, chosen in env.training_settings.items():
        known = algorithm_settings({"value": "qmix", "on_policy": "mappo"}.get(chooser, "ndq"))
        assert all(known[setting][1] != value for setting, value in chosen.items())
