"""Enemies follow their rules: acquire, keep, chase, answer, call for help, march, heal; the dead do nothing."""

import functools

import jax.numpy as jnp
import numpy as np
import pytest
from duels import Field, fresh, scenario

from marlcomm.envs.combat.roster import Roster

FAR_AWAY = 99.0


def test_an_idle_enemy_takes_the_nearest_within_scan_range_and_chases_it():
    field = fresh((("marine", 2),), (("zealot", 1),))
    field.set(x=[14.0, 13.0, 20.0], y=[16.0] * 3, health=[45, 45, 100], target=[-1] * 3).play(2)
    assert field.target[2] == -1  # 6 cells less both radii are more than 5
    field.set(x=[15.0, 14.8, 20.0]).play(8)
    assert field.target[2] == 0
    assert field.x[2] == pytest.approx(20.0 - 7 * 2.25 / 16, abs=0.01)  # the first loop sees, the others walk


def test_a_waiting_enemy_answers_whoever_hits_it_and_calls_for_help():
    field = fresh((("stalker", 1),), (("zealot", 3),))
    field.set(
        x=[10.0, 17.0, 19.0, 29.0], y=[16.0] * 4, health=[80, 100, 100, 100], target=[0, -1, -1, -1], cooldown=[0.0] * 4
    ).play(6)
    assert field.target[1:].tolist() == [0, 0, -1]


def on_the_march():
    """Two stalkers within their reach of two zealots, but not within the zealots' scan; the first shoots the first."""
    return marching().set(
        **PLACES, health=[80.0, 80.0, 100.0, 100.0], shield=[80.0, 80.0, 50.0, 50.0], target=[0, -1, -1, -1],
        cooldown=[0.0] * 4, swing=[-1.0] * 4,
    )  # fmt: skip


PLACES = {"x": [13.0, 13.6, 20.0, 20.0], "y": [16.0, 17.6, 16.0, 17.0]}  # the second stalker is nearer to both


@functools.cache
def marching():
    field = Field(Roster(scenario([("stalker", 2)], [("zealot", 2)], march="left")))
    field.orders = field.orders._replace(go=jnp.zeros((4, 1), bool))  # they stay, for the sake of distances
    return field


def test_who_is_hit_on_the_march_answers_in_that_loop_whoever_shot_and_nobody_helps():
    field = on_the_march().play(3)
    assert field.shield[2] == 50.0
    assert field.target[2:].tolist() == [-1, -1]  # who only aims is no reason
    field.play(1)
    assert field.shield[2] == 40.0
    assert field.target[2:].tolist() == [0, -1]  # not the nearer one, who did nothing; and both are out of scan


def test_who_is_hit_answers_the_nearest_of_those_that_struck_in_that_loop():
    field = on_the_march().set(target=[0, 1, -1, -1]).play(4)
    assert field.shield[2:].tolist() == [40.0, 40.0]
    assert field.target[2:].tolist() == [1, 1]  # also the one that the other stalker shot
    late = on_the_march().set(target=[0, 1, -1, -1], cooldown=[0.0, 0.25, 0.0, 0.0]).play(4)
    assert late.shield[2:].tolist() == [40.0, 50.0]
    assert late.target[2] == 0  # the nearer one's shot is still to come


def test_who_is_hit_does_not_answer_a_healer_which_hits_nobody():
    field = fresh((("marauder", 1), ("marine", 1), ("medivac", 1)), (("marine", 1),))
    field.orders = field.orders._replace(go=jnp.zeros((4, 1), bool))
    field.set(
        x=[10.0, 8.0, 10.2, 16.4], y=[16.0] * 4, health=[125.0, 20.0, 150.0, 45.0], target=[0, -1, 1, -1],
        cooldown=[0.0] * 4,
    ).play(3)  # fmt: skip
    field.play(1)
    assert field.health[3] < 45.0  # it was shot
    assert field.health[1] > 20.0  # and the medivac heals
    assert field.target[3] == 0  # from afar, though the medivac is nearer


def test_on_the_march_a_target_out_of_range_is_kept_while_it_attacks_that_very_enemy():
    field = on_the_march().play(6)
    assert field.target[2] == 0  # between two shots
    assert field.x[2] < 20.0  # and followed
    field.set(**PLACES, target=[1, -1, 0, -1]).play(1)
    assert field.target[2] == -1  # it attacks another one now


def test_a_waiting_enemy_keeps_a_target_out_of_range_while_it_attacks_anyone():
    field = fresh((("stalker", 1),), (("zealot", 3),))
    field.set(
        x=[13.0, 20.0, 21.0, 29.0], y=[16.0] * 4, health=[80, 100, 100, 0], target=[1, 0, -1, -1], cooldown=[9.0] * 4
    ).play(1)
    assert field.target[1] == 0
    field.set(x=[13.0, 20.0, 21.0, 29.0], target=[-1, 0, -1, -1]).play(1)
    assert field.target[1] == -1


def test_a_target_is_kept_while_in_range_and_dropped_beyond_scan():
    field = fresh((("marine", 2),), (("marine", 1),))
    field.set(x=[16.0, 18.0, 20.0], y=[16.0] * 3, health=[45, 45, 45], target=[-1, -1, 0]).play(1)
    assert field.target[2] == 0  # the other is nearer
    field.set(x=[5.0, 5.0, 20.0]).play(1)
    assert field.target[2] == -1


def test_ground_weapons_do_not_see_what_flies():
    field = fresh((("overlord", 1),), (("roach", 1),))
    field.set(x=[16.0, 16.5], y=[16.0, 16.0], health=[200, 145], target=[-1, -1]).play(40)
    assert (field.target[1], field.health[0]) == (-1, 200.0)


@pytest.mark.slow
def test_enemies_march_and_a_healer_keeps_to_them():
    roster = Roster(scenario([("overlord", 1)], [("marine", 2), ("medivac", 1)], march="left"))
    field = Field(roster).set(x=[1.0, 25.0, 26.0, 30.0], y=[1.0, 16.0, 16.0, 16.0]).play(160)
    assert field.x[1:3] == pytest.approx([25 - 22.5, 26 - 22.5], abs=13)
    assert (field.x[1:3] < 12).all()
    assert np.abs(field.x[3] - field.x[2]) < 2.5


@pytest.mark.slow
def test_a_healer_heals_who_lacks_most():
    roster = Roster(scenario([("overlord", 1)], [("marine", 2), ("marauder", 1), ("medivac", 1)]))
    field = Field(roster).set(
        x=[1.0, 20.0, 21.0, 20.5, 20.0], y=[1.0, 16.0, 16.0, 17.0, 16.0], health=[200.0, 40.0, 30.0, 50.0, 150.0]
    ).play(3)  # fmt: skip
    assert field.target[4] == 2
    assert field.health[3] > 50.0


def test_the_dead_do_not_move_see_heal_collide_or_count():
    field = fresh((("marine", 1), ("medivac", 1)), (("zealot", 2),))
    field.set(
        x=[16.0, 16.0, 16.1, 17.0], y=[16.0, 16.0, 16.0, 16.0], health=[0.0, 0.0, 0.0, 100.0], shield=[0, 0, 0, 50.0],
        target=[0, 0, -1, -1],
    )  # fmt: skip
    before = field.x.copy(), field.y.copy()
    field.play(200)
    assert (field.x == before[0]).all()
    assert (field.y == before[1]).all()
    assert field.health.tolist() == [0.0, 0.0, 0.0, 100.0]
    assert (field.target[2:] == -1).all()


@pytest.mark.slow
@pytest.mark.parametrize(("roaches", "win"), [(1, False), (2, True)])
def test_two_roaches_beat_four_reapers_and_one_does_not(roaches, win):
    changes = (("roach", (("period", 1.0), ("scan", 3.0))), ("reaper", (("range", 3.0), ("scan", 3.0))))
    field = fresh((("roach", 2),), (("reaper", 4),), *changes)
    health = [145.0 if i < roaches else 0.0 for i in range(2)] + [50.0] * 4
    field.set(x=[13.0, 13.0, 16.0, 16.0, 17.0, 17.0], y=[15.5, 16.6, 15.5, 16.5, 15.5, 16.5], health=health)
    for victim in range(4):  # one after the other
        while field.health[2 + victim] > 0 and field.health[:2].any():
            field.set(target=[victim, victim, *field.target[2:]]).play(8)
    assert (field.health[2:] == 0).all() == win


@pytest.mark.slow
def test_orders_are_followed_to_where_they_lead():
    field = fresh((("marine", 1),), (("overlord", 1),))
    field.set(x=[16.0, 1.0], y=[16.0, 1.0], health=[45, 200], target=[-1, -1])
    field.orders = field.orders._replace(
        x=jnp.array([[18.0], [0.0]]), y=jnp.array([[16.0], [0.0]]), go=jnp.array([[True], [False]])
    )
    field.play(8)
    assert field.x[0] == pytest.approx(16.0 + 2.25 / 2, abs=1e-4)
    field.play(80)
    assert field.x[0] == pytest.approx(18.0, abs=1e-3)
