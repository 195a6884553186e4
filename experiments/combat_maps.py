"""NDQ's six StarCraft maps, and the settings under which experiments train on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import marlcomm as mc
from marlcomm.envs import Environment


@dataclass(frozen=True)
class Map:
    """A map of the NDQ paper.

    Attributes:
      beta: weight of succinctness in Table 1.
      share: of an experiment's environment steps; less where a step costs most.
    """

    beta: float = 1e-5
    share: float = 1.0


MAPS = {
    "3b_vs_1h1m": Map(),
    "3s_vs_5z": Map(),
    "1o2r_vs_4r": Map(),
    "5z_vs_1ul": Map(beta=1e-3),
    "MMM": Map(share=0.5),
    "1o10b_vs_1r": Map(share=0.5),
}
SIGHT = 2  # cells, in the paper; 9 is SMAC's

# One setting for all maps. Published, one update follows 16 episodes, up to 800 steps: 2,500 updates in two million
# steps. On 1o2r_vs_4r, NDQ first wins a quarter after 2,600 to 2,900 updates, whether 100 steps go with one, or 200.
TUNED: Mapping[str, Any] = {"updates_per_step": 4, "num_envs": 8}


def env_of(name: str, sight: float = SIGHT) -> Environment[Any]:
    """The map with NDQ's settings, and another range of sight."""
    return mc.make_env(name, settings="ndq", sight_range=sight)
