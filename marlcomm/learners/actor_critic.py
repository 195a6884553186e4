"""The off-policy actor-critic learner: deterministic policy gradient with centralized critics, for any channel."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import optax

from marlcomm.learners.actions import ContinuousActions, DiscreteActions, actor_actions
from marlcomm.learners.actor_critic_config import ActorCriticConfig, ActorCriticHParams
from marlcomm.learners.episodes import shared_reward
from marlcomm.learners.joint_critic import for_each_critic, mean_of_critics
from marlcomm.learners.off_policy import OffPolicyLearner
from marlcomm.learners.replay import StepReplay
from marlcomm.learners.schedules import Progress, decayed
from marlcomm.learners.state import AgentMemory, LearnerState
from marlcomm.losses.temporal_difference import double_q_target
from marlcomm.messages.edits import Edit
from marlcomm.networks.layers import side_by_side
from marlcomm.types import ActorCriticUnroll, Episodes


@dataclass(frozen=True, kw_only=True)
class ActorCriticLearner(OffPolicyLearner):
    """MADDPG for communicating agents: actors climb what centralized critics say of their actions.

    An agent's action depends on what it hears, so the gradient of its critic passes through its action into the
    senders' side of the channel. All agents' actors, and then all critics, move at once.

    A learning batch is drawn from replay step by step, as published; agents that remember need what came before, and
    so learn from whole episodes. One gradient step is taken for every `update_interval` steps that are played.

    See `Learner` for the other attributes.

    Attributes:
      critic: a flax module [..., F] what critics see, [..., N, N, A] joint actions -> [..., N]; see `ActionCritic`.
      optimizer: one is made for the actors and one for the critics, which is given `critic_learning_rate` as
        `learning_rate`.
      config: what fixes shapes and branches.
    """

    critic: Any
    config: ActorCriticConfig

    TITLE: ClassVar[str] = "the actor-critic learner"
    CONTINUOUS: ClassVar[bool] = True

    @property
    def actions(self) -> ContinuousActions | DiscreteActions:
        """The actors' own, but for what explores: random actions, and noise or draws on the others."""
        return actor_actions(self.task, self.config.noise)

    @property
    def updates_per_step(self) -> int:
        """Gradient steps after every collection, at least 1."""
        return max(self.config.num_envs * self.task.horizon // self.config.update_interval, 1)

    @property
    def replay(self) -> StepReplay:
        """Steps, or whole episodes where agents remember."""
        c = self.config
        sizes = c.num_envs, c.batch_steps, c.replay_steps
        return StepReplay(self.task, *sizes, whole_episodes=self.remembers, precision=c.replay_precision)

    @property
    def remembers(self) -> bool:
        """Whether what an agent does depends on earlier steps."""
        memory = jax.eval_shape(lambda: self.agent.initial_memory(1, self.task.num_agents))
        return self.config.last_action or any(leaf.size for leaf in jax.tree.leaves(memory))

    def init_networks(self, key: jax.Array, memory: AgentMemory) -> dict[str, Any]:
        """The critics' parameters.

        Raises:
          ValueError: the critic does not give one value an agent.
        """
        n, task = self.task.num_agents, self.task
        seen = self._seen(jnp.zeros((n, task.observation_size)), jnp.zeros(task.state_size))
        worth, critic = self.critic.init_with_output(key, seen, jnp.zeros((n, n, task.num_actions)))
        if worth.shape != (n,):
            raise ValueError(f"the critic gives shape {worth.shape}: must be ({n},), a value for each agent")
        return {"critic": critic}

    def hparams_now(self, state: LearnerState, progress: Progress) -> Any:
        """Both learning rates follow the run."""
        h = super().hparams_now(state, progress)
        return h.replace(critic_learning_rate=decayed(h.critic_learning_rate, h.learning_rate_decay_to, progress))

    def optimizer_of(self, hparams: Any) -> optax.GradientTransformation:
        """The actors' and the critics'."""
        of_critics = hparams.replace(learning_rate=hparams.critic_learning_rate)
        each: dict[Hashable, Any] = {"agent": self.optimizer(hparams), "critic": self.optimizer(of_critics)}
        return optax.partition(each, {name: name for name in each})

    def unroll(
        self, params: Any, target_params: Any, batch: Episodes, hparams: Any, key: jax.Array, edit: Edit | None = None
    ) -> ActorCriticUnroll:
        """See `OffPolicyLearner`; whole episodes where agents remember, else parts of any length."""
        talk_key, draw_key, target_key = jax.random.split(key, 3)
        steps, actions = batch.valid.shape[1], self.actions
        mask, alive = batch.action_mask[:, :steps], batch.alive[:, :steps]
        outputs, messages, auxiliary = self.run_episodes(params, batch, talk_key, edit, slice(0, steps))
        action = _of_alive(actions.policy(outputs, mask, hparams.temperature, draw_key), alive)
        done = _of_alive(actions.seen(batch.action), alive)
        seen = self._seen(batch.agents_view, batch.global_state)
        next_value = self._next_value(target_params, batch, hparams, target_key, edit)
        joint_q = None  # where critics see the state: which one goes with views of different steps is not known
        if self.config.critics_see == "observations":
            joint_q = mean_of_critics(self.critic, target_params["critic"], side_by_side, action)
        return ActorCriticUnroll(
            outputs=outputs,
            action=action,
            value=self.critic.apply(params["critic"], seen[:, :steps], for_each_critic(done)),
            target=double_q_target(
                shared_reward(batch.reward, hparams.team_share), batch.terminal, next_value, hparams.discount
            ),
            policy_value=self._policy_value(params, seen[:, :steps], outputs, mask, action, done),
            weight=(batch.valid[..., None] & alive).astype(jnp.float32),
            messages=messages,
            auxiliary=auxiliary,
            joint_q=joint_q,
        )

    def _policy_value(
        self, params: Any, seen: jax.Array, outputs: jax.Array, mask: jax.Array, action: jax.Array, done: jax.Array
    ) -> jax.Array:
        """[B, T, N] each agent's critic, had it acted as it would and the others as they did."""
        frozen = jax.lax.stop_gradient(params["critic"])  # teaches the actors, and is not taught by them
        own = jnp.eye(self.task.num_agents, dtype=bool)[..., None]

        def worth(action: jax.Array) -> jax.Array:
            return self.critic.apply(frozen, seen, jnp.where(own, action[..., None, :, :], done[..., None, :, :]))

        if self.task.continuous or self.config.discrete_gradient == "drawn":
            return worth(action)
        choices = jnp.eye(self.task.num_actions, dtype=jnp.float32)
        each = jax.vmap(lambda choice: worth(jnp.broadcast_to(choice, done.shape)), out_axes=-1)(choices)
        return (each * jax.nn.softmax(self.actions.scores(outputs, mask))).sum(-1)

    def _next_value(
        self, target_params: Any, episodes: Episodes, hparams: ActorCriticHParams, key: jax.Array, edit: Edit | None
    ) -> jax.Array:
        """[B, T, N] the target critics of what the target actors would do at the next steps."""
        talk_key, draw_key = jax.random.split(key)
        start = slice(0 if self.remembers else 1, None)  # memory is made from the first step on
        outputs, *_ = self.run_episodes(target_params, episodes, talk_key, edit, start)
        mask, alive = episodes.action_mask[:, 1:], episodes.alive[:, 1:]
        outputs = outputs[:, -mask.shape[1] :]
        action = _of_alive(self.actions.policy(outputs, mask, hparams.temperature, draw_key), alive)
        seen = self._seen(episodes.agents_view, episodes.global_state)[:, 1:]
        return self.critic.apply(target_params["critic"], seen, for_each_critic(action))

    def _seen(self, agents_view: jax.Array, global_state: jax.Array) -> jax.Array:
        """[..., F] what critics read of [..., N, O] and [..., S]."""
        if self.config.critics_see == "state":
            return global_state
        return side_by_side(agents_view)


def _of_alive(action: jax.Array, alive: jax.Array) -> jax.Array:
    return jnp.where(alive[..., None], action, 0.0)
