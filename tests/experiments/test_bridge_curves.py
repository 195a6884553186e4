"""Two learning curves side by side: where the ranges of their seeds meet, and where not."""

import numpy as np

from experiments.bridge_curves import curve_table


def test_ranges_over_seeds_are_compared_at_every_evaluation():
    steps = np.array([[10.0, 12.0], [20.0, 20.0]])
    here = {"env_steps": steps, "test_return": np.array([[0.0, 2.0], [3.0, 4.0]])}
    there = {"env_steps": steps, "test_return": np.array([[1.0, 5.0], [5.0, 6.0]])}
    first, second = curve_table({"jax": here, "mpe2": there}).splitlines()[2:]
    assert first == "| 12 | 1.00 (0.00 .. 2.00) | 3.00 (1.00 .. 5.00) | yes |"
    assert second.endswith("no |")
