"""A team on sensor that follows a script, so that everything the instruments should find is known beforehand.

Sensors 1 and 2 see whether target 2 is there, and scan what pays. Sensor 2 tells everybody: +1 for there, -1 for not.
Sensor 1 tells everybody noise, or in the redundant team the same as sensor 2. Sensor 0 always says 1/2, and stays at
rest if it is told that target 2 is there, else scans. With p the share of episodes in which target 2 is there:

  return 10 + 10 p; when nobody tells sensor 0, 10 + 5 p.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn

from marlcomm.algorithms import build
from marlcomm.envs import make_env
from marlcomm.messages.channel import deliver, offer
from marlcomm.networks import SumMixer
from marlcomm.training import Population, SavedRun

NOOP, LOWER, HIGHER = 4, 1, 3


class ScriptedSensors(nn.Module):
    """The methods of `CommunicatingAgent` that playing needs; its one parameter says whether sensor 1 is redundant."""

    def initial_memory(self, *batch):
        return jnp.zeros((*batch, 1))

    @nn.compact
    def step(self, memory, inputs, alive, key, edit=None):
        redundant = self.param("redundant", nn.initializers.zeros, ()) > 0
        noise_key, edit_key = jax.random.split(key)
        there = inputs[..., 2, 0] > 0  # [...]
        told = 2.0 * there - 1.0
        noise = jax.random.normal(noise_key, there.shape)
        said = jnp.stack([jnp.full_like(told, 0.5), jnp.where(redundant, told, noise), told], -1)  # [..., N]
        messages = offer(jnp.broadcast_to(said[..., :, None, None], (*said.shape, 3, 1)))
        if edit is not None:
            messages = edit(messages, edit_key)
        messages = deliver(messages, alive)
        heard = messages.content[..., 0, 0]  # [..., N] by sensor 0
        warned = (heard[..., 2] > 0) | (redundant & (heard[..., 1] > 0))
        first = jnp.where(warned, NOOP, HIGHER)
        action = jnp.stack([first, jnp.where(there, HIGHER, LOWER), jnp.where(there, LOWER, NOOP)], -1)
        return memory, jax.nn.one_hot(action, 5), messages, {}


class ScriptedTeams:
    """As `Untrained`, but its two members know what they do: the first as above, the second redundant."""

    def __init__(self) -> None:
        self.algorithm = build("value", make_env("sensor"), mixer=SumMixer(), agent=ScriptedSensors())

    def team(self, member: int):
        return self.algorithm, {"agent": {"params": {"redundant": jnp.float32(member)}}, "mixer": {}}

    def saved(self, path) -> SavedRun:
        _, params = self.team(0)
        params = jax.tree.map(lambda _: jnp.arange(2.0), params)
        return SavedRun(path, self.algorithm, Population((0, 1), ({}, {})), params, {})
