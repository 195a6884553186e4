"""Records of runs that older versions began, in today's words: what was asked for and what it was made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from marlcomm.messages.edit_schedules import RandomCut
from marlcomm.renamed import RESTATED, SETTINGS
from marlcomm.training.same_run import mapping_of

RENAMED = 3  # the format of config.json since which today's names stand in it

# where these are names of something else, they stay: `labels` is a loss of RGMComm, too
_FIELDS = {old: new for old, new in SETTINGS.items() if old != "labels" and "." not in new}
_WHOLE = {"weights.teacher": "weights.joint_critic"}
_VALUES = {  # classes and functions, and names of losses
    "JointTeacher": "JointCritic",
    "Quantise": "Quantize",
    "teacher": "joint_critic",
    "teacher_loss": "joint_critic_loss",
}


def with_todays_words(recorded: Mapping[str, Any]) -> dict[str, Any]:
    """A record as today's version would have written it: what had to be asked for today to get the same run.

    The width of NDQ's encoder was 64 once, whatever `hidden` was; its cut in training was a flag of the learner's.
    """
    found = dict(recorded)
    settings, resolved = mapping_of(found, "settings"), mapping_of(found, "resolved")
    if "format" not in found and found.get("algorithm") == "ndq" and settings.get("hidden", 64) != 64:
        settings = found["settings"] = {**settings, "encoder_hidden": 64}
    if found.get("format", 0) >= RENAMED:
        return found
    if resolved:
        found["resolved"] = _resolved(resolved)
    if settings:
        said_nothing = _said_nothing(found.get("algorithm"), settings)
        found["settings"] = {name: value for name, value in settings.items() if name not in said_nothing}
    members = found.get("members")
    if isinstance(members, list):
        found["members"] = [_members(member) if isinstance(member, dict) else member for member in members]
    return found


def _said_nothing(algorithm: Any, settings: Mapping[str, Any]) -> set[str]:
    """Settings that changed nothing then, and would now."""
    names = set()
    if algorithm == "ndq" and settings.get("encoder_hidden") == 0:  # as wide as the agent
        names |= {"encoder_hidden"}
    if algorithm == "tarmac_qmix" and settings.get("ndq_baseline"):
        names |= {"signature", "message_dims", "rounds", "reads_memory"}
    if not settings.get("cut_in_training", algorithm == "ndq" and not settings.get("paper")):
        names |= {"cut_share", "cut_start"}
    return names


def _resolved(resolved: Mapping[str, Any]) -> dict[str, Any]:
    """What a run was made of; the task's own part stays as it is."""
    rest = {name: value for name, value in resolved.items() if name not in ("task", *RESTATED)}
    found = _in_todays_words(rest)
    if "joint_critic" in found:
        critic = found.pop("joint_critic")
        found["parts"] = {} if critic is None else {"joint_critic": {"type": "JointCriticPart", "network": critic}}
    channel = mapping_of(mapping_of(found, "agent"), "channel")
    if channel:  # all of them talked before the memory
        found["agent"] = {**found["agent"], "channel": {**channel, "after_memory": False}}
    share, start = found.pop("cut_share", None), found.pop("cut_start", None)
    if resolved.get("cut_in_training") and found.get("training_edit") is None:
        found["training_edit"] = {"type": RandomCut.__name__, **asdict(RandomCut(share=share, start=start))}
    return found | ({"task": resolved["task"]} if "task" in resolved else {})


def _in_todays_words(thing: Any) -> Any:
    if isinstance(thing, dict):
        return {_WHOLE.get(key, _FIELDS.get(key, key)): _in_todays_words(value) for key, value in thing.items()}
    if isinstance(thing, list):
        return [_in_todays_words(entry) for entry in thing]
    return _VALUES.get(thing, thing) if isinstance(thing, str) else thing


def _members(member: Mapping[str, Any]) -> dict[str, Any]:
    return {SETTINGS.get(name, name): value for name, value in member.items()}
