"""Shared set-up: two processor devices, as the command line has on two cores, and quick compiling of tiny programs."""

import contextlib
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
def hears_signals():
    """SIGINT and SIGHUP are heard, also where tests were started in the background or by nohup, which ignores them."""
    heard = {signal.SIGINT: signal.default_int_handler, signal.SIGHUP: signal.SIG_DFL}
    before = {number: signal.signal(number, handler) for number, handler in heard.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="module")
def cluster():
    """A Ray cluster of processes of this machine, whose head has no cores to lend."""
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "num_gpus": 0})
    yield cluster
    cluster.shutdown()


@pytest.fixture
def nodes(cluster):
    """Two nodes of it with two cores each; this process is connected."""
    import ray

    added = [cluster.add_node(num_cpus=2, num_gpus=0) for _ in range(2)]
    ray.init(address=cluster.address, log_to_driver=False)
    yield added
    ray.shutdown()
    for node in added:
        with contextlib.suppress(Exception):  # lost meanwhile
            cluster.remove_node(node)
