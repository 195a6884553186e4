"""Checks of what factories are given, the same whether they are called in Python, by name or on the command line."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

from flax import linen as nn

from marlcomm.envs.api import Environment
from marlcomm.learners.update import Loss
from marlcomm.names import TASKS
from marlcomm.validation import UsageError, as_type, nearest, to_python

P = ParamSpec("P")
R = TypeVar("R")


def checked(factory: Callable[P, R]) -> Callable[P, R]:
    """Lets a factory refuse what is no task, and arguments of another type than it says; numbers become Python's.

    Raises (what it gives back):
      UsageError: see there.
    """
    names = list(inspect.signature(factory).parameters)

    @functools.wraps(factory)
    def make(*args: P.args, **settings: P.kwargs) -> R:
        given = dict(zip(names, args, strict=False)) | settings
        if "env" in given:
            check_task(given["env"])
        return factory(*args, **convert(plain_types(factory), settings))  # pyright: ignore[reportCallIssue]

    return make


@functools.cache
def plain_types(factory: Callable[..., Any]) -> Mapping[str, type]:
    """Keyword -> type, of those that take a number, a flag or a word."""
    hints = typing.get_type_hints(factory)
    names = hints.keys() if inspect.isclass(factory) else inspect.signature(factory).parameters.keys()
    return {name: hints[name] for name in names if hints.get(name) in (bool, int, float, str)}


def convert(types: Mapping[str, type], given: Mapping[str, Any]) -> dict[str, Any]:
    """What was given, each as its type. Raises UsageError where one does not fit."""
    return {
        name: as_type(name, value, types[name]) if name in types else to_python(value) for name, value in given.items()
    }


def naming(error: ValueError, given: Mapping[str, Any]) -> ValueError:
    """The error, with what was given where it calls it otherwise, as a part does that knows its own names only."""
    said = str(error)
    if not given or any(name in said for name in given):
        return error
    listed = ", ".join(f"{name}={value!r}" for name, value in given.items())
    return UsageError(f"{said} (what was given: {listed})")


def check_task(env: Any) -> None:
    """Raises UsageError where `env` is no task."""
    if not isinstance(env, Environment):
        name = env if isinstance(env, str) and env in TASKS else "hallway"
        raise UsageError(f"env={env!r} must be a task, such as make_env({name!r}).")


def check_module(name: str, module: Any) -> None:
    """Raises UsageError where something is given that is no flax module."""
    if module is not None and not isinstance(module, nn.Module):
        raise UsageError(f"{name}={module!r} must be a flax module.")


# what training writes down beside the losses, each under its name
_RECORDED = {"chunk", "env_steps", "updates", "healthy", "loss", "gradient_norm", "exploration", "return", "won",
             "episode_length", "bits_per_step"}  # fmt: skip


def check_losses(losses: Mapping[str, Loss], weights: Mapping[str, Any]) -> tuple[dict[str, Loss], dict[str, Any]]:
    """Losses and their weights, as given.

    Raises:
      UsageError: a loss that cannot be called, has no weight or has the name of something else that training records,
        or a weight of no loss or that is no number.
    """
    for name, loss in losses.items():
        if name in _RECORDED or name.startswith("test_"):
            raise UsageError(f"a loss cannot be called {name!r}: training records something else by that name.")
        if not callable(loss):
            raise UsageError(
                f"the loss {name}={loss!r} must be a function of an unroll, episodes and hyper-parameters."
            )
        if name not in weights:
            raise UsageError(f"the loss {name!r} has no weight: give one, such as weights={{{name!r}: 1.0}}.")
    for name in weights:
        if name not in losses:
            raise UsageError(f"weights has {name!r}, which is no loss.{nearest(name, tuple(losses))}")
    return dict(losses), {name: as_type(f"weights.{name}", weight, float) for name, weight in weights.items()}
