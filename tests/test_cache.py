"""Where compiled programs are kept."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from marlcomm import devices

COMPILES = """
import jax, jax.numpy as jnp, marlcomm as mc

hits = []
jax.monitoring.register_event_listener(lambda event, **_: hits.append(event) if event.endswith("/cache_hits") else None)
mc.keep_compiled_programs()

jax.jit(lambda x: jnp.sin(x @ x[::-1]))(jnp.ones((8, 8)))
print(len(hits))
"""


def test_what_one_process_compiled_the_next_reads(tmp_path):
    given = {name: value for name, value in os.environ.items() if name != "JAX_COMPILATION_CACHE_DIR"}
    given |= {"XDG_CACHE_HOME": str(tmp_path), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}

    def hits():
        return int(subprocess.check_output([sys.executable, "-c", COMPILES], env=given, text=True))

    assert hits() == 0
    assert any((tmp_path / "marlcomm" / "jax").iterdir())
    assert hits() >= 1


@pytest.mark.parametrize("given", ["", "here", "./here"])
def test_a_cache_folder_is_never_in_the_working_folder(monkeypatch, tmp_path, given):
    monkeypatch.setenv("XDG_CACHE_HOME", given)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert devices.cache_folder() == tmp_path / ".cache" / "marlcomm"
    assert not (tmp_path / ".cache").exists()


def test_a_cache_folder_of_the_users(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "there"))
    assert devices.cache_folder() == tmp_path / "there" / "marlcomm"


def test_no_cache_where_none_can_be_had(monkeypatch, tmp_path):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    assert devices.cache_folder() is None
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert devices.cache_folder() is None

    def homeless(cls):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", classmethod(homeless))
    assert devices.cache_folder() is None
