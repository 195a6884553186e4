"""The scripted teams that learned ones are held to."""

import jax
import numpy as np
import pytest

import marlcomm as mc
from experiments.particle_methods import COMPARED, SHORT_SIGHTED, algorithm_of, told_the_cell
from marlcomm.envs.particle import scripted

EPISODES = 400


def earned(env, controller):
    """[EPISODES] returns, of the same episodes whatever the controller."""
    return np.asarray(scripted.returns(env, controller, jax.random.PRNGKey(0), EPISODES))[:, 0]


def test_knowing_the_place_of_the_prey_more_exactly_is_worth_more_to_the_short_sighted():
    env = mc.make_env("predator_prey", controls="pairs", **SHORT_SIGHTED.options)
    by_cells = [earned(env, told_the_cell(cells)(env)) for cells in (1, 2, 4)]
    for fewer, more in zip(by_cells, [*by_cells[1:], earned(env, scripted.chase_on_ring(env))], strict=True):
        gain = more - fewer
        assert gain.mean() > 2 * gain.std() / EPISODES**0.5


def test_who_sees_the_prey_needs_no_word():
    env = mc.make_env("predator_prey", controls="pairs", num_predators=2, steps=10)
    state, _ = env.reset(jax.random.PRNGKey(3))
    np.testing.assert_array_equal(told_the_cell(1)(env)(state), scripted.chase_on_ring(env)(state))


@pytest.mark.filterwarnings("error::FutureWarning")
@pytest.mark.parametrize("method", COMPARED)
def test_every_method_is_made_by_todays_names(method):
    assert algorithm_of(method, SHORT_SIGHTED, steps=1000).settings
