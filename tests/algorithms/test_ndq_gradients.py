"""NDQ on hallway: which loss teaches which module, and that padding teaches nothing."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from marlcomm.algorithms import ndq
from marlcomm.envs.registry import make_env
from marlcomm.messages import GaussianChannel
from marlcomm.networks import MonotonicMixer

KEY = jax.random.PRNGKey(11)
NAMES = ("temporal_difference", "expressiveness", "succinctness")
EPISODES = 6


class Case:
    """NDQ with small networks, episodes of it, and all three losses with all their gradients in one program."""

    def __init__(self):
        channel = GaussianChannel(dims=2, hidden=8, posterior_width=2)
        self.algorithm = ndq(
            make_env("hallway", lengths=(1, 2)),
            channel=channel,
            mixer=MonotonicMixer(embedding=4),
            hidden=8,
            num_envs=EPISODES,
            batch_episodes=EPISODES,
            replay_episodes=EPISODES,
        )
        learner, hparams = self.algorithm.learner, self.algorithm.hparams
        rng = np.random.default_rng(0)
        shapes = jax.eval_shape(self.algorithm.init, KEY).params

        def draw():
            return jax.tree.map(lambda x: jnp.asarray(0.5 * rng.normal(size=x.shape), jnp.float32), shapes)

        self.params = (draw(), draw())  # online, target
        play = jax.jit(lambda params: self.algorithm.play(params, KEY, exploration=1.0)[0])
        self.episodes = play(self.params[0])

        @jax.jit
        def losses(params, episodes):
            def each(params):
                unroll = learner.unroll(*params, episodes, hparams, KEY)
                return jnp.stack([learner.losses[name](unroll, episodes, hparams)[0] for name in NAMES])

            return each(params), jax.jacrev(each)(params)

        self.losses = losses


@pytest.fixture(scope="module")
def case():
    return Case()


@pytest.fixture(scope="module")
def gradients(case):
    """Module -> [leaves], each with a leading axis of losses."""
    online, target = case.losses(case.params, case.episodes)[1]
    agent = online["agent"]["params"]
    modules = {
        "encoder": agent["channel"]["encoder"],
        "posterior": agent["channel"]["posterior"],
        "input_layer": agent["input_layer"],
        "recurrent": agent["recurrent"],
        "head": agent["head"],
        "mixer": online["mixer"],
        "target": target,
    }
    counted = sum(len(jax.tree.leaves(x)) for x in modules.values())
    assert counted == len(jax.tree.leaves((online, target))), "every parameter belongs to one of these modules"
    return modules


TAUGHT_BY = {
    "encoder": {"temporal_difference", "expressiveness", "succinctness"},
    "posterior": {"expressiveness"},
    "input_layer": {"temporal_difference"},
    "recurrent": {"temporal_difference"},
    "head": {"temporal_difference"},
    "mixer": {"temporal_difference"},
    "target": set(),
}


@pytest.mark.parametrize("loss", NAMES)
@pytest.mark.parametrize("module", TAUGHT_BY)
def test_gradient_reaches_what_it_should_and_nothing_else(gradients, module, loss):
    for path, leaf in jax.tree_util.tree_leaves_with_path(gradients[module]):
        reached = bool(np.any(leaf[NAMES.index(loss)]))
        assert reached == (loss in TAUGHT_BY[module]), f"{module}{jax.tree_util.keystr(path)}"


def scramble_after_end(episodes, seed):
    """Other contents after the last real step; the observation after a terminal step is beyond the end too."""
    rng = np.random.default_rng(seed)
    episodes = jax.tree.map(np.array, episodes)
    for b, valid in enumerate(episodes.valid):
        length = valid.sum()
        assert episodes.terminal[b, length - 1], "hallway's limit is part of the task"
        for name in ("agents_view", "global_state", "reward"):
            rest = getattr(episodes, name)[b, length:]
            rest[...] = 100 * rng.normal(size=rest.shape)
        for name in ("action_mask", "alive", "terminal"):
            rest = getattr(episodes, name)[b, length:]
            rest[...] = rng.random(rest.shape) < 0.5
        rest = episodes.action[b, length:]
        rest[...] = rng.integers(0, 3, rest.shape)
    return episodes


@pytest.mark.parametrize("seed", range(5))
def test_nothing_after_the_end_changes_any_loss_or_gradient(case, seed):
    losses, gradients = case.losses(case.params, case.episodes)
    lengths = case.episodes.valid.sum(1)
    assert len(set(lengths.tolist())) > 1
    changed = scramble_after_end(case.episodes, seed)
    assert not np.array_equal(changed.agents_view, case.episodes.agents_view)
    losses_then, gradients_then = case.losses(case.params, changed)
    np.testing.assert_allclose(losses_then, losses, rtol=1e-6)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), gradients_then, gradients)


def test_what_is_before_the_end_does_change_the_losses(case):
    """The test above would pass if nothing counted at all."""
    first = np.zeros((case.episodes.agents_view.shape[1], 1, 1))
    first[0] = 1
    changed = case.episodes._replace(agents_view=case.episodes.agents_view + first)
    assert np.all(case.losses(case.params, changed)[0] != case.losses(case.params, case.episodes)[0])
