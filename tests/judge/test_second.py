"""Second derivatives of the truth and of modules, and how sensitive the truth is."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path

import flint
import mpmath
import pytest
import torch
from flint import arb, fmpq

from losscodegen.ir.loss import Loss
from losscodegen.judge.certificate import Severity, Status
from losscodegen.judge.check import verify
from losscodegen.judge.oracle import Oracle
from losscodegen.judge.oracle_kinks import Tie
from losscodegen.judge.oracle_nodes import STEPS
from losscodegen.judge.oracle_numbers import (
    ball,
)
from losscodegen.judge.oracle_partials import BINARY, NARY
from losscodegen.judge.oracle_partials import UNARY as SLOPES
from losscodegen.judge.oracle_second import Bend, Sensitivities, bends
from losscodegen.judge.oracle_seconds import MORE
from losscodegen.judge.oracle_seconds_unary import UNARY
from losscodegen.judge.point import Array, Point
from losscodegen.judge.rounding import Dtype
from losscodegen.judge.second import diagonals
from losscodegen.judge.tensors import Bound
from losscodegen.language.parse import load_losses, losses_from_text

F64 = Dtype.FLOAT64
DATA = Path(__file__).parent / "data"
BITS = 128
STEP = fmpq(1, 2**200)
AGREE = arb(2) ** -90

ONE = 'inputs.x = { type = "real[...]", doc = "a" }\n'
TWO = ONE + 'inputs.y = { type = "real[...]", doc = "b" }\n'


def loss_of(text: str) -> Loss:
    return losses_from_text(f'[TestLoss]\nsummary = "For a test."\n{text}')[0]


def point(**entries: float) -> Point:
    return Point(values={n: Array((1,), (e,)) for n, e in entries.items()})


def second(loss: Loss, at: Point, bits: int = BITS) -> dict[str, Bend]:
    return {n: b[0] for n, b in bends(Oracle.at(loss, at), at, F64, bits).items()}


# ------------------------------------------------------------------------------------ the table


def test_every_op_has_a_second_derivative() -> None:
    assert set(UNARY) == set(SLOPES)
    assert set(MORE) == set(BINARY) | set(NARY) | {"select"}


@pytest.mark.parametrize("op", UNARY)
def test_second_derivatives_of_one_argument_are_those_of_the_first(op: str) -> None:
    function, slope = SLOPES[op]
    compared = 0
    before, flint.ctx.prec = flint.ctx.prec, 700
    try:
        for x in (fmpq(1, 4), fmpq(-5, 8), fmpq(7, 4), fmpq(3, 2**40), fmpq(9)):
            near = [slope(x + s, function(x + s)) for s in (-STEP, STEP)]
            if any(isinstance(n, Tie) for n in near):
                continue
            low, high = (ball(fmpq(0) if n is None else n) for n in near)  # type: ignore[arg-type]
            if not (low.is_finite() and high.is_finite()):
                continue
            bend = UNARY[op](x, function(x))
            got = arb(0) if bend is None else ball(bend)
            want = (high - low) / (2 * STEP)
            assert abs(got - want) < AGREE * (abs(want) + AGREE)
            compared += 1
    finally:
        flint.ctx.prec = before
    assert compared >= 1


# Whole numbers that choose an entry, an order or an exponent stay where they are.
ARGUMENTS: dict[str, tuple[tuple[Fraction | int, ...], int]] = {
    "polygamma": ((1, Fraction(7, 4)), 1),
    "besseli": ((1, Fraction(7, 4)), 1),
    "softmax": ((Fraction(1, 4), Fraction(-3, 2), 2, 1), 1),
    "log_softmax": ((Fraction(1, 4), Fraction(-3, 2), 2, 0), 1),
    "pick": ((Fraction(1, 4), Fraction(-3, 2), 2, 1), 1),
    "norm": ((Fraction(1, 4), Fraction(-3, 2), 2, Fraction(5, 2)), 1),
    "clip": ((Fraction(1, 4), Fraction(-1, 2), 2), 0),
    "mul": ((Fraction(1, 4), Fraction(-3, 2), 2, Fraction(7, 8)), 0),
}
FURTHER = (
    ("norm", (Fraction(1, 4), Fraction(-3, 2), 2, 2), 1),
    ("norm", (Fraction(1, 4), Fraction(-3, 2), 2, 1), 1),
    ("mul", (Fraction(1, 4), Fraction(-3, 2)), 0),
    ("pow", (Fraction(-1, 4), 3), 1),
    ("besseli", (0, Fraction(7, 4)), 1),
)
USUAL = ((Fraction(5, 4), Fraction(3, 8)), 0)
CASES = (
    *((op, *ARGUMENTS.get(op, USUAL)) for op in MORE if op != "select"),
    *FURTHER,
)


@pytest.mark.parametrize(("op", "arguments", "fixed"), CASES)
def test_second_derivatives_along_a_direction_are_those_of_the_first(
    op: str, arguments: tuple[Fraction | int, ...], fixed: int
) -> None:
    exact = [fmpq(Fraction(a).numerator, Fraction(a).denominator) for a in arguments]
    moving = len(exact) - fixed if op not in ("polygamma", "besseli") else len(exact)
    first = fixed if op in ("polygamma", "besseli") else 0
    moves = [
        fmpq(2 * k + 1, 3) if first <= k < moving else None for k in range(len(exact))
    ]
    wanted = [m is not None for m in moves]

    def partials(step: fmpq) -> tuple[list[arb], arb, list[object], object]:
        args: list[object] = [
            a if m is None else a + step * m for a, m in zip(exact, moves, strict=True)
        ]
        if len(args) == 2 and op in BINARY:
            result = BINARY[op][0](*args)  # type: ignore[arg-type]
            found = BINARY[op][1](args, result, wanted)  # type: ignore[arg-type]
        else:
            result = NARY[op][0](args)  # type: ignore[arg-type]
            found = NARY[op][1](args, result, wanted)  # type: ignore[arg-type]
        assert not isinstance(found, Tie)
        numbers = [ball(fmpq(0) if p is None else p) for p in found]
        return numbers, ball(result), args, result

    before, flint.ctx.prec = flint.ctx.prec, 700
    try:
        low, below, _, _ = partials(-STEP)
        high, above, _, _ = partials(STEP)
        _, _, args, result = partials(fmpq(0))
        move = (above - below) / (2 * STEP)
        got = MORE[op](args, result, moves, move, wanted)  # type: ignore[arg-type]
        for k, change in enumerate(got):
            if not wanted[k]:
                continue
            want = (high[k] - low[k]) / (2 * STEP)
            there = arb(0) if change is None else ball(change)
            assert abs(there - want) < AGREE * (abs(want) + 1)
    finally:
        flint.ctx.prec = before


# ------------------------------------------------------------------------------------ the truth

REFERENCES: tuple[tuple[str, Callable[..., mpmath.mpf]], ...] = (
    ("log(cosh(x - y))", lambda x, y: mpmath.log(mpmath.cosh(x - y))),
    ("log(1 + exp(-x*y))", lambda x, y: mpmath.log(1 + mpmath.exp(-x * y))),
    ("sqrt(1 + (x - y)**2) - 1", lambda x, y: mpmath.sqrt(1 + (x - y) ** 2) - 1),
    (
        "exp(x)*erf(y) + atan(x/y)",
        lambda x, y: mpmath.exp(x) * mpmath.erf(y) + mpmath.atan(x / y),
    ),
    ("(x**2 + y**4)**0.75", lambda x, y: (x**2 + y**4) ** mpmath.mpf("0.75")),
    (
        "lgamma(exp(x)) - softplus(y)*tanh(x)",
        lambda x, y: mpmath.loggamma(mpmath.exp(x))
        - mpmath.log(1 + mpmath.exp(y)) * mpmath.tanh(x),
    ),
    (
        "where(x < y, sigmoid(x*y), hypot(x, y))",
        lambda x, y: (
            1 / (1 + mpmath.exp(-x * y)) if x < y else mpmath.sqrt(x * x + y * y)
        ),
    ),
)


@pytest.mark.parametrize(("formula", "reference"), REFERENCES)
def test_second_derivatives_are_those_of_mpmath(
    formula: str, reference: Callable[..., mpmath.mpf]
) -> None:
    loss = loss_of(TWO + f'loss = "{formula}"')
    for x, y in ((0.3, 0.7), (1.25, -0.5), (-2.0, 0.125), (6.5, 6.25)):
        got = second(loss, point(x=x, y=y))
        with mpmath.workdps(60):
            for name, orders in (("x", (2, 0)), ("y", (0, 2))):
                want = mpmath.diff(reference, (x, y), orders)
                assert got[name].value.rounded() == pytest.approx(
                    float(want), rel=1e-12
                )


@pytest.mark.parametrize(
    ("x", "want"), [(1e-30, 1.0), (40.0, 4 * math.exp(-80.0)), (300.0, 4e-260)]
)
def test_tails_have_all_their_digits(x: float, want: float) -> None:
    loss = loss_of(ONE + 'loss = "log(cosh(x))"')
    got = second(loss, point(x=x))["x"].value.rounded()
    with mpmath.workdps(400):
        exact = float(1 / mpmath.cosh(mpmath.mpf(x)) ** 2)
    assert got == pytest.approx(exact, rel=1e-15)
    assert got == pytest.approx(want, rel=0.9)


HUBER = 'loss = "where(abs(x) <= 1, x**2/2, abs(x) - 1/2)"'


@pytest.mark.parametrize(
    ("formula", "x", "want"),
    [
        (HUBER, 0.5, 1.0),
        (HUBER, -3.0, 0.0),
        (HUBER, 1.0, None),
        (HUBER, 0.0, None),  # abs has a kink there, also where it is only compared
        ('loss = "relu(x)**2"', 0.0, None),
        ('loss = "relu(x)**2"', 0.5, 2.0),
        ('loss = "Max(x, -x)*x"', 2.0, 2.0),
        ('loss = "detach(x)*x**2"', 3.0, 6.0),
    ],
)
def test_there_is_none_at_a_kink(formula: str, x: float, want: float | None) -> None:
    bend = second(loss_of(ONE + formula), point(x=x))["x"]
    if x == 0.0 and formula is HUBER:
        # The comparison is no part of the gradient: x**2/2 is what counts around 0.
        assert bend.value.rounded() == 1.0
    elif want is None:
        assert bend.kink
    else:
        assert not bend.kink
        assert bend.value.rounded() == want


def test_each_element_has_its_own() -> None:
    loss = loss_of(
        'inputs.b = { type = "real[..., 2]", doc = "two numbers" }\n'
        'loss = "b[0]**3*b[1]**2"'
    )
    at = Point(values={"b": Array((2, 2), (1.0, 2.0, 3.0, -1.0))})
    found = bends(Oracle.at(loss, at), at, F64, BITS)
    assert [b.value.rounded() for b in found["b"]] == [24.0, 2.0, 18.0, 54.0]


# ---------------------------------------------------------------------------------- sensitivity


def test_the_sensitivity_of_a_sum_is_its_condition() -> None:
    loss = loss_of('inputs.x = { type = "real[N]", doc = "a" }\nloss = "Sum(x, n)"')
    at = Point(values={"x": Array((3,), (1e8, -1e8, 1.0))})
    oracle = Oracle.at(loss, at)
    assert 2 ** Sensitivities()(oracle, at, None, 0, BITS) == pytest.approx(2e8 + 1)
    # The gradient is constant.
    assert Sensitivities()(oracle, at, "x", 1, BITS) == -math.inf


def test_the_sensitivity_of_a_gradient_is_its_row_of_the_hessian() -> None:
    loss = loss_of(TWO + 'loss = "x**2*y + exp(y)"')
    at = point(x=3.0, y=-0.5)
    oracle = Oracle.at(loss, at)
    want = 3 * abs(2 * -0.5) + 0.5 * abs(2 * 3.0)
    assert 2 ** Sensitivities()(oracle, at, "x", 0, BITS) == pytest.approx(want)
    want = 3 * abs(2 * 3.0) + 0.5 * math.exp(-0.5)
    assert 2 ** Sensitivities()(oracle, at, "y", 0, BITS) == pytest.approx(want)


def test_each_entry_of_a_value_has_its_own_sensitivity() -> None:
    loss = loss_of(
        'inputs.x = { type = "real[B, N]", doc = "a" }\nloss = "Sum(x**2, n)"'
    )
    at = Point(values={"x": Array((2, 2), (1.0, 2.0, 1e-3, 0.0))})
    oracle = Oracle.at(loss, at)
    assert 2 ** Sensitivities()(oracle, at, None, 0, BITS) == pytest.approx(10.0)
    assert 2 ** Sensitivities()(oracle, at, None, 1, BITS) == pytest.approx(2e-6)


def test_the_entries_of_a_shared_input_are_summed_over_the_batch() -> None:
    loss = loss_of(
        'inputs.x = { type = "real[...]", doc = "a" }\n'
        'params.w = { type = "real", doc = "b" }\nlearnable = ["w"]\n'
        'loss = "w**2*x"'
    )
    at = Point(values={"x": Array((2,), (1.0, 3.0)), "w": 2.0})
    oracle = Oracle.at(loss, at)
    # d/dw is 2w(x1 + x2); w times its derivative is 16, x's shares are 4 and 12.
    assert 2 ** Sensitivities()(oracle, at, "w", 0, BITS) == pytest.approx(32.0)


def test_at_a_kink_nothing_is_known() -> None:
    loss = loss_of(TWO + 'loss = "abs(x - y)*x"')
    at = point(x=1.0, y=1.0)
    assert Sensitivities()(Oracle.at(loss, at), at, "x", 0, BITS) == -math.inf


def test_steps_are_known_to_the_table() -> None:
    assert {"select", "sign", "floor"} <= STEPS <= set(UNARY) | set(MORE)


# ------------------------------------------------------------------------------------- a module

LOSS = next(x for x in load_losses(DATA / "judged.toml") if x.name == "SoftplusLoss")
SOURCE = (DATA / "softplus.py").read_text(encoding="utf-8")


def test_a_lost_second_derivative_is_reported_and_fails_nothing() -> None:
    # log_sigmoid's double backward loses the tail, which the first derivative keeps.
    certificate = verify(LOSS, SOURCE, points=40, dtypes=("float32",))
    (check,) = (c for c in certificate.checks if c.order == "second")
    assert certificate.passed
    assert check.status is Status.REPORTED
    assert check.ours.mixed > 1e5
    assert check.hardest is not None
    assert check.within < check.judged
    assert check.judged >= 50


def test_a_second_derivative_that_is_no_number_is_told() -> None:
    source = SOURCE.replace(
        "-F.logsigmoid(-x)",
        "torch.where(x.abs() > 100, x.relu(), torch.logaddexp(x, 0 * x))",
    ).replace("from torch import nn", "import torch\nfrom torch import nn")
    certificate = verify(LOSS, source, points=40, dtypes=("float32",))
    told = [f for f in certificate.findings if f.code == "second-derivative"]
    (check,) = (c for c in certificate.checks if c.order == "second")
    assert told
    assert {f.severity for f in told} == {Severity.LOOSE}
    assert check.ours.nan > 0
    assert check.status is Status.REPORTED


def test_a_module_that_can_be_differentiated_once_has_zeros() -> None:
    source = SOURCE.replace(
        "loss = -F.logsigmoid(-x)\n", "loss = Once.apply(x)\n"
    ).replace(
        "class SoftplusLoss",
        "class Once(torch.autograd.Function):\n"
        "    @staticmethod\n"
        "    def forward(ctx, x):\n"
        "        ctx.save_for_backward(x)\n"
        "        return -F.logsigmoid(-x)\n\n"
        "    @staticmethod\n"
        "    @torch.autograd.function.once_differentiable\n"
        "    def backward(ctx, g):\n"
        "        return g * ctx.saved_tensors[0].sigmoid()\n\n\n"
        "class SoftplusLoss",
    )
    source = source.replace(
        "from torch import nn", "import torch\nfrom torch import nn"
    )
    certificate = verify(LOSS, source, points=40, dtypes=("float32",))
    (check,) = (c for c in certificate.checks if c.order == "second")
    assert check.ours.zero > 50
    assert check.status is Status.REPORTED
    # What fails is a promise of generated modules.
    (failure,) = (f for f in certificate.findings if f.severity is Severity.FAILURE)
    assert failure.message.startswith("the gradient has a gradient")


def test_what_raises_when_it_is_differentiated_is_left_out() -> None:
    def twice(bound: Mapping[str, Bound]) -> torch.Tensor:
        raise RuntimeError("not today")

    assert diagonals(LOSS, [point(x=1.0)], twice, F64) == [None]


def test_a_linear_loss_has_zeros() -> None:
    def linear(bound: Mapping[str, Bound]) -> torch.Tensor:
        x = bound["x"]
        assert isinstance(x, torch.Tensor)
        return 2 * x

    points = [point(x=1.0), point(x=2.0)]
    assert diagonals(LOSS, points, linear, F64) == [{"x": (0.0,)}, {"x": (0.0,)}]
