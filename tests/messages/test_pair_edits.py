"""Edits of chosen pairs, against loops over every sender and receiver."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from marlcomm.messages import SilentChannel
from marlcomm.messages.channel import bits_sent, deliver, offer
from marlcomm.messages.edits import CutPairs, ReplaceSender, SwapPairs
from marlcomm.messages.transmission import Transmission

BATCH, AGENTS, DIMS = 4, 3, 2
KEY = jax.random.PRNGKey(0)
PAIRS = np.array([[True, False, True], [False, True, False], [True, False, False]])


@pytest.fixture(scope="module")
def messages():
    return offer(jax.random.normal(KEY, (BATCH, AGENTS, AGENTS, DIMS)))


def arrives(messages):
    return np.asarray(deliver(messages, jnp.ones((BATCH, AGENTS), bool)).content)


def test_cut_pairs_say_nothing_and_cost_nothing(messages):
    paid = messages._replace(overhead=jnp.full((BATCH, AGENTS, AGENTS), 5.0))
    edited = CutPairs(jnp.asarray(PAIRS))(paid, KEY)
    content = arrives(edited)
    for i, j in np.ndindex(AGENTS, AGENTS):
        expected = 0.0 if PAIRS[i, j] and i != j else np.asarray(messages.content)[:, i, j]
        np.testing.assert_array_equal(content[:, i, j], np.broadcast_to(expected, (BATCH, DIMS)))
    left = (~PAIRS & ~np.eye(AGENTS, dtype=bool)).sum(1)  # receivers that each sender still has
    np.testing.assert_array_equal(bits_sent(edited), np.broadcast_to(left * (DIMS * 32 + 5.0), (BATCH, AGENTS)))


def test_swapped_pairs_hear_another_environment(messages):
    silent_in_first = messages._replace(sent=messages.sent.at[0, 2, 0].set(False))
    content, original = arrives(SwapPairs(jnp.asarray(PAIRS))(silent_in_first, KEY)), arrives(silent_in_first)
    for i, j in np.ndindex(AGENTS, AGENTS):
        swapped = PAIRS[i, j] and i != j
        np.testing.assert_array_equal(content[:, i, j], np.roll(original, swapped, 0)[:, i, j])
    assert not content[1, 2, 0].any()  # silence is heard too
    assert content[0, 2, 0].any()


@pytest.mark.parametrize("sender", range(AGENTS))
def test_a_replaced_sender_says_something_else_to_all_others(messages, sender):
    words = jnp.zeros((AGENTS, AGENTS, DIMS)).at[..., 0].set(jnp.arange(9.0).reshape(3, 3))
    content = arrives(ReplaceSender(jnp.int32(sender), words)(messages, KEY))
    for i, j in np.ndindex(AGENTS, AGENTS):
        expected = words[i, j] if i == sender and i != j else messages.content[:, i, j]
        np.testing.assert_array_equal(content[:, i, j], np.broadcast_to(expected, (BATCH, DIMS)))


def test_a_sender_is_replaced_in_every_round(messages):
    words = jnp.arange(1.0, 1.0 + AGENTS * AGENTS * DIMS).reshape(AGENTS, AGENTS, DIMS)
    rounds = Transmission(
        SilentChannel(num_agents=AGENTS), jnp.ones((BATCH, AGENTS), bool), KEY, ReplaceSender(jnp.int32(0), words)
    )
    each = [rounds(offer(messages.content[..., entry : entry + 1])) for entry in range(DIMS)]
    together = rounds.account().content
    np.testing.assert_array_equal(together, jnp.concatenate([arrived.content for arrived in each], -1))
    np.testing.assert_array_equal(together[:, 0, 1:], jnp.broadcast_to(words[0, 1:], (BATCH, AGENTS - 1, DIMS)))
    np.testing.assert_array_equal(together[:, 1:], messages.content[:, 1:])


def test_a_replaced_message_may_have_no_content(messages):
    nothing, sent = jnp.zeros_like(messages.content), jnp.arange(DIMS) == 0
    requests = messages._replace(content=nothing, sent=jnp.broadcast_to(sent, nothing.shape))
    again = ReplaceSender(jnp.int32(1), requests.content, requests.sent)(requests, KEY)
    jax.tree.map(np.testing.assert_array_equal, again, requests)
    assert not ReplaceSender(jnp.int32(1), nothing)(requests, KEY).sent[:, 1, 0].any()


def test_no_pairs_change_nothing(messages):
    none = jnp.zeros((AGENTS, AGENTS), bool)
    for edit in (CutPairs(none), SwapPairs(none)):
        jax.tree.map(np.testing.assert_array_equal, edit(messages, KEY), messages)
