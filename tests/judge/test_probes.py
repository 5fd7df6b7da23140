"""Seams are found to the last bit, and probes tell bad code from bad conditioning."""

from __future__ import annotations

import math
from collections.abc import Mapping
from random import Random

import pytest
import torch

from losscodegen.ir.loss import Loss
from losscodegen.judge.compare import compare
from losscodegen.judge.criterion import Limits, Measure
from losscodegen.judge.oracles import Oracles
from losscodegen.judge.point import Array, Point
from losscodegen.judge.probes import spread, spread_of_lines
from losscodegen.judge.rounding import Dtype, neighbour, round_float
from losscodegen.judge.seams import boundaries
from losscodegen.judge.tensors import Bound, Result
from losscodegen.judge.trial import Trial, naive_function
from losscodegen.judge.variants import Variants
from losscodegen.language.parse import losses_from_text
from losscodegen.language.printer import format_expression

F32, F64 = Dtype.FLOAT32, Dtype.FLOAT64


def loss_of(text: str) -> Loss:
    return losses_from_text(f'[TestLoss]\nsummary = "For a test."\n{text}')[0]


def column(*entries: float) -> Array:
    return Array((len(entries),), entries)


ONE = 'inputs.x = { type = "real[...]", doc = "a" }\n'
TWO = ONE + 'inputs.y = { type = "real[...]", doc = "b" }\n'


def values(points: list[Point], name: str = "x") -> set[float]:
    found = set()
    for point in points:
        array = point.values[name]
        assert isinstance(array, Array)
        found |= {float(e) for e in array.entries}
    return found


@pytest.mark.parametrize("dtype", [F32, F64])
def test_a_threshold_of_the_module_is_found_with_both_neighbours(dtype: Dtype) -> None:
    loss = loss_of(ONE + 'loss = "x"')

    def module(bound: dict[str, Bound]) -> torch.Tensor:
        x = bound["x"]
        assert isinstance(x, torch.Tensor)
        return torch.where(x < 0.7312, x, x * 1.0)

    bases = [Point(values={"x": column(0.5)})]
    found = boundaries(loss, module, dtype, bases, Random(0), label="module")
    seam = round_float(0.7312, dtype)
    threshold = values([p for p in found if p.label.startswith("module seam")])
    assert {neighbour(seam, -1, dtype), seam} <= threshold


@pytest.mark.parametrize(
    ("formula", "kink"),
    [
        ("relu(x - y)", 0.5),
        ("abs(x + y)", -0.5),
        ("Max(2*x, y)", 0.25),
        ("where(x*y > 1, x, y)", 2.0),
        ("clip(x, -3, 4*y)", 2.0),
    ],
)
def test_kinks_of_the_formula_are_found(formula: str, kink: float) -> None:
    loss = loss_of(TWO + f'loss = "{formula}"')
    bases = [Point(values={"x": column(0.1), "y": column(0.5)})]
    function = naive_function(loss, F32)
    found = boundaries(loss, function, F32, bases, Random(0), label="formula")
    sides = values([p for p in found if p.label == "formula seam x"])
    assert any(abs(x - kink) <= 1e-6 for x in sides)
    assert any(x <= kink for x in sides)
    assert any(x >= kink for x in sides)


def test_overflow_and_absorption_are_found() -> None:
    loss = loss_of(ONE + 'loss = "log(1 + exp(x))"')
    bases = [Point(values={"x": column(1.0)})]
    function = naive_function(loss, F32)
    found = boundaries(loss, function, F32, bases, Random(0), label="formula")
    sides = values([p for p in found if p.label == "formula range x"])
    assert any(88.7 < x < 88.8 for x in sides)
    assert any(-16.7 < x < -16.6 for x in sides)


def test_seams_over_axes_are_found_one_path_at_a_time() -> None:
    loss = loss_of(
        'inputs.x = { type = "real[B, D]", doc = "a" }\nloss = "Sum(relu(x - 3), d)"'
    )
    bases = [Point(values={"x": Array((1, 2), (0.5, 1.0))})]
    function = naive_function(loss, F64)
    found = boundaries(loss, function, F64, bases, Random(0), label="formula")
    assert 3.0 in values([p for p in found if p.label == "formula seam x"])


def test_a_function_that_raises_has_no_seams() -> None:
    loss = loss_of(ONE + 'loss = "x"')

    def module(bound: dict[str, Bound]) -> torch.Tensor:
        raise RuntimeError

    bases = [Point(values={"x": column(0.5)})]
    assert boundaries(loss, module, F32, bases, Random(0), label="module") == []


# ---------------------------------------------------------------------- conditioning


def width(loss: Loss, point: Point, dtype: Dtype = F32) -> tuple[float, float]:
    """The spread of the value and of the first gradient."""
    oracles = Oracles()
    truth = oracles(loss, point, dtype)
    assert truth is not None
    found = spread(oracles, loss, point, truth, dtype, Variants())
    return found.value[0], next(iter(found.gradient.values()))[0]


def test_a_root_between_the_numbers_of_the_format_is_badly_conditioned() -> None:
    loss = loss_of(ONE + 'loss = "log(exp(x) - 1)"')
    at_root = Point(values={"x": column(round_float(0.6931471805599453, F32))})
    value, _ = width(loss, at_root)
    assert value > 2.0**-24


def test_small_results_of_small_inputs_are_well_conditioned() -> None:
    loss = loss_of(ONE + 'loss = "log(cosh(x))"')
    small = round_float(1e-5, F32)
    value, slope = width(loss, Point(values={"x": column(small)}))
    assert value < 1e-6 * small**2
    assert slope < 1e-6 * small


def test_a_difference_is_badly_conditioned_unless_one_side_is_zero() -> None:
    loss = loss_of(TWO + 'loss = "(x - y)**2"')
    near = neighbour(1.0, 1, F32)
    value, _ = width(loss, Point(values={"x": column(near), "y": column(1.0)}))
    assert value > 0.5 * (near - 1) ** 2
    value, _ = width(loss, Point(values={"x": column(near - 1), "y": column(0.0)}))
    assert value < 1e-6 * (near - 1) ** 2


def test_constants_that_no_format_holds_are_moved() -> None:
    loss = loss_of(ONE + 'loss = "x - 0.1"')
    tenth = round_float(0.1, F32)
    assert width(loss, Point(values={"x": column(tenth)}))[0] > 1e-9
    texts = [format_expression(v.expression) for v in Variants()(loss, F32)]
    assert any("0.1*" in text for text in texts)
    whole = loss_of(ONE + 'loss = "(x - 2)**2/4"')
    assert Variants()(whole, F32) == ()


def test_the_slope_beyond_a_kink_explains_nothing() -> None:
    """Whether rounding may take a program there is not a matter of conditioning."""
    loss = loss_of(TWO + 'loss = "relu(1 - x*y)"')
    x = neighbour(1.0, -1, F32)
    for beside in (x, 0.5):
        point = Point(values={"x": column(beside), "y": column(1.0)})
        assert width(loss, point)[1] < 1e-6


def test_the_value_beyond_a_jump_explains_nothing() -> None:
    loss = loss_of(ONE + 'loss = "where(sigmoid(x) < 1/2, 0, 1)"')
    for x in (-1e-9, -1e-3):
        assert width(loss, Point(values={"x": column(x)}))[0] == 0.0


HELD = (
    # (formula, x, least of what an ulp moves the value), with y = 1; in units of epsilon
    ("abs(x - y)", 1.0, 1),
    ("abs(x - y)", 1 + F32.epsilon, 1),
    ("where(x > y, 3*x, x)", 1.0, 0.5),
    ("where(x >= y, 3*x, x)", 1.0, 1.5),
    ("where(x == y, 3*x, x)", 1.0, 1.5),
    ("sign(x - y)*x", 1.0, 0),
    ("sign(x - y + 1)*x", 1.0, 0.5),
    ("heaviside(x - y)*x", 1.0, 0.25),
    ("floor(x)*x*y", 1.0, 1),
    ("floor(x + y/2)*x", 1.0, 0.5),
    ("x % y", 1.0, 0),
    ("((x - y/2) % 1)*x", 1.0, 0.5),
    ("((-x) % (1 + y))*x", 1.0, 0.5),
    ("Max(x**2, y)", 1.0, 1),
    ("Min(x**2, y)", 1.0, 0.5),
    ("clip(x, y, 3)", 1.0, 0.5),
    ("relu(x - y)", 1.0, 1),
    ("delta(x, y)*x", 1.0, 0.5),
    ("atan2(x - y, -1)", 1.0, 0),
    ("hypot(x - y, 0)", 1.0, 1),
)


@pytest.mark.parametrize(("formula", "x", "least"), HELD)
def test_decisions_stay_as_they_are(formula: str, x: float, least: float) -> None:
    """What an ulp moves along the branch taken, at a kink its ends; never the step across."""
    loss = loss_of(TWO + f'loss = "{formula}"')
    value, slope = width(loss, Point(values={"x": column(x), "y": column(1.0)}))
    assert least * F32.epsilon <= value <= 12 * F32.epsilon
    assert slope <= 12 * F32.epsilon


def test_norms_of_nothing_stay_so_for_the_gradient() -> None:
    spec = 'inputs.x = "real[B, C]"\nloss = "norm(x, c, p={p})"\n'
    for p in (1, 2):
        loss = loss_of(spec.format(p=p))
        nothing = Point(values={"x": Array((1, 2), (0.0, 0.0))})
        assert width(loss, nothing)[1] == 0.0


@pytest.mark.parametrize(
    ("formula", "x", "least", "most"),
    [
        ("sin(log(1 + x**2))", 1e154, 2.0**-45, 2.0**-41),
        ("cos(log(1 + x**2)*3)", 1e154, 2.0**-44, 2.0**-39),
        # Within a period there is another form, and the numbers of a program are exact.
        ("sin(2*atan(x))", 1e16, 0.0, 2.0**-100),
        ("sin(-x)", 2.0**30 * 3.0, 0.0, 2.0**-20),
    ],
)
def test_a_sine_knows_its_argument_to_an_ulp(
    formula: str, x: float, least: float, most: float
) -> None:
    loss = loss_of(ONE + f'loss = "{formula}"')
    assert least <= width(loss, Point(values={"x": column(x)}), F64)[0] <= most
    alone = Variants()(loss_of(ONE + 'loss = "sin(-x)"'), F64)
    assert alone == ()


def test_lines_share_the_size_of_their_largest_entry() -> None:
    loss = loss_of(
        'inputs.x = { type = "real[B, C]", doc = "a" }\nloss = "logsumexp(x, c) - x[b,0]"'
    )
    point = Point(values={"x": Array((1, 3), (-1e4, 0.5, 0.6))})
    oracles = Oracles()
    truth = oracles(loss, point, F32)
    assert truth is not None
    by_entry = spread(oracles, loss, point, truth, F32, Variants())
    by_line = spread_of_lines(oracles, loss, point, truth, F32)
    assert by_entry.gradient["x"][1] < 1e-6
    assert by_line.gradient["x"][1] > 1e-5


@pytest.mark.parametrize(("x", "judged"), [(200.0, True), (1e15, False)])
def test_nan_for_zero_is_judged_though_the_loss_underflows(
    x: float, judged: bool
) -> None:
    loss = loss_of(ONE + 'loss = "exp(-x)"')
    point = Point(values={"x": column(round_float(x, F32))})
    truth = Oracles()(loss, point, F32)
    assert truth is not None
    given = Result(
        shape=(1,), value=(0.0,), gradient={"x": (math.nan,)}, dtype="float32"
    )
    compared = compare(point, truth, given, given, F32, Limits())
    errors = [error for order, _, error, *_ in compared if order == "gradient"]
    assert [isinstance(e, Measure) for e in errors] == [judged]


CLOSEST = (
    'inputs.x = { type = "real[B]", doc = "a" }\n'
    'inputs.y = { type = "real[C]", doc = "b" }\n'
    'loss = "amin(abs(x[b] - y[c]), c)"'
)


@pytest.mark.parametrize(
    ("ways", "passes"),
    [
        ("amin", True),  # torch shares the derivative among those that are equal
        ("amax", False),
    ],
)
def test_rounding_may_choose_among_ties_and_nothing_else(
    ways: str, passes: bool
) -> None:
    loss = loss_of(CLOSEST)
    y = column(*(0.5 * k for k in range(9)))
    points = [Point(values={"x": column(x), "y": y}) for x in (1e20, 2.3)]

    class Module:
        def call(self, bound: Mapping[str, Bound]) -> torch.Tensor:
            x, y = bound["x"], bound["y"]
            assert isinstance(x, torch.Tensor)
            assert isinstance(y, torch.Tensor)
            gaps = (x.unsqueeze(1) - y).abs()
            return gaps.amin(1) if ways == "amin" else gaps.amax(1)

    class TheseAlone(Trial):
        def candidates(self) -> list[Point]:
            return points

    trial = TheseAlone(
        loss=loss,
        accused=Module(),
        oracles=Oracles(),
        dtype=F32,
        seed=0,
        count=1,
        limits=Limits().within(F32),
    )
    tallies = trial.run()
    failed = bool(tallies["gradient"].failures())
    assert failed is not passes
