"""Checkpoints as older versions laid them out, made by hand, and what is read from them."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import jax
import numpy as np
import pytest
from flax import struct

import marlcomm as mc
from marlcomm.learners.packing import Packed, pack
from marlcomm.training.checkpoint import CheckpointError, Checkpoints

SMALL = {"hidden": 4, "num_envs": 2, "batch_episodes": 4, "replay_episodes": 8, "batch_steps": 8, "replay_steps": 8}
OLD_NAMES = {
    "optimizer": "optimiser",
    "exploration_start": "epsilon_start",
    "exploration_final": "epsilon_finish",
    "exploration_steps": "epsilon_steps",
    "learning_rate_decay_to": "learning_rate_finish",
    "entropy_decay_to": "entropy_finish",
    "gae_lambda": "trace",
    "clip_ratio": "clip",
    "joint_critic": "teacher",
}
STATES = {  # the fields of that time, in their order
    "ndq": "params target_params optimiser replay key hparams env_steps episodes updates cut_below healthy",
    "iql": "params target_params optimiser replay key hparams env_steps episodes updates cut_below healthy",
    "rgmcomm_qmix": "params target_params optimiser replay key hparams env_steps episodes updates cut_below healthy",
    "maddpg": "params target_params optimiser replay key hparams env_steps episodes updates healthy",
    "mappo": "params optimiser scale key hparams env_steps episodes updates healthy replay",
}
VALUE = (
    "learning_rate learning_rate_finish discount gradient_clip epsilon_start epsilon_finish epsilon_steps target_rate "
    "overestimate_weight cut_share cut_start weights"
)
HPARAMS = {
    "ndq": VALUE,
    "iql": VALUE,
    "rgmcomm_qmix": VALUE,
    "maddpg": "learning_rate critic_learning_rate learning_rate_finish discount gradient_clip epsilon_start "
    "epsilon_finish epsilon_steps target_rate temperature team_share weights",
    "mappo": "learning_rate learning_rate_finish entropy_finish discount trace clip team_share gradient_clip weights",
}


def node(name, values):
    """A pytree with these fields, as a state was."""
    return type(name, (struct.PyTreeNode,), {"__annotations__": dict.fromkeys(values, Any)})(**values)


def with_old_names(tree):
    """The same pytree, whose dictionaries have the names of that time."""
    if isinstance(tree, dict):
        return {OLD_NAMES.get(key, key): with_old_names(value) for key, value in tree.items()}
    if isinstance(tree, tuple):
        parts = [with_old_names(value) for value in tree]
        return type(tree)(*parts) if hasattr(tree, "_fields") else tuple(parts)
    return tree


def as_laid_out_then(name, state):
    """Today's state, as it would have been saved."""
    numbers = {field.name: getattr(state.hparams, field.name) for field in fields(state.hparams)}
    cut = numbers.pop("training_edit")
    numbers |= {"cut_share": cut.get("share", np.float32(0.9)), "cut_start": cut.get("start", np.float32(7.0))}
    numbers = with_old_names(numbers)
    parts = {field.name: getattr(state, field.name) for field in fields(state)} | {"replay": None}
    extra = parts.pop("extra")
    parts |= extra | {"cut_below": extra.get("edit", np.float32(0.5))}
    parts["hparams"] = node("HParams", {field: numbers[field] for field in HPARAMS[name].split()})
    parts = with_old_names(parts)
    return node("State", {field: parts[field] for field in STATES[name].split()})


def filled(tree):
    """Shapes and types as arrays, each of other numbers."""
    rng = np.random.default_rng(0)

    def numbers(x):
        if isinstance(x, Packed):
            return jax.device_get(pack(numbers(unpacked(x)), x.dtypes))
        return np.asarray(100 * rng.random(x.shape)).round().astype(x.dtype)

    return jax.tree.map(numbers, tree, is_leaf=is_packed)


def is_packed(x):
    return isinstance(x, Packed)


def unpacked(x):
    """What was packed, or its shape and type."""
    return (
        jax.eval_shape(Packed.unpacked, x) if isinstance(jax.tree.leaves(x)[0], jax.ShapeDtypeStruct) else x.unpacked()
    )


def without_packing(state):
    """The same state with arrays in replay as they were before they were packed."""
    return jax.tree.map(lambda x: np.asarray(x.unpacked()) if is_packed(x) else x, state, is_leaf=is_packed)


@pytest.mark.parametrize("name", STATES)
def test_a_state_of_that_time_is_read_as_todays(name, tmp_path):
    settings = {key: value for key, value in SMALL.items() if key in mc.algorithm_settings(name)}
    env = mc.make_env("sensor")
    template = jax.eval_shape(mc.make_algorithm(name, env, **settings).init, jax.random.PRNGKey(0))
    state = filled(template)
    checkpoints = Checkpoints(tmp_path / "checkpoints")
    checkpoints.save(1, as_laid_out_then(name, without_packing(state)), {})
    number, found, _ = checkpoints.restore(template)
    assert number == 1
    assert jax.tree.structure(found) == jax.tree.structure(template)
    for (path, read), written in zip(jax.tree_util.tree_leaves_with_path(found), jax.tree.leaves(state), strict=True):
        np.testing.assert_array_equal(read, written, err_msg=jax.tree_util.keystr(path))


@pytest.mark.parametrize("name", ["qmix", "maddpg"])
def test_replay_as_it_was_before_it_was_packed_is_read_as_todays(name, tmp_path):
    settings = {key: value for key, value in SMALL.items() if key in mc.algorithm_settings(name)}
    template = jax.eval_shape(mc.make_algorithm(name, mc.make_env("find_goal"), **settings).init, jax.random.PRNGKey(0))
    members = jax.tree.map(lambda x: jax.ShapeDtypeStruct((2, *x.shape), x.dtype), template)
    state = filled(members)
    checkpoints = Checkpoints(tmp_path / "checkpoints")
    checkpoints.save(1, without_packing(state), {})
    _, found, _ = checkpoints.restore(members)
    assert jax.tree.structure(found) == jax.tree.structure(state)
    jax.tree.map(np.testing.assert_array_equal, found, state)


def test_what_is_no_state_of_that_time_is_refused(tmp_path):
    template = jax.eval_shape(mc.vdn(mc.make_env("sensor"), hidden=4).init, jax.random.PRNGKey(0))
    checkpoints = Checkpoints(tmp_path / "checkpoints")
    checkpoints.save(1, {"params": np.zeros(2)}, {})
    with pytest.raises(CheckpointError, match="holds other arrays"):
        checkpoints.restore(template)
