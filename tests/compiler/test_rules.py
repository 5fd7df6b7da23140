"""The rule table: every row against exact arithmetic, and against the failure it is for."""

from __future__ import annotations

import math

import pytest
import torch

from losscodegen.compiler.rule import INDICES, Fault, Phase, Refuted, Rule
from losscodegen.compiler.rules import REFUTED, RULES
from losscodegen.compiler.search.form import FORMS
from losscodegen.compiler.stabilize import stabilize
from losscodegen.ir.loss import Loss
from losscodegen.judge.accused import Accused
from losscodegen.judge.point import Array, Kind, Point, Real
from losscodegen.judge.rounding import Dtype
from losscodegen.language.formula import parse_formula
from losscodegen.language.printer import format_expression
from tests.compiler.rule_instances import (
    bend,
    computed,
    computed_bend,
    instance,
    masked,
    module,
    points,
    rewritten,
    rounded_point,
    truth,
    with_expression,
    witness_point,
    witnessed,
)

DTYPES = {"float32": torch.float32, "float64": torch.float64, "float16": torch.float16}
POINTS = 200
LOST = 1e4
"""Errors beyond this many ulp mean that no digit is worth anything."""
GOOD = 64

each_rule = pytest.mark.parametrize(
    "rule", RULES, ids=lambda r: f"{r.name}: {r.pattern} {r.condition}"
)


def agree(one: Real, other: Real) -> bool:
    if one.kind is not other.kind:
        return False
    return not one.finite or one.ulps(other.rounded(), Dtype.FLOAT64) <= 2


CASES = [(rule, mask) for rule in RULES for mask in (False, True)[: 1 + masked(rule)]]


@pytest.mark.parametrize(
    ("rule", "mask"),
    CASES,
    ids=[
        f"{r.name}: {r.pattern} {r.condition} {'masked' if m else ''}" for r, m in CASES
    ],
)
def test_both_sides_are_the_same_function(rule: Rule, mask: bool) -> None:
    loss = instance(rule, mask=mask)
    after = rewritten(rule, loss)
    if after is None:
        assert mask, "the rule does not fire on its own pattern"
        return
    new = with_expression(loss, after)
    compared = 0
    for point in points(rule, loss, POINTS if not mask else 40):
        old_truth, new_truth = truth(loss, point), truth(new, point)
        if any(v.kind is not Kind.FINITE for v in old_truth.value):
            continue
        compared += 1
        for one, two in zip(old_truth.value, new_truth.value, strict=True):
            assert agree(one, two), (format_expression(after), point)
        for name, slopes in old_truth.gradient.items():
            others = new_truth.gradient.get(name, ())
            for slope, other in zip(slopes, others, strict=True):
                if slope.low is None and other.low is None:
                    assert agree(slope.value, other.value), (name, point)
    assert compared >= 20


@each_rule
def test_the_witness_shows_the_gain(rule: Rule) -> None:
    loss = witnessed(rule)
    point = rounded_point(witness_point(loss, rule.witness), DTYPES[rule.witness.dtype])
    assert _error(module(loss, stable=False), loss, point, rule) > LOST
    assert _error(module(loss, stable=True), loss, point, rule) <= GOOD


@each_rule
def test_it_fires_in_the_whole_table(rule: Rule) -> None:
    instances = [instance(rule), witnessed(rule)]
    if masked(rule):
        # With a condition of which nothing is known, another rule of the same kind is due.
        instances.append(instance(rule, mask=True))
    if "t" in rule.witness.point and not rule.witness.whole:
        instances.append(instance(rule, index=True))
    steps = (step for loss in instances for step in stabilize(loss).steps)
    assert any(step.rule == rule.name for step in steps)


@each_rule
def test_nothing_is_rewritten_twice(rule: Rule) -> None:
    # The search may find something in what it has found.
    _settled(instance(rule, index=rule.witness.whole))


@pytest.mark.parametrize(
    "rule", [r for r in RULES if r.witness.whole], ids=lambda r: r.pattern
)
def test_nor_at_a_single_position(rule: Rule) -> None:
    _settled(instance(rule))


def _settled(loss: Loss) -> None:
    once = stabilize(loss, without=FORMS).loss
    expression = once.expression
    again = stabilize(once, without=FORMS)
    assert again.loss.expression == expression, format_expression(again.loss.expression)


@each_rule
def test_a_row_is_well_formed(rule: Rule) -> None:
    assert rule.name == rule.name.lower().replace("_", "-").replace(" ", "-")
    assert rule.why.endswith(".")
    assert rule.why[0] in "`" or rule.why[0].isupper()
    assert rule.source
    for text in (rule.pattern, rule.replacement, rule.condition, rule.unless):
        if text is not None:
            parse_formula(text, indices=INDICES)


def test_rows_of_one_name_are_about_one_thing() -> None:
    phases: dict[str, Phase] = {}
    for rule in RULES:
        assert phases.setdefault(rule.name, rule.phase) is rule.phase
    assert len({(r.name, r.pattern, r.condition) for r in RULES}) == len(RULES)


@pytest.mark.parametrize("row", REFUTED, ids=lambda r: r.name)
def test_refuted_rules_stay_refuted(row: Refuted) -> None:
    loss = instance(_as_rule(row))
    after = with_expression(loss, parse_formula(row.replacement, indices=INDICES))
    point = rounded_point(witness_point(loss, row.witness), DTYPES[row.witness.dtype])
    same = agree(truth(loss, point).value[0], truth(after, point).value[0])
    assert same is row.exact
    if row.exact:
        assert _error(module(after, stable=False), loss, point, row) > LOST


def _as_rule(row: Refuted) -> Rule:
    return Rule(
        name=row.name,
        pattern=row.pattern,
        replacement=row.replacement,
        why=row.why,
        source=row.source,
        witness=row.witness,
    )


def _error(accused: Accused, spec: Loss, point: Point, row: Rule | Refuted) -> float:
    """The error of ``accused`` at the witness, in ulp of its format."""
    dtype = Dtype(row.witness.dtype)
    if row.witness.fault is Fault.SECOND:
        name = row.witness.wrt or ""
        got = computed_bend(accused, point, dtype, name)
        return _ulps(bend(spec, point, dtype, name), got, dtype)
    result = computed(accused, point, dtype)
    gradient = result.gradient
    if row.witness.fault is Fault.GRADIENT and any(
        isinstance(e, float) and math.isinf(e)
        for array in point.values.values()
        if isinstance(array, Array)
        for e in array.entries
    ):
        # Infinite inputs have no truth; what counts is that the gradient is a number.
        return (
            math.inf if any(map(math.isnan, gradient[row.witness.wrt or ""])) else 0.0
        )
    known = truth(spec, point, dtype)
    if row.witness.fault is Fault.VALUE:
        (want,), (value,) = known.value, result.value
        return _ulps(want, value, dtype)
    name = row.witness.wrt or ""
    errors = []
    for slope, got in zip(known.gradient[name], gradient[name], strict=True):
        if slope.low is not None and slope.high is not None and math.isfinite(got):
            inside = slope.low.rounded(dtype) <= got <= slope.high.rounded(dtype)
            errors.append(0.0 if inside else _ulps(slope.value, got, dtype))
        elif slope.value.kind is not Kind.FINITE:
            errors.append(math.inf if math.isnan(got) else 0.0)
        else:
            errors.append(_ulps(slope.value, got, dtype))
    return max(errors)


def _ulps(want: Real, got: float, dtype: Dtype) -> float:
    error = want.ulps(got, dtype)
    return math.inf if math.isnan(error) else error
