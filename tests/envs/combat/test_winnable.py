"""NDQ's maps can be won by who knows where the enemy is, when to strike and when to run; not by who does not wait."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from marlcomm.envs import make_env

EPISODES = 32
MOVES = np.array([(0, 1), (0, -1), (1, 0), (-1, 0)])


@functools.cache
def distances(name):
    """[32, 32, 32, 32] steps on foot from each cell of a map to each other; large where there is no way."""
    open_ground = make_env(name).roster.terrain.open
    cells = [tuple(cell) for cell in np.argwhere(open_ground)]
    found = np.full((32, 32, 32, 32), 999, np.int32)
    for goal in cells:
        found[(*goal, *goal)] = 0
        edge = [goal]
        while edge:
            x, y = edge.pop(0)
            for right, up in MOVES:
                cell = (x + right, y + up)
                inside = 0 <= cell[0] < 32 and 0 <= cell[1] < 32
                if inside and open_ground[cell] and found[(*cell, *goal)] == 999:
                    found[(*cell, *goal)] = found[(x, y, *goal)] + 1
                    edge.append(cell)
    return found


def wins(env, choose):
    """Share of episodes won; `choose` maps state and mask [N, A] to scores [N, A] of actions."""

    def episode(key):
        def move(carry, _):
            state, now, over = carry
            scores = jnp.where(now.observation.action_mask, choose(state, now.observation.action_mask), -jnp.inf)
            state, later = env.step(state, jnp.argmax(scores, 1).astype(jnp.int32))
            return (state, later, over | later.last()), later.extras["won"] & ~over

        start = (*env.reset(key), jnp.bool_(False))
        return jax.lax.scan(move, start, None, env.horizon)[1].any()

    return float(jax.jit(jax.vmap(episode))(jax.random.split(jax.random.key(0), EPISODES)).mean())


def toward(x, y, goal_x, goal_y):
    """[N, 4] how much each move brings units nearer to their goals."""
    return MOVES[:, 0] * (goal_x - x)[:, None] + MOVES[:, 1] * (goal_y - y)[:, None]


def scores_of(moves, targets, stop):
    """[N, A] from those of moves [N, 4], of targets [N, K], and of stopping [N]."""
    return jnp.concatenate([jnp.full((len(moves), 1), -1e6), stop[:, None], moves, targets], 1)


@pytest.mark.slow
@pytest.mark.parametrize(("waits", "least", "most"), [(True, 0.6, 1.0), (False, 0.0, 0.5)])
def test_three_banelings_that_wait_for_one_another_win(waits, least, most):
    env = make_env("3b_vs_1h1m")  # in a fifth of the episodes one of them starts within the enemies' range

    def choose(state, mask):
        x, y, health = state.units.x[:3], state.units.y[:3], state.units.health[:3]
        far = jnp.hypot(x - state.units.x[3], y - state.units.y[3])
        ready = jnp.all((far < 5.2) | (health <= 0)) | jnp.any(health <= 0) | (not waits)
        hold = (far < 4.2) & ~ready
        moves = toward(x, y, state.units.x[3], state.units.y[3])
        targets = jnp.stack([jnp.full(3, 1e4), jnp.full(3, -1e6)], 1)
        return scores_of(moves, targets, jnp.where(hold, 1e5, -1e3))

    assert least <= wins(env, choose) <= most


@pytest.mark.slow
def test_two_roaches_that_know_where_the_enemy_is_win():
    env = make_env("1o2r_vs_4r")
    way = jnp.asarray(distances("1o2r_vs_4r"))

    def choose(state, mask):
        cell = jnp.clip(jnp.stack([state.units.x[:3], state.units.y[:3]], 1).astype(jnp.int32), 0, 31)
        goal = cell[0]  # the overlord hovers over the enemy
        there = jnp.clip(cell[:, None] + MOVES, 0, 31)  # [3, 4, 2]
        steps = way[there[..., 0], there[..., 1], goal[0], goal[1]]
        stop = jnp.where(jnp.arange(3) == 0, 1e5, -2e3)
        targets = jnp.broadcast_to(1e4 - jnp.arange(4.0), (3, 4))
        return scores_of(-steps.astype(jnp.float32), targets, stop)

    assert wins(env, choose) > 0.6  # the others start too far away for the time limit


def unit_vector(x, y):
    length = jnp.hypot(x, y) + 1e-6
    return x / length, y / length


@pytest.mark.slow
def test_stalkers_that_kite_beat_five_zealots_and_those_that_stand_do_not():
    env = make_env("3s_vs_5z")

    def choose(kites, state, mask):
        x, y = state.units.x, state.units.y
        apart = jnp.hypot(x[:3, None] - x[None, 3:], y[:3, None] - y[None, 3:])
        apart = jnp.where(state.units.health[None, 3:] > 0, apart, 99.0)
        near, far = jnp.argmin(apart, 1), jnp.min(apart, 1)
        flee = kites & ((far < 3.5) | ((far < 5.0) & (state.units.cooldown[:3] > 0.2)))
        out_x, out_y = x[:3] - 16, y[:3] - 16  # from the middle of the map, around which they run
        away, out = unit_vector(x[:3] - x[3:][near], y[:3] - y[3:][near]), unit_vector(out_x, out_y)
        wall = jnp.clip((jnp.hypot(out_x, out_y) - 9) / 4, 0, 2)
        moves = toward(0 * out_x, 0 * out_y, away[0] - out[1] - wall * out[0], away[1] + out[0] - wall * out[1])
        targets = jnp.where(jnp.arange(5) == near[:, None], 1e4, 6e3)
        return scores_of(moves + jnp.where(flee, 2e4, 0.0)[:, None], targets, jnp.full(3, 5e3))

    assert wins(env, functools.partial(choose, True)) > 0.8
    assert wins(env, functools.partial(choose, False)) < 0.2
