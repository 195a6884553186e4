"""Small tasks as tables, solved exactly: Eq. 3 and 4 of RGMComm (Chen et al. 2024), in numpy.

What all agents see together is the state: O joint observations, A joint actions. A policy is [O, A], a distribution
over joint actions for each joint observation; a policy on labels is one that is equal wherever the labels are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from marlcomm.analysis.theory.return_gap import cluster_centers, weighted_action_values


@dataclass(frozen=True)
class TabularTask:
    """A task with a finite number of joint observations and actions.

    Attributes:
      reward: [O, A].
      transition: [O, A, O] probability of the next joint observation.
      start: [O] probability of the first one.
      discount: in 0 .. 1, below 1. With 0 this is a one-step game.
    """

    reward: np.ndarray
    transition: np.ndarray
    start: np.ndarray
    discount: float

    def __post_init__(self) -> None:
        observations, actions = self.reward.shape
        if self.transition.shape != (observations, actions, observations):
            raise ValueError(
                f"transition has shape {self.transition.shape}: must be {(observations, actions, observations)}"
            )
        if self.start.shape != (observations,):
            raise ValueError(f"start has shape {self.start.shape}: must be {(observations,)}")
        if not 0.0 <= self.discount < 1.0:
            raise ValueError(f"discount is {self.discount}: must be at least 0 and below 1")

    def state_values(self, policy: np.ndarray) -> np.ndarray:
        """[O] V of Eq. 2."""
        reward = (policy * self.reward).sum(-1)
        return np.linalg.solve(np.eye(len(reward)) - self.discount * self._moves(policy), reward)

    def action_values(self, policy: np.ndarray) -> np.ndarray:
        """[O, A] Q of Eq. 2."""
        return self.reward + self.discount * self.transition @ self.state_values(policy)

    def average_return(self, policy: np.ndarray) -> float:
        """J = E[(1 - discount) V] over the start (Eq. 3, before its limit): a return per step."""
        return float((1.0 - self.discount) * self.start @ self.state_values(policy))

    def visitation(self, policy: np.ndarray) -> np.ndarray:
        """[O] how often each joint observation is met, discounted; sums to 1 (Eq. 4)."""
        flow = np.eye(len(self.start)) - self.discount * self._moves(policy).T
        return (1.0 - self.discount) * np.linalg.solve(flow, self.start)

    def ideal_policy(self) -> np.ndarray:
        """[O, A] the best policy of those who see everything, deterministic, by policy iteration."""
        policy = np.zeros(self.reward.shape)
        better = _greedy(self.reward)
        while not np.array_equal(policy, better):
            policy = better
            values = self.action_values(policy)
            gain = values.max(-1) - (policy * values).sum(-1)
            # equal values, up to rounding, must not make it go round in circles
            better = np.where((gain > 1e-10)[:, None], _greedy(values), policy)
        return policy

    def _moves(self, policy: np.ndarray) -> np.ndarray:
        return np.einsum("oa,oap->op", policy, self.transition)


def policy_change(task: TabularTask, policy: np.ndarray) -> float:
    """E[Q*(o, a*) - Q*(o, a)] over what `policy` visits and does: exactly J(pi*) - J(policy) (Lemma 4.1).

    The lemma as printed has the policy's own action values in the second term. They are not larger, so what it prints
    is an upper bound.
    """
    ideal = task.action_values(task.ideal_policy())
    lost = ideal.max(-1) - (policy * ideal).sum(-1)
    return float(task.visitation(policy) @ lost)


def label_policy(values: np.ndarray, labels: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """The policy that the proof of Eq. 8 makes: in each context, the best action at the center of the label's cluster.

    Args:
      values: [J, C, A] action values; labels: [J] int; probability: [J, C] of the sender's observation and context.

    Returns:
      [J, C, A], equal for observations of one label.
    """
    own = probability.sum(-1)
    center = cluster_centers(weighted_action_values(values, probability), labels, own / own.sum())
    return _greedy(center.vector)[labels]


def _greedy(values: np.ndarray) -> np.ndarray:
    return np.eye(values.shape[-1])[values.argmax(-1)]
