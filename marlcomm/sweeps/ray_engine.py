"""Trains the parts of a sweep on the nodes of a Ray cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from marlcomm.devices import connect_to_ray
from marlcomm.sweeps.engines import Say, Task
from marlcomm.sweeps.jobs import Job, Outcome, train_elsewhere
from marlcomm.validation import check_count, check_number


class RayEngine:
    """Hands each part to a node of a Ray cluster, as a task; needs the extra `ray`.

    A part whose node is lost is begun again on another, and goes on from its newest checkpoint, where the folder of the
    sweep is on a file system that all nodes share. Where it is not, what a node has trained is sent back at its end.
    """

    elsewhere = True

    def __init__(
        self, address: str | None = None, gpus: float | None = None, cpus: int | None = None, retries: int = 3
    ) -> None:
        """Names a cluster and what a part gets of it; nothing is connected yet.

        Args:
          address: of the cluster; None for whichever there is, see `devices.connect_to_ray`.
          gpus: of a part, below 1 for a share of one; None for all of a node.
          cpus: cores of a part, each a device where there is no GPU; None for all of a node, or their share by `gpus`.
          retries: how often a part is begun again whose node was lost.

        Raises:
          UsageError: a number out of its range.
        """
        self._address = address
        self._gpus = None if gpus is None else check_number("gpus", gpus, 0.0)
        if gpus is not None and gpus > 1:
            check_count("gpus", gpus)
        self._cpus = None if cpus is None else check_count("cpus", cpus)
        self._retries = check_count("retries", retries, 0)

    def submit(self, jobs: Sequence[Job], say: Say) -> Sequence[Task]:
        """See `Engine`."""
        ray = connect_to_ray(self._address)
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        cpus, gpus = self._of_a_part(nodes)
        able = [node for node in nodes if node.get("CPU", 0) >= cpus and node.get("GPU", 0) >= gpus]
        wanted = f"{cpus:g} cores" + f" and {gpus:g} GPUs" * bool(gpus)
        say(f"{len(jobs)} runs on {len(able)} of {len(nodes)} nodes, {wanted} each")
        if not able:
            say("no node has as much: waiting until one comes")
        wants: dict[str, Any] = {"num_cpus": cpus, "num_gpus": gpus, "max_calls": 1, "max_retries": self._retries}
        remote: Any = ray.remote
        train = remote(**wants)(train_elsewhere)  # a process for each: what a run held is given back
        return [_RayTask(ray, train.options(name=job.title).remote(job, cpus)) for job in jobs]

    def _of_a_part(self, nodes: Sequence[Mapping[str, float]]) -> tuple[int, float]:
        """Cores and GPUs of a part: what the smallest node has, of those with GPUs if there are any, or its share."""
        with_gpus = [node for node in nodes if node.get("GPU", 0)] if self._gpus != 0 else []
        alike = with_gpus or [node for node in nodes if node.get("CPU", 0)]
        whole = {kind: min((node.get(kind, 0) for node in alike), default=0) for kind in ("CPU", "GPU")}
        gpus = whole["GPU"] if self._gpus is None else self._gpus
        share = min(gpus / whole["GPU"], 1.0) if whole["GPU"] else 1.0
        return self._cpus or max(int(whole["CPU"] * share), 1), gpus


class _RayTask:
    def __init__(self, ray: Any, reference: Any) -> None:
        self._ray, self._reference = ray, reference

    def done(self) -> bool:
        return bool(self._ray.wait([self._reference], timeout=0)[0])

    def result(self) -> Outcome:
        return self._ray.get(self._reference)

    def cancel(self) -> None:
        self._ray.cancel(self._reference)  # as Ctrl-C in the process that trains it
