"""What the benchmark of training says about where messages are made. Speeds are not tested."""

from __future__ import annotations

import pytest

from benchmarks.channels import PRODUCT, WITH_MEMORY, operations, with_every_channel
from marlcomm import messages
from marlcomm.names import CHANNELS

TINY = {"hidden": 8, "num_envs": 4, "batch_episodes": 8, "replay_episodes": 64}
ALSO_WITH_MEMORY = ("gaussian", "mean")  # of two sorts: one message to each receiver, and the same to all


def test_every_channel_is_measured():
    exported = {getattr(messages, name) for name in messages.__all__ if name.endswith("Channel")}
    around_another = {messages.QuantizedChannel}  # has no name of its own
    assert {CHANNELS.get(name) for name in CHANNELS} >= exported - {messages.Channel} - around_another


@pytest.mark.parametrize("name", [*CHANNELS, *(name + WITH_MEMORY for name in ALSO_WITH_MEMORY)])
def test_only_channels_that_go_step_by_step_work_inside_the_loop_over_time(name):
    algorithm = with_every_channel("hallway", [name], **TINY)[name]
    found = operations(algorithm)
    inside, outside = found[True], found[False]
    if algorithm.learner.agent.channel.step_by_step:
        assert inside[PRODUCT] > 0
        assert outside[PRODUCT] == 0
    else:
        assert not inside, "nothing at all, in an unroll or in its gradient"
        assert outside.total() > 0
        assert (outside[PRODUCT] > 0) == (name not in ("silent", "shared")), "these two have no layers"


def test_an_unknown_channel_is_named():
    with pytest.raises(ValueError, match="'gaussian'"):
        with_every_channel("hallway", ["gausian"])
