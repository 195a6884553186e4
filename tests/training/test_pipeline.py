"""RGMComm in three stages: labels come from the ideal critics, and the team begins where the stages before ended."""

import jax
import numpy as np
import pytest

from marlcomm.algorithms import maddpg, rgmcomm
from marlcomm.envs.registry import make_env
from marlcomm.messages import SharedChannel
from marlcomm.training import train_pipeline

SMALL = {"hidden": 8, "num_envs": 16, "batch_steps": 64, "critics_see": "observations"}
STAGES = {
    "steps": 16,
    "ideal_steps": 200,
    "updates": 40,
    "learning_rate": 0.05,
    "episodes": 256,
    "evaluations": 1,
    "evaluation_episodes": 8,
}


def stages(env, **options):
    ideal = maddpg(env, channel=SharedChannel(), **SMALL)
    team = rgmcomm(env, labels=2, message_rate=0.0, **SMALL)
    return train_pipeline(ideal, team, seeds=2, progress=False, **{**STAGES, **options})


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    return stages(make_env("maze"), out=tmp_path_factory.mktemp("pipeline") / "run")


def test_the_team_begins_with_the_ideal_teams_critics_and_keeps_its_labels(result):
    """Too few steps for a batch: nothing has been learned in the last stage."""
    assert (np.asarray(result.team.state.updates) == 0).all()
    same(result.team.params["critic"], result.ideal.params["critic"])
    same(result.team.state.target_params["critic"], result.ideal.params["critic"])


def test_labels_learn_from_the_critics_and_nothing_else_does(result):
    fresh = result.team.population.init(result.team.algorithm).params["agent"]["params"]
    learned = result.team.params["agent"]["params"]
    changed = jax.tree.map(lambda a, b: bool(np.any(a != b)), fresh, learned)
    assert all(jax.tree.leaves(changed.pop("channel")))
    assert not any(jax.tree.leaves(changed))
    assert result.fit["labels"].shape == (2, STAGES["updates"])
    assert (result.fit["labels"][:, -1] < result.fit["labels"][:, 0]).all()


def test_a_team_without_labels_is_refused():
    env = make_env("maze")
    with pytest.raises(ValueError, match="maddpg has no loss called labels"):
        train_pipeline(maddpg(env, **SMALL), maddpg(env, **SMALL), **STAGES)


def same(a, b):
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        np.testing.assert_array_equal(x, y)
