"""A stand-in for StarCraft II, for tests and for those without the game: its protocol, with our engine behind it.

It is not StarCraft II. Clients, faults and views can be tried with it; what it says about learning is what the battles
in JAX say.
"""
