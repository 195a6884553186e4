"""A simulator outside JAX stands where an environment goes: what asks a driver finds the same as in JAX."""

from __future__ import annotations

import signal

import jax
import numpy as np
import pytest
from hinting import Hinting, HintingOutside

import marlcomm as mc
from marlcomm.analysis import intervene, message_worth, record_episodes
from marlcomm.analysis.measures.codes import find_codes
from marlcomm.training.progress import ProgressReport
from marlcomm.validation import UsageError

TINY = {
    "ndq": {"hidden": 8, "num_envs": 4, "batch_episodes": 8, "replay_episodes": 32, "exploration_steps": 50},
    "ic3net": {"hidden": 8, "num_envs": 4},
}
RUN = {"steps": 120, "seeds": 2, "evaluations": 2, "evaluation_episodes": 16, "progress": False}


class Twice:
    """The same training in JAX and outside."""

    def __init__(self, name, folder):
        algorithms = [mc.make_algorithm(name, env, **TINY[name]) for env in (Hinting(), HintingOutside())]
        self.runs = [mc.train(each, out=folder / str(n), **RUN) for n, each in enumerate(algorithms)]
        self.inside, self.outside = self.runs
        self.driver = algorithms[1].env.driver


only_ndq = pytest.mark.parametrize("twice", ["ndq"], indirect=True, scope="module")


@pytest.fixture(scope="module", params=list(TINY))
def twice(request, tmp_path_factory):
    return Twice(request.param, tmp_path_factory.mktemp(request.param))


def assert_same(inside, outside):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), inside, outside)


def test_training_gives_the_same_teams(twice):
    assert (np.asarray(twice.outside.state.updates) > 0).all()
    for name in ("env_steps", "episodes", "updates", "healthy"):
        np.testing.assert_array_equal(getattr(twice.inside.state, name), getattr(twice.outside.state, name))
    assert_same(twice.inside.params, twice.outside.params)
    for name in ("test_return", "test_won", "test_bits_per_step", "env_steps"):
        assert_same(twice.inside.metrics[name], twice.outside.metrics[name])


@pytest.mark.parametrize("edits", [(), "cut:0.5", "delay:1"])
def test_evaluation_finds_the_same(twice, edits):
    played = twice.driver.played
    assert_same(*(mc.evaluate(run, edits=edits, episodes=50) for run in twice.runs))
    assert twice.driver.played - played == 2 * (14 if edits == "cut:0.5" else 1)


@only_ndq
def test_recordings_and_what_is_asked_of_them_are_the_same(twice):
    inside, outside = (record_episodes(run, 40, member=1, seed=3, edits="drop:0.2") for run in twice.runs)
    assert_same(inside.episodes, outside.episodes)
    for name in ("content", "sent", "bits", "scores", "offered", "returns"):
        assert_same(getattr(inside, name), getattr(outside, name))
    codes = find_codes(inside)
    assert_same(*(vars(intervene(run, codes, episodes=40)) for run in twice.runs))
    worth = [message_worth(run, episodes=40) for run in twice.runs]
    assert_same(*([each.cut.pair.mean, each.swapped.sender.mean] for each in worth))


@only_ndq
def test_a_page_is_written_and_only_pictures_of_states_are_missing(twice):
    page = mc.inspect_run(twice.outside, episodes=20, progress=False).read_text()
    assert "image/svg+xml" in page
    assert "image/gif" not in page
    with pytest.raises(UsageError, match="states"):
        mc.animate_run(twice.outside, twice.outside.folder / "episode.gif")


@only_ndq
@pytest.mark.slow
@pytest.mark.usefixtures("hears_sigint")
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
