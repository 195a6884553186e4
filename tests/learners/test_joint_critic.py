"""How a joint critic learns, against a numpy computation; and that labels and joint critics disturb nobody else."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from marlcomm.algorithms import rgmcomm, rgmcomm_qmix
from marlcomm.envs.registry import make_env
from marlcomm.learners.joint_critic import evaluate_joint_critic
from marlcomm.losses import LabelLoss
from marlcomm.messages import SilentChannel
from marlcomm.networks import JointCritic
from marlcomm.types import Episodes

KEY = jax.random.PRNGKey(4)
BATCH, STEPS, AGENTS, ACTIONS = 5, 4, 2, 3
DISCOUNT = 0.9


@pytest.fixture(scope="module")
def taught():
    """Random episodes, a joint_critic's online and target parameters, and what comes of them."""
    rng = np.random.default_rng(0)
    mask = rng.random((BATCH, STEPS + 1, AGENTS, ACTIONS)) < 0.6
    mask[..., 0] = True
    episodes = Episodes(
        agents_view=rng.normal(size=(BATCH, STEPS + 1, AGENTS, 2)).astype(np.float32),
        action_mask=mask,
        global_state=np.zeros((BATCH, STEPS + 1, 1), np.float32),
        alive=np.ones((BATCH, STEPS + 1, AGENTS), bool),
        action=rng.integers(ACTIONS, size=(BATCH, STEPS, AGENTS)),
        reward=rng.normal(size=(BATCH, STEPS, AGENTS)).astype(np.float32),
        terminal=rng.random((BATCH, STEPS)) < 0.3,
        valid=rng.random((BATCH, STEPS)) < 0.7,
        won=np.zeros(BATCH, bool),
    )
    joint_critic = JointCritic(AGENTS, ACTIONS, hidden=8)
    joint = np.eye(ACTIONS, dtype=np.float32)[
        np.stack(np.meshgrid(*[np.arange(ACTIONS)] * AGENTS, indexing="ij"), -1).reshape(-1, AGENTS)
    ]  # [9, N, A]

    @jax.jit
    def compute(episodes):
        views = episodes.agents_view
        params = [joint_critic.init(key, views, jnp.zeros((BATCH, STEPS + 1, AGENTS, ACTIONS))) for key in keys]
        worth = [joint_critic.apply(p, views[:, :, None], joint) for p in params]
        utilities = [joint_critic.apply(p, views, method="utilities") for p in params]
        output, joint_q = evaluate_joint_critic(joint_critic, *params, episodes, DISCOUNT)
        return worth, utilities, output, joint_q.action, joint_q.value(views[:, :-1], joint_q.action)

    keys = jax.random.split(KEY)
    return episodes, joint, *jax.device_get(compute(jax.tree.map(jnp.asarray, episodes)))


def test_double_q_learning_of_the_whole_team(taught):
    episodes, joint, (online, target), utilities, found, *_ = taught
    best = np.where(episodes.action_mask, utilities[0], -np.inf).argmax(-1)
    for b, t in np.ndindex(BATCH, STEPS):
        done = _number_of(joint, episodes.action[b, t])
        later = target[b, t + 1, _number_of(joint, best[b, t + 1])]
        expected = episodes.reward[b, t].mean() + DISCOUNT * (1 - episodes.terminal[b, t]) * later
        np.testing.assert_allclose(found.value[b, t, 0], online[b, t, done], rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(found.target[b, t, 0], expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(found.weight[..., 0], episodes.valid)


def test_the_joint_q_is_the_target_joint_critic_at_the_best_joint_action_that_is_allowed(taught):
    """Its value does not decrease in any utility, so each agent's best is the team's."""
    episodes, joint, (_, target), _, _, action, worth = taught
    for b, t in np.ndindex(BATCH, STEPS):
        allowed = [all(episodes.action_mask[b, t][row.astype(bool)]) for row in joint]
        np.testing.assert_allclose(worth[b, t], target[b, t][allowed].max(), rtol=1e-5, atol=1e-6)
        assert allowed[_number_of(joint, action[b, t].argmax(-1))]


@pytest.mark.parametrize("make", [pytest.param(rgmcomm, marks=pytest.mark.slow), rgmcomm_qmix])
def test_labels_are_taught_by_their_loss_alone_and_a_joint_critic_by_its_own(make):
    sizes = {"batch_steps": 48} if make is rgmcomm else {"batch_episodes": 16, "replay_episodes": 16}
    algorithm = make(make_env("maze"), vocab_size=2, hidden=8, num_envs=16, **sizes)
    learner, hparams = algorithm.learner, algorithm.hparams

    @jax.jit
    def gradients():
        params = learner.init(KEY, hparams).params
        episodes, *_ = algorithm.play(params, KEY, exploration=1.0)

        def each(params):
            unroll = learner.unroll(params, params, episodes, hparams, KEY)
            return {name: loss(unroll, episodes, hparams)[0] for name, loss in learner.losses.items()}

        return jax.jacrev(each)(params)

    for name, gradient in gradients().items():
        channel = gradient["agent"]["params"].pop("channel")
        reached = {part: any(map(np.any, jax.tree.leaves(of))) for part, of in {**gradient, "channel": channel}.items()}
        assert reached["channel"] == (name == "labels")
        assert reached.get("joint_critic", False) == (name == "joint_critic")
        if name in ("labels", "joint_critic"):
            assert sum(reached.values()) == 1, f"{name} teaches {reached}"


def test_settings_that_exclude_labels_are_named():
    env = make_env("maze")
    with pytest.raises(ValueError, match='critics_see must be "observations"'):
        rgmcomm(env, critics_see="state")
    with pytest.raises(ValueError, match="vocab_size is 1"):
        rgmcomm_qmix(env, vocab_size=1)
    for make in (rgmcomm, rgmcomm_qmix):
        with pytest.raises(ValueError, match="optimizer is a part of RGMComm: set learning_rate and message_rate"):
            make(env, optimizer="rmsprop")
        with pytest.raises(ValueError, match="channel is a part of RGMComm: set vocab_size"):
            make(env, channel=SilentChannel())


def test_losses_of_ones_own_come_on_top():
    mine = LabelLoss(rows=20)
    learner = rgmcomm_qmix(make_env("maze"), losses={"mine": zero, "labels": mine}, weights={"mine": 2.0}).learner
    assert {"mine", "labels", "joint_critic"} <= set(learner.losses)
    assert learner.losses["labels"] is mine


def zero(unroll, episodes, hparams):
    return jnp.float32(0.0), {}


def _number_of(joint, action):
    return int(np.flatnonzero((joint.argmax(-1) == action).all(-1))[0])
