"""Points at which one number is far out while others agree."""

from __future__ import annotations

import math
from random import Random

import pytest

from losscodegen.ir.loss import Domain, DomainKind
from losscodegen.judge.extremes import AT_MOST, extremes, far_out
from losscodegen.judge.point import Array
from losscodegen.judge.points import sample
from losscodegen.judge.rounding import Dtype
from losscodegen.judge.samplers import Range
from tests.lab_modules import read_loss

REAL = Domain(kind=DomainKind.REAL)
UNIT = Domain(kind=DomainKind.UNIT)
DTYPES = [Dtype.FLOAT32, Dtype.FLOAT64]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("dtype", DTYPES)
def test_equal_inputs_meet_an_exponential_that_overflows(
    seed: int, dtype: Dtype
) -> None:
    """``(y - x)*exp(-s/2)`` is NaN at such points alone, so that no seed may lack them."""
    loss = read_loss("gaussian_nll_log_variance")
    found = 0
    for point in sample(loss, dtype, seed=seed, count=16).points:
        x, y, s = (point.values[n] for n in ("x", "y", "s"))
        assert isinstance(x, Array) and isinstance(y, Array) and isinstance(s, Array)
        over = 2 * math.log(dtype.largest) < -float(s.entries[0]) < 1e5
        found += x == y and over
    assert found


@pytest.mark.parametrize("dtype", DTYPES)
def test_extremes_are_on_both_sides_of_what_exp_bears(dtype: Dtype) -> None:
    found = extremes(Range.of(REAL, dtype))
    top = math.log(dtype.largest)
    assert any(top < v < 1.1 * top for v in found)
    assert any(2 * top < v < 2.1 * top for v in found)
    # Not far beyond where exp is 0: what is right further out may be wrong just there.
    bottom = -dtype.bottom * math.log(2)
    assert any(bottom < v < bottom + 3 for v in found)
    assert any(v * v > dtype.largest and v < 1e200 for v in found)
    assert {-v for v in found} >= {v for v in found if abs(v) > 1}
    assert set(extremes(Range.of(UNIT, dtype))) >= {0.0, 1.0, 1.0 - dtype.epsilon}


def test_two_entries_of_one_variable_are_no_pair() -> None:
    span = Range.of(REAL, Dtype.FLOAT32)
    alike = [name for name, _, _ in far_out([span] * 2, ["x", "x"], Random(0))]
    apart = [name for name, _, _ in far_out([span] * 2, ["x", "y"], Random(0))]
    assert "both" not in alike and "both" in apart


def test_many_inputs_get_no_more_points_than_the_limit() -> None:
    span = Range.of(REAL, Dtype.FLOAT32)
    names = [str(k) for k in range(8)]
    assert len(list(far_out([span] * 8, names, Random(0)))) == AT_MOST
