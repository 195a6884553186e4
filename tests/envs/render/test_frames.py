"""Pictures: every task draws itself, and an animation has a frame for each state."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from marlcomm.envs import animate_episode, draw_frame, make_env
from marlcomm.envs.render.messages import draw_messages, message_text
from marlcomm.validation import UsageError

TASKS = [
    ("sensor", {}),
    ("hallway", {"lengths": (2, 3, 2), "groups": (0, 0, 1), "start_delay": 4}),
    ("search", {}),
    ("maze", {}),
    ("matrix_game", {}),
    ("sensor_grid", {}),
    ("switch_riddle", {"bulb": True}),
    ("whisper", {}),
    ("traffic_junction", {"difficulty": "medium"}),
    ("red_blue_doors", {}),
    ("find_goal", {}),
]


@pytest.fixture(scope="module")
def episode():
    env = make_env("hallway")
    state, _ = jax.jit(env.reset)(jax.random.key(1))
    states, rewards = [state], []
    for _ in range(3):
        state, step = jax.jit(env.step)(state, jnp.array([0, 2]))
        states.append(state)
        rewards.append(np.asarray(step.reward))
    return env, states, np.stack(rewards), np.array([[0, 2]] * 3)


@pytest.mark.parametrize(("name", "options"), TASKS)
def test_tasks_draw_themselves(name, options):
    env = make_env(name, **options)
    axes = Figure().add_subplot()
    state, _ = jax.jit(env.reset)(jax.random.key(0))
    env.draw(axes, state)
    words = {text.get_text() for text in axes.texts}
    assert "has no drawing" not in " ".join(words)
    assert len(axes.patches) >= env.num_agents
    if name != "matrix_game":
        assert {str(agent) for agent in range(env.num_agents)} <= words


def test_a_frame_says_who_says_what():
    env = make_env("maze")
    state, _ = jax.jit(env.reset)(jax.random.key(0))
    content = np.full((2, 2, 1), 5.2)
    sent = np.zeros((2, 2, 1), bool)
    sent[1, 0] = True
    figure = draw_frame(env, state, content=content, sent=sent, actions=[0, 4], title="step 1")
    words = [text.get_text() for text in figure.axes[1].texts]
    assert words.count("+5.2") == 1
    assert {"down", "stay"} <= set(words)
    assert figure.axes[1].get_title() == "messages: 1 number sent"
    assert len(draw_frame(env, state).axes) == 1


def test_many_agents_are_a_table_of_who_says_what_to_whom():
    content, sent = np.zeros((7, 7, 2)), np.zeros((7, 7, 2), bool)
    content[2, 5], sent[2, 5, 0], sent[3, 3] = (5.2, 1.0), True, True  # the last one to itself
    axes = Figure().subplots()
    draw_messages(axes, content, sent, [f"does {agent}" for agent in range(7)])
    places = {text.get_text(): text.get_position() for text in axes.texts}
    says, sender = places["+5.2\n·"], places["does 2"]
    receiver = max(text.get_position() for text in axes.texts if text.get_text() == "5")  # the head of its column
    assert (says[1], says[0]) == pytest.approx((sender[1], receiver[0]))
    assert sum("\n" in text for text in places) == 1, "nobody else says anything to another"


@pytest.mark.parametrize("stacked", [False, True])
def test_gif_has_a_frame_for_each_state(episode, tmp_path, stacked):
    env, states, rewards, actions = episode
    given = jax.tree.map(lambda *leaves: jnp.stack(leaves), *states) if stacked else states
    content = np.arange(12.0).reshape(3, 2, 2, 1)
    told = []
    path = animate_episode(
        env,
        given,
        tmp_path / "new" / "episode.gif",
        actions=actions,
        content=content,
        rewards=rewards,
        dots_per_inch=40,
        progress_callback=lambda *how_far: told.append(how_far),
    )
    with Image.open(path) as image:
        assert image.n_frames == 4
    assert told == [(frame, 4) for frame in range(4)]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"actions": np.zeros((4, 2), int)}, "actions has 4 steps; with 4 states it must have 3"),
        ({"actions": np.zeros((3, 3), int)}, r"actions have shape \(3,\) at one step; it must be \[2\]"),
        ({"content": np.zeros((3, 2, 3, 1))}, r"it must be \[2, 2, D\]"),
        ({"sent": np.ones((3, 2, 2, 1), bool)}, "sent was given without content"),
        ({"path": "episode.avi"}, "suffix must be .gif or .mp4"),
        ({"frames_per_second": 0}, "must be above 0"),
    ],
)
def test_wrong_arguments(episode, tmp_path, changes, message):
    env, states, _, actions = episode
    changes = {"actions": actions, **changes}
    path = tmp_path / changes.pop("path", "episode.gif")
    with pytest.raises(ValueError, match=message):
        animate_episode(env, states, path, **changes)
    assert not path.exists()


def test_without_ffmpeg_there_is_a_gif(episode, tmp_path, monkeypatch):
    env, states, _, actions = episode
    monkeypatch.setattr("matplotlib.animation.FFMpegWriter.isAvailable", lambda: False)
    with pytest.raises(UsageError, match=r"ffmpeg, which is not installed; write a .gif"):
        animate_episode(env, states, tmp_path / "episode.mp4", actions=actions)


def test_words_beside_an_arrow():
    everything = np.ones(6, bool)
    assert message_text(np.array([1.25, -2.0]), np.array([True, False])) == "+1.2 ·"
    assert message_text(np.eye(6)[4], everything) == "label 4"
    assert message_text(np.arange(6.0), everything) == "6 numbers"
