"""Masks, observations, states, endings and rewards are SMAC's, entry by entry, on any moment of any map."""

import functools

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import strategies as st
from smac_layout import Wrapper, reward

from marlcomm.envs import make_env
from marlcomm.envs.combat.types import Seen

EVERYTHING = {
    "obs_own_pos": True,
    "obs_last_action": True,
    "obs_pathing_grid": True,
    "obs_terrain_height": True,
    "obs_timestep_number": True,
    "state_timestep_number": True,
}
CASES = {
    "MMM": {},
    "2s3z": EVERYTHING,
    "3b_vs_1h1m": {},
    "1o2r_vs_4r": {**EVERYTHING, "settings": "smac", "reward_abs": True},
    "5z_vs_1ul": {"obs_instead_of_state": True, "reward_only_positive": False, "reward_defeat": -5.0},
    "1o10b_vs_1r": {"settings": "smac", "obs_all_health": False, "obs_own_health": False, "reward_sparse": True},
}


@functools.cache
def made(name):
    env = make_env(name, **CASES[name])

    def look(before, now):
        mask = env.views.action_mask(now)
        view = env.views.observations(now, mask)
        outcome = env.views.outcome(now)
        return mask, view, env.views.state(now, view), outcome, env.views.reward(before, now, outcome)

    return env, jax.jit(look), look


def moment(env, rng, crowd):
    """Arrays of all units, anywhere on the map, or close together, some of them dead."""
    count = len(env.roster.units)
    x, y = (rng.uniform(0, 32, count) if not crowd else 14 + rng.uniform(0, 4, count) for _ in range(2))
    most = {
        key: np.array([getattr(unit, key) for unit in env.roster.units]) for key in ("health", "shield", "energy_max")
    }
    return {
        "x": x, "y": y,
        "health": most["health"] * rng.uniform(0, 1, count) * (rng.random(count) < rng.choice([0.3, 0.7, 1.0])),
        "shield": most["shield"] * rng.uniform(0, 1, count),
        "energy": most["energy_max"] * rng.uniform(0, 1, count),
        "cooldown": rng.uniform(0, 20, count),
        "last_action": rng.integers(-1, env.num_actions, env.num_agents),
        "step_count": int(rng.integers(0, env.horizon)),
    }  # fmt: skip


def as_seen(values):
    cast = {key: np.asarray(value, np.float32) for key, value in values.items()}
    cast["last_action"], cast["step_count"] = (
        np.asarray(values[key], np.int32) for key in ("last_action", "step_count")
    )
    return Seen(**{key: jnp.asarray(value)[..., None] for key, value in cast.items()})


@pytest.mark.parametrize("name", CASES)
@hypothesis.settings(max_examples=25, deadline=None, derandomize=True)
@hypothesis.given(seed=st.integers(0, 2**31 - 1))
def test_everything_is_the_wrappers(name, seed):
    env, look, look_without_jax = made(name)
    rng = np.random.default_rng(seed)
    now = moment(env, rng, rng.random() < 0.7)
    before = {
        **now,
        "health": np.maximum(now["health"], moment(env, rng, False)["health"]),
        "shield": now["shield"] * rng.random(),
    }
    moments = as_seen(before), as_seen(now)
    found, same = (
        [*map(np.asarray, jax.tree.leaves(each))]
        for each in (look(*moments), look_without_jax(*jax.tree.map(np.asarray, moments)))
    )
    for ours, plain in zip(found, same, strict=True):
        assert ours.dtype == plain.dtype
        np.testing.assert_allclose(ours, plain, atol=1e-6, rtol=1e-6)
    mask, view, state, outcome, paid = (
        jax.tree.map(lambda leaf: np.asarray(leaf)[..., 0], each) for each in look(*moments)
    )
    before, now = ({key: np.float32(value) for key, value in each.items()} for each in (before, now))
    wrapper = Wrapper(env, now)
    assert mask.astype(int).tolist() == [wrapper.available(agent) for agent in range(env.num_agents)]
    np.testing.assert_allclose(view, [wrapper.observation(agent) for agent in range(env.num_agents)], atol=1e-5)
    np.testing.assert_allclose(state, wrapper.state(), atol=1e-5)
    result = wrapper.outcome()
    assert (bool(outcome.won), bool(outcome.lost), bool(outcome.over)) == (
        result == 1,
        result == -1,
        result is not None,
    )
    assert paid == pytest.approx(reward(env, before, now, result), abs=1e-4)


def test_names_say_what_stands_where():
    env, look, _ = made("2s3z")
    values = moment(env, np.random.default_rng(0), True)
    values["health"] = np.array([unit.health for unit in env.roster.units])
    values["x"], values["y"] = np.full(10, 16.0) + 0.1 * np.arange(10), np.full(10, 12.0)
    _, view, state, *_ = look(as_seen(values), as_seen(values))
    named = dict(zip(env.feature_names(), np.asarray(view)[0, :, 0], strict=True))
    assert named["own is stalker"] == named["ally 1 is zealot"] == named["enemy 0 is stalker"] == 1.0
    assert named["ally 0 x"] == pytest.approx(0.1 / 9, abs=1e-5)
    assert named["enemy 4 distance"] == pytest.approx(0.9 / 9, abs=1e-5)
    assert named["time"] == pytest.approx(values["step_count"] / 120)
    stated = dict(zip(env.state_names(), np.asarray(state)[:, 0], strict=True))
    assert stated["agent 1 x"] == pytest.approx(0.1 / 32, abs=1e-5)
    assert stated["enemy 3 is zealot"] == 1.0


def test_regeneration_alone_pays_nothing_unless_its_sign_is_lost():
    for options, most in (({}, 0.0), ({"reward_abs": True}, 1.0)):
        env = make_env("3s_vs_5z", **options)
        values = moment(env, np.random.default_rng(0), False)
        values["health"] = np.array([unit.health for unit in env.roster.units])
        values["shield"] = np.full(8, 40.0)
        before = {**values, "shield": np.full(8, 30.0)}
        paid = env.views.reward(as_seen(before), as_seen(values), env.views.outcome(as_seen(values)))
        assert float(paid[0]) == pytest.approx(most * 50 / 1000 * 20)


@pytest.mark.parametrize("name", ["1o2r_vs_4r", "1o10b_vs_1r"])
def test_at_the_start_the_overlord_knows_its_corner_only_where_it_sees_its_place(name):
    for options, views in (({}, 1), ({"obs_own_pos": True}, 4)):
        env = make_env(name, **options)
        overlord = env.roster.names.index("overlord")
        _, first = jax.jit(jax.vmap(env.reset))(jax.random.split(jax.random.key(0), 32))
        about_others = [name.startswith("ally ") for name in env.feature_names()]  # some may be near by chance
        view = np.asarray(first.observation.agents_view)[:, overlord, ~np.array(about_others)]
        assert len(np.unique(view.round(3) + 0.0, axis=0)) == views
