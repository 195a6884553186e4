"""What JaxMARL registers: what can be played, how it is made by name, when it is won, and how it looks."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from marlcomm.envs.quiet_imports import without_prints
from marlcomm.envs.render import palette, shapes
from marlcomm.validation import UsageError, nearest

OPPONENTS = "opponents are learned as members of one team"

PLAYED: Mapping[str, str] = {  # of jaxmarl 0.2.0, and what is special
    "MPE_simple_v3": "one agent",
    "MPE_simple_tag_v3": OPPONENTS,
    "MPE_simple_world_comm_v3": f"numbers as actions, more for the leader; {OPPONENTS}",
    "MPE_simple_spread_v3": "",
    "MPE_simple_crypto_v3": OPPONENTS,
    "MPE_simple_speaker_listener_v4": "3 choices for the speaker, 5 for the listener",
    "MPE_simple_push_v3": OPPONENTS,
    "MPE_simple_adversary_v3": OPPONENTS,
    "MPE_simple_reference_v3": "",
    "MPE_simple_facmac_v1": f"numbers as actions; {OPPONENTS}",
    "MPE_simple_facmac_3a_v1": f"numbers as actions; {OPPONENTS}",
    "MPE_simple_facmac_6a_v1": f"numbers as actions; {OPPONENTS}",
    "MPE_simple_facmac_9a_v1": f"numbers as actions; {OPPONENTS}",
    "switch_riddle": "",
    "SMAX": f"both armies; {OPPONENTS}",
    "HeuristicEnemySMAX": "maps by name: scenario=3m",
    "hanabi": "legal moves; a horizon from the number of cards",
    "overcooked": "layouts by name: layout=cramped_room",
    "overcooked_v2": "layouts by name: layout=cramped_room",
    "coin_game": "a horizon of inner times outer steps; rewards are against each other unless shared_rewards",
    "jaxnav": "numbers as actions",
}

REFUSED: Mapping[str, str] = {  # why
    "LearnedPolicyEnemySMAX": "needs the enemy's policy and parameters: make it yourself and wrap the object",
    "storm": "takes actions and gives views by position, not by agent's name",
    "storm_2p": "takes actions and gives views by position, not by agent's name",
    "storm_np": "takes actions and gives views by position, not by agent's name",
    "ant_4x2": 'needs brax: pip install "jaxmarl[mabrax]"',
    "halfcheetah_6x1": 'needs brax: pip install "jaxmarl[mabrax]"',
    "hopper_3x1": 'needs brax: pip install "jaxmarl[mabrax]"',
    "humanoid_9|8": 'needs brax: pip install "jaxmarl[mabrax]"',
    "walker2d_2x3": 'needs brax: pip install "jaxmarl[mabrax]"',
    **dict.fromkeys(
        (f"JaxRobotarium_{task}" for task in (
            "navigation", "discovery", "material_transport", "warehouse", "arctic_transport", "foraging", "rware",
            "predator_prey",
        )),
        "needs the package jaxrobotarium",
    ),
}  # fmt: skip


def import_jaxmarl() -> Any:
    """The module. Raises ImportError with what to install."""
    try:
        with without_prints():
            return importlib.import_module("jaxmarl")
    except ImportError as error:
        raise ImportError('JaxMARL is not installed: pip install "marlcomm[jaxmarl]"') from error


def make(name: str, options: Mapping[str, Any]) -> Any:
    """The environment called `name`.

    Raises:
      ImportError: JaxMARL, or what this environment needs, is not installed.
      ValueError: there is no such environment, or it cannot be made so; the message says why.
    """
    jaxmarl = import_jaxmarl()
    known = getattr(jaxmarl, "registered_envs", [*PLAYED, *REFUSED])
    if name not in known:
        raise UsageError(f"JaxMARLAdapter: env={name!r} is no environment of JaxMARL.{nearest(name, known)}")
    try:
        return jaxmarl.make(name, **{key: _given(name, key, value) for key, value in options.items()})
    except (ImportError, UsageError):
        raise
    except Exception as error:  # whatever its constructor raises is about what was asked for
        why = REFUSED.get(name) or (str(error).strip() or type(error).__name__).splitlines()[0]
        given = ", ".join(f"{key}={value!r}" for key, value in options.items())
        raise ValueError(f"JaxMARLAdapter: {name} cannot be made with ({given}): {why}.") from error


def _given(env: str, option: str, value: Any) -> Any:
    """An option as JaxMARL takes it: maps and layouts of a name, and arrays of lists."""
    if option == "scenario" and isinstance(value, str):
        return _called("jaxmarl.environments.smax.smax_env:MAP_NAME_TO_SCENARIO", env, option, value)
    if option == "layout" and isinstance(value, str) and env == "overcooked":
        return _called("jaxmarl.environments.overcooked.layouts:overcooked_layouts", env, option, value)
    if isinstance(value, list | tuple) and option.startswith("unit_type_") and not isinstance(value[0], str):
        return jnp.asarray(value)
    if option == "num_cards_of_rank":
        return np.asarray(value)
    return value


def _called(place: str, env: str, option: str, name: str) -> Any:
    module, _, attribute = place.partition(":")
    known = getattr(importlib.import_module(module), attribute)
    if name not in known:
        raise UsageError(f"JaxMARLAdapter: {env} has no {option}={name!r}.{nearest(name, tuple(known))}")
    return known[name]


def horizon_of(env: Any) -> int | None:
    """The most steps an episode can last, or None where the environment says nothing of it."""
    for limit in ("max_steps", "episode_length"):
        if getattr(env, limit, None) is not None:
            return int(getattr(env, limit))
    if hasattr(env, "num_inner_steps") and hasattr(env, "num_outer_steps"):
        return env.num_inner_steps * env.num_outer_steps
    if hasattr(env, "max_info_tokens"):  # Hanabi: each turn uses a card or a token, and few cards give tokens back
        cards = env.deck_size - env.num_agents * env.hand_size + env.num_agents + 1
        return int(2 * cards + env.max_info_tokens)
    return None


Win = Callable[[Any, dict[str, jax.Array]], jax.Array]


def win_of(env: Any) -> Win | None:
    """Says of a state of `env`, and the rewards of the step that led to it, whether the team has won; None if unknown.

    By what the environment has, since JaxMARL has no notion of winning.
    """
    if hasattr(env, "enemy_agents"):  # SMAX against an enemy that is part of the task
        return lambda inner, _: (
            jnp.any(inner.state.unit_alive[: env.num_allies]) & ~jnp.any(inner.state.unit_alive[env.num_allies :])
        )
    if hasattr(env, "max_info_tokens"):
        return lambda inner, _: jnp.sum(inner.fireworks) == env.num_colors * env.num_ranks
    if hasattr(env, "reward_all_live"):
        return lambda _, rewards: rewards[env.agents[0]] == env.reward_all_live
    if hasattr(env, "lidar_num_beams"):
        return lambda inner, _: jnp.all(inner.goal_reached)
    return None


def dtypes_of(env: Any) -> tuple[Any, Any]:
    """`view_dtype` and `state_dtype` of `env`: what is known of battles whose views list the units, else float32.

    In the order of SMAX's own features: kinds of units are flags, and in the state teams and kinds are whole numbers.
    The rest are shares, places and directions.
    """
    if getattr(env, "observation_type", "") != "unit_list" or env.action_type != "discrete":
        return np.float32, np.float32
    kinds, units = [bool] * env.unit_type_bits, env.num_allies + env.num_enemies
    other, own = [np.float32] * 7 + kinds, [np.float32] * 4 + kinds
    return [*other * (units - 1), *own], [*own * units, *[np.uint8] * (2 * units)]


def draw(axes: Any, env: Any, inner: Any) -> bool:
    """Draws a state of `env` on matplotlib axes. Whether there is a drawing of such."""
    battle = getattr(inner, "state", inner)
    if hasattr(battle, "unit_positions"):
        _draw_battle(axes, env, battle)
    elif hasattr(inner, "p_pos"):
        _draw_particles(axes, env, inner)
    elif hasattr(inner, "maze_map"):
        _draw_kitchen(axes, env, inner)
    elif hasattr(env, "lidar_num_beams"):
        env.init_render(axes, inner, lidar=False)
    else:
        return False
    return True


def _draw_battle(axes: Any, env: Any, battle: Any) -> None:
    """Ours in the agents' colors, enemies gray, each as large as it is, and as opaque as it is healthy."""
    for unit, (x, y) in enumerate(np.asarray(battle.unit_positions)):
        if not battle.unit_alive[unit]:
            continue
        kind = int(battle.unit_types[unit])
        ours = unit < env.num_allies
        health = float(battle.unit_health[unit] / env.unit_type_health[kind])
        color = palette.agent_color(unit) if ours else palette.INK
        radius = float(env.unit_type_radiuses[kind])
        shapes.add_circle(axes, x, y, radius, facecolor=color, alpha=0.3 + 0.7 * health, edgecolor="none")
        label = f"{unit if ours else ''}{env.unit_type_shorthands[kind]}"
        axes.text(x, y + radius, label, ha="center", va="bottom", fontsize=7, color=color)
    shapes.add_rectangle(axes, 0, 0, env.map_width, env.map_height, fill=False, edgecolor=palette.FAINT)
    shapes.clear(axes, (-1, env.map_width + 1), (-1, env.map_height + 1))


def _draw_particles(axes: Any, env: Any, world: Any) -> None:
    places = np.asarray(world.p_pos)
    for entity, (x, y) in enumerate(places):
        radius = float(env.rad[entity])
        if entity < env.num_agents:
            shapes.draw_agent(axes, x, y, entity, radius=radius, fontsize=8)
        else:
            shapes.add_circle(axes, x, y, radius, facecolor=palette.FAINT, edgecolor="none", alpha=0.7)
    reach = max(1.3, float(np.abs(places).max()) + 0.3)
    shapes.clear(axes, (-reach, reach), (-reach, reach))


def _draw_kitchen(axes: Any, env: Any, kitchen: Any) -> None:
    from jaxmarl.viz.overcooked_visualizer import (  # pyright: ignore[reportMissingImports]
        TILE_PIXELS,
        OvercookedVisualizer,
    )

    around = env.agent_view_size - 2
    image = OvercookedVisualizer._render_grid(
        np.asarray(kitchen.maze_map[around:-around, around:-around]),
        TILE_PIXELS,
        highlight_mask=None,
        agent_dir_idx=kitchen.agent_dir_idx,
        agent_inv=kitchen.agent_inv,
    )
    axes.imshow(image)
    axes.set_axis_off()
