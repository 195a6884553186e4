"""Replay of steps and of whole episodes, against the episodes that were put in."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from toy_env import AGENTS, HORIZON, Toy

from marlcomm.learners.collect import collect
from marlcomm.learners.replay import StepReplay
from marlcomm.types import Episodes

KEY = jax.random.PRNGKey(9)
ENVS, ADDED, KEPT = 4, 3, 2  # the ring holds two of three additions


class Filled:
    """Rings of both kinds after three additions, and a batch of each."""

    def __init__(self):
        env = Toy()

        def wait(observation, memory, key):
            return jax.random.randint(key, (ENVS, AGENTS), 0, 4), memory, None

        def fill(key):
            added = jax.lax.map(lambda key: collect(env, wait, None, ENVS, key)[0], jax.random.split(key, ADDED))
            found = {}
            for whole in (False, True):
                ring = StepReplay(env, ENVS, 40, KEPT * ENVS * HORIZON, whole)
                state, ready = ring.init(), []
                for each in range(ADDED):
                    ready.append(ring.can_sample(state))
                    state = ring.add(state, jax.tree.map(lambda x, each=each: x[each], added))
                found[whole] = (ring.sample(state, key), jnp.stack(ready))
            return added, found

        added, found = jax.jit(fill)(KEY)
        self.stored = jax.tree.map(lambda x: np.asarray(x[1:]).reshape(-1, *x.shape[2:]), added)
        self.drawn = {whole: jax.tree.map(np.asarray, batch) for whole, (batch, _) in found.items()}
        self.ready = {whole: ready.tolist() for whole, (_, ready) in found.items()}


@pytest.fixture(scope="module")
def filled():
    return Filled()


def test_a_drawn_step_is_one_of_the_newest_episodes_and_is_followed_by_what_came_next(filled):
    stored, drawn = filled.stored, filled.drawn[False]
    assert drawn.valid.shape == (40, 1)
    views = stored.agents_view
    places = {views[e, t].tobytes(): (e, t) for e, t in np.ndindex(views.shape[:2])}
    seen = set()
    for b in np.flatnonzero(drawn.valid[:, 0]):
        (e, t), after = (places[drawn.agents_view[b, k].tobytes()] for k in (0, 1))
        assert after == (e, t + 1)
        for name in ("action_mask", "global_state", "alive"):
            np.testing.assert_array_equal(getattr(drawn, name)[b], getattr(stored, name)[e, t : t + 2])
        for name in ("action", "reward", "terminal", "valid"):
            np.testing.assert_array_equal(getattr(drawn, name)[b, 0], getattr(stored, name)[e, t])
        assert drawn.won[b] == stored.won[e]
        seen.add((e, t))
    assert len(seen) > 10


def test_a_drawn_episode_is_one_of_the_newest_and_whole(filled):
    stored, drawn = filled.stored, filled.drawn[True]
    assert drawn.valid.shape == (40 // HORIZON, HORIZON)
    places = {view.tobytes(): e for e, view in enumerate(stored.agents_view)}
    origins = [places[view.tobytes()] for view in drawn.agents_view]
    assert len(set(origins)) > 2
    for name in Episodes._fields:
        np.testing.assert_array_equal(getattr(drawn, name), getattr(stored, name)[origins], err_msg=name)


def test_a_ring_is_ready_once_it_holds_a_batch(filled):
    assert filled.ready == {False: [False, False, True], True: [False, False, True]}
