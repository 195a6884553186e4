"""Through the game's protocol, the client sees what the battles in JAX show, step for step."""

import jax
import numpy as np
import pytest

import marlcomm as mc
from marlcomm.bridge.simulator import Simulator
from marlcomm.bridge.starcraft.lineup import ENEMY
from marlcomm.envs.combat.roster import Roster
from marlcomm.envs.combat.scenarios import SCENARIOS
from marlcomm.envs.combat.views import ViewOptions, Views

SEED = 7
NDQ = ["3b_vs_1h1m", "3s_vs_5z", "1o2r_vs_4r", "5z_vs_1ul", "MMM", "1o10b_vs_1r"]
EVERYTHING = {
    "obs_last_action": True,
    "obs_pathing_grid": True,
    "obs_terrain_height": True,
    "obs_timestep_number": True,
    "state_timestep_number": True,
    "reward_only_positive": False,
}


def same(observed, timestep):
    expected = timestep.observation
    np.testing.assert_array_equal(observed.action_mask, expected.action_mask)
    np.testing.assert_array_equal(observed.alive, expected.alive)
    np.testing.assert_allclose(observed.agents_view, expected.agents_view, atol=1e-5)
    np.testing.assert_allclose(observed.global_state, expected.global_state, atol=1e-5)


def compare(simulator, env, episodes, most_steps):
    """Plays both with the same random actions; the steps played."""
    reset, step, rng, count = jax.jit(env.reset), jax.jit(env.step), np.random.default_rng(0), 0
    for episode in range(episodes):
        observed = simulator.reset(SEED)
        state, expected = reset(jax.random.fold_in(jax.random.key(SEED), episode))
        same(observed, expected)
        for _ in range(most_steps):
            action = (rng.random(observed.action_mask.shape) * observed.action_mask).argmax(1).astype(np.int32)
            outcome = simulator.step(action)
            state, expected = step(state, action)
            observed, count = outcome.observed, count + 1
            same(observed, expected)
            assert outcome.reward == pytest.approx(float(expected.reward[0]), abs=1e-5)
            assert outcome.won == bool(expected.extras["won"])
            assert outcome.terminated == (float(expected.discount) == 0.0)
            assert (outcome.terminated or outcome.truncated) == bool(expected.last())
            if expected.last():
                break
    return count


def test_a_small_map_is_the_same(play):
    simulator, stand_in = play("3m", **EVERYTHING)
    env = mc.make_env("3m", **EVERYTHING, continuing_episode=True)
    assert isinstance(simulator, Simulator)
    spec = simulator.spec
    assert (spec.num_agents, spec.num_actions, spec.observation_size, spec.state_size, spec.horizon) == (
        env.num_agents,
        env.num_actions,
        env.observation_size,
        env.state_size,
        env.horizon,
    )
    steps = compare(simulator, env, episodes=2, most_steps=60)
    setup = ["create_game", "join_game", "ping", "game_info", "data", "observation"]
    assert stand_in.requests[:6] == setup
    assert stand_in.requests.count("step") == steps + 1  # one more after everybody was killed
    assert stand_in.requests.count("create_game") == 1


def test_full_health_is_the_games_own_of_either_side(play):
    simulator, stand_in = play("3m")
    answer = stand_in._answer

    def stronger(kind, asked):
        found = answer(kind, asked)
        for unit in found.observation.observation.raw_data.units:
            unit.health_max = 90 if unit.owner == ENEMY else 60
        return found

    stand_in._answer = stronger
    names = Views(Roster(SCENARIOS["3m"]), ViewOptions()).state_names()
    state = dict(zip(names, simulator.reset(0).global_state.tolist(), strict=True))
    assert (state["agent 0 health"], state["enemy 0 health"]) == (45 / 60, 45 / 90)


@pytest.mark.slow
@pytest.mark.parametrize("continuing", [True, False])
@pytest.mark.parametrize("name", NDQ)
def test_the_maps_of_ndq_are_the_same(play, name, continuing):
    simulator, _ = play(name, continuing_episode=continuing)
    steps = compare(simulator, mc.make_env(name, continuing_episode=continuing), episodes=3, most_steps=250)
    assert steps >= 3  # of each of the three episodes one, at least
