"""Truth values that know whether they hang by a thread.

A condition is what its formula says, and what it might as well be: at an exact tie of real numbers
the smallest change of an input flips it. At ``x <= 1`` with x = 1 it holds, and both branches count
for the hull of one-sided derivatives. Five codes are enough.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from losscodegen.judge.oracle_arithmetic import order
from losscodegen.judge.oracle_numbers import UNDEFINED, Value, finite, infinite

NO: Final = 0
YES: Final = 1
NO_AT_TIE: Final = 2
YES_AT_TIE: Final = 3
OPEN: Final = 4
"""The precision does not suffice."""

_WRITTEN: Final = (False, True, False, True, None)
_POSSIBLE: Final = ((False,), (True,), (False, True), (False, True), (False, True))

_AT: Mapping[str, tuple[int, int, int]] = {
    "eq": (NO, YES, NO),
    "ne": (YES, NO, YES),
    "lt": (YES, NO, NO),
    "le": (YES, YES, NO),
    "gt": (NO, NO, YES),
    "ge": (NO, YES, YES),
}
"""Each comparison where the left side is less, equal, greater."""


def comparison(op: str, sensitive: bool) -> Callable[[Value, Value], int]:
    """``op`` as a function; only a ``sensitive`` one can tie, the others compare data."""
    less, equal, greater = _AT[op]
    tied = equal + 2 if sensitive else equal
    undefined = YES if op == "ne" else NO

    def compare(left: Value, right: Value) -> int:
        found = order(left, right)
        if found is None:
            missing = left is UNDEFINED or right is UNDEFINED
            return undefined if missing else OPEN
        if found == 0:
            return equal if infinite(left) else tied
        return less if found < 0 else greater

    return compare


def _code(written: bool | None, possible: set[bool]) -> int:
    if len(possible) == 1:
        return int(possible.pop())
    return OPEN if written is None else 2 + written


def _both(left: int, right: int) -> int:
    possible = {a and b for a in _POSSIBLE[left] for b in _POSSIBLE[right]}
    one, other = _WRITTEN[left], _WRITTEN[right]
    written = None if one is None or other is None else one and other
    return _code(written, possible)


def _not(code: int) -> int:
    written = _WRITTEN[code]
    return _code(
        None if written is None else not written, {not p for p in _POSSIBLE[code]}
    )


_NOT: Final = tuple(_not(a) for a in range(5))
_AND: Final = tuple(tuple(_both(a, b) for b in range(5)) for a in range(5))


def negation(code: int) -> int:
    return _NOT[code]


def conjunction(codes: list[int]) -> int:
    result = YES
    for code in codes:
        result = _AND[result][code]
    return result


def disjunction(codes: list[int]) -> int:
    return _NOT[conjunction([_NOT[c] for c in codes])]


def is_nan(value: Value) -> int:
    if value is UNDEFINED:
        return YES
    return NO if finite(value) or infinite(value) else OPEN


def is_finite(value: Value) -> int:
    if finite(value):
        return YES
    return NO if value is UNDEFINED or infinite(value) else OPEN


def written(code: int) -> bool | None:
    """What the condition is as it is written; None if that is not known."""
    return _WRITTEN[code]
