"""Runs that several tests look at: tiny networks, a few thousand steps."""

from __future__ import annotations

import jax
import pytest

import marlcomm as mc

TINY = {"hidden": 8, "num_envs": 4, "batch_episodes": 8, "replay_episodes": 64}


@pytest.fixture(scope="session", autouse=True)
def compiled_once(tmp_path_factory):
    """Runs that are compared or resumed are of the same programs: what is compiled is kept for the session."""
    jax.config.update("jax_compilation_cache_dir", str(tmp_path_factory.mktemp("compiled")))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)


@pytest.fixture(scope="session")
def sensor():
    return mc.make_algorithm("ndq", mc.make_env("sensor"), exploration_steps=1000, **TINY)


@pytest.fixture(scope="session")
def finished(sensor, tmp_path_factory):
    """Two seeds and two values of beta, 2,400 steps, in a run folder."""
    out = tmp_path_factory.mktemp("runs") / "finished"
    hparams = {"beta": [1e-3, 1e-2]}
    return mc.train(sensor, steps=2400, seeds=2, hparams=hparams, out=out, evaluations=2, progress=False)
