"""The bridge as a driver: teams act as they do elsewhere, and what failed leaves no trace."""

from __future__ import annotations

import functools
import signal
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hints import HORIZON
from pools import SOON, recipe_of

import marlcomm as mc
from marlcomm.bridge import player, wave
from marlcomm.bridge.driver import BridgeDriver
from marlcomm.bridge.pool import SimulatorsFailed
from marlcomm.bridge.task import BridgeTask
from marlcomm.learners.collect import episode_keys
from marlcomm.messages import RankCut
from marlcomm.training.drivers import PlayStopped
from marlcomm.training.interrupt import stop_between_chunks
from marlcomm.validation import UsageError

ENVS = 5


@pytest.fixture(scope="module")
def task():
    env = BridgeTask(recipe_of("Hints"), 2, SOON)
    yield env
    env.close()


@pytest.fixture(scope="module")
def algorithm(task):
    return mc.mappo(task, channel=mc.GaussianChannel(), hidden=4, num_envs=ENVS)


@pytest.fixture(scope="module")
def params(algorithm):
    return algorithm.init(jax.random.PRNGKey(0)).params


def play(algorithm, driver, params, episodes=ENVS, **options):
    options = {"exploration": 1.0, "training": True} | options
    return driver.play(algorithm, params, jax.random.PRNGKey(1), episodes, **options)


@pytest.fixture(scope="module")
def played(algorithm, task, params):
    return play(algorithm, task.driver, params)


def assert_equal(one, other):
    jax.tree.map(np.testing.assert_array_equal, one, other)


def test_episodes_are_what_happened(played):
    """Against the rules of the game, worked out here from what was seen and done."""
    episodes = jax.tree.map(np.asarray, played.episodes)
    target = episodes.agents_view[:, 0, 0, :-1].argmax(-1)
    hit = episodes.action[..., 1] == target[:, None]
    first = np.where(hit.any(1), hit.argmax(1), HORIZON)
    step = np.arange(HORIZON)
    np.testing.assert_array_equal(episodes.valid, step <= first[:, None])
    np.testing.assert_array_equal(episodes.terminal, step == first[:, None])
    np.testing.assert_array_equal(episodes.reward, np.repeat((step == first[:, None])[..., None], 2, -1))
    np.testing.assert_array_equal(episodes.won, first < HORIZON)
    seen = np.arange(HORIZON + 1) <= first[:, None] + 1
    np.testing.assert_allclose(episodes.agents_view[..., 1, -1], np.where(seen, np.arange(HORIZON + 1) / HORIZON, 0))
    np.testing.assert_array_equal(episodes.global_state, episodes.agents_view.reshape(ENVS, HORIZON + 1, -1))
    assert episodes.alive.all()
    assert episodes.action_mask.all()


def test_the_team_acts_as_if_all_had_acted_at_once(algorithm, params, played):
    """Two workers play five episodes in three turns; the decisions are those of one batch, with one key a step."""
    memory, (_, keys) = algorithm.learner.initial_memory(ENVS), episode_keys(jax.random.PRNGKey(1), HORIZON)
    episodes = played.episodes
    for t, key in enumerate(keys):
        seen = mc.Observation(
            jnp.asarray(episodes.agents_view[:, t]),
            jnp.asarray(episodes.action_mask[:, t]),
            jnp.asarray(episodes.global_state[:, t]),
            jnp.asarray(episodes.alive[:, t]),
            jnp.full(ENVS, t),
        )
        action, memory, decision = algorithm.act(params, seen, memory, key, 1.0, training=True)
        valid = np.asarray(episodes.valid[:, t])
        np.testing.assert_array_equal(np.asarray(action)[valid], episodes.action[valid, t])
        of_step = jax.tree.map(lambda x, t=t: x[:, t], played.decisions)
        np.testing.assert_array_equal(of_step.key, decision.key)
        np.testing.assert_allclose(of_step.scores[valid], decision.scores[valid], atol=1e-6)
        np.testing.assert_allclose(of_step.messages.content[valid], decision.messages.content[valid], atol=1e-6)


def test_the_number_of_workers_changes_nothing(algorithm, params, played, task):
    driver = BridgeDriver(task.recipe, task._spec, ENVS, SOON)
    assert_equal(play(algorithm, driver, params), played)
    driver.close()


@pytest.mark.parametrize("edit", [None, RankCut(0.5)])
def test_who_is_at_which_step_changes_nothing(algorithm, params, task, monkeypatch, edit):
    """However many waves the episodes are played in, but for an edit that looks across them: it gets them in one."""
    driver, sizes = BridgeDriver(task.recipe, task._spec, ENVS, SOON), []

    def counted(pool, playing, slots):
        sizes.append(len(slots))
        return wave.Wave(pool, playing, slots)

    monkeypatch.setattr(player, "Wave", counted)
    found = []
    for waves in (1, ENVS, ENVS):
        monkeypatch.setattr(player, "FEWEST_WAVES", waves)
        found.append(play(algorithm, driver, params, edit=edit))
    assert sizes == [5, 5, 5] if edit else [5] + [5] + [1] * 5
    assert_equal(found[1], found[0])
    assert_equal(found[2], found[0])
    driver.close()


def test_lost_episodes_leave_no_trace(algorithm, params, played, task, monkeypatch):
    """Whatever fails, what is learned from is what would have been without it."""
    monkeypatch.setattr(wave, "SAME_SEED", 1000)  # bad luck alone loses an episode five times in a row now and then
    recipe = recipe_of("Faulty", faults=["crash", "killed", "nan", "restart"], chance=0.1)
    driver = BridgeDriver(recipe, task._spec, 3, SOON)
    for _ in range(3):
        assert_equal(play(algorithm, driver, params), played)
    account = driver.pool(1).account
    assert account.lost
    assert account.delivered == 3 * ENVS
    assert account.begun == account.delivered + sum(account.lost.values())
    driver.close()


def test_an_episode_that_fails_every_time_is_drawn_anew_and_alone(algorithm, params, played, task, monkeypatch):
    """Which is counted, as what is learned from is then no longer what it would have been."""
    monkeypatch.setattr(wave, "SAME_SEED", 2)
    driver = BridgeDriver(recipe_of("Doomed"), task._spec, 3, SOON)
    found, account = play(algorithm, driver, params), driver.pool(1).account
    before, after = (each.episodes.agents_view[:, 0, 0, :-1].argmax(-1) for each in (played, found))
    doomed = before == 0
    assert doomed.any()
    assert after.all()
    assert_equal(*(jax.tree.map(lambda x: x[~doomed], each.episodes) for each in (found, played)))
    assert account.redrawn >= doomed.sum()
    assert dict(account.lost) == {"crash": 2 * account.redrawn}
    driver.close()


def test_more_episodes_than_workers_are_played_in_parts(algorithm, params, task):
    before = task.driver.pool(1).account.delivered
    played = play(algorithm, task.driver, params, 7, exploration=0.0, training=False)
    assert played.episodes.valid.shape == (7, HORIZON)
    assert played.decisions.scores.shape[:2] == (7, HORIZON)
    assert task.driver.pool(1).account.delivered == before + 7
    targets = played.episodes.agents_view[:, 0, 0, :-1].argmax(-1)
    assert len(set(targets.tolist())) > 1  # each part has seeds of its own


def test_a_run_that_is_to_stop_does_not_wait(algorithm, params, task):
    with stop_between_chunks(lambda text: None) as stopping:
        stopping.set()
        with pytest.raises(PlayStopped):
            play(algorithm, task.driver, params)
    again = play(algorithm, task.driver, params)
    assert len(again.episodes.won) == ENVS


@pytest.mark.slow
@pytest.mark.parametrize("make", [mc.qmix, mc.mappo, mc.maddpg])
def test_every_kind_of_learner_trains_and_is_asked_for_more(task, make, tmp_path):
    replay = {"batch_episodes": 4, "replay_episodes": 16}
    steps = {"batch_steps": 8, "replay_steps": 32, "update_interval": 1}
    more = {mc.qmix: replay, mc.mappo: {}, mc.maddpg: steps}[make]
    algorithm = make(task, hidden=4, num_envs=2, **more)
    result = mc.train(algorithm, steps=60, seeds=3, evaluations=1, evaluation_episodes=4, progress=False, out=tmp_path)
    assert all(member["healthy"] and member["updates"] for member in result.summary["members"])
    simulators = result.summary["simulators"]
    assert simulators["episodes"] == task.driver.pool(1).account.delivered
    assert set(simulators["time"]) == {"simulate", "infer", "transfer", "learn"}
    assert mc.evaluate(result, edits="silence", episodes=5)["return"].shape == (3,)
    assert mc.record_episodes(result, 4).episodes.valid.shape == (4, HORIZON)


@pytest.mark.slow
def test_with_a_lag_the_policy_of_one_training_step_before_plays(task):
    """Against a loop that plays and learns in turn, and keeps the state before the last."""
    env = BridgeTask(task.recipe, 2, SOON, policy_lag=1)
    algorithm = mc.vdn(env, hidden=4, num_envs=2, batch_episodes=2, replay_episodes=16)
    result = mc.train(algorithm, steps=24, evaluations=1, evaluation_episodes=2, progress=False)
    start = algorithm.init(jax.random.PRNGKey(0))
    state, before, steps = start, start.replace(key=start.extra["behind"]["key"]), 0
    while state.env_steps < 24:
        how = algorithm.begin_step(before, 24)
        played = env.driver.play(algorithm, before.params, episodes=2, training=True, **how)
        before, (state, _) = state, algorithm.learn(state, played.episodes, total_steps=24)
        steps += 1
    assert result.summary["members"][0]["env_steps"] == int(state.env_steps)
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x[0], y, atol=1e-6), result.params, state.params)
    assert int(state.updates) == steps > 3
    ages = result.summary["simulators"]["policy_age"]
    assert ages == {"0": 2, "1": 2 * (steps - 1)}
    account = env.driver.account
    env.close()
    assert account.begun == account.delivered + account.abandoned  # some of what was begun for a step that never came


def test_who_learns_from_its_own_policy_alone_has_no_lag(task):
    with pytest.raises(UsageError, match=r"policy_lag=1.*own policy"):
        mc.mappo(BridgeTask(task.recipe, 2, SOON, policy_lag=1))


@pytest.mark.slow
@pytest.mark.usefixtures("hears_signals")
@pytest.mark.parametrize("policy_lag", [0, 1])
def test_an_interrupted_run_ends_as_one_that_was_not(task, tmp_path, monkeypatch, policy_lag):
    """It stops in the middle of its episodes, which play again: the simulators' seeds decide them."""
    task = BridgeTask(task.recipe, 2, SOON, policy_lag=policy_lag)
    algorithm = mc.vdn(task, hidden=4, num_envs=2, batch_episodes=4, replay_episodes=16)
    run = {"steps": 60, "evaluations": 1, "evaluation_episodes": 4, "progress": False, "checkpoint_seconds": 1e9}
    whole = mc.train(algorithm, **run)
    begin, turns = BridgeDriver.begin_rows, iter(range(100))

    def interrupted(self, *arguments, **options):
        if next(turns) == 5:
            signal.raise_signal(signal.SIGINT)
        return begin(self, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(BridgeDriver, "begin_rows", interrupted)
        with pytest.raises(KeyboardInterrupt):
            mc.train(algorithm, out=tmp_path / "run", **run)
    resumed = mc.train(algorithm, out=tmp_path / "run", resume=True, **run)
    assert resumed.summary["members"] == whole.summary["members"]
    task.close()


@pytest.mark.slow
def test_a_run_whose_simulators_fail_for_good_is_saved(task, tmp_path):
    """Stops with a sentence, and goes on once they work again."""
    failing = BridgeTask(recipe_of("Hints"), 2, SOON)
    algorithm = mc.vdn(failing, hidden=4, num_envs=2, batch_episodes=4, replay_episodes=16)
    run = {"steps": 60, "evaluations": 1, "evaluation_episodes": 4, "progress": False, "out": tmp_path / "run"}
    pool = failing.driver.pool(2)
    pool.recipe = recipe_of("Nowhere")  # whoever is started from now on cannot be
    pool.limits = replace(SOON, failures=2, recycle=3)
    pool._start_due = functools.partial(start_good_ones_first, pool, pool._start_due)
    with pytest.raises(SimulatorsFailed, match="Nowhere"):
        mc.train(algorithm, **run)
    failing.close()
    resumed = mc.train(mc.vdn(task, hidden=4, num_envs=2, batch_episodes=4, replay_episodes=16), resume=True, **run)
    assert resumed.summary["members"][0]["env_steps"] >= 60


def start_good_ones_first(pool, start):
    """Starts workers as ever, the first two by a recipe that works."""
    bad = pool.recipe
    pool.recipe = bad if pool.account.begun else recipe_of("Hints")
    start()
    pool.recipe = bad
