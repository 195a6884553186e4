"""RGMComm in three stages: labels come from the ideal critics, and the team begins where the stages before ended."""

import jax
import numpy as np
import pytest

from marlcomm.algorithms import maddpg, rgmcomm
from marlcomm.envs.registry import make_env
from marlcomm.messages import SharedChannel
from marlcomm.training import fit_labels, train_pipeline

KEY = jax.random.PRNGKey(2)
SMALL = {"hidden": 8, "num_envs": 16, "batch_steps": 64, "critics_see": "observations"}
STAGES = {"steps": 16, "ideal_steps": 200, "updates": 40, "learning_rate": 0.05, "episodes": 256}


def pair():
    env = make_env("maze")
    return maddpg(env, channel=SharedChannel(), **SMALL), rgmcomm(env, vocab_size=2, message_rate=0.0, **SMALL)


@pytest.mark.slow
def test_labels_learn_from_the_ideal_critics_and_nothing_else_does():
    ideal, team = pair()
    initial = jax.jit(lambda keys: [jax.vmap(a.init, (0, None))(keys, a.hparams).params for a in (ideal, team)])
    ideal_params, fresh = initial(jax.random.split(KEY, 2))
    learned, fit = fit_labels(
        ideal, ideal_params, team, fresh, seeds=(0, 1), updates=40, episodes=256, learning_rate=0.05
    )
    changed = jax.tree.map(lambda a, b: bool(np.any(a != b)), fresh, learned)
    assert all(jax.tree.leaves(changed["agent"]["params"].pop("channel")))
    assert not any(jax.tree.leaves(changed))
    assert fit["labels"].shape == (2, 40)
    assert (fit["labels"][:, -1] < fit["labels"][:, 0]).all()


@pytest.mark.slow
@pytest.mark.parametrize("warm", [True, False])
def test_the_team_begins_with_the_ideal_teams_critics_if_warm_and_keeps_its_labels(warm, tmp_path):
    """Too few steps for a batch: nothing has been learned in the last stage."""
    options = {"seeds": 2, "evaluations": 1, "evaluation_episodes": 8, "progress": False, "out": tmp_path / "run"}
    result = train_pipeline(*pair(), warm=warm, **STAGES, **options)
    assert (np.asarray(result.team.state.updates) == 0).all()
    kept = result.team.params["critic"], result.team.state.target_params["critic"]
    for critic in kept:
        same = jax.tree.map(lambda a, b: bool(np.all(a == b)), critic, result.ideal.params["critic"])
        assert all(jax.tree.leaves(same)) == warm
    again = train_pipeline(*pair(), warm=warm, **STAGES, **options, resume=True)
    assert untimed(again.team.summary) == untimed(result.team.summary)


def untimed(summary):
    """All of a run's summary but what the clock said, which goes on in a run that is looked at again."""
    return {name: value for name, value in summary.items() if not name.endswith("_seconds")}


def test_stages_that_do_not_fit_are_refused_before_anything_is_trained():
    ideal, team = pair()
    with pytest.raises(ValueError, match="maddpg has no loss called labels"):
        train_pipeline(ideal, ideal, steps=16)
    blind = maddpg(team.env, channel=SharedChannel(), **{**SMALL, "critics_see": "state"})
    with pytest.raises(ValueError, match="critics_see="):
        train_pipeline(blind, team, steps=16)
    wider = maddpg(team.env, channel=SharedChannel(), **{**SMALL, "hidden": 16})
    with pytest.raises(ValueError, match="critics differ in shape"):
        train_pipeline(wider, team, steps=16)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"steps": 2**31 - 1}, "steps=2147483647"),
        ({"steps": 16, "ideal_steps": 0}, "ideal_steps=0"),
        ({"steps": 16, "updates": 1.5}, "updates=1.5"),
        ({"steps": 16, "episodes": 0}, "episodes=0"),
        ({"steps": 16, "learning_rate": 0.0}, "learning_rate=0.0"),
    ],
)
def test_numbers_of_every_stage_are_checked_before_the_first(arguments, named, tmp_path):
    with pytest.raises(ValueError, match=named):
        train_pipeline(*pair(), out=tmp_path / "run", progress=False, **arguments)
    assert not (tmp_path / "run").exists()
