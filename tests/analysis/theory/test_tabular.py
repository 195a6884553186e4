"""Eq. 3 and 4 of RGMComm against simulation by powers of the transition matrix, and the bound beyond one step."""

import itertools

import numpy as np
import pytest

from marlcomm.analysis.theory.return_gap import sender_gap
from marlcomm.analysis.theory.tabular import TabularTask, label_policy, policy_change

SENDER, CONTEXTS, ACTIONS = 3, 2, 2
OBSERVATIONS = SENDER * CONTEXTS
SHAPE = (SENDER, CONTEXTS, ACTIONS)


def draw_task(seed, discount=0.9):
    """Random rewards of any sign, and moves that do depend on what is done."""
    rng = np.random.default_rng(seed)
    return TabularTask(
        reward=rng.normal(size=(OBSERVATIONS, ACTIONS)),
        transition=rng.dirichlet(np.full(OBSERVATIONS, 0.3), (OBSERVATIONS, ACTIONS)),
        start=rng.dirichlet(np.ones(OBSERVATIONS)),
        discount=discount,
    )


def draw_policy(seed):
    return np.random.default_rng([seed, 1]).dirichlet(np.ones(ACTIONS), OBSERVATIONS)


def deterministic(choice):
    return np.eye(ACTIONS)[list(choice)]


def step_by_step(task, policy, steps=400):
    """[O] visits, and the return per step, by following the distribution over observations."""
    now, visits, total = task.start, np.zeros(OBSERVATIONS), 0.0
    for step in range(steps):
        share = (1 - task.discount) * task.discount**step
        visits += share * now
        total += share * sum(
            now[o] * policy[o, a] * task.reward[o, a] for o in range(OBSERVATIONS) for a in range(ACTIONS)
        )
        now = np.array(
            [
                sum(
                    now[o] * policy[o, a] * task.transition[o, a, then]
                    for o in range(OBSERVATIONS)
                    for a in range(ACTIONS)
                )
                for then in range(OBSERVATIONS)
            ]
        )
    return visits, total


def test_visitation_and_average_return_are_what_following_the_task_gives():
    task, policy = draw_task(0), draw_policy(0)
    visits, total = step_by_step(task, policy)
    np.testing.assert_allclose(task.visitation(policy), visits, atol=1e-12)
    np.testing.assert_allclose(task.average_return(policy), total)
    np.testing.assert_allclose(visits @ (policy * task.reward).sum(-1), total)
    np.testing.assert_allclose((policy * task.action_values(policy)).sum(-1), task.state_values(policy))


@pytest.mark.parametrize("seed", range(5))
def test_the_ideal_policy_is_the_best_of_all(seed):
    task = draw_task(seed)
    every = itertools.product(range(ACTIONS), repeat=OBSERVATIONS)
    best = max(task.average_return(deterministic(choice)) for choice in every)
    np.testing.assert_allclose(task.average_return(task.ideal_policy()), best)


def test_policy_iteration_ends_where_actions_are_equal():
    task = TabularTask(np.ones((3, 2)), np.full((3, 2, 3), 1 / 3), np.full(3, 1 / 3), 0.99)
    np.testing.assert_allclose(task.average_return(task.ideal_policy()), 1)


@pytest.mark.parametrize("discount", [0.0, 0.5, 0.99])
@pytest.mark.parametrize("seed", range(20))
def test_the_policy_change_lemma_is_an_equality_and_as_printed_an_inequality(seed, discount):
    task, policy = draw_task(seed, discount), draw_policy(seed)
    ideal = task.ideal_policy()
    gap = task.average_return(ideal) - task.average_return(policy)
    np.testing.assert_allclose(policy_change(task, policy), gap, atol=1e-10)
    printed = task.visitation(policy) @ (
        task.action_values(ideal).max(-1) - (policy * task.action_values(policy)).sum(-1)
    )
    assert gap <= printed + 1e-10


def policy_on_labels(task, labels):
    """A policy that is the label policy of its own visits, or None where taking turns does not find one."""
    values = task.action_values(task.ideal_policy()).reshape(SHAPE)
    policy = np.full((OBSERVATIONS, ACTIONS), 1 / ACTIONS)
    for _ in range(50):
        visits = task.visitation(policy).reshape(SENDER, CONTEXTS)
        following = label_policy(values, labels, visits).reshape(OBSERVATIONS, ACTIONS)
        if np.array_equal(following, policy):
            return policy, sender_gap(values, labels, visits)
        policy = following
    return None


def test_the_bound_holds_over_many_steps_too():
    """Lemma 4.1, then Eq. 8 with what the policy itself visits: the gap of a whole task is Eq. 8's, and is bounded."""
    found, labels = 0, np.array([0, 1, 0])
    for seed in range(300):
        task = draw_task(seed)
        if (result := policy_on_labels(task, labels)) is None:
            continue
        policy, gap = result
        found += 1
        lost = task.average_return(task.ideal_policy()) - task.average_return(policy)
        np.testing.assert_allclose(lost, gap.gap, atol=1e-9)
        assert -1e-9 <= lost <= gap.tight_bound + 1e-9
    assert found > 200


def test_the_label_policy_does_the_same_under_the_same_label():
    task, labels = draw_task(7), np.array([0, 1, 0])
    policy = label_policy(task.reward.reshape(SHAPE), labels, np.ones((SENDER, CONTEXTS)))
    assert policy.shape == SHAPE
    np.testing.assert_array_equal(policy[0], policy[2])
    np.testing.assert_array_equal(policy.sum(-1), 1)
    np.testing.assert_array_equal(policy[1].argmax(-1), task.reward.reshape(SHAPE)[1].argmax(-1))
    both = task.reward.reshape(SHAPE)[[0, 2]].sum(0)
    np.testing.assert_array_equal(policy[0].argmax(-1), both.argmax(-1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"discount": 1.0}, "discount is 1.0: must be at least 0 and below 1"),
        ({"start": np.ones(2)}, r"start has shape \(2,\): must be \(6,\)"),
        ({"transition": np.ones((6, 2, 5))}, r"transition has shape \(6, 2, 5\): must be \(6, 2, 6\)"),
    ],
)
def test_bad_input_is_named(change, message):
    task = draw_task(0)
    parts = {name: getattr(task, name) for name in ("reward", "transition", "start", "discount")}
    with pytest.raises(ValueError, match=message):
        TabularTask(**{**parts, **change})
