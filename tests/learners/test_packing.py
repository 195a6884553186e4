"""What replay keeps, against what was put in, and against numpy's bytes."""

import dataclasses

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_env import HORIZON, Toy

import marlcomm as mc
from marlcomm.learners.collect import collect
from marlcomm.learners.packing import Packed, pack, pack_episodes, unpack_episodes
from marlcomm.learners.replay import EpisodeReplay, StepReplay

KEY = jax.random.PRNGKey(3)
VALUES = {
    "bool": st.sampled_from([0, 1]),
    "uint8": st.integers(0, 255),
    "int8": st.integers(-128, 127),
    "int16": st.integers(-(2**15), 2**15 - 1),
    "float32": st.floats(-1e6, 1e6, width=32),
}


@st.composite
def typed_arrays(draw):
    dtypes = tuple(draw(st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=20)))
    rows = draw(st.integers(1, 3))
    values = [[draw(VALUES[name]) for name in dtypes] for _ in range(rows)]
    return dtypes, np.array(values, np.float32)


@given(typed_arrays())
@settings(max_examples=15, deadline=None)
def test_what_is_unpacked_is_what_was_packed_in_no_more_bytes_than_its_types_take(case):
    dtypes, x = case
    with jax.disable_jit():
        packed = pack(jnp.asarray(x), dtypes)
        back = packed.unpacked() if isinstance(packed, Packed) else packed
    np.testing.assert_array_equal(back, x)
    assert back.dtype == np.float32
    flags = dtypes.count("bool")
    others = sum(np.dtype(name).itemsize for name in dtypes if name != "bool")
    assert sum(leaf.nbytes for leaf in jax.tree.leaves(packed)) == len(x) * (-(-flags // 8) + others)


@pytest.mark.parametrize(
    "dtypes",
    [
        (*("float32", "float32", "bool", "int8", "bool") * 4, "float32", "bool"),
        ("bool", "float32", *("bool", "bool", "uint8") * 5),
        ("uint8", *("float32", "bool") * 3, "float32", "float32", *("bool", "float32") * 2, "bool"),
    ],
)
def test_features_come_back_in_their_order_where_patterns_repeat(dtypes):
    x = np.array([[0 if name == "bool" else 2 + place for place, name in enumerate(dtypes)]], np.float32)
    x += np.array(dtypes) == "bool" if len(dtypes) % 2 else 0
    np.testing.assert_array_equal(pack(jnp.asarray(x), dtypes).unpacked(), x)


def test_flags_are_bits():
    flags = np.random.default_rng(0).random((2, 3, 11)) < 0.5
    packed = pack(jnp.asarray(flags), "bool")
    np.testing.assert_array_equal(packed.parts["bool"], np.packbits(flags, -1, bitorder="little"))
    assert packed.unpacked().dtype == bool
    np.testing.assert_array_equal(packed.unpacked(), flags)


def test_what_is_as_small_as_can_be_stays_as_it_is():
    x = jnp.ones((2, 3))
    assert pack(x, "float32") is x
    assert pack(x, ("float32",) * 3) is x


def test_half_the_bits_round_what_is_no_whole_number_only():
    task = Toy().task_spec
    episode = _played(Toy(), 2)
    back = unpack_episodes(pack_episodes(task, "bfloat16", episode))
    for name in ("agents_view", "global_state"):
        x = np.asarray(getattr(episode, name))
        np.testing.assert_array_equal(getattr(back, name), x.astype(ml_dtypes.bfloat16).astype(np.float32))
    for name in ("action", "action_mask", "alive", "reward", "terminal", "valid", "won"):
        np.testing.assert_array_equal(getattr(back, name), getattr(episode, name), err_msg=name)
    typed = mc.make_env("hallway").task_spec
    assert not [x for x in jax.tree.leaves(_empty(typed, "bfloat16")) if x.dtype == ml_dtypes.bfloat16]


def test_batches_of_a_task_with_types_are_those_of_one_without_in_less_memory():
    """Of a view of flags, counts and a number that is neither."""
    env = mc.make_env("traffic_junction", steps=3, vision=1)
    typed = env.task_spec
    plain = dataclasses.replace(typed, view_dtype="float32", state_dtype="float32")
    rings = [lambda task: EpisodeReplay(task, 6, 3)]
    rings += [lambda task, whole=whole: StepReplay(task, 4, 6, 12, whole) for whole in (False, True)]

    @jax.jit
    def fill(episodes):
        kept = [[make(task).add(make(task).init(), episodes) for task in (typed, plain)] for make in rings]
        drawn = [
            [make(task).sample(ring, KEY) for task, ring in zip((typed, plain), both, strict=True)]
            for make, both in zip(rings, kept, strict=True)
        ]
        return kept, drawn

    kept, drawn = fill(_played(env, 4))
    for (small, large), (one, other) in zip(kept, drawn, strict=True):
        jax.tree.map(np.testing.assert_array_equal, one, other)
        assert [x.dtype for x in one] == [x.dtype for x in other]
        assert _bytes(small.experience) < _bytes(large.experience) / 3


def test_a_precision_that_there_is_not_is_named():
    for name in ("qmix", "maddpg"):
        with pytest.raises(ValueError, match="replay_precision is 'half': must be one of exact, bfloat16"):
            mc.make_algorithm(name, mc.make_env("sensor"), replay_precision="half")


def _played(env, count):
    def policy(observation, memory, key):
        return jnp.argmax(observation.action_mask, -1).astype(jnp.int32), memory, None

    return jax.jit(lambda key: collect(env, policy, None, count, key)[0])(KEY)


def _bytes(tree):
    return sum(x.nbytes for x in jax.tree.leaves(tree))


def _empty(task, precision):
    return EpisodeReplay(task, HORIZON, 1, precision).init()
