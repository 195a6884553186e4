"""Value factorization by a learned transformation (QTRAN)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import jax
import jax.numpy as jnp
from flax import linen as nn

from marlcomm.losses.qtran import counterfactual_loss, nonoptimality_loss, optimality_loss
from marlcomm.networks.layers import MLP, check_positive
from marlcomm.types import ActionValues, BroughtLoss


class QTRANMixer(nn.Module):
    """Factorization by transformation (QTRAN, Son et al. 2019): any joint action value that greedy agents can follow.

    A network of its own, Q_jt(s, a), is trained by TD, with the greedy joint action of the agents in its target. It
    teaches the agents nothing: they learn by two losses, which make their sum plus V_jt(s) equal to Q_jt at their
    greedy joint action, and not smaller elsewhere (see `marlcomm.losses.qtran`). Then that joint action is the best of
    Q_jt (theorem 1).

    Q_jt reads state and actions; the paper's reads what the agents remember, too.

    It reports `utilities`, `joint` and `state_value` [...]: the sum of the agents' values of what is done, Q_jt of it,
    and V_jt; `greedy_utilities` and `greedy_joint` of the greedy joint action. With `alternative` also
    `other_utilities` and `other_joint` [..., N, A]: the same, had one agent done something else.

    Attributes:
      hidden: width of the hidden layers of Q_jt and V_jt.
      layers: number of these (PyMARL: 2).
      alternative: QTRAN-alt, whose second loss compares each agent's other actions, in place of QTRAN-base. Q_jt is
        asked about every one of them, where the paper has a network of its own for each agent's.
    """

    hidden: int = 64
    layers: int = 2
    alternative: bool = False
    team: bool = True

    reads_actions: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_positive(self, "hidden", "layers")
        super().__post_init__()

    @nn.nowrap
    def losses(self) -> Mapping[str, BroughtLoss]:
        """Those that teach the agents: L_opt and L_nopt, or L_nopt-min."""
        other = counterfactual_loss if self.alternative else nonoptimality_loss
        return {"optimality": BroughtLoss(optimality_loss), "nonoptimality": BroughtLoss(other)}

    def setup(self) -> None:
        widths = (*(self.hidden,) * self.layers, 1)
        self.joint_value, self.state_value = MLP(widths), MLP(widths)

    def __call__(self, values: ActionValues, state: jax.Array) -> tuple[jax.Array, dict[str, jax.Array]]:
        """See `ActionValues`; [..., S] -> [..., 1] Q_jt of what is done, and what the losses read."""
        joint = self._joint(state, values.action, values.q.shape[-1])
        greedy = values.greedy
        reported = {
            "utilities": values.chosen.sum(-1),
            "joint": joint,
            "state_value": self.state_value(state)[..., 0],
            "greedy_utilities": greedy.chosen.sum(-1),
            "greedy_joint": self._joint(state, greedy.action, values.q.shape[-1]),
        }
        return joint[..., None], reported | (self._of_others(values, state) if self.alternative else {})

    def _joint(self, state: jax.Array, action: jax.Array, num_actions: int) -> jax.Array:
        """[..., S], [..., N] int32 -> [...] Q_jt."""
        done = jax.nn.one_hot(action, num_actions, dtype=state.dtype)
        return self.joint_value(jnp.concatenate([state, done.reshape(*done.shape[:-2], -1)], -1))[..., 0]

    def _of_others(self, values: ActionValues, state: jax.Array) -> dict[str, jax.Array]:
        n, a = values.q.shape[-2:]
        changed = jnp.eye(n, dtype=bool)[:, None, :]  # [N, 1, N]: whose action is another, and whose stays
        action = jnp.where(changed, jnp.arange(a)[:, None], values.action[..., None, None, :])
        states = jnp.broadcast_to(state[..., None, None, :], (*action.shape[:-1], state.shape[-1]))
        own = values.chosen[..., None]
        return {
            "other_utilities": values.chosen.sum(-1)[..., None, None] - own + values.q,
            "other_joint": self._joint(states, action, a),
        }
