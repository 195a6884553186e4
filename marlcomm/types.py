"""The pytrees that cross rooms, and the letters for their axes.

Axes always stand in this order, and are never flattened into one another::

  P  population: seeds x hyper-parameters (only ever added by `jax.vmap`)
  B  environments or episodes
  T  time: steps of an episode, padded to the task's horizon
  N  agents (messages have two such axes: sender, then receiver)
  A  actions          O  observation features     S  state features
  K  an agent's input: observation, its id, its last action
  D  dimensions of a message                      H  hidden units (memory)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

Scalar = jax.Array | float  # [] a number that may be traced


@dataclass(frozen=True)
class TaskSpec:
    """Sizes of a task: all that a learner knows of it, wherever its episodes are played.

    Attributes:
      num_agents: N.
      num_actions: A, choices of each agent; if continuous, numbers that make up its action.
      observation_size: O, features of each agent's view.
      state_size: S, features of the global state.
      horizon: T, the most steps of an episode.
      continuous: whether an action is A numbers in -1 .. 1, in place of one of A choices.
      graph: [N][N] who can reach whom, sender first; None for everybody.
    """

    num_agents: int
    num_actions: int
    observation_size: int
    state_size: int
    horizon: int
    continuous: bool = False
    graph: tuple[tuple[bool, ...], ...] | None = None

    @property
    def action_shape(self) -> tuple[int, ...]:
        """Of a joint action: (N,), or (N, A) if continuous."""
        return (self.num_agents, self.num_actions) if self.continuous else (self.num_agents,)

    @property
    def action_dtype(self) -> np.dtype:
        """Of a joint action: int32, or float32 if continuous."""
        return np.dtype(np.float32 if self.continuous else np.int32)


class Episodes(NamedTuple):
    """Whole episodes, padded to the horizon T. Observations have one more entry, for bootstrapping.

    `terminal[t]` says that step t ended the episode in the task's own sense (no bootstrap). An episode that a
    time limit cut has no terminal step. `valid[t]` marks the steps that really happened.
    """

    agents_view: jax.Array  #: [B, T+1, N, O] float32
    action_mask: jax.Array  #: [B, T+1, N, A] bool
    global_state: jax.Array  #: [B, T+1, S] float32
    alive: jax.Array  #: [B, T+1, N] bool
    action: jax.Array  #: [B, T, N] int32; [B, T, N, A] float32 where the task is continuous
    reward: jax.Array  #: [B, T, N] float32
    terminal: jax.Array  #: [B, T] bool
    valid: jax.Array  #: [B, T] bool
    won: jax.Array  #: [B] bool: whether any step said so


class Messages(NamedTuple):
    """What senders offer to receivers at one step, before and after an edit.

    Any leading axes (B, or B and T) may stand before the two agent axes. The first N is the sender.
    """

    content: jax.Array  #: [..., N, N, D] float32: the numbers that would travel
    importance: jax.Array  #: [..., N, N, D] float32: how much each is worth sending, for the cuts
    sent: jax.Array  #: [..., N, N, D] bool: what does travel
    price: jax.Array  #: [..., N, N, D] float32: bits that each entry costs when it travels
    overhead: jax.Array  #: [..., N, N] float32: bits that the channel pays for a message whatever is sent of it
    mask: jax.Array | None = None  #: [..., N, N] float32: bits that tell what edits let pass; None once in overhead
    offered: jax.Array | None = None  #: [..., N, N, D] bool: what the channel sent, before any edit; known on arrival


class JointQ(NamedTuple):
    """What a critic that sees and hears of everything thinks, for losses that ask it about what did not happen."""

    worth: Callable[[jax.Array, jax.Array], jax.Array]  #: views [..., N, O], actions [..., N, A] -> [...]; no gradient
    action: jax.Array  #: [B, T, N, A] what the team would do, one-hot where actions are discrete; no gradient
    # views [..., N, O], what is allowed [..., N, A] -> [..., N, A] the best joint action, where that is known
    best: Callable[[jax.Array, jax.Array], jax.Array] | None = None


class JointCriticOutput(NamedTuple):
    """What a joint_critic, who sees what all see, made of episodes."""

    value: jax.Array  #: [B, T, 1] of the actions taken
    target: jax.Array  #: [B, T, 1] what it should be; no gradient
    weight: jax.Array  #: [B, T, 1] float32: 1 on real steps


class Unroll(NamedTuple):
    """What the networks made of whole episodes; the losses read this.

    G is 1 where a mixer made one team value, N for independent learners.
    """

    q: jax.Array  #: [B, T+1, N, A] action values of the online network
    target_q: jax.Array  #: [B, T+1, N, A] action values of the target network; no gradient
    value: jax.Array  #: [B, T, G] mixed values of the actions taken
    target: jax.Array  #: [B, T, G] what they should be: reward + discounted bootstrap; no gradient
    weight: jax.Array  #: [B, T, G] float32: 1 at real steps, also for the dead, as their values are bootstrapped from
    messages: Messages  #: of the online network, leading axes [B, T+1]
    auxiliary: dict[str, jax.Array]  #: whatever else the channel computed, leading axes [B, T+1]
    joint_critic: JointCriticOutput | None = None  #: where the learner has a joint critic
    joint_q: JointQ | None = None  #: that joint_critic, as it was a while ago


class PolicyUnroll(NamedTuple):
    """What a policy and its critic made of whole episodes; the losses of the on-policy learner read this."""

    logits: jax.Array  #: [B, T+1, N, A] of the policy; -inf nearly, where an action is not allowed
    log_prob: jax.Array  #: [B, T, N] of the actions taken
    old_log_prob: jax.Array  #: [B, T, N] of the same actions under the policy that took them; no gradient
    entropy: jax.Array  #: [B, T, N] of the policy, in nats
    value: jax.Array  #: [B, T, N] return that the critic expects for each agent
    target: jax.Array  #: [B, T, N] what it should be; no gradient
    advantage: jax.Array  #: [B, T, N] how much better than expected things went, in units of `scale`; no gradient
    scale: jax.Array  #: [] deviation of the returns so far; 1 where they are not normalized
    weight: jax.Array  #: [B, T, N] float32: 1 where an agent acted, 0 after the end and for the dead
    messages: Messages  #: leading axes [B, T+1]
    auxiliary: dict[str, jax.Array]  #: whatever else the channel computed, leading axes [B, T+1]
    acted: dict[str, jax.Array]  #: the same when the actions were taken, leading axes [B, T]; no gradient


class ActorCriticUnroll(NamedTuple):
    """What actors and action critics made of episodes, or of single steps of them; the losses of MADDPG read this.

    T is here as long as the parts of episodes that replay gives: 1, or the horizon where agents remember.
    """

    outputs: jax.Array  #: [B, T, N, A] what the actors say, before tanh, or as logits of the allowed choices
    action: jax.Array  #: [B, T, N, A] what they would do, as critics see it; gradient passes to actors and channel
    value: jax.Array  #: [B, T, N] each agent's critic of what was done
    target: jax.Array  #: [B, T, N] what it should be: reward + discounted bootstrap; no gradient
    policy_value: jax.Array  #: [B, T, N] the critic of the same, had its own agent acted as it would; not to the critic
    weight: jax.Array  #: [B, T, N] float32: 1 where an agent acted, 0 after the end and for the dead
    messages: Messages  #: of the actors as they are, leading axes [B, T]
    auxiliary: dict[str, jax.Array]  #: whatever else the channel computed, leading axes [B, T]
    joint_q: JointQ | None = None  #: the mean of the target critics, where they see all agents' views and nothing else


def others(num_agents: int) -> jax.Array:
    """[N, N] bool: True where sender and receiver are different agents."""
    return ~jnp.eye(num_agents, dtype=bool)
