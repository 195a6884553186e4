"""The pytrees that packages hand to one another, and the letters of their axes.

Axes always stand in this order, and are never flattened into one another::

  P  population: seeds x hyper-parameters (only ever added by `jax.vmap`)
  B  environments or episodes
  T  time: steps of an episode, padded to the task's horizon
  N  agents (messages have two such axes: sender, then receiver)
  A  actions          O  observation features     S  state features
  K  an agent's input: observation, its id, its last action
  D  dimensions of a message                      H  hidden units (memory)
  G  values that are trained: 1 for a team, N for independent learners
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

Scalar = jax.Array | float  # [] a number that may be traced
Dtypes = str | tuple[str, ...]  # the name of a type for all features, or one for each


@dataclass(frozen=True)
class TaskSpec:
    """Sizes of a task: all that a learner knows of it, whoever plays its episodes.

    Attributes:
      num_agents: N.
      num_actions: A, choices of each agent; if continuous, numbers that make up its action.
      observation_size: O, features of each agent's view.
      state_size: S, features of the global state.
      horizon: T, the most steps of an episode.
      continuous: whether an action is A numbers in -1 .. 1, in place of one of A choices.
      graph: [N][N] who can reach whom, sender first; None for everybody.
      view_dtype: the smallest type that holds every number of the views exactly, for all features or for each of O:
        replay keeps them in it.
      state_dtype: the same of the global state.
    """

    num_agents: int
    num_actions: int
    observation_size: int
    state_size: int
    horizon: int
    continuous: bool = False
    graph: tuple[tuple[bool, ...], ...] | None = None
    view_dtype: Dtypes = "float32"
    state_dtype: Dtypes = "float32"

    @property
    def action_shape(self) -> tuple[int, ...]:
        """Of a joint action: (N,), or (N, A) if continuous."""
        return (self.num_agents, self.num_actions) if self.continuous else (self.num_agents,)

    @property
    def action_dtype(self) -> np.dtype:
        """Of a joint action: int32, or float32 if continuous."""
        return np.dtype(np.float32 if self.continuous else np.int32)


class Episodes(NamedTuple):
    """A batch of whole episodes, padded to the horizon T. Observations have T+1 entries, the last for bootstrapping.

    `terminal[t]` is True where step t ended the episode in the task's own sense: nothing is bootstrapped from there. An
    episode that a time limit cut (truncation) has no terminal step. `valid[t]` is False on padding.
    """

    agents_view: jax.Array  #: [B, T+1, N, O] float32
    action_mask: jax.Array  #: [B, T+1, N, A] bool
    global_state: jax.Array  #: [B, T+1, S] float32
    alive: jax.Array  #: [B, T+1, N] bool
    action: jax.Array  #: [B, T, N] int32; [B, T, N, A] float32 where the task is continuous
    reward: jax.Array  #: [B, T, N] float32
    terminal: jax.Array  #: [B, T] bool
    valid: jax.Array  #: [B, T] bool
    won: jax.Array  #: [B] bool: whether any step reported `won`


class Messages(NamedTuple):
    """Messages from every sender to every receiver, before or after an edit.

    Any leading axes (B, or B and T) may stand before the two agent axes, of which the first is the sender.
    """

    content: jax.Array  #: [..., N, N, D] float32: the numbers themselves
    importance: jax.Array  #: [..., N, N, D] float32: how much each matters; cuts take the least important first
    sent: jax.Array  #: [..., N, N, D] bool: which of them are sent
    price: jax.Array  #: [..., N, N, D] float32: bits that each entry costs if it is sent
    overhead: jax.Array  #: [..., N, N] float32: bits a message costs on top, whatever is sent of it
    mask: jax.Array | None = None  #: [..., N, N] float32: bits of the mask of edits; None once in `overhead`
    offered: jax.Array | None = None  #: [..., N, N, D] bool: `sent` before any edit; None until messages are received
    lost: jax.Array | None = None  #: [..., N, N, D] bool: lost on the way; None once paid for, in `overhead`
    #: [..., N, N, D] bool: numbers in a code of varying length; None on arrival, and where numbers cost 32 bits
    numbers: jax.Array | None = None


Loss = Callable[[Any, Episodes, Any], tuple[jax.Array, dict[str, jax.Array]]]  # (unroll, episodes, hparams)


class BroughtLoss(NamedTuple):
    """A loss that a part of an algorithm, such as its channel or its mixer, brings along."""

    loss: Loss
    weight: float = 1.0  #: by default
    #: what the loss cannot do without: a learner by policy gradient, a centralized critic of joint actions, agents with
    #: action values in place of policies, ...
    needs: Literal["", "policy_gradient", "joint_critic", "discrete_actions", "action_values"] = ""
    instead: str = ""  #: what to do where that is not to be had, such as "set channel.sampled=False"
    short_name: str = ""  #: of its weight as a setting, such as beta


class ActionValues(NamedTuple):
    """Every agent's values of its own actions, and what was done: what a mixer reads that has `reads_actions`."""

    q: jax.Array  #: [..., N, A] action values, of what is not allowed too
    action_mask: jax.Array  #: [..., N, A] bool
    action: jax.Array  #: [..., N] int32

    @property
    def chosen(self) -> jax.Array:
        """[..., N] values of what was done."""
        return jnp.take_along_axis(self.q, self.action[..., None], -1)[..., 0]

    @property
    def greedy(self) -> ActionValues:
        """The same, had every agent done what it values most among what is allowed. No gradient into that choice."""
        best = jnp.argmax(jnp.where(self.action_mask, jax.lax.stop_gradient(self.q), -jnp.inf), -1)
        return self._replace(action=best.astype(jnp.int32))


class JointQ(NamedTuple):
    """The joint action-value function of a centralized critic, for losses that evaluate counterfactual actions."""

    #: (views [..., N, O], actions [..., N, A]) -> [...] action values; no gradient
    value: Callable[[jax.Array, jax.Array], jax.Array]
    action: jax.Array  #: [B, T, N, A] of the current policy, one-hot where actions are discrete; no gradient
    #: (views [..., N, O], action mask [..., N, A]) -> [..., N, A] greedy joint action; None where Q does not factorize
    greedy: Callable[[jax.Array, jax.Array], jax.Array] | None = None


class JointCriticOutput(NamedTuple):
    """Values of a centralized joint critic on a batch of episodes, with their targets."""

    value: jax.Array  #: [B, T, 1] of the actions taken
    target: jax.Array  #: [B, T, 1] reward + discounted bootstrap; no gradient
    weight: jax.Array  #: [B, T, 1] float32: 1 on valid steps, 0 on padding


class Unroll(NamedTuple):
    """Outputs of the value learner's networks on a batch of episodes: what its losses read."""

    q: jax.Array  #: [B, T+1, N, A] action values of the online network
    target_q: jax.Array  #: [B, T+1, N, A] action values of the target network; no gradient
    value: jax.Array  #: [B, T, G] mixed values of the actions taken
    target: jax.Array  #: [B, T, G] reward + discounted bootstrap; no gradient
    weight: jax.Array  #: [B, T, G] float32: 1 on valid steps, also of agents not alive: others bootstrap from them
    messages: Messages  #: of the online network, leading axes [B, T+1]
    auxiliary: dict[str, jax.Array]  #: what else the channel reports, by name; leading axes [B, T+1]
    joint_critic: JointCriticOutput | None = None  #: online network, where there is a joint critic
    joint_q: JointQ | None = None  #: the target network of that critic
    target_auxiliary: dict[str, jax.Array] | None = None  #: as `auxiliary`, of the target network; no gradient
    mixing: Mapping[str, jax.Array] = {}  #: what the mixer reports, by name; leading axes [B, T]

    @property
    def scores(self) -> jax.Array:
        """[B, T+1, N, A] what speaks for each action, as far as it is settled: the target network's values."""
        return self.target_q


class PolicyUnroll(NamedTuple):
    """Outputs of policy and critic on a batch of episodes: what the on-policy learner's losses read."""

    logits: jax.Array  #: [B, T+1, N, A] of the policy; close to -inf where an action is not allowed
    log_prob: jax.Array  #: [B, T, N] of the actions taken
    old_log_prob: jax.Array  #: [B, T, N] of the same actions under the behavior policy; no gradient
    entropy: jax.Array  #: [B, T, N] of the policy, in nats
    value: jax.Array  #: [B, T, N] the critic's estimate of each agent's return
    target: jax.Array  #: [B, T, N] return (lambda-return) to regress it on; no gradient
    advantage: jax.Array  #: [B, T, N] generalized advantage estimate, in units of `scale`; no gradient
    scale: jax.Array  #: [] running standard deviation of returns; 1 where they are not normalized
    weight: jax.Array  #: [B, T, N] float32: 1 where an agent acted, 0 on padding and where it is not alive
    messages: Messages  #: leading axes [B, T+1]
    auxiliary: dict[str, jax.Array]  #: what else the channel reports, by name; leading axes [B, T+1]
    acted: dict[str, jax.Array]  #: the same of the behavior policy, leading axes [B, T]; no gradient

    @property
    def scores(self) -> jax.Array:
        """[B, T+1, N, A] what speaks for each action: the policy's logits."""
        return self.logits


class ActorCriticUnroll(NamedTuple):
    """Outputs of actors and critics on a batch from replay: what the actor-critic learner's losses read.

    T is the length of what replay gives: 1 for single steps, the horizon for recurrent agents.
    """

    outputs: jax.Array  #: [B, T, N, A] of the actors: before tanh if continuous, else logits
    action: jax.Array  #: [B, T, N, A] of the current policy; gradient passes to actors and channel
    value: jax.Array  #: [B, T, N] each agent's critic at the actions from replay
    target: jax.Array  #: [B, T, N] reward + discounted bootstrap; no gradient
    policy_value: jax.Array  #: [B, T, N] the same with the agent's own action from `action`; no gradient to the critic
    weight: jax.Array  #: [B, T, N] float32: 1 where an agent acted, 0 on padding and where it is not alive
    messages: Messages  #: of the current actors, leading axes [B, T]
    auxiliary: dict[str, jax.Array]  #: what else the channel reports, by name; leading axes [B, T]
    joint_q: JointQ | None = None  #: mean of the target critics, where their input is the views of all agents

    @property
    def scores(self) -> jax.Array:
        """[B, T, N, A] what speaks for each action, where actions are discrete: the actors' logits."""
        return self.outputs


AnyUnroll = Unroll | PolicyUnroll | ActorCriticUnroll  # what a learner of any kind makes of episodes


def others(num_agents: int) -> jax.Array:
    """[N, N] bool: True where sender and receiver are different agents."""
    return ~jnp.eye(num_agents, dtype=bool)


def pairs_at_work(episodes: Episodes) -> Any:
    """[B, T, N, N] bool: pairs of different agents, both alive, at valid steps, sender first; an array of the kind that
    `alive` is, of JAX or NumPy."""
    alive = episodes.alive[:, : episodes.valid.shape[1]]
    pairs = alive[..., :, None] & alive[..., None, :] & ~np.eye(alive.shape[-1], dtype=bool)
    return pairs & episodes.valid[..., None, None]


def bits_sent(messages: Messages) -> jax.Array:
    """[..., N] bits that each sender spends on others at a step; what an agent tells itself is free."""
    spent = jnp.where(messages.sent, messages.price, 0.0).sum(-1) + overhead_paid(messages)
    return jnp.where(others(messages.sent.shape[-2]), spent, 0.0).sum(-1)


def overhead_paid(messages: Messages) -> jax.Array:
    """[..., N, N] bits of the channel's own, and of the mask of an edit: both are paid."""
    return messages.overhead if messages.mask is None else messages.overhead + messages.mask
