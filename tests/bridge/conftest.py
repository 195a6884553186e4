"""Pools that end with the test."""

from __future__ import annotations

import contextlib

import pytest
from pools import SOON, recipe_of

from marlcomm.bridge.launch import describe
from marlcomm.bridge.pool import WorkerPool


@pytest.fixture(scope="session")
def spec():
    return describe(recipe_of("Hints"), 60.0)


@pytest.fixture
def make_pool(spec):
    with contextlib.ExitStack() as stack:

        def make(recipe, workers=2, limits=SOON):
            pool = WorkerPool(recipe, spec, workers, limits)
            stack.callback(pool.close)
            return pool

        yield make
