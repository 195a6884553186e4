"""Importing costs nothing: no device is touched."""

import subprocess
import sys

SCRIPT = """
import marlcomm, sys
assert "jax" not in sys.modules, "jax was imported"
marlcomm.use_all_cores
from jax._src import xla_bridge
assert not xla_bridge.backends_are_initialized(), "a device was touched"
print(len(marlcomm.__all__))
"""


def test_importing_touches_no_device():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 30
