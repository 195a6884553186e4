"""Shared set-up: two processor devices, as the command line has on two cores, and quick compiling of tiny programs."""

import os
import platform
import signal
from collections.abc import Iterator

# The older emitter of kernels compiles tiny programs in half the time. Without fused multiply-add, as the newer one's
# programs at this level, two programs that must give the same bits do so, however each is cut into kernels.
os.environ["XLA_FLAGS"] = (
    os.environ.get("XLA_FLAGS", "")
    + " --xla_backend_optimization_level=0"
    + " --xla_cpu_use_fusion_emitters=false --xla_cpu_max_isa=AVX" * (platform.machine() in ("x86_64", "AMD64"))
)

import jax
import pytest

jax.config.update("jax_num_cpu_devices", 2)

RUN_ONCE = (
    *("agents", "algorithms", "learners", "losses", "messages", "networks"),
    *("bridge", "envs", "adapters", "combat", "particle", "render", "small"),
)


@pytest.fixture(autouse=True, scope="module")
def quick_compilation(request: pytest.FixtureRequest) -> Iterator[None]:
    """Programs in these folders are tiny and run once: optimizing them costs more than it saves."""
    before = jax.config.read("jax_disable_most_optimizations")
    if request.path.parent.name in RUN_ONCE:
        jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", before)


@pytest.fixture
def hears_sigint():
    """SIGINT interrupts, also where the tests were started in the background and it is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
