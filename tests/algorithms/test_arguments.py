"""What factories are given is checked in Python as on the command line; numbers of numpy are recorded as Python's."""

from __future__ import annotations

import json

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import marlcomm as mc
from marlcomm.validation import UsageError


@pytest.fixture(scope="module")
def env():
    return mc.make_env("sensor")


SMALL = {"hidden": 8, "num_envs": 2, "batch_episodes": 2, "replay_episodes": 4}


@pytest.mark.parametrize(
    ("name", "settings", "said"),
    [
        ("ndq", {"beta": "a"}, "beta='a' .*must be float"),
        ("ndq", {"beta": float("nan")}, "beta=nan must be a number"),
        ("ndq", {"beta": [0.1, 0.2]}, "beta=.*must be float"),
        ("ndq", {"message_dims": 1.5}, r"message_dims=1\.5 .*must be int"),
        ("ndq", {"paper": 1}, "paper=1 .*must be bool"),
        ("ndq", {"num_envs": 1.5}, r"num_envs=1\.5 .*must be int"),
        ("ndq", {"num_envs": 0}, "num_envs"),
        ("ndq", {"learning_rate": None}, "learning_rate=None .*must be float"),
        ("ndq", {"discount": 1.5}, "discount"),
        ("ndq", {"betta": 1.0}, r"'betta'.* Did you mean 'beta'\?"),
        ("ndq", {"num_env": 1.0}, r"'num_env'.* Did you mean 'num_envs'\?"),
        ("ndq", {"hidden": "8"}, "hidden='8' .*must be int"),
        ("ndq", {"channel": "meen"}, r"'meen'.* Did you mean 'mean'\?"),
        ("ndq", {"channel": 3}, "channel=3 must be a flax module, or a word such as 'aggregation'"),
        ("ndq", {"channel": "mean", "beta": 1.0}, "has no setting 'beta'"),
        ("qmix", {"channel": "mean", "channel.round": 2}, r"'channel\.round'.* Did you mean 'channel\.rounds'\?"),
        ("qmix", {"channel": "mean", "channel.rounds": "two"}, r"channel\.rounds='two' .*must be int"),
        ("qmix", {"channel": "mean", "channel.graph": "ring"}, r"graph='ring' must be a word such as 'within_reach:1'"),
        ("qmix", {"channel": "mean", "channel.graph": False}, "graph=False must be rows of who reaches whom"),
        ("qmix", {"hypernet_layers": 2, "mixer.hypernet_layers": 1}, "are the same setting"),
        ("qmix", {"critic": "central"}, "the value learner has no critic"),
        ("maddpg", {"mixer": "sum"}, "the off-policy actor-critic learner has no mixer"),
        ("rgmcomm", {"losses.labels.rowz": 3}, r"Did you mean 'losses\.labels\.rows'\?"),
        ("qmix", {"mixer": "summ"}, r"'summ'.* Did you mean 'sum'\?"),
        ("qmix", {"mixer": mc.SumMixer}, "mixer=.*must be a flax module"),
        ("dial", {"mixer": "sun"}, "No mixer is called 'sun'"),
        ("maddpg", {"saturation": True}, "saturation=True .*must be float"),
        ("maddpg", {"recurrent": "yes"}, "recurrent='yes' .*must be bool"),
        ("maddpg", {"critic": 3}, "critic=3 must be a flax module"),
        ("maddpg", {"optimizer": "adamm"}, r"optimizer='adamm' .* Did you mean 'adam'\?"),
        ("mappo", {"epochs": 2.5}, r"epochs=2\.5 .*must be int"),
        ("mappo", {"optimizer": optax.adam}, r"optimizer=adam must be .*optax\.adam\(1e-3\)"),
        ("mappo", {"optimizer": 3}, "optimizer=3 must be an optax"),
        ("mappo", {"optimizer": optax.adam(1e-3), "learning_rate": 1e-4}, "learning_rate"),
        ("mappo", {"optimizer": optax.adam(1e-3), "gradient_clip": 1.0}, "gradient_clip"),
        ("maddpg", {"optimizer": optax.adam(1e-3), "critic_learning_rate": 1e-4}, "critic_learning_rate"),
        ("qmix", {"losses": {"mine": lambda *x: (0.0, {})}}, "'mine' has no weight"),
        ("qmix", {"losses": {"mine": 3}, "weights": {"mine": 1.0}}, "mine=3 must be a function"),
        ("qmix", {"weights": {"mine": 1.0}}, "'mine', which is no loss"),
        (
            "qmix",
            {"losses": {"env_steps": lambda *x: (0.0, {})}, "weights": {"env_steps": 1.0}},
            "called .env_steps",
        ),
        (
            "qmix",
            {"losses": {"test_won": lambda *x: (0.0, {})}, "weights": {"test_won": 1.0}},
            "called .test_won",
        ),
        ("mappo", {"weights": {"value": "much"}}, r"weights\.value='much' .*must be float"),
    ],
)
@pytest.mark.parametrize("by_name", [False, True])
def test_what_cannot_be_is_refused_by_name(env, name, settings, said, by_name):
    with pytest.raises(ValueError, match=said):
        mc.make_algorithm(name, env, **settings) if by_name else getattr(mc, name)(env, **settings)


def test_builders_check_too(env):
    with pytest.raises(UsageError, match=r"hidden=1\.5"):
        mc.build("value", env, mixer=mc.SumMixer(), hidden=1.5)  # pyright: ignore[reportArgumentType]
    with pytest.raises(UsageError, match="env='sensor'"):
        mc.build("on_policy", "sensor")  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("env", ["sensor", "rgmcomm", None, mc.Environment])
@pytest.mark.parametrize("name", ["ndq", "rgmcomm_qmix", "maddpg"])
def test_what_is_no_task_is_refused(env, name):
    with pytest.raises(UsageError, match=r"env=.* must be a task, such as make_env"):
        getattr(mc, name)(env)


@pytest.mark.parametrize("by_name", [False, True])
def test_numbers_of_numpy_are_recorded_as_pythons(by_name):
    env = mc.make_env("hallway", lengths=np.array([2, 3]), reward_win=np.float32(2))
    given = {"hidden": np.int64(8), "beta": np.float32(0.5), "num_envs": jnp.int32(4), "last_action": np.bool_(True)}
    made = mc.make_algorithm("ndq", env, **given) if by_name else mc.ndq(env, **given)
    described = made.describe()
    assert json.loads(json.dumps(described)) == described
    assert described["settings"] == {"hidden": 8, "beta": 0.5, "num_envs": 4, "last_action": True}
    assert described["task_options"] == {"lengths": [2, 3], "reward_win": 2.0}


def test_whole_numbers_pass_as_floats_and_floats_that_are_whole_as_ints(env):
    made = mc.ndq(env, beta=1, num_envs=4.0)  # pyright: ignore[reportArgumentType]
    assert (made.hparams.weights["succinctness"], made.learner.config.num_envs) == (1.0, 4)
    assert type(made.learner.config.num_envs) is int


def test_a_traced_number_passes(env):
    algorithm = mc.ndq(env)
    found = jax.vmap(lambda beta: algorithm.with_hparams(beta=beta).hparams.weights["succinctness"])(jnp.arange(3.0))
    np.testing.assert_array_equal(found, [0, 1, 2])


def test_what_an_own_optimizer_never_asks_for_cannot_be_swept(env):
    algorithm = mc.qmix(env, optimizer=optax.adam(1e-3))
    with pytest.raises(UsageError, match="learning_rate"):
        algorithm.with_hparams(learning_rate=1e-4)
    with pytest.raises(UsageError, match="learning_rate"):
        mc.train(algorithm, steps=100, hparams={"learning_rate": [1e-3, 1e-4]}, progress=False)
    assert (
        mc.qmix(env, optimizer=lambda h: optax.adam(h.learning_rate), learning_rate=1e-4).hparams.learning_rate == 1e-4
    )


@pytest.mark.parametrize("name", ["num_envs", "dims", "channel.dims"])
def test_what_fixes_a_shape_cannot_be_swept(env, name):
    with pytest.raises(UsageError, match=f"{name} fixes a shape"):
        mc.ndq(env).with_hparams(**{name: 4})


@pytest.mark.parametrize("found", [0.0, (0.0,), (jnp.zeros(2), {}), (0.0, 1.0)])
def test_a_loss_that_gives_no_pair_is_named(env, found):
    algorithm = mc.qmix(env, **SMALL).with_loss("mine", lambda *given: found, 1.0)
    with pytest.raises(UsageError, match=r"'mine'.*a number of shape"):
        jax.eval_shape(lambda key: algorithm.step(algorithm.init(key)), jax.random.PRNGKey(0))


def test_a_loss_is_checked_when_it_joins(env):
    with pytest.raises(UsageError, match="mine=3"):
        mc.qmix(env).with_loss("mine", 3, 1.0)  # pyright: ignore[reportArgumentType]
    with pytest.raises(UsageError, match="weight='much'"):
        mc.qmix(env).with_loss("mine", lambda *given: (0.0, {}), "much")  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: mc.ClusterChannel(alphabet=8), "vocab_size"),
        (lambda: mc.MeanChannel(hops=8), "rounds"),
        (lambda: mc.GatedChannel(hops=8), "rounds"),
        (lambda: mc.DiscreteChannel(words=8), "message_length"),
        (lambda: mc.losses.LabelLoss(neighbours=8), "neighbors"),
    ],
)
def test_old_names_of_fields_work_with_one_warning(make, field):
    with pytest.warns(FutureWarning, match=field) as warned:
        made = make()
    assert (getattr(made, field), [warning.filename for warning in warned]) == (8, [__file__])


@pytest.mark.parametrize(
    ("name", "settings", "today"),
    [
        ("commnet_qmix", {"hops": 2}, {"rounds": 2}),
        ("rgmcomm", {"labels": 8}, {"vocab_size": 8}),
        ("ndq", {"cut_in_training": False}, {"training_edit": None}),
        ("qmix", {"channel": "mean", "channel.hops": 2}, {"channel": "mean", "channel.rounds": 2}),
        (
            "qmix",
            {"cut_in_training": True, "cut_share": 0.5},
            {"training_edit": "random_cut", "training_edit.share": 0.5},
        ),
        (
            "mappo",
            {"cut_start": 9.0, "cut_in_training": True},
            {"training_edit": "random_cut", "training_edit.start": 9.0},
        ),
        ("dial", {"mixing": "none"}, {"mixer": "none"}),
        ("rgmcomm_qmix", {"weights": {"teacher": 2.0}}, {"weights": {"joint_critic": 2.0}}),
        ("rgmcomm_qmix", {"weights.teacher": 2.0}, {"weights.joint_critic": 2.0}),
    ],
)
def test_old_names_of_settings_are_recorded_as_todays(env, name, settings, today):
    with pytest.warns(FutureWarning) as warned:
        assert mc.make_algorithm(name, env, **settings).settings == today
    assert [warning.filename for warning in warned] == [__file__] * len(settings.keys() - {"channel"})


def test_old_names_reach_the_builder(env):
    with pytest.warns(FutureWarning):
        made = [
            mc.value_based("x", env, mixer=mc.SumMixer(), optimiser="adam", epsilon_start=0.5),
            mc.build("value", env, channel="mean", exploration_start=0.5, **{"channel.hops": 2}),
        ]
    assert [float(algorithm.hparams.exploration_start) for algorithm in made] == [0.5, 0.5]
    assert made[1].learner.agent.channel.rounds == 2
    with pytest.warns(FutureWarning):
        assert mc.policy_based("x", env, trace=0.9).hparams.gae_lambda == 0.9


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize(
    "given",
    [
        {"epsilon_start": 0.5, "exploration_start": 0.6},
        {"cut_in_training": True, "training_edit": "drop:0.5"},
        {"weights.teacher": 0.5, "weights.joint_critic": 0.5},
    ],
)
def test_an_old_name_beside_todays_is_refused(env, given):
    with pytest.raises(UsageError, match="give one of"):
        mc.rgmcomm_qmix(env, **given)
