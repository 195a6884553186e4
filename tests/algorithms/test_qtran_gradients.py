"""QTRAN on agents that talk: which loss teaches which module."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import marlcomm as mc
from marlcomm.networks import QTRANMixer

KEY = jax.random.PRNGKey(11)
EPISODES = 6
NAMES = ("temporal_difference", "optimality", "nonoptimality")


@pytest.fixture(scope="module", params=[False, True], ids=["base", "alternative"])
def gradients(request):
    """Module -> whether each of the losses teaches it."""
    algorithm = mc.build(
        "value",
        mc.make_env("hallway", lengths=(1, 2)),
        channel=mc.MeanChannel(dims=2),
        mixer=QTRANMixer(hidden=8, alternative=request.param),
        hidden=8,
        num_envs=EPISODES,
        batch_episodes=EPISODES,
        replay_episodes=EPISODES,
    )
    learner, hparams = algorithm.learner, algorithm.hparams
    assert tuple(learner.losses) == NAMES
    shapes, rng = jax.eval_shape(algorithm.init, KEY).params, np.random.default_rng(0)
    params = jax.tree.map(lambda x: jnp.asarray(0.5 * rng.normal(size=x.shape), jnp.float32), (shapes, shapes))

    @jax.jit
    def teaching(params):
        episodes = algorithm.play(params[0], KEY, exploration=1.0)[0]

        def each(params):
            unroll = learner.unroll(*params, episodes, hparams, KEY)
            return jnp.stack([learner.losses[name](unroll, episodes, hparams)[0] for name in NAMES])

        return jax.jacrev(each)(params)

    online, target = teaching(params)
    agent, mixer = online["agent"]["params"], online["mixer"]["params"]
    modules = {"agent": agent["head"], "channel": agent["channel"], "target": target, **mixer}
    return {
        name: [any(np.any(leaf[loss]) for leaf in jax.tree.leaves(module)) for loss in range(len(NAMES))]
        for name, module in modules.items()
    }


def test_the_joint_value_learns_by_td_and_agents_by_the_rest(gradients):
    assert gradients.pop("joint_value") == [True, False, False]
    assert gradients.pop("target") == [False, False, False]
    assert gradients.keys() == {"agent", "channel", "state_value"}
    assert all(taught == [False, True, True] for taught in gradients.values())
