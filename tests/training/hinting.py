"""One task twice: in JAX, and as a simulator in NumPy that a driver of its own plays.

Agent 0 sees which of three places is the target, agent 1 goes to one a step and is paid where it is the target, which
ends the episode; after four steps time is up.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np

import marlcomm as mc
from marlcomm.learners.collect import episode_keys
from marlcomm.training.drivers import Played
from marlcomm.training.host_driver import HostDriver
from marlcomm.types import Episodes

AGENTS, PLACES, SEEN, HORIZON = 2, 3, 4, 4


class Hinting(mc.Environment):
    """In JAX."""

    def __init__(self):
        self.num_agents, self.num_actions, self.horizon = AGENTS, PLACES, HORIZON
        self.observation_size, self.state_size = SEEN, PLACES
        super().__init__()

    def reset(self, key):
        target = (key[1] % PLACES).astype(jnp.int32)
        return (target, jnp.int32(0)), mc.restart(self._look(target, jnp.int32(0)), {"won": jnp.bool_(False)})

    def step(self, state, action):
        target, count = state[0], state[1] + 1
        found = action[1] == target
        over = ~found & (count >= HORIZON)
        return (target, count), mc.timestep(self._look(target, count), found, found, over, {"won": found})

    def _look(self, target, count):
        hint = jax.nn.one_hot(target, PLACES)
        views = jnp.stack([jnp.append(hint, count / HORIZON), jnp.append(0 * hint, count / HORIZON)])
        return self.observe(views, hint, count)


class HintingOutside(Hinting):
    """As a name for a simulator outside JAX, which its driver plays."""

    @functools.cached_property
    def driver(self):
        return NumpyDriver()

    def reset(self, key):
        raise AssertionError("this task is played by its driver")

    def step(self, state, action):
        raise AssertionError("this task is played by its driver")


class Simulator:
    """Some copies in NumPy. JAX is not asked."""

    def __init__(self, keys: np.ndarray):
        self.target, self.count = (keys[:, 1] % PLACES).astype(np.int32), 0

    def look(self, ended: np.ndarray) -> mc.Observation:
        """What is seen; nothing where an episode was over before."""
        hint = np.eye(PLACES, dtype=np.float32)[self.target] * ~ended[:, None]
        time = np.float32(self.count / HORIZON) * ~ended
        batch = len(self.target)
        return mc.Observation(
            agents_view=np.stack([np.c_[hint, time], np.c_[0 * hint, time]], 1).astype(np.float32),
            action_mask=np.ones((batch, AGENTS, PLACES), bool),
            global_state=hint,
            alive=np.ones((batch, AGENTS), bool),
            step_count=np.full(batch, self.count, np.int32),
        )

    def step(self, action: np.ndarray) -> np.ndarray:
        """[B] whether the target was found."""
        self.count += 1
        return action[:, 1] == self.target


class NumpyDriver(HostDriver):
    """One process, one step after the other."""

    played = 0  # how often it was asked

    def play(self, algorithm, params, key, episodes, *, exploration=0.0, edit=None, progress=1.0, training=False):
        self.played += 1
        act, memory, edit = self.acting(algorithm, edit, training)
        memory, (reset_key, step_keys) = memory(episodes), episode_keys(key, HORIZON)
        simulator, over = Simulator(np.asarray(jax.random.split(reset_key, episodes))), np.zeros(episodes, bool)
        seen, steps, decisions = [simulator.look(over)], [], []
        for step_key in step_keys:
            action, memory, decision = act(params, seen[-1], memory, step_key, exploration, edit)
            real, found = ~over, simulator.step(np.asarray(action)) & ~over
            steps.append((np.asarray(action), np.repeat(np.float32(found)[:, None], AGENTS, 1), found, real, found))
            seen.append(simulator.look(over))
            decisions.append(decision)
            over = over | found
        seen, steps, decisions = (jax.tree.map(lambda *x: np.stack(x, 1), *each) for each in (seen, steps, decisions))
        action, reward, terminal, valid, won = steps
        observed = (seen.agents_view, seen.action_mask, seen.global_state, seen.alive)
        return Played(Episodes(*observed, action, reward, terminal, valid, won.any(1)), decisions, None)
