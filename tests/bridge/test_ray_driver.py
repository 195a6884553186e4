"""On nodes of a Ray cluster a team plays the episodes that it would play here, whatever becomes of nodes."""

from __future__ import annotations

import signal
import sys
import types
from pathlib import Path

import hints
import jax
import numpy as np
import pytest
from pools import OWN, SOON

import marlcomm as mc
from marlcomm.bridge.account import Account
from marlcomm.bridge.launch import Recipe
from marlcomm.bridge.ray_driver import RayDriver
from marlcomm.bridge.task import BridgeTask, bridge
from marlcomm.devices import connect_to_ray
from marlcomm.training.interrupt import stop_between_chunks
from marlcomm.validation import UsageError

RUN = {"steps": 60, "evaluations": 1, "evaluation_episodes": 4, "progress": False}


def test_an_engine_is_checked_before_anything_starts():
    with pytest.raises(UsageError, match="Did you mean 'ray'"):
        bridge("hints:Hints", engine="rai")


def test_a_run_that_connects_to_a_cluster_still_hears_a_signal_to_stop(monkeypatch):
    """Ray takes over what ends a process, which is to save first."""
    taking = types.SimpleNamespace(is_initialized=lambda: False)
    taking.init = lambda **_: signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    monkeypatch.setitem(sys.modules, "ray", taking)
    before = signal.getsignal(signal.SIGTERM)
    with stop_between_chunks(lambda text: None) as stopping:
        assert connect_to_ray() is taking
        signal.raise_signal(signal.SIGTERM)
        assert stopping.is_set()
    assert signal.getsignal(signal.SIGTERM) is before


def test_an_account_counts_what_another_has_counted_since():
    mine, before, now = Account(), Account(), Account()
    before.begun, now.begun, now.delivered = 2, 5, 4
    before.lost["crash"], now.lost["crash"] = 1, 3
    now.seconds["infer"] = 7.0
    mine.add(now)
    mine.add(before, -1)
    assert (mine.begun, mine.delivered, dict(mine.lost)) == (3, 4, {"crash": 2})
    assert mine.seconds["infer"] == 0.0


@pytest.mark.slow
class TestTwoNodes:
    @pytest.fixture(scope="class", autouse=True)
    def programs_as_elsewhere(self, quick_compilation):
        """Those of the nodes are compiled as ever, and these are to have the same bits."""
        jax.config.update("jax_disable_most_optimizations", False)

    @pytest.fixture
    def make(self, tmp_path):
        """Tasks whose simulators are slow as long as the file `slow` is there."""
        made = []

        def make(engine, lag=0):
            recipe = Recipe(OWN, f"{Path(hints.__file__)}:Slow", {"file": str(tmp_path / "slow")})
            made.append(BridgeTask(recipe, 2, SOON, engine, policy_lag=lag))
            return made[-1]

        yield make
        for each in made:
            each.close()

    def test_episodes_are_those_of_this_machine(self, nodes, make):
        here, there = (mc.ndq(make(engine), hidden=4, num_envs=5) for engine in ("", "ray"))
        params = here.init(jax.random.PRNGKey(0)).params
        for training, episodes in ((True, 5), (False, 7)):
            asked = {"exploration": 0.5, "training": training}
            one, other = (
                each.env.driver.play(each, params, jax.random.PRNGKey(1), episodes, **asked) for each in (here, there)
            )
            assert jax.tree.structure(one.decisions) == jax.tree.structure(other.decisions)
            if training:  # elsewhere as many act together as there are workers
                jax.tree.map(np.testing.assert_array_equal, one, other)
            assert other.episodes.won.shape == (episodes,)
        assert there.env.driver.workers(1) == 4
        account = there.env.driver.account
        assert account.begun == account.delivered == 12

    def test_a_node_that_is_lost_in_mid_run_leaves_no_trace_but_in_the_account(
        self, nodes, cluster, make, tmp_path, monkeypatch
    ):
        small = {"hidden": 4, "num_envs": 4, "batch_episodes": 4, "replay_episodes": 16}
        here = mc.train(mc.vdn(make("", 1), **small), **RUN)
        follow, turns = RayDriver._follow, iter(range(1000))

        def losing(self, orders):
            turn = next(turns)
            if turn == 3:  # what it was asked for takes longer than this
                cluster.remove_node(nodes[0], allow_graceful=False)
                (tmp_path / "slow").unlink()
            found = follow(self, orders)
            if turn == 2:
                (tmp_path / "slow").touch()
            return found

        monkeypatch.setattr(RayDriver, "_follow", losing)
        task = make("ray", 1)
        there = mc.train(mc.vdn(task, **small), out=tmp_path / "run", **RUN)
        account = task.driver.account
        assert account.lost["node lost"] in (2, 4)  # its share of a batch, and of the next if that was begun
        assert account.begun == account.delivered + sum(account.lost.values())
        assert there.summary["simulators"]["nodes"] == 1
        jax.tree.map(np.testing.assert_array_equal, here.params, there.params)
        assert there.summary["members"][0]["digest"] == here.summary["members"][0]["digest"]
