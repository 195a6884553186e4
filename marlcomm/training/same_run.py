"""Whether what is asked for is the run on record, and what can be said about the rest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import metadata
from typing import Any

PACKAGES = ("marlcomm", "jax", "jaxlib", "flax", "optax", "distrax", "flashbax", "jumanji", "numpy")
FORMAT = 3  # of config.json: since 2 it holds what every part is made of, since 3 in today's words

# how a run was asked for
_HOW = ("settings", "task_options")
# what surrounds a run: where it differs a warning is due
_AROUND = ("versions", "commit", "block", "devices", "code", "digest", "format")


# how many processes play a simulator outside JAX and where, and when one of them counts as failed
_MACHINE = (
    *("workers", "python", "engine", "address"),
    *("failures", "min_workers", "recycle", "start_seconds", "reset_seconds", "step_seconds"),
)


def differences(
    recorded: Mapping[str, Any], config: Mapping[str, Any], aliases: Mapping[str, str] | None = None
) -> tuple[list[str], list[str]]:
    """Compares a configuration with the one on record: what differs, and warnings about what may matter.

    What only one of the two knows cannot be compared: the record may be older, or newer, than this version. Members
    differ in hyper-parameters, by whichever name: `aliases` are short names of some.
    """
    recorded, asked = (_with_full_names(each, aliases or {}) for each in (recorded, json.loads(json.dumps(config))))
    older = "format" not in recorded
    # parts stood there as text, or not at all: what they are made of cannot be compared
    resolved = asked.get("resolved", {}) if older else {}
    parts = {name for name, value in resolved.items() if isinstance(value, dict | None)}
    before, now = _flat(recorded, parts), _flat(asked, parts)
    different, unknown = [], sorted(parts)
    for name in sorted(before.keys() | now.keys()):
        how, _, setting = name.partition(".")
        if how == "settings" and f"resolved.{setting}" in before:
            continue  # stated or not: the value that came of it is compared
        both = name in before and name in now
        if both or (older and how in _HOW) or _was_none(name, before) or _was_none(name, now):
            if before.get(name) != now.get(name):
                different.append(f"{name}: {before.get(name)!r} in the run, {now.get(name)!r} now")
        elif how not in _HOW:
            unknown.append(name)
    return different, [*_not_compared(unknown, older), *_around(recorded, asked)]


def _with_full_names(config: Mapping[str, Any], aliases: Mapping[str, str]) -> dict[str, Any]:
    members = config.get("members")
    if not isinstance(members, list) or not all(isinstance(member, dict) for member in members):
        return dict(config)
    return {**config, "members": [{aliases.get(key, key): it for key, it in member.items()} for member in members]}


def versions() -> dict[str, str]:
    """Versions of the packages that results depend on."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def _flat(config: Mapping[str, Any], parts: set[str]) -> dict[str, Any]:
    """What decides a run, by name; entries of mappings by themselves, so that only those that differ are shown."""
    flat: dict[str, Any] = {}

    def add(name: str, value: Any) -> None:
        if isinstance(value, dict):
            for key, entry in value.items():
                add(f"{name}.{key}", entry)
        else:
            flat[name] = value

    for name, value in config.items():
        if name == "resolved" and isinstance(value, dict):
            add(name, {key: entry for key, entry in value.items() if key not in parts})
        elif name not in _AROUND:
            add(name, value)
    if ":" in str(config.get("task")):
        machine = {f"{where}.{name}" for where in ("task_options", "resolved.task") for name in _MACHINE}
        flat = {name: value for name, value in flat.items() if name not in machine}
    return flat


def _was_none(name: str, flat: Mapping[str, Any]) -> bool:
    """Whether what `name` is a part of is on record, as nothing."""
    whole = name
    while "." in whole:
        whole = whole.rpartition(".")[0]
        if whole in flat:
            return flat[whole] is None
    return False


def _not_compared(unknown: list[str], older: bool) -> list[str]:
    if not unknown:
        return []
    names = ", ".join(sorted({name.removeprefix("resolved.") for name in unknown}))
    who = (
        "an older version, which did not write down" if older else "another version, which did not have, or alone had,"
    )
    return [f"this run was begun by {who} {names}: not compared"]


def _around(recorded: Mapping[str, Any], asked: Mapping[str, Any]) -> list[str]:
    """Warnings about what surrounds a run."""
    now = versions()
    said = [
        f"{name} was {version} when this run began and is {now.get(name)} now: results may differ in the last bits"
        for name, version in mapping_of(recorded, "versions").items()
        if now.get(name) != version
    ]
    before, here = recorded.get("devices"), asked.get("devices")
    if before and here and before != here:
        said.append(f"this run began on {before} and goes on on {here}: results may differ in the last bits")
    codes, code = mapping_of(recorded, "code"), mapping_of(asked, "code")
    changed = [name for name in sorted(codes.keys() & code.keys()) if codes[name] != code[name]]
    if changed:
        said.append(f"the code of {', '.join(changed)} is not what it was when this run began")
    return said


def mapping_of(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """What stands under a name of a record, if that is a mapping; else an empty one."""
    found = config.get(name)
    return found if isinstance(found, dict) else {}
