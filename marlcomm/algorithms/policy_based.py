"""Builds an algorithm of the on-policy learner from a channel, a critic and losses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marlcomm.algorithms.algorithm import Algorithm, assemble, static_and_traced
from marlcomm.algorithms.arguments import check_losses, check_module, checked
from marlcomm.algorithms.optimizers import Optimizer, as_function
from marlcomm.algorithms.team import communicating_agent
from marlcomm.envs.api import Environment
from marlcomm.learners.on_policy import OnPolicyConfig, OnPolicyHParams, OnPolicyLearner
from marlcomm.learners.update import Loss
from marlcomm.losses.policy import entropy_loss, gate_loss, policy_loss, talk_loss, value_loss
from marlcomm.messages import Channel, Edit
from marlcomm.networks import LocalCritic

# REINFORCE as the originals have it: one gradient step on whole returns, nothing normalized, no schedules. Ours takes
# several clipped steps (PPO), measures returns in units of their own deviation, and begins with much entropy: on sensor
# 3 of 3 seeds of the silent team then come to its best, 12.5; with an entropy of 0.2 or less, none (nobody scans).
# Teams that talk do better there with 0.8: seven of eight seeds come to 15 (commnet, tarmac), with 0.4, five of eight.
REINFORCE: Mapping[str, Any] = {
    "epochs": 1,
    "gae_lambda": 1.0,
    "normalize_returns": False,
    "learning_rate_decay_to": 1.0,
    "entropy_decay_to": 1.0,
    "gradient_clip": 1e9,
}


@checked
def policy_based(
    name: str,
    env: Environment,
    *,
    channel: Channel | None = None,
    agent: Any = None,
    critic: Any = None,
    hidden: int = 64,
    delay: int = 0,
    bandwidth: int = 0,
    entropy: float = 0.4,
    value_weight: float = 0.5,
    losses: Mapping[str, Loss] | None = None,
    weights: Mapping[str, float] | None = None,
    optimizer: Optimizer | str = "adam",
    training_edit: Edit | None = None,
    aliases: Mapping[str, str] | None = None,
    **settings: Any,
) -> Algorithm:
    """An algorithm of the on-policy learner: this combination is all that CommNet, IC3Net, TarMAC and MAPPO differ by.

    Args:
      name: what to call it.
      env: the task.
      channel: how agents talk; silent by default. Sizes are filled in here.
      agent: a flax module with the methods of `CommunicatingAgent`, in place of it and of `channel`.
      critic: a flax module [..., N, H] memories, [..., S] state -> [..., N] values; `LocalCritic` by default.
      hidden: H of the default agent.
      delay: steps that messages are under way (see `Channel`).
      bandwidth: entries that an agent may send at a step (see `Channel`); 0 for no cap.
      entropy: weight of the policy's entropy at the start; see `entropy_decay_to`.
      value_weight: weight of the critic's squared error.
      losses: further losses by name, beside `policy`, `value`, `entropy`, and `gate` and `talk` where gates are drawn;
        functions of a `PolicyUnroll`.
      weights: their weights.
      optimizer: "adam", "rmsprop", an optax transformation, or a function from hyper-parameters to one.
      training_edit: what happens to messages in training.
      aliases: short names of hyper-parameters.
      **settings: fields of `OnPolicyConfig` and of `OnPolicyHParams`.

    Raises:
      ValueError: a setting that does not exist, or a value out of its range.
    """
    static, traced = static_and_traced(settings, OnPolicyConfig)
    for part, module in {"agent": agent, "critic": critic}.items():
        check_module(part, module)
    if agent is None:
        agent = communicating_agent(env, static, channel, hidden, delay, bandwidth)
    own = {"policy": policy_loss, "value": value_loss, "entropy": entropy_loss}
    own_weights = {"policy": 1.0, "value": value_weight, "entropy": entropy}
    if getattr(channel, "sampled", False):  # gates that are drawn pass no gradient
        own |= {"gate": gate_loss, "talk": talk_loss}
        own_weights |= {"gate": 1.0, "talk": 0.0}
    losses, weights = check_losses({**own, **(losses or {})}, {**own_weights, **(weights or {})})
    learner = OnPolicyLearner(
        task=env.task_spec,
        agent=agent,
        critic=LocalCritic() if critic is None else critic,
        losses=losses,
        optimizer=as_function(optimizer),
        config=static,
        training_edit=training_edit,
    )
    names = {"entropy": "weights.entropy", "value_weight": "weights.value"}
    names |= {"talk_price": "weights.talk"} if "talk" in own else {}
    return assemble(name, env, learner, OnPolicyHParams(weights=weights), traced, {**names, **(aliases or {})})
