"""A simulator in pure NumPy, played through `act` and `learn` by hand, teaches what `step` teaches on the same task."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from toy_env import HORIZON, Toy

import marlcomm as mc
from marlcomm.learners import episode_keys, playing_key
from marlcomm.messages import Delay, Noise

ENVS, STEPS = 6, 4
SIZES = {"hidden": 4, "num_envs": ENVS, "batch_episodes": ENVS, "replay_episodes": 3 * ENVS, "batch_steps": 30,
         "replay_steps": 90, "update_interval": 15, "exploration_steps": 40, "cut_start": 10}  # fmt: skip
TEAMS = {
    "ndq": {"last_action": True},
    "ic3net": {"training_edit": [Delay(2), Noise(0.3)]},
    "commnet_maddpg": {"recurrent": True},
}
SLOW = pytest.param("commnet_maddpg", marks=pytest.mark.slow)


class ToyOutside:
    """The toy task without JAX, B episodes side by side; all that is random in them is given."""

    def __init__(self, script):
        self.script = jax.tree.map(np.asarray, script)
        self.time, self.ended = 0, np.zeros(ENVS, bool)

    def look(self):
        script, t = self.script, self.time
        return mc.Observation(
            agents_view=script.view[:, t],
            action_mask=script.mask[:, t],
            global_state=script.world[:, t],
            alive=script.alive[:, t],
            step_count=np.full(ENVS, t, np.int32),
        )

    def step(self, action):
        """[B, N] actions -> what `learn` is told of this step."""
        assert isinstance(action, np.ndarray)
        reward, valid = self.script.reward[:, self.time], ~self.ended
        self.time += 1
        over = (self.time >= self.script.length) & valid
        self.ended = self.ended | over
        return {"action": action, "reward": reward, "valid": valid, "terminal": over & ~self.script.truncated}


class ByHand:
    """The loop that a user writes: the keys are the contract."""

    def __init__(self, algorithm):
        self.learner, self.env = algorithm.learner, algorithm.env
        player, _ = self.learner.in_training(jax.eval_shape(algorithm.init, jax.random.PRNGKey(0)))
        self.act = jax.jit(player.act, static_argnames="training")
        self.learn = jax.jit(algorithm.learn)
        self.reset = jax.jit(jax.vmap(self.env.reset))

    def step(self, state, total_steps):
        reset_key, step_keys = episode_keys(playing_key(state), HORIZON)
        simulator = ToyOutside(self.reset(jax.random.split(reset_key, ENVS))[0])
        player, edit = self.learner.in_training(state)
        exploration, memory = self.learner.exploration(state), player.initial_memory(ENVS)
        seen, steps, decisions = [simulator.look()], [], []
        for key in step_keys:
            action, memory, decision = self.act(state.params, seen[-1], memory, key, exploration, edit, training=True)
            steps.append(simulator.step(np.asarray(action)))
            seen.append(simulator.look())
            decisions.append(decision)
        rows, happened = (jax.tree.map(lambda *x: np.stack(x, 1), *parts) for parts in (seen, steps))
        observed = {name: getattr(rows, name) for name in ("agents_view", "action_mask", "global_state", "alive")}
        episodes = mc.Episodes(**observed, **happened, won=np.ones(ENVS, bool))
        together = jax.tree.map(lambda *x: jnp.stack(x, 1), *decisions)
        return self.learn(state, episodes, together, total_steps)[0]


@pytest.mark.parametrize("name", ["ndq", "ic3net", SLOW])
def test_the_same_parameters_bit_for_bit(name):
    known = mc.algorithm_settings(name)
    sizes = {key: value for key, value in SIZES.items() if key in known}
    algorithm = mc.make_algorithm(name, Toy(), **sizes, **TEAMS[name])
    inside = outside = jax.jit(algorithm.init)(jax.random.PRNGKey(3))
    step, by_hand, total_steps = jax.jit(algorithm.step), ByHand(algorithm), jnp.float32(60)
    for _ in range(STEPS):
        inside, _ = step(inside, total_steps)
        outside = by_hand.step(outside, total_steps)
    assert int(inside.updates) > 0
    found, wanted = (jax.tree_util.tree_leaves_with_path(x.without_replay()) for x in (outside, inside))
    for (path, x), (_, y) in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(x, y, err_msg=jax.tree_util.keystr(path))
