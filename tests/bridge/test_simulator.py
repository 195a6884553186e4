"""What a worker imports is light: no JAX, and nothing that another interpreter might lack."""

import subprocess
import sys

LIGHT = """
import sys
import marlcomm.bridge.simulator
heavy = {"jax", "flax", "optax", "jumanji", "matplotlib", "scipy"} & set(sys.modules)
assert not heavy, heavy
"""


def test_the_interface_needs_numpy_alone():
    done = subprocess.run([sys.executable, "-c", LIGHT], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
