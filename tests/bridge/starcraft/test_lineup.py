"""Which unit stands in which row, whatever order the game lists them in."""

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from marlcomm.bridge.simulator import SimulatorFault
from marlcomm.bridge.starcraft.lineup import Lineup
from marlcomm.bridge.starcraft.protocol import messages
from marlcomm.envs.combat.roster import Roster
from marlcomm.envs.combat.scenarios import SCENARIOS

ROSTER = Roster(SCENARIOS["MMM"])
NUMBERS = {"marauder": 1970, "marine": 1971, "medivac": 1972}
OF_ENEMIES = {"marauder": 51, "marine": 48, "medivac": 54}
NAMES = {1970: "Marauder_RL", 1971: "Marine_RL", 1972: "Medivac_RL", 51: "Marauder", 48: "Marine", 54: "Medivac"}


def army(seed):
    """Units of MMM at places of their own, shuffled within the sides."""
    rng, raw = np.random.default_rng(seed), messages().Response().observation.observation.raw_data
    split = ROSTER.num_allies
    for row in rng.permutation(len(ROSTER.units)).tolist():
        kind, name = ROSTER.units[row], ROSTER.names[row]
        number = (NUMBERS if row < split else OF_ENEMIES)[name]
        unit = raw.units.add(tag=2**40 + row, unit_type=number, owner=1 if row < split else 2, health=kind.health)
        unit.health_max, unit.shield_max = kind.health, kind.shield
        unit.pos.x, unit.pos.y = rng.integers(0, 6, 2) + rng.random()
    return list(raw.units)


@hypothesis.settings(max_examples=30, deadline=None, derandomize=True)
@hypothesis.given(seed=st.integers(0, 2**31 - 1), named=st.booleans(), sort=st.booleans())
def test_allies_stand_by_place_within_their_kind_and_enemies_as_listed(seed, named, sort):
    units = army(seed)
    lineup = Lineup(ROSTER, units, NAMES if named else {}, sort)
    by_tag = {unit.tag: unit for unit in units}
    inverse = {**{number: name for name, number in NUMBERS.items()}, **{n: name for name, n in OF_ENEMIES.items()}}
    assert tuple(inverse[by_tag[tag].unit_type] for tag in lineup.tags) == ROSTER.names
    for side in (slice(None, 10), slice(10, None)):
        for kind in NUMBERS:
            rows = [tag for tag, name in zip(lineup.tags[side], ROSTER.names[side], strict=True) if name == kind]
            if side.start is None or sort:
                assert rows == sorted(rows, key=lambda tag: (by_tag[tag].pos.x, by_tag[tag].pos.y))
            else:
                assert rows == [unit.tag for unit in units if unit.tag in rows]
    values = lineup.read(units)
    np.testing.assert_allclose(values["x"][:, 0], [by_tag[tag].pos.x for tag in lineup.tags])
    gone = lineup.tags[3]
    values = lineup.read([unit for unit in units if unit.tag != gone])
    assert [*np.flatnonzero(values["health"][:, 0] == 0)] == [3]


def test_units_of_another_map_are_no_lineup():
    units = army(0)
    with pytest.raises(SimulatorFault, match="3s_vs_5z") as caught:
        Lineup(Roster(SCENARIOS["3s_vs_5z"]), units, NAMES, False)
    assert caught.value.cause == "wrong units"
    marines = [unit for unit in units if unit.unit_type == NUMBERS["marine"]]
    with pytest.raises(SimulatorFault, match="6 marine of 7"):
        Lineup(ROSTER, [unit for unit in units if unit.tag != marines[0].tag], NAMES, False)
