"""Shared set-up: two processor devices, as the command line has on two cores, and a cache of compiled programs."""

import jax

jax.config.update("jax_num_cpu_devices", 2)
