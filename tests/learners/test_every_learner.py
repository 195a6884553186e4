"""What holds for every kind of learner, with and without memory, for discrete and continuous actions."""

from __future__ import annotations

import functools
import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from toy_env import ContinuousToy, Toy

import marlcomm as mc
from marlcomm.learners import playing_key
from marlcomm.messages import Delay, MeanChannel, Noise
from marlcomm.messages.edit_schedules import RandomCut
from marlcomm.names import ALGORITHMS, LEARNERS
from marlcomm.training.checkpoint import Checkpoints

ENVS, STEPS, LIMITED = 6, 5, 45
WELL, SICK, LIMIT, TWIN = range(4)
KEY = jax.random.PRNGKey(2)
SIZES = {"hidden": 4, "num_envs": ENVS, "batch_episodes": ENVS, "replay_episodes": 2 * ENVS, "batch_steps": 30,
         "replay_steps": 60, "update_interval": 30, "target_interval": 0, "target_rate": 0.25}  # fmt: skip
CASES = {
    "value": ("ndq", Toy, {}),
    "value, no memory": ("qmix", Toy, {"agent": "feed-forward"}),
    "on-policy": ("ic3net", Toy, {}),
    "on-policy, no memory": ("mappo", Toy, {"agent": "feed-forward"}),
    "actor-critic, continuous": ("maddpg", ContinuousToy, {}),
    "actor-critic, discrete, with memory": ("commnet_maddpg", Toy, {"recurrent": True}),
}


def test_every_learner_has_a_case():
    assert {ALGORITHMS.group(name) for name, *_ in CASES.values()} == {LEARNERS.get(name).title for name in LEARNERS}


def make(case: str, *task: int, **settings: Any) -> mc.Algorithm:
    name, make_task, own = CASES[case]
    env = make_task(*task)
    known = mc.algorithm_settings(name)
    given = {**{key: value for key, value in SIZES.items() if key in known}, **own, **settings}
    if given.get("agent") == "feed-forward":
        inputs = env.observation_size + env.num_agents
        channel = MeanChannel(dims=2, num_agents=env.num_agents, num_actions=env.num_actions, input_size=inputs)
        given["agent"] = mc.FeedForwardAgent(channel, env.num_actions, 4, layers=1)
    return mc.make_algorithm(name, env, **given)


class Case:
    """An algorithm, its state, episodes that it played, and its compiled `learn`."""

    def __init__(self, name: str) -> None:
        self.algorithm = make(name)
        self.learn = jax.jit(self.algorithm.learn)

        @jax.jit
        def start(key):
            state = self.algorithm.init(key)
            edit = self.algorithm.learner.edit(state)
            return state, *self.algorithm.play(state.params, playing_key(state), exploration=1.0, edit=edit)[:2]

        self.state, self.episodes, self.decisions = start(KEY)


class Members:
    """Four members after each of some steps: one well, one that meets a NaN, one with a limit, a twin of the first."""

    def __init__(self, name: str) -> None:
        self.algorithm = make(name)
        keys = jnp.stack([jax.random.PRNGKey(seed) for seed in (0, 1, 2, 0)])
        self.limits = jnp.array([10_000, 10_000, LIMITED, 10_000])
        self.step = jax.jit(jax.vmap(self.algorithm.step))
        start = jax.tree.map(np.asarray, jax.jit(jax.vmap(self.algorithm.init))(keys))
        # numbers without weak types, as in a state that is read back, so that `step` is compiled once for both
        self.states, self.metrics = [jax.tree.map(jnp.asarray, start)], []
        for t in range(STEPS):
            before = self.states[-1]
            if t == 2:
                discount = before.hparams.discount.at[SICK].set(jnp.nan)
                before = before.replace(hparams=before.hparams.replace(discount=discount))
            state, metrics = self.step(before, self.limits)
            self.states.append(state)
            self.metrics.append(metrics)


make_case, make_members = functools.cache(Case), functools.cache(Members)


@pytest.fixture(params=CASES)
def case(request):
    return make_case(request.param)


@pytest.fixture(params=CASES)
def members(request):
    return make_members(request.param)


def member(tree, index):
    return jax.tree.map(lambda x: np.asarray(x[index]), tree)


def equal(one, other):
    """Whether two pytrees hold the same bits."""
    pairs = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    return all(np.asarray(a).tobytes() == np.asarray(b).tobytes() for a, b in pairs)


def same(one, other):
    jax.tree.map(np.testing.assert_array_equal, one, other)


def after_end(episodes, junk):
    """The same episodes with `junk` wherever the task's own end or a time limit lies before."""
    episodes = jax.tree.map(np.array, episodes)
    for b, valid in enumerate(episodes.valid):
        length = int(valid.sum())
        for name in ("agents_view", "global_state"):
            seen_last = 0 if episodes.terminal[b, length - 1] else 1  # a cut episode is bootstrapped from there
            getattr(episodes, name)[b, length + seen_last :] = junk
        episodes.reward[b, length:] = junk
        episodes.action[b, length:] = 99
        episodes.terminal[b, length:] = True
    return episodes


@pytest.mark.parametrize("junk", [np.nan, np.inf])
def test_what_a_task_gives_after_its_end_teaches_nothing(case, junk):
    spoilt = after_end(case.episodes, junk)
    assert not np.isfinite(spoilt.reward).all()
    expected, metrics = case.learn(case.state, case.episodes, case.decisions)
    learned, found = case.learn(case.state, spoilt, case.decisions)
    assert bool(learned.healthy)
    assert int(learned.updates) > 0
    same(learned.params, expected.params)
    same(found, metrics)


def test_a_reward_that_is_not_a_number_freezes_what_is_learned(case):
    spoilt = case.episodes._replace(reward=jnp.full_like(case.episodes.reward, jnp.nan))
    learned, metrics = case.learn(case.state, spoilt, case.decisions)
    assert not bool(learned.healthy)
    assert not np.isfinite(metrics["loss"])
    same(learned.params, case.state.params)
    same(learned.optimizer, case.state.optimizer)
    same(learned.without_replay().extra, case.state.without_replay().extra)


def test_a_step_that_would_store_what_is_not_finite_is_not_taken(case):
    """Loss and gradient of the first step are sound; the rate makes the parameters infinite."""
    state = case.state.replace(hparams=case.state.hparams.replace(learning_rate=jnp.float32(jnp.inf)))
    learned, _ = case.learn(state, case.episodes, case.decisions)
    assert not bool(learned.healthy)
    assert int(learned.updates) == 0
    same(learned.params, state.params)
    same(learned.optimizer, state.optimizer)


def overflowing(hparams):
    """Moves nothing, and remembers more than a number can hold."""
    return optax.GradientTransformation(
        lambda params: jnp.float32(1e38),
        lambda gradient, state, params=None: (jax.tree.map(jnp.zeros_like, gradient), state * 10),
    )


ONE_OF_EACH = ["value", "on-policy", "actor-critic, continuous"]


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_what_the_optimizer_remembers_counts_too(name):
    algorithm, case = make(name, optimizer=overflowing), make_case(name)
    memory = jax.tree.map(lambda x: jnp.full(x.shape, 1e38), jax.eval_shape(algorithm.init, KEY).optimizer)
    state = case.state.replace(optimizer=memory)
    learned, _ = jax.jit(algorithm.learn)(state, case.episodes, case.decisions)
    assert not bool(learned.healthy)
    assert int(learned.updates) == 0
    same(learned.optimizer, state.optimizer)


def test_clipping_at_zero_is_none(case):
    def with_clip(clip, **weights):
        hparams = case.state.hparams
        hparams = hparams.replace(gradient_clip=jnp.float32(clip), weights={**hparams.weights, **weights})
        return case.learn(case.state.replace(hparams=hparams), case.episodes, case.decisions)[0]

    same(with_clip(0.0).params, with_clip(np.inf).params)
    nothing = with_clip(0.0, **{name: jnp.float32(0.0) for name in case.state.hparams.weights})
    assert bool(nothing.healthy), "a gradient of zero has no direction"
    same(nothing.params, case.state.params)


def test_episodes_of_other_shapes_or_types_are_refused_and_named(case):
    learn = functools.partial(jax.eval_shape, case.algorithm.learn, case.state)
    fewer = jax.tree.map(lambda x: x[1:], case.episodes)
    with pytest.raises(ValueError, match=rf"agents_view has shape \({ENVS - 1}, .*must be \({ENVS}, .*num_envs"):
        learn(fewer, case.decisions)
    with pytest.raises(ValueError, match=r"reward has shape .* must be"):
        learn(case.episodes._replace(reward=case.episodes.reward[..., 0]), case.decisions)
    with pytest.raises(ValueError, match=r"alive is of type float32: must be bool"):
        learn(case.episodes._replace(alive=case.episodes.alive.astype(jnp.float32)), case.decisions)


def test_a_loss_that_is_no_scalar_with_metrics_or_reads_what_nobody_reports_is_named(case):
    def refused(loss, why):
        algorithm = case.algorithm.with_loss("mine", loss, 1.0)
        state = jax.eval_shape(algorithm.init, KEY)
        with pytest.raises(ValueError, match=why):
            jax.eval_shape(algorithm.learn, state, case.episodes, case.decisions)

    refused(lambda unroll, episodes, hparams: unroll.value.mean(), "the loss 'mine' gives")
    refused(lambda unroll, episodes, hparams: (unroll.value, {}), "the loss 'mine' gives")
    word = "the loss 'mine' finds no 'word': the channel reports [a-z]+"
    refused(lambda unroll, episodes, hparams: (unroll.auxiliary["word"].mean(), {}), word)


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_a_loss_without_a_weight_is_named(name):
    with pytest.raises(ValueError, match="'mine' has no weight"):
        make(name, losses={"mine": lambda unroll, episodes, hparams: (0.0, {})})


@pytest.mark.parametrize("name", [*ONE_OF_EACH, "rgmcomm", "rgmcomm_qmix"])
def test_training_runs_where_jax_computes_in_64_bits(name):
    """The state comes back as it went in, so that steps can be scanned; parameters are of 32 bits either way."""
    with jax.enable_x64(True):
        algorithm = make(name) if name in CASES else mc.make_algorithm(name, Toy(), hidden=4, num_envs=ENVS)
        state = jax.eval_shape(algorithm.init, jax.random.PRNGKey(0))
        after, _ = jax.eval_shape(algorithm.step, state, 100)
        assert [x.dtype for x in jax.tree.leaves(after)] == [x.dtype for x in jax.tree.leaves(state)]
        assert {x.dtype for x in jax.tree.leaves(state.params)} == {jnp.dtype("float32")}


def test_a_member_learns_at_every_step_and_counts_what_it_played(members):
    each = members.algorithm.learner.updates_per_step
    for t, (before, after) in enumerate(itertools.pairwise(members.states)):
        assert int(after.updates[WELL]) == (t + 1) * each
        assert not equal(member(before.params, WELL), member(after.params, WELL))
        assert not equal(member(before.key, WELL), member(after.key, WELL))
        assert int(after.episodes[WELL]) - int(before.episodes[WELL]) == ENVS
        played = int(after.env_steps[WELL]) - int(before.env_steps[WELL])
        np.testing.assert_allclose(members.metrics[t]["episode_length"][WELL], played / ENVS, rtol=1e-6)
        assert np.isfinite(members.metrics[t]["loss"][WELL])


def test_the_same_key_gives_the_same_bits_and_another_key_others(members):
    for state in members.states:
        assert equal(member(state, WELL), member(state, TWIN))
        assert not equal(member(state.params, WELL), member(state.params, LIMIT))


def test_a_nan_freezes_its_member_as_it_was_and_the_others_go_on(members):
    assert [bool(state.healthy[SICK]) for state in members.states] == [True] * 3 + [False] * 3
    before, failed = member(members.states[2], SICK), member(members.states[3], SICK)
    assert equal((failed.params, failed.optimizer, failed.updates), (before.params, before.optimizer, before.updates))
    assert equal(failed.without_replay().extra, before.without_replay().extra)
    for state in members.states[4:]:
        assert equal(member(state, SICK).without_replay(), failed.without_replay())
    assert all(bool(members.states[-1].healthy[m]) for m in (WELL, LIMIT, TWIN))


def test_a_member_that_has_taken_its_steps_no_longer_changes_but_for_replay_beyond_its_pointers(members):
    steps = [int(state.env_steps[LIMIT]) for state in members.states]
    reached = next(t for t, count in enumerate(steps) if count >= LIMITED)
    assert 0 < reached < STEPS
    kept = [member(state, LIMIT) for state in members.states[reached:]]
    for state in kept[1:]:
        assert equal(state.without_replay(), kept[0].without_replay())
        if state.replay is not None:
            assert equal(state.replay.replace(experience=None), kept[0].replay.replace(experience=None))


def test_a_run_that_is_read_back_goes_on_with_the_same_bits(members, tmp_path):
    checkpoints = Checkpoints(tmp_path / "checkpoints")
    checkpoints.save(3, members.states[3], {})
    template = jax.eval_shape(lambda: members.states[3])
    _, saved, _ = checkpoints.restore(template)
    state = jax.tree.map(jnp.asarray, saved)
    for t in range(3, STEPS):
        state, _ = members.step(state, members.limits)
        assert equal(state, members.states[t + 1])


def test_target_networks_follow_softly_after_every_gradient_step(members):
    if members.states[0].target_params is None:
        pytest.skip("learns without target networks")
    assert members.algorithm.learner.updates_per_step == 1
    for before, after in itertools.pairwise(members.states):
        old, new, params = (member(x, WELL) for x in (before.target_params, after.target_params, after.params))
        wanted = jax.tree.map(lambda p, t: 0.25 * p + 0.75 * t, params, old)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), wanted, new)


def test_episodes_of_agents_that_are_not_alive_can_be_learned_from(case):
    nobody = case.episodes._replace(alive=jnp.zeros_like(case.episodes.alive))
    learned, metrics = case.learn(case.state, nobody, case.decisions)
    assert bool(learned.healthy)
    assert int(learned.updates) > 0
    assert all(np.isfinite(value).all() for value in metrics.values())
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(learned.params))


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if "no memory" in name else ()) for name in CASES]
)
def test_one_agent_with_one_action_trains(name):
    """And one agent with several, or several agents with one, can be compiled."""
    for task in ((1, 4), (3, 1)):
        algorithm = make(name, *task)
        jax.eval_shape(algorithm.step, jax.eval_shape(algorithm.init, KEY))
    algorithm = make(name, 1, 1)
    learned, metrics = jax.jit(lambda key: algorithm.step(algorithm.init(key)))(KEY)
    assert bool(learned.healthy)
    assert int(learned.updates) > 0
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((learned.params, metrics)))


@pytest.mark.parametrize("name", ["value", "on-policy", "actor-critic, discrete, with memory"])
def test_every_learner_takes_delays_edits_and_schedules_in_training(name):
    cut = RandomCut(start=1.0, largest=1.0, nothing=0.0)
    algorithm = make(name, training_edit=[Delay(1), Noise(0.1), cut], **({"paper": True} if name == "value" else {}))
    state = jax.jit(algorithm.init)(KEY)
    assert set(state.hparams.training_edit) == {"share", "start"}
    assert {"training_edit.share", "training_edit.start"} <= set(algorithm.hparam_names())
    assert algorithm.with_hparams(**{"training_edit.share": 0.5}).hparams.training_edit["share"] == 0.5
    with pytest.raises(ValueError, match=r"share is 1\.5"):
        algorithm.with_hparams(**{"training_edit.share": 1.5})
    step = jax.jit(algorithm.step)
    thresholds = []
    for _ in range(3):
        state, _ = step(state, jnp.float32(1e6))
        thresholds.append(float(jax.tree.leaves(state.extra["edit"])[0]))
    assert bool(state.healthy)
    assert thresholds[-1] > 0.0, "something is cut"
