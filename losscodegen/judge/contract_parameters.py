"""What a module refuses as a scalar parameter, and what it takes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

import torch

from losscodegen.ir.loss import DomainKind, Loss, Variable
from losscodegen.judge.accused import Accused
from losscodegen.judge.point import Point
from losscodegen.judge.points import admitted
from losscodegen.judge.rounding import Dtype
from losscodegen.judge.samplers import Range
from losscodegen.judge.tensors import DIFFERENTIABLE, bind

FAR = 64.0
"""Of this size, and of its reciprocal, a parameter is ordinary, and its exponential a number."""


def parameter_fault(loss: Loss, accused: Accused, point: Point) -> tuple[int, str]:
    """How many parameters were tried at a point, and what is wrong.

    What is outside its domain is refused with a ValueError, at the latest by the first call; a
    class that stands in for another one refuses it with the errors of that one. What is inside is
    taken, however far it is from the default, if no ``require`` forbids it.
    """
    bound = bind(loss, point.values, torch.float64)
    checked = 0
    for variable in (v for v in loss.parameters if v.scalar):
        for wrong in outside(variable):
            try:
                accused.call({**bound, variable.name: wrong})
            except refusals(loss):
                checked += 1
            else:
                return checked, f"{variable.arg}={wrong!r} is accepted"
        for right in inside(variable):
            there = replace(point, values={**point.values, variable.name: right})
            if not admitted(loss, [there]):
                continue
            try:
                accused.call(bind(loss, there.values, torch.float64))
            except refusals(loss) as error:
                return checked, f"{variable.arg}={right!r} is refused: {error}"
            checked += 1
    return checked, ""


def refusals(loss: Loss) -> tuple[type[Exception], ...]:
    """The errors with which a module may refuse what it is given."""
    if loss.interface is None:
        return (ValueError,)
    return (ValueError, TypeError, RuntimeError)


def outside(variable: Variable) -> Iterator[Any]:
    """Values that the domain of a scalar parameter does not have."""
    kind, interval = variable.domain.kind, variable.domain.interval
    if kind is DomainKind.CHOICE:
        yield "no such word"
    bounded = kind in DIFFERENTIABLE - {DomainKind.REAL}
    if bounded or (interval is not None and kind is DomainKind.REAL):
        yield math.nan
    if kind in (DomainKind.POSITIVE, DomainKind.NEGATIVE):
        yield 0.0
    if kind in (DomainKind.POSITIVE, DomainKind.NONNEGATIVE, DomainKind.UNIT):
        yield -1.0
    if kind is DomainKind.NEGATIVE:
        yield 1.0
    if kind is DomainKind.UNIT:
        yield 1.5
    if interval is not None:
        for end, open_, outward in (
            (interval.low, interval.low_open, -1),
            (interval.high, interval.high_open, 1),
        ):
            if end is not None:
                yield float(end if open_ else end + outward * Fraction(1, 2))


def inside(variable: Variable) -> Iterator[float]:
    """Numbers that it has, those next to its ends among them."""
    if variable.domain.kind not in DIFFERENTIABLE:
        return
    span = Range.of(variable.domain, Dtype.FLOAT64)
    wanted = {0.0, *(s * f for s in (1.0, -1.0) for f in (1.0, FAR, 1 / FAR))}
    wanted |= {end for end in (span.low, span.high) if 1 / FAR <= abs(end) <= FAR}
    yield from sorted(x for x in wanted if x in span)
