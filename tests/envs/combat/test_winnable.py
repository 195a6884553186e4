"""NDQ's maps can be won by who knows where the enemy is, when to strike and when to run; not by who does not wait."""

import functools

import jax.numpy as jnp
import numpy as np
import pytest

from experiments.combat_scripts import SCRIPTS, kite, outcomes, stand, strike_together, surround, win_rate
from marlcomm.envs import make_env
from marlcomm.envs.combat import SCENARIOS
from marlcomm.envs.combat.registry import task_of
from marlcomm.envs.combat.roster import Roster

EPISODES = 128


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "least", "most"),
    [
        ("3b_vs_1h1m", 0.7, 0.9),  # in a fifth of the episodes one starts within the enemy's reach, which loses most
        ("1o2r_vs_4r", 0.7, 0.9),  # for a sixth of the starts the way is too long for the time limit
        ("1o10b_vs_1r", 0.95, 1.0),
        ("3s_vs_5z", 0.9, 1.0),
        ("MMM", 0.9, 1.0),
    ],
)
def test_who_knows_everything_wins(name, least, most):
    assert least <= win_rate(make_env(name, settings="ndq"), SCRIPTS[name], EPISODES) <= most


@pytest.mark.slow
def test_banelings_that_do_not_wait_for_one_another_and_stalkers_that_stand_lose():
    assert win_rate(make_env("3b_vs_1h1m"), functools.partial(strike_together, hold_at=0.0), EPISODES) < 0.6
    assert win_rate(make_env("3s_vs_5z"), stand, EPISODES) < 0.2


@pytest.mark.slow
def test_stalkers_who_may_shoot_two_cells_far_cannot_kite():
    assert win_rate(make_env("3s_vs_5z", settings="ndq", shoot_range=2), SCRIPTS["3s_vs_5z"], EPISODES) == 0.0


def starting(angles):
    """Sets five zealots 4 cells from the ultralisk, in those directions."""

    def start(state):
        units = state.units
        x, y = (jnp.array([*(16 + 4 * along(angles)), 16.0], jnp.float32) for along in (np.cos, np.sin))
        return state._replace(units=units._replace(x=x, y=y))

    return start


AROUND = 2 * np.pi / 5 * np.arange(5)
ABREAST = 0.25 * (np.arange(5) - 2)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "angles", "least", "most"),
    [
        (stand, ABREAST, 0.0, 0.05),  # the ultralisk hits all of them at each swing
        (surround, ABREAST, 0.2, 1.0),  # it hits the others only while they go behind it
        (stand, AROUND, 0.8, 1.0),
        (surround, AROUND, 0.9, 1.0),
    ],
)
def test_zealots_that_come_as_a_clump_lose_to_an_ultralisk_that_they_beat_from_all_sides(script, angles, least, most):
    won, _ = outcomes(task_of(SCENARIOS["5z_vs_1ul"])(), script, 64, start=starting(angles))
    assert least <= float(won.mean()) <= most


@pytest.mark.slow
def test_stalkers_that_kite_mostly_win_without_losing_health():
    won, last = outcomes(task_of(SCENARIOS["3s_vs_5z"])(), kite, EPISODES)
    whole = (last.units.health[:, :3] == 80.0).all(1)  # health does not come back, so none was lost on the way
    assert won.mean() >= 0.9
    assert float((won & whole).sum() / won.sum()) >= 0.6


def reached(ground, start):
    """[W, H] bool: cells to which one can walk from those that are true in `start`, one side after another."""
    seen = start & ground
    while True:
        wide = np.pad(seen, 1)
        more = ground & (wide[1:-1, 1:-1] | wide[2:, 1:-1] | wide[:-2, 1:-1] | wide[1:-1, 2:] | wide[1:-1, :-2])
        if (more == seen).all():
            return seen
        seen = more


@pytest.mark.parametrize("name", SCENARIOS)
def test_whoever_starts_on_foot_can_walk_to_everybody_else(name):
    roster = Roster(SCENARIOS[name])
    ground, near = roster.terrain.open, roster.terrain.nearest_open.astype(int)
    cells = np.zeros_like(ground)
    for unit, draw in zip(roster.units, roster.draw_of, strict=True):
        if unit.flying:
            continue
        for left, bottom, right, top in roster.draws[draw]:
            x, y = np.meshgrid(
                np.arange(int(left), min(int(np.ceil(right)), 31) + 1),
                np.arange(int(bottom), min(int(np.ceil(top)), 31) + 1),
            )
            cells[near[x, y, 0], near[x, y, 1]] = True
    one = np.zeros_like(cells)
    one[tuple(np.argwhere(cells)[0])] = True
    assert (reached(ground, one) >= cells).all()
