"""Sweeps: many settings, tasks, algorithms and seeds from one file, trained as few populations, in one table."""

from marlcomm.sweeps.engines import Engine, Task
from marlcomm.sweeps.jobs import Job, Outcome
from marlcomm.sweeps.plan import Part, Plan, make_plan
from marlcomm.sweeps.ray_engine import RayEngine
from marlcomm.sweeps.run import SweepResult, sweep
from marlcomm.sweeps.spec import Setting, SweepSpec, read_spec
from marlcomm.sweeps.submitit_engine import SubmititEngine

__all__ = [
    "Engine",
    "Job",
    "Outcome",
    "Part",
    "Plan",
    "RayEngine",
    "Setting",
    "SubmititEngine",
    "SweepResult",
    "SweepSpec",
    "Task",
    "make_plan",
    "read_spec",
    "sweep",
]
