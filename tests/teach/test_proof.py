"""Proofs end in time."""

from __future__ import annotations

import gc
import signal
import time
from contextlib import suppress

import pytest
import sympy

from losscodegen.teach import proof


def test_an_alarm_within_the_garbage_collector_is_not_lost() -> None:
    """An exception there would be printed, and the proof would go on without a limit."""
    calls: list[float] = []

    def slow(phase: str, info: object) -> None:
        """Takes so long the first time that the alarm comes meanwhile."""
        start = time.monotonic()
        while not calls and time.monotonic() < start + 0.05:
            pass
        calls.append(time.monotonic())

    def endless() -> None:
        gc.collect()
        while time.monotonic() < calls[1] + 5:
            sympy.expand((sympy.Symbol("x") + 1) ** 20)

    gc.callbacks.append(slow)
    try:
        with pytest.raises(proof.TooLongError), proof.limit(0.01):
            endless()
    finally:
        gc.callbacks.remove(slow)
    # The collection itself takes a second or two where much is in memory.
    assert time.monotonic() < calls[1] + 2


def test_an_alarm_that_comes_late_is_taken_back() -> None:
    """It must not go off in what comes after the proof."""
    before = signal.getsignal(signal.SIGALRM)
    for _ in range(200):
        with suppress(proof.TooLongError), proof.limit(1e-6):
            sympy.expand((sympy.Symbol("x") + 1) ** 3)
        assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
        assert signal.getsignal(signal.SIGALRM) is before
