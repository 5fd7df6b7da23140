"""What the search finds, what it leaves alone, and that it finds the same every time."""

from __future__ import annotations

import math

import mpmath
import pytest
import torch

from losscodegen.compiler.intervals import EVERYTHING, Range, read_range
from losscodegen.compiler.search.form import FORMS, WHYS
from losscodegen.compiler.search.measure import (
    Score,
    Source,
    extremes,
    gaps,
    lost,
    points,
    score,
)
from losscodegen.compiler.search.numerics import DOUBLES, Evaluator, precise
from losscodegen.compiler.stabilize import stabilize
from losscodegen.ir.loss import Loss
from losscodegen.ir.nodes import Read
from losscodegen.language.formula import parse_formula
from losscodegen.language.parse import losses_from_text
from losscodegen.language.printer import format_expression

X, Y = Read("x"), Read("y")


def loss_of(formula: str, **inputs: str) -> Loss:
    declared = "\n".join(f'{name} = "{text}"' for name, text in inputs.items())
    text = f'[Tried]\nsummary = "For a test."\nloss = "{formula}"\n[Tried.inputs]\n{declared}\n'
    (loss,) = losses_from_text(text)
    return loss


@pytest.mark.parametrize(
    ("formula", "domain", "form"),
    [
        ("sqrt(x + 1) - sqrt(x)", "nonnegative", "difference-of-sqrt"),
        ("sqrt(x + 4) - 2", "nonnegative", "conjugate"),
        ("1/(x + 1) - 1/x", "positive", "common-denominator"),
        ("(x + 1)**2 - x**2 - 1", "real", "product-form"),
        ("cosh(x) - sinh(x)", "real", "common-denominator"),
        ("log(x + 1) - log(x)", "positive", "difference-of-log"),
        ("x - sin(x)", "real", "series-at-zero"),
        ("tanh(x) - x", "real", "series-at-zero"),
        # Rules know how the first of these begin, which alone is worse than nothing.
        ("exp(x) - 1 - x - x**2/2", "real", "series-at-zero"),
        ("exp(x) - 1 - x - x**2/2 - x**3/6", "real", "series-at-zero"),
        ("cos(x) - 1 + x**2/2", "real", "series-at-zero"),
        # A rule makes something of its angle that no form is known of.
        ("x - atan(x)", "real", "series-at-zero"),
    ],
)
def test_a_cancelling_formula_gets_a_better_form(
    formula: str, domain: str, form: str
) -> None:
    loss = loss_of(formula, x=f"{domain}[...]")
    stable = stabilize(loss)
    assert form in [step.rule for step in stable.steps]
    assert stabilize(loss) == stable
    where = points(loss.expression, {X: Source(read_range_of(domain))}, (X,), more=True)
    before, after = score(loss.expression, where, (X,)), score(
        stable.loss.expression, where, (X,)
    )
    assert before is not None and after is not None
    assert before.worst > 40
    assert after.mean < 1 and after.worst < 10


def read_range_of(domain: str) -> Range:
    return {
        "real": EVERYTHING,
        "positive": read_range("(0, oo)"),
        "nonnegative": read_range("[0, oo)"),
    }[domain]


POSITIVE = "positive[...]"
WITNESSES: dict[str, tuple[str, dict[str, str]]] = {
    "common-denominator": ("1/(x + 1) - 1/x", {"x": POSITIVE}),
    "product-form": ("(x + y)**2 - x**2 - y**2", {"x": "real[...]", "y": "real[...]"}),
    "conjugate": ("sqrt(x + 4) - 2", {"x": "nonnegative[...]"}),
    "log-of-near-one": ("log(2*x/(x + y))", {"x": POSITIVE, "y": POSITIVE}),
    "split-root": ("sqrt(x**3 + x)", {"x": POSITIVE}),
    "joined-roots": ("sqrt((exp(2*x) - 1)/(exp(x) - 1))", {"x": POSITIVE}),
    "exponentials-cancelled": (
        "expm1(x + y)/(expm1(x)*expm1(y))",
        {"x": POSITIVE, "y": POSITIVE},
    ),
    "shares": (
        "-u*v/(u + t)**2",
        {"u": POSITIVE, "v": "real[...]", "t": POSITIVE},
    ),
    "series-at-zero": ("x - sin(x)", {"x": "real[...]"}),
}
"""For each form a formula that loses digits, or leaves the range of numbers, without it."""


def test_one_form_alone_has_none() -> None:
    assert set(WHYS) - set(WITNESSES) == {"expanded"}  # others are found over it


@pytest.mark.parametrize("form", WITNESSES)
def test_every_form_has_a_witness(form: str) -> None:
    formula, inputs = WITNESSES[form]
    loss = loss_of(formula, **inputs)
    assert form in [step.rule for step in stabilize(loss).steps]
    without = frozenset({form})
    assert form not in [s.rule for s in stabilize(loss, without=without).steps]


@pytest.mark.parametrize(
    ("formula", "inputs"),
    [
        ("x**2 + 1", {"x": "real[...]"}),
        ("abs(x - y)", {"x": "real[...]", "y": "real[...]"}),
        ("exp(x) + exp(y)", {"x": "real[...]", "y": "real[...]"}),
        ("detach(sqrt(x + 1) - sqrt(x))*x", {"x": "nonnegative[...]"}),
        ("where(sqrt(x + 1) - sqrt(x) > 0.1, x, 2*x)", {"x": "nonnegative[...]"}),
    ],
)
def test_what_is_good_enough_or_has_no_gradient_stays(
    formula: str, inputs: dict[str, str]
) -> None:
    loss = loss_of(formula, **inputs)
    assert not FORMS & {step.rule for step in stabilize(loss).steps}


def test_no_form_overflows_where_the_formula_does_not() -> None:
    # Over one denominator it would be `(x - y)**2/(...)`, good for what is small and usual.
    loss = loss_of("sqrt(1 + (x - y)**2) - 1", x="real[...]", y="count[...]")
    stable = stabilize(loss).loss.expression
    sources = {X: Source(EVERYTHING), Y: Source(read_range("[0, oo)"))}
    far = extremes(loss.expression, sources, (X,))
    assert len(far) > 12
    assert gaps(stable, far, (X,)) == frozenset()
    over_one = parse_formula("(x - y)**2/(hypot(x - y, 1) + 1)")
    assert gaps(over_one, far, (X,))


def test_a_product_that_is_good_but_overflows_gets_another_order() -> None:
    loss = loss_of("(1 + x**2)/(2*y)", x="real[...]", y="positive[...]")
    stable = stabilize(loss)
    assert "shares" in [step.rule for step in stable.steps]
    leaves = {X: 2.0**530, Y: 2.0**40}
    jet = Evaluator(DOUBLES, leaves, (X, Y)).of(stable.loss.expression)
    assert jet.value == 2.0**1019
    assert jet.slopes == pytest.approx((2.0**490, -(2.0**979)))


def test_a_power_that_overflows_before_its_square_does_gets_another_order() -> None:
    loss = loss_of("x**3/(1 + x)", x="positive[...]")
    stable = stabilize(loss)
    assert "shares" in [step.rule for step in stable.steps]
    jet = Evaluator(DOUBLES, {X: 2.0**400}, (X,)).of(stable.loss.expression)
    assert jet.value == 2.0**800 and jet.slopes == pytest.approx((2.0**401,))


def test_a_product_is_divided_by_what_is_as_large_as_all_of_it() -> None:
    loss = loss_of("x*(x*y)/softplus(x*y)", x="real[...]", y="count[...]")
    step, *_ = [s for s in stabilize(loss).steps if s.rule == "shares"]
    assert format_expression(step.after) == "x*y/softplus(x*y)*x"


def test_a_form_can_be_left_out() -> None:
    loss = loss_of("x - sin(x)", x="real[...]")
    without = frozenset({"series-at-zero"})
    assert format_expression(stabilize(loss, without=without).loss.expression) == (
        "x - sin(x)"
    )


def test_conditions_limit_where_a_formula_is_measured() -> None:
    everywhere = loss_of("x - sin(x)", x="real[...]")
    beyond = loss_of("where(abs(x) > 2, x - sin(x), 0)", x="real[...]")
    assert any(s.rule == "series-at-zero" for s in stabilize(everywhere).steps)
    assert not any(s.rule == "series-at-zero" for s in stabilize(beyond).steps)


# ---------------------------------------------------------------- how it is measured


def test_the_points_are_the_same_every_time_and_inside() -> None:
    expr = parse_formula("log(x) - y")
    sources = {X: Source(read_range("(0, oo)")), Y: Source(read_range("[-1, 1]"))}
    found = points(expr, sources, (X, Y))
    assert found == points(expr, sources, (X, Y))
    assert len(found) > 40
    assert all(p.leaves[X] > 0 and -1 <= p.leaves[Y] <= 1 for p in found)
    sizes = [math.log2(p.leaves[X]) for p in found]
    assert min(sizes) < -300 and max(sizes) > 300


def test_lost_bits() -> None:
    assert lost(1.0, 1.0) == 0
    assert lost(1.0 + 2.0**-52, 1.0) == pytest.approx(math.log2(3))
    assert lost(1.5, 1.0) == pytest.approx(52)
    assert lost(math.nan, 1.0) == lost(math.inf, 1.0) == 64
    assert lost(0.0, 1e-310) == 0 and lost(1.0, 1e-310) == 53


def test_better_means_clearly_better() -> None:
    bad, good = Score(mean=3.0, worst=50.0), Score(mean=0.5, worst=2.0)
    assert good.better(bad, growth=40)
    assert not bad.better(good, growth=-5)
    halfway = Score(mean=1.5, worst=30.0)
    assert halfway.better(bad, growth=1)
    assert not halfway.better(bad, growth=40)
    assert not Score(mean=0.5, worst=60.0).better(bad, growth=0)


@pytest.mark.parametrize(
    "formula",
    [
        "x*tanh(x) - sigmoid(x)/y",
        "hypot(x, y)*softplus(x - y) + log1p(x**2)",
        "where(x > y, x**y, exp(-x)) + cbrt(y)*erf(x)",
        "atan2(y, x) + log10(x)*asinh(y) - logsigmoid(x)",
    ],
)
def test_doubles_are_what_torch_computes(formula: str) -> None:
    expr = parse_formula(formula)
    names = {
        "softplus": torch.nn.functional.softplus,
        "logsigmoid": torch.nn.functional.logsigmoid,
        "cbrt": lambda t: t.sign() * t.abs() ** (1 / 3),
        "where": torch.where,
    }
    for a, b in [(0.7, 1.9), (2.5, 0.3), (1.1, 1.2)]:
        x = torch.tensor(a, dtype=torch.float64, requires_grad=True)
        y = torch.tensor(b, dtype=torch.float64, requires_grad=True)
        scope = {n: getattr(torch, n) for n in dir(torch) if n.islower()}
        want = eval(formula, {**scope, **names, "x": x, "y": y})  # noqa: S307
        slopes = torch.autograd.grad(want, (x, y))
        jet = Evaluator(DOUBLES, {X: a, Y: b}, (X, Y)).of(expr)
        truth = precise(expr, {X: a, Y: b}, (X, Y))
        assert truth is not None
        for got, torchs, exact in zip(
            (jet.value, *jet.slopes), (want, *slopes), truth, strict=True
        ):
            assert got == pytest.approx(torchs.item(), rel=1e-13)
            assert got == pytest.approx(exact, rel=1e-13)


def test_the_truth_is_right_where_everything_cancels() -> None:
    expr = parse_formula("exp(x) - 1 - x - x**2/2")
    found = precise(expr, {X: 1e-30}, (X,))
    assert found is not None
    with mpmath.workdps(200):
        x = mpmath.mpf(1e-30)
        assert found[0] == float(mpmath.exp(x) - 1 - x - x**2 / 2)
        assert found[1] == float(mpmath.expm1(x) - x)


def test_an_undecided_branch_has_no_truth() -> None:
    assert (
        precise(
            parse_formula("where(sin(x)**2 + cos(x)**2 > 1, x, 2*x)"), {X: 0.3}, (X,)
        )
        is None
    )
