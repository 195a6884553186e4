"""Which members of a sweep are trained together: those that one compiled program serves, as many as memory holds."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from marlcomm.algorithms import Algorithm, make_algorithm
from marlcomm.algorithms.algorithm import set_hparams
from marlcomm.envs import Environment, make_env
from marlcomm.sweeps.spec import Setting, SweepSpec
from marlcomm.training.memory_plan import MemberMemory, equal_parts, member_memory, split_to_fit
from marlcomm.training.population import Population
from marlcomm.training.record import folder_name
from marlcomm.training.schedule import make_schedule
from marlcomm.validation import UsageError, check_members

Member = tuple[int, Mapping[str, float]]  # seed, and hyper-parameters by which it differs


@dataclass
class Group:
    """Members that one compiled program serves.

    Attributes:
      algorithm: on its task.
      about: what makes it, as JSON: algorithm, task, task_options and settings.
      steps: environment steps of each member.
      members: each once, by what tells it from others.
    """

    algorithm: Algorithm
    about: dict[str, Any]
    steps: int
    members: dict[str, Member] = field(default_factory=dict)


@dataclass(frozen=True)
class Part:
    """Members of one group that fit into memory together: a run in a folder of its own.

    Attributes:
      name: of the folder.
      algorithm, about, steps: as of the group.
      members: who is trained.
      memory: of one member; None where the part was planned before.
    """

    name: str
    algorithm: Algorithm
    about: Mapping[str, Any]
    steps: int
    members: tuple[Member, ...]
    memory: MemberMemory | None = None

    def population(self) -> Population:
        """Its members."""
        return Population(tuple(seed for seed, _ in self.members), tuple(changes for _, changes in self.members))

    def asked(self) -> dict[str, Any]:
        """What was asked for: options of the task, as `task.NAME`, and settings; lists as `--set` takes them."""
        options = {f"task.{name}": value for name, value in self.about["task_options"].items()}
        return {name: _as_words(value) for name, value in {**options, **self.about["settings"]}.items()}

    def record(self) -> dict[str, Any]:
        """What sweep.json holds of it."""
        members = [{"seed": seed, "changes": dict(changes)} for seed, changes in self.members]
        return {"name": self.name, **self.about, "steps": self.steps, "members": members}


@dataclass(frozen=True)
class Plan:
    """A sweep in the order in which it is trained."""

    spec: SweepSpec
    parts: tuple[Part, ...]

    @property
    def members(self) -> int:
        """Of all parts."""
        return sum(len(part.members) for part in self.parts)


def make_plan(spec: SweepSpec, recorded: list[dict[str, Any]] | None = None, saved: bool = True) -> Plan:
    """Groups what can be trained together, and splits groups that do not fit into memory; nothing is compiled.

    Args:
      spec: the sweep.
      recorded: parts that were planned before, which stay as they are; what is asked for beside them is added.
      saved: whether runs are kept on disk.

    Raises:
      UsageError: a setting that an algorithm or a task does not have, or of the wrong type; a member that does not fit
        into memory; a recorded member that is no longer asked for.
    """
    groups = _groups(spec)
    parts = [_planned_before(groups, each) for each in recorded or []]
    taken = {_identity(part.about, part.steps, member) for part in parts for member in part.members}
    for number, group in enumerate(groups.values(), 1):
        new = [member for own, member in group.members.items() if own not in taken]
        if not new:
            continue
        memory = member_memory(group.algorithm)
        check_members(len(new))
        begin, sizes = 0, _sizes(spec, group.algorithm, len(new), memory, saved)
        for piece, size in enumerate(sizes, 1):
            name = folder_name(f"{number:02}-{group.about['algorithm']}-{group.about['task']}")
            name = _free(name + (f"-{piece}" if len(sizes) > 1 else ""), {part.name for part in parts})
            members = tuple(new[begin : begin + size])
            parts.append(Part(name, group.algorithm, group.about, group.steps, members, memory))
            begin += size
    return Plan(spec, tuple(parts))


def _sizes(spec: SweepSpec, algorithm: Algorithm, members: int, memory: MemberMemory, saved: bool) -> list[int]:
    """Of the parts of so many members; what the user says goes: a run that does not fit refuses by itself."""
    if spec.max_members is None:
        return split_to_fit(algorithm, members, memory, saved)
    return equal_parts(members, math.ceil(members / spec.max_members))


def _groups(spec: SweepSpec) -> dict[str, Group]:
    groups: dict[str, Group] = {}
    traced_names: dict[str, set[str]] = {}
    envs: dict[str, Environment[Any]] = {}
    for setting in spec.settings:
        algorithm, about, changes = _resolved(setting, traced_names, envs, groups)
        steps = spec.steps or algorithm.env.default_steps
        make_schedule(algorithm, steps, spec.evaluations)
        group = groups.setdefault(_key(about), Group(algorithm, about, steps))
        members = [(seed, changes) for seed in spec.seeds]
        group.members.update({_identity(about, steps, member): member for member in members})
    return groups


def _resolved(
    setting: Setting,
    traced_names: dict[str, set[str]],
    envs: dict[str, Environment[Any]],
    groups: Mapping[str, Group],
) -> tuple[Algorithm, dict[str, Any], dict[str, float]]:
    """The algorithm that a point shares with others, what makes it, and the hyper-parameters of its own."""
    given = {**setting.fixed, **setting.varied}
    options = {key.removeprefix("task."): value for key, value in given.items() if key.startswith("task.")}
    settings = {key: value for key, value in given.items() if not key.startswith("task.")}
    where = f"{setting.algorithm} on {setting.task}"
    try:
        place = json.dumps([setting.task, options], sort_keys=True)
        env = envs[place] = envs.get(place) or make_env(setting.task, **options)
        numbers = {key for key in setting.varied if type(settings.get(key)) in (int, float)}
        shared = {key: value for key, value in settings.items() if key not in numbers}
        kind = json.dumps([setting.algorithm, setting.task, options, shared, sorted(numbers)], sort_keys=True)
        if kind not in traced_names:
            traced_names[kind] = set(make_algorithm(setting.algorithm, env, **settings).hparam_names())
        traced = {key: float(settings[key]) for key in numbers if key in traced_names[kind]}
        static = {key: value for key, value in settings.items() if key not in traced}
        about = {
            "algorithm": setting.algorithm,
            "task": setting.task,
            "task_options": options,
            "settings": static,
        }
        known = groups.get(_key(about))
        algorithm = known.algorithm if known else make_algorithm(setting.algorithm, env, **static)
        changes = {algorithm.aliases.get(key, key): value for key, value in traced.items()}
        if len(changes) < len(traced):
            raise UsageError(f"{', '.join(sorted(traced))}: two of these are names of one setting: give one of them")
        set_hparams(algorithm, changes)
    except ValueError as error:
        raise UsageError(f"{where}: {error}") from None
    return algorithm, about, dict(sorted(changes.items()))


def _planned_before(groups: Mapping[str, Group], recorded: Mapping[str, Any]) -> Part:
    about = {key: recorded[key] for key in ("algorithm", "task", "task_options", "settings")}
    members = tuple((each["seed"], each["changes"]) for each in recorded["members"])
    group = groups.get(_key(about))
    name = recorded["name"]
    if group is None or group.steps != recorded["steps"]:
        now = "nothing like it" if group is None else f"{group.steps:,} steps, not {recorded['steps']:,},"
        raise UsageError(f"{name} was begun with {json.dumps(about)}; now {now} is asked for")
    for member in members:
        if _identity(about, group.steps, member) not in group.members:
            raise UsageError(f"{name} was begun with seed {member[0]} and {dict(member[1])}, not asked for any more")
    return Part(name, group.algorithm, group.about, group.steps, members)


def _as_words(value: Any) -> Any:
    """A list as `--set` takes it, such as 4,4; anything else as it is."""
    if not isinstance(value, list | tuple):
        return value
    return ",".join(map(repr, value)) + "," * (len(value) == 1) or "()"


def _key(about: Mapping[str, Any]) -> str:
    return json.dumps(about, sort_keys=True)


def _identity(about: Mapping[str, Any], steps: int, member: Member) -> str:
    return json.dumps([about, steps, member], sort_keys=True)


def _free(name: str, taken: set[str]) -> str:
    return next(each for each in (name, *(f"{name}-more{n}" for n in range(1, 10_000))) if each not in taken)
