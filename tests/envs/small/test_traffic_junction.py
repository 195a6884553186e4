"""Traffic junction: the map and its routes, the rules, and the easy level against its exact values."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from marlcomm.envs import FullObservation, make_env
from marlcomm.envs.small.traffic_junction import BRAKE, GAS, TrafficJunction

EASY = TrafficJunction()
RESET, STEP = jax.jit(EASY.reset_at), jax.jit(EASY.step)


def cars(arrival_rate=0.0, **changes):
    """A state of the easy level with as many cars on the road as the changed fields have entries."""
    state, _ = RESET(jax.random.key(0), 1.0)
    fields = {name: np.array(values + [0] * (5 - len(values)), np.int32) for name, values in changes.items()}
    on_road = np.arange(5) < len(changes["progress"])
    return state._replace(on_road=on_road, arrival_rate=np.float32(arrival_rate), **fields)


@pytest.mark.parametrize(
    ("difficulty", "cells", "lengths"),
    [
        ("easy", 13, {7: 2}),
        ("medium", 52, {13: 4, 14: 4, 15: 4}),  # right, straight, left
        ("hard", 128, {9: 4, 11: 4, 16: 4, 17: 8, 18: 8, 19: 8, 20: 4, 25: 4, 26: 8, 27: 4}),
    ],
)
def test_routes(difficulty, cells, lengths):
    roads = TrafficJunction(difficulty).roads
    size = len(roads.is_road)
    assert roads.is_road.sum() == cells
    found, counts = np.unique(roads.path_length, return_counts=True)
    assert dict(zip(found.tolist(), counts.tolist(), strict=True)) == lengths
    assert sorted(roads.routes.ravel()) == list(range(len(roads.path)))
    is_junction = roads.is_road & roads.is_road.all(axis=1)[:, None] & roads.is_road.all(axis=0)
    headings, starts = {}, set()
    for path, length in zip(roads.path, roads.path_length, strict=True):
        way = path[:length]
        assert roads.is_road[tuple(way.T)].all()
        assert (np.abs(np.diff(way, axis=0)).sum(axis=1) == 1).all()
        assert all((way[end] % (size - 1) == 0).any() for end in (0, -1))  # from edge to edge
        starts.add(tuple(way[0]))
        for here, there in itertools.pairwise(map(tuple, way)):
            if not is_junction[here]:
                headings.setdefault(here, set()).add((there[0] - here[0], there[1] - here[1]))
    assert all(len(heading) == 1 for heading in headings.values())  # no lane is used in both directions
    assert len(starts) == len(roads.routes)
    for routes in roads.routes:
        assert len({tuple(roads.path[route][0]) for route in routes}) == 1
        ways = {tuple(map(tuple, roads.path[route])) for route in routes}
        assert len(ways) == len(routes)


def exact_wins(rate, may_brake, capacity=5, steps=20):
    """The greatest chance that nobody collides on the easy level, and who brakes to reach it.

    Everything is known: a state is which of the 7 cells of each road are taken, as bits (the crossing is cell 3). The
    cars' choices are bits too. Returns the chance, and [steps, 2, 128, 128] the cells whose cars brake.
    """
    size, bits = 128, np.arange(7)
    taken = (np.arange(size)[:, None] >> bits) & 1  # [128, 7]
    count = taken.sum(axis=1)
    choices = size if may_brake else 1
    after = np.full((size, choices), -1)  # by cells taken and cells that brake; -1 for impossible or a collision
    for cells, brakes in itertools.product(range(size), range(choices)):
        if brakes & ~cells == 0:
            moved = (cells & ~brakes) << 1 & (size - 1)
            after[cells, brakes] = moved | brakes if moved & brakes == 0 else -1
    lost = (taken[:, None, 3] & taken[None, :, 3]).astype(bool)
    total = count[:, None] + count[None, :]
    value, brakes = np.ones((size, size)), np.zeros((steps, 2, size, size), np.int32)
    for time in reversed(range(steps)):
        arrived = np.zeros((size, size))  # the value after moving and before anyone comes
        for first, second in itertools.product((0, 1), repeat=2):
            chance = _comes(first, total < capacity, rate) * _comes(second, total + first < capacity, rate)
            safe = ~(first & taken[:, None, 0] | second & taken[None, :, 0]).astype(bool)
            arrived += chance * safe * value[np.arange(size)[:, None] | first, np.arange(size) | second]
        arrived[lost | (total > capacity)] = 0.0
        by_first = np.where(after[..., None] >= 0, arrived[after], -1.0)  # [128 cells, choices, 128]
        best = by_first.max(axis=1)
        by_second = np.where(after[None] >= 0, best[:, after], -1.0)  # [128, 128 cells, choices]
        value = by_second.max(axis=2)
        brakes[time, 1] = by_second.argmax(axis=2)
        moved = np.take_along_axis(np.broadcast_to(after, (size, size, choices)), brakes[time, 1][..., None], 2)[..., 0]
        brakes[time, 0] = by_first.argmax(axis=1)[np.arange(size)[:, None], moved]
    return value[0, 0], brakes


def _comes(number, possible, rate):
    return np.where(possible, rate if number else 1 - rate, 1 - number)


@jax.jit
def wins(brakes):
    """[2000] whether each episode at the full rate was won by those who brake as `exact_wins` says."""

    def one(key):
        state, _ = EASY.reset(key)

        def move(state, time):
            cells = [jnp.sum((state.on_road & (state.route == road)) << state.progress) for road in (0, 1)]
            action = brakes[time, state.route, cells[0], cells[1]] >> state.progress & 1
            state, step = EASY.step(state, action)
            return state, step.extras["won"]

        return jax.lax.scan(move, state, jnp.arange(EASY.horizon))[1].any()

    return jax.vmap(one)(jax.random.split(jax.random.key(1), 2000))


def test_who_knows_everything_wins_always():
    chance, brakes = exact_wins(0.3, may_brake=True)
    assert chance == pytest.approx(1.0, abs=1e-9)
    assert np.all(wins(brakes))


def test_who_never_brakes():
    chance, brakes = exact_wins(0.3, may_brake=False)
    assert chance == pytest.approx(0.281097, abs=1e-6)
    assert exact_wins(0.1, may_brake=False)[0] == pytest.approx(0.844122, abs=1e-6)
    assert np.mean(wins(brakes)) == pytest.approx(chance, abs=4 * np.sqrt(chance * (1 - chance) / 2000))


def test_a_car_alone():
    state, rewards = cars(route=[0], progress=[0]), []
    for _ in range(20):
        state, step = STEP(state, np.full((5,), GAS))
        rewards.append(float(step.reward[0]))
        assert step.observation.alive.tolist() == [len(rewards) < 7, False, False, False, False]
    assert rewards == pytest.approx([-0.01 * t for t in range(1, 7)] + [0.0] * 14)
    assert step.last()
    assert step.discount == 0
    assert step.extras["won"]
    assert not RESET(jax.random.key(0), 1.0)[1].observation.agents_view.any()


def test_cars_in_one_cell_collide():
    before = cars(route=[0, 1, 0], progress=[2, 2, 5], waited=[4, 9, 5])
    state, step = STEP(before, np.array([GAS, GAS, BRAKE, GAS, GAS]))
    np.testing.assert_allclose(step.reward, [-10.05, -10.1, -0.06, 0, 0], rtol=1e-6)
    np.testing.assert_array_equal(state.collided, [True, True, False, False, False])
    assert int(step.extras["collisions"]) == 2
    state, step = STEP(state, np.array([GAS, BRAKE, GAS, GAS, GAS]))  # they drive on
    np.testing.assert_allclose(step.reward, [-0.06, -0.11, -0.07, 0, 0], rtol=1e-6)
    state, step = STEP(state, np.array([BRAKE, BRAKE, GAS, GAS, GAS]))
    np.testing.assert_array_equal(step.observation.alive, [True, True, False, False, False])
    assert step.reward[2] == 0
    _, end = STEP(state._replace(step_count=np.int32(19)), np.array([BRAKE, BRAKE, GAS, GAS, GAS]))
    assert end.last()
    assert not end.extras["won"]  # because of what happened before
    safe, step = STEP(before, np.array([GAS, BRAKE, GAS, GAS, GAS]))
    assert not safe.failed
    assert not step.extras["won"]  # not before the end


def test_a_car_that_comes_onto_another_collides():
    state, step = STEP(cars(arrival_rate=1.0, route=[0], progress=[0]), np.full((5,), BRAKE))
    assert step.reward[0] == pytest.approx(-10.01)
    assert sorted(step.reward[1:].tolist()) == [-10, 0, 0, 0]
    assert sorted(np.asarray(state.route)[state.on_road].tolist()) == [0, 0, 1]  # one came at each entrance
    full, _ = STEP(cars(arrival_rate=1.0, route=[0] * 5, progress=[2] * 5), np.full((5,), BRAKE))
    assert full.progress.tolist() == [2] * 5  # nobody is left to come
    left, _ = STEP(cars(arrival_rate=1.0, route=[0] * 5, progress=[6] * 5), np.full((5,), GAS))
    assert left.on_road.sum() == 2  # who leaves can come again in the same step


def test_views():
    env = TrafficJunction(vision=1)
    _, step = jax.jit(env.step)(cars(route=[0, 1], progress=[1, 2]), np.array([GAS, BRAKE, GAS, GAS, GAS]))
    view = np.asarray(step.observation.agents_view)
    assert view.shape == (5, env.observation_size)
    np.testing.assert_array_equal(view[:, :2], [[0, 0], [1, 1], [0, 0], [0, 0], [0, 0]])
    squares = view[:, 2:].reshape(5, 3, 3, 13 + 2)
    # Cells count row by row: 0, 1, 2 above the crossing, the row is 3 .. 9, then 10, 11, 12 below; 13 is no road.
    np.testing.assert_array_equal(squares[0, ..., :14].argmax(-1), [[13, 1, 13], [13, 2, 13], [5, 6, 7]])
    np.testing.assert_array_equal(squares[0, ..., 14], [[0, 0, 0], [0, 1, 0], [1, 0, 0]])
    np.testing.assert_array_equal(squares[1, ..., :14].argmax(-1), [[13, 13, 2], [4, 5, 6], [13, 13, 10]])
    assert (squares[:2, ..., :14].sum(-1) == 1).all()
    assert not squares[2:].any()
    everything = np.asarray(step.observation.global_state).reshape(5, 6)
    np.testing.assert_allclose(everything[0], [1, 2 / 6, 3 / 6, 0, 0, 1 / 20])
    np.testing.assert_allclose(everything[1], [1, 3 / 6, 2 / 6, 1, 1, 1 / 20])
    assert not everything[2:].any()


def test_curriculum():
    found = [float(RESET(jax.random.key(0), progress)[0].arrival_rate) for progress in (0.0, 0.125, 0.375, 0.625, 1.0)]
    assert found == pytest.approx([0.1, 0.1, 0.2, 0.3, 0.3])
    assert jax.jit(EASY.reset)(jax.random.key(0))[0].arrival_rate == np.float32(0.3)
    wrapped = jax.eval_shape(FullObservation(EASY).reset_at, jax.random.key(0), 0.5)
    assert wrapped[1].observation.agents_view.shape == (5, 5 * EASY.observation_size)
    hallway = make_env("hallway")  # which has no curriculum
    both = jax.jit(lambda key: (hallway.reset_at(key, 0.0)[0].position, hallway.reset(key)[0].position))
    np.testing.assert_array_equal(*both(jax.random.key(3)))


@pytest.mark.parametrize(
    ("difficulty", "sizes"),
    [("easy", (5, 2 + 15, 30, 20)), ("medium", (10, 2 + 54, 60, 40)), ("hard", (20, 2 + 130, 120, 80))],
)
def test_sizes(difficulty, sizes):
    env = TrafficJunction(difficulty)
    assert (env.num_agents, env.observation_size, env.state_size, env.horizon) == sizes


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"difficulty": "medum"}, "no difficulty 'medum'. Did you mean 'medium'"),
        ({"vision": -1}, "vision=-1 must be a whole number, 0 to"),
        ({"num_agents": 0}, "num_agents=0 must be a whole number, 1 to"),
        ({"arrival_rates": (0.3, 0.1)}, "must be two probabilities, the lower first"),
        ({"arrival_rates": 0.3}, "arrival_rates=0.3 must be two probabilities"),
        ({"arrival_rates": (0.1, "x")}, r"arrival_rates\[1\]='x' must be a finite number"),
    ],
)
def test_options_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        TrafficJunction(**options)
