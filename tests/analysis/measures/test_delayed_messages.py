"""Messages that take two steps to arrive, in a team that does what it hears: all that should be found is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import marlcomm as mc
from marlcomm.analysis import find_codes, intervene, measure_signaling, record_episodes
from marlcomm.analysis.measures.information import entropy
from marlcomm.messages import offer, to_everybody
from marlcomm.messages.channel import Heard

EPISODES, STEPS, DIES, DELAY = 64, 6, 4, 2
NOTHING, MINUS, PLUS = 0, 1, 2  # actions


class Coins(mc.Environment):
    """Agent 0 sees a coin that is thrown anew at every step. In half of the episodes it dies after four steps."""

    def __init__(self):
        self.num_agents, self.num_actions, self.observation_size, self.state_size = 2, 3, 1, 1
        self.horizon = STEPS
        super().__init__()

    def reset(self, key):
        state = key, jnp.int32(0)
        return state, mc.restart(self._look(state))

    def step(self, state, action):
        state = state[0], state[1] + 1
        return state, mc.timestep(self._look(state), jnp.float32(0), terminal=state[1] >= STEPS)

    def _look(self, state):
        key, step = state
        coin = jax.random.rademacher(jax.random.fold_in(key, step), (), jnp.float32)
        lives = (step < DIES) | jax.random.bernoulli(key)
        alive = jnp.stack([lives, jnp.bool_(True)])
        return self.observe(jnp.stack([coin * lives, 0.0])[:, None], jnp.zeros(1), step, alive=alive)


class Echo(mc.Channel):
    """Agents say what they see, and do what they hear of the other."""

    def send(self, inputs, memory, key):
        return offer(to_everybody(inputs[..., :1])), {}

    def receive(self, inputs, messages):
        heard = (messages.content[..., 0] * (1 - jnp.eye(2))).sum(-2)  # [..., N]
        values = jax.nn.one_hot(jnp.where(heard > 0, PLUS, jnp.where(heard < 0, MINUS, NOTHING)), 3)
        return Heard(action_values=1000.0 * values), {}


@pytest.fixture(scope="module")
def team():
    algorithm = mc.vdn(Coins(), channel=Echo(delay=DELAY), hidden=8)
    return algorithm, jax.jit(lambda key: algorithm.init(key).params)(jax.random.PRNGKey(0))


@pytest.fixture(scope="module")
def recorded(team):
    return record_episodes(team, EPISODES)


@pytest.fixture(scope="module")
def arrives(recorded):
    """[B, T] whether agent 1 hears agent 0: it lives, and did two steps before."""
    lives = np.asarray(recorded.episodes.alive)[:, :STEPS, 0]
    assert 0 < lives[:, DIES:].mean() < 1
    return lives & (np.arange(STEPS) >= DELAY)


@pytest.fixture(scope="module")
def told(recorded):
    """[B, T] what agent 0 saw two steps before; anything earlier on."""
    return np.roll(np.asarray(recorded.episodes.agents_view)[:, :STEPS, 0, 0], DELAY, 1)


def test_the_receiver_is_asked_when_the_message_arrives(team, recorded, arrives, told):
    codes = find_codes(recorded)
    found = intervene(team, codes, episodes=EPISODES)
    both = arrives & np.roll(arrives, 1, 0)
    assert found.muted[0, 1] == 1  # whatever arrives decides
    assert found.swapped[0, 1] == pytest.approx((told != np.roll(told, 1, 0))[both].mean())
    for code in range(codes.count[0, 1]):
        says = codes.content[0, 1, code, 0]
        assert found.response[0, 1, code, PLUS if says > 0 else MINUS] == 1
    assert found.muted[1, 0] == found.swapped[1, 0] == 0  # agent 1 sees nothing, and says zero


def test_listening_pairs_a_message_with_what_is_done_when_it_arrives(recorded, arrives, told):
    np.testing.assert_array_equal(recorded.arriving[:, :, 0, 1], arrives)
    np.testing.assert_array_equal(recorded.received[:, :, 0, 1, 0], np.where(arrives, told, 0))
    found = measure_signaling(recorded, permutations=19)
    heard, seen = told[arrives], np.asarray(recorded.episodes.agents_view)[:, :STEPS, 0, 0]
    assert found.about_action.bits[0, 1] == pytest.approx(entropy(np.bincount(heard > 0)))
    assert found.about_view.bits[0, 1] == pytest.approx(entropy(np.bincount(seen[seen != 0] > 0)))  # as it is sent
    assert found.about_action.bits[1, 0] == 0
