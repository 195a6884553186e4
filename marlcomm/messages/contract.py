"""Does a channel keep its promises? `check_channel` finds every broken one and says what would be right."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from marlcomm.messages.channel import Channel
from marlcomm.messages.trial import BATCH, Mean, Scene, Trial, plain, shape_problems
from marlcomm.validation import UsageError, brief

# sizes of a channel without any; no two are equal, so that no axis is another
AGENTS, INPUTS, ACTIONS, STATE = 3, 5, 4, 7

CLAUSES: Mapping[str, str] = {
    "gradient": "the loss of a receiver reaches what every sender sees or remembers",
    "permutation": "senders are told apart only by what they say, or by their places in a receiver's features",
    "alone": "a single agent gets numbers, and pays nothing",
    "not alive": "agents that are not alive neither say nor hear anything",
    "cut": "what is cut is not heard, as if its sender were not alive",
    "bits": "prices and overheads are numbers, and never negative",
    "batch": "a batch of 1 gives what a batch of 8 gives",
    "key": "the key alone decides what is drawn",
}


class ChannelContractError(ValueError):
    """A channel breaks what `Channel` promises. `problems` lists how, one line each."""

    def __init__(self, name: str, problems: list[str]) -> None:
        self.problems = problems
        lines = "\n".join(f"  - {problem}" for problem in problems)
        super().__init__(
            f"{name} breaks the contract of Channel in {len(problems)} way(s):\n{lines}\n"
            "A clause that it cannot keep stands in its exceptions(), with the reason."
        )


def check_channel(channel: Channel, *, key: jax.Array | None = None) -> None:
    """Lets agents talk in several situations and checks all that agents and learners rely on.

    Checked first, by tracing alone: shapes and types of messages, features, action values, state and what is reported,
    in training and in evaluation. Then, on random parameters and inputs, in evaluation and, where a channel talks
    otherwise in training, there too:

    - gradient: the loss of a receiver reaches what every sender sees or remembers;
    - permutation: exchanging senders exchanges their places in a receiver's features, or nothing;
    - alone: with one agent, everything is a number and nothing is paid;
    - not alive: agents that are not alive neither say nor hear anything;
    - cut: what is cut is not heard, as if its sender were not alive;
    - bits: prices and overheads are numbers, and never negative;
    - batch: a batch of 1 gives what a batch of 8 gives;
    - key: the key alone decides what is drawn.

    What a channel draws is compared by its mean over many draws, and one that carries something from step to step is
    looked at over several steps. A channel that cannot keep a clause names it in its
    `exceptions()`, with the reason. Graph, delay and bandwidth are left out: no channel has a say in them.

    Args:
      channel: with or without sizes.
      key: decides parameters and inputs; by default a fixed key.

    Raises:
      ChannelContractError: lists every problem that was found.
      UsageError: what is no channel, such as a channel's class.
    """
    _check_instance(channel)
    sized = plain(
        channel,
        num_agents=channel.num_agents or AGENTS,
        num_actions=channel.num_actions or ACTIONS,
        input_size=channel.input_size or INPUTS,
        state_size=channel.state_size or STATE,
    )
    excepted = set(sized.exceptions())
    unknown = sorted(excepted - CLAUSES.keys())
    problems = [f"exceptions() names {clause!r}; it must be one of {', '.join(CLAUSES)}." for clause in unknown]
    problems += shape_problems(sized)
    if not problems:
        trials = _trials(Trial(sized, jax.random.key(0) if key is None else key))
        for clause, check in _CHECKS.items():
            if clause not in excepted:
                problems += _found(check, *trials)
    if problems:
        raise ChannelContractError(type(channel).__name__, problems)


def check_shapes(channel: Channel) -> None:
    """Traces a channel with sizes, on a batch of another size than all others.

    Raises:
      UsageError: the first that is wrong: the field, its shape, and what would be right.
    """
    if problems := shape_problems(plain(channel)):
        raise UsageError(problems[0])


def _check_instance(channel: Any) -> None:
    if isinstance(channel, Channel):
        return
    name, is_class = getattr(channel, "__name__", ""), isinstance(channel, type) and issubclass(channel, Channel)
    right = f"an instance, such as {name}()" if is_class else "an instance of a subclass of Channel"
    raise UsageError(f"channel={name if is_class else repr(channel)} must be {right}.")


def _trials(trial: Trial) -> tuple[Trial, ...]:
    """As the channel talks in evaluation and, where that is something else, as it talks in training."""
    training = trial.in_training()
    return (trial,) if _same_program(trial, training) else (trial, training)


def _same_program(one: Trial, other: Trial) -> bool:
    (text, constants), (other_text, other_constants) = one.program(), other.program()
    return text == other_text and all(map(np.array_equal, constants, other_constants))


def _found(check: Callable[[Trial], Iterator[str]], *trials: Trial) -> list[str]:
    """What a check finds in the first of the trials in which it finds anything."""
    for trial in trials:
        when = "in training, " if trial.training else ""
        try:
            problems = list(dict.fromkeys(when + problem for problem in check(trial)))
        except Exception as error:  # whatever a user's channel raises is a finding
            problems = [
                f"{when}talk fails where {(check.__doc__ or '').strip().splitlines()[0].lower()} {brief(error)}"
            ]
        if problems:
            return problems
    return []


def _differ(one: Mean, other: Mean, agent: Any = slice(None), part: slice = slice(3)) -> bool:
    """Whether an agent hears, or pays, something else: by more than chance moves it."""
    for a, b, da, db in zip(one[:3][part], other[:3][part], one.error[part], other.error[part], strict=True):
        slack = 1e-4 * (1.0 + np.abs(a)) + 6.0 * np.hypot(da, db)
        by_agent = np.abs(a - b) > slack if a.ndim == one.bits.ndim else (np.abs(a - b) > slack).any(-1)
        if np.any(by_agent[..., agent]):
            return True
    return False


_HEARD = slice(2)  # not the bits


def _numbers(trial: Trial) -> Iterator[str]:
    """Prices and overheads are looked at."""
    talk = trial.talk(trial.scene)
    if not all(np.isfinite(x).all() for x in talk[:3]):
        yield "talk gives features, action values or bits that are not finite; they must be numbers."
    if not talk.least_paid >= 0:
        yield f"messages have a price or an overhead of {float(talk.least_paid):g} bits; it must be at least 0."


def _gradient(trial: Trial) -> Iterator[str]:
    """Gradients are taken."""
    if trial.training:  # gradients are those of training wherever they are asked for
        return
    trial = trial.in_training()
    scene, receiver = trial.scene, trial.receiver
    said = jax.eval_shape(trial.one_talk, trial.params, scene, trial.key).messages.content.shape[-1]
    if not said:
        return

    def heard(inputs: jax.Array, memory: jax.Array, key: jax.Array) -> jax.Array:
        talk = trial.one_talk(trial.params, scene._replace(inputs=inputs, memory=memory), key)
        row = jnp.concatenate([talk.features, talk.action_values], -1)[..., receiver, :]
        return (row * jnp.cos(jnp.arange(row.size, dtype=jnp.float32)).reshape(row.shape)).sum()

    gradient = jax.jit(jax.vmap(jax.grad(heard, (0, 1)), (None, None, 0)))
    found = jax.tree.map(np.asarray, gradient(scene.inputs, scene.memory, jax.random.split(trial.key, 8)))
    for agent in range(trial.channel.num_agents):
        if agent != receiver and not any(np.any(x[..., agent, :]) for x in found):
            yield (
                f"no gradient reaches agent {agent} from what agent {receiver} hears; content must depend on what the "
                "sender sees by functions that have one (straight through, if it is discrete)."
            )


def _permutation(trial: Trial) -> Iterator[str]:
    """Senders are exchanged."""
    n, receiver, scene = trial.channel.num_agents, trial.receiver, trial.scene
    if n < 3:
        return
    order = np.array([1, 0, *range(2, n)])
    before = trial.talk(scene)
    after = trial.talk(scene._replace(inputs=scene.inputs[:, order], memory=scene.memory[:, order]))
    swapped = [before, *(_relabelled(before, order, axis) for axis in (-2, -1))]
    if all(_differ(each, after, receiver, _HEARD) for each in swapped):
        yield (
            f"exchanging agents 0 and 1 changes what agent {receiver} hears, and not by their places; agents must "
            "share parameters, and not be told apart by their numbers."
        )


def _relabelled(talk: Mean, order: np.ndarray, axis: int) -> Mean:
    """Features of one part a sender, with the parts in another order; senders on the first or the last of two axes."""
    n = len(order)

    def moved(x: np.ndarray) -> np.ndarray:
        if x.shape[-1] % n:
            return x
        parts = x.reshape(*x.shape[:-1], *((n, -1) if axis == -2 else (-1, n)))
        return np.take(parts, order, axis).reshape(x.shape)

    return talk._replace(features=moved(talk.features), error=(moved(talk.error[0]), *talk.error[1:]))


def _alone(trial: Trial) -> Iterator[str]:
    """One agent is alone."""
    alone = trial.alone()
    talk = alone.talk(alone.scene)
    if not all(np.isfinite(x).all() for x in talk[:3]):
        yield "an agent that is alone gets features or action values that are not finite; they must be numbers."
    if np.any(talk.bits):
        yield f"an agent that is alone pays {float(talk.bits.max()):g} bits; it must pay 0."


def _not_alive(trial: Trial) -> Iterator[str]:
    """Agents are not alive."""
    n, scene = trial.channel.num_agents, trial.scene
    nobody = trial.talk(trial.not_alive(scene, *range(n)))
    if not all(np.isfinite(x).all() for x in nobody[:3]):
        yield "where nobody is alive, features or action values are not finite; they must be numbers."
    if np.any(nobody.bits):
        yield f"where nobody is alive, an agent pays {float(nobody.bits.max()):g} bits; it must pay 0."
    if n < 2:
        return
    without = trial.talk(trial.not_alive(scene, 0))
    if _differ(without, trial.talk(trial.not_alive(trial.other(0), 0)), slice(1, None)):
        yield "agent 0 is not alive, and others hear what it sees; all that passes must go through transmit."
    if _differ(without, trial.talk(trial.not_alive(trial.other(*range(1, n)), 0)), 0, _HEARD):
        yield "agent 0 is not alive, and hears what others see; all that passes must go through transmit."


def _cut(trial: Trial) -> Iterator[str]:
    """Messages are cut."""
    n, receiver, scene = trial.channel.num_agents, trial.receiver, trial.scene
    if n < 2:
        return
    every = jnp.ones((n, n), bool)
    one, other = (trial.talk(each._replace(cut=every)) for each in (scene, trial.other(0)))
    if _differ(one, other, receiver, _HEARD):
        yield f"all is cut, and agent {receiver} hears what agent 0 sees; all that passes must go through transmit."
    first = jnp.arange(n)[:, None] == jnp.zeros(n, int)
    cut, gone = trial.talk(scene._replace(cut=first)), trial.talk(trial.not_alive(scene, 0))
    if _differ(cut, gone, receiver, _HEARD):
        yield (
            f"all that agent 0 says is cut, and agent {receiver} hears something else than if agent 0 were not alive; "
            "what is not sent must count for nothing (in a softmax, too)."
        )


def _batch(trial: Trial) -> Iterator[str]:
    """The batch is 1."""
    scene, together = trial.scene, trial.talk(trial.scene)

    def shaped(change: Callable[[Any], Any]) -> tuple[Mean, Mean]:
        """What is heard in a batch of another shape, and the same entries of the batch."""
        lead = Scene(change(scene.inputs), change(scene.memory), change(scene.alive), scene.cut)
        heard = together.features, together.action_values, together.bits
        features, values, bits = map(change, heard)
        return trial.talk(lead), Mean(features, values, bits, tuple(map(change, together.error)), together.least_paid)

    for place in (0, BATCH - 1):
        if _differ(*shaped(lambda x, place=place: x[place : place + 1])):
            yield (
                f"environment {place} of a batch of {BATCH} hears or pays something else than by itself; no channel "
                "may look across environments."
            )
    if trial.channel.step_by_step:
        return
    if _differ(*shaped(lambda x: x.reshape(2, BATCH // 2, *x.shape[1:]))):
        yield "with time before the batch, agents hear or pay something else; count axes from the last."


def _key(trial: Trial) -> Iterator[str]:
    """Talk is traced twice."""
    if not _same_program(trial, trial):
        yield "talk differs when traced again; the key alone must decide what is drawn."


_CHECKS: Mapping[str, Callable[[Trial], Iterator[str]]] = {
    "bits": _numbers,
    "gradient": _gradient,
    "permutation": _permutation,
    "alone": _alone,
    "not alive": _not_alive,
    "cut": _cut,
    "batch": _batch,
    "key": _key,
}
