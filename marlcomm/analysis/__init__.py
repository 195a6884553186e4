"""What is said, to whom, and what it is worth; and the plots."""

from marlcomm.analysis.plots import plot_curves

__all__ = ["plot_curves"]
