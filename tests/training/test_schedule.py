"""In what pieces a run is computed, against simulated episodes."""

from __future__ import annotations

import numpy as np
import pytest

import marlcomm as mc
from marlcomm.training.schedule import Schedule, few_updates, late_losses, make_schedule


def simulate(schedule, episode_lengths):
    """Steps done and steps at which evaluations fell due, of a member that stops like a learner does."""
    done, trained, evaluated, pieces = 0, 0, [], []
    while done < schedule.steps:
        before, length = done, schedule.chunk(done, trained)
        for _ in range(length):
            if done < schedule.steps:
                done, trained = done + next(episode_lengths), trained + 1
        pieces.append(length)
        if done >= schedule.steps or schedule.evaluation_due(before, done):
            evaluated.append(done)
    return done, evaluated, pieces


def batches(least, most, seed=0):
    random = np.random.default_rng(seed)
    while True:
        yield int(random.integers(least, most + 1))


@pytest.mark.parametrize(("steps", "batch"), [(20_000, 1), (20_000, 1000), (100_000, 7), (1_000_000, 160), (999, 49)])
@pytest.mark.parametrize("least_share", [1.0, 0.7, 0.1])
def test_evaluations_are_as_many_as_asked_for_and_the_end_is_met_within_one_batch(steps, batch, least_share):
    schedule = Schedule(steps, evaluations=20, steps_of_batch=batch)
    done, evaluated, pieces = simulate(schedule, batches(max(int(least_share * batch), 1), batch))
    assert steps <= done < steps + batch
    assert len(evaluated) == 20
    marks = np.arange(1, 21) * steps / 20
    late = np.array(evaluated) - marks
    assert (late >= 0).all()
    assert late.max() < max(batch, steps / 20 / 2)
    assert max(pieces) * batch <= max(20_000, batch)
    assert len(pieces) <= 20 * (3 + steps / 20 / min(20_000, 200 * batch) / least_share)  # no shower of short ones


def test_where_a_batch_is_longer_than_an_interval_every_batch_is_evaluated():
    done, evaluated, pieces = simulate(Schedule(20_000, 20, 8_000), batches(8_000, 8_000))
    assert (done, evaluated, pieces) == (24_000, [8_000, 16_000, 24_000], [1, 1, 1])


def test_marks_are_exact_where_floats_are_not():
    schedule = Schedule(2**31 - 1000, 7, 1)
    for k in range(7):
        mark = -((k + 1) * schedule.steps // -7)
        assert schedule.next_evaluation(mark - 1) == mark
        assert not schedule.evaluation_due(mark - 2, mark - 1)
        assert schedule.evaluation_due(mark - 1, mark)


def test_no_more_steps_than_counters_hold(sensor):
    last = 2**31 - 1 - 4  # four episodes of one step may begin just before the end
    assert make_schedule(sensor, last, 1).steps == last
    with pytest.raises(ValueError, match=f"steps={last + 1}: .*num_envs=4"):
        make_schedule(sensor, last + 1, 1)
    with pytest.raises(ValueError, match="gradient steps"):
        make_schedule(mc.vdn(mc.make_env("sensor"), num_envs=1, updates_per_step=3), 2**30, 1)


def test_a_run_that_ends_before_a_loss_counts_is_warned_of():
    priced = {"channel": "mean", "quantization_step": 0.5, "losses.bits.start": 1000}
    vdn = mc.vdn(mc.make_env("sensor"), **priced)
    assert "bits (from step 1,000)" in str(late_losses(vdn, make_schedule(vdn, 999, 1)))
    assert late_losses(vdn, make_schedule(vdn, 1000, 1)) is None


def test_a_run_of_few_gradient_steps_is_warned_of():
    rware_like = mc.vdn(mc.make_env("search"), num_envs=16)  # episodes of 100 steps
    assert "about 13 gradient steps" in str(few_updates(rware_like, make_schedule(rware_like, 20_000, 20)))
    assert few_updates(rware_like, make_schedule(rware_like, 480_000, 20)) is None
    mappo = mc.mappo(mc.make_env("search"), num_envs=10, epochs=4)
    assert "about 80 gradient steps" in str(few_updates(mappo, make_schedule(mappo, 20_000, 20)))
    maddpg = mc.maddpg(mc.make_env("navigation"), num_envs=8, update_interval=8)  # the same
    assert "about 200 gradient steps" in str(few_updates(maddpg, make_schedule(maddpg, 1_600, 20)))
