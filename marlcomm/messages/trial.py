"""A channel with random parameters, and situations in which its agents talk: what `check_channel` looks at."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np

from marlcomm.messages.channel import Channel, Heard, Received, as_heard
from marlcomm.messages.edits import CutPairs
from marlcomm.messages.transmission import Transmission, checked_heard
from marlcomm.types import Messages, bits_sent
from marlcomm.validation import UsageError, brief

BATCH, HIDDEN = 8, 6
STEPS = 4  # of talk, where a channel carries something from step to step
DRAWS = 2000  # how often a channel that draws is asked: it is compared by its means


class Scene(NamedTuple):
    """A situation in which agents talk; the leading axes are any."""

    inputs: jax.Array  # [..., N, K]
    memory: jax.Array  # [..., N, H]
    alive: jax.Array  # [..., N] bool
    cut: jax.Array  # [N, N] bool, sender first


class Talk(NamedTuple):
    """What came of it."""

    features: jax.Array  # [..., N, M]
    action_values: jax.Array  # [..., N, A], 0 where a channel gives none
    bits: jax.Array  # [..., N]
    messages: Messages
    reported: Any


def _talk(channel: Channel, scene: Scene, state: Any, key: jax.Array, training: bool) -> tuple[Talk, Any]:
    """One step of talk, and the state after it. For a bound channel."""
    lead = scene.alive.shape
    memory = scene.memory if channel.reads_memory or channel.after_memory else None
    talk_key, edit_key = jax.random.split(key)
    transmit = Transmission(
        channel,
        scene.alive,
        edit_key,
        CutPairs(scene.cut),
        state=state,
        training=training,
        action_mask=jnp.ones((*lead, channel.num_actions), bool) if channel.after_memory else None,
        scores=_some_head(channel, scene.memory) if channel.after_memory else None,
    )
    received, reported = channel.talk(scene.inputs, memory, talk_key, transmit)
    messages = transmit.account()
    heard = checked_heard(channel, received, scene.alive, state)
    values = jnp.zeros((*lead, channel.num_actions)) if heard.action_values is None else heard.action_values
    return Talk(jnp.asarray(heard.features), values, bits_sent(messages), messages, reported), heard.state


def _some_head(channel: Channel, memory: jax.Array) -> Callable[[Received | None], jax.Array]:
    """A head that is always the same."""

    def layer(x: jax.Array) -> jax.Array:
        size = x.shape[-1], channel.num_actions
        return x @ jnp.sin(1.0 + jnp.arange(size[0] * size[1], dtype=jnp.float32)).reshape(size)

    def scores(received: Received | None) -> jax.Array:
        heard = Heard() if received is None else as_heard(received)
        own = layer(memory) if heard.features is None else layer(memory) + layer(heard.features)
        return own if heard.action_values is None else own + heard.action_values

    return scores


def plain(channel: Channel, **sizes: Any) -> Channel:
    """The channel without the options that are the same for all."""
    return channel.clone(graph=None, delay=0, bandwidth=None, **sizes)


def _scene(channel: Channel, lead: tuple[int, ...]) -> Scene:
    """Everybody is alive, nothing is cut, and all see and remember different things."""
    rng, n = np.random.default_rng(0), channel.num_agents
    inputs, memory = (rng.normal(size=(*lead, n, size)).astype(np.float32) for size in (channel.input_size, HIDDEN))
    return Scene(jnp.asarray(inputs), jnp.asarray(memory), jnp.ones((*lead, n), bool), jnp.zeros((n, n), bool))


def shape_problems(channel: Channel) -> list[str]:
    """What is wrong with shapes and types, found by tracing alone."""
    problems: list[str] = []
    batch, key = BATCH + (channel.num_agents == BATCH), jax.random.key(0)
    for lead in [(batch,)] if channel.step_by_step else [(batch,), (2, batch)]:  # all steps at once: time stands first
        for training in (False, True):
            scene = _scene(channel, lead)

            def first(scene: Scene = scene, training: bool = training) -> Talk:
                state = channel.initial_state(*scene.alive.shape)
                return channel.init_with_output(key, scene, state, key, training, method=_talk)[0][0]

            try:
                talk = jax.eval_shape(first)
            except UsageError as error:
                problems.append(f"{error}.")
            except Exception as error:  # whatever a user's channel raises is a finding
                problems.append(f"talk fails on inputs of shape {scene.inputs.shape}: {brief(error)}")
            else:
                problems += [
                    f"talk reports {jax.tree_util.keystr(path)} of shape {leaf.shape}: must begin with {lead}."
                    for path, leaf in jax.tree_util.tree_leaves_with_path(talk.reported)
                    if leaf.shape[: len(lead)] != lead
                ]
    return list(dict.fromkeys(problems))


class Mean(NamedTuple):
    """Means over draws, and how far chance moves them."""

    features: Any  # [..., N, M]
    action_values: Any  # [..., N, A]
    bits: Any  # [..., N]
    error: Any  # of each of them, the standard deviation of the mean
    least_paid: Any  # [] the lowest price or overhead, if below 0


class Trial:
    """A channel with random parameters, and ways to let it talk; agent `receiver` is the one that is looked at."""

    def __init__(self, channel: Channel, key: jax.Array, training: bool = False, params: Any = None) -> None:
        """Args: `training`: whether it talks as in training or as in evaluation; `params`: by default random ones."""
        self.channel, self.scene, self.receiver = channel, _scene(channel, (BATCH,)), channel.num_agents - 1
        self.training, self._whole_key, self._in_evaluation = training, key, self
        self._init_key, self.key = jax.random.split(key)
        self.params = self._parameters() if params is None else params
        self._run = jax.jit(self._means)

    @cached_property
    def draws(self) -> int:
        """How often it is asked: often, if it draws."""
        return DRAWS if any(map(np.any, self._asked(self.scene, 2).error)) else 2

    def talk(self, scene: Scene) -> Mean:
        """What agents make of it, over as many draws as are needed."""
        return self._asked(scene, self.draws)

    def one_talk(self, params: Any, scene: Scene, key: jax.Array) -> Talk:
        """A single one. Where a channel carries something, `STEPS` steps in which agents see more or less of the same:
        the mean of what is heard and paid at each, and all messages, time first."""
        state = self.channel.initial_state(*scene.alive.shape)

        def once(state: Any, step: jax.Array) -> tuple[Any, Talk]:
            now = scene._replace(inputs=jnp.cos(step) * scene.inputs)
            step_key = jax.random.fold_in(key, step)
            talk, state = cast(Any, self.channel.apply(params, now, state, step_key, self.training, method=_talk))
            return state, talk

        if state is None:
            return once(None, jnp.int32(0))[1]
        _, talks = jax.lax.scan(once, state, jnp.arange(STEPS))
        return talks._replace(
            features=talks.features.mean(0), action_values=talks.action_values.mean(0), bits=talks.bits.mean(0)
        )

    def program(self) -> tuple[str, Sequence[Any]]:
        """What a talk is traced to, and the arrays in it."""
        closed = jax.make_jaxpr(lambda *x: self.one_talk(*x))(self.params, self.scene, self.key)
        return re.sub("0x[0-9a-f]+", "", str(closed.jaxpr)), closed.consts

    def in_training(self) -> Trial:
        """The same channel as it talks in training."""
        trial = Trial(self.channel, self._whole_key, True, self.params)
        trial._in_evaluation = self._in_evaluation
        return trial

    def alone(self) -> Trial:
        """The same channel with one agent."""
        alone = self._in_evaluation._alone
        return alone.in_training() if self.training else alone

    @cached_property
    def _alone(self) -> Trial:
        return Trial(self.channel.clone(num_agents=1), self.key)

    def other(self, *agents: int) -> Scene:
        """The scene in which some agents see and remember other things."""
        which = np.isin(np.arange(self.channel.num_agents), agents)[:, None]
        inputs, memory = (jnp.where(which, -1.3 * x - 0.7, x) for x in (self.scene.inputs, self.scene.memory))
        return self.scene._replace(inputs=inputs, memory=memory)

    def not_alive(self, scene: Scene, *agents: int) -> Scene:
        """The scene in which some agents are not alive."""
        return scene._replace(alive=scene.alive & ~np.isin(np.arange(self.channel.num_agents), agents))

    def _parameters(self) -> Any:
        """As at the start of training, but larger, so that what is wrong shows."""

        def draw(key: jax.Array) -> Any:
            state = self.channel.initial_state(*self.scene.alive.shape)
            return self.channel.init(key, self.scene, state, key, True, method=_talk)

        rng = np.random.default_rng(np.asarray(jax.random.key_data(self._init_key)))  # has nothing to compile
        return jax.tree.map(
            lambda x: x + 0.3 * jnp.asarray(rng.normal(size=x.shape), x.dtype), jax.jit(draw)(self._init_key)
        )

    def _asked(self, scene: Scene, times: int) -> Mean:
        return jax.tree.map(np.asarray, self._run(self.params, scene, jax.random.split(self.key, times)))

    def _means(self, params: Any, scene: Scene, keys: jax.Array) -> Any:
        talks = jax.vmap(lambda key: self.one_talk(params, scene, key))(keys)
        heard = talks.features, talks.action_values, talks.bits
        price = jnp.where(talks.messages.sent, talks.messages.price, 0.0)
        least = jnp.minimum(price.min(initial=0.0), talks.messages.overhead.min(initial=0.0))
        features, values, bits = (x.mean(0) for x in heard)
        return Mean(features, values, bits, tuple(x.std(0) / len(keys) ** 0.5 for x in heard), least)
