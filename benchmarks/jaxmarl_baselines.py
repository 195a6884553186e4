"""JaxMARL's own training scripts, run from a folder that holds its baselines, as they stand there.

What the scripts import but training does not need is replaced by modules that do nothing, where it is not installed:
`hydra` and `omegaconf`, which read the command line and settings (settings are read from the same YAML files here), and
`wandb`, to which they report (off by default). On a CPU, orthogonal matrices of several vmapped members are made by the
Gram-Schmidt process: JAX's QR decomposition of a batch waits there, on few cores, for threads that wait for it. They
are made once, before anything is timed.
"""

from __future__ import annotations

import importlib.util
import sys
import time
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import yaml

from benchmarks.cases import Case, Measured

QMIX, MAPPO = "QLearning/qmix_rnn.py", "MAPPO/mappo_rnn_mpe.py"
CONFIGS = {QMIX: "QLearning/config/alg/ql_rnn_mpe.yaml", MAPPO: "MAPPO/config/mappo_homogenous_rnn_mpe.yaml"}
LOGGING = ("hydra", "omegaconf", "wandb")


class Baseline:
    """One of the scripts as a compiled program of training, for some members.

    The scripts train from beginning to end in one call. Two lengths are compiled: what the longer takes more is the
    time of `chunk` training steps, without start and filling of replay.
    """

    def __init__(self, case: Case, members: int, folder: str, chunk: int) -> None:
        """Loads the script of `case` from `folder`; nothing is compiled yet."""
        self.members, self._case, self._chunk = members, case, chunk
        for name in not_installed():
            sys.modules[name] = _Nothing(name)
        if members > 1 and jax.default_backend() == "cpu":
            vars(importlib.import_module("jax._src.numpy.linalg"))["qr"] = gram_schmidt  # where jax.random reads it
        root = baselines_folder(folder)
        self._module = load_script(root / case.script)
        with (root / CONFIGS[case.script]).open() as file:
            written = {name: _number(value) for name, value in yaml.safe_load(file).items()}
        self._config = {**written, "WANDB_MODE": "disabled", **case.theirs}
        self._keys = jax.random.split(jax.random.PRNGKey(0), members)
        self._programs: dict[int, Any] = {}
        self._compile_seconds: list[float] = []
        self._env_steps: list[float] = []
        self._updates: list[float] = []

    def compile(self) -> None:
        """Compiles both lengths, and notes how long that took for the longer one."""
        started = time.perf_counter()
        self._program(self._case.until_learning + self._chunk)
        self._compile_seconds.append(time.perf_counter() - started)
        self._program(self._case.until_learning)

    def first_update(self) -> int:
        """Trains until something was learned; gives how many gradient steps were taken."""
        found, _ = self._run(self._case.until_learning)
        return found

    def warm_up(self) -> None:
        """Runs both once."""
        for steps in self._programs:
            self._run(steps)

    def time_one_chunk(self) -> None:
        """Runs both, and notes the speeds of the training steps between them."""
        (few, short), (many, long) = (self._run(steps) for steps in sorted(self._programs))
        played = self.members * self._chunk * self._config["NUM_STEPS"] * self._config["NUM_ENVS"]
        self._env_steps.append(played / (long - short))
        self._updates.append((many - few) / (long - short))

    def measured(self) -> Measured:
        """What was found."""
        return Measured("JaxMARL", self.members, self._compile_seconds, self._env_steps, self._updates)

    def _run(self, steps: int) -> tuple[int, float]:
        """Gradient steps that training took in all, and seconds."""
        program = self._program(steps)
        started = time.perf_counter()
        found = jax.block_until_ready(program(self._keys))
        seconds = time.perf_counter() - started
        return int(np.sum(_steps_taken(found["runner_state"]))), seconds

    def _program(self, steps: int) -> Any:
        if steps not in self._programs:
            self._programs[steps] = jax.jit(jax.vmap(self._train(steps))).lower(self._keys).compile()
        return self._programs[steps]

    def _train(self, steps: int) -> Any:
        config = {**self._config, "TOTAL_TIMESTEPS": steps * self._config["NUM_STEPS"] * self._config["NUM_ENVS"]}
        if hasattr(self._module, "env_from_config"):
            env, _ = self._module.env_from_config(config)
            return self._module.make_train(config, env)
        return self._module.make_train(config)


def _steps_taken(state: Any) -> jax.Array:
    """[P] gradient steps, of the first training state in what a script carries."""
    return state.step if hasattr(state, "step") else _steps_taken(state[0])


def _number(value: Any) -> Any:
    """A setting as its authors' reader takes it: `2e-3` without a point is a number there, and text in PyYAML."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def baselines_folder(folder: str | Path) -> Path:
    """The folder `baselines`, given itself or the repository that has it.

    Raises:
      FileNotFoundError: it is in neither.
    """
    for root in (Path(folder), Path(folder) / "baselines"):
        if (root / QMIX).exists():
            return root
    raise FileNotFoundError(f"{folder} has no {QMIX}: give the folder `baselines` of JaxMARL's repository")


def load_script(path: Path) -> Any:
    """A script as a module; nothing in it runs but its definitions."""
    spec = importlib.util.spec_from_file_location(f"jaxmarl_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def not_installed() -> list[str]:
    """What the scripts import without need, and is not there: in its place they get modules that do nothing."""
    return [name for name in LOGGING if name not in sys.modules and importlib.util.find_spec(name) is None]


class _Nothing(types.ModuleType):
    """A module in which whatever is asked for takes anything and gives what it would decorate, or nothing."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _nothing


def _nothing(*_: Any, **__: Any) -> Any:
    return lambda decorated=None, *_, **__: decorated


def gram_schmidt(matrix: jax.Array, **_: Mapping[str, Any]) -> tuple[jax.Array, jax.Array]:
    """Q [n, m] with orthonormal columns and R [m, m] of `matrix` [n, m], n >= m: in the place of `jnp.linalg.qr`."""

    def column(k: jax.Array, q: jax.Array) -> jax.Array:
        left = matrix[:, k]
        for _ in range(2):  # the second time takes away what rounding left
            left = left - q @ (q.T @ left)
        return q.at[:, k].set(left / jnp.linalg.norm(left))

    q = jax.lax.fori_loop(0, matrix.shape[1], column, jnp.zeros_like(matrix))
    return q, q.T @ matrix
