"""Predator-prey: rewards by hand, who sees what, and how prey move."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compiled import compiled
from scipy import stats

from marlcomm.envs import check_env, make_env
from marlcomm.envs.particle.predator_prey import PredatorPreyState


def at(env, position, velocity=None):
    """A state with bodies where they are put, at rest by default."""
    velocity = np.zeros((env.bodies.num_moving, 2), np.float32) if velocity is None else velocity
    return PredatorPreyState(np.array(position, np.float32), velocity, jax.random.key(0), np.int32(0))


def test_the_released_reward():
    """Farama's order leaves bodies at rest where they are for one step, so the reward is that of their places."""
    position = [[0.0, 0.0], [1.0, 0.0], [0.1, 0.0], [1.0, 2.0], [5.0, 5.0]]
    options = {"num_predators": 2, "num_prey": 2, "num_obstacles": 1, "integration": "farama"}
    env, _, move = compiled("predator_prey", **options)
    _, step = move(at(env, position), np.zeros(2, np.int32))
    np.testing.assert_allclose(step.reward, [10 - 0.1 * (0.1 + 0.9)] * 2, rtol=1e-5)
    assert int(step.extras["contacts"]) == 1
    _, step = compiled("predator_prey", **options, shaped=False).step(at(env, position), np.zeros(2, np.int32))
    np.testing.assert_allclose(step.reward, [10, 10])


def test_contact_is_strict():
    env, _, move = compiled("predator_prey", num_predators=1, num_obstacles=0, integration="farama", shaped=False)
    for apart, reward in ((0.126, 0.0), (0.124, 10.0)):
        _, step = move(at(env, [[0, 0], [0, apart]]), np.zeros(1, np.int32))
        assert step.reward[0] == reward


def test_the_released_view():
    """Own velocity and position, obstacles, (other predators,) prey, and the prey's velocity: 12 numbers for any N."""
    env, reset, _ = compiled("predator_prey")
    full, reset_full, _ = compiled("predator_prey", num_predator_neighbors=None)
    assert (env.observation_size, full.observation_size, env.state_size, env.horizon) == (12, 16, 20, 100)
    state, first = reset_full(jax.random.key(3))
    position, view = np.asarray(state.position), first.observation.agents_view
    own = position[1]
    expected = [*(position[4:] - own), position[0] - own, position[2] - own, position[3] - own, np.zeros(2)]
    np.testing.assert_allclose(view[1], np.concatenate([np.zeros(2), own, *expected]))
    keep = np.r_[0:8, 12:16]  # as the released partial view drops the other predators
    _, partial = reset(jax.random.key(3))
    np.testing.assert_array_equal(partial.observation.agents_view, view[:, keep])
    assert np.abs(position[:4]).max() <= 1
    assert np.abs(position[4:]).max() <= 0.9


def test_views_that_make_messages_matter():
    env = make_env("predator_prey", num_predators=2, num_prey=2, view_radius=0.5, num_blind=1, num_prey_neighbors=1)
    velocity = np.arange(8.0, dtype=np.float32).reshape(4, 2)
    state = at(env, [[0, 0], [0.1, 0], [1, 0], [0.4, 0], [0, 3], [0.1, 0.2]], velocity)
    view = jax.jit(env.get_observation)(state).agents_view
    np.testing.assert_allclose(view[0], [0, 1, 0, 0, *[0] * 8])  # blind
    np.testing.assert_allclose(view[1], [2, 3, 0.1, 0, 0, 0, 0, 0.2, 0.3, 0, 6, 7], atol=1e-6)


@pytest.mark.parametrize("view_radius", [None, 0.4, 0.8])
def test_the_blind_see_as_far_as_they_are_given_and_no_farther_than_others(view_radius):
    options = {"num_predators": 3, "num_prey": 2}
    mixed = make_env("predator_prey", num_blind=2, blind_radius=0.5, view_radius=view_radius, **options)
    near = make_env("predator_prey", view_radius=min(0.5, view_radius or 1.0), **options)
    others = make_env("predator_prey", view_radius=view_radius, **options)
    for seed in range(20):
        state = jax.jit(mixed.reset)(jax.random.PRNGKey(seed))[0]
        view = [np.asarray(env.get_observation(state).agents_view) for env in (mixed, near, others)]
        np.testing.assert_array_equal(view[0][:2], view[1][:2])
        np.testing.assert_array_equal(view[0][2:], view[2][2:])


def test_random_prey_push_uniformly_and_anew():
    env = make_env("predator_prey", num_prey=2)
    start = at(env, np.zeros((7, 2)))

    def pushes(key):
        state = start._replace(key=key)
        return jax.vmap(lambda t: env.prey_push(state._replace(step_count=t)))(jnp.arange(20))

    drawn = np.asarray(jax.jit(jax.vmap(pushes))(jax.random.split(jax.random.key(0), 100)))  # [100, 20, 2, 2]
    assert stats.kstest(drawn.ravel(), stats.uniform(-1, 2).cdf).pvalue > 0.01
    assert len(np.unique(drawn)) > 0.999 * drawn.size
    flat = drawn.reshape(100, -1)
    correlation = np.corrcoef(flat.T)[np.triu_indices(flat.shape[1], 1)]
    assert abs(correlation.mean()) < 0.01  # between steps, prey and axes
    assert correlation.std() == pytest.approx(0.1, rel=0.1)  # 1 / sqrt(100), as of independent numbers


def test_fleeing_prey_run_away_and_turn_at_the_edge():
    env = make_env("predator_prey", num_predators=1, prey="flee", num_obstacles=0)
    push = jax.jit(env.prey_push)
    assert push(at(env, [[0, 0], [0.2, 0]]))[0, 0] == pytest.approx(1.0)
    assert push(at(env, [[0.6, 0], [1.1, 0]]))[0, 0] == pytest.approx(-1.0)
    slow = make_env("predator_prey", prey="flee", prey_speed=0.5)
    np.testing.assert_allclose(slow.bodies.max_speed, [1, 1, 1, 0.65])
    np.testing.assert_allclose(slow.bodies.force, [3, 3, 3, 2])


def test_time_cuts_the_episode():
    env, _, move = compiled("predator_prey", steps=2, controls="force")
    state, step = move(at(env, np.zeros((6, 2))), np.zeros((3, 2), np.float32))
    assert not step.last()
    _, step = move(state, np.zeros((3, 2), np.float32))
    assert step.last()
    assert step.discount == 1


def test_contract():
    seen = {"view_radius": 0.7, "num_predator_neighbors": 1, "num_prey_neighbors": 3}
    env = make_env("predator_prey", steps=4, controls="pairs", num_prey=2, **seen)
    assert check_env(env, episodes=2) is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_predators": 0}, "predator_prey: num_predators=0 must be a whole number, 1 to"),
        ({"prey": "flea"}, "prey='flea' is not known. Did you mean 'flee'"),
        ({"controls": "force2"}, "Did you mean 'force'"),
        ({"integration": "euler"}, "There are: openai, farama"),
        ({"view_radius": 0.0}, r"view_radius=0.0 must be above 0"),
        ({"num_blind": 4}, "num_blind=4 must be at most num_predators=3"),
        ({"blind_radius": -0.1}, "blind_radius=-0.1 must be at least 0"),
        ({"num_prey_neighbors": -1}, "num_prey_neighbors=-1 must be a whole number, 0 to"),
        ({"steps": 0}, "steps=0"),
    ],
)
def test_options_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        make_env("predator_prey", **options)
