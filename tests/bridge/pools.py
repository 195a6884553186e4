"""Pools of few workers that give up waiting soon, and how tests play with them."""

from __future__ import annotations

import numpy as np

from marlcomm.bridge.launch import Recipe
from marlcomm.bridge.pool import Limits

OWN = "marlcomm.bridge.adapters.own:make"
SOON = Limits(start_seconds=60.0, reset_seconds=1.5, step_seconds=1.5, backoff=0.01, longest_backoff=0.05, failures=20)


def recipe_of(name, **options):
    """Of a class of `hints`."""
    return Recipe(OWN, f"hints:{name}", options)


def all_idle(pool):
    """Its slots, once their workers are ready."""
    while len(pool.idle()) < len(pool):
        pool.wait(0.1)
    return pool.idle()


def answers(pool, slots):
    """Those of the slots whose orders are done, once all are; the others lost their episodes."""
    waiting = set(slots.tolist())
    while waiting:
        for event in pool.wait(0.1):
            waiting.discard(event.slot)
            if event.lost:
                slots = slots[slots != event.slot]
    return slots


def play(pool, rounds, action=0):
    """As many episodes in each slot that is ready, at most four steps long."""
    for _ in range(rounds):
        while not len(pool.idle()):
            pool.wait(0.1)
        pool.begin(pool.idle(), np.arange(len(pool.idle())))
        slots = answers(pool, np.flatnonzero(pool._playing >= 0))
        while len(slots):
            lost = pool.step(slots, np.full((len(slots), 2), action, np.int32))
            slots = answers(pool, np.setdiff1d(slots, [event.slot for event in lost]))
            answer = pool.block.answer[slots]
            over = (answer["terminated"] != 0) | (answer["truncated"] != 0)
            pool.delivered(slots[over])
            slots = slots[~over]
