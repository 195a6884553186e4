"""What a team is worth, against arrays worked out by hand."""

from __future__ import annotations

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import marlcomm as mc
from marlcomm.messages import Channel, offer
from marlcomm.messages.edits import CutBelow, Silence, importance_quantile, pairs_at_work
from marlcomm.training.drivers import CompiledPlayer
from marlcomm.training.evaluate import assess_player, calibrate_cut
from marlcomm.training.population import make_population


class ThirdSaid(Channel):
    """Agent 0 talks, of importances spread evenly; the others withhold all, which would be most important."""

    def send(self, inputs, memory, key):
        shape = (*inputs.shape[:-1], self.num_agents, 1)
        speaks = (jnp.arange(self.num_agents) == 0)[:, None, None]
        messages = offer(jnp.ones(shape), jnp.where(speaks, jax.random.uniform(key, shape), 9.0))
        return messages._replace(sent=messages.sent & speaks), {}

    def receive(self, inputs, messages):
        return messages.content.sum(-3), {}


def test_the_quantile_counts_pairs_at_work_only(finished):
    algorithm, params = finished.algorithm, finished.policy(0).params
    played, decision, _ = algorithm.play(params, jax.random.PRNGKey(0), num_envs=20)
    importance = np.asarray(decision.messages.importance)
    between = [
        importance[b, t, i, j]
        for b in range(20)
        for t in range(played.valid.shape[1])
        for i in range(3)
        for j in range(3)
        if i != j and played.valid[b, t]
    ]
    found = importance_quantile(decision.messages.importance, pairs_at_work(played)[..., None], 0.7)
    np.testing.assert_allclose(found, np.quantile(np.concatenate(between), 0.7, method="inverted_cdf"), rtol=1e-5)


def test_no_other_threshold_cuts_a_share_nearer_to_what_was_asked(finished):
    algorithm, params = finished.algorithm, finished.policy(0).params

    @jax.jit
    def cut_share(threshold):
        player = CompiledPlayer(algorithm, params, 400)
        return 1 - assess_player(player, jax.random.PRNGKey(2), CutBelow(threshold))["sent_fraction"]

    player = CompiledPlayer(algorithm, params, 400)
    shares = np.array([cut_share(jnp.float32(threshold)) for threshold in np.linspace(0.0, 4.0, 81)])
    for fraction in (0.5, 0.9):
        threshold = calibrate_cut(player, jax.random.PRNGKey(1), fraction).threshold
        missed = abs(float(cut_share(jnp.float32(threshold))) - fraction)
        assert missed <= np.abs(shares - fraction).min() + 0.03  # other episodes than those it was found on


def test_a_share_is_cut_of_what_is_said_where_gates_withhold(finished):
    """A third is said; of a half cut, a sixth is left. (Of all there is, two thirds would be cut to begin with.)"""
    algorithm = mc.qmix(finished.algorithm.env, channel=ThirdSaid(), num_envs=2, batch_episodes=2, replay_episodes=4)
    params = algorithm.init(jax.random.PRNGKey(0)).params
    player = CompiledPlayer(algorithm, params, 400)
    assert float(assess_player(player, jax.random.PRNGKey(1))["sent_fraction"]) == pytest.approx(1 / 3)
    edit = calibrate_cut(player, jax.random.PRNGKey(2), 0.5)
    left = float(assess_player(player, jax.random.PRNGKey(1), edit)["sent_fraction"])
    assert left == pytest.approx(1 / 6, abs=0.03)


def test_extreme_shares(finished):
    player = CompiledPlayer(finished.algorithm, finished.policy(0).params, 10)
    assert float(calibrate_cut(player, jax.random.PRNGKey(0), 0.0).threshold) == 0.0
    assert np.isinf(calibrate_cut(player, jax.random.PRNGKey(0), 1.0).threshold)


def test_a_silent_team_sends_nothing_and_a_task_without_winning_has_none():
    """Nor does any number of the compiled program stand for that by not being one."""
    algorithm = mc.vdn(mc.make_env("search"), hidden=4, num_envs=2, batch_episodes=2, replay_episodes=4)
    population = make_population(algorithm)
    run = SimpleNamespace(algorithm=algorithm, population=population, params=population.init(algorithm).params)
    with jax.debug_nans(True):
        found = mc.evaluate(run, edits=["cut:0.5"], episodes=3)
    assert np.isnan(found["won"])
    assert found["bits_per_step"] == 0.0
    assert found["sent_fraction"] == 0.0
    assert found["episode_length"] == 100.0
    assert jnp.isfinite(found["return"])


def test_a_delay_beyond_the_horizon_is_one_of_the_horizon(finished):
    """Nothing arrives; no more steps are kept under way than an episode has."""
    horizon = finished.algorithm.env.horizon
    late, never = (mc.evaluate(finished, edits=[f"delay:{steps}"], episodes=20) for steps in (horizon, 10**12))
    jax.tree.map(np.testing.assert_array_equal, late, never)
    channel = mc.commnet_qmix(finished.algorithm.env, delay=10**12).learner.agent.channel
    assert channel.delay == horizon + 1  # what is seen after the last step is a place, too


def test_one_edit_needs_no_list_and_a_run_may_be_its_folder(finished):
    expected = mc.evaluate(finished, edits=["silence"], episodes=8)
    assert (expected["bits_per_step"] == 0).all()
    for run, edits in ((finished.folder, "silence"), (str(finished.folder), Silence())):
        for name, values in mc.evaluate(run, edits=edits, episodes=8).items():
            np.testing.assert_array_equal(values, expected[name])


def test_a_function_may_be_an_edit(finished):
    expected = mc.evaluate(finished, edits="silence", episodes=8)
    for name, values in mc.evaluate(finished, edits=lambda messages, key: Silence()(messages, key), episodes=8).items():
        np.testing.assert_array_equal(values, expected[name])


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"episodes": 0}, "episodes=0"),
        ({"episodes": 2.5}, "episodes=2.5"),
        ({"episodes": 2**31}, "episodes=2147483648"),
        ({"seed": 2**32}, "seed=4294967296"),
        ({"edits": "silense"}, "silense"),
    ],
)
def test_what_cannot_be_evaluated_is_named(finished, arguments, named):
    with pytest.raises(ValueError, match=named):
        mc.evaluate(finished, **arguments)
