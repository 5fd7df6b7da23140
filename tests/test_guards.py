"""No guard without a failing test: each module, with one guard undone, fails its check."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from losscodegen.compiler.branches import GUARDS
from losscodegen.ir.loss import Loss
from losscodegen.judge.certificate import Certificate
from losscodegen.judge.check import verify
from losscodegen.language.parse import load_losses
from losscodegen.pipeline import compile_expressions, generate

SPECS = sorted((Path(__file__).parents[1] / "specs").glob("*.toml"))
DAILY = {
    "huber",
    "softmax_cross_entropy",
    "p_norm_distance",
    "weighted_log_loss",
    "log_cosh",
}
"""Modules whose guards are undone in every run; the others are marked slow."""


SHOWN_ELSEWHERE = {
    # Logits of -inf and targets that are no index: compiler/test_lowering_guards.py.
    "finite-mask",
    "ignored-target",
    # Infinite residuals: their witnesses in compiler/test_rules.py.
    "huber-as-clip",
    "smooth-l1-as-clip",
}
"""Guards for inputs that no domain of the language holds, so that no check visits them."""


@cache
def losses(spec: Path) -> tuple[Loss, ...]:
    return load_losses(spec)


def guards(spec: Path) -> list[str]:
    """The rules that left a guard in the module of ``spec``."""
    found = {
        guard.rule: None
        for loss in losses(spec)
        for guard in compile_expressions(loss).program.guards
    }
    return list(found)


def judged(spec: Path, source: str) -> list[Certificate]:
    return [verify(loss, source, points=60) for loss in losses(spec)]


def needless(spec: Path) -> list[str]:
    """The guards of a module that its check does not miss."""
    found = []
    for rule in guards(spec):
        # Where a rule is undone, a guard of branches may stand in for it: then both go.
        undone = (frozenset({rule}), GUARDS | {rule})
        sources = (generate(spec, without=names).text for names in undone)
        if rule not in SHOWN_ELSEWHERE and all(
            c.passed for source in sources for c in judged(spec, source)
        ):
            found.append(rule)
    return found


@pytest.mark.parametrize(
    "spec",
    [pytest.param(s, marks=() if s.stem in DAILY else pytest.mark.slow) for s in SPECS],
    ids=lambda s: s.stem,
)
def test_every_guard_is_missed_when_undone(spec: Path) -> None:
    certificates = judged(spec, generate(spec).text)
    assert [c.findings for c in certificates if not c.passed] == []
    assert needless(spec) == []
