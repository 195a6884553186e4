"""Simulators for the tests of the bridge, in NumPy: what a worker imports.

Agent 0 sees which of three places is the target, agent 1 goes to one a step and is paid where it is the target, which
ends the episode; after four steps time is up.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time

import numpy as np

from marlcomm.bridge.simulator import SimulatorFault

AGENTS, PLACES, HORIZON = 2, 3, 4


class Hints:
    """As the README has a simulator of one's own."""

    num_agents, num_actions, horizon, reports_won = AGENTS, PLACES, HORIZON, True

    def reset(self, seed):
        self.target, self.time = np.random.default_rng(seed).integers(PLACES), 0
        return self.views()

    def step(self, action):
        self.time += 1
        found = action[1] == self.target
        return self.views(), float(found), found, self.time == HORIZON, {"won": found}

    def views(self):
        views = np.zeros((AGENTS, PLACES + 1), np.float32)
        views[0, self.target] = 1.0
        views[:, -1] = self.time / HORIZON
        return views


class Faulty(Hints):
    """The same, but that things go wrong, at moments that no seed decides.

    At each reset but a process's first, which its sizes are read from, and at each step one of `faults` happens, with
    the given chance.
    """

    def __init__(self, faults=("crash",), chance=0.2):
        self.faults, self.chance, self.random = faults, chance, random.Random(os.urandom(8))
        self.wrong, self.resets = "", 0

    def reset(self, seed):
        views, self.resets = super().reset(seed), self.resets + 1
        return self.go_wrong(views) if self.resets > 1 else views

    def step(self, action):
        views, *rest = super().step(action)
        return self.go_wrong(views), *rest

    def action_mask(self):
        return np.full((AGENTS, PLACES), self.wrong != "mask")

    def go_wrong(self, views):
        self.wrong = self.random.choice(self.faults) if self.random.random() < self.chance else ""
        if self.wrong == "crash":
            raise RuntimeError("the game is gone")
        if self.wrong == "restart":
            raise SimulatorFault("restart", "it began anew")
        if self.wrong == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.wrong == "exit":
            os._exit(0)
        if self.wrong == "hang":
            time.sleep(600)
        if self.wrong == "stopped":
            os.kill(os.getpid(), signal.SIGSTOP)
        if self.wrong == "eof":
            os.closerange(3, 100)
        if self.wrong == "nan":
            return views + np.nan
        return views[:, 1:] if self.wrong == "shape" else views


class Slow(Hints):
    """Takes its time as long as a file is there."""

    def __init__(self, file):
        self.file = file

    def step(self, action):
        time.sleep(0.5 * os.path.exists(self.file))
        return super().step(action)


class Doomed(Hints):
    """Crashes whenever the target is the first place, which the seed decides."""

    def step(self, action):
        if self.target == 0:
            raise RuntimeError("it always does")
        return super().step(action)


class Parent(Hints):
    """The same, with a process of its own, as a game has."""

    def reset(self, seed):
        self.game = subprocess.Popen(["sleep", "600"])
        return super().reset(seed)


class Asleep(Hints):
    """Never starts."""

    def __init__(self):
        time.sleep(600)


class Endless(Hints):
    """Says no limit of steps."""

    horizon = 0


def nothing():
    """Makes nothing."""


class Importing(Hints):
    """Brings something that no worker may have."""

    def __init__(self):
        sys.modules["jax"] = sys
