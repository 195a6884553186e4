"""The search for the best silent team, on a task whose values are plain."""

import numpy as np
import pytest
from silent_team import best_silent_value


@pytest.mark.parametrize(("shown", "silent"), [(False, 0.5 + 0.5), (True, 0.5 + 1.0)])
def test_who_is_seen_to_act_can_tell(shown, silent):
    """Agent 0 sees which of two states it is; each step pays 1 if both name it. Is its first action seen by agent 1?"""
    secret = [0, 1]
    states = [(s, before) for s in secret for before in (None, 0, 1)]  # what agent 0 did before
    views = np.array([[1 + s, 0 if before is None or not shown else 1 + before] for s, before in states])
    reward, following = np.zeros((2, 6, 2, 2)), np.zeros((2, 6, 2, 2), int)
    for index, (s, _) in enumerate(states):
        for first in range(2):
            reward[:, index, first, s] = float(first == s)
            following[0, index, first] = states.index((s, first))
    following[1] = -1
    starts = [index for index, (_, before) in enumerate(states) if before is None]
    assert best_silent_value(starts, views, reward, following) == pytest.approx((silent, 2.0))
