"""Runs that several tests look at: tiny networks, a few thousand steps."""

from __future__ import annotations

import jax
import pytest

import marlcomm as mc

TINY = {"hidden": 8, "num_envs": 4, "batch_episodes": 8, "replay_episodes": 64}


@pytest.fixture(scope="session")
def sensor():
    return mc.make_algorithm("ndq", mc.make_env("sensor"), exploration_steps=1000, **TINY)


@pytest.fixture(scope="session")
def finished(sensor, tmp_path_factory):
    """Two seeds and two values of beta, 2,400 steps, in a run folder."""
    out = tmp_path_factory.mktemp("runs") / "finished"
    hparams = {"beta": [1e-3, 1e-2]}
    return mc.train(sensor, steps=2400, seeds=2, hparams=hparams, out=out, evaluations=2, progress=False)


@pytest.fixture(scope="module")
def compiled_quickly(tmp_path_factory):
    """Programs are compiled without much effort, and once, for those who run little of them and the same twice."""
    new = {
        "jax_compilation_cache_dir": str(tmp_path_factory.mktemp("compiled")),
        "jax_persistent_cache_min_compile_time_secs": 0.0,
        "jax_disable_most_optimizations": True,
    }
    old = {
        "jax_compilation_cache_dir": jax.config.jax_compilation_cache_dir,
        "jax_persistent_cache_min_compile_time_secs": jax.config.jax_persistent_cache_min_compile_time_secs,
        "jax_disable_most_optimizations": jax.config.read("jax_disable_most_optimizations"),
    }
    for name, value in new.items():
        jax.config.update(name, value)
    yield
    for name, value in old.items():
        jax.config.update(name, value)
