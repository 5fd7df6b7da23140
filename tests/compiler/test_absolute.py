"""Absolute accuracy: what is left out, what never is, and what the rows say of themselves."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from losscodegen.compiler.digits import Digits
from losscodegen.compiler.ranges import Ranges
from losscodegen.compiler.rule import Fault, Purpose, Rule
from losscodegen.compiler.rules import RULES
from losscodegen.compiler.search.form import FORMS
from losscodegen.compiler.stabilize import stabilize
from losscodegen.ir.loss import ORDINARY, Accuracy, Loss
from losscodegen.judge.check import verify
from losscodegen.judge.point import Array, Point
from losscodegen.judge.points import promised
from losscodegen.judge.rounding import Dtype
from losscodegen.judge.unchecked import unchecked
from losscodegen.language.parse import losses_from_text
from losscodegen.pipeline import compile_losses
from tests.compiler.rule_instances import (
    computed,
    instance,
    module,
    rounded_point,
    truth,
    witness_point,
    witnessed,
)
from tests.compiler.test_emit import function_body

CASES = sorted((Path(__file__).parents[1] / "cases" / "absolute").glob("*.toml"))
FOR_DIGITS = tuple(rule for rule in RULES if rule.purpose is Purpose.DIGITS)
FOR_ENDS = tuple(rule for rule in RULES if rule.purpose is Purpose.ENDS)
WITHOUT = frozenset(rule.name for rule in RULES)
ROUNDINGS = 64
"""So many of a usual result are negligible beside it, as the judge has it."""

each_for_digits = pytest.mark.parametrize(
    "rule", FOR_DIGITS, ids=lambda r: f"{r.name}: {r.pattern} {r.condition}"
)
each_for_ends = pytest.mark.parametrize(
    "rule", FOR_ENDS, ids=lambda r: f"{r.name}: {r.pattern} {r.condition}"
)


@pytest.mark.parametrize("case", CASES, ids=lambda p: p.stem)
def test_case(case: Path) -> None:
    """The function's statements are as written below ``# output``; UPDATE_CASES=1 rewrites them."""
    spec, _, expected = case.read_text().partition("# output\n")
    losses = losses_from_text(spec, f"{case.stem}.toml")
    got = function_body(compile_losses(losses, origin="specs/x.toml").text)
    if os.environ.get("UPDATE_CASES"):
        case.write_text(f"{spec}# output\n{got}")
    assert got == expected


@pytest.mark.parametrize("case", CASES, ids=lambda p: p.stem)
def test_cases_pass_for_what_they_ask(case: Path) -> None:
    losses = losses_from_text(case.read_text().split("# output\n")[0], "case.toml")
    source = compile_losses(losses, origin="specs/x.toml").text
    certificate = verify(losses[0], source, points=40)
    assert certificate.passed, certificate.findings[:3]


# ---------------------------------------------------------------- what the rows say


@pytest.mark.parametrize(
    "rule",
    FOR_DIGITS + FOR_ENDS,
    ids=lambda r: f"{r.name}: {r.pattern} {r.condition}",
)
def test_without_a_row_nothing_but_digits_is_lost(rule: Rule) -> None:
    """The judge finds no NaN, infinity or error that is not small beside usual results, at numbers
    of the sizes for which absolute accuracy is promised."""
    loss = replace(instance(rule), accuracy=Accuracy.ABSOLUTE)
    source = compile_losses((loss,), origin="test", without=WITHOUT).text
    found = verify(loss, source, points=40, dtypes=("float32",))
    wrong = [f for f in found.findings if f.severity.value == "failure" and f.order]
    assert not wrong, wrong[:2]
    judged = {c.order: c.judged for c in found.checks}
    assert judged["value"] >= 20 and judged["gradient"] >= 20


@each_for_digits
def test_the_witness_of_a_row_for_digits_is_right_beside_usual_results(
    rule: Rule,
) -> None:
    """As typed the pattern is finite there, and no more than roundings of usual results off."""
    loss = witnessed(rule)
    dtype = Dtype(rule.witness.dtype)
    point = rounded_point(
        witness_point(loss, rule.witness), getattr(torch, dtype.value)
    )
    want = truth(loss, point, dtype)
    got = computed(module(loss, stable=False), point, dtype)
    if rule.witness.fault is Fault.VALUE:
        pairs = [(v, g) for v, g in zip(want.value, got.value, strict=True)]
    else:
        name = rule.witness.wrt or ""
        slopes = zip(want.gradient[name], got.gradient[name], strict=True)
        pairs = [(s.value, g) for s, g in slopes]
    # The inputs at the witness say how large a result can be expected to be: of the order of 1.
    for exact, number in pairs:
        assert math.isfinite(number)
        error = abs(number - exact.rounded(dtype))
        assert error <= ROUNDINGS * dtype.epsilon


@each_for_digits
def test_a_row_for_digits_stays_out_of_a_loss_that_does_not_ask_for_them(
    rule: Rule,
) -> None:
    loss = replace(instance(rule), accuracy=Accuracy.ABSOLUTE)
    steps = {step.rule for step in stabilize(loss).steps}
    others = {r.name for r in RULES if r.purpose is not Purpose.DIGITS}
    assert rule.name not in steps - others
    assert not steps & FORMS


@each_for_ends
def test_the_witness_of_a_row_for_the_ends_lies_beyond_what_is_promised(
    rule: Rule,
) -> None:
    loss = replace(witnessed(rule), accuracy=Accuracy.ABSOLUTE)
    point = witness_point(loss, rule.witness)
    assert not promised(loss, point)
    assert promised(replace(loss, accuracy=Accuracy.RELATIVE), point)


@each_for_ends
def test_a_row_for_the_ends_stays_out_of_absolute_accuracy(rule: Rule) -> None:
    relative = instance(rule)
    assert rule.name in {step.rule for step in stabilize(relative).steps}
    absolute = replace(relative, accuracy=Accuracy.ABSOLUTE)
    assert rule.name not in {step.rule for step in stabilize(absolute).steps}


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (0.0, True),
        (-1.0, True),
        (ORDINARY, True),
        (-1 / ORDINARY, True),
        (2 * ORDINARY, False),
        (-0.5 / ORDINARY, False),
        (-math.inf, True),
    ],
)
def test_numbers_of_which_sizes_are_judged(number: float, expected: bool) -> None:
    """Infinities are not large numbers: what stands for nothing, as in a masked logit."""
    loss = loss_of("x + y", "x real", "y unit")
    values = {"x": Array((), (number,)), "y": Array((), (1e-30,))}
    point = Point(values=values)
    assert promised(loss, point)
    assert promised(replace(loss, accuracy=Accuracy.ABSOLUTE), point) is expected


def test_a_certificate_says_what_is_not_promised() -> None:
    loss = loss_of("x**2", "x real")
    for accuracy, expected in ((Accuracy.RELATIVE, 0), (Accuracy.ABSOLUTE, 1)):
        asked = replace(loss, accuracy=accuracy)
        source = compile_losses((asked,), origin="test").text
        said = dict(unchecked(verify(asked, source, points=20)))
        assert [*said.values()].count(
            "absolute accuracy is not promised for them"
        ) == expected


# ---------------------------------------------------------------- where digits matter


def loss_of(formula: str, *inputs: str, params: str = "") -> Loss:
    lines = [f'inputs.{name} = "{kind}[...]"' for name, kind in map(str.split, inputs)]
    text = "\n".join(["[ALoss]", *lines, params, f'loss = "{formula}"'])
    return losses_from_text(text, "a.toml")[0]


NEEDED = {
    "log(x)": "positive",
    "sqrt(x)": "nonnegative",
    "1/x": "positive",
    "abs(x)": "real",
    "relu(x)": "real",
    "exp(x)": "real",
    "x**2": "real",
    "sin(x)": "real",
    "sigmoid(x)": "real",
    "softplus(x)": "real",
    "-x": "real",
}
HARMLESS = {"x**2", "sin(x)", "sigmoid(x)", "softplus(x)", "-x"}


@pytest.mark.parametrize("formula", NEEDED)
def test_digits_matter_where_a_derivative_is_not_bounded(formula: str) -> None:
    loss = loss_of(formula, f"x {NEEDED[formula]}")
    digits = Digits.of_loss(replace(loss, accuracy=Accuracy.ABSOLUTE))
    ranges = Ranges.of_loss(loss)
    found = digits.of_parts(loss.expression, ranges, needed=False)
    assert any(found) is (formula not in HARMLESS - {"x**2"})
    assert all(digits.of_parts(loss.expression, ranges, needed=True))
    assert all(Digits().of_parts(loss.expression, ranges, needed=False))


def test_parameters_scale_what_is_negligible() -> None:
    given = loss_of("w*x", "x real", params='params.w = "positive = 1.0"')
    input_ = loss_of("w*x", "x real", "w positive")
    for loss, expected in ((given, False), (input_, True)):
        digits = Digits.of_loss(replace(loss, accuracy=Accuracy.ABSOLUTE))
        ranges = Ranges.of_loss(loss)
        found = digits.of_parts(loss.expression, ranges, needed=False)
        assert found[1] is expected
