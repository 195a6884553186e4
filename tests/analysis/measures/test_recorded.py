import jax
import numpy as np
import pytest

import marlcomm as mc
from marlcomm.analysis import record_episodes
from marlcomm.analysis.measures.recorded import noise_of
from marlcomm.messages import Silence
from marlcomm.validation import UsageError


def test_shapes_and_types(hallway):
    recorded = hallway.record()
    b, t, n, d, a = 16, 14, 2, 2, 3
    assert recorded.episodes.agents_view.shape == (b, t + 1, n, 1)
    for array in (recorded.content, recorded.importance, recorded.sent, recorded.mean):
        assert isinstance(array, np.ndarray)
        assert array.shape == (b, t, n, n, d)
    assert recorded.scores.shape == (b, t, n, a)
    assert jax.tree.leaves(recorded.states)[0].shape[:2] == (b, t + 1)
    assert not recorded.edited


def test_means_are_what_importance_is_the_size_of(hallway):
    recorded = hallway.record()
    np.testing.assert_allclose(np.abs(recorded.mean), recorded.importance, atol=1e-5)


def test_samples_scatter_around_the_means_with_unit_variance(hallway):
    recorded = hallway.record()
    noise = recorded.content - recorded.mean  # 16 x 14 x 2 x 2 x 2 draws
    assert abs(noise.mean()) < 0.1
    assert abs(noise.std() - 1) < 0.1


def test_a_seed_decides_everything(hallway):
    first, again, other = (hallway.record(seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.content, again.content)
    assert not np.array_equal(first.content, other.content)


@pytest.mark.parametrize("edits", [["silence"], [Silence()], "silence", Silence()])
def test_edits_by_name_or_as_objects_cut_between_agents_only(hallway, edits):
    recorded = hallway.record(edits)
    assert recorded.edited
    assert not recorded.sent[:, :, 0, 1].any()
    assert not recorded.content[:, :, 0, 1].any()
    assert recorded.sent[:, :, 0, 0].all()


def test_a_calibrated_cut_becomes_its_threshold(hallway, monkeypatch):
    monkeypatch.setattr(
        "marlcomm.analysis.measures.recorded.find_threshold", lambda player, key, share, whole: share / 5
    )
    recorded = hallway.record(["cut:0.5"])
    np.testing.assert_array_equal(recorded.sent, hallway.record(["cut_below:0.1"]).sent)


def test_lengths_and_returns_count_real_steps(hallway):
    recorded = hallway.record()
    np.testing.assert_array_equal(recorded.lengths, recorded.episodes.valid.sum(1))
    np.testing.assert_allclose(recorded.returns, 10.0 * recorded.episodes.won)


def test_a_silent_team_has_messages_of_no_dimensions(silent):
    recorded = silent.record()
    assert recorded.content.shape[-1] == 0
    assert recorded.mean is None


def test_above_respects_what_was_cut(hallway):
    recorded = hallway.record(["cut_below:0.1"])
    np.testing.assert_array_equal(recorded.above(0.0), recorded.above(0.1))


def test_refuses_no_episodes_and_unknown_edits(hallway):
    team = hallway.algorithm, None
    with pytest.raises(ValueError, match="episodes=0"):
        record_episodes(team, 0)
    with pytest.raises(ValueError, match="mumble"):
        record_episodes(team, 2, edits=["mumble"])
    for given in (5, hallway.algorithm, (hallway.algorithm,)):
        with pytest.raises(UsageError, match="run="):
            record_episodes(given, 2)  # pyright: ignore[reportArgumentType]


def test_who_is_not_linked_is_offered_nothing():
    line = ((False, True, False), (False, False, True), (False, False, False))
    talkers = mc.qmix(mc.make_env("whisper"), channel=mc.MeanChannel(dims=2, graph=line), hidden=4)
    recorded = record_episodes((talkers, talkers.init(jax.random.key(0)).params), 3)
    valid = np.asarray(recorded.episodes.valid)[..., None, None]
    np.testing.assert_array_equal(recorded.offered, valid & np.array(line))


@pytest.mark.parametrize("settings", [{}, {"quantization_step": 0.5}])
def test_the_noise_of_messages_is_on_record(settings):
    algorithm = mc.ndq(mc.make_env("sensor"), channel=mc.GaussianChannel(sigma=0.1), **settings)
    recorded = record_episodes((algorithm, algorithm.init(jax.random.PRNGKey(0)).params), 4)
    assert recorded.noise == 0.1
    assert recorded.mean is not None


def test_channels_that_sample_nothing_have_noise_one():
    assert noise_of(mc.tarmac_qmix(mc.make_env("sensor"))) == 1.0
