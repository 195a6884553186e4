"""RGMComm's clustering loss on the action values of a joint critic, which trains labels online (section 4.2)."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from marlcomm.losses.clustering import (
    action_value_matrix,
    action_value_vectors,
    check_names,
    clustering_loss,
    in_batches,
    with_frequency,
)
from marlcomm.losses.temporal_difference import temporal_difference_loss
from marlcomm.renamed import old_names
from marlcomm.types import ActorCriticUnroll, Episodes, JointQ, Unroll

MAX_STEPS = 512  # steps of a batch that are compared pairwise
MAX_NUMBERS = 2**23  # inputs of the joint critic in one call: 32 MiB
_METRICS = ("locality", "label_entropy", "label_information")  # of the clustering loss


class _Steps(NamedTuple):
    """Time steps of a batch, R of one stretch of the episodes; or a choice of them, as rows or contexts."""

    views: jax.Array  # [R, N, O]
    action: jax.Array  # [R, N, A] what `JointQ.action` has, one-hot; where continuous, the action taken
    allowed: jax.Array  # [R, N, A] bool
    logits: jax.Array  # [R, N, M]
    counts: jax.Array  # [R, N] bool: whether an agent acted there


class _Chosen(NamedTuple):
    """Rows and contexts of one sender in one stretch."""

    sender: jax.Array  # [] int32
    rows: _Steps  # K1 steps, of which the sender's part counts
    frequency: jax.Array  # [K1]
    contexts: _Steps  # C steps, of which the others' part counts


@old_names(neighbours="neighbors", normalisation="normalization")
@dataclass(frozen=True)
class LabelLoss:
    """Clustering loss of the labels of `ClusterChannel`: views with similar joint action values share a label.

    For each sender, rows are its distinct views in the batch, weighted by frequency, and columns are contexts: views
    and actions of the others. With discrete actions, each context occurs once for every action of every other agent,
    where the sender, or all the rest of the team if `JointQ.greedy` is known, acts greedily; with continuous ones, once
    with the actions taken. `JointQ` is evaluated for every row and column, and `clustering_loss` labels the rows. The
    loss is the mean over senders, and 0 for one agent alone. Our adaptation of RGMComm, which clusters a batch of rows.

    Rows and columns come from the same stretch of the episodes, as all agents know the time and labels need not tell
    it; single steps from replay are one stretch. Equal views get equal labels, whatever the sender remembers.

    Memory: K1 * contexts * (N - 1) * k^2 joint actions are evaluated for each sender (k in place of k^2 if
    `JointQ.greedy` is known), where k is the smaller of A and `actions`, in batches of about `MAX_NUMBERS` inputs of
    the critic. So the peak does not grow with vocabulary, rows or contexts.

    Attributes:
      rows: most rows of a sender, K1; the most frequent views. 0 takes twice as many as give every label a row and its
        neighbors, and at least 48.
      stretches: most parts into which episodes are divided.
      contexts: contexts of a sender; K2 is as many, times k (N - 1) if actions are discrete.
      actions: most actions of another agent in one context, the next context having the next ones; and most actions
        among which the sender's greedy one is sought.
      neighbors, information_weight, entropy_weight, pull, labels: as for `clustering_loss`.
      normalization, activation: as for `action_value_vectors`; `normalization` is by default "advantage" where actions
        are discrete, else "range".
    """

    rows: int = 0
    stretches: int = 4
    contexts: int = 12
    actions: int = 10
    neighbors: int = 4
    information_weight: float = 1.0
    entropy_weight: float = 2.0
    pull: str = "similarity"
    labels: str = "soft"
    normalization: str = ""
    activation: str = "tanh"

    def __post_init__(self) -> None:
        for name, least in (("rows", 0), ("stretches", 1), ("contexts", 1), ("actions", 1), ("neighbors", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}: must be at least {least}")
        check_names(normalization=self.normalization or "range", activation=self.activation)
        check_names(pull=self.pull, labels=self.labels)

    def __call__(
        self, unroll: Unroll | ActorCriticUnroll, episodes: Episodes, hparams: Any
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        """See `Loss`.

        Raises:
          ValueError: the channel gives no `label_logits`, the learner has no joint critic, or the batch is smaller than
            `contexts`.
        """
        if "label_logits" not in unroll.auxiliary:
            raise ValueError("the channel reports no label_logits: this loss teaches a ClusterChannel")
        joint_q = unroll.joint_q
        if joint_q is None:
            raise ValueError(
                "the learner has no joint critic to cluster by: give the value learner one, and let the critics of "
                'maddpg see "observations"'
            )
        discrete = jnp.issubdtype(episodes.action.dtype, jnp.integer)
        steps = _stretches(unroll, joint_q, episodes, discrete, self.stretches)
        most, vocab_size = steps.views.shape[1], steps.logits.shape[-1]
        if self.contexts > most:
            raise ValueError(
                f"losses.labels.contexts is {self.contexts}: must be in 1 .. {most}, as a batch has so many steps in a "
                f"stretch, of which there are {len(steps.views)}: take larger batches (batch_steps, batch_episodes), "
                "fewer losses.labels.stretches, or fewer contexts"
            )
        rows = min(self.rows or max(48, 2 * vocab_size * (self.neighbors + 1)), most)
        senders = jnp.arange(steps.views.shape[2])
        if len(senders) == 1:  # nobody hears a label: there is nothing to tell
            return jnp.float32(0.0), dict.fromkeys(_METRICS, jnp.float32(0.0))
        choose = functools.partial(self._choose, discrete, rows)
        chosen = jax.vmap(jax.vmap(choose, (None, 0)), (0, None))(steps, senders)  # [stretches, N, ...]
        losses, metrics = jax.vmap(jax.vmap(self._cluster))(chosen, self._vectors(chosen, joint_q, discrete))
        counts = steps.counts.astype(jnp.float32)
        weight = counts.sum(1) / jnp.maximum(counts.sum(), 1.0)
        return (weight * losses).sum(), jax.tree.map(lambda x: (weight * x).sum(), metrics)

    def _choose(self, discrete: bool, rows: int, steps: _Steps, sender: jax.Array) -> _Chosen:
        is_sender = (jnp.arange(steps.views.shape[1]) == sender)[:, None]
        real = jnp.take(steps.counts, sender, 1)
        row, frequency = with_frequency(jnp.take(steps.views, sender, 1), rows, real)
        around = [steps.views] if discrete else [steps.views, steps.action]
        others = jnp.concatenate([jnp.where(is_sender, 0.0, x).reshape(len(real), -1) for x in around], -1)
        context, _ = with_frequency(others, self.contexts, real)
        if not discrete or self._normalization(discrete) != "advantage":  # by which what is not real becomes zero
            context = jnp.where(real[context], context, context[0])
        at_rows, at_contexts = (jax.tree.map(lambda x, i=i: x[i], steps) for i in (row, context))
        return _Chosen(sender, at_rows, frequency, at_contexts)

    def _normalization(self, discrete: bool) -> str:
        return self.normalization or ("advantage" if discrete else "range")

    def _vectors(self, chosen: _Chosen, joint_q: JointQ, discrete: bool) -> jax.Array:
        """[stretches, N, K1, K2] of every sender in every stretch. No gradient."""
        num_agents, num_actions = chosen.rows.action.shape[-2:]
        asked = min(num_actions, self.actions)
        choices = 1 if joint_q.greedy is not None else asked
        questions = choices * asked * (num_agents - 1) if discrete else 1  # about one row in one context
        # a question is what all see and do, which each of N critics may read with a note of whose it is
        size = num_agents**2 * (chosen.rows.views.shape[-1] + num_actions + 1)
        at_once = max(MAX_NUMBERS // (questions * size), 1)
        numbers = jnp.arange(self.contexts)

        def of_sender(chosen: _Chosen) -> jax.Array:
            worth = functools.partial(self._values, joint_q, discrete, chosen.sender)
            values = action_value_matrix(worth, chosen.rows, (chosen.contexts, numbers), at_once)
            values = jnp.where(chosen.frequency[:, None] > 0, values, 0.0)  # who may do nothing has no best action
            normalization = self._normalization(discrete)
            return action_value_vectors(values, normalization, self.activation, asked if discrete else None)

        senders_at_once = at_once // (chosen.frequency.shape[-1] * self.contexts)
        of_stretch = functools.partial(in_batches, of_sender, at_once=senders_at_once)
        return in_batches(of_stretch, chosen, senders_at_once // num_agents)

    def _values(
        self, joint_q: JointQ, discrete: bool, sender: jax.Array, own: _Steps, context: tuple[_Steps, jax.Array]
    ) -> jax.Array:
        """Joint action values of one row in one context: [], or [(N - 1) * actions] of alternative actions."""
        other, number = context
        num_agents, num_actions = own.action.shape
        is_sender = (jnp.arange(num_agents) == sender)[:, None]
        views = jnp.where(is_sender, own.views, other.views)
        allowed = jnp.where(is_sender, own.allowed, other.allowed)
        if not discrete:
            return joint_q.value(views, jnp.where(is_sender, own.action, other.action))
        asked = min(num_actions, self.actions)
        which = (number * asked + jnp.arange(asked)) % num_actions  # others in the next context
        if joint_q.greedy is not None:
            return joint_q.value(views, _alternatives(joint_q.greedy(views, allowed), allowed, sender, which))
        choices, may = jnp.eye(num_actions, dtype=jnp.float32), allowed[sender]  # the sender does what is best then
        if asked < num_actions:
            first = joint_q.value(views, jnp.where(is_sender, choices[:, None], other.action))
            _, likely = jax.lax.top_k(jnp.where(may, first, -jnp.inf), asked)
            choices, may = choices[likely], may[likely]
        joint = jnp.where(is_sender, choices[:, None, None], _alternatives(other.action, allowed, sender, which))
        return jnp.where(may[:, None], joint_q.value(views, joint), -jnp.inf).max(0)

    def _cluster(self, chosen: _Chosen, vectors: jax.Array) -> tuple[jax.Array, dict[str, jax.Array]]:
        return clustering_loss(
            jnp.take(chosen.rows.logits, chosen.sender, 1),
            vectors,
            neighbors=self.neighbors,
            information_weight=self.information_weight,
            entropy_weight=self.entropy_weight,
            pull=self.pull,
            labels=self.labels,
            frequency=chosen.frequency,
        )


def joint_critic_loss(unroll: Unroll, episodes: Episodes, hparams: Any) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Temporal-difference loss of the joint critic.

    Raises:
      ValueError: the learner has none.
    """
    if unroll.joint_critic is None:
        raise ValueError("the learner has no joint critic to teach")
    return temporal_difference_loss(unroll._replace(**unroll.joint_critic._asdict()), episodes, hparams)


def _stretches(
    unroll: Unroll | ActorCriticUnroll, joint_q: JointQ, episodes: Episodes, discrete: bool, most: int
) -> _Steps:
    """The batch's steps, [stretches, R, ...], of each stretch at most `MAX_STEPS`, in an order of chance."""
    batch, length = episodes.valid.shape
    together = -(-length // most)
    counts = episodes.alive[:, :length] & episodes.valid[..., None]
    steps = _Steps(
        views=episodes.agents_view[:, :length],
        action=joint_q.action if discrete else episodes.action,
        allowed=episodes.action_mask[:, :length] & counts[..., None],
        logits=unroll.auxiliary["label_logits"][:, :length],
        counts=counts,
    )

    def cut(x: jax.Array) -> jax.Array:
        x = jnp.pad(x, [(0, 0), (0, -length % together)] + [(0, 0)] * (x.ndim - 2))  # with steps that do not count
        x = jnp.moveaxis(x.reshape(batch, -1, together, *x.shape[2:]), 1, 0)
        x = x.reshape(len(x), -1, *x.shape[3:])
        # in any order: where no view occurs twice, the first ones are rows and contexts, and should not be one episode
        order = np.random.default_rng(0).permutation(x.shape[1])
        return x[:, order[:MAX_STEPS]]

    return jax.tree.map(cut, steps)


def _alternatives(action: jax.Array, allowed: jax.Array, sender: jax.Array, which: jax.Array) -> jax.Array:
    """[N, A] -> [(N - 1) K, N, A]: with each of K actions of each agent but the sender, where it is allowed."""
    n, num_actions = action.shape
    changed = (sender + 1 + jnp.arange(n - 1)) % n
    at_agent = jax.nn.one_hot(changed, n, dtype=bool)[:, None, :, None]  # [N - 1, 1, N, 1]
    to_action = jnp.eye(num_actions, dtype=jnp.float32)[which][:, None, :]  # [K, 1, A]
    may = allowed[changed][:, which][..., None, None]  # [N - 1, K, 1, 1]
    return jnp.where(at_agent & may, to_action, action).reshape(-1, n, num_actions)
