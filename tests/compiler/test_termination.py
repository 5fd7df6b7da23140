"""The rule table comes to an end, also on what its own rows write."""

from __future__ import annotations

from dataclasses import replace

import pytest

from losscodegen.compiler.ranges import Ranges
from losscodegen.compiler.rule import Phase, Rule
from losscodegen.compiler.rules import RULES
from losscodegen.compiler.stabilize import Rewriter
from losscodegen.compiler.tame import Tame
from losscodegen.ir.loss import Loss
from losscodegen.ir.nodes import Expr, Origin
from losscodegen.ir.walk import transform
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
