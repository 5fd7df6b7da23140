"""Every op of the oracle against mpmath, the op table and SymPy, and at the edges of its domain."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from random import Random

import flint
import mpmath
import pytest
import sympy
from flint import arb, fmpq
from hypothesis import given
from hypothesis import strategies as st

from losscodegen.ir.loss import Domain, DomainKind, Loss, Role, Variable
from losscodegen.ir.nodes import Call, Expr, Read
from losscodegen.ir.ops import OPS, Sort
from losscodegen.judge import oracle_functions
from losscodegen.judge.oracle import Oracle
from losscodegen.judge.oracle_arithmetic import (
    add,
    divide,
    multiply,
    order,
    subtract,
    total,
)
from losscodegen.judge.oracle_kinks import Tie
from losscodegen.judge.oracle_numbers import (
    INFINITY,
    MINUS_INFINITY,
    ONE,
    UNDEFINED,
    ZERO,
    Pair,
    Value,
    ball,
    sign,
)
from losscodegen.judge.oracle_partials import BINARY, NARY, UNARY
from losscodegen.judge.point import Array, Kind, Point, Real, Truth
from losscodegen.judge.rounding import Dtype, round_dyadic, round_fraction
from losscodegen.language.formula import parse_formula

NUMBERS = [name for name, op in OPS.items() if op.sort is Sort.REAL]
ARGUMENTS = "xyz"


@contextmanager
def precision(bits: int) -> Iterator[None]:
    before = flint.ctx.prec
    flint.ctx.prec = bits
    try:
        yield
    finally:
        flint.ctx.prec = before


def pointwise(expr: Expr, names: str) -> Loss:
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
    return Loss(
        name="L", function="l", module="l", expression=expr, inputs=inputs, batch=0
    )


def at(
    expr: Expr | str, *rows: tuple[float, ...], dtype: Dtype = Dtype.FLOAT64
) -> Truth:
    """The truth of a formula in x, y, z, with one row of arguments per element."""
    expr = parse_formula(expr) if isinstance(expr, str) else expr
    names = ARGUMENTS[: len(rows[0])]
    columns = zip(*rows, strict=True)
    values = {
        n: Array((len(rows),), tuple(c)) for n, c in zip(names, columns, strict=True)
    }
    return Oracle(pointwise(expr, names)).truth(Point(values=values), dtype)


def call(op: str, count: int) -> Call:
    return Call(op, tuple(Read(n) for n in ARGUMENTS[:count]))


def count_of(op: str) -> int:
    low, high = OPS[op].arity
    return low if high is not None else 2


# ---------------------------------------------------------------- what mpmath knows of every op

MEANINGS: dict[str, Callable[..., mpmath.mpf]] = {
    "add": lambda x, y: x + y,
    "mul": lambda x, y: x * y,
    "neg": lambda x: -x,
    "div": lambda x, y: x / y,
    "pow": lambda x, y: x**y,
    "mod": lambda x, y: x - y * mpmath.floor(x / y),
    "exp": mpmath.exp,
    "log": mpmath.log,
    "sqrt": mpmath.sqrt,
    "cbrt": lambda x: mpmath.sign(x) * mpmath.cbrt(abs(x)),
    "abs": abs,
    "sign": mpmath.sign,
    "square": lambda x: x * x,
    "floor": mpmath.floor,
    "log10": mpmath.log10,
    "sin": mpmath.sin,
    "cos": mpmath.cos,
    "tan": mpmath.tan,
    "asin": mpmath.asin,
    "acos": mpmath.acos,
    "atan": mpmath.atan,
    "atan2": mpmath.atan2,
    "sinh": mpmath.sinh,
    "cosh": mpmath.cosh,
    "tanh": mpmath.tanh,
    "asinh": mpmath.asinh,
    "acosh": mpmath.acosh,
    "atanh": mpmath.atanh,
    "hypot": mpmath.hypot,
    "erf": mpmath.erf,
    "erfc": mpmath.erfc,
    "erfinv": mpmath.erfinv,
    "lgamma": mpmath.loggamma,
    "gamma": mpmath.gamma,
    "digamma": mpmath.digamma,
    "polygamma": lambda n, x: mpmath.polygamma(int(n), x),
    "besseli": lambda n, x: mpmath.besseli(int(n), x),
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "logsigmoid": lambda x: -mpmath.log1p(mpmath.exp(-x)),
    "softplus": lambda x: mpmath.log1p(mpmath.exp(x)),
    "log1p": mpmath.log1p,
    "expm1": mpmath.expm1,
    "log1mexp": lambda x: mpmath.log(-mpmath.expm1(-x)),
    "logaddexp": lambda x, y: mpmath.log(mpmath.exp(x) + mpmath.exp(y)),
    "xlogy": lambda x, y: x * mpmath.log(y),
    "relu": lambda x: max(x, mpmath.mpf(0)),
    "max": max,
    "min": min,
    "clip": lambda x, y, z: y if x < y else z if x > z else x,
    "delta": lambda x, y: mpmath.mpf(x == y),
    "heaviside": lambda x: (1 + mpmath.sign(x)) / 2,
    "detach": lambda x: x,
}

OPEN = (-30.0, 30.0)
RANGES: dict[str, tuple[tuple[float, float], ...]] = {
    "pow": ((0.01, 9.0), (-5.0, 5.0)),
    "log": ((1e-8, 50.0),),
    "log10": ((1e-8, 50.0),),
    "sqrt": ((1e-8, 50.0),),
    "asin": ((-1.0, 1.0),),
    "acos": ((-1.0, 1.0),),
    "acosh": ((1.0, 50.0),),
    "atanh": ((-0.999, 0.999),),
    "erf": ((-9.0, 9.0),),
    "erfc": ((-9.0, 9.0),),
    "erfinv": ((-0.999, 0.999),),
    "lgamma": ((1e-4, 50.0),),
    "gamma": ((1e-4, 50.0),),
    "digamma": ((1e-4, 50.0),),
    "log1p": ((-0.999, 50.0),),
    "log1mexp": ((1e-8, 50.0),),
    "xlogy": (OPEN, (1e-8, 50.0)),
    "sinh": (OPEN,),
}


def samples(op: str, amount: int = 12) -> list[tuple[float, ...]]:
    """Points of the domain, some of them near its ends or near 0."""
    random = Random(op)
    ranges = RANGES.get(op, (OPEN,) * count_of(op))
    rows = []
    for k in range(amount):
        row = [random.uniform(*r) for r in ranges]
        if k % 4 == 1:
            row = [max(r[0], v * 1e-7) for v, r in zip(row, ranges, strict=True)]
        if op in ("polygamma", "besseli"):
            row[0] = float(k % 2)
            row[1] = abs(row[1]) if op == "polygamma" else row[1]
        if op == "clip":
            row[1], row[2] = -7.0, 11.5
        if op == "delta" and k % 2:
            row[1] = row[0]
        rows.append(tuple(row))
    return rows


def exactly(value: float) -> mpmath.mpf:
    return mpmath.mpf(value)


def rounded(value: mpmath.mpf, dtype: Dtype = Dtype.FLOAT64) -> float:
    number = mpmath.mpf(value)
    sign_, mantissa, exponent, _ = number._mpf_
    return round_dyadic(-int(mantissa) if sign_ else int(mantissa), exponent, dtype)


def test_every_op_has_a_function_a_derivative_and_a_witness() -> None:
    known = {*UNARY, *BINARY, *NARY}
    assert set(NUMBERS) <= known
    assert set(NUMBERS) == set(MEANINGS)


@pytest.mark.parametrize("op", NUMBERS)
@pytest.mark.parametrize("dtype", [Dtype.FLOAT64, Dtype.FLOAT32])
def test_values_agree_with_mpmath(op: str, dtype: Dtype) -> None:
    rows = samples(op)
    truth = at(call(op, len(rows[0])), *rows, dtype=dtype)
    with mpmath.workdps(80):
        want = [rounded(MEANINGS[op](*map(exactly, row)), dtype) for row in rows]
    assert [v.rounded(dtype) for v in truth.value] == want


SMOOTH = [
    n for n in NUMBERS if OPS[n].derivative and n not in ("detach", "mod", "floor")
]


@pytest.mark.parametrize("op", SMOOTH)
def test_derivatives_agree_with_differences_of_mpmath(op: str) -> None:
    rows = samples(op, 6)
    if op in ("sign", "heaviside", "abs", "relu", "delta", "clip"):
        rows = [r for r in rows if abs(r[0]) > 1e-3]
    if op in ("asin", "acos", "acosh"):
        rows = [r for r in rows if abs(abs(r[0]) - 1) > 1e-3]
    truth = at(call(op, len(rows[0])), *rows)
    for place, name in enumerate(ARGUMENTS[: len(rows[0])]):
        if op in ("polygamma", "besseli") and place == 0:
            continue
        if op == "delta":
            continue
        for k, row in enumerate(rows):
            slope = truth.gradient[name][k]
            assert not slope.kink
            assert slope.value.rounded() == pytest.approx(
                float(_difference(op, row, place)), rel=1e-14, abs=1e-300
            )


def _difference(op: str, row: tuple[float, ...], place: int) -> mpmath.mpf:
    """A central difference with 100 digits and a step of 1e-30, good to 1e-60."""
    with mpmath.workdps(120):
        exact = [exactly(v) for v in row]
        step = mpmath.mpf(10) ** -40 * max(abs(exact[place]), mpmath.mpf(10) ** -20)
        ends = []
        for way in (1, -1):
            moved = list(exact)
            moved[place] += way * step
            ends.append(MEANINGS[op](*moved))
        return (ends[0] - ends[1]) / (2 * step)


@pytest.mark.parametrize("op", [n for n in NUMBERS if OPS[n].derivative])
def test_derivatives_agree_with_the_op_table(op: str) -> None:
    """The column is evaluated by the same oracle, but is written by someone else."""
    formulas = OPS[op].derivative
    rows = samples(op)
    truth = at(call(op, len(rows[0])), *rows)
    for place, (name, formula) in enumerate(zip(ARGUMENTS, formulas, strict=False)):
        if op == "besseli":
            # The column is that of order 0, and 0 by the order itself.
            rows = [(0.0, *r[1:]) for r in rows]
            truth = at(call(op, 2), *rows)
        if op in ("polygamma", "besseli") and place == 0:
            continue
        column = at(formula, *rows).value
        if len(column) == 1:
            column *= len(rows)
        for slope, want in zip(truth.gradient[name], column, strict=True):
            # At the end of a domain the formula divides by 0, the derivative has a limit.
            if not slope.kink and want.kind is not Kind.UNDEFINED:
                assert slope.value.rounded() == want.rounded()


@pytest.mark.parametrize("op", [n for n in NUMBERS if OPS[n].meaning])
def test_values_and_gradients_agree_with_the_meaning_in_the_op_table(op: str) -> None:
    meaning = OPS[op].meaning
    assert meaning is not None
    rows = samples(op)
    by_name, by_meaning = at(call(op, len(rows[0])), *rows), at(meaning, *rows)
    assert [v.rounded() for v in by_name.value] == [
        v.rounded() for v in by_meaning.value
    ]
    if op == "detach":
        return
    for name, slopes in by_name.gradient.items():
        for one, other in zip(slopes, by_meaning.gradient[name], strict=True):
            assert one.value.rounded() == other.value.rounded()


X, Y = sympy.symbols("x y", positive=True)
FORMULAS: dict[str, sympy.Expr] = {
    "log(1 + exp(x))*y": sympy.log(1 + sympy.exp(X)) * Y,
    "x**y/(1 + x**2)": X**Y / (1 + X**2),
    "atan2(x, y) + hypot(x, y)": sympy.atan2(X, Y) + sympy.sqrt(X**2 + Y**2),
    "erf(x*y) - erfc(x)/y": sympy.erf(X * Y) - sympy.erfc(X) / Y,
    "lgamma(x + y) - lgamma(x)": sympy.loggamma(X + Y) - sympy.loggamma(X),
    "digamma(x*y)": sympy.digamma(X * Y),
    "besseli(0, x)*besseli(1, y)": sympy.besseli(0, X) * sympy.besseli(1, Y),
    "sin(x)*cos(y)/tan(x*y)": sympy.sin(X) * sympy.cos(Y) / sympy.tan(X * Y),
    "tanh(x)/sinh(y) + cosh(x*y)": sympy.tanh(X) / sympy.sinh(Y) + sympy.cosh(X * Y),
    "sqrt(x)/cbrt(y) + log10(x)": sympy.sqrt(X) / sympy.cbrt(Y) + sympy.log(X, 10),
    "asinh(x)*atan(y)": sympy.asinh(X) * sympy.atan(Y),
    "x*y*x/(x + y + 3)": X**2 * Y / (X + Y + 3),
}


@pytest.mark.parametrize("formula", FORMULAS)
def test_gradients_agree_with_sympy(formula: str) -> None:
    random = Random(formula)
    rows = [(random.uniform(0.2, 3), random.uniform(0.2, 3)) for _ in range(5)]
    truth = at(formula, *rows)
    for name, symbol in (("x", X), ("y", Y)):
        derivative = sympy.diff(FORMULAS[formula], symbol)
        for k, row in enumerate(rows):
            exact = {s: sympy.Rational(v) for s, v in zip((X, Y), row, strict=True)}
            want = derivative.subs(exact).evalf(60)
            with mpmath.workdps(60):
                nearest = rounded(mpmath.mpf(want))
            assert truth.gradient[name][k].value.rounded() == nearest


# ----------------------------------------------------------------------- edges and infinities

EDGES: dict[str, tuple[tuple[tuple[float, ...], float, tuple[float, ...]], ...]] = {
    # arguments, value, gradient; NaN stands for undefined
    "exp(x)": (((math.inf,), math.inf, (math.inf,)), ((-math.inf,), 0.0, (0.0,))),
    "log(x)": (
        ((0.0,), -math.inf, (math.inf,)),
        ((-1.0,), math.nan, (math.nan,)),
        ((math.inf,), math.inf, (0.0,)),
    ),
    "sqrt(x)": (((0.0,), 0.0, (math.inf,)), ((-1.0,), math.nan, (math.nan,))),
    "cbrt(x)": (((0.0,), 0.0, (math.inf,)), ((-8.0,), -2.0, (1 / 12,))),
    "1/x": (((0.0,), math.nan, (math.nan,)), ((math.inf,), 0.0, (0.0,))),
    "x/x": (((0.0,), math.nan, (math.nan,)), ((math.inf,), math.nan, (math.nan,))),
    "x*log(x)": (((0.0,), math.nan, (math.nan,)),),
    "xlogy(x, y)": (
        ((0.0, 0.0), 0.0, (-math.inf, 0.0)),
        ((0.0, 2.0), 0.0, (math.log(2.0), 0.0)),
        ((1.0, 0.0), -math.inf, (-math.inf, math.inf)),
        ((0.0, -1.0), math.nan, (math.nan, math.nan)),
        ((2.0, 1.0), 0.0, (0.0, 2.0)),
    ),
    "xlogy(x, x)": (((0.0,), 0.0, (-math.inf,)),),
    "x**y": (
        ((0.0, 0.0), 1.0, (0.0, 0.0)),
        ((0.0, 2.0), 0.0, (0.0, 0.0)),
        ((0.0, 1.0), 0.0, (1.0, 0.0)),
        ((0.0, 0.5), 0.0, (math.inf, 0.0)),
        ((0.0, -0.5), math.inf, (-math.inf, math.nan)),
        ((-2.0, 3.0), -8.0, (12.0, math.nan)),
        ((-2.0, 0.5), math.nan, (math.nan, math.nan)),
        ((math.inf, 2.0), math.inf, (math.inf, math.inf)),
        ((0.5, math.inf), 0.0, (math.nan, 0.0)),
    ),
    "x**-2": (((0.0,), math.inf, (math.nan,)),),
    "asin(x)": (((1.0,), math.pi / 2, (math.inf,)), ((1.5,), math.nan, (math.nan,))),
    "acos(x)": (
        ((1.0,), 0.0, (-math.inf,)),
        ((-1.0,), math.pi, (-math.inf,)),
        ((-2.0,), math.nan, (math.nan,)),
    ),
    "acosh(x)": (((1.0,), 0.0, (math.inf,)), ((0.5,), math.nan, (math.nan,))),
    "atanh(x)": (
        ((1.0,), math.inf, (math.inf,)),
        ((-1.0,), -math.inf, (math.inf,)),
        ((2.0,), math.nan, (math.nan,)),
    ),
    "erfinv(x)": (((1.0,), math.inf, (math.inf,)), ((-2.0,), math.nan, (math.nan,))),
    "lgamma(x)": (((0.0,), math.inf, (-math.inf,)), ((-0.5,), math.nan, (math.nan,))),
    "gamma(x)": (((5.0,), 24.0, (24 * (25 / 12 - 0.5772156649015329),)),),
    "digamma(x)": (((0.0,), -math.inf, (math.inf,)),),
    "tanh(x)": (((math.inf,), 1.0, (0.0,)), ((-math.inf,), -1.0, (0.0,))),
    "erf(x)": (((math.inf,), 1.0, (0.0,)),),
    "atan(x)": (((-math.inf,), -math.pi / 2, (0.0,)),),
    "atan2(x, y)": (((0.0, 0.0), math.nan, (math.nan, math.nan)),),
    "sin(x)": (((math.inf,), math.nan, (math.nan,)),),
    "x - x": (((math.inf,), math.nan, (math.nan,)),),
    "0*x": (((math.inf,), math.nan, (math.nan,)), ((math.nan,), math.nan, (math.nan,))),
    "sigmoid(x)": (((-math.inf,), 0.0, (0.0,)), ((math.inf,), 1.0, (0.0,))),
    "softplus(x)": (((-math.inf,), 0.0, (0.0,)), ((math.inf,), math.inf, (1.0,))),
    "logaddexp(x, y)": (
        ((-math.inf, 1.0), 1.0, (0.0, 1.0)),
        ((-math.inf, -math.inf), -math.inf, (math.nan, math.nan)),
        ((math.inf, 1.0), math.inf, (1.0, 0.0)),
    ),
    "log1mexp(x)": (
        ((0.0,), -math.inf, (math.inf,)),
        ((math.inf,), 0.0, (0.0,)),
        ((-1.0,), math.nan, (math.nan,)),
    ),
    "log1p(x)": (((-1.0,), -math.inf, (math.inf,)), ((-2.0,), math.nan, (math.nan,))),
    "where(isnan(x), 0, x)": (((math.nan,), 0.0, (0.0,)), ((3.0,), 3.0, (1.0,))),
    "where(isfinite(x), x, 7)": (((math.inf,), 7.0, (0.0,)), ((3.0,), 3.0, (1.0,))),
}


@pytest.mark.parametrize("formula", EDGES)
def test_edges(formula: str) -> None:
    for arguments, value, gradient in EDGES[formula]:
        truth = at(formula, arguments)
        assert_same(truth.value[0], value)
        for name, want in zip(ARGUMENTS, gradient, strict=False):
            assert_same(truth.gradient[name][0].value, want)


def assert_same(got: Real, want: float) -> None:
    assert got.known
    if math.isnan(want):
        assert got.kind is Kind.UNDEFINED
    else:
        assert got.rounded() == pytest.approx(want, rel=1e-15)


# ------------------------------------------------------------------- enclosures of enclosures


def widened(value: float, bits: int) -> arb:
    exact = arb(value)
    return exact + arb(0, abs(exact).upper() * arb(2) ** -bits)


def apart(value: float, bits: int) -> tuple[fmpq, Pair]:
    """A rational beside ``value``, and the pair that stands for it."""
    exact = fmpq(*value.as_integer_ratio())
    rest = exact / (3 << bits)
    return exact + rest, Pair(exact, arb(rest))


def evaluated(op: str, args: list[Value]) -> list[Value]:
    """Value and partial derivatives."""
    if op in UNARY:
        function, slope = UNARY[op]
        result = function(args[0])
        found = [slope(args[0], result)]
    else:
        call_, rule = BINARY[op] if op in BINARY else NARY[op]
        result = call_(*args) if op in BINARY else call_(args)
        partials = rule(args, result, (True,) * len(args))
        found = [] if isinstance(partials, Tie) else list(partials)
    return [result, *(v for v in found if v is not None and not isinstance(v, Tie))]


@pytest.mark.parametrize("op", NUMBERS)
@pytest.mark.parametrize("bits", [8, 30])
def test_what_encloses_the_argument_encloses_the_result(op: str, bits: int) -> None:
    for row in samples(op, 8):
        wide: list[Value] = [widened(v, bits) if v else ZERO for v in row]
        if op in ("polygamma", "besseli"):
            wide[0] = fmpq(int(row[0]))
        exact: list[Value] = [fmpq(*v.as_integer_ratio()) for v in row]
        with precision(300):
            want = evaluated(op, exact)
        with precision(64):
            got = evaluated(op, wide)
        if len(want) == len(got):
            for one, other in zip(got, want, strict=True):
                assert encloses(one, other), (op, row, one, other)


@pytest.mark.parametrize("op", NUMBERS)
def test_pairs_stand_for_the_rationals_that_they_are(op: str) -> None:
    for row in samples(op, 8):
        if op in ("polygamma", "besseli"):
            numbers: list[tuple[Value, Value]] = [(fmpq(int(row[0])),) * 2]
            numbers += [apart(row[1], 80)]
        else:
            numbers = [apart(v, 80) if v else (ZERO, ZERO) for v in row]
        with precision(300):
            want = evaluated(op, [n[0] for n in numbers])
        with precision(64):
            got = evaluated(op, [n[1] for n in numbers])
        if len(want) == len(got):
            for one, other in zip(got, want, strict=True):
                assert encloses(one, other), (op, row, one, other)


def encloses(wide: Value, exact: Value) -> bool:
    if wide is UNDEFINED or exact is UNDEFINED:
        return wide is exact
    enclosure = ball(wide)
    return not enclosure.is_finite() or bool(enclosure.overlaps(ball(exact)))


# --------------------------------------------------------------------------- numbers as such


@given(st.floats(1e-3, 1e3), st.floats(1e-3, 1e3), st.integers(80, 300))
def test_what_is_swallowed_is_kept_apart(one: float, other: float, power: int) -> None:
    """``(a + t) - a`` and its like give back the tiny t, at a precision that cannot hold a + t."""
    with precision(64):
        tiny = ball(multiply(fmpq(*other.as_integer_ratio()), arb(3) ** -power))
        exact = fmpq(*one.as_integer_ratio())
        near = add(exact, tiny)
        assert isinstance(near, Pair)
        assert ball(subtract(near, exact)).overlaps(tiny)
        assert sign(near) == 1
        assert order(near, exact) == 1
        twice = subtract(multiply(near, fmpq(2)), exact * 2)
        assert ball(twice).overlaps(2 * tiny)
        assert not ball(twice).contains(0)
        inverse = subtract(divide(ONE, near), 1 / exact)
        assert ball(inverse) < 0
        squared = subtract(multiply(near, near), exact * exact)
        assert ball(squared) > 0


@given(st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=8))
def test_sums_and_products_of_floats_are_exact(values: list[float]) -> None:
    numbers: list[Value] = [fmpq(*v.as_integer_ratio()) for v in values]
    want = sum(map(Fraction, values), Fraction(0))
    assert total(numbers) == fmpq(want.numerator, want.denominator)
    pair = multiply(numbers[0], numbers[-1])
    want = Fraction(values[0]) * Fraction(values[-1])
    assert pair == fmpq(want.numerator, want.denominator)
    exact = at("x*y", (values[0], values[-1])).value[0]
    assert exact.rounded() == round_fraction(want, Dtype.FLOAT64)


def test_infinities() -> None:
    assert add(INFINITY, MINUS_INFINITY) is UNDEFINED
    assert multiply(INFINITY, ZERO) is UNDEFINED
    assert divide(INFINITY, INFINITY) is UNDEFINED
    assert divide(ONE, ZERO) is UNDEFINED
    assert divide(ONE, INFINITY) is ZERO
    assert add(INFINITY, ONE) is INFINITY
    assert order(INFINITY, INFINITY) == 0
    assert order(MINUS_INFINITY, ONE) == -1
    assert order(UNDEFINED, ONE) is None


def test_an_imprecise_number_is_not_taken_for_zero() -> None:
    with precision(64):
        near = arb(1).exp() - arb(1).exp()
        assert sign(near) is None
        assert ball(divide(ONE, near)).is_nan()
        assert not ball(multiply(near, INFINITY)).is_finite()


def test_the_smallest_exponentials_keep_their_digits() -> None:
    """Beyond the exponents that Arb rounds errors in, its own ``expm1`` has 28 bits."""
    with precision(1000):
        tiny = ball(oracle_functions.exp(fmpq(-7 * 10**18)))
        found = oracle_functions.expm1(tiny)
        assert ball(found).rel_accuracy_bits() > 900
        beside = oracle_functions.exp(tiny)
        assert isinstance(beside, Pair) and beside.rest.rel_accuracy_bits() > 900
