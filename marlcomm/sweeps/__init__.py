"""Sweeps: many settings, tasks, algorithms and seeds from one file, trained as few populations, in one table."""

from marlcomm.sweeps.plan import Part, Plan, make_plan
from marlcomm.sweeps.run import SweepResult, sweep
from marlcomm.sweeps.spec import Setting, SweepSpec, read_spec

__all__ = ["Part", "Plan", "Setting", "SweepResult", "SweepSpec", "make_plan", "read_spec", "sweep"]
