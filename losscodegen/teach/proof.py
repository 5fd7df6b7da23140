"""Whether an expression is 0 everywhere, shown by SymPy within a limit of time."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from losscodegen.ir.build import ZERO
from losscodegen.ir.loss import Loss
from losscodegen.ir.nodes import Expr
from losscodegen.ir.walk import walk

PROVABLE = 120
"""Nodes of a difference that SymPy is asked about."""
_PROVING = frozenset({"losscodegen", "mpmath", "sympy"})
"""The packages whose functions a proof runs, and that it may be interrupted in."""
_AGAIN_S = 0.01
"""After how long an alarm that came at the wrong moment is repeated."""


class TooLongError(Exception):
    """A proof took longer than it may."""


def proved(difference: Expr, loss: Loss, seconds: float) -> bool:
    """Whether the difference is shown to be 0 everywhere: by collecting terms, or by SymPy."""
    if difference == ZERO:
        return True
    if sum(1 for _ in walk(difference)) > PROVABLE:
        return False
    import sympy

    from losscodegen.language.symbolic import Unsound, to_sympy

    with (
        suppress(Unsound, TooLongError, ArithmeticError, RecursionError),
        limit(seconds),
    ):
        found = to_sympy(difference, loss.variables)
        if found == 0:
            return True
        # Over one denominator and in exponentials most differences are seen to vanish at once.
        above = sympy.numer(sympy.together(found.rewrite(sympy.exp)))
        return bool(sympy.expand(above) == 0 or sympy.simplify(found) == 0)
    return False


@contextmanager
def limit(seconds: float) -> Iterator[None]:
    """At most so many seconds, where the system can interrupt; a proof elsewhere is not begun."""
    if threading.current_thread() is not threading.main_thread():
        raise TooLongError

    def stop(number: int, frame: FrameType | None) -> None:
        # What is raised in a callback of the garbage collector, whoever's it is, is printed and
        # lost, and what is raised below, while the alarm is taken back, would leave it on. The next
        # alarm finds the proof itself.
        name = "" if frame is None else frame.f_globals.get("__name__", "")
        if name.partition(".")[0] in _PROVING and name != __name__:
            raise TooLongError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
