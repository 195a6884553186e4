"""`build` by the names that it had, one a learner: they go with the next release."""

from __future__ import annotations

from typing import Any

from marlcomm.algorithms.algorithm import Algorithm
from marlcomm.algorithms.builder import build
from marlcomm.algorithms.methods.shared import PYMARL
from marlcomm.envs.api import Environment
from marlcomm.renamed import warn


def value_based(name: str, env: Environment, *, paper: bool = False, **settings: Any) -> Algorithm:
    """Deprecated: use `build("value", env, ...)`. `paper` takes PyMARL's settings where none are given."""
    warn("value_based", 'build("value", ...)')
    return build("value", env, name=name, **{**(PYMARL if paper else {}), **settings})


def policy_based(name: str, env: Environment, **settings: Any) -> Algorithm:
    """Deprecated: use `build("on_policy", env, ...)`."""
    warn("policy_based", 'build("on_policy", ...)')
    return build("on_policy", env, name=name, **settings)


def ddpg_based(name: str, env: Environment, **settings: Any) -> Algorithm:
    """Deprecated: use `build("actor_critic", env, ...)`."""
    warn("ddpg_based", 'build("actor_critic", ...)')
    return build("actor_critic", env, name=name, **settings)
