"""Which devices a process uses."""

from __future__ import annotations

import os

import jax


def use_all_cores() -> None:
    """Shows every processor core to JAX as a device of its own, so that a population spreads over them.

    Call it before anything touches a device; the command line does. It changes nothing on GPU or TPU.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    jax.config.update("jax_num_cpu_devices", cores)
