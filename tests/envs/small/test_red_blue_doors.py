"""Red and blue doors: against another implementation, and exact values of silent and informed teams."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from exhaustive import all_outcomes
from silent_team import best_silent_value, informed_values

from marlcomm.envs.small.red_blue_doors import STAY, TOGGLE, RedBlueDoors, RedBlueDoorsState

STEPS = {0: (0, 1), 1: (1, 0), 2: (0, -1), 3: (-1, 0)}


class ByTheBook:
    """The task in plain Python, from its description."""

    def __init__(self, size, view, steps, places, door_rows, red_side):
        self.size, self.view, self.steps, self.time = size, view, steps, 0
        self.places, self.facing = [tuple(place) for place in places], [0, 0]
        sides = {0: (int(door_rows[0]), 0), 1: (int(door_rows[1]), size - 1)}
        self.doors = {"red": sides[red_side], "blue": sides[1 - red_side]}
        self.opened = {"red": False, "blue": False}

    def step(self, actions):
        """Returns reward and whether the episode is over."""
        self.time += 1
        before = dict(self.opened)
        for agent, action in enumerate(actions):
            row, column = self.places[agent]
            if action in STEPS:
                self.facing[agent] = action
                to = (row + STEPS[action][0], column + STEPS[action][1])
                if all(0 < at < self.size - 1 for at in to):
                    self.places[agent] = to
            if action == TOGGLE:
                for color, door in self.doors.items():
                    self.opened[color] |= door == self.faced(agent)
        if not self.opened["blue"]:
            return 0.0, self.time == self.steps
        return (1 - 0.9 * self.time / self.steps) * before["red"], True

    def faced(self, agent):
        return tuple(at + by for at, by in zip(self.places[agent], STEPS[self.facing[agent]], strict=True))

    def view_of(self, agent):
        (row, column), reach, seen = self.places[agent], self.view // 2, []
        for r, c in itertools.product(range(row - reach, row + reach + 1), range(column - reach, column + reach + 1)):
            inside, cell = 0 <= r < self.size and 0 <= c < self.size, (r, c)
            door = {color: cell == place for color, place in self.doors.items()}
            is_wall = inside and (r in (0, self.size - 1) or c in (0, self.size - 1)) and not any(door.values())
            is_open = any(door[color] and self.opened[color] for color in door)
            other = self.places[1 - agent] == cell and cell != (row, column)
            seen += [is_wall, door["red"], door["blue"], is_open, other]
        return np.array([*seen, *(self.facing[agent] == heading for heading in STEPS)], float)


@pytest.mark.parametrize(("size", "view", "steps"), [(5, 3, 40), (10, 5, 12)])
def test_random_play_is_that_of_another_implementation(size, view, steps):
    env = RedBlueDoors(size, view, steps)
    reset, step, rng = jax.jit(env.reset), jax.jit(env.step), np.random.default_rng(0)
    won = ends = 0
    for episode in range(15):
        state, now = reset(jax.random.key(episode))
        book = ByTheBook(
            size, view, steps, np.asarray(state.position).tolist(), state.door_row.tolist(), int(state.red_side)
        )
        over = False
        while not over:
            for agent, seen in enumerate(np.asarray(now.observation.agents_view)):
                np.testing.assert_array_equal(seen, book.view_of(agent))
            action = rng.integers(0, 6, 2)
            at_door = [book.faced(agent) in book.doors.values() for agent in range(2)]
            action = np.where(np.array(at_door) & (rng.random(2) < 0.5), TOGGLE, action)
            reward, over = book.step(action)
            state, now = step(state, jnp.asarray(action, jnp.int32))
            np.testing.assert_allclose(now.reward, [reward, reward], atol=1e-6)
            assert bool(now.last()) == over
            assert bool(now.extras["red_opened"]) == book.opened["red"]
            assert bool(now.extras["won"]) == (reward > 0)
        assert now.discount == 0
        won, ends = won + (reward > 0), ends + (book.time < steps)
    if size == 5:  # the small room is where random play wins, and loses
        assert ends > won > 0


def every_state(size):
    """All states of a small room, closed and with the red door open, and which of them an episode may start in."""
    inside = list(itertools.product(range(1, size - 1), repeat=2))
    rows = range(1, size - 1)
    found = list(
        itertools.product(
            itertools.product(inside, repeat=2),
            itertools.product(range(4), repeat=2),
            itertools.product(rows, repeat=2),
            range(2),
            [False, True],
        )
    )
    position, heading, door_row, red_side, red_open = (np.array(each) for each in zip(*found, strict=True))
    count = len(found)
    states = RedBlueDoorsState(
        position=jnp.asarray(position, jnp.int32),
        heading=jnp.asarray(heading, jnp.int32),
        door_row=jnp.asarray(door_row, jnp.int32),
        red_side=jnp.asarray(red_side, jnp.int32),
        is_open=jnp.stack([jnp.asarray(red_open), jnp.zeros(count, bool)], axis=1),
        over=jnp.zeros(count, bool),
        step_count=jnp.zeros(count, jnp.int32),
    )
    apart = (position[:, 0] != position[:, 1]).any(axis=-1)
    starts = np.flatnonzero(apart & (heading == 0).all(axis=1) & ~red_open)
    return states, starts


def numbered(states):
    """[states] a number for each state of a 4x4 room, whatever the step."""
    parts = [*states.position.reshape(-1, 4).T - 1, *states.heading.T, *states.door_row.T - 1, states.red_side]
    bases = [2, 2, 2, 2, 4, 4, 2, 2, 2]
    return np.ravel_multi_index([*(np.asarray(part) for part in parts), np.asarray(states.is_open[:, 0])], [*bases, 2])


@pytest.mark.parametrize(
    ("steps", "silent", "informed", "alone"),
    [(4, 25.8 / 96, 30.3 / 96, 4.35 / 96), pytest.param(8, 60.9 / 96, 63.15 / 96, 43.35 / 96, marks=pytest.mark.slow)],
)
def test_what_a_word_is_worth_in_a_small_room(steps, silent, informed, alone):
    env = RedBlueDoors(size=4, view=3, steps=steps)
    states, starts = every_state(4)
    count = len(states.red_side)
    index = np.zeros(count, int)
    index[numbered(states)] = np.arange(count)
    reward, following = np.zeros((2, steps, count, 36))
    for t in range(steps):
        _, after, played = all_outcomes(env, states._replace(step_count=jnp.full(count, t)))
        reward[t] = played.reward[..., 0]
        flat = jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), after)
        following[t] = np.where(played.last(), -1, index[numbered(flat)].reshape(count, 36))
    shape = (steps, count, 6, 6)
    seen = np.asarray(jax.jit(jax.vmap(env.get_observation))(states).agents_view)
    _, views = np.unique(seen.reshape(2 * count, -1), axis=0, return_inverse=True)
    following = following.astype(int).reshape(shape)
    found = best_silent_value(starts, views.reshape(count, 2), reward.reshape(shape), following)
    assert found == pytest.approx((silent, informed))
    with_a_mute = informed_values(reward.reshape(shape)[..., [STAY]], following[..., [STAY]])[0]
    assert with_a_mute.reshape(count, -1).max(axis=1)[starts].mean() == pytest.approx(alone)
    assert len(starts) == 96


def soonest_wins(size):
    """The step at which the red and then the blue door can be open, for all that `reset` may draw.

    [colors, pairs of cells, rows, rows] each: by both agents, and by agent 0 alone.
    """
    inside, rows = np.array(list(itertools.product(range(1, size - 1), repeat=2))), np.arange(1, size - 1)
    pairs = np.array(list(itertools.permutations(inside.tolist(), 2)))[:, :, None, None]  # [pairs, 2, 1, 1, 2]
    agents = pairs[:, 0], pairs[:, 1]
    door_rows = rows[:, None], rows[None, :]
    opens = [[to_door(agent, door_rows[side], side, size) for side in (0, 1)] for agent in agents]
    across = size - 3 + abs(door_rows[0] - door_rows[1]) + 1  # from one door, which is open, to have opened the other
    team, alone = [], []
    for red in (0, 1):
        (red_a, blue_a), (red_b, blue_b) = [(each[red], each[1 - red]) for each in opens]
        ways = [np.maximum(red_a + 1, blue_b), np.maximum(red_b + 1, blue_a), red_a + across, red_b + across]
        team.append(np.minimum.reduce(np.broadcast_arrays(*ways)))
        alone.append(np.broadcast_to(red_a + across, team[-1].shape))
    return np.array(team), np.array(alone)


def to_door(place, door_row, side, size):
    """Steps until an agent at `place` that faces right has opened a door in the left (0) or right (1) wall."""
    down, along = abs(place[..., 0] - door_row), abs(place[..., 1] - (1, size - 2)[side])
    turn = np.where(along > 0, 0, np.where(down > 0, 1, int(side == 0)))  # the last move along a row turns it anyway
    return down + along + turn + 1


@pytest.mark.parametrize(
    ("size", "steps", "informed", "alone"),
    [(4, 4, 0.315625, 0.0453), (4, 8, 0.657813, 0.4516), (6, 20, 0.793281, 0.5852), (10, 40, 0.823942, 0.5980),
     (10, 2048, 0.996561, 0.9921)],
)  # fmt: skip
def test_full_information_at_the_published_size(size, steps, informed, alone):
    """By the shortest ways, which agree with dynamic programming where that is done, above."""
    for soonest, worth in zip(soonest_wins(size), (informed, alone), strict=True):
        assert np.where(soonest <= steps, 1 - 0.9 * soonest / steps, 0.0).mean() == pytest.approx(worth, abs=5e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 3}, "size=3 must be a whole number, 4 to"),
        ({"view": 6}, "view=6 must be odd, such as 5"),
        ({"size": 4, "view": 9}, "view=9 must be a whole number, 1 to 7"),
        ({"steps": 0}, "steps=0"),
    ],
)
def test_options_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        RedBlueDoors(**options)
