"""Puts an algorithm together: a learner, a channel, and whatever the two need of each other."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import jax

from marlcomm.algorithms.algorithm import Algorithm, changed_hparams
from marlcomm.algorithms.arguments import check_losses, check_module, check_task
from marlcomm.algorithms.kinds import LearnerKind, Losses
from marlcomm.algorithms.known import (
    BRINGING,
    OBJECTS,
    config_names,
    full_names,
    known_settings,
    left_out,
    losses_of_part,
    losses_of_parts,
    no_such_setting,
    with_loss_settings,
)
from marlcomm.algorithms.optimizers import MakeOptimizer, Own, apart, as_function
from marlcomm.algorithms.parts import as_kind, by_part, make_part, make_training_edit, parts_of, quantized
from marlcomm.algorithms.team import communicating_agent
from marlcomm.envs.api import Environment
from marlcomm.learners.config import check_range
from marlcomm.messages import Channel
from marlcomm.names import LEARNERS
from marlcomm.renamed import with_todays_names
from marlcomm.types import BroughtLoss
from marlcomm.validation import UsageError, nearest


def build(
    learner: str | LearnerKind,
    env: Environment,
    *,
    name: str = "",
    aliases: Mapping[str, str] | None = None,
    **settings: Any,
) -> Algorithm:
    """An algorithm of a learner, a channel and whatever else is chosen.

    The losses that channel and mixer bring join the learner's, with their default weights. What they need is added, or
    refused with a sentence that says what would be right.

    Args:
      learner: "value", "on_policy" or "actor_critic", or what `register_learner` added.
      env: the task.
      name: what to call the algorithm.
      aliases: short names of settings, such as beta for weights.succinctness.
      **settings: those that `marlcomm list` shows, and objects:
        `channel`, `mixer` (value learner) and `critic` (the others) are words or flax modules; their own settings have
        a dot, such as `channel.rounds`. `agent` is a flax module with the methods of `CommunicatingAgent`, in place of
        it and of the channel; `joint_critic` (value learner) one such as `JointCritic`.
        `losses` are more losses by name, or others in place of those that there are; None leaves one out. `weights` are
        theirs. `optimizer` is "adam", "rmsprop", an optax transformation, or a function from hyper-parameters to one.
        `training_edit` is what happens to messages in training.

    Raises:
      UsageError: a setting that does not exist, a value that cannot be, or a channel that this learner cannot train.
    """
    kind: LearnerKind = LEARNERS.get(learner) if isinstance(learner, str) else learner
    check_task(env)
    short_names = {**(aliases or {}), **kind.short_names}
    settings = with_todays_names(
        settings, lambda chosen: {*known_settings(kind, parts_of(chosen), short_names), *OBJECTS}
    )
    settings, without = full_names(settings, short_names), left_out(settings)
    settings = _checked(f"Algorithm {name!r}" if name else kind.title.capitalize(), kind, settings, short_names)
    brought = _losses_of_parts(kind, settings, without)
    settings, added = _with_what_losses_need(kind, env, brought, settings)
    plain, dotted = by_part(settings)
    agent = plain.pop("agent", None)
    check_module("agent", agent)
    modules = {slot: make_part(slot, plain.pop(slot, word), dotted.pop(slot, {})) for slot, word in kind.parts.items()}
    modules["channel"] = _quantized(modules["channel"], plain.get("quantization_step", 0.0), agent)
    losses, weights = _losses(kind, brought, added, plain, dotted.pop("losses", {}), without)
    of_channel = losses_of_part("channel", kind, settings).keys() & brought.keys()
    optimizer = _optimizer(kind, bool(of_channel) and modules["channel"].learns_apart, plain)
    training_edit = make_training_edit(plain.pop("training_edit", None), dotted.pop("training_edit", {}))
    options = {option: plain.pop(option, default) for option, default in kind.all_options.items()}
    config = kind.config(**{key: plain.pop(key) for key in config_names(kind) & plain.keys()})
    made = communicating_agent(env, config, modules["channel"], options) if agent is None else None
    networks = kind.networks(made, modules, options)
    learner_ = kind.learner(
        task=env.task_spec, losses=losses, optimizer=optimizer, config=config, training_edit=training_edit,
        **{"agent": agent, **networks},
    )  # fmt: skip
    _check_critic(kind, learner_, settings.get("critic"))
    short_names |= {loss.short_name: f"weights.{key}" for key, loss in brought.items() if loss.short_name}
    traced = plain | {f"weights.{key}": weight for key, weight in dotted.pop("weights", {}).items()}
    return _assembled(name or kind.learner.__name__, env, learner_, kind.hparams(weights=weights), traced, short_names)


def _quantized(channel: Any, step: float, agent: Any) -> Any:
    """The channel, quantized where a step is set; warns where there is nothing to quantize.

    Raises:
      UsageError: the agent that is given has a channel of its own.
    """
    if step and agent is not None:
        raise UsageError(f"quantization_step={step}: the agent has its channel: give it one in QuantizedChannel.")
    if step and isinstance(channel, Channel) and not channel.says_numbers:
        name = type(channel).__name__
        warnings.warn(
            f"quantization_step={step} and weights.bits do nothing: {name} says no numbers that could be quantized.",
            stacklevel=2,
        )
    return quantized(channel, step)


def _losses_of_parts(kind: LearnerKind, settings: Mapping[str, Any], without: set[str]) -> dict[str, BroughtLoss]:
    """The losses that channel and mixer bring, but those that are left out.

    Raises:
      UsageError: what is left out is no loss, or cannot be; or the learner has a loss of the same name.
    """
    brought = losses_of_parts(kind, settings)
    kept = {name: loss for name, loss in brought.items() if name not in without}
    asking = [name for name, loss in kept.items() if loss.needs == "joint_critic"]
    taken = kind.losses.keys() | (kind.joint_critic_losses.keys() if asking else set())
    for name in sorted(kept.keys() & taken):
        part = _part_that_brings(name, kind, settings)
        raise UsageError(f"The {part} brings a loss {name!r}, and {kind.title} has one of that name: rename it.")
    for name in sorted(without - brought.keys() - kind.losses.keys()):
        if name in taken:
            raise UsageError(f"losses.{name}: the loss {asking[0]!r} needs it: leave losses.{asking[0]} out, too.")
        raise UsageError(f"losses.{name}: there is no such loss.{nearest(name, [*kind.losses, *brought])}")
    return kept


def _part_that_brings(name: str, kind: LearnerKind, settings: Mapping[str, Any]) -> str:
    """The part that brings the loss called `name`."""
    return next(part for part in BRINGING if part in kind.parts and name in losses_of_part(part, kind, settings))


def _check_critic(kind: LearnerKind, learner: Any, chosen: Any) -> None:
    """Raises UsageError where a critic that is chosen is none of this learner's: there are two kinds."""
    if "critic" not in kind.parts or isinstance(learner.critic, kind.critics):
        return
    memory = jax.eval_shape(lambda: learner.initial_memory(1))
    try:
        jax.eval_shape(lambda memory: learner.init_networks(jax.random.PRNGKey(0), memory), memory)
    except Exception as error:
        word = repr(chosen) if chosen is None or isinstance(chosen, str) else type(chosen).__name__
        like = " or ".join(critic.__name__ for critic in kind.critics)
        raise UsageError(
            f"critic={word} is no critic of {kind.title}, which takes one such as {like}: {error}"
        ) from error


def _assembled(
    name: str, env: Environment, learner: Any, hparams: Any, traced: Mapping[str, Any], short_names: Mapping[str, str]
) -> Algorithm:
    """The algorithm with hyper-parameters `traced`; its aliases are those of hyper-parameters that it has."""
    hparams = hparams.replace(training_edit=dict(learner.schedule.hparams))
    algorithm = Algorithm(name, env, learner, hparams)
    known = algorithm.hparam_names()
    aliases = {short: full for short, full in short_names.items() if full in known}
    algorithm = replace(algorithm, aliases=aliases)
    return replace(algorithm, hparams=changed_hparams(algorithm, traced))


def _checked(
    who: str, kind: LearnerKind, settings: Mapping[str, Any], short_names: Mapping[str, str]
) -> dict[str, Any]:
    """The settings by their full names, each as its type. Raises UsageError where one does not exist or fit."""
    known = known_settings(kind, settings, short_names)
    checked, without = {}, left_out(settings)
    for key, value in settings.items():
        shown = next((short for short, full in short_names.items() if full == key), key)
        if key in OBJECTS and not (key in kind.parts or key in _EVERY_LEARNERS):
            raise UsageError(f"{kind.title} has no {key}: leave {key}={value!r} out.")
        if key.removeprefix("losses.") in without:
            continue
        if key not in known and key not in OBJECTS:
            if key.startswith(("weights.", "losses.")):
                losses_of_parts(kind, settings)  # what is wrong with a part hides the losses that it brings
            raise no_such_setting(who, key, known, shown=shown)
        checked[key] = value if key in OBJECTS else as_kind(shown, value, known[key][0])
    return checked


_EVERY_LEARNERS = {"agent", "losses", "weights", "optimizer", "training_edit"}


def _with_what_losses_need(
    kind: LearnerKind, env: Environment, brought: Mapping[str, BroughtLoss], settings: Mapping[str, Any]
) -> tuple[dict[str, Any], Losses]:
    """The settings, and losses, with what the losses of channel and mixer need.

    Raises:
      UsageError: it cannot be had.
    """
    settings, added = dict(settings), {}
    for name, loss in brought.items():
        who = f"The {_part_that_brings(name, kind, settings)} brings the loss {name!r}, which"
        leave = f"leave it out with losses.{name}=none"
        instead = f", or {loss.instead}" if loss.instead else ""
        if loss.needs == "policy_gradient" and not kind.policy_gradient:
            raise UsageError(
                f"{who} is a policy gradient, and {kind.title} takes none: use an on-policy algorithm, such as mappo"
                f"{instead}, or {leave}."
            )
        if loss.needs == "discrete_actions" and env.continuous:
            raise UsageError(
                f"{who} needs discrete actions, and {type(env).__name__} has continuous ones: make the task discrete, "
                f"or {leave}."
            )
        if loss.needs == "action_values" and not kind.action_values:
            raise UsageError(
                f"{who} reads action values, and agents of {kind.title} have policies: use qmix{instead}, or {leave}."
            )
        if loss.needs == "joint_critic":
            if kind.joint_critic is None:
                raise UsageError(
                    f"{who} asks a centralized critic of joint actions, and {kind.title} has none: use qmix or maddpg"
                    f"{instead}."
                )
            settings, added = kind.joint_critic(env, settings), kind.joint_critic_losses
    return settings, added


def _losses(
    kind: LearnerKind,
    brought: Mapping[str, BroughtLoss],
    added: Losses,
    plain: dict[str, Any],
    changes: Mapping[str, Any],
    without: set[str],
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Losses and their weights: the learner's, the parts', what these need, and the user's; taken out of `plain`."""
    own = {**kind.losses, **{name: (loss.loss, loss.weight) for name, loss in brought.items()}, **added}
    losses = {name: loss for name, (loss, _) in own.items()} | (plain.pop("losses", None) or {})
    weights = {name: weight for name, (_, weight) in own.items()} | (plain.pop("weights", None) or {})
    losses, weights = check_losses(
        {name: loss for name, loss in losses.items() if name not in without},
        {name: weight for name, weight in weights.items() if name not in without},
    )
    if not losses:
        raise UsageError("Every loss is left out, so nothing would be learned: keep one.")
    _, dotted = by_part(changes)
    return {name: with_loss_settings(name, loss, dotted.get(name, {})) for name, loss in losses.items()}, weights


def _optimizer(kind: LearnerKind, learns_apart: bool, plain: dict[str, Any]) -> MakeOptimizer:
    """What moves the parameters; those of the channel apart, where it asks for that or a rate is set."""
    optimizer, rate = as_function(plain.pop("optimizer", kind.optimizer)), plain.pop("channel_rate", None)
    if rate is None and not learns_apart:
        return optimizer
    check_range({"channel_rate": (0.0, math.inf)}, "channel_rate", rate)
    if isinstance(optimizer, Own):
        if rate is not None:
            raise UsageError(f"channel_rate={rate} says nothing to an optimizer of your own: leave it out.")
        return optimizer
    return apart(1.0 if rate is None else rate, optimizer)
