"""Every field has a place of its own in the memory that is shared, and every slot a row of its own."""

from __future__ import annotations

import errno
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marlcomm.bridge.block import LINE, SharedBlock, layout, read_trouble, say_trouble, sentinels
from marlcomm.bridge.simulator import SimulatorSpec
from marlcomm.validation import UsageError

sizes = st.integers(1, 5)


@given(st.builds(SimulatorSpec, sizes, sizes, sizes, sizes, sizes, st.booleans()), st.integers(1, 4))
def test_what_is_written_is_read_by_another_and_nothing_overlaps(spec, slots):
    mine = SharedBlock(spec, slots)
    other = SharedBlock(spec, slots, mine.descriptor)
    fields = {name: kind for name, kind in layout(spec).items() if name not in ("order", "answer")}
    for name, (dtype, shape) in fields.items():
        assert getattr(mine, name).ctypes.data % LINE == 0
        for slot in range(slots):
            getattr(mine, name)[slot] = sentinels(name, slot, dtype, shape)
    mine.order["number"] = other.answer["number"] = np.arange(slots)
    for name, (dtype, shape) in fields.items():
        for slot in range(slots):
            np.testing.assert_array_equal(getattr(other, name)[slot], sentinels(name, slot, dtype, shape))
    np.testing.assert_array_equal(other.order["number"], np.arange(slots))
    np.testing.assert_array_equal(mine.answer["number"], np.arange(slots))
    mine.close()


def test_no_two_slots_share_a_cache_line_of_orders():
    block = SharedBlock(SimulatorSpec(2, 3, 4, 5, 6), 3)
    assert block.order.strides == block.answer.strides == (LINE,)
    block.close()


def test_memory_that_is_not_there_is_said_before_anything_starts(monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(UsageError, match=r"no room for the 2 MiB.*take fewer workers, or free memory"):
        SharedBlock(SimulatorSpec(10, 16, 160, 290, 150), 128)


@pytest.mark.parametrize("text", ["", "it fell", "é" * 9000])
def test_what_went_wrong_is_read_as_it_was_said(text):
    block = SharedBlock(SimulatorSpec(2, 3, 4, 5, 6), 2)
    say_trouble(block.trouble[1], "crash", "an older and longer story")
    say_trouble(block.trouble[1], "no answer", text)
    cause, said = read_trouble(block.trouble[1])
    assert cause == "no answer"
    assert said == text or (text.endswith(said[1:]) and len(said) > 4000)
    block.close()
