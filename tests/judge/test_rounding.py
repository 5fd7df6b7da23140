"""Rounding against the hardware, against torch, and against a search for the nearest number."""

from __future__ import annotations

import math
import struct
from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from losscodegen.judge.rounding import (
    Dtype,
    ends,
    from_ordinal,
    neighbour,
    ordinal,
    ordinal_distance,
    plus,
    round_dyadic,
    round_float,
    round_fraction,
    rounds_alike,
    ulp_distance,
)

TORCH = {d: getattr(torch, d.value) for d in Dtype}
HALVES = (Dtype.FLOAT16, Dtype.BFLOAT16)


def dyadic(value: float) -> tuple[int, int]:
    numerator, denominator = value.as_integer_ratio()
    return numerator, 1 - denominator.bit_length()


def all_of(dtype: Dtype) -> list[float]:
    """Every number of a format of 16 bits, in order."""
    bits = torch.arange(-(2**15), 2**15, dtype=torch.int32).to(torch.int16)
    values = bits.view(TORCH[dtype]).double()
    return sorted(set(values[~values.isnan()].tolist()))


@pytest.mark.parametrize("dtype", Dtype)
def test_constants_are_those_of_torch(dtype: Dtype) -> None:
    info = torch.finfo(TORCH[dtype])
    assert (dtype.epsilon, dtype.tiny, dtype.largest) == (info.eps, info.tiny, info.max)
    assert math.ldexp(1.0, dtype.bottom) == info.smallest_normal * info.eps


@pytest.mark.parametrize("dtype", HALVES)
def test_every_number_of_a_half_rounds_to_itself_and_has_its_place(
    dtype: Dtype,
) -> None:
    values = all_of(dtype)
    assert [round_float(v, dtype) for v in values] == values
    first = ordinal(values[0], dtype)
    assert [ordinal(v, dtype) for v in values] == list(
        range(first, first + len(values))
    )
    assert [from_ordinal(first + k, dtype) for k in range(len(values))] == values


@pytest.mark.parametrize("dtype", HALVES)
def test_midpoints_of_a_half_go_to_even_and_their_neighbours_do_not(
    dtype: Dtype,
) -> None:
    finite = [v for v in all_of(dtype) if math.isfinite(v)]
    for low, high in zip(finite[::7], finite[1::7], strict=False):
        middle = (Fraction(low) + Fraction(high)) / 2
        even = low if ordinal(low, dtype) % 2 == 0 else high
        little = Fraction(1, 2**2000)
        assert round_fraction(middle, dtype) == even
        assert round_fraction(middle - little, dtype) == low
        assert round_fraction(middle + little, dtype) == high


@given(st.floats(allow_nan=False))
def test_float32_is_what_the_hardware_rounds_to(value: float) -> None:
    try:
        want = struct.unpack("f", struct.pack("f", value))[0]
    except OverflowError:
        want = math.copysign(math.inf, value)
    got = round_float(value, Dtype.FLOAT32)
    assert got == want
    assert math.copysign(1, got) == math.copysign(1, want)


@given(st.fractions(), st.integers(-1200, 1200))
def test_float64_is_what_python_rounds_to(value: Fraction, power: int) -> None:
    value *= Fraction(2) ** power
    try:
        want = float(value)
    except OverflowError:
        want = math.inf if value > 0 else -math.inf
    assert round_fraction(value, Dtype.FLOAT64) == want


@given(st.integers(-(2**80), 2**80), st.integers(-1200, 1200), st.sampled_from(Dtype))
def test_dyadics_round_as_fractions_do(mantissa: int, power: int, dtype: Dtype) -> None:
    value = mantissa * Fraction(2) ** power
    assert round_dyadic(mantissa, power, dtype) == round_fraction(value, dtype)


def test_rounding_twice_would_be_wrong() -> None:
    # A hair above the midpoint of two float32 numbers: the hair is lost on the way through 53 bits.
    mantissa = (1 << 100) + (1 << 76) + 1
    assert round_dyadic(mantissa, -100, Dtype.FLOAT32) == 1 + 2.0**-23
    assert (
        round_float(round_dyadic(mantissa, -100, Dtype.FLOAT64), Dtype.FLOAT32) == 1.0
    )


@pytest.mark.parametrize("dtype", Dtype)
def test_overflow_starts_half_a_unit_above_the_largest_number(dtype: Dtype) -> None:
    largest = Fraction(dtype.largest)
    half = Fraction(2) ** (dtype.top - dtype.precision)
    assert round_fraction(largest + half, dtype) == math.inf
    assert round_fraction(largest + half - Fraction(1, 2**2000), dtype) == dtype.largest
    assert round_fraction(-largest - half, dtype) == -math.inf


@pytest.mark.parametrize("dtype", Dtype)
def test_underflow_ends_at_half_the_smallest_number(dtype: Dtype) -> None:
    half = Fraction(2) ** (dtype.bottom - 1)
    smallest = math.ldexp(1.0, dtype.bottom)
    assert round_fraction(half, dtype) == 0.0
    assert round_fraction(half * Fraction(9, 8), dtype) == smallest
    assert math.copysign(1, round_dyadic(-1, -(10**9), dtype)) == -1


def test_exponents_have_no_limits() -> None:
    assert round_dyadic(3, 10**40, Dtype.FLOAT64) == math.inf
    assert round_dyadic(-3, -(10**40), Dtype.FLOAT64) == 0.0
    assert ulp_distance(0.0, 1, -(10**40), Dtype.FLOAT64) < 1e-15
    assert ulp_distance(math.inf, 1, 10**40, Dtype.FLOAT64) == 0.0


@given(st.floats(allow_nan=False), st.integers(-3, 3), st.sampled_from(Dtype))
def test_neighbours_are_one_unit_apart(value: float, steps: int, dtype: Dtype) -> None:
    value = round_float(value, dtype)
    moved = neighbour(value, steps, dtype)
    if math.isfinite(value) and math.isfinite(moved):
        assert ordinal_distance(value, moved, dtype) == abs(steps)
        distance = ulp_distance(moved, *dyadic(value), dtype)
        # Below a power of two the units are half as large, above one twice.
        assert abs(steps) / 2 <= distance <= 2 * abs(steps)


def test_ulp_distance_is_a_real_number() -> None:
    third = round_dyadic(*_third(), Dtype.FLOAT32)
    assert ulp_distance(third, *_third(), Dtype.FLOAT32) == pytest.approx(
        1 / 3, abs=1e-9
    )
    assert ulp_distance(1.5, 1, 0, Dtype.FLOAT32) == 2.0**22
    assert ulp_distance(math.nan, 1, 0, Dtype.FLOAT32) == math.inf


def _third() -> tuple[int, int]:
    return (1 << 100) // 3, -100


@pytest.mark.parametrize("dtype", Dtype)
def test_infinity_is_one_unit_beyond_the_largest_number(dtype: Dtype) -> None:
    assert ulp_distance(math.inf, *dyadic(dtype.largest), dtype) == 1.0
    assert ulp_distance(dtype.largest, 1, dtype.top + 1, dtype) == 1.0
    assert ulp_distance(-math.inf, 1, 5000, dtype) == 2.0 ** (dtype.precision + 1)


@given(
    st.integers(-(2**70), 2**70),
    st.integers(-1150, 1000),
    st.integers(0, 2**30),
    st.integers(-1400, 800),
    st.sampled_from(Dtype),
)
def test_an_enclosure_that_rounds_surely_rounds_alike_at_both_ends(
    mantissa: int, exponent: int, radius: int, reach: int, dtype: Dtype
) -> None:
    middle, around = (mantissa, exponent), (radius, reach)
    low, high = ends(middle, around)
    assert Fraction(2) ** low[1] * low[0] <= Fraction(2) ** exponent * mantissa
    if rounds_alike(middle, around, dtype):
        assert round_dyadic(*low, dtype) == round_dyadic(*high, dtype)


def test_an_enclosure_across_a_midpoint_does_not_round_surely() -> None:
    midpoint = (1 << 24) + 1, -24
    assert rounds_alike(midpoint, (0, 0), Dtype.FLOAT32)
    assert not rounds_alike(midpoint, (1, -3000), Dtype.FLOAT32)
    beside = plus(midpoint, ((1 << 30) + 1, -90))
    assert rounds_alike(beside, (1, -62), Dtype.FLOAT32)
    assert not rounds_alike(beside, (1, -59), Dtype.FLOAT32)


def test_a_wide_enclosure_does_not_round_surely_even_if_its_ends_agree() -> None:
    # Both ends round to 1, but an error in units of the last place could not be measured.
    assert not rounds_alike((1, 0), (1, -26), Dtype.FLOAT32)


def test_nan_has_no_place() -> None:
    with pytest.raises(ValueError, match="no place"):
        ordinal(math.nan, Dtype.FLOAT32)
    with pytest.raises(ValueError, match="no number at place"):
        from_ordinal(1 << 62, Dtype.FLOAT32)
