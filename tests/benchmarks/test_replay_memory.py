"""What the table of replay says, against sizes that are counted by hand."""

import pytest

from benchmarks import replay_memory

UNITS, ENEMIES, STEPS, EPISODES, HORIZON = 6, 3, 128, 32, 100  # 3m: three against three
VIEW, OWN, KINDS = 13 * 5 + 10, 10, 6


@pytest.fixture(scope="module")
def found():
    pytest.importorskip("jaxmarl")
    return replay_memory.measure("3m", EPISODES)


def test_jaxmarls_buffer_holds_what_its_learner_reads(found):
    agents, actions = 3, 5 + ENEMIES
    floats = agents * (VIEW + agents) + UNITS * (OWN + 2) + agents + 1  # views with ids, world state, rewards
    step = 4 * (floats + agents) + agents + 1 + agents * actions  # actions of four bytes, flags and masks of one
    assert found.jaxmarl == pytest.approx(EPISODES * STEPS * step, abs=64)  # and its pointers


def test_ours_holds_flags_as_bits_and_the_rest_as_numbers(found):
    agents, places = 3, HORIZON + 1
    for kept, width in (("exact", 4), ("bfloat16", 2)):
        view = width * (5 * 7 + 4) + -(-6 * KINDS // 8)
        state = width * (UNITS * 4) + -(-UNITS * KINDS // 8) + UNITS * 2
        seen = agents * (view + 1 + 1) + state  # beside the mask and whether each is alive
        played = agents * (1 + 4) + 2
        assert getattr(found, kept) == pytest.approx(EPISODES * (places * seen + HORIZON * played + 1), abs=64)


def test_the_table_holds_shares_to_the_goal(found):
    small, alone = found._replace(name="small", exact=found.jaxmarl // 10), found._replace(name="own", jaxmarl=0)
    lines = replay_memory.report([found, small, alone])
    assert lines[-1] == "At most a third of JaxMARL's bytes: 1 of 2 maps exactly, 2 with bfloat16."
    assert lines[2].startswith("| 3m | 3 | 100 | 0.00 |")
    assert lines[4].startswith("| own | 3 | 100 |  | 0.00 |  |  |")
