"""Pictures show all that lives, by side and kind, who attacks and heals whom, and what is left of them."""

import jax
import jax.numpy as jnp
from duels import scenario

from marlcomm.envs import draw_frame
from marlcomm.envs.combat import battle
from marlcomm.envs.combat.registry import task_of
from marlcomm.envs.combat.types import CombatState


def test_a_battle_is_drawn():
    env = task_of(scenario([("marine", 1), ("medivac", 1)], [("stalker", 2)], name="drawn"))()
    key = jax.random.key(0)
    state = CombatState(*battle.start(env.roster, key, False), jnp.zeros(2, jnp.int32), jnp.int32(0), key)
    empty = len(draw_frame(env, state).axes[0].lines)
    units = state.units._replace(
        health=jnp.array([20.0, 150.0, 80.0, 0.0]),
        x=jnp.array([10.0, 11.0, 14.0, 20.0]),
        victim=jnp.array([0, -1, 0, -1]),
        target=jnp.array([0, 0, 0, -1]),
        cooldown=jnp.array([0.8, 0.0, 1.4, 0.0]),
    )
    axes = draw_frame(env, state._replace(units=units)).axes[0]
    texts = [text.get_text() for text in axes.texts]
    assert texts.count("S") == 1  # the other stalker is dead
    assert {"0", "1"} <= {*texts}
    assert any("agents 2   enemies 1" in text and "S stalker" in text for text in texts)
    assert len(axes.lines) == empty + 4  # two shots, a heal, and a cross for the dead
    assert len(axes.patches) > 6
