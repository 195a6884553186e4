"""A run read back from its folder."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import jax

from marlcomm.algorithms.algorithm import Algorithm
from marlcomm.algorithms.parts import PARTS, parts_of
from marlcomm.algorithms.registry import make_recorded
from marlcomm.envs.registry import make_env
from marlcomm.names import ALGORITHMS, EDITS, TASKS
from marlcomm.training.checkpoint import CheckpointError, Checkpoints
from marlcomm.training.policy import Policy, best_member, policy_of
from marlcomm.training.population import Population
from marlcomm.training.record import RunFolder, RunFolderError, stack_metrics
from marlcomm.training.same_run import differences
from marlcomm.validation import UsageError

Run = TypeVar("Run")


@dataclass(frozen=True)
class SavedRun:
    """A run read back from its folder.

    Attributes:
      path: the folder.
      algorithm: what was trained.
      population: its members.
      params: parameters with leading axis P.
      config: what was asked for.
    """

    path: Path
    algorithm: Algorithm
    population: Population
    params: Any
    config: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"SavedRun({str(self.path)!r}, {self.algorithm!r}, {self.population!r})"

    def _repr_html_(self) -> str:
        metrics = stack_metrics(RunFolder(self.path).read_metrics(len(self.population)))
        return self.population.html(repr(self), metrics)

    def policy(self, member: int | None = None) -> Policy:
        """One member as a policy; by default the one with the best last evaluation.

        Raises:
          ValueError: there is no such member.
        """
        return policy_of(self.algorithm, self.population, self.params, self.best() if member is None else member)

    def best(self) -> int:
        """The member with the highest return in its last evaluation; the first where there was none yet."""
        return best_member(stack_metrics(RunFolder(self.path).read_metrics(len(self.population))), len(self.population))


def load(run: str | Path, member: int | None = None, algorithm: Algorithm | None = None) -> Policy:
    """The policy of a run folder's best member, or of `member`.

    See `load_run` for `algorithm` and for what it raises.
    """
    return load_run(run, algorithm).policy(member)


def load_run(run: str | Path, algorithm: Algorithm | None = None) -> SavedRun:
    """Reads a run folder.

    Args:
      run: the folder.
      algorithm: what was trained, needed only if it was put together by hand (own losses, channels, tasks that
        are not registered): a run folder holds numbers and names, no code.

    Raises:
      RunFolderError: this is no run folder, or it needs `algorithm`, or a name on record that is not registered here.
      CheckpointError: it has no whole checkpoint, or the checkpoint does not fit the algorithm.
    """
    folder = RunFolder(run)
    config = folder.config("algorithm", "task", "task_options", "settings", "members")
    if algorithm is not None and not isinstance(algorithm, Algorithm):
        raise UsageError(f"algorithm={algorithm!r} must be what was trained, such as ndq(env); a name is on record")
    given, algorithm = algorithm, algorithm or _make_again(folder, config)
    members = config["members"]
    changes = tuple({k: v for k, v in member.items() if k != "seed"} for member in members)
    population = Population(tuple(member["seed"] for member in members), changes)
    if not folder.checkpoints().is_dir():
        raise CheckpointError(f"{folder.path} has no checkpoint yet")
    try:
        _, state, facts = Checkpoints(folder.checkpoints()).restore(population.template(algorithm))
    except CheckpointError as error:
        raise error if given is None else CheckpointError(f"{error}{_how_it_differs(config, given)}") from None
    for skipped in facts["skipped"]:
        warnings.warn(f"{folder.path}: {skipped}; an older one is used", stacklevel=2)
    return SavedRun(folder.path, algorithm, population, jax.tree.map(jax.numpy.asarray, state.params), config)


def members_of(run: Any) -> list[dict[str, Any]]:
    """Seed and swept hyper-parameters of each member of a run folder, or of what `train` or `load_run` gave.

    Raises:
      RunFolderError: this is no run folder.
    """
    if isinstance(run, str | Path):
        return RunFolder(run).config("members")["members"]
    population = run.population
    return [{"seed": s, **c} for s, c in zip(population.seeds, population.changes, strict=True)]


def as_run(run: Run | str | Path) -> Run | SavedRun:
    """What was given, if it is a run; the run that is read back, if it is a folder. Raises as `load_run`."""
    return load_run(run) if isinstance(run, str | Path) else run


def as_population(run: Run | str | Path) -> Run | SavedRun:
    """As `as_run`, where all members of a run are needed. Raises UsageError where what was given has none."""
    found = as_run(run)
    if not all(hasattr(found, name) for name in ("algorithm", "population", "params")):
        raise UsageError(f"run={run!r} must be what train or load_run gives, or a run folder")
    return found


def _how_it_differs(config: Mapping[str, Any], algorithm: Algorithm) -> str:
    """What of an algorithm is not as on record, where that can be said."""
    described = algorithm.describe()
    different, _ = differences({name: config[name] for name in described if name in config}, described)
    return ": pass what was trained; this differs from it\n  " + "\n  ".join(different[:10]) if different else ""


def _make_again(folder: RunFolder, config: Mapping[str, Any]) -> Algorithm:
    if config["settings"] is None or config["task_options"] is None:
        raise RunFolderError(
            f"{folder.path} was trained with parts of your own, and a run folder holds no code: pass what was trained, "
            f"algorithm=..., to load_run or load in Python; evaluate and inspect_run take what load_run gives"
        )
    try:
        env = make_env(config["task"], **config["task_options"])
        return make_recorded(config["algorithm"], env, config["settings"])
    except ValueError:
        if not (missing := _not_registered(config)):
            raise
        raise RunFolderError(
            f"{folder.path} was trained with {' and '.join(map(repr, missing))}, which is not registered here: add "
            "--import MODULE (in Python: import what registers it first)"
        ) from None


def _not_registered(config: Mapping[str, Any]) -> list[str]:
    """Names on record that nothing has here: a module of the user's registers them."""
    known = {"task": TASKS, "algorithm": ALGORITHMS, **PARTS, "training_edit": {*PARTS["training_edit"], *EDITS}}
    given = {"task": config["task"], "algorithm": config["algorithm"], **parts_of(config["settings"])}
    if isinstance(edit := given.get("training_edit"), str):
        given["training_edit"] = edit.partition(":")[0]
    return [name for kind, name in given.items() if isinstance(name, str) and name not in known[kind]]
