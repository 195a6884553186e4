"""The matrix game against the corrected values of RGMComm's figure 1."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from exhaustive import all_outcomes

from marlcomm.cli.settings import split_settings
from marlcomm.envs import check_env
from marlcomm.envs.small.matrix_game import QTRAN_TABLE, MatrixGame, MatrixGameState


@pytest.fixture(scope="module")
def rewards():
    """[first observation, second observation, action of agent 0]"""
    env = MatrixGame()
    seen = jnp.array(list(itertools.product(range(2), range(4))), jnp.int32)
    states = MatrixGameState(seen, jnp.full((8, 2), -1, jnp.int32), jnp.zeros((8,), jnp.int32))
    _, _, steps = all_outcomes(env, states)
    reward = steps.reward.mean(-1).reshape(2, 4, 2, 2)
    assert (reward[..., 0] == reward[..., 1]).all()  # agent 1's action does not matter
    assert (steps.observation.action_mask == [[True, True], [True, False]]).all()
    return reward[..., 0].astype(float)


def test_returns_by_number_of_messages(rewards):
    best = {}
    for labels in itertools.product(range(4), repeat=4):  # which message stands for each second observation
        value = 0.0
        for label in set(labels):
            members = [second for second in range(4) if labels[second] == label]
            value += rewards[:, members].sum(axis=1).max(axis=-1).sum() / 8
        size = len(set(labels))
        best[size] = max(best.get(size, -np.inf), value)
    assert [best[size] for size in (1, 2, 3, 4)] == pytest.approx([33.325, 38.05, 38.7375, 39.15], abs=1e-4)


def test_the_papers_partition(rewards):
    value = sum(rewards[:, members].sum(axis=1).max(axis=-1).sum() / 8 for members in ([0, 2], [1, 3]))
    assert value == pytest.approx(38.05, abs=1e-4)
    assert rewards.max(axis=-1).sum(axis=1) / 4 == pytest.approx([34.45, 43.85], abs=1e-4)


def test_another_table():
    env = MatrixGame([[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]])
    state = MatrixGameState(jnp.array([0, 2]), jnp.array([-1, -1]), jnp.array(0))
    _, step = env.step(state, jnp.array([1, 0]))
    np.testing.assert_array_equal(step.reward, [6.0, 6.0])
    np.testing.assert_array_equal(step.observation.agents_view, [[1, 0, 0], [0, 0, 1]])
    np.testing.assert_array_equal(step.observation.global_state, [1, 0, 0, 1])


@pytest.mark.parametrize("setting", ["task.table=qtran", 'task.table="qtran"'])
def test_the_command_line_knows_tables_by_name(setting):
    algorithm, _ = split_settings("qtran", "matrix_game", [setting])
    assert isinstance(algorithm.env, MatrixGame)
    np.testing.assert_array_equal(algorithm.env.table, QTRAN_TABLE)
    assert algorithm.env.made_by == ("matrix_game", {"table": "qtran"})
    np.testing.assert_array_equal(MatrixGame("rgmcomm").table, MatrixGame().table)
    with pytest.raises(ValueError, match="table='qtrna' is not known"):
        MatrixGame("qtrna")


@pytest.mark.parametrize("table", [[], [[1.0, 2.0]], [[[1.0], [1.0, 2.0]]], [[[float("nan")]]]])
def test_tables_are_checked(table):
    with pytest.raises(ValueError, match="regular table"):
        MatrixGame(table)


def test_both_agents_act_where_the_table_says_so():
    """QTRAN's game, and one with fewer actions of one agent than of the other."""
    env = MatrixGame(QTRAN_TABLE)
    states = MatrixGameState(jnp.zeros((1, 2), jnp.int32), jnp.full((1, 2), -1, jnp.int32), jnp.zeros(1, jnp.int32))
    _, _, steps = all_outcomes(env, states)
    payoff = [[8, -12, -12], [-12, 0, 0], [-12, 0, 0]]
    np.testing.assert_array_equal(steps.reward.reshape(3, 3, 2), np.repeat(payoff, 2).reshape(3, 3, 2))
    assert (env.num_actions, env.observation_size, env.state_size) == (3, 1, 2)
    assert steps.observation.action_mask.all()
    uneven = MatrixGame([[[[1.0, 2.0, 3.0]], [[4.0, 5.0, 6.0]]]])
    _, step = uneven.reset(jax.random.PRNGKey(0))
    np.testing.assert_array_equal(step.observation.action_mask, [[True, True, False], [True, True, True]])
    check_env(uneven)
