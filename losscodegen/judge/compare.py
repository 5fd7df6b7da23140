"""One point: every entry of a result held against the truth."""

from __future__ import annotations

import math
from collections.abc import Iterator

from losscodegen.judge.case import Case
from losscodegen.judge.criterion import (
    Fault,
    Limits,
    Measure,
    Skip,
    measure,
    measure_slope,
    near_overflow,
    near_underflow,
)
from losscodegen.judge.point import Point, Real, Truth
from losscodegen.judge.rim import at_rim, has_room, is_tame
from losscodegen.judge.rounding import Dtype
from losscodegen.judge.tensors import Result


def compare(
    point: Point,
    truth: Truth,
    ours: Result,
    naive: Result,
    dtype: Dtype,
    limits: Limits,
) -> Iterator[tuple[str, Case, Measure | Skip, Measure | Skip, str]]:
    """Every entry of the value, then of every gradient: its case, the errors, its class."""
    group = point_class(point.label)
    rim = at_rim(point, dtype)
    tame = is_tame(point)
    naive_fits = naive.error is None and naive.shape == truth.shape
    naive_value = 0.0
    for k, want in enumerate(truth.value):
        error = measure(want, ours.value[k], dtype)
        there = naive.value[k] if naive_fits else math.nan
        beside = measure(want, there, dtype)
        if isinstance(beside, Measure):
            naive_value = max(naive_value, beside.ulp)
        case = new_case(
            point, truth, "value", None, k, want, ours.value[k], error, tame
        )
        case.naive, case.naive_ulp = there, ulp_of(beside)
        case.naive_value_ulp = case.naive_ulp
        if rim or near_overflow(want, dtype):
            error = lenient(error, limits.value)
        yield "value", case, error, beside, group
    overflow = any(near_overflow(v, dtype) for v in truth.value)
    room = has_room(point, dtype)
    underflow = any(near_underflow(v, dtype) for v in truth.value)
    for name, slopes in truth.gradient.items():
        if name not in ours.gradient:
            continue
        blown = not room and any(
            s.value.finite and math.isinf(s.value.rounded(dtype)) for s in slopes
        )
        for k, slope in enumerate(slopes):
            got = ours.gradient[name][k]
            error = measure_slope(slope, got, dtype)
            there = naive.gradient[name][k] if naive_fits else math.nan
            beside = measure_slope(slope, there, dtype)
            poisoned = _poisoned(error, slope.value, dtype)
            if overflow and isinstance(error, Measure):
                error = Skip.OVERFLOW
            elif poisoned and blown:
                # inf - inf: its terms are as large as the derivatives beside it and cancel.
                error = Skip.RIM
            elif (
                rim
                or near_overflow(slope.value, dtype)
                or (underflow and not (poisoned and room))
            ):
                error = lenient(error, limits.gradient)
            case = new_case(
                point, truth, "gradient", name, k, slope.value, got, error, tame
            )
            case.naive, case.naive_ulp = there, ulp_of(beside)
            case.naive_value_ulp = naive_value
            kink = slope.kink or slope.jump
            case.smooth = not kink
            yield "gradient", case, error, beside, "kink" if kink else group


def new_case(
    point: Point,
    truth: Truth,
    order: str,
    variable: str | None,
    entry: int,
    want: Real,
    got: float,
    error: Measure | Skip,
    tame: bool,
) -> Case:
    return Case(
        point=point,
        truth=truth,
        order=order,
        variable=variable,
        entry=entry,
        want=want,
        got=got,
        ulp=ulp_of(error),
        fault=error.fault if isinstance(error, Measure) else Fault.DIGITS,
        naive=math.nan,
        naive_ulp=math.inf,
        naive_value_ulp=math.inf,
        tame=tame,
    )


def ulp_of(error: Measure | Skip) -> float:
    return error.ulp if isinstance(error, Measure) else 0.0


def lenient(error: Measure | Skip, limit: float) -> Measure | Skip:
    """What is right at the rim counts, what is wrong there is not held against anyone."""
    return Skip.RIM if isinstance(error, Measure) and error.ulp > limit else error


def _poisoned(error: Measure | Skip, want: Real, dtype: Dtype) -> bool:
    """Whether nan stands where 0 should: a loss too small for the format is no excuse for that."""
    nan = isinstance(error, Measure) and error.fault is Fault.NAN
    return nan and want.rounded(dtype) == 0


def point_class(label: str) -> str:
    """The class in which a point is counted, by the word that its maker put first."""
    words = label.split(" ")
    if words[:2] in (["formula", "seam"], ["module", "seam"]):
        return "kink" if words[0] == "formula" else "seam"
    return "edge" if words[0] in ("edge", "formula", "module") else "smooth"
