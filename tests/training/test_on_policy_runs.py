"""On-policy runs go by name through everything that value runs go through: sweeps, run folders, resuming, loading."""

from __future__ import annotations

import json
import shutil

import jax
import numpy as np
import pytest

import marlcomm as mc
from marlcomm.algorithms.registry import learner_of
from marlcomm.cli import main

NAMES = ("commnet", "dicg", "ga_comm", "ic3net", "magic", "mappo", "sarnet", "tarmac")
COMMAND = ["train", "ic3net", "sensor", "--steps", "1200", "--evaluations", "1", "--quiet"]
SETTINGS = [
    "--evaluation-episodes",
    "20",
    "--set",
    "hidden=8",
    "num_envs=4",
    "message_dims=2",
    "optimizer=rmsprop",
    "entropy=0.01|0.5",
]


def train(out, *more):
    return main([*COMMAND, "--out", str(out), "--checkpoint-seconds", "0", *more, *SETTINGS])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two values of entropy, two chunks with a checkpoint each."""
    out = tmp_path_factory.mktemp("on_policy") / "run"
    assert train(out) == 0
    return out


def test_a_sweep_is_recorded(folder):
    config = json.loads((folder / "config.json").read_text())
    assert config["resolved"]["losses"] == ["policy", "value", "entropy", "gate", "talk"]
    assert config["resolved"]["critic"]["type"] == "LocalCritic"
    assert [member["entropy"] for member in config["members"]] == [0.01, 0.5]
    rows = [json.loads((folder / f"member_{m}" / "metrics.jsonl").read_text().splitlines()[0]) for m in range(2)]
    assert rows[0]["entropy"] != rows[1]["entropy"]
    assert 0 <= rows[0]["gate/open"] <= 1


def test_resuming_from_an_older_checkpoint_gives_the_same_bits(folder, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    checkpoints = sorted((int(path.name), path) for path in (copy / "checkpoints").iterdir())
    assert len(checkpoints) > 1
    shutil.rmtree(checkpoints[-1][1])
    (copy / "summary.json").unlink()
    assert train(copy, "--resume") == 0
    members = [json.loads((path / "summary.json").read_text())["members"] for path in (folder, copy)]
    assert members[0] == members[1]
    assert all(member["env_steps"] >= 1200 for member in members[0])


def test_a_loaded_policy_acts_greedily(folder):
    policy = mc.load(folder, member=1)
    first = policy.algorithm.env.reset(jax.random.PRNGKey(0))[1].observation
    action, _, decision = policy.act(first, policy.initial_memory(), jax.random.PRNGKey(1))
    np.testing.assert_array_equal(action, np.argmax(decision.scores, -1))


def test_settings_of_another_learner_are_refused(capsys):
    assert main(["train", "mappo", "sensor", "--set", "exploration_start=1"]) == 2
    assert "no setting 'exploration_start'" in capsys.readouterr().err


@pytest.mark.parametrize("name", NAMES)
def test_settings_by_name_and_as_published(name):
    settings = mc.algorithm_settings(name)
    assert learner_of(name) == "on_policy"
    assert {"epochs", "clip_ratio", "gae_lambda", "entropy", "value_weight", "hidden", "paper"} <= settings.keys()
    assert "exploration_start" not in settings
    env = mc.make_env("sensor")
    ours, published = (mc.make_algorithm(name, env, paper=paper).describe()["resolved"] for paper in (False, True))
    assert published["epochs"] == (10 if name in ("dicg", "mappo") else 1)
    assert published["weights.entropy"] == {"dicg": 0.02, "mappo": 0.01, "tarmac": 0.01}.get(name, 0.0)
    assert published["learning_rate_decay_to"] == published["entropy_decay_to"] == 1.0
    assert ours["agent"] != published["agent"] or name == "mappo"
    given = mc.make_algorithm(name, env, paper=True, discount=0.5, epochs=3).describe()["resolved"]
    assert (given["discount"], given["epochs"]) == (0.5, 3)


def test_ic3net_pays_each_agent_for_itself():
    env = mc.make_env("sensor")
    assert mc.ic3net(env).hparams.team_share == 0.0
    assert mc.commnet(env).hparams.team_share == 1.0
    assert mc.ic3net(env).learner.agent.channel.sampled


def test_only_gates_that_are_drawn_have_a_price():
    env = mc.make_env("sensor")
    assert mc.ic3net(env).hparams.weights["talk"] == 0.0
    assert mc.ic3net(env, talk_price=0.1).hparams.weights["talk"] == 0.1
    assert mc.ic3net(env).with_hparams(talk_price=0.2).hparams.weights["talk"] == 0.2
    with pytest.raises(ValueError, match="talk_price"):
        mc.tarmac(env, talk_price=0.1)
