"""A pattern matches nothing that lacks what it is said to need."""

from __future__ import annotations

import pytest

from losscodegen.compiler.features import features
from losscodegen.compiler.instantiate import Candidates
from losscodegen.compiler.rules import RULES
from losscodegen.ir.nodes import Expr
from losscodegen.ir.walk import walk
from tests.compiler.rule_instances import instance, masked, witnessed

TABLE = Candidates.of_rules(RULES)
SEEN: set[Expr] = set()
"""What no pattern matches that lacks what it needs: rows have many nodes in common."""


@pytest.mark.parametrize("row", range(len(RULES)))
def test_no_match_is_missed(row: int) -> None:
    rule = RULES[row]
    losses = [instance(rule), witnessed(rule)]
    losses += [instance(rule, mask=True)] if masked(rule) else []
    for node in {n for loss in losses for n in walk(loss.expression)} - SEEN:
        tried = {id(row) for row in TABLE.at(node)}
        for other in TABLE.rules:
            if id(other) not in tried:
                assert not list(other.matcher.matches(node)), other.rule.name
        SEEN.add(node)


def test_most_rules_are_not_tried() -> None:
    tried = [len(TABLE.at(n)) for r in RULES for n in walk(instance(r).expression)]
    assert sum(tried) < 0.1 * len(tried) * len(RULES)


def test_candidates_keep_the_order_of_the_table() -> None:
    for rule in RULES:
        expr = instance(rule).expression
        fitting = [r for r in TABLE.rules if r.needs <= features(expr)]
        assert list(TABLE.at(expr)) == fitting
