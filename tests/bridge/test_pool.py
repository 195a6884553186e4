"""Whatever goes wrong in a worker, each episode that was begun is delivered once, or counted as lost."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest
from pools import SOON, all_idle, answers, play, recipe_of

from marlcomm.bridge.pool import Limits, SimulatorsFailed


def assert_none_is_missing(account):
    assert account.begun == account.delivered + account.abandoned + sum(account.lost.values())


def test_a_sound_simulator_loses_nothing(make_pool):
    pool = make_pool(recipe_of("Hints"))
    play(pool, 20)
    assert pool.account.delivered == pool.account.begun >= 20
    assert not pool.account.failures


@pytest.mark.parametrize(
    ("fault", "cause", "said"),
    [
        ("crash", "crash", "RuntimeError: the game is gone"),
        ("restart", "restart", "it began anew"),
        ("killed", "died", "signal 9 ended it"),
        ("exit", "died", "exit status 0"),
        ("eof", "died", ""),
        ("nan", "not finite", "agents_view[0, 0] is nan"),
        ("shape", "wrong shape", "agents_view has shape (2, 3): must be (2, 4)"),
        ("mask", "wrong mask", "agent 0 is alive, and action_mask allows it nothing"),
        ("hang", "no answer", "it did not answer in time"),
        ("stopped", "no answer", "it did not answer in time"),
    ],
)
def test_each_fault_loses_its_episode_under_its_name(make_pool, fault, cause, said):
    pool = make_pool(recipe_of("Faulty", faults=[fault], chance=1.0))
    before = all_idle(pool) is not None and pool.processes()
    pool.begin(pool.idle(), np.array([0, 1]))
    assert len(answers(pool, np.array([0, 1]))) == 0
    account = pool.account
    assert dict(account.lost) == {cause: 2}
    assert (account.begun, account.delivered) == (2, 0)
    all_idle(pool)
    assert not set(before) & set(pool.processes())  # new ones
    assert cause in pool.news[0]
    assert said in pool.news[0]


def test_several_faults_at_random_moments(make_pool):
    pool = make_pool(recipe_of("Faulty", faults=["crash", "killed", "nan", "exit"], chance=0.1), 3)
    play(pool, 12)
    assert_none_is_missing(pool.account)
    assert pool.account.delivered
    assert pool.account.lost


def test_an_action_that_the_mask_forbids_is_not_sent(make_pool):
    pool = make_pool(recipe_of("Hints"))
    slots = all_idle(pool)
    pool.begin(slots, slots)
    answers(pool, slots)
    events = pool.step(slots, np.array([[0, 0], [0, 3]], np.int32))
    assert events == [(1, "illegal action")]
    assert answers(pool, slots[:1]).tolist() == [0]
    assert dict(pool.account.lost) == {"illegal action": 1}
    assert 1 in pool.idle()
    assert not pool.account.failures  # nobody else's fault


def test_a_worker_is_replaced_after_its_number_of_episodes(make_pool):
    pool = make_pool(recipe_of("Hints"), 1, Limits(recycle=3))
    all_idle(pool)
    first = pool.processes()
    play(pool, 7)
    all_idle(pool)
    assert pool.account.recycled == 2
    assert pool.processes() != first
    assert_none_is_missing(pool.account)
    assert not pool.account.lost


def test_who_keeps_failing_is_given_up_and_the_last_says_why(make_pool):
    limits = Limits(failures=2, backoff=0.01)
    pool = make_pool(recipe_of("Faulty", chance=1.0), 2, limits)
    with pytest.raises(SimulatorsFailed, match=r"(?s)0 of 2 workers are left, and min_workers=1.*the game is gone"):
        play(pool, 10)
    assert pool.account.begun == pool.account.lost["crash"] == 4
    with pytest.raises(SimulatorsFailed):
        pool.wait(0.1)


def test_a_worker_that_dies_between_episodes_loses_none(make_pool):
    pool = make_pool(recipe_of("Hints"))
    all_idle(pool)
    first = pool.processes()[0]
    os.kill(first, signal.SIGKILL)
    while pool.processes()[0] == first:  # the next may be ready before anybody looks
        pool.wait(0.1)
    play(pool, 2)
    assert not pool.account.lost
    assert dict(pool.account.failures) == {"died": 1}


def test_what_is_abandoned_is_neither_lost_nor_delivered(make_pool):
    pool = make_pool(recipe_of("Faulty", faults=["hang"], chance=0.0))
    slots = all_idle(pool)
    pool.begin(slots, slots)
    pool.abandon()
    play(pool, 1)
    assert pool.account.abandoned == 2
    assert_none_is_missing(pool.account)


def test_what_simulators_are_told_decides_what_they_answer(make_pool):
    pool = make_pool(recipe_of("Hints"))
    slots = all_idle(pool)
    seeds = np.array([3, 11])
    pool.begin(slots, seeds)
    answers(pool, slots)
    targets = np.array([np.random.default_rng(seed).integers(3) for seed in seeds])
    np.testing.assert_array_equal(pool.block.agents_view[:, 0, :3], np.eye(3)[targets])
    pool.step(slots, np.stack([targets * 0, targets], 1).astype(np.int32))
    answers(pool, slots)
    answer = pool.block.answer
    assert answer["terminated"].all()
    assert answer["won"].all()
    np.testing.assert_array_equal(pool.block.reward, 1.0)
    np.testing.assert_array_equal(answer["episode"], [0, 1])


def test_waiting_grows_with_failures_in_a_row():
    limits = Limits(backoff=1.0, longest_backoff=60.0)
    assert [limits.wait_before(n) for n in (1, 2, 3, 4, 9)] == [0.0, 1.0, 2.0, 4.0, 60.0]
    assert SOON.wait_before(2) == 0.01


def test_where_no_worker_starts_it_is_said_at_once(make_pool, spec):
    pool = make_pool(recipe_of("Importing"), 2, Limits())
    with pytest.raises(SimulatorsFailed, match=r"(?s)none of 2 workers could be started.*imports jax"):
        all_idle(pool)
