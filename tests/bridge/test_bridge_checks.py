"""What a simulator says is passed on as it was said, or refused by name."""

from __future__ import annotations

import numpy as np
import pytest

from marlcomm.bridge.checks import checked, rewards
from marlcomm.bridge.simulator import Observed, SimulatorFault, SimulatorSpec

SPEC = SimulatorSpec(num_agents=2, num_actions=3, observation_size=4, state_size=5, horizon=6)
SOUND = Observed(np.ones((2, 4)), np.ones(5), np.eye(2, 3, dtype=bool), np.array([True, True]))


def test_what_is_sound_is_passed_on():
    now = checked(SPEC, SOUND)
    np.testing.assert_array_equal(now.action_mask, SOUND.action_mask)
    assert now.agents_view.dtype == np.float32
    everything = checked(SPEC, Observed(SOUND.agents_view, SOUND.global_state))
    assert everything.action_mask.all()
    assert everything.alive.all()


@pytest.mark.parametrize(
    ("field", "value", "cause", "said"),
    [
        ("agents_view", np.full((2, 4), np.inf), "not finite", r"agents_view\[0, 0\] is inf"),
        ("global_state", np.array([0, 0, 0, np.nan, 0]), "not finite", r"global_state\[3\] is nan"),
        ("agents_view", np.ones((2, 5)), "wrong shape", r"\(2, 5\): must be \(2, 4\)"),
        ("agents_view", [[1.0], [1.0, 2.0]], "wrong shape", "agents_view is no array of numbers"),
        ("agents_view", "sunny", "wrong shape", "agents_view is no array of numbers"),
        ("action_mask", np.ones((3, 2)), "wrong shape", r"action_mask has shape \(3, 2\)"),
        ("alive", np.ones(3), "wrong shape", r"alive has shape \(3,\)"),
        ("action_mask", np.array([[1, 0, 0], [0, 0, 0]]), "wrong mask", "agent 1 is alive, and action_mask allows it"),
    ],
)
def test_what_cannot_be_is_refused_by_name(field, value, cause, said):
    with pytest.raises(SimulatorFault, match=said) as raised:
        checked(SPEC, SOUND._replace(**{field: value}))
    assert raised.value.cause == cause


@pytest.mark.parametrize("given", [None, {}, (1, 2), "done"])
def test_what_is_no_observation_is_refused(given):
    with pytest.raises(SimulatorFault, match=r"must give Observed\(...\), not"):
        checked(SPEC, given)


def test_who_is_not_alive_needs_nothing_to_do():
    gone = SOUND._replace(action_mask=np.array([[1, 0, 0], [0, 0, 0]]), alive=np.array([True, False]))
    assert not checked(SPEC, gone).action_mask[1].any()


def test_a_reward_is_the_teams_or_each_agents():
    np.testing.assert_array_equal(rewards(SPEC, 2.0), [2.0, 2.0])
    np.testing.assert_array_equal(rewards(SPEC, [1, 2]), [1.0, 2.0])
    for wrong, cause in ((np.nan, "not finite"), ([1.0], "wrong shape"), (None, "not finite"), ("much", "wrong shape")):
        with pytest.raises(SimulatorFault) as raised:
            rewards(SPEC, wrong)
        assert raised.value.cause == cause
