"""One file a figure or table of the papers; RESULTS.md holds what was measured.

Importing this package sets up JAX (all cores, a cache of compiled programs), before anything touches a device.
"""

import contextlib

from marlcomm.devices import prepare

with contextlib.suppress(RuntimeError):  # JAX runs already, in a notebook or a test: then it stays as it is
    prepare()
