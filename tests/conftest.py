"""Shared set-up: two processor devices, as the command line has on two cores, and quick compiling of tiny programs."""

import os

os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_backend_optimization_level=0"

import jax

jax.config.update("jax_num_cpu_devices", 2)
