"""When a number is wrong: ulp, faults, kinks, overflow, the rim, and what conditioning excuses."""

from __future__ import annotations

import math

import pytest

from losscodegen.judge.criterion import (
    Fault,
    Limits,
    Measure,
    Skip,
    difference,
    measure,
    measure_slope,
    near_underflow,
    scaled_error,
)
from losscodegen.judge.point import (
    UNDEFINED,
    UNDETERMINED,
    Array,
    Kind,
    Point,
    Real,
    Slope,
)
from losscodegen.judge.rim import at_rim, is_tame
from losscodegen.judge.rounding import Dtype
from losscodegen.judge.wording import format_number, format_point

F32, F64 = Dtype.FLOAT32, Dtype.FLOAT64


def real(value: float) -> Real:
    numerator, denominator = value.as_integer_ratio()
    return Real(Kind.FINITE, numerator, 1 - denominator.bit_length())


PLUS, MINUS = Real(Kind.POSITIVE_INFINITY), Real(Kind.NEGATIVE_INFINITY)
BEYOND = Real(Kind.FINITE, 1, 200)

MEASURES = (
    (real(1.0), 1.0, 0.0, Fault.DIGITS),
    (real(1.0), 1.0 + 2.0**-23, 1.0, Fault.DIGITS),
    (real(1.0), 0.0, 2.0**23, Fault.ZERO),
    (real(1.0), math.inf, math.inf, Fault.INFINITE),
    (real(1.0), math.nan, math.inf, Fault.NAN),
    (real(0.0), 0.0, 0.0, Fault.DIGITS),
    (real(0.0), 1e-39, 0.0, Fault.DIGITS),
    (real(1e-40), 0.0, 0.0, Fault.DIGITS),
    (real(2e-38), 1e-38, 1.0, Fault.DIGITS),
    (BEYOND, math.inf, 0.0, Fault.INFINITE),
    (PLUS, math.inf, 0.0, Fault.INFINITE),
    (MINUS, -math.inf, 0.0, Fault.INFINITE),
)


@pytest.mark.parametrize(("truth", "got", "ulp", "fault"), MEASURES)
def test_errors_are_measured(truth: Real, got: float, ulp: float, fault: Fault) -> None:
    found = measure(truth, got, F32)
    assert isinstance(found, Measure)
    if math.isinf(ulp):
        assert found.ulp > 1e9
    else:
        assert found.ulp == pytest.approx(ulp, rel=1e-6)
    assert found.fault is fault


OUTSIDE = (
    (real(1.0), 1.0, False),
    (real(1.0), 2.0, False),
    (BEYOND, math.inf, True),
    (BEYOND, 1.0, True),
    (real(1e-40), real(1e-40).rounded(F32), True),
    (real(1e-40), 1.0, True),
    (real(0.0), 0.0, False),
    (PLUS, math.inf, True),
    (PLUS, 1.0, True),
    (real(1.0), math.inf, False),
    (real(1.0), math.nan, False),
    # The smallest normal number is one.
    (real(F32.tiny), 1.5 * F32.tiny, False),
    (real(F32.tiny), 4 * F32.tiny, False),
    (real(F32.tiny / 2), F32.tiny, True),
)


@pytest.mark.parametrize(("truth", "got", "outside"), OUTSIDE)
def test_what_has_no_normal_number_tells_nothing(
    truth: Real, got: float, outside: bool
) -> None:
    """A check is vacuous if it has met nothing else, so that the mark decides verdicts."""
    found = measure(truth, got, F32)
    assert isinstance(found, Measure)
    assert found.outside is outside


def test_a_vertical_tangent_tells_nothing() -> None:
    found = measure_slope(Slope(value=PLUS), 3.0, F32)
    assert isinstance(found, Measure)
    assert (found.ulp, found.outside) == (0.0, True)


def test_the_limits_are_those_that_the_pages_state() -> None:
    """1024 ulp and 64 times what an ulp of the inputs makes fail; 16 and 64 ulp are listed."""
    limits = Limits()
    assert (limits.fails("value"), limits.fails("gradient")) == (1024, 1024)
    assert (limits.tells("value"), limits.tells("gradient")) == (16, 64)
    assert limits.scaled == 64
    assert limits.judged_at_least == 12
    half = limits.within(Dtype.FLOAT16)
    assert (half.fails("value"), half.fails("gradient")) == (32, 32)
    assert (half.tells("value"), half.tells("gradient")) == (16, 16)
    assert limits.within(F64) == limits.within(F32) == limits


def test_what_has_no_answer_is_not_judged() -> None:
    assert measure(UNDEFINED, 1.0, F32) is Skip.UNDEFINED
    assert measure(UNDETERMINED, 1.0, F32) is Skip.UNDETERMINED
    assert measure(BEYOND, math.nan, F32) is Skip.OVERFLOW


def test_an_overflow_of_the_wrong_sign_or_a_finite_one_is_wrong() -> None:
    for got in (-math.inf, 1.0):
        found = measure(BEYOND, got, F32)
        assert isinstance(found, Measure)
        assert found.ulp > 1e6


KINK = Slope(value=real(0.0), low=real(-1.0), high=real(1.0))


@pytest.mark.parametrize("got", [-1.0, -0.3, 0.0, 1.0])
def test_any_subgradient_is_right_at_a_kink(got: float) -> None:
    assert measure_slope(KINK, got, F32) == Measure(0.0, Fault.DIGITS)


def test_beyond_the_hull_the_distance_to_it_counts() -> None:
    found = measure_slope(KINK, 1.0 + 2.0**-22, F32)
    assert isinstance(found, Measure)
    assert found.ulp == pytest.approx(2.0)


def test_nan_is_never_right_at_a_kink() -> None:
    found = measure_slope(KINK, math.nan, F32)
    assert isinstance(found, Measure)
    assert found.fault is Fault.NAN


@pytest.mark.parametrize(
    "slope", [Slope(value=PLUS), Slope(value=real(0.0), low=real(0.0), high=PLUS)]
)
def test_a_vertical_tangent_may_be_given_any_number_but_nan(slope: Slope) -> None:
    for got in (0.0, 5.0, math.inf):
        found = measure_slope(slope, got, F32)
        assert isinstance(found, Measure)
        assert found.ulp == 0.0
    found = measure_slope(slope, math.nan, F32)
    assert isinstance(found, Measure)
    assert found.ulp == math.inf


def test_conditioning_divides_the_error() -> None:
    assert scaled_error(real(1.0), 1.0 + 1e-3, 1e-4, 8e3, F32) == pytest.approx(10.0)
    assert scaled_error(real(1.0), 1.0 + 1e-3, 0.0, 8e3, F32) == 8e3
    assert scaled_error(real(0.0), 1e-3, 1e-4, math.inf, F32) == pytest.approx(10.0)
    assert scaled_error(real(1.0), math.nan, 1.0, math.inf, F32) == math.inf


def test_differences_of_truths_are_exact_enough() -> None:
    one = Real(Kind.FINITE, (1 << 70) + 1, -70)
    assert difference(one, real(1.0), F64) == 2.0**-70
    assert difference(PLUS, real(1.0), F64) == 0.0
    assert difference(Real(Kind.FINITE, 1, -(10**9)), real(1.0), F64) == 1.0


def test_formats_with_few_bits_have_limits_of_their_own() -> None:
    assert Limits().within(F32).value == 1024
    assert Limits().within(Dtype.BFLOAT16).value == 4
    assert Limits().within(Dtype.BFLOAT16).tells("gradient") == 2


RIM = (
    (F32, {"x": (1e35,)}, True),
    (F32, {"x": (1e-36,)}, True),
    (F32, {"x": (1e30,)}, False),
    (F32, {"x": (1e30, 1e29)}, False),
    (F32, {"x": (1e-23,), "y": (0.0,)}, False),
    (F32, {"x": (1e-23,), "y": (1.0,)}, False),
    (F32, {"x": (1e30,), "y": (1e30,)}, True),
    (F32, {"x": (1e15,), "y": (1e-15,)}, True),
    (F64, {"x": (1e30,), "y": (1e30,)}, False),
    (Dtype.FLOAT16, {"x": (100.0,), "y": (0.5,)}, False),
)


@pytest.mark.parametrize(("dtype", "entries", "rim"), RIM)
def test_the_rim_is_where_numbers_have_no_room(
    dtype: Dtype, entries: dict[str, tuple[float, ...]], rim: bool
) -> None:
    point = Point(values={n: Array((len(e),), e) for n, e in entries.items()})
    assert at_rim(point, dtype) is rim


def test_scalar_parameters_are_no_rim() -> None:
    point = Point(values={"x": Array((1,), (1e20,)), "eps": 1e-30})
    assert not at_rim(point, F32)
    assert not is_tame(point)
    assert is_tame(Point(values={"x": Array((2,), (0.0, -99.0))}))


def test_numbers_and_points_are_printed_to_be_typed_in_again() -> None:
    third = 0.3333333432674408
    assert format_number(third, F32) == "0.33333334"
    assert format_number(third, F64) == repr(third)
    assert format_number(math.inf, F32) == "inf"
    point = Point(
        values={
            "x": Array((2, 1), (1.0, 2.0)),
            "k": 0.5,
            "w": None,
            "n": Array((1,), (3,)),
        }
    )
    assert format_point(point) == "x = [[1.0], [2.0]], k = 0.5, n = 3"


def test_a_zero_with_a_radius_is_an_underflow_and_an_exact_zero_is_none() -> None:
    too_small = Real(Kind.FINITE, 0, 0, 1, -2000)
    assert near_underflow(too_small, Dtype.FLOAT32)
    assert near_underflow(Real(Kind.FINITE, 1, -140), Dtype.FLOAT32)
    assert not near_underflow(Real(Kind.FINITE), Dtype.FLOAT32)
    assert not near_underflow(Real(Kind.FINITE, 1, -20), Dtype.FLOAT32)
