"""Checkpoints of older versions: how states were laid out then, and the same states as they are today."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from marlcomm.learners.actor_critic_config import ActorCriticHParams
from marlcomm.learners.on_policy import OnPolicyHParams
from marlcomm.learners.packing import Packed, pack
from marlcomm.learners.state import LearnerState
from marlcomm.learners.value import ValueHParams
from marlcomm.renamed import SETTINGS


class Layout(NamedTuple):
    """How a state was laid out."""

    template: Any  #: shapes and types, as a pytree
    to_today: Callable[[Any], Any]  #: what was read by it -> the state as it is laid out today


class _Kind(NamedTuple):
    """The fields that the states and hyper-parameters of a learner had, in their order, which checksums depend on."""

    state: tuple[str, ...]
    hparams: tuple[str, ...]


_COUNTS = ("env_steps", "episodes", "updates")
_OFF_POLICY = ("params", "target_params", "optimiser", "replay", "key", "hparams", *_COUNTS)
_EXPLORING = ("discount", "gradient_clip", "epsilon_start", "epsilon_finish", "epsilon_steps", "target_rate")
_KINDS: Mapping[type, _Kind] = {
    ValueHParams: _Kind(
        (*_OFF_POLICY, "cut_below", "healthy"),
        ("learning_rate", "learning_rate_finish", *_EXPLORING, "overestimate_weight", "cut_share", "cut_start",
         "weights"),
    ),
    ActorCriticHParams: _Kind(
        (*_OFF_POLICY, "healthy"),
        ("learning_rate", "critic_learning_rate", "learning_rate_finish", *_EXPLORING, "temperature", "team_share",
         "weights"),
    ),
    OnPolicyHParams: _Kind(
        ("params", "optimiser", "scale", "key", "hparams", *_COUNTS, "healthy", "replay"),
        ("learning_rate", "learning_rate_finish", "entropy_finish", "discount", "trace", "clip", "team_share",
         "gradient_clip", "weights"),
    ),
}  # fmt: skip
_MODULES = {"joint_critic": "teacher"}  # today's name of parameters and weights -> that of then
_CUT = {"cut_share": "share", "cut_start": "start"}


@jax.tree_util.register_pytree_with_keys_class
class _Fields:
    """A pytree node with fields of any name, as those of a dataclass."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self.fields = dict(fields)

    def tree_flatten_with_keys(self) -> tuple[list[tuple[Any, Any]], tuple[str, ...]]:
        return [(jax.tree_util.GetAttrKey(name), value) for name, value in self.fields.items()], tuple(self.fields)

    @classmethod
    def tree_unflatten(cls, names: tuple[str, ...], values: tuple) -> _Fields:
        return cls(dict(zip(names, values, strict=True)))


def older_layouts(template: Any) -> list[Layout]:
    """How a state may be laid out in a checkpoint of an older version, the newest first.

    Args:
      template: the shapes and types of today's state; what is no `LearnerState` has had no other layout.
    """
    if not isinstance(template, LearnerState) or type(template.hparams) not in _KINDS:
        return []
    kind = _KINDS[type(template.hparams)]
    wide = jax.tree.map(_unpacked, template, is_leaf=_is_packed)
    layouts = [Layout(wide, lambda old: _packed_as(template, old))] if template.replay is not None else []
    edit = template.extra.get("edit")
    if edit is not None and ("cut_below" not in kind.state or len(jax.tree.leaves(edit)) != 1):
        return layouts  # only the value learner had an edit that changes, and only one
    return [*layouts, Layout(_as_then(wide, kind), lambda old: _packed_as(template, _as_today(old, wide)))]


def _is_packed(x: Any) -> bool:
    return isinstance(x, Packed)


def _unpacked(x: Any) -> Any:
    """Shape and type of an array in replay before it was packed."""
    if not _is_packed(x):
        return x
    lead = next(iter(x.parts.values())).shape[:-1]
    return jax.ShapeDtypeStruct((*lead, len(x.dtypes)), x.dtype)


def _packed_as(template: LearnerState, state: LearnerState) -> LearnerState:
    """The same state, with its replay packed as that of the template."""
    return jax.tree.map(
        lambda like, x: jax.device_get(pack(x, like.dtypes)) if _is_packed(like) else x,
        template, state, is_leaf=_is_packed,
    )  # fmt: skip


def _as_then(template: LearnerState, kind: _Kind) -> _Fields:
    number = jax.ShapeDtypeStruct(template.env_steps.shape, jnp.float32)  # what stands where today there is nothing
    today = {"replay": None} | template.extra | vars(template)
    cut = jax.tree.leaves(template.extra.get("edit"))
    hparams = {name: _hparam(template.hparams, name, number) for name in kind.hparams}
    then = today | {"optimiser": template.optimizer, "hparams": _Fields(hparams), "cut_below": (cut or [number])[0]}
    return _Fields({name: _renamed(then[name], _MODULES) for name in kind.state})


def _hparam(hparams: Any, name: str, number: Any) -> Any:
    """Today's value of what was the hyper-parameter `name`; `number` where there is none today."""
    if name in _CUT:
        return hparams.training_edit.get(_CUT[name], number)
    return _renamed(getattr(hparams, SETTINGS.get(name, name)), _MODULES)


def _as_today(old: _Fields, template: LearnerState) -> LearnerState:
    back = {then: today for today, then in _MODULES.items()}
    then = {name: _renamed(value, back) for name, value in old.fields.items()}
    numbers = {name: _renamed(value, back) for name, value in then.pop("hparams").fields.items()}
    cut = {_CUT[name]: numbers.pop(name) for name in _CUT if name in numbers}
    hparams = template.hparams.replace(
        **{SETTINGS.get(name, name): value for name, value in numbers.items()},
        training_edit={name: cut[name] for name in template.hparams.training_edit},
    )
    extra = {name: then[name] for name in template.extra if name != "edit"}
    if "edit" in template.extra:
        extra["edit"] = jax.tree.unflatten(jax.tree.structure(template.extra["edit"]), [then["cut_below"]])
    kept = {name: then[name] for name in ("params", "key", *_COUNTS, "healthy")}
    return LearnerState(**kept, optimizer=then["optimiser"], hparams=hparams, extra=extra)


def _renamed(tree: Any, names: Mapping[str, str]) -> Any:
    """The same pytree, with other names in its dictionaries."""
    if isinstance(tree, dict):
        return {names.get(key, key): _renamed(value, names) for key, value in tree.items()}
    if isinstance(tree, tuple):
        parts = [_renamed(value, names) for value in tree]
        return type(tree)(*parts) if hasattr(tree, "_fields") else tuple(parts)
    return tree
