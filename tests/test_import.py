"""Importing costs nothing: no device is touched, no notebook changed, also where a class of tasks is defined."""

import subprocess
import sys

import pytest

LIGHT = """
import marlcomm, sys
import marlcomm.envs.combat.views  # which worker processes of the bridge use
assert "jax" not in sys.modules, "jax was imported"
marlcomm.use_all_cores
from jax._src import xla_bridge
assert not xla_bridge.backends_are_initialized(), "a device was touched"
assert len(marlcomm.__all__) > 30
import marlcomm.training
marlcomm.make_env("hallway")
assert "matplotlib" not in sys.modules, "matplotlib was imported, and nothing was drawn"
"""

EVERYTHING = """
import importlib, os, pkgutil, warnings
import marlcomm
for module in pkgutil.walk_packages(marlcomm.__path__, "marlcomm."):
    if not module.name.endswith(("__main__", "jumanji_view")):
        importlib.import_module(module.name)
from jax._src import xla_bridge
assert not xla_bridge.backends_are_initialized(), "a device was touched"

class Mine(marlcomm.Environment):
    def reset(self, key): ...
    def step(self, state, action): ...

warnings.simplefilter("error")
marlcomm.use_all_cores()
import jax
assert jax.local_device_count() == len(os.sched_getaffinity(0)), jax.local_device_count()
"""

NOTEBOOK = """
import builtins, sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
called = []
InteractiveShell.run_line_magic = lambda self, *arguments, **options: called.append(arguments)
result = shell.run_cell('''
import sys, matplotlib
before = matplotlib.get_backend(auto_select=False)
import marlcomm as mc
class Mine(mc.Environment):
    def reset(self, key): ...
    def step(self, state, action): ...
from jax._src import xla_bridge
assert not xla_bridge.backends_are_initialized(), "a device was touched"
mc.make_env("hallway").to_jumanji()
mc.make_env("lbf")
assert "jumanji" in sys.modules
assert matplotlib.get_backend(auto_select=False) == before
''')
result.raise_error()
assert builtins.__IPYTHON__
assert called == [], called
"""


@pytest.mark.parametrize("script", [LIGHT, EVERYTHING, NOTEBOOK], ids=["light", "everything", "notebook"])
def test_importing_touches_nothing(script):
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
