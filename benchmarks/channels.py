"""Every channel under the same learner, and where in the program its messages are made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import Jaxpr, JaxprEqn

import marlcomm as mc
from marlcomm.messages import Channel
from marlcomm.names import CHANNELS

WITH_MEMORY = "+memory"
PRODUCT = "dot_general"


def make_channel(name: str) -> Channel:
    """The channel as it is by default; `name+memory` reads the agents' memory too.

    Raises:
      UsageError: there is no such channel.
    """
    kind = name.removesuffix(WITH_MEMORY)
    return CHANNELS.get(kind)(reads_memory=True) if name.endswith(WITH_MEMORY) else CHANNELS.get(kind)()


def with_every_channel(task: str, names: Sequence[str], **settings: Any) -> dict[str, Any]:
    """QMIX with the published settings and each of the channels, by name; silence first, as what others are held to."""
    env = mc.make_env(task)
    ordered = dict.fromkeys(("silent", *names))
    return {name: mc.qmix(env, channel=make_channel(name), paper=True, **settings) for name in ordered}


def operations(algorithm: Any) -> dict[bool, Counter[str]]:
    """A channel's operations in an unroll of episodes and in its gradient, inside a loop over time (True) and outside.

    Flax notes with every operation which module asked for it; nothing is compiled.
    """
    agent = algorithm.learner.agent
    key, lead = jax.random.PRNGKey(0), (2, 3, algorithm.env.num_agents)
    inputs, alive = jnp.zeros((*lead, agent.channel.input_size)), jnp.ones(lead, bool)

    def total(params: Any) -> jax.Array:
        return agent.apply(params, inputs, alive, key, method="unroll")[0].sum()

    params = jax.eval_shape(lambda: agent.init(key, inputs, alive, key, method="unroll"))
    found: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}
    for operation, in_loop in _operations(jax.make_jaxpr(jax.grad(total))(params).jaxpr):
        if "channel." in str(operation.source_info.name_stack):
            found[in_loop][operation.primitive.name] += 1
    return found


def _operations(program: Jaxpr, in_loop: bool = False) -> Iterator[tuple[JaxprEqn, bool]]:
    """Every operation, with whether a scan stands around it."""
    for operation in program.eqns:
        yield operation, in_loop
        for value in jax.tree.leaves(operation.params, is_leaf=lambda x: isinstance(x, Jaxpr)):
            inner = getattr(value, "jaxpr", value)
            if isinstance(inner, Jaxpr):
                yield from _operations(inner, in_loop or operation.primitive.name == "scan")
