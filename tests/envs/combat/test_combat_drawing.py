"""Pictures show all that lives, by side and kind, who attacks and heals whom, and what is left of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from duels import scenario
from matplotlib.colors import same_color
from matplotlib.patches import Circle, Rectangle

from marlcomm.envs import draw_frame
from marlcomm.envs.combat import battle
from marlcomm.envs.combat.drawing import BLAST, SHIELD
from marlcomm.envs.combat.registry import task_of
from marlcomm.envs.combat.types import CombatState
from marlcomm.envs.render.palette import FLOOR, RIGHT, WRONG, agent_color


def fought(allies, enemies, options=None, **more):
    """A task, and its state at the start; `more` is of its scenario."""
    env = task_of(scenario(allies, enemies, name="drawn", **more))(**options or {})
    key = jax.random.key(0)
    nobody = jnp.zeros(env.num_agents, jnp.int32)
    return env, CombatState(*battle.start(env.roster, key, False), nobody, jnp.int32(0), key)


def changed(state, **fields):
    """The state with other values of fields, each a list over units."""
    return state._replace(units=state.units._replace(**{key: jnp.array(each) for key, each in fields.items()}))


def picture(env, state, **more):
    return draw_frame(env, state, **more).axes[0]


def circles(axes, radius):
    return [each for each in axes.patches if isinstance(each, Circle) and np.isclose(each.radius, radius)]


def bars(axes, color):
    return [each for each in axes.patches if isinstance(each, Rectangle) and same_color(each.get_facecolor(), color)]


def words(axes):
    return " ".join(text.get_text().replace("\n", "   ") for text in axes.texts)


def test_a_battle_is_drawn():
    env, state = fought([("marine", 1), ("medivac", 1)], [("stalker", 2)])
    empty = len(picture(env, state).lines)
    state = changed(
        state,
        health=[20.0, 150.0, 80.0, 0.0],
        x=[10.0, 11.0, 14.0, 20.0],
        victim=[0, -1, 0, -1],
        target=[0, 0, 0, -1],
        cooldown=[0.8, 0.0, 1.4, 0.0],
    )
    axes = picture(env, state)
    texts = [text.get_text() for text in axes.texts]
    assert texts.count("S") == 1  # the other stalker is dead
    assert {"0", "1"} <= {*texts}
    assert any("2 agents   gray: 1 enemies" in text and "S stalker" in text for text in texts)
    assert len(axes.lines) == empty + 4  # two shots, a heal, and a cross for the dead
    assert len(axes.patches) > 6
    assert {"m", "+"} <= {*texts}  # kinds of agents, beside their numbers
    assert "m marine   + medivac   S stalker" in words(axes)
    lines = [np.asarray(line.get_xdata()) for line in axes.lines]
    ends = [xs for xs in lines if len(xs) == 2]
    assert sorted(x > start for start, x in ends) == [False, False, True]  # the marine shoots to the right
    heal = next(line for line in axes.lines if line.get_marker() == "P")
    assert same_color(heal.get_color(), RIGHT)


def test_bars_are_as_long_as_what_is_left():
    env, state = fought([("marine", 1)], [("stalker", 1)])
    axes = picture(env, changed(state, health=[9.0, 40.0], shield=[0.0, 20.0]))
    wide = {color: [bar.get_width() for bar in bars(axes, color)] for color in (WRONG, RIGHT, SHIELD)}
    whole = sorted(bar.get_width() for bar in bars(axes, "white"))
    assert wide[WRONG] == pytest.approx([9 / 45 * whole[0]])  # little is left of the marine
    assert wide[RIGHT] == pytest.approx([40 / 80 * whole[1]])
    assert wide[SHIELD] == pytest.approx([20 / 80 * whole[1]])


def test_rings_say_how_far_agents_see_and_may_attack():
    options = {"sight_range": 4.0, "shoot_range": 3.0}
    env, state = fought([("marine", 1), ("overlord", 1)], [("marine", 1)], options)
    axes = picture(env, state)
    seen, shot = circles(axes, 4.0), circles(axes, 3.0)
    assert [ring.center for ring in seen] == [
        tuple(map(float, each)) for each in zip(state.units.x[:2], state.units.y[:2], strict=True)
    ]
    assert len(shot) == 1  # an overlord attacks nobody, and of enemies nothing is told
    assert same_color(shot[0].get_edgecolor()[:3], agent_color(0))
    assert seen[0].get_linestyle() != shot[0].get_linestyle() == "-"
    assert "dotted ring: sees within 4" in words(axes)
    assert "thin ring: may attack within 3" in words(axes)
    assert not circles(picture(env, changed(state, health=[0.0, 0.0, 45.0])), 4.0)


def test_many_rings_are_left_out():
    env, state = fought([("marine", 8)], [("marine", 1)])
    axes = picture(env, state)
    assert len(circles(axes, 9.0)) == 0
    assert len(circles(axes, 6.0)) == 8
    assert "sees within" not in words(axes)


def test_terrain_is_shaded_where_nobody_walks():
    rows = ("." * 30,) * 2 + ("#" * 4 + "-" * 4 + "+" * 4 + "." * 18,) + ("." * 30,) * 17
    env, state = fought([("marine", 1)], [("marine", 1)], terrain=rows)
    axes = picture(env, state)
    image = axes.images[0]
    shades = np.asarray(image.get_array())
    assert tuple(image.get_extent()) == (0, 30, 0, 20)
    assert len({tuple(shade) for shade in shades[2, [0, 4, 8, 12]]}) == 4
    assert same_color(tuple(shades[0, 0]), FLOOR)
    assert image.origin == "upper"  # rows are from the top
    assert "tinted ground" in words(axes)
    env, state = fought([("marine", 1)], [("marine", 1)])
    assert "tinted ground" not in words(picture(env, state))


def test_an_explosion_fades_with_the_cooldown_of_what_exploded():
    env, state = fought([("baneling", 1), ("marine", 1)], [("marine", 1)])

    def blasts(cooldown, health=0.0):
        axes = picture(env, changed(state, health=[health, 0.0, 45.0], cooldown=[cooldown, 0.5, 0.0]))
        return [each for each in circles(axes, 2.2) if same_color(each.get_facecolor()[:3], BLAST)]

    assert len(blasts(0.6)) == 1
    late, soon = (float(blasts(cooldown)[0].get_alpha() or 0) for cooldown in (0.2, 0.6))
    assert 0 < late < soon
    assert not blasts(0.0)
    assert not blasts(0.6, health=30.0)


def test_a_played_explosion_is_drawn():
    env, state = fought([("baneling", 1)], [("marine", 1)])
    state = changed(state, x=[19.0, 20.0])
    state, _ = env.step(state, jnp.array([6]))
    assert float(state.units.health[0]) == 0.0
    assert len(circles(picture(env, state), 2.2)) == 1


def test_the_view_stays_while_units_fight_where_they_started():
    env, state = fought([("marine", 2)], [("marine", 2)])
    start, nearer, far = (
        picture(env, changed(state, x=[left, left, right, right]))
        for left, right in ((10.0, 20.0), (13.0, 16.0), (1.0, 29.0))
    )
    assert start.get_xlim() == nearer.get_xlim()
    assert start.get_ylim() == nearer.get_ylim()
    assert 10 <= start.get_xlim()[1] - start.get_xlim()[0] < 20  # of 32
    assert far.get_xlim()[0] < 1
    assert far.get_xlim()[1] > 29


def test_who_says_what_to_whom_stands_beside_a_battle():
    env, state = fought([("marine", 2)], [("marine", 1)])
    content = np.array([[[0.0], [1.5]], [[-2.5], [0.0]]])
    figure = draw_frame(env, state, content=content, sent=content > 0, actions=[1, 6])
    said = [text.get_text() for text in figure.axes[1].texts]
    assert "+1.5" in said
    assert "-2.5" not in said
    assert {env.action_names[1], env.action_names[6]} <= {*said}
