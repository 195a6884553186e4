"""A battle as a task: contract, endings, symmetry, and a battle of one's own as the how-to has it."""

import dataclasses
import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from duels import scenario

from marlcomm.envs import check_env, make_env
from marlcomm.envs.combat import SCENARIOS, UNITS
from marlcomm.envs.combat.registry import task_of

HOW_TO = Path(__file__).parents[3] / "docs" / "howto" / "own_battle.md"
FAST = ("1o2r_vs_4r",)


@pytest.mark.parametrize(
    "name", [*FAST, *(pytest.param(n, marks=pytest.mark.slow) for n in SCENARIOS if n not in FAST)]
)
def test_the_contract_is_kept(name):
    check_env(make_env(name), episodes=2)


def turkey_shoot(limit):
    """Two marines and a medivac that nobody heals, and that cannot fight."""
    battle = scenario([("marine", 2)], [("medivac", 1)], limit=limit)
    return task_of(dataclasses.replace(battle, places={"left": ((10, 16, 10, 16),), "right": ((13, 16, 13, 16),)}))


def play(env, action, steps, key=0):
    step = jax.jit(env.step)
    state, now = jax.jit(env.reset)(jax.random.key(key))
    seen = [now]
    for _ in range(steps):
        state, now = step(state, jnp.full(env.num_agents, action, jnp.int32))
        seen.append(now)
        if now.last():
            break
    return state, seen


def test_a_perfect_win_pays_twenty_and_ends_also_at_the_very_limit():
    env = turkey_shoot(99)()
    _, seen = play(env, 6, 99)
    assert sum(float(step.reward[0]) for step in seen) == pytest.approx(20.0, abs=1e-3)
    assert bool(seen[-1].extras["won"])
    assert int(seen[-1].extras["dead_enemies"]) == 1
    assert not any(step.last() for step in seen[:-1])
    tight = turkey_shoot(len(seen) - 1)(continuing_episode=True)
    _, again = play(tight, 6, 99)
    assert len(again) == len(seen)
    assert (float(again[-1].discount), bool(again[-1].extras["won"])) == (0.0, True)


@pytest.mark.parametrize(("continuing", "discount"), [(False, 0.0), (True, 1.0)])
def test_a_time_limit_ends_or_cuts_the_episode(continuing, discount):
    _, seen = play(turkey_shoot(3)(continuing_episode=continuing), 1, 9)
    assert len(seen) == 4
    assert (float(seen[-1].discount), bool(seen[-1].extras["won"])) == (discount, False)


def scripted(env, state, orders, steps=14):
    """Plays (order of steps) -> actions [N]; returns states."""
    step = jax.jit(env.step)
    states = []
    for t in range(steps):
        state, _ = step(state, orders(t))
        states.append(jax.device_get(state.units))
    return states


def test_what_is_mirrored_goes_mirrored():
    env = make_env("3m", jitter=False)
    state, _ = env.reset(jax.random.key(0))
    units, orders = state.units, state.orders
    other = state._replace(units=units._replace(x=32 - units.x), orders=orders._replace(x=32 - orders.x))

    def forward(t):
        return jnp.array([4, 4, 2] if t < 6 else [6, 7, 8], jnp.int32)

    def mirrored(t):
        return jnp.array([5, 5, 2] if t < 6 else [6, 7, 8], jnp.int32)

    for one, two in zip(scripted(env, state, forward), scripted(env, other, mirrored), strict=True):
        np.testing.assert_allclose(one.x, 32 - two.x, atol=1e-3)
        np.testing.assert_allclose(one.y, two.y, atol=1e-3)
        np.testing.assert_allclose(one.health, two.health, atol=1e-3)
    assert one.health.min() < 45


@pytest.mark.slow
def test_the_order_of_own_units_does_not_matter():
    env = make_env("3m", jitter=False)
    state, _ = env.reset(jax.random.key(0))
    new = np.array([2, 0, 1, 3, 4, 5])
    other = state._replace(units=jax.tree.map(lambda leaf: leaf[new], state.units))
    actions = [jnp.array([4, 2, 4] if t < 6 else [6, 7, 8], jnp.int32) for t in range(14)]
    for one, two in zip(
        scripted(env, state, lambda t: actions[t]), scripted(env, other, lambda t: actions[t][new[:3]]), strict=True
    ):
        for field in ("x", "y", "health", "cooldown"):
            np.testing.assert_allclose(getattr(one, field)[new], getattr(two, field), atol=1e-3)
    assert one.health.min() < 45


@pytest.mark.slow
def test_the_how_to_runs_as_it_stands(monkeypatch):
    for table, name in ((SCENARIOS, "ambush"), (UNITS, "sniper")):
        monkeypatch.setitem(table, name, None)
        monkeypatch.delitem(table, name)  # and again at the end
    cells = re.findall(r"```\{code-cell\}\n(.*?)```", HOW_TO.read_text(), re.DOTALL)
    space: dict = {}
    for cell in cells:
        code = re.sub(r"^:tags:.*\n", "", cell)
        if "raises-exception" in cell:
            with pytest.raises(ValueError, match=r"'no': no unit is called 'zealoth'"):
                exec(code, space)
        else:
            exec(code, space)
    assert (space["env"].num_agents, space["env"].num_actions) == (3, 9)
    assert space["env"].made_by == ("ambush", {"sight_range": 5, "shoot_range": 5})
