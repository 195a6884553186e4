"""What the learner makes of whole episodes, against loops over the networks' outputs."""

import functools
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from toy_env import ACTIONS, AGENTS, HORIZON, Toy

from marlcomm.algorithms import iql, ndq
from marlcomm.messages import GaussianChannel
from marlcomm.networks import MonotonicMixer, QTRANMixer
from marlcomm.types import ActionValues

BATCH = 12
KEY = jax.random.PRNGKey(5)
QUIET = GaussianChannel(sigma=0.0, dims=1, hidden=4, posterior_width=1)
SIZES = {"hidden": 4, "num_envs": BATCH, "batch_episodes": BATCH, "replay_episodes": BATCH}
MAKERS: dict[str, Any] = {
    "iql": functools.partial(iql, last_action=True),
    "qtran": functools.partial(ndq, channel=QUIET, mixer=QTRANMixer(hidden=4, alternative=True)),
    "ndq": functools.partial(ndq, channel=QUIET, mixer=MonotonicMixer(embedding=4), last_action=True),
}


class Case:
    """An algorithm with random networks, and episodes of its own."""

    def __init__(self, name):
        self.algorithm = MAKERS[name](Toy(), **SIZES)
        self.learner = self.algorithm.learner
        shapes = jax.eval_shape(self.algorithm.init, KEY)
        rng = np.random.default_rng(0)
        draw = functools.partial(jax.tree.map, lambda x: jnp.asarray(rng.normal(size=x.shape), jnp.float32))
        self.params, self.target_params = draw(shapes.params), draw(shapes.target_params)
        self.hparams = self.algorithm.hparams.replace(discount=0.9)
        play = jax.jit(lambda params, key: self.algorithm.play(params, key, exploration=0.5))
        self.episodes, self.decision, self.states = play(self.params, KEY)
        self._unroll = jax.jit(self.learner.unroll)

    def unroll(self, params=None, target_params=None, episodes=None):
        return self._unroll(
            params or self.params, target_params or self.target_params, episodes or self.episodes, self.hparams, KEY
        )


make_case = functools.cache(Case)


@pytest.fixture(params=["iql", "ndq"])
def case(request):
    return make_case(request.param)


def test_acting_and_learning_see_the_same_values(case):
    """Inputs, ids, last actions, memory and messages: what was acted on is what is learned on."""
    unroll = case.unroll()
    assert np.std(unroll.q) > 0.1
    np.testing.assert_allclose(unroll.q[:, :HORIZON], case.decision.scores, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(
        unroll.messages.content[:, :HORIZON], case.decision.messages.content, rtol=1e-3, atol=1e-4
    )


def test_target_values_are_the_target_networks(case):
    unroll, swapped = case.unroll(), case.unroll(case.target_params, case.params)
    assert not np.allclose(unroll.q, unroll.target_q)
    np.testing.assert_allclose(swapped.q, unroll.target_q, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(swapped.target_q, unroll.q, rtol=1e-3, atol=1e-4)


def test_value_target_and_weight_by_loop(case):
    """Double Q: the online network picks among allowed actions, the target network says what that is worth."""
    unroll = jax.tree.map(np.asarray, case.unroll())
    episodes = jax.tree.map(np.asarray, case.episodes)
    script = jax.tree.map(lambda x: np.asarray(x)[:, 0], case.states)
    team, mixer = case.algorithm.name != "iql", jax.jit(case.learner.mixer.apply)
    differed = {"online": 0, "masked": 0}
    for b in range(BATCH):
        for t in range(script.length[b]):
            taken, following = [], []
            for i in range(AGENTS):
                taken.append(unroll.q[b, t, i, episodes.action[b, t, i]])
                allowed = [a for a in range(ACTIONS) if script.mask[b, t + 1, i, a]]
                best = max(allowed, key=lambda a: unroll.q[b, t + 1, i, a])
                following.append(unroll.target_q[b, t + 1, i, best])
                differed["online"] += following[-1] < max(unroll.target_q[b, t + 1, i, allowed])
                differed["masked"] += best != np.argmax(unroll.q[b, t + 1, i])
            value = mixer(case.params["mixer"], np.stack(taken), script.world[b, t])
            bootstrap = mixer(case.target_params["mixer"], np.stack(following), script.world[b, t + 1])
            over = t == script.length[b] - 1 and not script.truncated[b]
            reward = [sum(script.reward[b, t]) / AGENTS] if team else script.reward[b, t]
            target = np.asarray(reward) + (0.0 if over else 0.9) * np.asarray(bootstrap)
            np.testing.assert_allclose(unroll.value[b, t], value, rtol=1e-3, atol=1e-4)
            np.testing.assert_allclose(unroll.target[b, t], target, rtol=1e-3, atol=1e-4)
    assert min(differed.values()) > 0, "these episodes cannot tell double Q or masks from their absence"


def test_with_lambda_a_target_mixes_its_own_next_value_with_what_follows(case):
    """From the last real step back; the one-step targets are those of the test above."""
    learner = replace(case.learner, config=replace(case.learner.config, td_lambda=0.6))
    found = jax.jit(learner.unroll)(case.params, case.target_params, case.episodes, case.hparams, KEY).target
    one_step, script = case.unroll().target, jax.tree.map(lambda x: np.asarray(x)[:, 0], case.states)
    reward = np.asarray(case.episodes.reward)
    reward = reward.mean(-1, keepdims=True) if case.algorithm.name != "iql" else reward
    for b in range(BATCH):
        later = one_step[b, script.length[b] - 1]
        np.testing.assert_allclose(found[b, script.length[b] - 1], later, rtol=1e-3, atol=1e-4)
        for t in reversed(range(script.length[b] - 1)):
            later = 0.4 * one_step[b, t] + 0.6 * (reward[b, t] + 0.9 * later)
            np.testing.assert_allclose(found[b, t], later, rtol=1e-3, atol=1e-4)
    assert not np.allclose(found, one_step)


def test_a_mixer_that_reads_actions_is_given_all_of_them():
    """QTRAN's joint value: of what was done, and in the target that of the online network's greedy joint action."""
    case = make_case("qtran")
    unroll, episodes = case.unroll(), case.episodes
    mask, state, steps = episodes.action_mask, episodes.global_state, slice(0, -1)
    apply = jax.jit(case.learner.mixer.apply)
    done = ActionValues(unroll.q[:, steps], mask[:, steps], episodes.action)
    value, mixing = apply(case.params["mixer"], done, state[:, steps])
    np.testing.assert_allclose(unroll.value, value, rtol=1e-4, atol=1e-4)
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-4), dict(unroll.mixing), mixing)
    best = jnp.argmax(jnp.where(mask, unroll.q, -jnp.inf), -1)[:, 1:]
    then = ActionValues(unroll.target_q[:, 1:], mask[:, 1:], best)
    following, _ = apply(case.target_params["mixer"], then, state[:, 1:])
    bootstrap = jnp.where(episodes.terminal[..., None], 0.0, 0.9 * following)
    target = episodes.reward.mean(-1, keepdims=True) + bootstrap
    np.testing.assert_allclose(unroll.target, target, rtol=1e-4, atol=1e-4)


def test_weight_is_one_at_real_steps_of_independent_learners_for_the_dead_too(case):
    """Their values are bootstrapped from, so they must be taught."""
    unroll = case.unroll()
    script = jax.tree.map(lambda x: np.asarray(x)[:, 0], case.states)
    assert unroll.weight.shape == unroll.value.shape
    for b in range(BATCH):
        np.testing.assert_array_equal(unroll.weight[b, : script.length[b]], 1)
        np.testing.assert_array_equal(unroll.weight[b, script.length[b] :], 0)
    assert not script.alive[np.arange(BATCH), script.length - 1].all(), "somebody is dead at a real step"
    assert 0 < unroll.weight.mean() < 1


def constant_networks(case, value):
    """Networks that say `value` for every action, whatever they see."""
    params = jax.tree.map(jnp.zeros_like, case.params)
    params["agent"]["params"]["head"]["bias"] = jnp.full((ACTIONS,), value)
    return params


def test_jaxmarl_bug_the_terminal_mask_is_not_shifted():
    """Peer code masks by the flag of a neighboring step: the first step is lost, or the last one bootstraps.

    Networks are constant, so every number is known: every value is 2, and 5 in the target network.
    """
    case = make_case("iql")
    lengths, ends = [1, 3, 3, HORIZON] * 3, [True, True, False, False] * 3
    valid = jnp.arange(HORIZON) < jnp.array(lengths)[:, None]
    last = jnp.arange(HORIZON) == jnp.array(lengths)[:, None] - 1
    rewards = jnp.array([1.0, 2.0, 4.0, 8.0, 16.0])
    episodes = case.episodes._replace(
        valid=valid,
        terminal=last & jnp.array(ends)[:, None],
        reward=jnp.broadcast_to(rewards[:, None], case.episodes.reward.shape),
        alive=jnp.ones_like(case.episodes.alive),
    )
    unroll = case.unroll(constant_networks(case, 2.0), constant_networks(case, 5.0), episodes)
    bootstrap = 0.9 * 5.0
    known = [
        [1.0],
        [1.0 + bootstrap, 2.0 + bootstrap, 4.0],
        [1.0 + bootstrap, 2.0 + bootstrap, 4.0 + bootstrap],
        [r + bootstrap for r in (1.0, 2.0, 4.0, 8.0, 16.0)],
    ]
    for b, targets in enumerate(known):
        count = len(targets)
        for i in range(AGENTS):
            np.testing.assert_allclose(unroll.value[b, :count, i], 2.0, rtol=1e-6)
            np.testing.assert_allclose(unroll.target[b, :count, i], targets, rtol=1e-6)
            np.testing.assert_array_equal(unroll.weight[b, :, i], [1.0] * count + [0.0] * (HORIZON - count))
    errors = [2.0 - target for targets in known for target in targets]
    loss, _ = case.learner.losses["temporal_difference"](
        unroll, episodes, case.hparams.replace(overestimate_weight=1.0)
    )
    np.testing.assert_allclose(loss, sum(e**2 for e in errors) / len(errors), rtol=1e-6)


def test_no_gradient_passes_into_the_target():
    case = make_case("ndq")

    def total(params, target_params):
        unroll = case.learner.unroll(params, target_params, case.episodes, case.hparams, KEY)
        return unroll.target.sum() + unroll.target_q.sum()

    for gradient in jax.jit(jax.grad(total, (0, 1)))(case.params, case.target_params):
        assert not any(np.any(leaf) for leaf in jax.tree.leaves(gradient))
