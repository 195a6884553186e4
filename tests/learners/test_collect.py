"""Collected episodes against the script that each environment drew at reset."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from toy_env import ACTIONS, AGENTS, HORIZON, Toy

import marlcomm as mc
from marlcomm.learners import collect
from marlcomm.learners.collect import team_return

ENVS = 24


@pytest.fixture(scope="module")
def played():
    """(episodes, what the policy recorded, states): the policy counts its calls and acts at random."""
    env = Toy()

    def policy(observation, memory, key):
        action = jax.random.randint(key, (ENVS, AGENTS), 0, ACTIONS)
        return action, memory + 1, {"calls": memory, "action": action, "saw": observation.agents_view}

    run = jax.jit(lambda key: collect(env, policy, jnp.zeros(ENVS, jnp.int32), ENVS, key))
    return jax.tree.map(np.asarray, run(jax.random.PRNGKey(0)))


def test_script_has_all_kinds_of_episodes(played):
    length, truncated = played[2].length[:, 0], played[2].truncated[:, 0]
    for cut in (True, False):
        assert {1, HORIZON} <= set(length[truncated == cut])


def test_marks_and_contents(played):
    episodes, record, states = played
    for b in range(ENVS):
        script = jax.tree.map(lambda x, b=b: x[b, 0], states)
        for t in range(HORIZON):
            real = t < script.length
            assert episodes.valid[b, t] == real
            assert episodes.terminal[b, t] == (t == script.length - 1 and not script.truncated)
            assert record["calls"][b, t] == t
            np.testing.assert_array_equal(episodes.action[b, t], record["action"][b, t])
            np.testing.assert_array_equal(record["saw"][b, t], episodes.agents_view[b, t])
            if real:
                np.testing.assert_array_equal(episodes.reward[b, t], script.reward[t])
        for t in range(script.length + 1):  # one observation more than steps: the one to bootstrap from
            np.testing.assert_array_equal(episodes.agents_view[b, t], script.view[t])
            np.testing.assert_array_equal(episodes.action_mask[b, t], script.mask[t])
            np.testing.assert_array_equal(episodes.global_state[b, t], script.world[t])
            np.testing.assert_array_equal(episodes.alive[b, t], script.alive[t])


def test_first_step_is_always_real(played):
    assert played[0].valid[:, 0].all()


def test_environments_differ(played):
    assert len({tuple(view.ravel()) for view in played[0].agents_view[:, 0]}) == ENVS


def test_team_return_is_the_mean_over_agents_of_real_rewards(played):
    episodes, _, states = played
    found = team_return(jax.tree.map(jnp.asarray, episodes))
    for b in range(ENVS):
        length = states.length[b, 0]
        expected = sum(states.reward[b, 0, t, i] for t in range(length) for i in range(AGENTS)) / AGENTS
        np.testing.assert_allclose(found[b], expected, rtol=1e-4, atol=1e-6)


class Growing(Toy):
    """Shows how far training is in the first global state."""

    def reset_at(self, key, progress):
        state, first = self.reset(key)
        shown = jnp.full_like(first.observation.global_state, progress)
        return state, first.replace(observation=first.observation._replace(global_state=shown))


def test_a_task_with_a_curriculum_is_told_how_far_training_is(monkeypatch):
    algorithm = mc.iql(Growing(), hidden=4, num_envs=2, batch_episodes=2, replay_episodes=2)
    state = jax.jit(algorithm.init)(jax.random.PRNGKey(0), algorithm.hparams).replace(env_steps=jnp.int32(50))
    # what was played is all that matters here, and learning takes long to compile
    monkeypatch.setattr(mc.Algorithm, "learn", lambda self, state, episodes, decisions, limit: (episodes, {}))
    step = jax.jit(algorithm.step)
    for limit, expected in ((200.0, 0.25), (float("inf"), 1.0)):
        np.testing.assert_array_equal(step(state, limit)[0].global_state[:, 0], expected)
    evaluated = jax.jit(lambda params, key: algorithm.play(params, key)[0])(state.params, jax.random.PRNGKey(1))
    np.testing.assert_array_equal(evaluated.global_state[:, 0], 1.0)
