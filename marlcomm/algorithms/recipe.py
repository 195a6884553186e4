"""Recipes: a method as the settings that make it of a learner, with the numbers that its authors published."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from marlcomm.algorithms.algorithm import Algorithm
from marlcomm.algorithms.arguments import check_task, naming
from marlcomm.algorithms.builder import build
from marlcomm.algorithms.kinds import LearnerKind
from marlcomm.algorithms.known import OBJECTS, Known, full_names, known_settings, left_out, losses_as_far_as_known
from marlcomm.algorithms.optimizers import refuse_unused
from marlcomm.algorithms.parts import as_kind, on_top, parts_of
from marlcomm.envs.api import Environment
from marlcomm.names import CHANNELS, LEARNERS
from marlcomm.renamed import with_todays_names
from marlcomm.validation import UsageError, as_type, to_python

Settings = Mapping[str, Any]
_RECIPE = "__recipe__"


class Same(NamedTuple):
    """The default of a setting that is as another one unless it is given."""

    setting: str


@dataclass(frozen=True)
class Recipe:
    """What a named algorithm is made of.

    Attributes:
      learner: the name of its learner.
      defaults: settings that make the method, as `build` takes them.
      published: those that are taken with paper=True, beneath what is given.
      short_names: of settings, such as beta for weights.succinctness.
      variants: flag -> settings that are taken where it is set, beneath what is given.
      fixed: setting that cannot be given -> the sentence that says what to do instead.
    """

    learner: str
    defaults: Settings = field(default_factory=dict)
    published: Settings = field(default_factory=dict)
    short_names: Mapping[str, str] = field(default_factory=dict)
    variants: Mapping[str, Settings] = field(default_factory=dict)
    fixed: Mapping[str, str] = field(default_factory=dict)

    @property
    def kind(self) -> LearnerKind:
        """The learner's."""
        return LEARNERS.get(self.learner)

    @property
    def flags(self) -> dict[str, Settings]:
        """Flag -> settings that it stands for."""
        return {"paper": self.published, **self.variants}

    def known(self, given: Settings) -> Known:
        """Setting -> (type, default), short names first; what is given so far decides which parts there are."""
        short_names = {**self.short_names, **self.kind.short_names}
        known = known_settings(self.kind, self.on_defaults(given), short_names)
        flags = {flag: (bool, False) for flag in self.flags}
        own = {name: known.pop(name) for name in self.short_names if name in known}
        return own | flags | {name: it for name, it in known.items() if name not in self.fixed}

    def make(self, name: str, env: Environment, given: Settings) -> Algorithm:
        """The algorithm called `name`, which remembers what was given or the task chose. Raises as `build`."""
        check_task(env)
        given = with_todays_names(given, lambda chosen: [*self.known(parts_of(chosen)), *OBJECTS])
        given = {**self.chosen_by_task(env, given), **given}
        refuse_unused(given.get("optimizer"), given)
        try:
            made = build(self.learner, env, name=name, aliases=self.short_names, **self.on_defaults(given))
        except ValueError as error:
            raise naming(error, given) from None
        known = self.known(given)
        typed = known.keys() - OBJECTS
        plain = {key: as_kind(key, value, known[key][0]) if key in typed else value for key, value in given.items()}
        return replace(made, settings=to_python(plain))

    def chosen_by_task(self, env: Environment, given: Settings) -> dict[str, Any]:
        """Settings that the task chooses where they are not given: its `training_settings`, none with paper=True.

        Of a channel that is given as an object it chooses nothing.

        Raises:
          UsageError: the task chooses for what is neither a learner nor a channel.
        """
        chosen = {tuple(names.split("+")): settings for names, settings in env.training_settings.items()}
        for name in {name for names in chosen for name in names if name not in CHANNELS}:
            LEARNERS.check(name)
        if given.get("paper"):
            return {}
        channel = self.on_defaults(given).get("channel")
        parts = {self.learner, channel if isinstance(channel, str) else ""}
        found = {}
        for names, settings in chosen.items():
            found |= settings if parts.issuperset(names) else {}
        short_names = {**self.short_names, **self.kind.short_names}
        taken = {short_names.get(name, name) for name in given} | self.fixed.keys()
        taken |= {f"weights.{loss}" for loss in left_out(given)}
        return {name: it for name, it in found.items() if name not in taken}

    def on_defaults(self, given: Settings) -> dict[str, Any]:
        """What is given on top of the defaults, by full names."""
        short_names, settings = {**self.short_names, **self.kind.short_names}, self.defaults
        for flag, stands_for in self.flags.items():
            if as_type(flag, given.get(flag, False), bool):
                settings = on_top(settings, full_names(stands_for, short_names))
        rest = {key: value for key, value in given.items() if key not in self.flags}
        for key in self.fixed.keys() & rest.keys():
            raise UsageError(self.fixed[key])
        rest = full_names(rest, short_names)
        settings = on_top(settings, rest)
        settings = {key: self._value(value, settings) for key, value in settings.items()}
        return self._without_losses_of_others(settings, rest)

    def _without_losses_of_others(self, settings: dict[str, Any], given: Settings) -> dict[str, Any]:
        """Without the recipe's losses, and weights, of losses that its parts bring, where other parts are given."""
        weights = {key for key in settings.keys() - given.keys() if key.startswith("weights.")}
        if not weights and not settings.get("losses"):
            return settings
        brought = losses_as_far_as_known(self.kind, settings)
        ours = {*self.kind.losses, *brought, *(given.get("losses") or {}), *(settings.get("weights") or {})}
        dropped = {key for key in weights if key.removeprefix("weights.") not in ours}
        kept = {key: value for key, value in settings.items() if key not in dropped}
        if kept.get("losses"):
            kept["losses"] = {name: loss for name, loss in kept["losses"].items() if name in ours}
        return kept

    def _value(self, value: Any, settings: Settings) -> Any:
        if not isinstance(value, Same):
            return value
        return settings.get(value.setting, self.kind.all_options[value.setting])


def recipe(
    learner: str,
    defaults: Settings,
    *,
    published: Settings | None = None,
    short_names: Mapping[str, str] | None = None,
    variants: Mapping[str, Settings] | None = None,
    fixed: Mapping[str, str] | None = None,
) -> Callable[[Callable[..., Algorithm]], Callable[..., Algorithm]]:
    """Makes a function, of which only name and docstring count, follow a recipe; see `Recipe`."""
    made = Recipe(learner, defaults, published or {}, short_names or {}, variants or {}, fixed or {})

    def decorate(function: Callable[..., Algorithm]) -> Callable[..., Algorithm]:
        @functools.wraps(function)
        def make(env: Environment, **settings: Any) -> Algorithm:
            return made.make(function.__name__, env, settings)

        setattr(make, _RECIPE, made)
        return make

    return decorate


def recipe_of(factory: Callable[..., Any]) -> Recipe | None:
    """The recipe that a factory follows, if it follows one."""
    return getattr(factory, _RECIPE, None)
