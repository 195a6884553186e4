"""Attacks against closed forms: every kind of unit against every other, armor, shields, splash, explosions, healing."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from duels import Field, fresh, scenario

from marlcomm.envs.combat import SCENARIOS, UNITS, battle
from marlcomm.envs.combat.roster import Roster

TICK = 1 / 16
FIGHTERS = [name for name, unit in UNITS.items() if unit.damage > 0]
CENTER = 16.0
MOST_HEALTH = 40.0  # of victims at the start, so that nothing takes longer than 30 seconds
LOOPS = 30 * 16
LATE = 2 * TICK  # seconds, at most: an attack begins in the loop in which it is due, and hits in that in which it is


def in_loops(seconds):
    """The same in whole game loops: what falls due within a loop happens at its end."""
    return np.ceil(seconds / TICK) * TICK


def killing_time(attacker, victim, most_health):
    """Seconds until the last hit, from the table alone; None where the weapon does not reach, inf where it fails."""
    if not (attacker.hits_air if victim.flying else attacker.hits_ground):
        return None
    hit = attacker.damage + max((more for kind, more in attacker.bonus.items() if kind in victim.attributes), default=0)
    health, shield, now = min(victim.health, most_health), victim.shield, 0.0
    period = float(np.float32(attacker.period))  # five of 1.2 s are just over 96 loops
    for attack in range(1 if attacker.explodes else 400):
        for number in range(attacker.hits):
            at = in_loops(attack * period) + in_loops(attacker.damage_point + number * attacker.hit_delay)
            health = min(health + victim.regeneration * (at - now), victim.health)
            now = at
            through = max(hit - shield, 0.0)
            shield = max(shield - hit, 0.0)
            health -= max(through - victim.armor, 0.5) if through else 0.0
            if health <= 0:
                return now
    return np.inf


PAIRS = list(itertools.product(FIGHTERS, UNITS))


@functools.cache
def duels():
    """Units of `PAIRS`, one attacker and one victim a copy, at contact, all others dead; and a function that plays."""
    roster = Roster(scenario([(name, 1) for name in FIGHTERS], [(name, 1) for name in UNITS]))
    units, orders = battle.start(roster, jax.random.key(0), False)
    units, orders = (
        jax.tree.map(lambda leaf: jnp.repeat(leaf[:, None], len(PAIRS), 1), each) for each in (units, orders)
    )
    allies = len(FIGHTERS)
    mine = np.array([FIGHTERS.index(attacker) for attacker, _ in PAIRS])
    theirs = np.array([[*UNITS].index(victim) for _, victim in PAIRS])
    rows = np.arange(len(roster.units))[:, None]
    there = (rows == mine) | (rows == allies + theirs)
    radius = np.array([unit.radius for unit in roster.units])
    x = np.full(there.shape, CENTER) + np.where(rows >= allies, radius[mine] + radius[allies + theirs] + 0.01, 0.0)
    units = units._replace(
        x=jnp.asarray(x, jnp.float32),
        y=jnp.full(there.shape, CENTER),
        health=jnp.where(there, units.health, 0.0),
        target=jnp.where(rows == mine, theirs, -1).astype(jnp.int32),
        cooldown=jnp.where(there & (rows >= allies), 1e6, 0.0).astype(jnp.float32),  # the victim does not hit back
    )
    jitter = jnp.zeros(there.shape)

    def loop(now, _):
        now = battle.play(roster, now, orders, jitter, 1)
        return now, now.health[allies + theirs, np.arange(len(PAIRS))] <= 0.0

    return units, jax.jit(lambda units: jax.lax.scan(loop, units, None, length=LOOPS))


def found_times(most_health, seconds):
    """Seconds until the victim of each of `PAIRS` died, of which it had at most `most_health`; inf where it lives."""
    units, play = duels()
    rows = np.arange(len(units.health))[:, None]
    units = units._replace(health=jnp.where(rows < len(FIGHTERS), units.health, jnp.minimum(units.health, most_health)))
    dead = []
    for _ in range(-(-seconds * 16 // LOOPS)):
        units, now = play(units)
        dead.append(np.asarray(now))
    dead = np.concatenate(dead)
    times = np.where(dead.any(0), dead.argmax(0) * TICK, np.inf)
    return dict(zip(PAIRS, times, strict=True))


@pytest.mark.parametrize(
    ("most_health", "seconds"), [(MOST_HEALTH, 30), pytest.param(np.inf, 120, marks=pytest.mark.slow)]
)
def test_every_kind_kills_every_other_when_the_table_says(most_health, seconds):
    for (attacker, victim), found in found_times(most_health, seconds).items():
        wanted = killing_time(UNITS[attacker], UNITS[victim], most_health)
        name = f"{attacker} against {victim}"
        if wanted is None or wanted == np.inf:
            assert found == np.inf, name
        else:
            assert found == wanted, f"{name}: {found} s in place of {wanted} s"


@pytest.mark.parametrize(
    ("attacker", "victim", "seconds"),
    [
        ("marine", "marine", 0.05 + 7 * 0.8608),  # 8 x 6 >= 45
        ("marauder", "stalker", 0.167 + 8 * 1.5),  # 4 x 20 of the shield, 5 x 19 >= 80: bonus, then armor
        ("zealot", "stalker", 0.167 + 10 * 1.2 + 0.28),  # 10 x 8 of the shield, 12 x 7 >= 80: two hits an attack
        ("stalker", "zealot", 0.167 + 16 * 1.44),  # 5 x 10 of the shield, 12 x 9 >= 100: no bonus
        ("stalker", "roach", 0.167 + 11 * 1.44),  # 12 x 13 >= 145 + 11 x 1.44 x .2734; of which 11 are not enough
        ("roach", "hydralisk", 0.167 + 5 * 2.0),  # 5 x 16 = 80, but it regenerates
        ("marine", "overlord", 0.05 + 34 * 0.8608),  # 34 x 6 >= 200, but it regenerates
        ("marauder", "colossus", 0.167 + 18 * 1.5),  # 7 x 20 of the shield, one that breaks it and takes 9, 11 x 19
        ("colossus", "stalker", 0.167 + 4 * 2.2),  # 4 x 20 of the shield, 5 x 19 >= 80: both beams at once
        ("reaper", "marine", 0.167 + 2 * 1.1),  # 5 x 9 = 45: the first hit of the third attack
        ("hydralisk", "medivac", 0.208 + 13 * 0.83),  # 14 x 11 >= 150, in the air
        ("ultralisk", "zealot", 0.333 + 8 * 0.861),
        ("baneling", "zergling", 0.167),  # 35 = 35
        ("baneling", "marine", np.inf),  # 35 < 45, and there is only one
        ("roach", "overlord", np.inf),  # does not reach the air
    ],
)
def test_a_victim_in_full_health_dies_when_hits_were_counted_by_hand(attacker, victim, seconds):
    found = found_of_full_health()[attacker, victim]
    assert found == seconds or 0 <= found - seconds < LATE


@functools.cache
def found_of_full_health():
    return found_times(np.inf, 30)


def test_an_ultralisk_kills_a_zealot_in_nine_swings():
    field = fresh((("ultralisk", 1),), (("zealot", 3),))
    field.set(
        x=[16.0, 17.6, 17.2, 14.5], y=[16.0] * 4, health=[600.0, 100.0, 0.0, 0.0], shield=[0.0, 50.0, 0.0, 0.0],
        unhurt=[10.0] * 4, target=[0, -1, -1, -1], cooldown=[0.0, 99.0, 99.0, 99.0], swing=[-1.0] * 4,
    )  # fmt: skip
    falls, before = [], 150.0
    for loop in range(130):
        field.play(1)
        left = field.shield[1] + field.health[1]
        if left < before:
            falls.append((loop * TICK, float(field.shield[1]), float(field.health[1])))
        before = left
    # 18 a swing on the shield; what breaks it takes 18 - 14 - 1, then each 18 - 1
    left = [(32, 100), (14, 100), (0, 97), (0, 80), (0, 63), (0, 46), (0, 29), (0, 12), (0, 0)]
    assert [rest for _, *rest in falls] == [[*each] for each in left]
    assert all(0 <= at - (0.333 + 0.861 * swing) < LATE for swing, (at, *_) in enumerate(falls))


@pytest.mark.parametrize(("banelings", "left"), [(2, 10.0), (3, 0.0)])
def test_three_banelings_kill_a_hydralisk_and_two_do_not(banelings, left):
    field = fresh((("baneling", 3),), (("hydralisk", 1),))
    x = [16.0, 17.02, 15.0, 16.0]
    y = [15.0, 16.0, 16.0, 16.0]
    health = [30.0 if i < banelings else 0.0 for i in range(3)] + [80.0]
    field.set(x=x, y=y, health=health, target=[0, 0, 0, -1], cooldown=[0, 0, 0, 9.0]).play(6)
    assert field.health[3] == pytest.approx(left, abs=0.2)
    assert (field.health[:3] == 0).all()


@pytest.mark.parametrize(("distance", "damage"), [(2.7, 35.0), (2.9, 0.0)])
def test_a_baneling_that_is_killed_explodes_within_2_2_and_the_radius_of_the_victim(distance, damage):
    field = fresh((("baneling", 1),), (("hydralisk", 1),), ("hydralisk", (("damage", 30.0),)))
    field.set(x=[16.0, 16.0 + distance], y=[16.0, 16.0], health=[30.0, 80.0], target=[-1, 0], cooldown=[0, 0])
    field.orders = field.orders._replace(go=jnp.zeros((2, 1), bool))
    field.play(6)
    assert field.health[0] == 0.0  # one hit
    assert field.health[1] == pytest.approx(80.0 - damage, abs=0.2)


def test_banelings_that_explosions_kill_explode_in_the_same_loop():
    field = fresh((("baneling", 2),), (("baneling", 1), ("zergling", 2)))
    x = [16.0, 18.9, 16.99, 20.5, 26.0]  # each explosion reaches one more, but for the last
    field.set(x=x, y=[16.0] * 5, health=[15.0] * 5, target=[0, -1, -1, -1, -1], cooldown=[0.0] + [9.0] * 4)
    field.orders = field.orders._replace(go=jnp.zeros((5, 1), bool))
    for _ in range(8):
        before = field.health.copy()
        field.play(1)
        if (field.health < before).any():
            break
    assert before == pytest.approx([15.0] * 5, abs=0.2)
    assert field.health == pytest.approx([0.0, 0.0, 0.0, 0.0, 15.0], abs=0.2)


@pytest.mark.parametrize("idle", [0, 5])
def test_attacks_are_a_period_apart_from_the_first(idle):
    field = fresh((("roach", 1),), (("ultralisk", 1),), ("roach", (("period", 1.0),)))
    field.set(x=[16.0, 18.0], y=[16.0, 16.0], health=[145.0, 600.0], target=[-1, -1], cooldown=[0.0, 99.0]).play(idle)
    at, _ = zip(*falls_of(field.set(target=[0, -1]), 1, 60), strict=True)
    assert [round(16 * when) for when in at] == [3, 19, 35, 51]  # loops: .167 s after each start is in the third


@pytest.mark.slow
@pytest.mark.parametrize(("count", "dies"), [(7, False), (8, True)])
def test_a_roach_takes_eight_banelings(count, dies):
    field = fresh((("baneling", 10),), (("roach", 1),))
    angle = np.linspace(0, 2 * np.pi, 11)[:10]
    health = [30.0 if i < count else 0.0 for i in range(10)] + [145.0]
    field.set(
        x=[*(16 + 1.05 * np.cos(angle)), 16.0], y=[*(16 + 1.05 * np.sin(angle)), 16.0], health=health,
        target=[0] * 10 + [-1], cooldown=[0.0] * 10 + [9.0],
    ).play(8)  # fmt: skip
    assert (field.health[10] == 0.0) == dies


@pytest.mark.slow
def test_five_zealots_kill_an_ultralisk_in_ten_seconds():
    field = fresh((("zealot", 5),), (("ultralisk", 1),))
    angle = np.linspace(0, 2 * np.pi, 6)[:5]
    field.set(
        x=[*(16 + 1.5 * np.cos(angle)), 16.0], y=[*(16 + 1.5 * np.sin(angle)), 16.0], health=[100.0] * 5 + [600.0],
        shield=[50.0] * 5 + [0.0], target=[0] * 5 + [-1], cooldown=[0.0] * 5 + [99.0],
    )  # fmt: skip
    rate = 5 * 2 * (8 - 1) / 1.2 - 0.2734
    field.play(int((600 / rate - 1.2) / TICK))
    assert field.health[5] > 0
    field.play(int(2.4 / TICK))
    assert field.health[5] == 0


def test_an_ultralisk_hits_all_in_front_and_none_behind():
    field = fresh((("ultralisk", 1),), (("zealot", 3),))
    field.set(
        x=[16.0, 17.6, 17.2, 14.5], y=[16.0, 16.0, 17.3, 16.0], health=[600.0, 100.0, 100.0, 100.0],
        shield=[0.0] * 4, unhurt=[0.0] * 4, target=[0, -1, -1, -1], cooldown=[0.0, 99.0, 99.0, 99.0],
    ).play(8)  # fmt: skip
    assert field.health[1:].tolist() == [83.0, 83.0, 100.0]


@pytest.mark.slow
def test_a_colossus_burns_a_line_across_its_shot():
    field = fresh((("colossus", 1),), (("marine", 4),))
    field.set(
        x=[10.0, 15.0, 15.0, 15.0, 17.0], y=[16.0, 16.0, 17.5, 18.0, 16.0], health=[200.0, 45, 45, 45, 45],
        target=[0, -1, -1, -1, -1], cooldown=[0.0] + [99.0] * 4,
    ).play(5)  # fmt: skip
    assert field.health[1:].tolist() == [5.0, 5.0, 45.0, 45.0]  # two beams; a victim's radius counts


def test_armor_does_not_help_shields_and_what_gets_through_a_shield_is_less_armor():
    field = fresh((("marine", 1),), (("stalker", 1),))
    field.set(
        x=[16.0, 18.0], y=[16.0, 16.0], health=[45.0, 80.0], shield=[0.0, 4.0], unhurt=[0.0, 0.0],
        target=[0, -1], cooldown=[0.0, 99.0],
    ).play(2)  # fmt: skip
    assert (field.shield[1], field.health[1]) == (0.0, 80.0 - (2.0 - 1.0))


def test_shields_come_back_after_ten_seconds():
    field = fresh((("marine", 1),), (("stalker", 1),))
    field.set(
        x=[1.0, 30.0], y=[16.0, 16.0], health=[45.0, 80.0], shield=[0.0, 40.0], target=[-1, -1], cooldown=[0.0, 99.0],
        unhurt=[0.0, 0.0],
    ).play(159)  # fmt: skip
    assert field.shield[1] == 40.0
    field.play(16)
    assert field.shield[1] == pytest.approx(42.0, abs=0.2)


@pytest.mark.slow
def test_a_medivac_heals_nine_a_second_for_a_third_of_an_energy_each():
    field = fresh((("marine", 1), ("medivac", 1)), (("overlord", 1),))
    before = field.set(
        x=[16.0, 16.0, 1.0], y=[16.0, 18.0, 1.0], health=[10.0, 150.0, 200.0], target=[-1, 0, -1]
    ).energy[1]
    field.play(16)
    assert field.health[0] == pytest.approx(19.0, abs=1e-3)
    assert field.energy[1] == pytest.approx(before - 9 * 0.33 + 0.5625, abs=1e-3)
    field.set(energy=[0.0, 0.0, 0.0]).play(1)
    assert field.health[0] == pytest.approx(19.0, abs=0.2)  # nothing to heal with
    field.set(health=[45.0, 150.0, 200.0]).play(1)
    assert field.health[0] == 45.0


def test_two_banelings_leave_a_hydralisk_that_its_medivac_restores():
    field = Field(Roster(SCENARIOS["3b_vs_1h1m"]))
    field.set(
        x=[15.0, 17.0, 1.0, 16.0, 16.0], y=[31.0] * 5, health=[30.0, 30.0, 0.0, 80.0, 150.0],
        target=[0, 0, -1, -1, -1], cooldown=[0.0, 0.0, 0.0, 99.0, 0.0],
    ).play(4)  # fmt: skip
    assert field.health[:3].tolist() == [0.0] * 3
    assert field.health[3] == pytest.approx(80.0 - 2 * 35.0, abs=0.02)
    before = field.energy[4]
    field.play(4 * 16)
    assert field.health[3] == pytest.approx(10.0 + 4 * (7.0 + 0.2734), abs=0.05)
    assert field.energy[4] == pytest.approx(before - 4 * (7.0 * 0.33 - 0.5625), abs=0.01)
    whole = int(70.0 / (7.0 + 0.2734) * 16)  # loops until nothing is missing
    assert field.play(whole - 4 * 16 - 1).health[3] < 80.0
    assert field.play(3).health[3] == 80.0


def falls_of(field, unit, loops):
    """Seconds at which a unit lost health, and what it had then."""
    falls, before = [], field.health[unit]
    for loop in range(loops):
        left = field.play(1).health[unit]
        if left < before:
            falls.append((loop * TICK, float(left)))
        before = left
    return falls


def in_the_corner(**fields):
    """The overlord of 1o2r_vs_4r, a roach and, 3 cells east of it, a reaper; one of each kind lives."""
    field = Field(Roster(SCENARIOS["1o2r_vs_4r"]))
    health = [200.0, 145.0, 0.0, 50.0, 0.0, 0.0, 0.0]
    x = [3.0, 10.0, 20.0, 13.0, 20.0, 20.0, 20.0]
    return field.set(x=x, y=[2.0] * 7, health=health, **fields)


def test_a_roach_of_the_overlord_maps_kills_a_reaper_in_four_hits_a_second_apart():
    field = in_the_corner(target=[-1, 0, -1, -1, -1, -1, -1], cooldown=[0.0] * 3 + [99.0] * 4)
    at, left = zip(*falls_of(field, 3, 80), strict=True)
    assert left == (34.0, 18.0, 2.0, 0.0)
    assert [when - at[0] for when in at] == [0.0, 1.0, 2.0, 3.0]
    assert 0 <= at[0] - 0.167 < LATE


def test_a_reaper_of_the_overlord_maps_takes_twice_three_of_a_roach_each_1_1_seconds():
    field = in_the_corner(target=[-1] * 3 + [1] + [-1] * 3, cooldown=[0.0, 99.0] + [0.0] * 5)
    falls = falls_of(field, 1, 5 * 16)
    due = [0.167 + 1.1 * attack + delay for attack in range(5) for delay in (0.0, 0.122)][: len(falls)]
    assert len(falls) >= 8
    at, left = zip(*falls, strict=True)
    assert all(0 <= when - then < LATE for when, then in zip(at, due, strict=True))
    regrown = [0.2734 * (when - at[0]) for when in at]
    assert left == pytest.approx([145.0 - 3.0 * (hit + 1) + more for hit, more in enumerate(regrown)], abs=0.03)


@pytest.mark.slow
def test_an_attack_that_is_broken_off_has_not_happened():
    field = fresh((("hydralisk", 1),), (("zealot", 1),))
    field.set(
        x=[16.0, 18.0], y=[16.0, 16.0], health=[80.0, 100.0], shield=[0.0, 50.0], target=[0, -1], cooldown=[0.0, 99.0]
    )
    field.play(2)
    assert field.swing[0] >= 0
    field.set(target=[-1, -1]).play(10)
    assert field.shield[1] == 50.0
    assert field.cooldown[0] == 0.0


def test_two_that_kill_each_other_both_die():
    field = fresh((("marine", 1),), (("marine", 1),))
    field.set(x=[16.0, 18.0], y=[16.0, 16.0], health=[6.0, 6.0], target=[0, 0], cooldown=[0.0, 0.0]).play(3)
    assert field.health.tolist() == [0.0, 0.0]
