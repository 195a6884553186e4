"""Mixers: value factorization, from the agents' action values to the values that are trained by TD.

A mixer maps [..., N] values of the chosen actions and the [..., S] global state to [..., G]: G is 1 for a team value,
N for independent learners. Its field `team` says which. One that must know more, such as what else could be done, has
the class attribute `reads_actions`: it maps `ActionValues` and the state to [..., G] and to named arrays, which its
losses find in `Unroll.mixing`. Those it brings along by `losses()`, as a channel does.
"""

from marlcomm.networks.mixers.additive import IndependentMixer, SumMixer
from marlcomm.networks.mixers.monotonic import MonotonicMixer
from marlcomm.networks.mixers.qplex import QPLEXMixer
from marlcomm.networks.mixers.qtran import QTRANMixer

__all__ = ["IndependentMixer", "MonotonicMixer", "QPLEXMixer", "QTRANMixer", "SumMixer"]
