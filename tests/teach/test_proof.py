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
    calls = []

    def slow(phase: str, info: object) -> None:
        """Takes so long the first time that the alarm comes meanwhile."""
        if not calls:
            end = time.monotonic() + 0.05
            while time.monotonic() < end:
                calls.append(phase)

    def endless() -> None:
        gc.collect()
        while time.monotonic() < start + 60:
            sympy.expand((sympy.Symbol("x") + 1) ** 20)

    gc.callbacks.append(slow)
    start = time.monotonic()
    try:
        with pytest.raises(proof.TooLongError), proof.limit(0.01):
            endless()
    finally:
        gc.callbacks.remove(slow)
    assert calls
    assert time.monotonic() < start + 60


def test_an_alarm_that_comes_late_is_taken_back() -> None:
    """It must not go off in what comes after the proof."""
    before = signal.getsignal(signal.SIGALRM)
    for _ in range(200):
        with suppress(proof.TooLongError), proof.limit(1e-6):
            sympy.expand((sympy.Symbol("x") + 1) ** 3)
        assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
        assert signal.getsignal(signal.SIGALRM) is before
