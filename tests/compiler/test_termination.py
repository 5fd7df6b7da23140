"""The rule table comes to an end, also on what its own rows write."""

from __future__ import annotations

from dataclasses import replace

import pytest

from losscodegen.compiler.ranges import Ranges
from losscodegen.compiler.rewriter import Rewriter
from losscodegen.compiler.rule import Phase, Rule
from losscodegen.compiler.rules import RULES
from losscodegen.compiler.stabilize import stabilize
from losscodegen.compiler.tame import Tame
from losscodegen.ir.loss import Loss
from losscodegen.ir.nodes import Expr, Origin
from losscodegen.ir.walk import transform
from losscodegen.language.parse import losses_from_text
from tests.compiler.rule_instances import instance, rewritten

MOST = 40
"""Rewrites of one replacement; the table raises only after many more."""


def as_typed(expr: Expr) -> Expr:
    """``expr`` without the marks of the rules that made it: as if a user had written it."""
    return transform(expr, lambda node: replace(node, origin=Origin()))


def recognised(loss: Loss, expr: Expr) -> int:
    """In how many steps the first phase comes to an end."""
    inputs = frozenset(v.name for v in loss.inputs)
    rewriter = Rewriter(RULES, frozenset(), Tame(inputs), inputs)
    rewriter.run(expr, Phase.RECOGNISE, Ranges.of_loss(loss))
    return len(rewriter.steps)


@pytest.mark.parametrize(
    "rule", RULES, ids=lambda r: f"{r.name}: {r.pattern} {r.condition}"
)
def test_no_rows_write_each_others_patterns(rule: Rule) -> None:
    loss = instance(rule)
    made = rewritten(rule, loss)
    assert made is not None
    assert recognised(loss, as_typed(made)) <= MOST


@pytest.mark.parametrize(
    "formula", ["log(cosh(sin(1 - exp(-x**2))))", "log(cosh(log(cosh(tanh(x)))))"]
)
def test_no_row_works_on_a_side_that_is_never_taken(formula: str) -> None:
    """There |x| >= 1 is known, which x <= 0.85 denies: what one row wrote, another undid."""
    text = f'[ALoss]\ninputs.x = "real[...]"\nloss = "{formula}"\n'
    (loss,) = losses_from_text(text, "a.toml")
    steps = [step.rule for step in stabilize(loss).steps]
    assert 1 <= steps.count("log-cosh") <= 2
