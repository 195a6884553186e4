"""The settings that algorithms of a learner have, with types and defaults, given the parts that are chosen."""

from __future__ import annotations

import dataclasses
import functools
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from flax import linen as nn

from marlcomm.algorithms.kinds import LearnerKind
from marlcomm.algorithms.parts import (
    PARTS,
    Known,
    by_part,
    is_dataclass_instance,
    is_plain,
    make_part,
    quantized,
    settings_of_part,
)
from marlcomm.learners.config import GROUPS
from marlcomm.renamed import SETTINGS
from marlcomm.types import BroughtLoss
from marlcomm.validation import UsageError, nearest

# what may be an object, of which Python passes more than a word says
OBJECTS = {"agent", "joint_critic", "losses", "weights", "optimizer", *PARTS}

BRINGING = ("channel", "mixer")  # the parts that may bring losses along
_NEEDS = typing.get_args(typing.get_type_hints(BroughtLoss)["needs"])


def known_settings(kind: LearnerKind, chosen: Mapping[str, Any], short_names: Mapping[str, str]) -> Known:
    """Setting -> (type, default) of all that take a number, a flag or a word; short names first.

    Args:
      kind: the learner's.
      chosen: what is given so far: its parts decide which settings with a dot there are, its values are the defaults.
      short_names: of some of them.
    """
    known: Known = {}
    for slot, word in {**kind.parts, "training_edit": None}.items():
        given = chosen.get(slot, word)
        if slot in PARTS:
            known[slot] = (str, given) if isinstance(given, str) else (str | None, None)
            known |= {f"{slot}.{key}": it for key, it in _of_part(slot, given).items()}
    weights = {name: weight for name, (_, weight) in kind.losses.items()}
    losses = {name: loss for name, (loss, _) in kind.losses.items()}
    for name, brought in losses_as_far_as_known(kind, chosen).items():
        if name in left_out(chosen):
            continue
        losses[name], weights[name] = brought.loss, brought.weight
        if brought.needs == "joint_critic":
            weights |= {critic: weight for critic, (_, weight) in kind.joint_critic_losses.items()}
        short_names = {**short_names, **({brought.short_name: f"weights.{name}"} if brought.short_name else {})}
    known |= {f"weights.{name}": (float, weight) for name, weight in weights.items()}
    known |= {f"losses.{name}.{key}": it for name, loss in losses.items() for key, it in settings_of_loss(loss).items()}
    known |= {name: (type(default), default) for name, default in kind.all_options.items()}
    known |= {"optimizer": (str, kind.optimizer), "channel_rate": (float | None, None)}
    known |= _fields(kind.config) | _fields(kind.hparams)
    known |= {name: (known[name][0], value) for name, value in chosen.items() if name in known and _is_word(value)}
    return {short: known[full] for short, full in short_names.items() if full in known} | known


def losses_of_parts(kind: LearnerKind, chosen: Mapping[str, Any]) -> dict[str, BroughtLoss]:
    """The losses that the chosen channel and mixer bring.

    Raises:
      UsageError: one does not give losses by name, one needs what nobody knows, or both bring one of the same name.
    """
    found: dict[str, BroughtLoss] = {}
    for part in (part for part in BRINGING if part in kind.parts):
        brought = losses_of_part(part, kind, chosen)
        for name in sorted(found.keys() & brought.keys()):
            raise UsageError(f"The channel and the mixer each bring a loss {name!r}: rename one of them.")
        found |= brought
    return found


def losses_of_part(part: str, kind: LearnerKind, chosen: Mapping[str, Any]) -> dict[str, BroughtLoss]:
    """The losses that the chosen `part` brings, which is one of `BRINGING`. Raises as `losses_of_parts`."""
    if part == "channel" and chosen.get("agent") is not None:
        return {}
    plain, dotted = by_part(chosen)
    module = make_part(part, plain.get(part, kind.parts[part]), dotted.get(part, {}))
    module = quantized(module, plain.get("quantization_step", 0.0))
    if not callable(getattr(module, "losses", None)):
        return {}
    brought, who = module.losses(), type(module).__name__
    kind_of_loss = "ChannelLoss" if part == "channel" else "BroughtLoss"
    if not isinstance(brought, Mapping) or not all(isinstance(loss, BroughtLoss) for loss in brought.values()):
        raise UsageError(f"{who}.losses() gives {brought!r}: must be a mapping of names to {kind_of_loss}.")
    for name, loss in brought.items():
        if loss.needs not in _NEEDS:
            raise UsageError(f"{who}: needs={loss.needs!r} of the loss {name!r}: {nearest(str(loss.needs), _NEEDS)}")
    return dict(brought)


def losses_as_far_as_known(kind: LearnerKind, chosen: Mapping[str, Any]) -> dict[str, BroughtLoss]:
    """As `losses_of_parts`; none where a part cannot be made, which is for the builder to say."""
    try:
        return losses_of_parts(kind, chosen)
    except ValueError:
        return {}


def left_out(settings: Mapping[str, Any]) -> set[str]:
    """The losses that are left out, as by `losses={"talk": None}` or `losses.talk=None`."""
    plain, dotted = by_part(settings)
    given = {**(plain.get("losses") or {}), **dotted.get("losses", {})}
    return {name for name, loss in given.items() if loss is None}


def settings_of_loss(loss: Any) -> Known:
    """Setting -> (type, default) of a loss that is a dataclass, and of the one within it."""
    if not is_dataclass_instance(loss):
        return {}
    hints = typing.get_type_hints(type(loss))
    plain = [field.name for field in dataclasses.fields(loss) if is_plain(hints[field.name])]
    own = {name: (hints[name], getattr(loss, name)) for name in plain}
    return own | settings_of_loss(getattr(loss, "loss", None))


def with_loss_settings(name: str, loss: Any, settings: Mapping[str, Any]) -> Any:
    """The loss with other settings. Raises UsageError, with the nearest, where it has no such setting."""
    known = settings_of_loss(loss)
    for key in settings:
        if key not in known:
            raise UsageError(f"the loss {name!r} has no setting {key!r}.{nearest(key, list(known))}")
    if not settings:
        return loss
    names = {field.name for field in dataclasses.fields(loss)}
    own = {key: value for key, value in settings.items() if key in names}
    rest = {key: value for key, value in settings.items() if key not in names}
    return dataclasses.replace(loss, **own, **({"loss": with_loss_settings(name, loss.loss, rest)} if rest else {}))


def full_names(settings: Mapping[str, Any], short_names: Mapping[str, str]) -> dict[str, Any]:
    """The settings by what their short names stand for. Raises UsageError where one is given by both names."""
    for short, full in short_names.items():
        if short in settings and full in settings:
            raise UsageError(f"{short} and {full} are the same setting: give one of them.")
    return {short_names.get(name, name): value for name, value in settings.items()}


def no_such_setting(
    who: str, setting: str, known: Known, more: Sequence[str] = (), *, shown: str | None = None
) -> UsageError:
    """That `who` has no such setting: with the nearest, or what it is called in full, of those known and `more`.

    Args:
      who: what is asked; setting: the name that it does not have; known: its settings; more: other names.
      shown: the short name that was given in place of the full one.
    """
    part, dot, _ = setting.partition(".")
    now = SETTINGS.get(setting, "")
    in_full = next((name for name in known if name.rpartition(".")[2] == setting), None)
    full = f" ({setting})" if shown not in (None, setting) else ""
    said = f"{who} has no setting {shown or setting!r}{full}."
    if setting == "weights.bits":
        return UsageError(f"{said} It goes with quantization_step, which makes bits trainable: give that, too.")
    if now.startswith("training_edit."):  # which is not known where nothing happens to messages in training
        return UsageError(f"{said} It is called {now} now, and goes with training_edit='random_cut'.")
    if in_full:
        return UsageError(f"{said} Did you mean {in_full!r}?")
    near = [name for name in known if name.startswith(f"{part}.")] if dot else []
    return UsageError(said + nearest(setting, near or [*(name for name in known if "." not in name), *more]))


def config_names(kind: LearnerKind) -> set[str]:
    """The settings that fix a shape or a branch, and so are no hyper-parameters."""
    return {field.name for field in dataclasses.fields(kind.config)}


def _of_part(slot: str, given: Any) -> Known:
    if isinstance(given, str):
        known_word = slot != "training_edit" or given in PARTS[slot]  # an edit is written in one word
        return settings_of_part(PARTS[slot].get(given)) if known_word else {}
    has_settings = isinstance(given, nn.Module) or (slot == "training_edit" and is_dataclass_instance(given))
    return settings_of_part(type(given)) if has_settings else {}


@functools.cache
def _fields(kind: type) -> Known:
    hints = typing.get_type_hints(kind)
    return {
        field.name: (hints[field.name] if is_plain(hints[field.name]) else float, field.default)
        for field in dataclasses.fields(kind)
        if field.name not in GROUPS
    }


def _is_word(value: Any) -> bool:
    return isinstance(value, bool | int | float | str | None)
