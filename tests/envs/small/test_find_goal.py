"""Find goal: against another implementation, and exact values of silent and informed teams."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from exhaustive import all_outcomes
from team_program import TeamProgram

from marlcomm.envs.small.find_goal import FindGoal, FindGoalState

STEPS = ((0, 1), (1, 0), (0, -1), (-1, 0), (0, 0))


class ByTheBook:
    """The task in plain Python, from its description."""

    def __init__(self, view, steps, places, goal, walls):
        self.view, self.steps, self.time, self.goal = view, steps, 0, tuple(goal)
        self.places, self.walls = [tuple(place) for place in places], walls
        self.there = [False] * len(places)

    def step(self, actions):
        """Returns rewards and whether the episode is over."""
        self.time += 1
        reward = np.zeros(len(self.places))
        for agent, action in enumerate(actions):
            if self.there[agent]:
                continue
            to = tuple(at + by for at, by in zip(self.places[agent], STEPS[action], strict=True))
            self.places[agent] = self.places[agent] if self.walls[to] else to
            if self.places[agent] == self.goal:
                self.there[agent], reward[agent] = True, 1.0
        return reward + all(self.there), all(self.there) or self.time == self.steps

    def view_of(self, agent):
        size, (row, column), reach, seen = len(self.walls), self.places[agent], self.view // 2, []
        for r, c in itertools.product(range(row - reach, row + reach + 1), range(column - reach, column + reach + 1)):
            inside, cell = 0 <= r < size and 0 <= c < size and not self.there[agent], (r, c)
            others = [self.places[other] for other in range(len(self.places)) if not self.there[other]]
            other = cell in others and cell != (row, column)
            seen += [inside and self.walls[cell], inside and cell == self.goal, inside and other]
        place = [row == at for at in range(size)] + [column == at for at in range(size)]
        return np.array([*seen, *place, self.there[agent]], float)


@pytest.mark.parametrize(
    "options", [{"size": 6, "num_agents": 3, "view": 5, "clutter": 0.3, "steps": 30}, {"steps": 9}]
)
def test_random_play_is_that_of_another_implementation(options):
    env = FindGoal(**options)
    reset, step, rng = jax.jit(env.reset), jax.jit(env.step), np.random.default_rng(0)
    arrivals = []
    for episode in range(12):
        state, now = reset(jax.random.key(episode))
        walls = np.asarray(state.is_wall)
        assert walls[1:-1, 1:-1].sum() == env.num_walls
        book = ByTheBook(env.view, env.horizon, np.asarray(state.position).tolist(), state.goal.tolist(), walls)
        assert len({book.goal, *book.places}) == env.num_agents + 1
        assert not any(walls[place] for place in (book.goal, *book.places))
        over = False
        while not over:
            seen = jax.device_get(now.observation)
            for agent in range(env.num_agents):
                np.testing.assert_array_equal(seen.agents_view[agent], book.view_of(agent))
                np.testing.assert_array_equal(seen.action_mask[agent], [not book.there[agent]] * 4 + [True])
            action = np.argmax(rng.random((env.num_agents, 5)) * seen.action_mask, axis=1)
            reward, over = book.step(action)
            state, now = step(state, jnp.asarray(action, jnp.int32))
            np.testing.assert_array_equal(now.reward, reward)
            assert bool(now.last()) == over
            assert int(now.extras["arrived"]) == sum(book.there)
            assert bool(now.extras["won"]) == all(book.there)
        assert now.discount == 0
        arrivals.append(sum(book.there))
    assert env.horizon == 9 or 0 < sum(arrivals) < 12 * env.num_agents


CELLS = list(itertools.product(range(1, 4), repeat=2))  # of the 3x3 inside
SIZE = 5  # with its walls
# steps -> sums over the 504 starts of the best returns, of informed and of silent teams
WORTH = [(2, 620, 218), pytest.param(3, 924, 341, marks=pytest.mark.slow)]


def distance(one, other):
    return abs(one[0] - other[0]) + abs(one[1] - other[1])


@pytest.mark.parametrize(("time", "informed", "silent"), WORTH)
def test_full_information_takes_the_shortest_ways(time, informed, silent):
    """By dynamic programming over the task's own step, for every start; and so the mean over starts."""
    env = FindGoal(SIZE, num_agents=2, view=1, clutter=0.0, steps=time)
    places = list(itertools.product(CELLS, CELLS, CELLS))  # agents and goal
    position, goal = np.array([place[:2] for place in places]), np.array([place[2] for place in places])
    states = FindGoalState(
        position=jnp.asarray(position, jnp.int32),
        goal=jnp.asarray(goal, jnp.int32),
        is_wall=jnp.broadcast_to(jnp.asarray(env._border), (len(places), SIZE, SIZE)),
        arrived=jnp.asarray((position == goal[:, None]).all(-1)),
        step_count=jnp.zeros(len(places), jnp.int32),
    )
    _, after, played = all_outcomes(env, states)
    digits = np.concatenate([after.position.reshape(len(places), 25, 4), after.goal], axis=-1) - 1
    following = digits @ 3 ** np.arange(5, -1, -1)
    reward, value = np.asarray(played.reward).mean(-1), np.zeros(len(places))
    for _ in range(time):
        value = (reward + value[following]).max(axis=1)
    starts = [number for number, place in enumerate(places) if len(set(place)) == 3]
    right = []
    for number in starts:
        near = [distance(place, places[number][2]) <= time for place in places[number][:2]]
        right.append(np.mean(near) + all(near))
    np.testing.assert_allclose(value[starts], right)
    assert sum(right) == pytest.approx(informed)
    assert len(right) == 504


def covers(start, time):
    """What an agent can have stepped on after so many steps, without those that others contain."""
    walks = {(start, frozenset())}
    for _ in range(time):
        walks = {(to, seen | {to}) for at, seen in walks for to in CELLS if distance(at, to) == 1}
    found = {seen - {start} for _, seen in walks}
    return [seen for seen in found if not any(seen < other for other in found)]


@pytest.mark.parametrize(("time", "informed", "silent"), WORTH)
def test_what_silence_costs(time, informed, silent):
    """Agents that see only their own cell learn nothing from each other: a policy is a walk for each start."""
    program = TeamProgram()
    steps_on = [{}, {}]  # agent -> (start, goal) -> variables of the walks from there that step on the goal
    for agent, start in itertools.product(range(2), CELLS):
        walks = covers(start, time)
        for walk, variable in zip(walks, program.one_of(len(walks)), strict=True):
            for goal in walk:
                steps_on[agent].setdefault((start, goal), []).append(variable)
    starts = list(itertools.permutations(CELLS, 3))
    for first, second, goal in starts:
        reached = [steps_on[0].get((first, goal), []), steps_on[1].get((second, goal), [])]
        both = program.variable(worth=1.0)
        for mine in reached:
            each = program.variable(worth=0.5)
            program.at_most(0, (1, [each]), (-1, mine))
            program.at_most(0, (1, [both]), (-1, mine))
    assert program.best() == pytest.approx(silent)
    assert silent < informed


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 3}, "size=3 must be a whole number, 4 to"),
        ({"view": 4}, "view=4 must be odd, such as 3"),
        ({"clutter": 1.5}, "clutter=1.5 must be"),
        ({"size": 4, "clutter": 0.5}, "num_agents=3 must be at most 1, with size=4 and clutter=0.5"),
        ({"team_reward": float("nan")}, "team_reward=nan must be a finite number"),
        ({"steps": 0}, "steps=0"),
    ],
)
def test_options_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        FindGoal(**options)
