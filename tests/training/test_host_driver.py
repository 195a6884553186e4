"""A simulator outside JAX stands where an environment goes: whatever asks a driver finds the same as in JAX."""

from __future__ import annotations

import signal

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hinting import Hinting, HintingOutside

import marlcomm as mc
from marlcomm.analysis import intervene, message_worth, record_episodes
from marlcomm.analysis.measures.codes import find_codes
from marlcomm.training.population import make_population
from marlcomm.training.progress import ProgressReport
from marlcomm.validation import UsageError

RUN = {"steps": 100, "seeds": 2, "evaluations": 2, "evaluation_episodes": 16, "progress": False}


def off_policy(env):
    return mc.vdn(env, channel=mc.MeanChannel(), hidden=4, num_envs=4, batch_episodes=8, replay_episodes=32)


def on_policy(env):
    return mc.commnet(env, hidden=4, num_envs=4)


class Twice:
    """The same training in JAX and outside."""

    def __init__(self, make, folder):
        self.inside, self.outside = self.runs = [
            mc.train(make(env), out=folder / type(env).__name__, **RUN) for env in (Hinting(), HintingOutside())
        ]
        self.driver = self.outside.algorithm.env.driver


@pytest.fixture(scope="module", params=[off_policy, on_policy])
def twice(request, tmp_path_factory):
    return Twice(request.param, tmp_path_factory.mktemp("twice"))


values = pytest.mark.parametrize("twice", [off_policy], indirect=True, scope="module")


def assert_same(inside, outside):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), inside, outside)


def test_training_gives_the_same_teams(twice):
    assert (np.asarray(twice.outside.state.updates) > 0).all()
    for name in ("env_steps", "episodes", "updates", "healthy"):
        np.testing.assert_array_equal(getattr(twice.inside.state, name), getattr(twice.outside.state, name))
    assert_same(twice.inside.params, twice.outside.params)
    for name in ("test_return", "test_won", "test_bits_per_step", "env_steps"):
        assert_same(twice.inside.metrics[name], twice.outside.metrics[name])


@values
@pytest.mark.parametrize(("edits", "rounds"), [("cut:0.5", 14), ("delay:1", 1)])
def test_evaluation_finds_the_same(twice, edits, rounds):
    before = twice.driver.played
    assert_same(*(mc.evaluate(run, edits=edits, episodes=50) for run in twice.runs))
    assert twice.driver.played - before == 2 * rounds


@values
def test_recordings_and_what_is_asked_of_them_are_the_same(twice):
    inside, outside = (record_episodes(run, 40, member=1, seed=3, edits="drop:0.2") for run in twice.runs)
    assert_same(inside.episodes, outside.episodes)
    for name in ("content", "sent", "bits", "scores", "offered", "returns"):
        assert_same(getattr(inside, name), getattr(outside, name))
    codes = find_codes(inside)
    assert_same(*(vars(intervene(run, codes, episodes=40)) for run in twice.runs))


@values
def test_states_that_nobody_tells_cannot_be_drawn(twice):
    with pytest.raises(UsageError, match="states"):
        mc.animate_run(twice.outside, twice.outside.folder / "episode.gif")


@values
@pytest.mark.slow
def test_what_messages_are_worth_is_the_same_and_a_page_is_written(twice):
    worth = [message_worth(run, episodes=20) for run in twice.runs]
    assert_same(*([each.cut.pair.mean, each.swapped.sender.mean] for each in worth))
    page = mc.inspect_run(twice.outside, episodes=20, progress=False).read_text()
    assert "image/svg+xml" in page
    assert "image/gif" not in page


@values
@pytest.mark.slow
@pytest.mark.usefixtures("hears_signals")
def test_a_run_goes_on_where_it_stopped(twice, tmp_path, monkeypatch):
    """The learner exactly; this simulator too, as its keys decide it."""
    evaluated = ProgressReport.evaluated

    def interrupt(self, *arguments):
        signal.raise_signal(signal.SIGINT)
        evaluated(self, *arguments)

    algorithm, out = twice.outside.algorithm, tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(ProgressReport, "evaluated", interrupt)
        with pytest.raises(KeyboardInterrupt):
            mc.train(algorithm, out=out, **RUN)
    resumed = mc.train(algorithm, out=out, resume=True, **RUN)
    assert resumed.summary["members"] == twice.outside.summary["members"]


@pytest.mark.slow
def test_a_slow_simulator_is_asked_for_few_episodes_at_once():
    algorithm = off_policy(HintingOutside())
    driver, population = algorithm.env.driver, make_population(algorithm, 1, 0, None)
    driver.steps_at_once = 2
    state, _ = driver.trainer(algorithm, population)(population.init(algorithm), jnp.int32(10_000), jnp.int32(50))
    assert driver.played == 2
    assert int(state.episodes[0]) == 2 * 4
