"""Which digits may cancel in a loss that was written by hand."""

from __future__ import annotations

import math

import pytest

from losscodegen.judge.compare import new_case
from losscodegen.judge.criterion import Fault, Measure
from losscodegen.judge.foreign_digits import has_free_origin
from losscodegen.judge.oracles import Oracles
from losscodegen.judge.point import Array, Point
from losscodegen.judge.rounding import Dtype
from tests.lab_modules import read_loss

ONE = Array((1,), (3e-4,))
OTHER = Array((1,), (1e-4,))
ROW = Array((1, 3), (1e-4, -2e-4, 3e-4))
OTHER_ROW = Array((1, 3), (0.0, 1e-4, 3e-4))


@pytest.mark.parametrize(
    ("spec", "values", "free"),
    [
        # Adding 1 to the logits of either side leaves the softmax what it is.
        ("distillation", {"x": ROW, "y": OTHER_ROW, "T": 1.0}, True),
        # A residual has a size: moving x alone is another loss.
        ("log_cosh", {"x": ONE, "y": OTHER}, False),
        ("mse", {"x": ONE, "y": OTHER}, False),
        # Positive numbers have an origin, whatever the loss makes of them.
        (
            "hellinger",
            {"p": Array((1, 2), (0.5, 0.5)), "q": Array((1, 2), (0.25, 0.75))},
            False,
        ),
    ],
)
@pytest.mark.parametrize("dtype", [Dtype.FLOAT32, Dtype.FLOAT64])
def test_only_logits_have_a_free_origin(
    spec: str, values: dict[str, Array | float], free: bool, dtype: Dtype
) -> None:
    loss, oracles = read_loss(spec), Oracles()
    point = Point(values=values)
    truth = oracles(loss, point, dtype)
    assert truth is not None
    error = Measure(math.inf, Fault.CANCELLATION)
    case = new_case(point, truth, "value", None, 0, truth.value[0], 0.0, error, True)
    assert has_free_origin(loss, case, dtype, oracles) is free
