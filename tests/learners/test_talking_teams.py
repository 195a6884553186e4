"""Channels that talk after the memory, carry state, add to action values or know of training, in every learner."""

import functools

import jax
import numpy as np
import pytest
from talkers import OnChange, Plain, Restless, Unsure
from toy_env import Toy

import marlcomm as mc
from marlcomm.algorithms import build
from marlcomm.messages import Delay, Silence
from marlcomm.networks import MonotonicMixer
from marlcomm.validation import UsageError

KEY = jax.random.PRNGKey(0)
SIZES = {"hidden": 6, "num_envs": 4}
LEARNERS = {
    "value": functools.partial(
        build, "value", mixer=MonotonicMixer(embedding=4), batch_episodes=4, replay_episodes=8, **SIZES
    ),
    "off-policy": functools.partial(
        build, "actor_critic", recurrent=True, batch_steps=20, replay_steps=80, update_interval=10, **SIZES
    ),
    "on-policy": functools.partial(build, "on_policy", epochs=1, **SIZES),
}
CHANNELS = {
    "after, asking": Unsure(after_memory=True),
    "after, state, late": OnChange(after_memory=True, delay=1),
    "before, state": OnChange(),
}


@functools.cache
def team(learner, channel):
    return LEARNERS[learner](Toy(), channel=CHANNELS[channel])


@pytest.mark.parametrize(
    ("learner", "channel"),
    [("value", "after, asking"), ("off-policy", "after, state, late"), ("on-policy", "before, state")],
)
def test_training_moves_the_sender(learner, channel):
    algorithm = team(learner, channel)
    start, step = jax.jit(algorithm.init)(KEY), jax.jit(algorithm.step)
    state = start
    for _ in range(3):
        state, metrics = step(state)
    assert bool(state.healthy)
    assert np.isfinite(metrics["loss"])
    if channel != "after, asking":  # whose answers are the action values themselves
        before, after = (jax.tree.leaves(each.params["agent"]["params"]["channel"]) for each in (start, state))
        assert all(np.any(a != b) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("channel", ["after, asking", "after, state, late"])
def test_learning_on_policy_acts_as_it_acted(channel):
    """Given the keys, states and all, the logits are those that the actions were drawn from."""
    algorithm = team("on-policy", channel)
    state = jax.jit(algorithm.init)(KEY)

    @jax.jit
    def both(state):
        episodes, decisions, _ = algorithm.play(state.params, KEY, exploration=1.0, training=True)
        unroll = algorithm.learner.unroll(state.params, state, episodes, decisions, KEY)
        return unroll, decisions, episodes

    unroll, decisions, episodes = both(state)
    real = np.asarray(episodes.valid)[..., None] & np.asarray(episodes.alive)[:, :-1]
    np.testing.assert_allclose(np.asarray(unroll.log_prob)[real], np.asarray(unroll.old_log_prob)[real], atol=1e-5)
    np.testing.assert_array_equal(unroll.messages.sent[:, :-1], decisions.messages.sent)


def test_edits_hold_in_evaluation_and_a_policy_acts():
    algorithm = team("value", "after, state, late")
    state = jax.jit(algorithm.init)(KEY)

    @jax.jit
    def sent(edit):
        return algorithm.play(state.params, KEY, edit=edit)[1].messages.sent

    between = ~np.eye(3, dtype=bool)[..., None]
    assert not np.any(np.asarray(sent(Silence())) & between)
    assert np.any(np.asarray(sent(None)) & between)
    assert np.any(np.asarray(jax.jit(lambda: algorithm.play(state.params, KEY, edit=Delay(2)))()[1].messages.sent))
    policy = mc.Policy(algorithm, state.params)
    _, first = Toy().reset(KEY)
    memory = policy.initial_memory()
    for _ in range(2):
        action, memory, _ = policy.act(first.observation, memory, KEY)
    assert action.shape == (3,)


def test_only_training_is_told_that_it_is():
    """The channel makes noise in training: acting, learning and evaluating see what is theirs."""
    algorithm = LEARNERS["value"](Toy(), channel=Restless())

    @jax.jit
    def drawn():
        state = algorithm.init(KEY)
        (episodes, evaluating, _), (_, acting, _) = (
            algorithm.play(state.params, KEY, training=training) for training in (False, True)
        )
        learning = algorithm.learner.unroll(state.params, state.target_params, episodes, algorithm.hparams, KEY)
        return [each.auxiliary["drawn"] for each in (evaluating, acting, learning)]

    evaluating, acting, learning = drawn()
    assert not np.any(evaluating)
    assert np.all(acting)
    assert np.all(learning)


def test_a_channel_of_wrong_shapes_is_refused_where_the_algorithm_is_made():
    class OneRowForAll(Plain):
        def receive(self, inputs, messages):
            return messages.content.sum((-3, -2)), {}

    with pytest.raises(UsageError, match=r"OneRowForAll gives features of shape \(8, 1\): must be \(8, 3, any\)"):
        LEARNERS["value"](Toy(), channel=OneRowForAll())
