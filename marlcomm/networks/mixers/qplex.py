"""Duplex dueling value factorization (QPLEX)."""

from __future__ import annotations

from typing import ClassVar

import jax
import jax.numpy as jnp
from flax import linen as nn

from marlcomm.networks.layers import MLP, check_positive, one_each
from marlcomm.types import ActionValues

_POSITIVE = 1e-10  # keeps weights above 0, as released


class QPLEXMixer(nn.Module):
    """Duplex dueling value factorization (QPLEX, Wang et al. 2021, section 3.2): all that greedy agents maximize.

    An agent's values Q_i are transformed by the state, and split into value and advantage::

      Q_i(s, a) = w_i(s) Q_i(a) + b_i(s)      V_i(s) = max_a Q_i(s, a)      A_i(s, a) = Q_i(s, a) - V_i(s)

    with w_i > 0 and the maximum over what is allowed. The team's value weighs the advantages by attention::

      Q(s, a) = sum_i V_i(s) + sum_i lambda_i(s, a) A_i(s, a_i)
      lambda_i(s, a) = sum_heads |key(s)| sigmoid(agent_i(s)) sigmoid(action_i(s, a))

    As lambda_i > 0 and A_i <= 0, no joint action is worth more than that of greedy agents.

    Attributes:
      hidden: width of the hidden layers.
      heads: attention heads of lambda (published: 4 on StarCraft, 10 on matrix games).
      attention_layers: layers of the networks in lambda (published: 1 on StarCraft, 3 on matrix games).
      detach: whether the agents learn as from a sum of the transformed values, and lambda from what that sum does not
        explain (released), or by the gradient of the formula (the paper's text). The value is the same.
    """

    hidden: int = 64
    heads: int = 4
    attention_layers: int = 1
    detach: bool = True
    team: bool = True

    reads_actions: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_positive(self, "hidden", "heads", "attention_layers")
        super().__post_init__()

    @nn.compact
    def __call__(self, values: ActionValues, state: jax.Array) -> tuple[jax.Array, dict[str, jax.Array]]:
        """See `ActionValues`; [..., S] -> [..., 1], and `lambda` [..., N]."""
        n, actions = values.q.shape[-2:]
        scale = jnp.abs(MLP((self.hidden, n), name="scale")(state)) + _POSITIVE
        shift = MLP((self.hidden, n), name="shift")(state)
        chosen = scale * values.chosen + shift
        advantage = chosen - (scale * values.greedy.chosen + shift)
        done = jax.nn.one_hot(values.action, actions, dtype=state.dtype)
        weight = self._attention(state, jnp.concatenate([state, done.reshape(*done.shape[:-2], -1)], -1), n)
        if self.detach:
            advantage = jax.lax.stop_gradient(advantage)
        total = chosen.sum(-1) + ((weight - 1.0) * advantage).sum(-1)
        return total[..., None], {"lambda": weight}

    def _attention(self, state: jax.Array, state_and_action: jax.Array, num_agents: int) -> jax.Array:
        """[..., N] lambda, above 0."""

        def head_each(name: str, x: jax.Array, features: int) -> jax.Array:
            """[..., F] -> [..., heads, features]."""
            rows = jnp.broadcast_to(x[..., None, :], (*x.shape[:-1], self.heads, x.shape[-1]))
            return one_each(MLP, self.heads)((*(self.hidden,) * (self.attention_layers - 1), features), name=name)(rows)

        key = jnp.abs(head_each("key", state, 1)) + _POSITIVE
        agent = jax.nn.sigmoid(head_each("agent", state, num_agents))
        action = jax.nn.sigmoid(head_each("action", state_and_action, num_agents))
        return (key * agent * action).sum(-2)
