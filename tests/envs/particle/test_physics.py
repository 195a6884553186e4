"""Motion and contact against closed forms and an independent double loop."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from marlcomm.envs.particle.physics import Bodies


def bodies(integration="openai", movers=3, fixed=2, max_speed=np.inf):
    count = movers + fixed
    return Bodies(
        radius=np.linspace(0.1, 0.3, count, dtype=np.float32),
        collides=np.ones(count, bool),
        force=np.full(movers, 2.0, np.float32),
        max_speed=np.full(movers, max_speed, np.float32),
        integration=integration,
    )


@pytest.mark.parametrize("integration", ["openai", "farama"])
def test_a_constant_push_follows_the_geometric_series(integration):
    """v_t = 0.4 f (1 - 0.75 ** t); positions add up the velocities after ("openai") or before each step."""
    world = bodies(integration, movers=1, fixed=0)
    position, velocity = jnp.zeros((1, 2)), jnp.zeros((1, 2))
    push = jnp.array([[1.0, -0.5]])
    advance = jax.jit(world.advance)
    for t in range(1, 11):
        position, velocity = advance(position, velocity, push)
        last = t if integration == "openai" else t - 1
        traveled = 0.1 * 0.4 * sum(1 - 0.75**s for s in range(1, last + 1))
        np.testing.assert_allclose(velocity, 2.0 * push * 0.4 * (1 - 0.75**t), rtol=1e-5)
        np.testing.assert_allclose(position, 2.0 * push * traveled, rtol=1e-5, atol=1e-7)


def test_speed_is_limited_and_keeps_its_direction():
    world = bodies(movers=1, fixed=0, max_speed=0.5)
    advance, still = jax.jit(world.advance), np.zeros((1, 2), np.float32)
    _, velocity = advance(still, np.array([[3.0, 4.0]], np.float32), still)
    np.testing.assert_allclose(velocity, [[0.3, 0.4]], rtol=1e-6)
    _, slow = advance(still, np.array([[0.3, 0.0]], np.float32), still)
    np.testing.assert_allclose(slow, [[0.225, 0.0]], rtol=1e-6)


def contact_by_loops(world, position):
    force = np.zeros((world.num_moving, 2))
    for a in range(world.num_moving):
        for b in range(len(position)):
            if a != b and world.collides[a] and world.collides[b]:
                away = position[a] - position[b]
                apart = np.linalg.norm(away)
                overlap = 1e-3 * np.logaddexp(0, (world.radius[a] + world.radius[b] - apart) / 1e-3)
                force[a] += 100 * overlap * away / apart
    return force


def test_contact_is_what_two_loops_find():
    world = bodies()
    world.collides[1] = False
    rng = np.random.default_rng(0)
    position = rng.uniform(-0.4, 0.4, (200, 5, 2))
    found = jax.jit(jax.vmap(world.contact_force))(position.astype(np.float32))
    expected = np.stack([contact_by_loops(world, each) for each in position])
    np.testing.assert_allclose(found, expected, atol=2e-5 * np.abs(expected).max())
    assert (found[:, 1] == 0).all()  # it does not collide
    assert (np.abs(expected).max(axis=(1, 2)) > 1).mean() > 0.5  # most really touch


def test_moving_bodies_push_each_other_equally():
    world = bodies(movers=4, fixed=0)
    position = np.random.default_rng(1).uniform(-0.3, 0.3, (50, 4, 2)).astype(np.float32)
    force = jax.jit(jax.vmap(world.contact_force))(position)
    np.testing.assert_allclose(force.sum(axis=1), 0, atol=1e-4)


def test_softness_at_the_edge():
    """Two bodies whose edges just meet overlap by k log 2, and so repel with 100 k log 2."""
    world = bodies(movers=2, fixed=0)
    force = jax.jit(world.contact_force)(np.array([[0.0, 0.0], [world.radius.sum(), 0.0]], np.float32))
    np.testing.assert_allclose(force, [[-0.1 * np.log(2), 0], [0.1 * np.log(2), 0]], rtol=1e-3)


def test_bodies_in_one_place_and_far_away():
    world = bodies(movers=2, fixed=1)
    contact_force = jax.jit(world.contact_force)
    assert np.isfinite(contact_force(np.zeros((3, 2), np.float32))).all()
    apart = contact_force(np.array([[0, 0], [5, 0], [0, 5]], np.float32))
    np.testing.assert_array_equal(apart, np.zeros((2, 2)))


def test_fixed_bodies_stay():
    world = bodies()
    position = np.random.default_rng(2).uniform(-0.2, 0.2, (5, 2)).astype(np.float32)
    after, _ = jax.jit(world.advance)(position, np.zeros((3, 2), np.float32), np.ones((3, 2), np.float32))
    np.testing.assert_array_equal(after[3:], position[3:])
    assert (after[:3] != position[:3]).all()
