"""What the experiment reads of trained teams."""

import jax
import numpy as np
import pytest

import marlcomm as mc
from experiments.factorization_matrix_game import METHODS, SETTINGS, reconstructed
from marlcomm.envs.small.matrix_game import QTRAN_TABLE, MatrixGame


@pytest.mark.parametrize("method", ["vdn", "qplex"])
def test_joint_values_are_those_of_every_joint_action(method):
    name, settings = METHODS[method]
    algorithm = mc.make_algorithm(name, MatrixGame(QTRAN_TABLE), hidden=4, **SETTINGS, **settings)
    params = jax.vmap(lambda key: algorithm.init(key).params)(jax.random.split(jax.random.PRNGKey(0), 2))
    utilities, joint = reconstructed(algorithm, params)
    assert (utilities.shape, joint.shape) == ((2, 2, 3), (2, 3, 3))
    for q, values in zip(utilities, joint, strict=True):
        if method == "vdn":
            np.testing.assert_allclose(values, q[0][:, None] + q[1], rtol=1e-5)
        assert values[q[0].argmax(), q[1].argmax()] == pytest.approx(values.max())
