"""Builds an algorithm of the value learner from a channel, a mixer and losses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marlcomm.algorithms.algorithm import Algorithm, assemble, static_and_traced
from marlcomm.algorithms.arguments import check_losses, check_module, checked
from marlcomm.algorithms.optimizers import Optimizer, as_function, torch_rmsprop
from marlcomm.algorithms.team import communicating_agent
from marlcomm.envs.api import Environment
from marlcomm.learners.joint_critic import JointCriticPart
from marlcomm.learners.update import Loss
from marlcomm.learners.value import ValueConfig, ValueHParams, ValueLearner
from marlcomm.losses import temporal_difference_loss
from marlcomm.messages import Channel, Edit

# Where our defaults differ from the published ones, and why (measured in experiments/RESULTS.md):
# exploration that ends before values are fitted leaves sensor at "nobody needs to scan" on half of the seeds.
# early on, values that lean towards the best outcome seen keep the other half from being half wrong (15 on all seeds).
# a learning rate that falls late keeps the last evaluation from being a matter of luck.
IMPROVED: Mapping[str, Any] = {"exploration_steps": 150_000, "learning_rate_decay_to": 0.1, "overestimate_weight": 0.5}


@checked
def value_based(
    name: str,
    env: Environment,
    *,
    mixer: Any,
    channel: Channel | None = None,
    agent: Any = None,
    joint_critic: Any = None,
    hidden: int = 64,
    delay: int = 0,
    bandwidth: int = 0,
    losses: Mapping[str, Loss] | None = None,
    weights: Mapping[str, float] | None = None,
    optimizer: Optimizer = torch_rmsprop,
    training_edit: Edit | None = None,
    aliases: Mapping[str, str] | None = None,
    paper: bool = False,
    **settings: Any,
) -> Algorithm:
    """An algorithm of the value learner: this combination is all that IQL, VDN, QMIX and NDQ differ by.

    Args:
      name: what to call it.
      env: the task.
      mixer: a flax module [..., N], [..., S] -> [..., G]; its field `team` says whether G is 1 or N.
      channel: how agents talk; silent by default. Sizes are filled in here.
      agent: a flax module with the methods of `CommunicatingAgent`, in place of it and of `channel`.
      joint_critic: a flax module such as `JointCritic` that judges joint actions for the losses; none by default.
      hidden: H of the default agent.
      delay: steps that messages are under way (see `Channel`).
      bandwidth: entries that an agent may send at a step (see `Channel`); 0 for no cap.
      losses: further losses by name, beside `temporal_difference`.
      weights: their weights.
      optimizer: an optax transformation, or a function from hyper-parameters to one.
      training_edit: what happens to messages in training.
      aliases: short names of hyper-parameters.
      paper: take the published value of everything that is not given, instead of `IMPROVED`.
      **settings: fields of `ValueConfig` and of `ValueHParams`.

    Raises:
      ValueError: a setting that does not exist, or a value out of its range.
    """
    settings = settings if paper else {**IMPROVED, **settings}
    static, traced = static_and_traced(settings, ValueConfig)
    for part, module in {"mixer": mixer, "agent": agent, "joint_critic": joint_critic}.items():
        check_module(part, module)
    if agent is None:
        agent = communicating_agent(env, static, channel, hidden, delay, bandwidth)
    losses, weights = check_losses(
        {"temporal_difference": temporal_difference_loss, **(losses or {})},
        {"temporal_difference": 1.0, **(weights or {})},
    )
    learner = ValueLearner(
        task=env.task_spec,
        agent=agent,
        mixer=mixer,
        losses=losses,
        optimizer=as_function(optimizer),
        config=static,
        training_edit=training_edit,
        parts={} if joint_critic is None else {"joint_critic": JointCriticPart(joint_critic)},
    )
    return assemble(name, env, learner, ValueHParams(weights=weights), traced, aliases or {})
