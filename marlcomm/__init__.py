"""marlcomm: learned communication in multi-agent reinforcement learning, in JAX.

Importing this loads nothing heavy and touches no device; each name loads what it needs when it is first used.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
