"""Particle tasks draw every body, and continuous actions are written as numbers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compiled import compiled
from matplotlib.figure import Figure
from PIL import Image

from marlcomm.envs import animate_episode, draw_frame


@pytest.mark.parametrize(
    ("name", "options", "bodies"),
    [
        ("predator_prey", {"num_prey": 2, "view_radius": 0.4}, 3 + 2 + 2 + 3),  # and a circle of sight each
        ("navigation", {"num_agents": 3}, 3),
        ("speaker_listener", {}, 2 + 1),  # and a ring around the goal
        ("reference", {}, 2 + 2),
    ],
)
def test_every_body_is_drawn(name, options, bodies):
    env, reset, _ = compiled(name, **options)
    axes = Figure().add_subplot()
    state, _ = reset(jax.random.key(0))
    env.draw(axes, state)
    assert len(axes.patches) == bodies + 1  # and the square that they start in
    assert {str(agent) for agent in range(env.num_agents)} <= {text.get_text() for text in axes.texts}
    if name in ("navigation", "speaker_listener", "reference"):
        assert len(axes.collections) == 3  # landmarks


def test_words_are_shown():
    env, reset, move = compiled("reference")
    state, _ = reset(jax.random.key(0))
    state, _ = move(state, jnp.array([35, 20]))
    axes = Figure().add_subplot()
    env.draw(axes, state)
    assert {"“7”", "“4”"} <= {text.get_text() for text in axes.texts}


def test_continuous_actions_are_numbers(tmp_path):
    env, reset, _ = compiled("navigation", controls="force")
    state, _ = reset(jax.random.key(0))
    actions = np.array([[0.5, -1.0], [0.0, 0.25]])
    figure = draw_frame(env, state, actions=actions)
    assert figure.axes[0].get_title() == "0: +0.5 -1.0   1: +0.0 +0.2"
    with pytest.raises(ValueError, match=r"actions have shape \(2,\) at one step; it must be \[2, 2\]"):
        draw_frame(env, state, actions=[0, 1])
    path = animate_episode(env, [state, state], tmp_path / "two.gif", actions=actions[None], dots_per_inch=40)
    with Image.open(path) as image:
        assert image.n_frames == 1 or image.n_frames == 2  # two equal frames may be stored as one
