"""Teaching labels while a team trains: the clustering loss on what the learner's judge says (RGMComm, section 4.2)."""

from __future__ import annotations

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
    with_frequency,
)
from marlcomm.losses.temporal_difference import temporal_difference_loss
from marlcomm.types import ActorCriticUnroll, Episodes, Judge, Unroll

MOST_STEPS = 512  # of a batch that are compared with each other, at a cost of their square


class _Steps(NamedTuple):
    """Steps of a batch side by side, R of them in each stretch of the episodes."""

    views: jax.Array  # [R, N, O]
    action: jax.Array  # [R, N, A] what the judge would have the team do; where continuous, what was done
    allowed: jax.Array  # [R, N, A] bool
    logits: jax.Array  # [R, N, M]
    counts: jax.Array  # [R, N] bool: whether an agent acted there


@dataclass(frozen=True)
class LabelLoss:
    """The loss of `ClusterChannel`: what calls for the same actions of the others gets the same label.

    For each sender: rows are its different views in the batch, with how often they occur; columns are contexts, which
    are what the others saw, and what they did. Where actions are discrete, every context stands once with each action
    of each other agent, the sender doing its best then, or as the judge knows it, all the rest; else with what was done
    there. The learner's judge is asked about every row and column, and `clustering_loss` gives labels to the rows. Mean
    over senders.

    Rows and columns come from the same stretch of an episode: everybody knows how late it is, so no label should tell.
    (Of all steps together, one agent of eight in the maze gave one label to all its first views.) Steps that were drawn
    from replay one by one are one stretch. Equal views get one label, whatever the sender remembers.

    Attributes:
      rows: K1, views of a sender, at most; the most frequent ones. 0 takes twice as many as it needs to give every
        label a row and its neighbours, and at least 48.
      stretches: into how many an episode is cut, at most.
      contexts: what the others saw; K2 is as many, times A (N - 1) where actions are discrete.
      neighbours, information_weight, entropy_weight, pull, labels: as for `clustering_loss`.
      normalisation, activation: as for `action_value_vectors`; `normalisation` is by default "advantage" where actions
        are discrete, else "range".
    """

    rows: int = 0
    stretches: int = 4
    contexts: int = 12
    neighbours: int = 4
    information_weight: float = 1.0
    entropy_weight: float = 2.0
    pull: str = "similarity"
    labels: str = "soft"
    normalisation: str = ""
    activation: str = "tanh"

    def __post_init__(self) -> None:
        for name, least in (("rows", 0), ("stretches", 1), ("contexts", 1), ("neighbours", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}: must be at least {least}")
        check_names(self.normalisation or "range", self.activation)

    def __call__(
        self, unroll: Unroll | ActorCriticUnroll, episodes: Episodes, hparams: Any
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        """See `Loss`.

        Raises:
          ValueError: the channel gives no `label_logits`, the learner has no judge, or the batch is smaller than
            `contexts`.
        """
        if "label_logits" not in unroll.auxiliary:
            raise ValueError("the channel reports no label_logits: this loss teaches a ClusterChannel")
        judge = unroll.judge
        if judge is None:
            raise ValueError(
                "the learner has no judge to cluster by: give the value learner a teacher, and let the critics of "
                'maddpg see "observations"'
            )
        discrete = jnp.issubdtype(episodes.action.dtype, jnp.integer)
        steps = _stretches(unroll, judge, episodes, discrete, self.stretches)
        most, alphabet = steps.views.shape[1], steps.logits.shape[-1]
        if self.contexts > most:
            raise ValueError(f"contexts is {self.contexts}: must be in 1 .. {most}, the steps of a batch in a stretch")
        rows = min(self.rows or max(48, 2 * alphabet * (self.neighbours + 1)), most)

        def of_stretch(steps: _Steps) -> tuple[jax.Array, dict[str, jax.Array]]:
            agents = jnp.arange(steps.views.shape[1])
            return jax.vmap(lambda sender: self._of_sender(sender, steps, judge, discrete, rows))(agents)

        losses, metrics = jax.vmap(of_stretch)(steps)  # [stretches, N]
        weight = steps.counts.sum(1) / jnp.maximum(steps.counts.sum(), 1)
        return (weight * losses).sum(), jax.tree.map(lambda x: (weight * x).sum(), metrics)

    def _of_sender(
        self, sender: jax.Array, steps: _Steps, judge: Judge, discrete: bool, rows: int
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        num_agents, num_actions = steps.action.shape[1:]
        is_sender = (jnp.arange(num_agents) == sender)[:, None]
        real = jnp.take(steps.counts, sender, 1)
        row, frequency = with_frequency(jnp.take(steps.views, sender, 1), rows, real)
        around = [steps.views] if discrete else [steps.views, steps.action]
        others = jnp.concatenate([jnp.where(is_sender, 0.0, x).reshape(len(real), -1) for x in around], -1)
        context, _ = with_frequency(others, self.contexts, real)

        def worth(own: tuple, other: tuple) -> jax.Array:
            (view, action, may), (views, actions, allowed) = own, other
            views = jnp.where(is_sender, view, views)
            allowed = jnp.where(is_sender, may, allowed)
            if not discrete:
                return judge.worth(views, jnp.where(is_sender, action, actions))
            if judge.best is not None:
                return judge.worth(views, _alternatives(judge.best(views, allowed), allowed, sender))
            choices = jnp.eye(num_actions)[:, None, None]  # the sender does what is best then
            joint = jnp.where(is_sender, choices, _alternatives(actions, allowed, sender))
            return jnp.where(allowed[sender][:, None], judge.worth(views, joint), -jnp.inf).max(0)

        what = (steps.views, steps.action, steps.allowed)
        values = action_value_matrix(worth, tuple(x[row] for x in what), tuple(x[context] for x in what))
        values = jnp.where(frequency[:, None] > 0, values, 0.0)  # who may do nothing has no best action
        vectors = action_value_vectors(
            values,
            self.normalisation or ("advantage" if discrete else "range"),
            self.activation,
            num_actions if discrete else None,
        )
        return clustering_loss(
            jnp.take(steps.logits, sender, 1)[row],
            vectors,
            neighbours=self.neighbours,
            information_weight=self.information_weight,
            entropy_weight=self.entropy_weight,
            pull=self.pull,
            labels=self.labels,
            frequency=frequency,
        )


def teacher_loss(unroll: Unroll, episodes: Episodes, hparams: Any) -> tuple[jax.Array, dict[str, jax.Array]]:
    """The temporal-difference loss of the learner's teacher.

    Raises:
      ValueError: the learner has none.
    """
    if unroll.taught is None:
        raise ValueError("the learner has no teacher to teach")
    return temporal_difference_loss(unroll._replace(**unroll.taught._asdict()), episodes, hparams)


def _stretches(
    unroll: Unroll | ActorCriticUnroll, judge: Judge, episodes: Episodes, discrete: bool, most: int
) -> _Steps:
    """The batch's steps, [stretches, R, ...], of each stretch at most `MOST_STEPS`, in an order of chance."""
    batch, length = episodes.valid.shape
    together = -(-length // most)
    counts = episodes.alive[:, :length] & episodes.valid[..., None]
    steps = _Steps(
        views=episodes.agents_view[:, :length],
        action=judge.action if discrete else episodes.action,
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
        return x[:, order[:MOST_STEPS]]

    return jax.tree.map(cut, steps)


def _alternatives(action: jax.Array, allowed: jax.Array, sender: jax.Array) -> jax.Array:
    """[N, A] -> [(N - 1) A, N, A]: with each action of each agent but the sender, where it is allowed."""
    n, num_actions = action.shape
    changed = (sender + 1 + jnp.arange(n - 1)) % n
    at_agent = jax.nn.one_hot(changed, n, dtype=bool)[:, None, :, None]  # [N - 1, 1, N, 1]
    to_action = jnp.eye(num_actions)[:, None, :]  # [A, 1, A]
    may = allowed[changed][:, :, None, None]  # [N - 1, A, 1, 1]
    return jnp.where(at_agent & may, to_action, action).reshape(-1, n, num_actions)
