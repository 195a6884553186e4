"""Which devices a process uses."""

from __future__ import annotations

import os
import warnings

import jax


def use_all_cores() -> None:
    """Shows every processor core to JAX as a device of its own, so that a population spreads over them.

    Call it before anything touches a device, first thing in a notebook; the command line does. Later it only warns.
    It changes nothing on GPU or TPU.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        jax.config.update("jax_num_cpu_devices", cores)
    except RuntimeError:
        warnings.warn(f"a device is in use already: going on with {jax.local_device_count()} device(s)", stacklevel=2)
