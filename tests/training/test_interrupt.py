"""Signals while something computes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from marlcomm.training.interrupt import interruptibly, stop_between_chunks

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
pytestmark = pytest.mark.usefixtures("hears_signals")


def send_after(seconds, number):
    threading.Timer(seconds, os.kill, (os.getpid(), number)).start()


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_is_answered_at_once_and_what_runs_ends(number):
    said = []
    with stop_between_chunks(said.append) as stopping:
        send_after(0.05, number)
        assert interruptibly(lambda: (stopping.wait(5), len(said), "result")) == (True, 1, "result")
        assert stopping.is_set()
    assert number.name in said[0]


def test_a_second_interruption_does_not_wait():
    release = threading.Event()
    with stop_between_chunks(lambda text: None):
        send_after(0.05, signal.SIGTERM)
        send_after(0.15, signal.SIGINT)
        started = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            interruptibly(release.wait, 20)
    assert time.monotonic() - started < 5
    release.set()


def test_what_fails_meanwhile_fails_here():
    with stop_between_chunks(lambda text: None), pytest.raises(ZeroDivisionError):
        interruptibly(lambda: 1 / 0)


def test_handlers_are_as_before_and_what_is_ignored_stays_ignored():
    before = [signal.getsignal(number) for number in SIGNALS]
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as under nohup
    try:
        with stop_between_chunks(lambda text: None) as stopping:
            signal.raise_signal(signal.SIGHUP)
            assert not stopping.is_set()
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before[2])
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_a_sigint_that_is_ignored_stays_so_after_another_signal_and_nobody_is_told_to_use_it():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    said = []
    with stop_between_chunks(said.append) as stopping:
        signal.raise_signal(signal.SIGTERM)
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
        assert stopping.is_set()
    assert "SIGTERM" in said[0]
    assert "Ctrl-C" not in said[0]


def test_a_process_ends_while_what_was_left_behind_still_computes():
    program = """
import os, signal, threading, time
import jax, jax.numpy as jnp
from marlcomm.training.interrupt import interruptibly, stop_between_chunks
def spin():
    time.sleep(0.2)
    for _ in range(2):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.2)
threading.Thread(target=spin).start()
forever = jax.jit(lambda x: jax.lax.while_loop(lambda y: y[0] > -1, jnp.sin, x))
with stop_between_chunks(print):
    interruptibly(lambda: jax.block_until_ready(forever(jnp.ones(3))))
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 130, ended.stderr
    assert "SIGINT" in ended.stdout
    assert "KeyboardInterrupt" in ended.stderr
