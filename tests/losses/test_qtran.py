"""QTRAN's losses against loops, on tables, and by where their gradients go."""

import itertools

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from batches import ACTIONS, AGENTS, BATCH, HPARAMS, STEPS, make_batch, real_steps
from hypothesis import strategies as st

from marlcomm.losses import counterfactual_loss, nonoptimality_loss, optimality_loss

SEEDS = st.integers(0, 2**31)
settings = hypothesis.settings(max_examples=25, deadline=None)
LOSSES = {"optimality": optimality_loss, "nonoptimality": nonoptimality_loss, "counterfactual": counterfactual_loss}
jitted = {name: jax.jit(lambda unroll, episodes, f=f: f(unroll, episodes, HPARAMS)) for name, f in LOSSES.items()}


def make_mixing(seed):
    rng = np.random.default_rng(seed)

    def normal(*shape):
        return jnp.asarray(rng.normal(size=(BATCH, STEPS, *shape)), jnp.float32)

    names = ("utilities", "joint", "state_value", "greedy_utilities", "greedy_joint")
    others = {name: normal(AGENTS, ACTIONS) for name in ("other_utilities", "other_joint")}
    return {name: normal() for name in names} | others


def make(seed):
    batch = make_batch(seed)
    return batch._replace(unroll=batch.unroll._replace(mixing=make_mixing(seed)))


@settings
@hypothesis.given(seed=SEEDS)
def test_losses_equal_loops(seed):
    batch = make(seed)
    x = {name: np.asarray(value, np.float64) for name, value in batch.unroll.mixing.items()}
    allowed, steps = np.asarray(batch.episodes.action_mask), real_steps(batch)
    optimal, non_optimal, counterfactual = [], [], []
    for b, t in steps:
        optimal.append((x["greedy_utilities"][b, t] - x["greedy_joint"][b, t] + x["state_value"][b, t]) ** 2)
        non_optimal.append(min(x["utilities"][b, t] - x["joint"][b, t] + x["state_value"][b, t], 0) ** 2)
        for i in range(AGENTS):
            gaps = x["other_utilities"][b, t, i] - x["other_joint"][b, t, i] + x["state_value"][b, t]
            if allowed[b, t, i].any():
                counterfactual.append(min(gaps[allowed[b, t, i]]) ** 2)
    expected = {"optimality": optimal, "nonoptimality": non_optimal, "counterfactual": counterfactual}
    for name, loss in jitted.items():
        found, metrics = loss(batch.unroll, batch.episodes)
        np.testing.assert_allclose(found, np.sum(expected[name]) / max(len(expected[name]), 1), rtol=1e-4, atol=1e-6)
        assert metrics["gap"] >= 0


@pytest.mark.parametrize("name", LOSSES)
def test_the_joint_value_is_not_taught(name):
    batch = make(1)

    def total(mixing):
        return LOSSES[name](batch.unroll._replace(mixing=mixing), batch.episodes, HPARAMS)[0]

    gradient = jax.grad(total)(batch.unroll.mixing)
    assert all(not np.any(g) for key, g in gradient.items() if key.endswith("joint"))
    taught = {key for key, g in gradient.items() if np.any(g)}
    which = {"optimality": "greedy_utilities", "nonoptimality": "utilities", "counterfactual": "other_utilities"}
    assert taught == {"state_value", which[name]}


def on_table(q, joint, state_value):
    """Every joint action of two agents as a step: what the three losses make of tables [N, A], [A, A] and a number."""
    actions = list(itertools.product(range(len(q[0])), repeat=2))
    greedy = tuple(int(np.argmax(row)) for row in q)
    other = [[[(a, u[1]) for a in range(len(q[0]))], [(u[0], a) for a in range(len(q[0]))]] for u in actions]

    def of(table):
        return jnp.asarray([[table(u) for u in actions]], jnp.float32)

    def of_others(table):
        return jnp.asarray([[[[table(u) for u in row] for row in rows] for rows in other]], jnp.float32)

    def summed(u):
        return q[0][u[0]] + q[1][u[1]]

    def valued(u):
        return joint[u[0]][u[1]]

    steps = len(actions)
    mixing = {
        "utilities": of(summed), "joint": of(valued), "state_value": jnp.full((1, steps), state_value),
        "greedy_utilities": of(lambda u: summed(greedy)), "greedy_joint": of(lambda u: valued(greedy)),
        "other_utilities": of_others(summed), "other_joint": of_others(valued),
    }  # fmt: skip
    unroll = make_batch(0).unroll._replace(mixing=mixing, weight=jnp.ones((1, steps, 1)))
    mask = jnp.ones((1, steps + 1, 2, len(q[0])), bool)
    episodes = make_batch(0).episodes._replace(action_mask=mask)
    return {name: float(loss(unroll, episodes)[0]) for name, loss in jitted.items()}


def conditions(q, joint, state_value):
    """Theorem 1 of the paper, by every joint action: whether D is 0 where agents are greedy, and never below."""
    gap = np.add.outer(q[0], q[1]) - joint + state_value
    greedy = tuple(np.argmax(row) for row in q)
    return np.isclose(gap[greedy], 0, atol=1e-5), (gap >= -1e-5).all()


PAYOFF = np.array([[8.0, -12, -12], [-12, 0, 0], [-12, 0, 0]])


def test_on_tables_that_keep_the_conditions_the_losses_are_zero():
    """QTRAN's matrix game, with values as in its table 1."""
    q, state_value = np.array([[4.0, 0, 0], [4.0, 0, 0]]), 0.0
    assert conditions(q, PAYOFF, state_value) == (True, True)
    found = on_table(q, PAYOFF, state_value)
    assert (found["optimality"], found["nonoptimality"]) == (0.0, 0.0)
    assert conditions(q - 1, PAYOFF, 2.0) == (True, True), "what is taken from the agents may stand in V"
    assert on_table(q - 1, PAYOFF, 2.0)["optimality"] == 0.0


@settings
@hypothesis.given(seed=SEEDS, tight=st.booleans())
def test_losses_are_zero_exactly_where_the_conditions_hold(seed, tight):
    rng = np.random.default_rng(seed)
    q, joint = rng.integers(-3, 4, (2, 3)).astype(float), rng.integers(-3, 4, (3, 3)).astype(float)
    greedy = tuple(np.argmax(row) for row in q)
    state_value = joint[greedy] - q[0][greedy[0]] - q[1][greedy[1]] if tight else float(rng.integers(-3, 4))
    if tight and seed % 2:
        joint = np.minimum(joint, np.add.outer(q[0], q[1]) + state_value)
    found = on_table(q, joint, state_value)
    assert (found["optimality"] == 0.0, found["nonoptimality"] == 0.0) == conditions(q, joint, state_value)
    if found["counterfactual"] == 0.0:
        assert conditions(q, joint, state_value)[1], "the alternative asks for more"


def test_the_alternative_asks_that_each_agent_has_an_action_without_a_gap():
    """Values that are well above the joint ones keep the conditions of QTRAN-base, and not these."""
    found = on_table(np.array([[4.0, 0, 0], [4.0, 0, 0]]), PAYOFF, 0.0)
    assert found["counterfactual"] == 0.0
    wide = on_table(np.array([[4.0, 3, 3], [4.0, 3, 3]]), PAYOFF, 0.0)
    assert wide["nonoptimality"] == 0.0 < wide["counterfactual"]
