"""The off-policy actor-critic learner: its targets, what its gradient reaches, how it explores, and that it learns."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_env import ACTIONS, AGENTS, HORIZON, ContinuousToy, Toy

from marlcomm.algorithms import maddpg, make_algorithm, vdn
from marlcomm.envs import Environment, FullObservation, Observation, make_env, restart, timestep
from marlcomm.messages import AttentionChannel, MeanChannel, MemoryChannel

KEY = jax.random.PRNGKey(8)
BATCH, HIDDEN = 8, 4
LOSSES = ("actor", "critic", "saturation")


SMALL: dict[str, Any] = {"hidden": HIDDEN, "layers": 1, "num_envs": BATCH, "replay_steps": 160, "batch_steps": 20}
VARIANTS: dict[str, Any] = {
    "continuous": (ContinuousToy, {"channel": MeanChannel(dims=2, hidden=4)}),
    "discrete": (Toy, {"channel": AttentionChannel(signature=2, value=2, hidden=4), "recurrent": True}),
}


class Case:
    """A small MADDPG that talks, episodes of it, and all its losses with all their gradients in one program."""

    def __init__(self, env, options):
        self.algorithm = maddpg(env(), **SMALL, **options)
        self.learner: Any = self.algorithm.learner
        self.hparams = self.algorithm.hparams
        self.params = tuple(random_params(self.algorithm, seed) for seed in (0, 1))  # online, target
        play = jax.jit(lambda params: self.algorithm.play(params, KEY, exploration=0.5)[0])
        self.episodes = play(self.params[0])

        @jax.jit
        def losses(params, episodes, hparams):
            def each(params):
                unroll = self.learner.unroll(*params, episodes, hparams, KEY)
                found = [self.learner.losses[name](unroll, episodes, hparams)[0] for name in LOSSES]
                return jnp.stack(found), unroll

            gradients, unroll = jax.jacrev(each, has_aux=True)(params)
            return each(params)[0], gradients, unroll

        self._losses = losses

    def losses(self, params, episodes, **changes):
        return self._losses(params, episodes, jax.tree.map(jnp.float32, self.hparams.replace(**changes)))


def random_params(algorithm, seed=0):
    rng = np.random.default_rng(seed)
    shapes = jax.eval_shape(algorithm.init, KEY).params
    return jax.tree.map(lambda x: jnp.asarray(0.7 * rng.normal(size=x.shape), jnp.float32), shapes)


@pytest.fixture(scope="module")
def quiet():
    """Nothing is drawn: the actions are numbers, and the channel says what it means."""
    return Case(*VARIANTS["continuous"])


@pytest.fixture(scope="module", params=VARIANTS)
def case(request):
    return request.getfixturevalue("quiet") if request.param == "continuous" else Case(*VARIANTS[request.param])


@pytest.fixture(scope="module")
def next_value(quiet):
    """[B, T, N] what the target critics say of what the target actors do, asked for their actions one by one."""
    episodes, target = quiet.episodes, quiet.params[1]
    later = {name: getattr(episodes, name)[:, 1:] for name in ("agents_view", "action_mask", "global_state", "alive")}
    seen = Observation(**later, step_count=jnp.zeros(episodes.valid.shape, jnp.int32))
    memory = quiet.learner.initial_memory(*episodes.valid.shape)
    action, _, _ = jax.jit(quiet.algorithm.act)(target, seen, memory, KEY)
    action = np.asarray(action) * np.asarray(later["alive"])[..., None]
    rows = np.broadcast_to(action[:, :, None], (*action.shape[:2], AGENTS, *action.shape[2:]))
    return np.asarray(jax.jit(quiet.learner.critic.apply)(target["critic"], later["global_state"], rows))


@settings(max_examples=10, deadline=None)
@given(discount=st.floats(0.0, 1.0), team_share=st.floats(0.0, 1.0))
def test_targets_are_those_of_a_loop(quiet, next_value, discount, team_share):
    episodes = jax.tree.map(np.asarray, quiet.episodes)
    unroll = quiet.losses(quiet.params, episodes, discount=discount, team_share=team_share)[2]
    wanted, ends = np.zeros(episodes.reward.shape), {"terminal": 0, "truncated": 0}
    for b, t, n in np.ndindex(wanted.shape):
        wanted[b, t, n] = (1 - team_share) * episodes.reward[b, t, n] + team_share * episodes.reward[b, t].mean()
        if not episodes.terminal[b, t]:
            wanted[b, t, n] += discount * next_value[b, t, n]
        if episodes.valid[b, t] and (t + 1 == HORIZON or not episodes.valid[b, t + 1]):
            ends["terminal" if episodes.terminal[b, t] else "truncated"] += 1
    np.testing.assert_allclose(unroll.target, wanted, rtol=1e-4, atol=1e-4)
    assert all(ends.values()), ends


REACHES = {  # module -> the losses that teach it
    "actor": {"actor", "saturation"},
    "channel": {"actor", "saturation"},
    "critic": {"critic"},
    "target": set(),
}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("module", REACHES)
def test_gradient_reaches_what_it_should_and_nothing_else(case, module, loss):
    online, target = case.losses(case.params, case.episodes)[1]
    agent = dict(online["agent"]["params"])
    modules = {"channel": agent.pop("channel"), "actor": agent, "critic": online["critic"], "target": target}
    reached = [bool(np.any(leaf[LOSSES.index(loss)])) for leaf in jax.tree.leaves(modules[module])]
    if module == "channel":  # one-round channels have a layer for further rounds, which nothing teaches
        assert any(reached) == (loss in REACHES[module])
    else:
        assert set(reached) == {loss in REACHES[module]}


def test_an_actor_answers_for_its_own_action_alone(case):
    """Each agent's critic, of its own action as it would be and of the others' as they were.

    Where actions are discrete: the mean over what it might choose, or as published what it drew.
    """
    _, _, unroll = case.losses(case.params, case.episodes)
    learner, episodes = case.learner, case.episodes
    alive = np.asarray(episodes.alive)[:, :HORIZON, :, None]
    done = learner.actions.seen(episodes.action) * alive

    def worth(n, own):
        joint = jnp.where(jnp.arange(AGENTS)[:, None] == n, own, done)
        rows = jnp.broadcast_to(joint[..., None, :, :], (*joint.shape[:-1], AGENTS, ACTIONS))
        return learner.critic.apply(case.params[0]["critic"], episodes.global_state[:, :HORIZON], rows)[..., n]

    odds = np.exp(np.asarray(unroll.outputs, float)) * np.asarray(episodes.action_mask)[:, :HORIZON]
    chance = odds / odds.sum(-1, keepdims=True)
    drawn = np.array(_as_published(case).policy_value)
    for n in range(AGENTS):
        expected = as_drawn = worth(n, unroll.action)
        if not case.learner.task.continuous:
            expected = sum(chance[:, :, n, a] * worth(n, np.eye(ACTIONS)[a]) for a in range(ACTIONS))
        counts = alive[:, :, n, 0]
        np.testing.assert_allclose(unroll.policy_value[..., n][counts], expected[counts], rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(drawn[..., n][counts], as_drawn[counts], rtol=1e-4, atol=1e-5)


def _as_published(case):
    learner = dataclasses.replace(
        case.learner, config=dataclasses.replace(case.learner.config, discrete_gradient="drawn")
    )
    return jax.jit(lambda *params: learner.unroll(*params, case.episodes, case.hparams, KEY))(*case.params)


def scramble_after_end(episodes, seed):
    """Other contents after the last real step; what follows a limit is the bootstrap's, and stays."""
    rng = np.random.default_rng(seed)
    episodes = jax.tree.map(np.array, episodes)
    for b, valid in enumerate(episodes.valid):
        end = valid.sum()
        seen = end if episodes.terminal[b, end - 1] else end + 1
        for name, start in (("agents_view", seen), ("global_state", seen), ("reward", end)):
            rest = getattr(episodes, name)[b, start:]
            rest[...] = 100 * rng.normal(size=rest.shape)
        for name, start in (("action_mask", seen), ("alive", seen), ("terminal", end)):
            rest = getattr(episodes, name)[b, start:]
            rest[...] = rng.random(rest.shape) < 0.5
        rest = episodes.action[b, end:]
        rest[...] = rng.integers(0, 2, rest.shape)
    return episodes


@pytest.mark.parametrize("seed", range(3))
def test_nothing_after_the_end_changes_any_loss_or_gradient(case, seed):
    losses, gradients, _ = case.losses(case.params, case.episodes)
    changed = scramble_after_end(case.episodes, seed)
    assert not np.array_equal(changed.agents_view, case.episodes.agents_view)
    losses_then, gradients_then, _ = case.losses(case.params, changed)
    np.testing.assert_allclose(losses_then, losses, rtol=1e-5)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5), gradients_then, gradients)
    at_first = case.episodes._replace(reward=case.episodes.reward + 1.0)
    assert case.losses(case.params, at_first)[0][1] != losses[1], "what is before the end does change the losses"


def test_gradient_steps_follow_from_environment_steps():
    for interval, updates in ((1, 40), (3, 13), (40, 1), (1000, 1)):
        learner: Any = maddpg(Toy(), **SMALL, update_interval=interval).learner
        assert learner.updates_per_step == updates


@pytest.mark.parametrize(
    ("options", "remembers"),
    [
        ({}, False),
        ({"channel": MeanChannel()}, False),
        ({"recurrent": True}, True),
        ({"last_action": True}, True),
        ({"channel": MeanChannel(delay=1)}, True),
    ],
)
def test_agents_that_remember_are_known(options, remembers):
    learner: Any = maddpg(Toy(), **SMALL, **options).learner
    assert learner.remembers == remembers


class Whisper(Environment):
    """One step; agent 1 sees a number in -1 .. 1, and agent 0, which sees nothing, should give its half.

    The reward is minus the squared error; silent teams get -1/12 at best, the variance of a uniform half, talking 0.
    """

    num_agents, num_actions, observation_size, state_size, horizon, continuous = 2, 1, 1, 1, 1, True

    def reset(self, key):
        secret = jax.random.uniform(key, (), minval=-1.0, maxval=1.0)
        return (secret, jnp.int32(0)), restart(self._look(secret, 0))

    def step(self, state, action):
        secret, _ = state
        reward = -((action[0, 0] - secret / 2) ** 2)
        return (secret, jnp.int32(1)), timestep(self._look(secret, 1), reward, terminal=jnp.bool_(True))

    def _look(self, secret, count):
        return self.observe(jnp.stack([jnp.zeros(1), secret[None]]), secret[None], jnp.int32(count))


@pytest.mark.slow
def test_a_listener_learns_to_do_what_only_the_speaker_sees():
    """With messages and without, against the closed-form optima."""
    found = {}
    for name, channel in (("talks", MeanChannel(dims=1, hidden=16)), ("silent", "silent")):
        algorithm = maddpg(
            Whisper(), channel=channel, hidden=32, layers=1, num_envs=32, batch_steps=128, replay_steps=20_000,
            exploration_steps=10_000, learning_rate=3e-3, critic_learning_rate=3e-3, update_interval=8,
        )  # fmt: skip

        @jax.jit
        def train(key, algorithm=algorithm):
            state = algorithm.init(key)
            state, _ = jax.lax.scan(lambda s, _: algorithm.step(s, 32_000.0), state, None, length=1000)
            played, _, _ = algorithm.play(state.params, key, num_envs=2000)
            return played.reward[..., 0].mean()

        found[name] = float(train(KEY))
    assert found["talks"] > -0.003
    assert -0.1 < found["silent"] < -0.078


@pytest.mark.slow
def test_choices_are_learned_too_in_silence_and_with_messages():
    """Figure 1 of RGMComm: 33.325 at best in silence, 38.05 with one bit; every context counts alike."""
    found = {}
    for name, channel in (("talks", MeanChannel(dims=4, hidden=16)), ("silent", "silent")):
        algorithm = maddpg(
            make_env("matrix_game"), channel=channel, hidden=32, layers=1, num_envs=32, batch_steps=128,
            replay_steps=20_000, exploration_steps=10_000, learning_rate=3e-3, critic_learning_rate=1e-2,
            update_interval=8,
        )  # fmt: skip

        @jax.jit
        def train(key, algorithm=algorithm):
            state = algorithm.init(key)
            state, _ = jax.lax.scan(lambda s, _: algorithm.step(s, 32_000.0), state, None, length=1000)
            return algorithm.play(state.params, key, num_envs=500)[0]

        played = jax.tree.map(np.asarray, train(KEY))
        contexts = {seen.tobytes(): played.reward[b, 0, 0] for b, seen in enumerate(played.global_state[:, 0])}
        assert len(contexts) == 8
        found[name] = np.mean(list(contexts.values()))
    np.testing.assert_allclose(found["silent"], 33.325, rtol=1e-5)
    assert found["talks"] > 38.0


@pytest.mark.parametrize("name", ["maddpg", "commnet_maddpg", "ic3net_maddpg", "tarmac_maddpg", "sarnet_maddpg"])
def test_every_name_fits_together_with_the_published_settings(name):
    """Only shapes: `step` gives back a state like the one it took."""
    env = FullObservation(make_env("navigation", controls="pairs", steps=3))
    algorithm = make_algorithm(name, env, paper=True, hidden=HIDDEN, replay_steps=300)
    learner: Any = algorithm.learner
    assert learner.remembers == (name != "maddpg")
    assert learner.updates_per_step == 3
    state = jax.eval_shape(algorithm.init, KEY)
    after, metrics = jax.eval_shape(algorithm.step, state)
    assert jax.tree.map(lambda x: (x.shape, x.dtype), after) == jax.tree.map(lambda x: (x.shape, x.dtype), state)
    assert {"actor", "critic", "saturation", "return"} <= metrics.keys()


def test_what_cannot_be_is_named():
    for options, message in [
        ({"num_envs": 0}, "num_envs is 0"),
        ({"batch_steps": 300, "replay_steps": 200}, "replay_steps is 200"),
        ({"critics_see": "nothing"}, "critics_see is 'nothing'"),
        ({"noise": -1.0}, "noise is -1.0"),
        ({"layers": 0}, "layers=0"),
        ({"temperature": 0.0}, "temperature is 0.0"),
        ({"learning_rate": np.inf}, "learning_rate is inf: must be finite"),
        ({"saturation": np.inf}, "saturation is inf: must be finite"),
        ({"channel_rate": -1.0}, "channel_rate is -1.0"),
        ({"channel_rate": np.inf}, "channel_rate is inf: must be finite"),
        ({"channel": MemoryChannel()}, "MemoryChannel reads memory"),
        ({"recurrent": True, "separate_actors": True}, "separate_actors goes with recurrent=False"),
        ({"epsilon_begin": 1.0}, "'epsilon_begin'"),
    ]:
        with pytest.raises(ValueError, match=message):
            maddpg(Toy(), **options)
    with pytest.raises(ValueError, match=rf"the critic gives shape \(1,\): must be \({AGENTS},\)"):
        jax.eval_shape(maddpg(Toy(), critic=OneForAll()).init, KEY)
    with pytest.raises(ValueError, match="continuous=True: the value learner"):
        vdn(ContinuousToy())


class OneForAll(nn.Module):
    """A critic that gives one value instead of one an agent."""

    @nn.compact
    def __call__(self, seen, action):
        return nn.Dense(1)(seen)
