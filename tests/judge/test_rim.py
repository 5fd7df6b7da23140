"""What leaves the range of a format is told from what is wrong."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest

from losscodegen.judge.compare import compare
from losscodegen.judge.criterion import Fault, Limits, Measure, Skip
from losscodegen.judge.oracles import Oracles
from losscodegen.judge.point import Array, Point
from losscodegen.judge.rounding import Dtype
from losscodegen.judge.tensors import Result
from losscodegen.language.parse import losses_from_text

F32 = Dtype.FLOAT32

SPEC = """
[ForecastLoss]
summary = "For a test."
inputs.x = { type = "real[H]", doc = "a" }
inputs.past = { type = "real[T]", doc = "b" }
require = ["T >= 2"]
let = "step = Mean(abs(past[t+1] - past[t]), t, where=t < T - 1)"
loss = "abs(x)/step"
"""
"""The derivative by a number of the past between its neighbours is exactly 0: what each of
the two differences gives cancels, and overflows where the steps are small enough."""


@dataclass(frozen=True, kw_only=True)
class Given:
    past: tuple[float, ...]
    got: float
    fault: Fault | Skip | None
    x: float = 2.0


GIVEN = (
    # 2/step**2 is 2e60: no program has the two terms.
    Given(past=(-4e-31, 8e-31, 1e-30), got=math.nan, fault=Skip.RIM),
    Given(past=(-4e-31, 8e-31, 1e-30), got=0.0, fault=None),
    Given(past=(-4e-31, 8e-31, 1e-30), got=1.0, fault=Fault.DIGITS),
    # The same with all derivatives in the range, and with room for squares of ratios.
    Given(past=(-1e-10, 1e-12, 1e-10), got=math.nan, fault=Fault.NAN),
    Given(past=(-1.0, 1e-6, 1.0), got=math.nan, fault=Fault.NAN),
)


@pytest.mark.parametrize("given", GIVEN)
def test_nan_is_right_nowhere_but_among_derivatives_that_overflow(given: Given) -> None:
    (loss,) = losses_from_text(SPEC)
    past = Array((3,), given.past)
    point = Point(values={"x": Array((1,), (given.x,)), "past": past})
    truth = Oracles()(loss, point, F32)
    assert truth is not None
    slopes = {
        n: [s.value.rounded(F32) for s in row] for n, row in truth.gradient.items()
    }
    assert slopes["past"][1] == 0
    slopes["past"][1] = given.got
    result = Result(
        shape=truth.shape,
        value=tuple(v.rounded(F32) for v in truth.value),
        gradient={name: tuple(row) for name, row in slopes.items()},
        dtype="float32",
    )
    (error,) = (
        error
        for _, case, error, *_ in compare(point, truth, result, result, F32, Limits())
        if (case.variable, case.entry) == ("past", 1)
    )
    if isinstance(given.fault, Skip):
        assert error is given.fault
    else:
        assert isinstance(error, Measure)
        assert (error.fault if error.ulp else None) is given.fault
