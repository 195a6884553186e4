"""Replay of steps and of whole episodes, against the episodes that were put in."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from toy_env import AGENTS, HORIZON, Toy

from marlcomm.learners.collect import collect
from marlcomm.learners.episodes import empty_episode
from marlcomm.learners.replay import EpisodeReplay, StepReplay
from marlcomm.types import Episodes

KEY = jax.random.PRNGKey(9)
ENVS, ADDED, KEPT = 4, 3, 2  # the ring holds two of three additions


class Filled:
    """Rings of both kinds after three additions, and a batch of each."""

    def __init__(self):
        env, task = Toy(), Toy().task_spec

        def wait(observation, memory, key):
            return jax.random.randint(key, (ENVS, AGENTS), 0, 4), memory, None

        def fill(key):
            added = jax.lax.map(lambda key: collect(env, wait, None, ENVS, key)[0], jax.random.split(key, ADDED))
            found = {}
            for whole in (False, True):
                ring = StepReplay(task, ENVS, 40, KEPT * ENVS * HORIZON, whole)
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


def test_a_batch_holds_no_episode_twice_and_each_as_often_as_any():
    """Seven marked episodes in a ring of five, then of nine: the newest, or those that are there so far."""
    marked = jnp.arange(7)
    episodes = jax.tree.map(lambda x: jnp.broadcast_to(x, (7, *x.shape)), empty_episode(Toy().task_spec))
    episodes = episodes._replace(reward=episodes.reward + marked[:, None, None])

    @functools.partial(jax.jit, static_argnums=0)
    def draws(ring):
        state = ring.init()
        for first in range(0, 7):
            state = ring.add(state, jax.tree.map(lambda x: x[first : first + 1], episodes))  # noqa: B023
        keys = jax.random.split(KEY, 3000)
        return jax.vmap(lambda key: ring.sample(state, key).reward[:, 0, 0])(keys), ring.can_sample(state)

    for kept, held in ((5, range(2, 7)), (9, range(7))):
        found, ready = draws(EpisodeReplay(Toy().task_spec, kept, 4))
        assert bool(ready)
        assert all(len(set(batch)) == 4 for batch in found.tolist())
        share = np.array([(found == episode).any(1).mean() for episode in held])
        np.testing.assert_allclose(share, 4 / len(held), atol=0.04)
        assert set(np.unique(found)) == set(held)
