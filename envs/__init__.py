"""Cooperative multi-agent tasks in JAX. `make_env(name)` makes one, `check_env` tests a new one.

Importing this loads no task and no JAX: worker processes of the bridge use what of the battles needs neither.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
