"""Speaker-listener and reference: who knows what, who hears what, and what is paid."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compiled import compiled

from marlcomm.envs import check_env, make_env

SPEAK_2 = 2


def test_the_listener_hears_the_speaker_at_once():
    _, reset, move = compiled("speaker_listener")
    start, first = reset(jax.random.key(0))
    state, step = move(start, jnp.array([SPEAK_2, 0]))
    speaker, listener = step.observation.agents_view
    goal = int(state.goal[0])
    np.testing.assert_allclose(speaker[:3], np.where(np.arange(3) == goal, 0.65, 0.15))
    assert not speaker[3:].any()
    np.testing.assert_allclose(listener[2:8], (state.position[2:] - state.position[0]).ravel())
    np.testing.assert_array_equal(listener[8:], [0, 0, 1])
    assert not first.observation.agents_view[1, 8:].any()
    np.testing.assert_array_equal(step.observation.action_mask, [[True] * 3 + [False] * 2, [True] * 5])
    apart = state.position[2 + goal] - state.position[0]
    np.testing.assert_allclose(step.reward, [-float(apart @ apart)] * 2, rtol=1e-5)
    np.testing.assert_array_equal(state.position[1], start.position[1])  # stands still


def test_each_knows_only_the_others_goal():
    env, reset, move = compiled("reference")
    state, _ = reset(jax.random.key(0))
    state = state._replace(goal=jnp.array([0, 2]))
    state, step = move(state, jnp.array([2 + 5 * 9, 4 + 5 * 3]))  # right, word 9; up, word 3
    view = step.observation.agents_view
    np.testing.assert_allclose(view[:, 8:11], [[0.25, 0.25, 0.75], [0.75, 0.25, 0.25]])
    np.testing.assert_array_equal(np.argmax(view[:, 11:], axis=1), [3, 9])
    np.testing.assert_array_equal(view[:, 11:].sum(axis=1), [1, 1])
    apart = np.linalg.norm(state.position[:2] - state.position[np.array([2, 4])], axis=1)
    np.testing.assert_allclose(step.reward, -0.25 * apart.sum() - 0.5 * apart[::-1], rtol=1e-5)
    np.testing.assert_allclose(state.velocity, [[0.5, 0], [0, 0.5]])
    assert env.action_names[47] == "right, “9”"
    assert len(env.action_names) == env.num_actions == 50


def test_numbers_can_be_said():
    _, reset, move = compiled("reference", words=2, controls="force")
    state, _ = reset(jax.random.key(0))
    state, step = move(state, jnp.array([[1.0, 0.0, 0.5, -3.0], [0.0, 0.0, 0.25, 0.75]]))
    np.testing.assert_allclose(step.observation.agents_view[:, -2:], [[0.25, 0.75], [0.5, -1.0]])
    np.testing.assert_allclose(state.velocity, [[0.5, 0], [0, 0]])


@pytest.mark.parametrize(("name", "actions"), [("speaker_listener", 5), ("reference", 5)])
def test_without_words_only_a_channel_can_tell(name, actions):
    env, reset, move = compiled(name, words=0)
    state, _ = reset(jax.random.key(0))
    with_goals = jax.jit(jax.vmap(lambda goal: move(state._replace(goal=goal), jnp.zeros(2, jnp.int32))))
    _, steps = with_goals(jnp.arange(3)[:, None] * jnp.ones((1, len(state.goal)), jnp.int32))
    listener = steps.observation.agents_view[:, 1]
    knows = name == "reference"  # the other's goal, which here is also its own
    assert (np.ptp(listener, axis=0) > 0).any() == knows
    assert env.num_actions == actions
    assert env.observation_size == (8 if name == "speaker_listener" else 11)


@pytest.mark.parametrize(
    ("name", "options"),
    [("speaker_listener", {"words": 7, "controls": "force"}), ("reference", {})],
)
def test_contract(name, options):
    assert check_env(make_env(name, steps=4, **options), episodes=2) is None


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("reference", {"words": -1}, "reference: words=-1 must be a whole number, 0 to"),
        ("speaker_listener", {"num_landmarks": 0}, "speaker_listener: num_landmarks=0"),
    ],
)
def test_options_are_checked(name, options, message):
    with pytest.raises(ValueError, match=message):
        make_env(name, **options)
