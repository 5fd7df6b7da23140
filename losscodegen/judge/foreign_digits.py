"""Digits that cancel in code that was not generated: which fail it, and which are listed alone.

An error that is negligible beside what a loss usually gives is listed (`Fault.CANCELLATION`), for
most losses written by hand have such errors where they are small. Two questions are left, and both
are answered by what `Limits` has: six bits.

* `lost`: is anything left of a result that the input determines to all its digits? log-cosh as
  ``|x| + softplus(-2|x|) - log(2)`` gives 0 or 6e-8 for residuals of 1e-4, where it is 5e-9. No
  intermediate result need be larger than the inputs, so none of that rounding was called for.
  ``logsumexp(x) - x[t]`` rounds at the size of its inputs, and that is as it should be. Where
  adding 1 to all of one input changes nothing, as to logits, that input has no size: a program may
  move its origin, as log_softmax does, and rounds beside 1.
* `excusable`: is a result that is off beside usual ones, too, off by no more than the rounding
  of intermediate results that were really seen, and has it its six bits? A softmax of logits of 1e4
  in float32 is no better.
"""

from __future__ import annotations

import math
from dataclasses import replace

from losscodegen.ir.loss import DomainKind, Loss
from losscodegen.judge.case import Case
from losscodegen.judge.criterion import Fault, Limits, difference
from losscodegen.judge.foreign_evidence import Failing
from losscodegen.judge.oracles import Oracles
from losscodegen.judge.point import Array, Entry, Point
from losscodegen.judge.points import Confine, admitted, tidy_points
from losscodegen.judge.rounding import Dtype, round_float
from losscodegen.judge.tally import CANCELLED, Tally

SMALL = 6
"""So many points are made small."""


def six_bits(dtype: Dtype) -> float:
    """The error in ulp above which fewer than six bits are right (see `Limits.within`)."""
    return math.ldexp(1.0, dtype.precision - 6)


def lost(
    tally: Tally, dtype: Dtype, limits: Limits, loss: Loss, oracles: Oracles
) -> list[Case]:
    """The cases of cancellation that have fewer than six bits, and no input that explains it."""
    found = [
        c
        for c in tally.cases
        if c.fault is Fault.CANCELLATION
        and c.probed
        and c.ulp > max(six_bits(dtype), limits.fails(tally.order))
        and min(c.scaled, c.by_line) > limits.scaled
        and _error(c, dtype) > CANCELLED * dtype.epsilon * input_size(c.point)
    ]
    beside_one = CANCELLED * dtype.epsilon
    return [
        c
        for c in found
        if _error(c, dtype) > beside_one or not has_free_origin(loss, c, dtype, oracles)
    ]


def has_free_origin(loss: Loss, case: Case, dtype: Dtype, oracles: Oracles) -> bool:
    """Whether all entries of one real input can be moved by 1 and the value stays what it is.

    Stays within the rounding of the move itself: an entry of 1e-9 is not exact beside 1.
    """
    for variable in loss.inputs:
        array = case.point.values.get(variable.name)
        if (
            variable.domain.kind is not DomainKind.REAL
            or variable.domain.interval is not None
            or not isinstance(array, Array)
        ):
            continue
        entries = tuple(e + 1.0 for e in array.entries)
        values = {**case.point.values, variable.name: Array(array.shape, entries)}
        moved = oracles(loss, replace(case.point, values=values), dtype)
        if moved is None or len(moved.value) != len(case.truth.value):
            continue
        change = difference(moved.value[case.entry], case.want, Dtype.FLOAT64)
        if change <= Dtype.FLOAT64.epsilon:
            return True
    return False


def excusable(failing: Failing, largest: float) -> bool:
    """Whether rounding an intermediate result as large as ``largest`` explains what is off."""
    case, dtype = failing.case, failing.dtype
    return (
        case.fault is Fault.DIGITS
        and case.ulp <= six_bits(dtype)
        and _error(case, dtype) <= CANCELLED * dtype.epsilon * largest
    )


def _error(case: Case, dtype: Dtype) -> float:
    return abs(case.got - case.want.rounded(dtype))


def input_size(point: Point) -> float:
    """The largest number among the tensors."""
    return max(
        (
            abs(e)
            for entry in point.values.values()
            if isinstance(entry, Array)
            for e in entry.entries
            if isinstance(e, float) and math.isfinite(e)
        ),
        default=0.0,
    )


def small_points(
    loss: Loss, dtype: Dtype, seed: int, confine: Confine | None
) -> list[Point]:
    """Some points with every real number in them about as small as the root of an epsilon.

    That is where second-order terms vanish beside 1, and first-order terms do not.
    """
    scale = 0.7 * math.sqrt(dtype.epsilon)
    real = [v.name for v in loss.inputs if v.domain.kind is DomainKind.REAL]
    if not real:
        return []
    points = tidy_points(
        loss, dtype, seed=seed, count=SMALL, purpose="small", limit=2, confine=confine
    )
    found: list[Point] = []
    for point in points:
        values: dict[str, Entry] = dict(point.values)
        for name in real:
            entry = values.get(name)
            if isinstance(entry, Array):
                entries = tuple(round_float(scale * e, dtype) for e in entry.entries)
                values[name] = Array(entry.shape, entries)
        found.append(replace(point, values=values, label="small"))
    return admitted(loss, found)
