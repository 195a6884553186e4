"""The engine treats both sides alike: with the enemies' rule on either side, a mirror match is even."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import binomtest

from marlcomm.envs.combat import SCENARIOS, battle
from marlcomm.envs.combat.roster import Roster

COPIES, SECONDS = 128, 40


@pytest.mark.slow
@pytest.mark.parametrize("name", ["3m", "2s3z", "1c3s5z", "MMM"])
def test_a_mirror_match_is_even_when_both_sides_follow_the_rule(name):
    here = SCENARIOS[name]
    enemies = tuple(dataclasses.replace(group, place="right") for group in here.allies)  # in one order on both sides
    here = dataclasses.replace(here, enemies=enemies)
    there = dataclasses.replace(here, allies=here.enemies, enemies=here.allies, march="right")
    ours, theirs = Roster(here), Roster(there)
    split, count = ours.num_allies, len(ours.units)
    fighters = [unit for unit in range(split) if unit not in ours.ally.healers]
    units, _ = battle.start(ours, jax.random.key(0), False)
    units = jax.tree.map(lambda leaf: jnp.repeat(leaf[:, None], COPIES, 1), units)
    shape = (count, COPIES)
    x = np.where(np.arange(count) < split, 23.0, 9.0)[:, None]
    orders = battle.Orders(jnp.full(shape, x), jnp.full(shape, 16.0), jnp.ones(shape, bool))

    def turned(arrays):
        return jax.tree.map(lambda leaf: jnp.concatenate([leaf[split:], leaf[:split]]), arrays)

    def fighting(arrays, field):
        return getattr(arrays, field).reshape(2, split, COPIES)[:, np.array(fighters)]

    @jax.jit
    def loop(now, key):
        jitter = jax.random.uniform(key, shape, minval=-0.0625, maxval=0.125)
        one = battle.play(ours, now, orders, jitter, 1)
        other = turned(battle.play(theirs, turned(now), turned(orders), turned(jitter), 1))
        apart = [jnp.max(jnp.abs(getattr(one, f) - getattr(other, f))) for f in ("health", "shield", "energy")]
        # only enemies' healers follow the others
        apart += [jnp.max(jnp.abs(fighting(one, f) - fighting(other, f))) for f in ("x", "y", "cooldown", "swing")]
        # each side as the battle has it in which it is the enemy
        both = jax.tree.map(lambda mine, ours: jnp.concatenate([mine[:split], ours[split:]]), other, one)
        return both, jnp.max(jnp.stack(apart))

    # the two sides stand mirrored
    units = units._replace(x=units.x.at[split:].set(32.0 - units.x[:split]), y=units.y.at[split:].set(units.y[:split]))
    units, apart = jax.lax.scan(loop, units, jax.random.split(jax.random.key(1), SECONDS * 16))
    assert float(apart.max()) < 1e-4  # whoever is called an ally, the same happens
    left, right = np.asarray(fighting(units, "health")).max(1) > 0  # [copies] each: whether any fights on
    won, lost = left & ~right, right & ~left
    assert (won | lost).mean() > 0.8
    assert binomtest(int(won.sum()), int((won | lost).sum())).pvalue > 1e-4, (won.sum(), lost.sum())
