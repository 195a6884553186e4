"""A battle as a task: contract, endings, symmetry, and a battle of one's own as the how-to has it."""

import dataclasses
import functools
import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from duels import scenario

import marlcomm as mc
from marlcomm.envs import check_env, make_env
from marlcomm.envs.combat import SCENARIOS, UNITS
from marlcomm.envs.combat.registry import task_of
from marlcomm.names import TASKS

ROOT = Path(__file__).parents[3]
README, HOW_TO = ROOT / "README.md", ROOT / "docs" / "howto" / "own_battle.md"
FAST = ("1o2r_vs_4r",)
STEP = 0.5  # seconds of the game


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


@functools.cache
def step_of(env):
    """One compiled step for all battles of it."""
    return jax.jit(env.step)


def scripted(env, state, orders, steps=14):
    """Plays (order of steps) -> actions [N]; returns states."""
    step = step_of(env)
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


def another_order(env, rng):
    """[U] numbers of units in which those of one kind and side have changed places."""
    kinds = np.array(env.roster.names)
    order = np.arange(len(kinds))
    for side in (order < env.num_agents, order >= env.num_agents):
        for kind in {*kinds[side]}:
            rows = np.flatnonzero(side & (kinds == kind))
            order[rows] = rng.permutation(rows)
    return order


def twins(env, state, order):
    """A battle, the same mirrored, and the same with units in another order."""
    agents, units, orders = env.num_agents, state.units, state.orders
    mirrored = state._replace(units=units._replace(x=32 - units.x), orders=orders._replace(x=32 - orders.x))
    number = np.argsort(order)  # of each unit, by its old one
    sides = np.append(number[:agents], -1), np.append(number[agents:] - agents, -1)  # -1 stays nobody

    def renumbered(target):
        whose = [(row < agents) != (unit.heals > 0) for row, unit in enumerate(env.roster.units)]  # healers': their own
        return jnp.array([sides[side][one] for side, one in zip(whose, target, strict=True)], target.dtype)[order]

    units, orders = (jax.tree.map(lambda leaf: leaf[order], each) for each in (units, orders))
    units = units._replace(target=renumbered(state.units.target), victim=renumbered(state.units.victim))
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), state, mirrored, state._replace(units=units, orders=orders))


def twin_actions(env, action, order):
    """[3, A] what agents do in each of `twins`, of `action` [A]: east for west, and targets under their new numbers."""
    agents = env.num_agents
    mirrored = np.select([action == 4, action == 5], [5, 4], action)
    number = np.arange(6 + env.roster.num_enemies)
    number[6:] = 6 + np.argsort(order[agents:] - agents)
    return jnp.array(np.stack([action, mirrored, number[action][order[:agents]]]), jnp.int32)


@pytest.mark.parametrize(
    ("name", "key", "first", "walk"),
    [
        ("2s3z", 0, 4, 5),
        ("3b_vs_1h1m", 1, 4, 12),  # on a tee, in whose stem one starts
        pytest.param("1c3s5z", 0, 4, 5, marks=pytest.mark.slow),
        pytest.param("1o2r_vs_4r", 3, 2, 20, marks=pytest.mark.slow),  # on a ring, along the pit
    ],
)
def test_neither_mirroring_nor_the_order_of_equal_units_matters(name, key, first, walk):
    """All walk one way, then about and mostly toward the enemies, then attack whoever is nearest.

    Each step is compared from the same start: in a crowd that pushes, rounding grows tenfold a step.
    """
    env, rng = task_of(SCENARIOS[name])(jitter=False), np.random.default_rng(0)
    state, _ = env.reset(jax.random.key(key))
    shift = rng.uniform(-0.05, 0.05, (2, len(env.roster.units)))  # so that no two enemies are equally far
    state = state._replace(units=state.units._replace(x=state.units.x + shift[0], y=state.units.y + shift[1]))
    step, agents, order = jax.jit(jax.vmap(env.step)), env.num_agents, another_order(env, rng)
    one = start = jax.device_get(state.units)
    stopped = False
    for t in range(walk + 12):
        now = one
        dx, dy = (each[agents:] - each[:agents, None] for each in (now.x, now.y))
        near = np.where(now.health[agents:] > 0, np.hypot(dx, dy), 99.0).argmin(1)
        dx, dy = (np.take_along_axis(each, near[:, None], 1)[:, 0] for each in (dx, dy))
        toward = np.where(np.abs(dx) > np.abs(dy), np.where(dx > 0, 4, 5), np.where(dy > 0, 2, 3))
        about = np.where(rng.random(agents) < 0.2, rng.integers(1, 6, agents), toward)
        action = np.full(agents, first) if t < 3 else about if t < walk else 6 + near
        states, _ = step(twins(env, state, order), twin_actions(env, action, order))
        state = jax.tree.map(lambda leaf: leaf[0], states)
        one, two, three = (jax.tree.map(lambda leaf, i=i: leaf[i], jax.device_get(states.units)) for i in range(3))
        for field in ("x", "y", "health", "shield", "energy", "cooldown"):
            mine = getattr(one, field)
            mirrored = 32 - two.x if field == "x" else getattr(two, field)
            np.testing.assert_allclose(mine, mirrored, atol=1e-4, err_msg=f"{field} mirrored, step {t}")
            np.testing.assert_allclose(mine[order], getattr(three, field), atol=1e-4, err_msg=f"{field}, step {t}")
        moved = np.hypot(one.x - now.x, one.y - now.y)[:agents]
        stopped |= t < 3 and (moved < 0.4 * STEP * env.roster.of("speed")[:agents, 0]).any()
    assert (one.health[:agents] + one.shield[:agents] < start.health[:agents] + start.shield[:agents]).any()
    assert (one.health[agents:] + one.shield[agents:] < start.health[agents:] + start.shield[agents:]).any()
    assert stopped or env.roster.terrain.box is not None  # somebody met a wall


@pytest.mark.slow
def test_thousands_of_copies_at_once_stay_finite_and_are_each_the_same_alone():
    """Of `3s_vs_5z` for all its steps: agents shoot where they may, and else go anywhere."""
    env = make_env("3s_vs_5z")

    def episode(key):
        def move(carry, key):
            state, now, finite = carry
            likely = jnp.where(jnp.arange(env.num_actions) >= 6, 3.0, 0.0) + jax.random.gumbel(
                key, (env.num_agents, env.num_actions)
            )
            action = jnp.argmax(jnp.where(now.observation.action_mask, likely, -jnp.inf), 1).astype(jnp.int32)
            state, now = env.step(state, action)
            arrays = jax.tree.leaves((state.units, now.observation, now.reward, now.discount))
            finite &= jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in arrays]))
            return (state, now, finite), now.reward[0]

        first = (*env.reset(key), jnp.ones((), bool))
        (state, now, finite), rewards = jax.lax.scan(move, first, jax.random.split(key, env.horizon))
        return state.units, now.observation, finite, rewards

    keys = jax.random.split(jax.random.key(0), 4096)
    together = jax.device_get(jax.jit(jax.vmap(episode))(keys))
    units, _, finite, _ = together
    assert finite.all()
    assert (units.health == 0).any(1).mean() > 0.9  # they fought
    assert len(np.unique(units.x, axis=0)) > 4000  # each its own battle
    alone = jax.jit(episode)
    for copy in (0, 63, 64, 2049, 4095):  # blocks of copies end at the second
        jax.tree.map(
            lambda one, all_, copy=copy: np.testing.assert_allclose(one, all_[copy], atol=1e-4),
            jax.device_get(alone(keys[copy])),
            together,
        )


@pytest.fixture
def no_ambush(monkeypatch):
    """Names that the README and the how-to register are free, and are so again at the end."""
    for table, name in ((SCENARIOS, "ambush"), (UNITS, "sniper")):
        monkeypatch.setitem(table, name, None)
        monkeypatch.delitem(table, name)
    monkeypatch.setattr(TASKS, "_things", {**TASKS._things})
    monkeypatch.setattr(TASKS, "_groups", {**TASKS._groups})


def share_that_is_overrun(env, count=16):
    """Of teams that wait where they are: how many the enemies reach and kill."""
    step = jax.jit(jax.vmap(env.step))
    state, now = jax.jit(jax.vmap(env.reset))(jax.random.split(jax.random.key(0), count))
    for _ in range(env.horizon):
        state, now = step(state, now.observation.action_mask[..., 1].astype(jnp.int32))  # stop, or nothing once dead
    return float((state.units.health[:, : env.num_agents] <= 0).all(1).mean())


def test_the_battle_of_the_readme_comes_about(no_ambush):
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    space: dict = {"mc": mc}
    exec(next(block for block in blocks if 'name="ambush"' in block), space)
    battle = space["battle"]
    assert share_that_is_overrun(battle) == 1.0
    assert battle.shoot_range == UNITS["sniper"].range  # which it has for something


@pytest.mark.slow
def test_the_how_to_runs_as_it_stands(no_ambush):
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
    assert space["env"].made_by == ("ambush", {"sight_range": 9, "shoot_range": 8})
    assert share_that_is_overrun(space["env"]) == 1.0
