"""What always holds, whatever is played: numbers stay in range, the dead stay where they fell, walls are walls."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from marlcomm.envs import make_env

COPIES = 16
FAST = ("3b_vs_1h1m",)  # explosions, healing, regeneration and a map that is no rectangle
SLOW = ("1o2r_vs_4r", "1o10b_vs_1r", "5z_vs_1ul", "3s_vs_5z", "MMM", "1c3s5z", "corridor", "bane_vs_bane")


def played(env):
    """Units [T + 1, copies, U] of episodes of random legal actions, most of which go for somebody who is in range."""

    def episode(key):
        def move(carry, key):
            state, now = carry
            likely = jnp.where(jnp.arange(env.num_actions) >= 6, 3.0, 0.0) + jax.random.gumbel(
                key, (env.num_agents, env.num_actions)
            )
            action = jnp.argmax(jnp.where(now.observation.action_mask, likely, -jnp.inf), 1).astype(jnp.int32)
            after = env.step(state, action)
            return after, after[0].units

        first = env.reset(key)
        _, units = jax.lax.scan(move, first, jax.random.split(key, env.horizon))
        return jax.tree.map(lambda one, rest: jnp.concatenate([one[None], rest]), first[0].units, units)

    units = jax.jit(jax.vmap(episode, out_axes=1))(jax.random.split(jax.random.key(0), COPIES))
    return jax.device_get(units)


@pytest.mark.parametrize("name", [*FAST, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)])
def test_numbers_stay_in_range_the_dead_stay_and_walls_are_walls(name):
    env = make_env(name)
    units, kinds = played(env), env.roster.units
    for field, most in (("health", "health"), ("shield", "shield"), ("energy", "energy_max")):
        values, limit = getattr(units, field), np.array([getattr(kind, most) for kind in kinds])
        assert (values >= 0).all()
        assert (values <= limit + 1e-4).all()
    longest = np.array([kind.period + kind.jitter[1] for kind in kinds])
    assert (units.cooldown >= 0).all()
    assert (units.cooldown <= longest + 1e-4).all()
    dead = units.health == 0
    assert dead.any()  # something happened
    for field in ("x", "y", "health", "shield"):
        values = getattr(units, field)
        assert (values[1:] == values[:-1])[dead[:-1]].all()
    width, height = env.roster.terrain.size
    assert ((units.x >= 0) & (units.x < width) & (units.y >= 0) & (units.y < height)).all()
    on_foot = np.array([not kind.flying for kind in kinds])
    assert env.roster.terrain.open[units.x.astype(int), units.y.astype(int)][..., on_foot].all()
    fastest = 0.5 * np.array([kind.speed for kind in kinds]) + 8 * 0.2 * np.sqrt(2)  # pushes included
    assert (np.hypot(np.diff(units.x, axis=0), np.diff(units.y, axis=0)) <= fastest + 1e-4).all()
