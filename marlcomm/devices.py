"""Which devices a process uses, and where it keeps programs that it compiled."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
import warnings
from pathlib import Path
from typing import Any

from marlcomm.validation import UsageError


def prepare(cores: int | None = None) -> None:
    """Sets JAX up as the command line does: all processor cores, or so many, and a cache of compiled programs.

    Must run before anything touches a device. What the user said by JAX's own variables is left.
    """
    if "JAX_NUM_CPU_DEVICES" not in os.environ:
        use_all_cores(cores)
    keep_compiled_programs()


def use_all_cores(cores: int | None = None) -> None:
    """Shows every processor core, or so many, to JAX as devices of their own, so that a population spreads over them.

    Call it before anything touches a device, first thing in a notebook; the command line does. Later it only warns.
    It changes nothing on GPU or TPU.
    """
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        _configure("jax_num_cpu_devices", cores or there)
    except RuntimeError:
        import jax

        warnings.warn(f"a device is in use already: going on with {jax.local_device_count()} device(s)", stacklevel=2)


def join_processes(how: str, quiet: bool = False) -> None:
    """Makes this process one of several whose devices train one population; call it before anything touches a device.

    Args:
      how: "auto" under SLURM, Open MPI, Kubernetes or on a TPU, where JAX finds the others; else
        `HOST:PORT,PROCESSES,INDEX`: where the first of so many processes listens, and which of them this is, from 0.
      quiet: not to say what is waited for. Where the others do not come within five minutes, JAX ends this process.

    Raises:
      UsageError: `how` is neither, or nothing says where the others are.
    """
    import jax

    address, _, numbers = how.partition(",")
    count, _, index = numbers.partition(",")
    by_hand = ":" in address and count.isdecimal() and index.isdecimal() and int(index) < int(count)
    if how != "auto" and not by_hand:
        raise UsageError(f"{how!r} must be auto, or HOST:PORT,PROCESSES,INDEX, such as node1:7654,4,0 to 3 for four")
    if not quiet:
        print(f"waiting for the other processes ({how}), five minutes at most", file=sys.stderr)
    try:
        if by_hand:
            jax.distributed.initialize(address, int(count), int(index))
        else:
            jax.distributed.initialize()
    except (ValueError, RuntimeError) as error:
        raise UsageError(f"processes cannot find each other by {how!r}: {error}") from None


def connect_to_ray(address: str | None = None) -> Any:
    """The module `ray`, connected to a cluster, unless it is already.

    Args:
      address: of the cluster; None for that of RAY_ADDRESS, the one that runs on this machine, or else a new one of
        this machine alone.

    Raises:
      UsageError: nobody answers at the address, which Ray itself would wait for for minutes.
      ImportError: Ray is not installed.
    """
    try:
        import ray
    except ImportError:
        raise ImportError('this engine needs Ray: pip install "marlcomm[ray]"') from None
    if not ray.is_initialized():
        _check_that_somebody_answers(address or os.environ.get("RAY_ADDRESS", ""))
        heard = signal.getsignal(signal.SIGTERM)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="os.fork")  # it starts other programs, which is no harm
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        if callable(heard) and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, heard)  # of a run that saves and ends: Ray would end it at once
    return ray


def _check_that_somebody_answers(address: str) -> None:
    host, _, port = address.rpartition(":")
    if not (host and port.isdecimal()):  # such as "auto", or nothing
        return
    try:
        socket.create_connection((host.rpartition("/")[2], int(port)), 5.0).close()
    except (OSError, OverflowError) as error:
        raise UsageError(f"no Ray cluster answers at {address!r}: {error}") from None


def keep_compiled_programs() -> None:
    """Lets JAX keep compiled programs in the user's cache folder, so that a second run does not compile them again.

    The command line does so; in a notebook, call it first. The folder is `$XDG_CACHE_HOME/marlcomm/jax`, or else
    `~/.cache/marlcomm/jax`; the one that `JAX_COMPILATION_CACHE_DIR` names comes before it. Where none can be written,
    nothing is kept.
    """
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        folder = cache_folder()
        if folder is None:
            return
        _configure("jax_compilation_cache_dir", str(folder / "jax"))
    if "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS" not in os.environ:
        _configure("jax_persistent_cache_min_compile_time_secs", 0.5)


def cache_folder() -> Path | None:
    """Where this user may keep what can be made again, which need not exist; None where nothing can be written."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    try:
        base = Path(given) if os.path.isabs(given) else Path.home() / ".cache"  # the standard: others count as unset
    except RuntimeError:  # a user without a home
        return None
    folder = base / "marlcomm"
    return folder if base.is_absolute() and _can_be_written(folder) else None


def _can_be_written(folder: Path) -> bool:
    try:
        there = next(path for path in (folder, *folder.parents) if path.exists())
    except (OSError, StopIteration):
        return False
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


def _configure(name: str, value: object) -> None:
    """Sets JAX up, where it is imported; otherwise by the variable that it reads when that happens."""
    if "jax" in sys.modules:
        sys.modules["jax"].config.update(name, value)
    else:
        os.environ[name.upper()] = str(value)
