"""Where balls alone would need a million bits, or where doubles have long given up."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

import mpmath
import pytest

from losscodegen.ir.loss import Domain, DomainKind, Loss, Role, Variable
from losscodegen.judge.oracle import Oracle
from losscodegen.judge.point import Array, Kind, Point, Truth
from losscodegen.judge.rounding import Dtype, round_dyadic
from losscodegen.language.formula import parse_formula
from losscodegen.language.parse import losses_from_text

HUGE = (1e4, 1e6, 1e30, 1e300)


def loss_of(text: str) -> Loss:
    return losses_from_text(f'[TestLoss]\nsummary = "For a test."\n{text}')[0]


def at(formula: str, *rows: tuple[float, ...], dtype: Dtype = Dtype.FLOAT64) -> Truth:
    names = "xyz"[: len(rows[0])]
    inputs = tuple(
        Variable(
            name=n,
            arg=n,
            role=Role.INPUT,
            domain=Domain(kind=DomainKind.REAL),
            axes=("...",),
        )
        for n in names
    )
    loss = Loss(
        name="L",
        function="l",
        module="l",
        expression=parse_formula(formula),
        inputs=inputs,
        batch=0,
    )
    columns = zip(*rows, strict=True)
    values = {
        n: Array((len(rows),), tuple(c)) for n, c in zip(names, columns, strict=True)
    }
    return Oracle(loss).truth(Point(values=values), dtype)


def value(formula: str, *arguments: float) -> float:
    found = at(formula, arguments).value[0]
    assert found.known
    return found.rounded()


def slope(formula: str, *arguments: float, by: str = "x") -> float:
    found = at(formula, arguments).gradient[by][0]
    assert found.value.known
    return found.value.rounded()


@pytest.mark.parametrize(
    "formula",
    [
        "log(1 + exp(x))",
        "softplus(x)",
        "log1p(exp(x))",
        "logaddexp(x, 0)",
        "-logsigmoid(-x)",
    ],
)
def test_softplus_however_it_is_written(formula: str) -> None:
    for x in HUGE:
        assert value(formula, x) == x
        assert slope(formula, x) == 1.0
        assert value(formula, -x) == 0.0
        assert slope(formula, -x) == 0.0
    assert value(formula, -700.0) == math.exp(-700.0)
    assert slope(formula, -700.0) == math.exp(-700.0)


@pytest.mark.parametrize("x", HUGE)
def test_what_double_precision_rounds_away_is_kept(x: float) -> None:
    assert value("log(1 - sigmoid(x))", x) == -x
    assert slope("log(1 - sigmoid(x))", x) == -1.0
    assert value("log(1 - tanh(x))", x) == pytest.approx(math.log(2) - 2 * x)
    assert value("log(1 - 1/(1 + exp(-x)))", x) == -x
    assert value("log(sigmoid(x)/(1 - sigmoid(x)))", x) == x
    assert value("log(-log(sigmoid(x)))", x) == -x
    assert value("log(cosh(x))", x) == pytest.approx(x - math.log(2))
    assert slope("log(cosh(x))", x) == 1.0
    assert value("x - log(exp(x) - 1)", x) == 0.0
    assert value("log(1 - exp(-x))*exp(x)", x) == -1.0


@pytest.mark.parametrize("x", [1e-4, 1e-10, 1e-30, 1e-150])
def test_small_arguments_lose_nothing(x: float) -> None:
    assert value("log(cosh(x))", x) == pytest.approx(x * x / 2)
    assert value("sqrt(1 + x**2) - 1", x) == pytest.approx(x * x / 2)
    assert value("1 - exp(-x**2/2)", x) == pytest.approx(x * x / 2)
    assert value("1 - cos(x)", x) == pytest.approx(x * x / 2)
    assert value("exp(x) - x - 1", x) == pytest.approx(x * x / 2, rel=1e-4)
    assert value("(exp(x) - 1)/x", x) == pytest.approx(1 + x / 2)
    assert slope("(exp(x) - 1)/x", x) == pytest.approx(0.5, rel=1e-4)
    assert slope("sin(x)/x", x) == pytest.approx(-x / 3)
    assert (
        value("acos(1 - x)", x) == pytest.approx(math.sqrt(2 * x), rel=1e-4)
        or x < 1e-16
    )


def test_a_million_bits_are_not_needed() -> None:
    truth = at("log(1 + exp(x))", *((v,) for v in (-1e6, 1e6, -1e30, 1e30)))
    assert truth.bits == 128


def test_deep_cancellation_is_settled_by_more_bits() -> None:
    truth = at("(1 + exp(-x)) - exp(log(1 + exp(-x)))", (0.3,))
    assert truth.value[0].rounded() == 0.0
    assert truth.bits > 1024


def test_what_is_only_taken_for_zero_has_no_logarithm() -> None:
    """The difference is 2*exp(-x), about, which no precision tells from 0 at 1e7."""
    formula = "log(2 - exp(log(2) - log(1 + exp(-x))))"
    assert value(formula, 100.0) == pytest.approx(math.log(2) - 100.0, rel=1e-15)
    assert at(formula, (1e7,)).value[0].kind is Kind.UNDETERMINED
    assert at("log(x)", (0.0,)).value[0].kind is Kind.NEGATIVE_INFINITY


def test_beyond_all_exponents() -> None:
    truth = at("exp(exp(x))", (800.0,), (-800.0,), (1e4,), (-1e4,), (-math.inf,))
    assert [v.rounded() for v in truth.value] == [math.inf, 1.0, math.inf, 1.0, 1.0]
    truth = at("exp(-exp(x))", (800.0,), (1e4,))
    assert [v.rounded() for v in truth.value] == [0.0, 0.0]
    assert not any(v.infinite for v in truth.value)


CE = loss_of(
    'inputs = { x = "real[B, C]", t = "index(C)[B]" }\n'
    'loss = "logsumexp(x, c) - x[b, t]"'
)
KEPT = loss_of(
    'inputs = { x = "real[B, C]", t = "index(C)[B]" }\n'
    'loss = "-log_softmax(x, c, at=t[b])"'
)


def logits(loss: Loss, rows: list[tuple[float, ...]], t: list[int]) -> Truth:
    count = len(rows[0])
    entries = tuple(v for row in rows for v in row)
    values = {"x": Array((len(rows), count), entries), "t": Array((len(t),), tuple(t))}
    return Oracle(loss, {"B": len(rows), "C": count}).truth(Point(values=values))


@pytest.mark.parametrize("loss", [CE, KEPT], ids=["logsumexp", "log_softmax"])
@pytest.mark.parametrize("margin", [20.0, 700.0, 1e4, 1e30, 1e300])
def test_confident_logits(loss: Loss, margin: float) -> None:
    truth = logits(loss, [(margin, 0.0), (0.0, margin)], [0, 0])
    confident, wrong = (v.rounded() for v in truth.value)
    small = math.exp(-margin)
    assert confident == pytest.approx(small, rel=1e-8)
    assert wrong == pytest.approx(margin, rel=1e-9)
    gradient = [s.value.rounded() for s in truth.gradient["x"]]
    assert gradient == pytest.approx([-small, small, -1.0, 1.0], rel=1e-8)


@pytest.mark.parametrize("loss", [CE, KEPT], ids=["logsumexp", "log_softmax"])
def test_masked_logits(loss: Loss) -> None:
    row = (1.0, -math.inf, 0.0)
    truth = logits(loss, [row, row], [0, 1])
    assert truth.value[0].rounded() == pytest.approx(math.log1p(math.exp(-1)))
    assert truth.value[1].kind is Kind.POSITIVE_INFINITY
    p = 1 / (1 + math.exp(-1))
    got = [s.value.rounded() for s in truth.gradient["x"]]
    assert got == pytest.approx([p - 1, 0, 1 - p, p, -1, 1 - p])
    nothing = (-math.inf, -math.inf)
    truth = logits(loss, [nothing], [0])
    assert truth.value[0].kind is Kind.UNDEFINED
    assert all(s.value.kind is Kind.UNDEFINED for s in truth.gradient["x"])


def test_logsumexp_near_zero() -> None:
    x, y = -17.4, -4e-15
    truth = at("logaddexp(x, y)", (x, y))
    with mpmath.workdps(60):
        a, b = mpmath.mpf(x), mpmath.mpf(y)
        want = float(mpmath.log(mpmath.exp(a) + mpmath.exp(b)))
        weight = float(mpmath.exp(a) / (mpmath.exp(a) + mpmath.exp(b)))
    assert truth.value[0].rounded() == want
    assert truth.gradient["x"][0].value.rounded() == weight


NORM = loss_of('inputs = { x = "real[B, D]" }\nloss = "norm(x, d)"')


@pytest.mark.parametrize("scale", [1e-300, 1e-30, 1.0, 1e30, 1e300])
def test_norms_have_no_range(scale: float) -> None:
    oracle = Oracle(NORM, {"B": 1, "D": 2})
    truth = oracle.truth(Point(values={"x": Array((1, 2), (3 * scale, -4 * scale))}))
    assert truth.value[0].rounded() == pytest.approx(5 * scale)
    assert [s.value.rounded() for s in truth.gradient["x"]] == pytest.approx(
        [0.6, -0.8]
    )


# ------------------------------------------------------------------ random formulas against mpmath

FORMULAS: dict[str, Callable[..., mpmath.mpf]] = {
    "log(1 + exp(x))": lambda x: mpmath.log1p(mpmath.exp(x)),
    "log(1 - exp(-abs(x)))": lambda x: mpmath.log(-mpmath.expm1(-abs(x))),
    "x*(x/(hypot(1, x) + 1))": lambda x: mpmath.sqrt(1 + x * x) - 1,
    "log(1 + x**2/3)": lambda x: mpmath.log1p(x * x / 3),
    "1 - exp(-x**2/2)": lambda x: -mpmath.expm1(-x * x / 2),
    "exp(-abs(x)) - 1 + abs(x)": lambda x: mpmath.exp(-abs(x)) - 1 + abs(x),
    "x**2/(1 + x**2)": lambda x: x * x / (1 + x * x),
    "log(erfc(x)/2)": lambda x: mpmath.log(mpmath.erfc(x) / 2),
    "lgamma(abs(x) + 1.5) - lgamma(abs(x) + 1)": lambda x: (
        mpmath.loggamma(abs(x) + mpmath.mpf("1.5")) - mpmath.loggamma(abs(x) + 1)
    ),
    "atan(x + 1) - atan(x)": lambda x: mpmath.atan(x + 1) - mpmath.atan(x),
    "asinh(x)": mpmath.asinh,
    "tanh(x) - x": lambda x: mpmath.tanh(x) - x,
}


@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize("dtype", Dtype)
def test_random_bit_patterns_agree_with_mpmath(formula: str, dtype: Dtype) -> None:
    random = Random(f"{formula}/{dtype.value}")
    rows = []
    for _ in range(25):
        x = math.ldexp(random.uniform(1, 2), random.randrange(-40, 8))
        x = round_dyadic(int(x * 2**60), -60, dtype)
        rows.append((random.choice((1, -1)) * (x or 1.0),))
    truth = at(formula, *rows, dtype=dtype)
    with mpmath.workdps(400):
        for (x,), got in zip(rows, truth.value, strict=True):
            sign, mantissa, exponent, _ = FORMULAS[formula](mpmath.mpf(x))._mpf_
            signed = -int(mantissa) if sign else int(mantissa)
            assert got.rounded(dtype) == round_dyadic(signed, exponent, dtype)
            assert got.ulps(got.rounded(dtype), dtype) <= 0.5


def test_several_formats_at_once() -> None:
    names = Dtype.FLOAT64, Dtype.FLOAT32, Dtype.BFLOAT16, Dtype.FLOAT16
    loss = loss_of('inputs = { x = "real[...]" }\nloss = "exp(x)"')
    truth = Oracle(loss).truth(Point(values={"x": Array((1,), (11.5,))}), names)
    got = [truth.value[0].rounded(d) for d in names]
    assert got == [math.exp(11.5), 98715.7734375, 98816.0, math.inf]
