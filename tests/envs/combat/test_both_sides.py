"""The engine treats both sides alike: with the enemies' rule on either side, a mirror match is even."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from marlcomm.envs.combat import SCENARIOS, battle
from marlcomm.envs.combat.roster import Roster

COPIES, SECONDS = 64, 40


@pytest.mark.slow
@pytest.mark.parametrize("name", ["3m", "2s3z", "1c3s5z"])
def test_a_mirror_match_is_even_when_both_sides_follow_the_rule(name):
    here = SCENARIOS[name]
    there = dataclasses.replace(here, allies=here.enemies, enemies=here.allies, march="right")
    ours, theirs = Roster(here), Roster(there)
    split, count = ours.num_allies, len(ours.units)
    units, _ = battle.start(ours, jax.random.key(0), False)
    units = jax.tree.map(lambda leaf: jnp.repeat(leaf[:, None], COPIES, 1), units)
    shape = (count, COPIES)
    x = np.where(np.arange(count) < split, 23.0, 9.0)[:, None]
    orders = battle.Orders(jnp.full(shape, x), jnp.full(shape, 16.0), jnp.ones(shape, bool))

    def turned(arrays):
        return jax.tree.map(lambda leaf: jnp.concatenate([leaf[split:], leaf[:split]]), arrays)

    @jax.jit
    def loop(now, key):
        jitter = jax.random.uniform(key, shape, minval=-0.0625, maxval=0.125)
        one = battle.play(ours, now, orders, jitter, 1)
        other = turned(battle.play(theirs, turned(now), turned(orders), turned(jitter), 1))
        apart = jnp.max(
            jnp.stack([jnp.max(jnp.abs(getattr(one, f) - getattr(other, f))) for f in ("x", "y", "health")])
        )
        return one._replace(target=jnp.concatenate([other.target[:split], one.target[split:]])), apart

    # the two sides stand mirrored
    units = units._replace(x=units.x.at[split:].set(32.0 - units.x[:split]), y=units.y.at[split:].set(units.y[:split]))
    units, apart = jax.lax.scan(loop, units, jax.random.split(jax.random.key(1), SECONDS * 16))
    assert float(apart.max()) < 1e-4  # whoever is called an ally, the same happens
    left = np.asarray(units.health) > 0
    won = left[:split].any(0) & ~left[split:].any(0)
    lost = left[split:].any(0) & ~left[:split].any(0)
    assert (won | lost).mean() > 0.8
    assert 0.25 < won.sum() / (won | lost).sum() < 0.75
