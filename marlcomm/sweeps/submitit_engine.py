"""Trains the parts of a sweep as jobs of a SLURM array."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from marlcomm.sweeps.engines import Say, Task
from marlcomm.sweeps.jobs import Job, Outcome, train_elsewhere
from marlcomm.validation import UsageError, check_count

DAY = 24 * 60


class SubmititEngine:
    """Submits the parts as one array of jobs, by the package submitit; needs the extra `submitit`.

    A job that is preempted, or reaches its time limit, is queued again and goes on from its newest checkpoint; the
    folder of the sweep is on a file system that all nodes share.
    """

    elsewhere = True

    def __init__(
        self,
        *,
        folder: str | Path | None = None,
        cluster: str | None = None,
        partition: str | None = None,
        gpus: int | None = None,
        cpus: int | None = None,
        timeout: int = DAY,
        together: int | None = None,
        **more: Any,
    ) -> None:
        """Names what each job asks for; nothing is submitted yet.

        Args:
          folder: for submitit's files; None for `submitit` in the folder of the sweep.
          cluster: "slurm", "local" for processes of this machine, "debug" for this process; None for SLURM where there
            is one, and else for this machine.
          partition: of SLURM.
          gpus: of a job.
          cpus: cores of a job.
          timeout: minutes of a job.
          together: jobs of SLURM that run at the same time at the most; on this machine all do.
          more: other parameters of submitit's executors, such as `mem_gb` and `slurm_account`.

        Raises:
          UsageError: a number out of its range.
        """
        self._folder, self._cluster = folder, cluster
        asked = {
            "timeout_min": check_count("timeout", timeout),
            "gpus_per_node": None if gpus is None else check_count("gpus", gpus, 0),
            "cpus_per_task": None if cpus is None else check_count("cpus", cpus),
            "slurm_partition": partition,
            "slurm_array_parallelism": None if together is None else check_count("together", together),
            **more,
        }
        self._asked = {name: value for name, value in asked.items() if value is not None}

    def submit(self, jobs: Sequence[Job], say: Say) -> Sequence[Task]:
        """See `Engine`."""
        try:
            import submitit
        except ImportError:
            raise ImportError('this engine needs submitit: pip install "marlcomm[submitit]"') from None
        folder = Path(self._folder or jobs[0].folder / "submitit").absolute()
        try:
            executor = submitit.AutoExecutor(folder=folder, cluster=self._cluster)
            executor.update_parameters(**{"name": "marlcomm", **self._asked})
        except (ValueError, NameError, AssertionError, RuntimeError) as error:
            raise UsageError(f"submitit: {error}") from None
        tasks = executor.map_array(_Training(self._asked.get("cpus_per_task")), jobs)
        say(f"{len(jobs)} runs as jobs of {executor.cluster}: {', '.join(task.job_id for task in tasks)}")
        return [_Submitted(task) for task in tasks]


class _Training:
    """What a job runs; that it has `checkpoint` tells submitit that it may be queued again."""

    def __init__(self, cores: int | None) -> None:
        self._cores = cores

    def __call__(self, job: Job) -> Outcome:
        return train_elsewhere(job, self._cores)

    def checkpoint(self, job: Job) -> Any:
        """The same again: training keeps checkpoints of its own."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self, job)


class _Submitted:
    def __init__(self, job: Any) -> None:
        self._job = job

    def done(self) -> bool:
        return self._job.done()

    def result(self) -> Outcome:
        return self._job.result()

    def cancel(self) -> None:
        self._job.cancel(check=False)
