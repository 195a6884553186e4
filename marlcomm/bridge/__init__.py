"""Simulators outside JAX: worker processes that run them, and a task that they stand behind.

What a worker imports (`simulator`, `worker`, the adapters) needs numpy and nothing else.
"""
