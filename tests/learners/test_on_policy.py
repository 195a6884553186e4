"""The on-policy learner: it acts again as it acted, and its gradient is that of the return, worked out exactly."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from toy_env import ACTIONS, AGENTS, HORIZON, Toy

from marlcomm.algorithms import build
from marlcomm.envs import Environment, restart, timestep
from marlcomm.learners import playing_key
from marlcomm.learners.schedules import progress_of
from marlcomm.learners.update import weighted_sum
from marlcomm.losses import When, gate_loss
from marlcomm.losses.policy import talk_loss
from marlcomm.messages import Channel, ChannelLoss, GaussianChannel, Noise, SilentChannel
from marlcomm.messages.channel import by_receiver, offer
from marlcomm.networks import CentralCritic

KEY = jax.random.PRNGKey(6)
BATCH = 8


def random_params(algorithm, seed=0):
    rng = np.random.default_rng(seed)
    shapes = jax.eval_shape(algorithm.init, KEY).params
    return jax.tree.map(lambda x: jnp.asarray(0.7 * rng.normal(size=x.shape), jnp.float32), shapes)


def loss_of(learner, params, state, episodes, decisions):
    """What a gradient step goes down on."""
    unroll = learner.unroll(params, state, episodes, decisions, KEY)
    return weighted_sum(learner.losses, unroll, episodes, state.hparams, When(jnp.int32(0), state.env_steps))[0]


class Acting:
    """Noisy messages, read from memory, blurred by an edit, on a task with masks, deaths and limits."""

    def __init__(self):
        channel = GaussianChannel(dims=2, hidden=4, posterior_width=1, reads_memory=True)
        self.algorithm = build(
            "on_policy", Toy(), channel=channel, hidden=4, num_envs=BATCH, last_action=True, training_edit=Noise(0.5)
        )
        self.state = jax.jit(self.algorithm.init)(KEY).replace(params=random_params(self.algorithm))
        edit = self.algorithm.learner.training_edit
        play = jax.jit(lambda params: self.algorithm.play(params, KEY, exploration=1.0, edit=edit))
        self.episodes, self.decisions, _ = play(self.state.params)
        self.unroll = jax.jit(self.algorithm.learner.unroll)
        self.act = jax.jit(self.algorithm.act)


@pytest.fixture(scope="module")
def acting():
    return Acting()


def test_learning_sees_what_acting_saw_noise_and_edit_included(acting):
    unroll = acting.unroll(acting.state.params, acting.state, acting.episodes, acting.decisions, KEY)
    said = acting.decisions.messages.content
    np.testing.assert_allclose(unroll.logits[:, :HORIZON], acting.decisions.scores, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(unroll.messages.content[:, :HORIZON], said, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(unroll.log_prob, unroll.old_log_prob, rtol=1e-3, atol=1e-4)
    other = acting.decisions._replace(key=acting.decisions.key + 1)
    unroll = acting.unroll(acting.state.params, acting.state, acting.episodes, other, KEY)
    assert not np.allclose(unroll.messages.content[:, :HORIZON], said, atol=0.1), "the keys decide the noise"


def test_weight_is_one_where_somebody_acted(acting):
    unroll = acting.unroll(acting.state.params, acting.state, acting.episodes, acting.decisions, KEY)
    lived = np.asarray(acting.episodes.valid)[..., None] & np.asarray(acting.episodes.alive)[:, :-1]
    np.testing.assert_array_equal(unroll.weight, lived.astype(np.float32))
    assert {0.0, 1.0} == set(np.unique(unroll.weight))


def test_nothing_after_the_end_changes_any_loss(acting):
    """Other contents after the last observation that counts: that after a limit does, as the critic looks at it."""
    learner, valid, terminal = acting.algorithm.learner, acting.episodes.valid, acting.episodes.terminal
    last = valid.sum(1) - terminal.any(1)
    assert len(set(np.asarray(last).tolist())) > 1

    def scramble(x, where):
        where = where[:, : x.shape[1]].reshape(*x.shape[:2], *[1] * (x.ndim - 2))
        return jnp.where(where, jnp.roll(x, 1, axis=0), x)

    def losses(where):
        parts = acting.episodes._asdict()
        kept = {name: parts.pop(name) for name in ("valid", "won")}
        episodes = acting.episodes._replace(**{name: scramble(x, where) for name, x in parts.items()}, **kept)
        unroll = acting.unroll(acting.state.params, acting.state, episodes, acting.decisions, KEY)
        return np.array([loss(unroll, episodes, acting.state.hparams)[0] for loss in learner.losses.values()])

    time = jnp.arange(HORIZON + 1)
    before, after, earlier = (losses(time > end[:, None]) for end in (last + HORIZON + 1, last, last - 1))
    np.testing.assert_allclose(after, before, rtol=1e-5)
    assert not np.allclose(earlier[:2], before[:2], rtol=1e-3), "what counts does change them"


def test_actions_are_drawn_from_the_policy_or_its_mode_and_always_allowed(acting):
    """The same observation 4000 times; messages differ by their noise, so each row has a policy of its own."""
    one = jax.tree.map(lambda x: x[:1, 0], acting.episodes._replace(won=acting.episodes.won[:, None]))
    mask = jnp.array([[[1, 1, 0, 1], [0, 1, 1, 0], [0, 0, 1, 0]]], bool)
    seen = acting.algorithm.env.observe(one.agents_view[0], one.global_state[0], jnp.int32(0), mask[0])
    seen = jax.tree.map(lambda x: jnp.broadcast_to(x, (4000, *x.shape)), seen)
    memory = acting.algorithm.learner.initial_memory(4000)
    for exploration in (0.0, 1.0):
        action, _, decision = acting.act(acting.state.params, seen, memory, KEY, exploration)
        assert np.all(np.take_along_axis(np.asarray(seen.action_mask), np.asarray(action)[..., None], -1))
        probability = np.asarray(jax.nn.softmax(decision.scores))
        if exploration == 0.0:
            np.testing.assert_array_equal(action, probability.argmax(-1))
        else:
            share = np.stack([(np.asarray(action) == a).mean(0) for a in range(ACTIONS)], 1)
            np.testing.assert_allclose(share, probability.mean(0), atol=0.03)
            assert share.shape == (AGENTS, ACTIONS)


class TwoState(NamedTuple):
    before: jax.Array  # [N] the last actions, -1 at first
    time: jax.Array


class TwoSteps(Environment[TwoState]):
    """Two agents, two steps, two actions; the joint reward depends on both steps. Nothing is random."""

    num_agents, num_actions, observation_size, state_size, horizon = 2, 2, 2, 2, 2
    reward = np.random.default_rng(0).normal(size=(3, 3, 2, 2)).astype(np.float32)  # before (none, 0, 1), now

    def reset(self, key):
        state = TwoState(jnp.full(2, -1), jnp.int32(0))
        return state, restart(self._look(state))

    def step(self, state, action):
        reward = jnp.asarray(self.reward)[state.before[0] + 1, state.before[1] + 1, action[0], action[1]]
        state = TwoState(action, state.time + 1)
        return state, timestep(self._look(state), reward, state.time >= 2)

    def _look(self, state):
        view = jnp.broadcast_to(state.before.astype(jnp.float32), (2, 2))
        return self.observe(view, view[0], state.time)


def every_episode(algorithm, params):
    """All 16 ways to play two steps, as episodes [16, ...] and the decisions behind them."""
    env, learner = algorithm.env, algorithm.learner
    plays = jnp.asarray(list(itertools.product((0, 1), repeat=4))).reshape(16, 2, 2)
    n = plays.shape[0]
    forced = iter([plays[:, 0], plays[:, 1]])
    state, first = jax.vmap(env.reset)(jax.random.split(KEY, n))
    seen, rewards, decided, memory = [first.observation], [], [], learner.initial_memory(n)
    for action in forced:
        _, memory, decision = learner.act(params, seen[-1], memory, KEY)
        memory = memory._replace(last_action=action)
        state, now = jax.vmap(env.step)(state, action)
        seen.append(now.observation)
        rewards.append(now.reward)
        decided.append(decision)
    observed, decisions = (jax.tree.map(lambda *x: jnp.stack(x, 1), *parts) for parts in (seen, decided))
    template, _, _ = algorithm.play(params, KEY, num_envs=n)
    names = ("agents_view", "action_mask", "global_state", "alive")
    episodes = template._replace(
        **{name: getattr(observed, name) for name in names},
        action=plays,
        reward=jnp.stack(rewards, 1),
        terminal=jnp.tile(jnp.array([False, True]), (n, 1)),
        valid=jnp.ones((n, 2), bool),
    )
    return episodes, decisions


def test_expected_gradient_is_that_of_the_return_whatever_the_critic_says():
    """The mean over all episodes, weighted by their probability, against the return's own gradient."""
    settings = {"gae_lambda": 1.0, "discount": 1.0, "entropy": 0.0, "value_weight": 0.0}
    algorithm = build(
        "on_policy", TwoSteps(), channel=SilentChannel(), critic=CentralCritic(4), hidden=4, num_envs=1, epochs=1,
        normalize_returns=False, **settings,
    )  # fmt: skip
    state = algorithm.init(KEY).replace(params=random_params(algorithm, 1))
    learner = algorithm.learner

    @jax.jit
    def both(params):
        episodes, decisions = every_episode(algorithm, params)

        def probability(params):
            unroll = learner.unroll(params, state, episodes, decisions, KEY)
            return jnp.exp(unroll.log_prob.sum((1, 2)))

        def expected_return(params):
            return (probability(params) * episodes.reward[..., 0].sum(1)).sum()

        def estimate(one):
            batch = jax.tree.map(lambda x: x[None], one)
            return jax.grad(loss_of, argnums=1)(learner, params, state, *batch)

        estimates = jax.vmap(estimate)((episodes, decisions))
        weight = probability(params)
        expected = jax.tree.map(lambda g: jnp.tensordot(weight, g, 1), estimates)
        return weight, jax.grad(expected_return)(params), expected

    weight, exact, expected = both(state.params)
    np.testing.assert_allclose(weight.sum(), 1.0, rtol=1e-5)
    assert any(np.abs(leaf).max() > 1e-2 for leaf in jax.tree.leaves(exact["agent"]))
    agent_steps = 2 * 2  # the loss is a mean over these
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(-agent_steps * b, a, rtol=1e-3, atol=2e-5),
        exact["agent"],
        expected["agent"],
    )


class Coin(Channel):
    """Each agent says 1 or nothing to all, as a gate drawn from a logit of its own decides; `forced` fixes gates."""

    forced: tuple[float, ...] | None = None

    def losses(self):
        return {"gate": ChannelLoss(gate_loss, needs="policy_gradient")}

    def setup(self):
        self.logit = self.param("logit", jax.nn.initializers.normal(1.0), (2,))

    def send(self, inputs, memory, key):
        logit = jnp.broadcast_to(self.logit, inputs.shape[:-1])
        gate = jax.random.bernoulli(key, jax.nn.sigmoid(logit)).astype(jnp.float32)
        gate = gate if self.forced is None else jnp.broadcast_to(jnp.array(self.forced), logit.shape)
        log_prob = gate * jax.nn.log_sigmoid(logit) + (1 - gate) * jax.nn.log_sigmoid(-logit)
        content = jnp.broadcast_to(gate[..., :, None, None], (*gate.shape, 2, 1))
        return offer(content), {"gate": gate, "gate_log_prob": log_prob}

    def receive(self, inputs, messages):
        return by_receiver(messages.content), {}


class OneStep(TwoSteps):
    """One step, at which the agents are paid for doing the same."""

    horizon = 1
    reward = np.broadcast_to(np.array([[2.0, -2.0], [-2.0, 2.0]], np.float32), (3, 3, 2, 2))

    def step(self, state, action):
        state, now = super().step(state, action)
        return state, timestep(now.observation, now.reward, jnp.bool_(True))


def test_gates_are_taught_by_their_score():
    """The mean gradient over many episodes against that of the return, summed over all gates and actions."""
    episodes, settings = 40_000, {"gae_lambda": 1.0, "discount": 1.0, "entropy": 0.0, "value_weight": 0.0}
    algorithm = build(
        "on_policy",
        OneStep(),
        channel=Coin(),
        hidden=4,
        num_envs=episodes,
        epochs=1,
        normalize_returns=False,
        **settings,
    )
    learner = algorithm.learner
    params = jax.tree.map(lambda x: 2.0 * x, random_params(algorithm, 6))
    state = algorithm.init(KEY).replace(params=params)

    def forced_act(gates, params, *arguments):
        channel = learner.agent.channel.clone(forced=gates, parent=None)
        return replace(learner, agent=learner.agent.clone(channel=channel)).act(params, *arguments)[2]

    def expected_return(params):
        seen = jax.tree.map(lambda x: x[None], algorithm.env.reset(KEY)[1].observation)
        total = 0.0
        for gates in itertools.product((0.0, 1.0), repeat=2):
            decision = forced_act(gates, params, seen, learner.initial_memory(1), KEY)
            chance = jnp.exp(decision.auxiliary["gate_log_prob"].sum())
            policy = jax.nn.softmax(decision.scores[0])
            total = total + chance * jnp.einsum("a,b,ab->", policy[0], policy[1], jnp.asarray(OneStep.reward[0, 0]))
        return total

    @jax.jit
    def both(params):
        played, decisions, _ = algorithm.play(params, KEY, exploration=1.0)
        found = jax.grad(loss_of, argnums=1)(learner, params, state, played, decisions)
        return jax.grad(expected_return)(params)["agent"], found["agent"], decisions.auxiliary["gate"]

    exact, found, gate = both(params)
    assert 0.1 < float(gate.mean()) < 0.95
    assert np.abs(exact["params"]["channel"]["logit"]).max() > 0.05
    agent_steps = 2  # the loss is a mean over these
    jax.tree.map(lambda a, b: np.testing.assert_allclose(-agent_steps * b, a, atol=0.03), exact, found)


@pytest.mark.parametrize(
    ("env_steps", "limit", "entropy", "talk"),
    [(0, 1000, 0.5, 0.0), (250, 1000, 0.3, 0.1), (500, 1000, 0.1, 0.2), (900, 1000, 0.1, 0.2), (900, np.inf, 0.5, 0.2)],
)
def test_talk_gets_dearer_as_the_entropy_falls_and_is_paid_in_full_without_a_limit(env_steps, limit, entropy, talk):
    talk_costs = {"losses": {"talk": talk_loss}, "weights": {"talk": 0.2}}
    algorithm = build("on_policy", Toy(), hidden=4, num_envs=BATCH, entropy_decay_to=0.2, **talk_costs)
    state = algorithm.init(KEY)
    state = state.replace(hparams=state.hparams.replace(weights={"entropy": 0.5, "talk": 0.2, "value": 0.7}))
    now = algorithm.learner.hparams_now(state, progress_of(jnp.int32(env_steps), limit))
    assert {name: float(weight) for name, weight in now.weights.items()} == pytest.approx(
        {"entropy": entropy, "talk": talk, "value": 0.7}
    )


def test_a_users_own_loss_counts_in_full_from_the_start_whatever_it_is_called():
    mine = build("on_policy", Toy(), hidden=4).with_loss("talk", lambda unroll, *_: (unroll.entropy.mean(), {}), 0.3)
    now = mine.learner.hparams_now(mine.init(KEY), progress_of(jnp.int32(0), 1000))
    assert float(now.weights["talk"]) == pytest.approx(0.3)


@pytest.fixture(scope="module")
def plain():
    """An algorithm without messages, its first state, and that after a step."""
    algorithm = build("on_policy", Toy(), hidden=4, num_envs=BATCH, epochs=2)
    start = jax.jit(algorithm.init)(KEY)
    return algorithm, start, jax.jit(algorithm.step)(start)


def test_the_first_gradient_step_of_a_row_is_on_the_policy_itself(plain):
    """Of two; the metrics are those of the second, at which it has moved a little."""
    _, start, (after, metrics) = plain
    assert int(after.updates) - int(start.updates) == 2
    np.testing.assert_allclose(metrics["policy/ratio"], 1.0, atol=0.1)


def test_scale_is_that_of_the_discounted_returns_seen(plain):
    algorithm, state, (after, _) = plain
    play = jax.jit(lambda params, key: algorithm.play(params, key, exploration=1.0)[0])
    episodes = jax.tree.map(np.asarray, play(state.params, playing_key(state)))
    found = []
    for b, valid in enumerate(episodes.valid):
        later = 0.0
        for t in reversed(range(valid.sum())):
            later = episodes.reward[b, t].mean() + 0.99 * later
            found.append(later)
    scale = after.extra["scale"]
    np.testing.assert_allclose(scale.mean, np.mean(found), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(np.sqrt(scale.variance()), np.std(found), rtol=1e-3)


def test_learning_without_decisions_is_refused(plain):
    algorithm, state, _ = plain
    episodes, *_ = jax.eval_shape(algorithm.play, state.params, KEY)
    with pytest.raises(ValueError, match="what stood behind the actions"):
        jax.eval_shape(algorithm.learn, state, episodes)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_envs": 0}, "num_envs is 0"),
        ({"epochs": 0}, "epochs is 0"),
        ({"gae_lambda": 1.5}, "gae_lambda is 1.5"),
        ({"team_share": -0.5}, "team_share is -0.5"),
        ({"exploration_start": 1.0}, "'exploration_start'"),
        ({"optimizer": "sgdd"}, "optimizer='sgdd'"),
        ({"hidden": 0}, "hidden is 0"),
    ],
)
def test_settings_out_of_range_or_unknown_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        build("on_policy", Toy(), **settings)
