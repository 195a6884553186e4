"""A marine's duel beside JaxMARL's SMAX, where both have a rule.

SMAX differs otherwise: no armor, shields apart, regeneration, splash, healing, terrain, damage point or scan range;
ranges from center to center; an order of actions of its own; enemies that act once in 8 loops; mixed time bases.
"""

import jax
import jax.numpy as jnp
import pytest
from duels import fresh

SMAX_MARINE = ("marine", (("damage", 9.0), ("period", 0.61), ("damage_point", 0.0), ("range", 4.25)))  # edge to edge
STOP, ATTACK = 4, 5


@pytest.mark.slow
def test_a_marine_kills_a_marine_in_as_many_steps_as_in_smax():
    pytest.importorskip("jaxmarl")
    from marlcomm.envs.quiet_imports import without_prints

    with without_prints():
        from jaxmarl.environments.smax.smax_env import SMAX, Scenario  # pyright: ignore[reportMissingImports]

    env = SMAX(scenario=Scenario(jnp.zeros(2, jnp.uint8), 1, 1, False, False))
    _, state = env.reset(jax.random.key(0))
    state = state.replace(unit_positions=jnp.array([[14.0, 16.0], [17.0, 16.0]]))
    step = jax.jit(env.step_env)
    theirs = 0
    while bool(state.unit_alive[1]) and theirs < 20:
        actions = dict(zip(env.agents, map(jnp.int32, (ATTACK, STOP)), strict=True))
        _, state, *_ = step(jax.random.key(theirs), state, actions)
        theirs += 1
    field = fresh((("marine", 1),), (("marine", 1),), SMAX_MARINE)
    field.set(x=[14.0, 17.0], y=[16.0, 16.0], health=[45.0, 45.0], target=[0, -1], cooldown=[0.0, 99.0])
    ours = 0
    while field.health[1] > 0 and ours < 20:
        field.play(8)
        ours += 1
    assert abs(ours - theirs) <= 1
    assert 4 <= ours <= 6  # five hits in 2.44 seconds
