"""StarCraft II: a client of our own, a stand-in for the game, and adapters for the packages built on it.

Nothing here, the stand-in apart, loads JAX: worker processes run it.
"""
