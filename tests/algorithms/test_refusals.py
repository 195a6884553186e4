"""What does not fit together is refused with a sentence where the algorithm is made."""

from __future__ import annotations

import pytest
from flax import linen as nn

import marlcomm as mc
from marlcomm.losses.information import RELEASED_FLOOR
from marlcomm.messages import ChannelLoss, CutBelow, RandomCut
from marlcomm.names import CHANNELS, CRITICS, MIXERS
from marlcomm.validation import UsageError


@pytest.fixture(scope="module")
def env():
    return mc.make_env("sensor")


def nothing(unroll, episodes, hparams):
    return 0.0, {}


def bringing(losses):
    """A channel that brings these."""

    class Bringing(mc.MeanChannel):
        def losses(self):
            return losses

    return Bringing()


class OneForAll(nn.Module):
    """A critic that gives one value for all agents."""

    @nn.compact
    def __call__(self, memory, state):
        return nn.Dense(1)(state)


@pytest.mark.parametrize(
    ("name", "critic", "said"),
    [
        ("maddpg", "central", "critic='central' is no critic of the off-policy .* such as ActionCritic"),
        ("maddpg", "local", "critic='local' .*shape"),
        ("maddpg", mc.CentralCritic(), "critic=CentralCritic"),
        ("mappo", mc.ActionCritic(), "critic=ActionCritic is no critic of the on-policy .* CentralCritic"),
        ("mappo", OneForAll(), "critic=OneForAll .*shape"),
        ("mappo", None, "critic=None"),
    ],
)
def test_a_critic_of_another_learner(env, name, critic, said):
    with pytest.raises(UsageError, match=said):
        mc.make_algorithm(name, env, critic=critic)


@pytest.mark.parametrize(("name", "critic"), [("maddpg", mc.ActionCritic(8)), ("mappo", mc.LocalCritic())])
def test_a_critic_that_fits_is_taken(env, name, critic):
    assert mc.make_algorithm(name, env, critic=critic).learner.critic == critic


@pytest.mark.parametrize(
    ("losses", "said"),
    [
        ({"mine": ChannelLoss(nothing, needs="joint-critic")}, "needs='joint-critic' .*Did you mean 'joint_critic'"),
        ({"mine": nothing}, "must be a mapping of names to ChannelLoss"),
        ([ChannelLoss(nothing)], "must be a mapping of names to ChannelLoss"),
        ({"temporal_difference": ChannelLoss(nothing)}, "'temporal_difference', and the value learner has one"),
        ({"joint_critic": ChannelLoss(nothing, needs="joint_critic")}, "'joint_critic', and the value learner has one"),
    ],
)
def test_losses_of_a_channel_that_cannot_be(env, losses, said):
    with pytest.raises(UsageError, match=said):
        mc.qmix(env, channel=bringing(losses))


class BringingMixer(mc.SumMixer):
    """A mixer that brings a loss as the Gaussian channel has."""

    def losses(self):
        return {"succinctness": ChannelLoss(nothing)}


def test_losses_of_a_mixer(env):
    made = mc.qmix(env, mixer=BringingMixer(), **{"weights.succinctness": 0.5})
    assert list(made.learner.losses) == ["temporal_difference", "succinctness"]
    assert float(made.hparams.weights["succinctness"]) == 0.5
    with pytest.raises(UsageError, match="channel and the mixer each bring a loss 'succinctness': rename"):
        mc.ndq(env, mixer=BringingMixer())
    assert list(mc.qtran(env).learner.losses) == ["temporal_difference", "optimality", "nonoptimality"]
    with_alone = mc.qtran(env, **{"losses.optimality": None, "weights.nonoptimality": 0.1})
    assert list(with_alone.learner.losses) == ["temporal_difference", "nonoptimality"]
    assert {"optimality", "expressiveness"} <= mc.ndq(env, mixer="qtran").learner.losses.keys()
    assert "optimality" not in mc.qtran(env, mixer="sum").learner.losses


@pytest.mark.parametrize(
    ("name", "settings", "said"),
    [
        ("rgmcomm_qmix", {"losses": {"joint_critic": None}}, r"'labels' needs it: leave losses\.labels out"),
        ("qmix", {"losses": {"temporal_difference": None}}, "Every loss is left out"),
        ("qmix", {"channel": "gated", "channel.sampled": True}, r"or leave it out with losses\.\w+=none"),
        ("qmix", {"channel": "mean", "rounds": 2}, r"Did you mean 'channel\.rounds'\?"),
        ("mappo", {"cut_share": 0.5}, r"training_edit\.share now, and goes with training_edit='random_cut'"),
        ("qmix", {"training_edit": "randomcut"}, "Did you mean 'random_cut'"),
        ("qmix", {"training_edit": "shufle"}, "Did you mean 'shuffle'"),
        ("qmix", {"training_edit": ()}, r"training_edit=\(\) must be an edit"),
        ("qmix", {"training_edit": RandomCut}, "RandomCut is a class"),
        ("ndq", {"training_edit": RandomCut(), "training_edit.shar": 0.3}, r"Did you mean 'training_edit\.share'"),
    ],
)
def test_what_would_be_right_is_said(env, name, settings, said):
    with pytest.raises(UsageError, match=said):
        mc.make_algorithm(name, env, **settings)


def test_a_learner_is_called_by_its_title(env):
    with pytest.raises(UsageError, match=r"^The value learner has no setting 'foo'"):
        mc.build("value", env, foo=1)


def test_an_edit_given_as_an_object_takes_settings(env):
    made = mc.ndq(env, training_edit=RandomCut(share=0.5, power=0.5), cut_share=0.3)
    assert made.learner.training_edit == RandomCut(share=0.3, power=0.5)
    assert float(made.hparams.training_edit["share"]) == pytest.approx(0.3)
    assert mc.qmix(env, training_edit=CutBelow(0.5)).learner.training_edit == CutBelow(0.5)


@pytest.mark.parametrize("channel", ["mean", mc.MeanChannel()])
def test_published_losses_of_a_channel_go_with_it(env, channel):
    assert list(mc.ndq(env, paper=True, channel=channel).learner.losses) == ["temporal_difference"]


def test_published_losses_stay_with_a_channel_that_brings_them(env):
    named, given = mc.ndq(env, paper=True), mc.ndq(env, paper=True, channel=mc.GaussianChannel(dims=2))
    assert getattr(named.learner.losses["expressiveness"], "keywords", None) == {"floor": RELEASED_FLOOR}
    assert given.learner.losses["expressiveness"] == named.learner.losses["expressiveness"]


@pytest.mark.parametrize(
    ("register", "names", "made"),
    [
        (mc.register_channel, CHANNELS, mc.MeanChannel()),
        (mc.register_mixer, MIXERS, mc.SumMixer()),
        (mc.register_critic, CRITICS, mc.LocalCritic()),
    ],
)
def test_only_what_makes_a_part_has_a_name(register, names, made):
    with pytest.raises(UsageError, match="must be a class"):
        register("mine")(made)
    with pytest.raises(UsageError, match="must be a string"):
        register(type(made))
    assert "mine" not in names
