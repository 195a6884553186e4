"""The page about a team whose actions are numbers, on a script that says what should be found."""

import jax
import jax.numpy as jnp
from flax import linen as nn
from handmade import drawn_curve
from html_reader import Reader, facts, is_self_contained

import marlcomm as mc
from marlcomm.algorithms import build
from marlcomm.messages.channel import deliver, offer, to_everybody
from marlcomm.training import Population, SavedRun


class Lean(mc.Environment):
    """Agent 0 sees a sign; both are paid for agent 1's first number where it is positive, for its second where not."""

    continuous = True

    def __init__(self):
        self.num_agents, self.num_actions, self.observation_size, self.state_size, self.horizon = 2, 2, 1, 1, 1
        super().__init__()

    def reset(self, key):
        sign = jax.random.rademacher(key, (), jnp.float32)
        return sign, mc.restart(self._look(sign))

    def step(self, sign, action):
        paid = jnp.where(sign > 0, action[1, 0], action[1, 1])
        return sign, mc.timestep(self._look(sign), paid, terminal=jnp.bool_(True))

    def _look(self, sign):
        return self.observe(jnp.stack([sign, 0.0])[:, None], jnp.zeros(1), jnp.int32(0))


class Obedient(nn.Module):
    """Agent 0 says the sign that it sees; agent 1's numbers are 0.6 and 0.5, or 0.4 and 0.5 when told of a minus."""

    def initial_memory(self, *batch):
        return jnp.zeros((*batch, 1))

    @nn.compact
    def step(self, memory, inputs, alive, key, edit=None):
        said = offer(to_everybody(inputs[..., :1]))
        messages = deliver(said if edit is None else edit(said, key), alive)
        told = messages.content[..., 0, :, 0] < 0  # [..., N] by agent 0
        numbers = jnp.stack([jnp.where(told, 0.4, 0.6), jnp.full(told.shape, 0.5)], -1)
        return memory, jnp.arctanh(numbers), messages, {}


def test_actions_that_are_numbers_are_looked_into_by_the_largest(tmp_path, monkeypatch):
    monkeypatch.setattr("marlcomm.analysis.report.inspection.cut_curve", drawn_curve)
    algorithm = build("actor_critic", Lean(), agent=Obedient())
    params = {"agent": {"params": {"unused": jnp.zeros(1)}}}
    saved = SavedRun(tmp_path, algorithm, Population((0,), ({},)), params, {})
    page = mc.inspect_run(saved, episodes=50).read_text()
    answers = Reader(page).answers
    assert is_self_contained(page)
    assert facts(answers["talk"])[0] == "64"  # bits: a real number from each of two to the other
    assert facts(answers["whom"])[0] == "0→1"
    assert "“-1”" in answers["meaning"]
    assert facts(answers["meaning"]).count("100%") == 4  # of either sign: seen and done
    assert facts(answers["worth"])[1:5] == ["0", "95%", "0", "0"]  # what changes pays nothing either way
