"""The sensor grid against exact values: by enumeration, as a Markov chain, and as an integer program."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from exhaustive import all_outcomes
from team_program import TeamProgram

from marlcomm.envs.small.sensor_grid import NOOP, SCANS, SensorGrid, SensorGridState


def make_states(env, targets):
    """States with targets in the cells `targets` [states, M]."""
    count = len(targets)
    return SensorGridState(
        target=jnp.asarray(targets, jnp.int32),
        last_target=jnp.asarray(targets, jnp.int32),
        last_action=jnp.full((count, env.num_agents), NOOP, jnp.int32),
        key=jax.random.split(jax.random.key(0), count),
        step_count=jnp.zeros((count,), jnp.int32),
    )


def layout(rows, columns):
    """The free cells, and for each sensor those around it, from the definition."""
    places = list(itertools.product(range(2 * rows - 1), range(2 * columns - 1)))
    cells = [(r, c) for r, c in places if r % 2 or c % 2]
    sensors = [(r, c) for r, c in places if not (r % 2 or c % 2)]
    around = [[i for i, (r, c) in enumerate(cells) if max(abs(r - y), abs(c - x)) == 1] for y, x in sensors]
    return cells, around


def paid(scanners):
    """What a target that so many sensors scan is worth, with the defaults."""
    return (1.5 * scanners if scanners >= 2 else 0.0) - scanners


def best_joint(targets, around):
    """The best total over all ways for each sensor to choose a target that it sees, or none."""
    counts = {(0,) * len(targets)}
    for cells in around:
        seen = [i for i, target in enumerate(targets) if target in cells]
        counts |= {(*c[:i], c[i] + 1, *c[i + 1 :]) for c in counts for i in seen}
    return max(sum(map(paid, count)) for count in counts)


def test_every_joint_scan_of_a_small_grid():
    env = SensorGrid(rows=2, columns=2, num_targets=2, steps=1)
    cells, around = layout(2, 2)
    assert [tuple(cell) for cell in env.cells.tolist()] == cells
    pairs = list(itertools.combinations(range(5), 2))
    actions, _, steps = all_outcomes(env, make_states(env, pairs))
    assert (steps.discount == 0).all()
    places = env.sensors[None] + SCANS[actions]  # [J, N, 2]
    for pair, reward, located in zip(pairs, steps.reward, steps.extras["located"], strict=True):
        scanners = np.stack([(places == cells[target]).all(-1).sum(-1) for target in pair])  # [M, J]
        right = 1.5 * (scanners * (scanners >= 2)).sum(0) - (actions != NOOP).sum(1)
        np.testing.assert_allclose(reward, np.repeat(right[:, None], 4, axis=1))
        np.testing.assert_array_equal(located, (scanners >= 2).sum(0))
        assert reward.max() == best_joint(pair, around)


@pytest.mark.parametrize(("columns", "told", "silent"), [(2, 16 / 10, 14 / 10), (3, 67 / 36, 59 / 36)])
def test_what_silence_costs_in_one_step(columns, told, silent):
    cells, around = layout(2, columns)
    pairs = list(itertools.combinations(range(len(cells)), 2))
    assert np.mean([best_joint(pair, around) for pair in pairs]) == pytest.approx(told)
    program = TeamProgram()
    choices = {}  # by sensor and view: which of the targets in view it scans, if any
    for pair in pairs:
        scans = {target: [] for target in pair}
        for sensor, near in enumerate(around):
            view = tuple(target for target in pair if target in near)
            if view and (sensor, view) not in choices:
                choices[sensor, view] = program.one_of(len(view))
            for target, scan in zip(view, choices.get((sensor, view), []), strict=True):
                scans[target].append(scan)
        for scanners in scans.values():  # minus the scanners, plus 1.5 times as many if they are two or more
            wasted = program.variable(worth=-1.0)
            for scanner in scanners:
                half = program.variable(worth=0.5)
                program.at_most(0, (1, [half]), (-1, [scanner]))
                others = [other for other in scanners if other != scanner]
                program.at_most(0, (1, [half]), (-1, others))
                program.at_most(0, (1, [scanner]), (-1, others), (-1, [wasted]))  # alone, it only costs
    assert program.best() / len(pairs) == pytest.approx(silent)


def jump_counts(cells, size):
    """[C, C] how many of the 25 jumps from one cell end in another, from the definition."""
    counts = np.zeros((len(cells),) * 2)
    for (a, cell), down, right in itertools.product(enumerate(cells), range(-2, 3), range(-2, 3)):
        to = (min(max(cell[0] + down, 0), size[0] - 1), min(max(cell[1] + right, 0), size[1] - 1))
        if to != cell and to in cells:
            counts[a, cells.index(to)] += 1
    return counts


def moved(chance, counts, axis):
    """[C, C, C] the chance of each place of three targets, after the one at `axis` has moved."""
    chance = np.moveaxis(chance, axis, 0)
    taken = np.eye(len(counts), dtype=bool)
    free = ~taken[:, :, None] & ~taken[:, None, :]  # [to, j, k]
    odds = np.einsum("it,tjk->ijk", counts, free)  # of anything that is free
    after = np.einsum("ijk,it->tjk", np.divide(chance, odds, where=odds > 0, out=np.zeros_like(chance)), counts) * free
    return np.moveaxis(after, 0, axis)


def test_full_information_is_worth_30_87():
    cells, around = layout(3, 5)
    worth, chance = np.zeros((30,) * 3), np.zeros((30,) * 3)
    for targets in itertools.combinations(range(30), 3):
        for order in itertools.permutations(targets):
            worth[order], chance[order] = best_joint(targets, around) if order == targets else worth[targets], 1.0
    chance /= chance.sum()
    counts = jump_counts(cells, (5, 9))
    total = 0.0
    for _ in range(SensorGrid().horizon):
        total += (chance * worth).sum()
        for axis in range(3):
            chance = moved(chance, counts, axis)
        assert chance.sum() == pytest.approx(1.0)
    assert total == pytest.approx(30.866143, abs=1e-6)


def test_targets_wander_as_the_chain_says():
    env = SensorGrid()
    cells, _ = layout(3, 5)
    start = (0, 9, 29)
    chance = np.zeros((30,) * 3)
    chance[start] = 1.0
    for axis in range(3):
        chance = moved(chance, jump_counts(cells, (5, 9)), axis)
    states = make_states(env, np.tile(start, (8_000, 1)))
    idle = jnp.full((15,), NOOP)
    after = jax.device_get(jax.jit(jax.vmap(lambda state: env.step(state, idle)[0].target))(states))
    for index in range(3):
        found = np.bincount(after[:, index], minlength=30) / len(after)
        right = chance.sum(axis=tuple({0, 1, 2} - {index}))
        assert (np.abs(found - right) <= 5 * np.sqrt(right / len(after))).all()
    assert (np.diff(np.sort(after, axis=1), axis=1) > 0).all()  # never two in one cell


def test_views_and_masks():
    env = SensorGrid(num_targets=2)
    cells = env.cells.tolist()
    states = make_states(env, [[cells.index([0, 1]), cells.index([1, 1])]])
    state = jax.tree.map(lambda leaf: leaf[0], states)
    seen = jax.jit(env.get_observation)(state)
    np.testing.assert_array_equal(seen.agents_view[0], [-1, -1, -1, -1, 0, 1, -1, 0, 1, 0, 0])
    np.testing.assert_array_equal(seen.agents_view[1], [-1, -1, -1, 1, 0, 0, 1, 0, 0, 0, 2])
    np.testing.assert_array_equal(seen.agents_view[6], [1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2])
    allowed = [env.action_names[a] for a in np.flatnonzero(seen.action_mask[0])]
    assert allowed == ["below right", "right", "below", "noop"]
    assert seen.action_mask[7].all()
    np.testing.assert_array_equal(seen.global_state, seen.agents_view.reshape(-1))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rows": 1}, "rows=1 must be a whole number, 2 to"),
        ({"num_targets": 8}, "num_targets=8 is too many for 3x5 sensors; at most 7 targets can always move"),
        ({"reward": float("inf")}, "reward=inf must be a finite number"),
        ({"steps": 0}, "steps=0"),
    ],
)
def test_options_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        SensorGrid(**options)
