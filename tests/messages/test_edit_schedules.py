"""Edit schedules: what a random cut draws and cuts, and what learners take for a schedule."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from marlcomm.messages import Noise, Silence
from marlcomm.messages.channel import offer
from marlcomm.messages.edit_schedules import Constant, Moment, RandomCut, as_schedule
from marlcomm.messages.edits import Delay, split_delay
from marlcomm.types import Episodes

KEY = jax.random.PRNGKey(0)
START = 1000


def shares(schedule, env_steps=10 * START, count=2000):
    """The shares that are cut after so many gradient steps, where each message has another importance."""
    steps = 100
    content = jnp.zeros((1, steps, 2, 2, 1)).at[0, :, 0, 1, 0].set(jnp.arange(steps, dtype=jnp.float32) + 1.0)
    messages = offer(content)
    messages = messages._replace(sent=messages.sent & jnp.zeros((2, 2, 1), bool).at[0, 1].set(True))
    alive, valid = jnp.ones((1, steps + 1, 2), bool), jnp.ones((1, steps), bool)
    episodes = Episodes(**{**dict.fromkeys(Episodes._fields), "alive": alive, "valid": valid})
    hparams = {name: jnp.float32(value) for name, value in schedule.hparams.items()}

    def cut(key):
        moment = Moment(messages, episodes, jnp.int32(env_steps), hparams, key)
        kept = schedule.edit(schedule.update(schedule.init(), moment))(messages, key).sent
        return 1.0 - kept[..., 0, 1, 0].mean()

    return np.asarray(jax.jit(jax.vmap(cut))(jax.random.split(KEY, count)))


@pytest.mark.parametrize(("env_steps", "share"), [(0, 0.0), (START, 0.0), (1500, 0.48), (2000, 0.95), (9000, 0.95)])
def test_nothing_is_cut_before_its_time_and_more_and_more_after_it(env_steps, share):
    """Where the share is no whole number of messages, one more is cut."""
    found = shares(RandomCut(start=START, largest=1.0, nothing=0.0), env_steps, count=2)
    np.testing.assert_allclose(found, share, atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "at_most"),
    [
        # the distribution of the share: at which shares P(share <= s) is what
        ({}, {0.0: 1 / 6, 0.475: 1 / 4, 0.94: 1 / 3, 0.95: 1.0}),
        ({"nothing": 0.0}, {0.0: 0.0, 0.475: 1 / 6, 0.94: 1 / 3, 0.95: 1.0}),
        ({"largest": 0.5, "nothing": 0.25, "between": 0.8}, {0.0: 0.25, 0.79: 0.25, 0.8: 0.5, 0.94: 0.5, 0.95: 1.0}),
        ({"largest": 0.0, "nothing": 0.0, "power": 0.5}, {0.0: 0.0, 0.475: 0.25, 0.95: 1.0}),
        ({"largest": 0.0, "nothing": 1.0}, {0.0: 1.0}),
        ({"largest": 0.5, "nothing": 0.25, "power": 0.0}, {0.0: 0.25, 0.94: 0.25, 0.95: 1.0}),
        ({"share": 0.5, "largest": 1.0, "nothing": 0.0}, {0.49: 0.0, 0.5: 1.0}),
    ],
)
def test_shares_are_drawn_as_often_as_asked(settings, at_most):
    found = shares(RandomCut(start=START, **settings))
    for share, chance in at_most.items():
        np.testing.assert_allclose((found <= share + 5e-3).mean(), chance, atol=0.04)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"share": 1.5}, "share=1.5"),
        ({"start": 0}, "start=0"),
        ({"largest": 0.7, "nothing": 0.7}, "not be more than 1 together"),
        ({"between": -0.1}, "between=-0.1"),
        ({"power": -1.0}, "power=-1.0"),
    ],
)
def test_numbers_that_cannot_be_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        RandomCut(**settings)


def test_edits_are_schedules_that_never_change_and_several_follow_one_another():
    assert as_schedule(None).edit(None) is None
    assert as_schedule(Silence()) == Constant(Silence())
    assert as_schedule([Delay(2), Noise(0.5)]).init() is None, "nothing changes"
    one = as_schedule([None, RandomCut()])
    assert one == RandomCut()
    schedule = as_schedule([Delay(2), Noise(0.5), RandomCut(share=0.8)])
    assert dict(schedule.hparams) == {"share": 0.8, "start": 300_000}
    edit, steps = split_delay(schedule.edit(schedule.init()))
    assert steps == 2
    assert edit is not None
    with pytest.raises(ValueError, match="the same name"):
        as_schedule([RandomCut(), RandomCut()])
    with pytest.raises(ValueError, match="must be an edit"):
        as_schedule("loud")


def test_a_function_may_be_an_edit_where_programs_are_compiled():
    def louder(messages, key):
        return messages._replace(content=2 * messages.content)

    messages = offer(jnp.ones((3, 3, 2)))
    for schedule, content in ((as_schedule(louder), 2.0), (as_schedule([louder, Silence(), louder]), 0.0)):
        edit = jax.jit(schedule.edit)(schedule.init())
        arrived = jax.jit(lambda edit: edit(messages, jax.random.key(0)))(edit)
        assert (arrived.content[0, 1] * arrived.sent[0, 1] == content).all()
