"""Partial derivatives where there are kinks: the conventions, and the one-sided derivatives.

Where an op has a kink its partial derivatives are a `Tie`, which knows the convention and what
else would be a one-sided derivative.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from flint import arb, fmpq

from losscodegen.judge.oracle_arithmetic import (
    absolute,
    divide,
    multiply,
    negate,
    order,
    subtract,
)
from losscodegen.judge.oracle_choice import floor
from losscodegen.judge.oracle_numbers import (
    MINUS_ONE,
    ONE,
    TWO,
    UNDEFINED,
    UNKNOWN,
    ZERO,
    Value,
    infinite,
    sign,
    zero,
)
from losscodegen.judge.oracle_powers import power

Partials = Sequence[Value | None]
"""One partial derivative per argument; None where it is 0 whatever the arguments."""

Wanted = Sequence[bool]
"""Which of them are needed at all."""


@dataclass(frozen=True, slots=True)
class Tie:
    """The partial derivatives at a kink.

    ``settled`` is False while the precision does not suffice to know that it is one. At a ``jump``
    the value itself is discontinuous. ``removable`` marks a choice whose other branch has no value
    at the very point, such as ``where(x == 0, 1, sin(x)/x)``: only limits know its derivative.
    """

    convention: Partials
    alternatives: tuple[Partials, ...]
    settled: bool = True
    jump: bool = False
    removable: bool = False


Slope = Callable[[Value, Value], Value | Tie | None]
"""The derivative of an op of one argument, from argument and value."""

Rule = Callable[[list[Value], Value, Wanted], Partials | Tie]
"""The partial derivatives of an op, from arguments and value."""


def between(low: int, high: int) -> arb:
    """The interval as a ball."""
    return arb(low).union(arb(high))


def times(factor: Value | None, partial: Value | None) -> Value | None:
    if factor is None or partial is None:
        return None
    return multiply(factor, partial)


def abs_slope(x: Value) -> Value | Tie:
    way = sign(x)
    if way:
        return fmpq(way)
    return Tie((ZERO,), ((ONE,), (MINUS_ONE,)), settled=way == 0)


def relu_slope(x: Value) -> Value | Tie:
    way = sign(x)
    if way:
        return ONE if way > 0 else ZERO
    return Tie((ZERO,), ((ONE,), (ZERO,)), settled=way == 0)


def step_slope(way: int | None) -> Tie | None:
    """The derivative of a step that lies where ``way`` is 0: nothing, but the value jumps there."""
    return None if way else Tie((None,), (), settled=way == 0, jump=True)


def above_whole(x: Value) -> int | None:
    return None if x is UNDEFINED else order(x, floor(x))


def mod_partials(args: list[Value], _: Value, __: Wanted) -> Partials | Tie:
    ratio = divide(*args)
    whole = floor(ratio)
    partials = ONE, negate(whole)
    way = None if ratio is UNDEFINED else order(ratio, whole)
    return partials if way else Tie(partials, (), settled=way == 0, jump=True)


def delta_partials(args: list[Value], _: Value, __: Wanted) -> Partials | Tie:
    found = order(*args)
    if found:
        return None, None
    return Tie((None, None), (), settled=found == 0, jump=True)


def clip_partials(args: list[Value], _: Value, __: Wanted) -> Partials | Tie:
    inside, at_low, at_high = (ONE, None, None), (None, ONE, None), (None, None, ONE)
    below, above = order(args[0], args[1]), order(args[0], args[2])
    if below == -1:
        return at_low
    if below == 1 and above:
        return at_high if above == 1 else inside
    alternatives: list[Partials] = [inside] if above != 1 else []
    if below != 1:
        alternatives.append(at_low)
    if above != -1:
        alternatives.append(at_high)
    if len(alternatives) == 1:
        return alternatives[0]
    convention = inside if above != 1 else at_high
    settled = below is not None and above is not None
    return Tie(convention, tuple(alternatives), settled=settled)


def choice_partials(way: int) -> Rule:
    """The partial derivatives of max (1) or min (-1): shared equally by those that tie."""

    def partials(args: list[Value], result: Value, _: Wanted) -> Partials | Tie:
        found = [order(a, result) for a in args]
        tied = [k for k, o in enumerate(found) if o != -way]
        count = len(args)
        if len(tied) == 1:
            return _unit(tied[0], count)
        if not tied:
            return [UNDEFINED] * count
        share = fmpq(1, len(tied))
        even = [share if k in tied else None for k in range(count)]
        settled = all(found[k] == 0 for k in tied)
        return Tie(even, tuple(_unit(k, count) for k in tied), settled=settled)

    return partials


def _unit(place: int, count: int) -> Partials:
    return [ONE if k == place else None for k in range(count)]


def norm_partials(args: list[Value], result: Value, _: Wanted) -> Partials | Tie:
    """The p of the norm comes last; a kink where entries are 0 and p <= 1, or all of them are."""
    values, p = args[:-1], args[-1]
    if infinite(p):
        return _norm_of_largest(values, result, infinite(p))
    steepness = order(p, ONE)
    if steepness is None:
        return [UNKNOWN] * len(values) + [UNKNOWN]
    if zero(result):
        free = UNKNOWN if steepness < 0 else between(-1, 1)
        still: Partials = [ZERO] * len(values) + [None]
        return Tie(still, ([free] * len(values) + [None],))
    slopes: list[Value | None] = []
    ends: list[Value | None] = []
    settled = True
    for value in values:
        way = sign(value)
        slope, end = _norm_slope(value, way, result, p, steepness)
        settled = settled and (way is not None or end is None)
        slopes.append(slope)
        ends.append(slope if end is None else end)
    if all(s is e for s, e in zip(slopes, ends, strict=True)):
        return [*slopes, None]
    return Tie([*slopes, None], ([*ends, None],), settled=settled)


def _norm_slope(
    value: Value, way: int | None, result: Value, p: Value, steepness: int
) -> tuple[Value, Value | None]:
    """The derivative by one entry, and at a kink the interval of one-sided ones."""
    if p == TWO:
        return divide(value, result), None
    if steepness == 0:
        return (ZERO, between(-1, 1)) if not way else (fmpq(way), None)
    if way == 0:
        return ZERO, (UNKNOWN if steepness < 0 else None)
    ratio = divide(absolute(value), result)
    size = power(ratio, subtract(p, ONE))
    if way is None:
        return multiply(between(-1, 1), size) if steepness > 0 else UNKNOWN, None
    return multiply(fmpq(way), size), None


def _norm_of_largest(values: list[Value], result: Value, way: int) -> Partials | Tie:
    signs = [abs_slope(v) for v in values]
    slopes = [s.convention[0] if isinstance(s, Tie) else s for s in signs]
    ends = [between(-1, 1) if isinstance(s, Tie) else s for s in signs]
    found = choice_partials(way)([absolute(v) for v in values], result, ())
    tie = found if isinstance(found, Tie) else Tie(found, (found,))
    convention = [times(p, s) for p, s in zip(tie.convention, slopes, strict=True)]
    alternatives = tuple(
        [*(times(p, e) for p, e in zip(a, ends, strict=True)), None]
        for a in tie.alternatives
    )
    if not isinstance(found, Tie) and all(
        p is None or not isinstance(s, Tie) for p, s in zip(found, signs, strict=True)
    ):
        return [*convention, None]
    settled = all(s.settled for s in signs if isinstance(s, Tie))
    return Tie([*convention, None], alternatives, settled=tie.settled and settled)


def hypot_partials(args: list[Value], result: Value, _: Wanted) -> Partials | Tie:
    found = norm_partials([*args, TWO], result, ())
    if isinstance(found, Tie):
        alternatives = tuple(a[:-1] for a in found.alternatives)
        return Tie(found.convention[:-1], alternatives, settled=found.settled)
    return found[:-1]
