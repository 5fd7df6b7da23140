"""Every line of every derivation equals the line above, and reads like a textbook's."""

from __future__ import annotations

import math
import re
from functools import cache

import pytest
from mpmath import mp

from losscodegen.ir.loss import Loss
from losscodegen.ir.nodes import Call, Expr, Index, Number, Read
from losscodegen.ir.walk import free_indices, inline, walk
from losscodegen.judge.point import Array, Point
from losscodegen.judge.tensors import is_pointwise
from losscodegen.language.parse import load_losses
from losscodegen.language.symbolic import (
    evaluate,
    partials,
    to_sympy,
)
from losscodegen.resources import bundled_specs
from losscodegen.teach.derivation import (
    Shown,
    derivations,
    differentiated,
)
from losscodegen.teach.draws import axis_sizes, draws
from losscodegen.teach.model import Derivation, Formula
from tests.teach.plain_mathematics import DIGITS, Numbers

LOSSES = [
    loss
    for path in bundled_specs()
    if path.parent.name == "specs"
    for loss in load_losses(path)
]
POINTWISE = [loss for loss in LOSSES if is_pointwise(loss)]
OVER_AXES = [loss for loss in LOSSES if not is_pointwise(loss)]
CLOSE = 1e-12


def name(loss: Loss) -> str:
    return loss.module


@cache
def derived(loss: Loss) -> tuple[Derivation, ...]:
    return tuple(d for v in differentiated(loss) for d in derivations(loss, v))


def formulas(derivation: Derivation) -> list[tuple[Formula, Formula]]:
    """Pairs that are to be equal: the lines, and what each rule did."""
    pairs = [(step.before, step.after) for step in derivation.steps]
    pairs += [(a.before, a.after) for s in derivation.steps for a in s.applied]
    return pairs


def element(derivation: Derivation) -> Read:
    found = derivation.element.expr
    assert isinstance(found, Read)
    return found


# ---------------------------------------------------------------- pointwise, by SymPy


def by_sympy(
    loss: Loss, formula: Formula, wrt: Read, numbers: dict[str, float]
) -> float:
    """A line in numbers: what is still to be differentiated, SymPy differentiates."""
    definitions = Shown.of(loss).loss.definitions
    assert formula.expr is not None
    known = dict(numbers)
    for mark, expr in formula.pending:
        slope = partials(inline(expr, definitions), wrt, loss.variables)
        found = evaluate(slope, numbers)
        if not found.is_finite:
            return math.nan
        known[mark] = float(found)
    plain = to_sympy(inline(formula.expr, definitions), loss.variables)
    return float(evaluate(plain, known))


def numbers_of(point: Point) -> dict[str, float]:
    found: dict[str, float] = {}
    for symbol, entry in point.values.items():
        if isinstance(entry, Array):
            assert len(entry.entries) == 1
            entry = entry.entries[0]
        found[symbol] = 1.0 if entry is None else entry  # type: ignore[assignment]
    return found


PLAIN = [
    loss
    for loss in POINTWISE
    if not any(v.subscripted_axes or v.domain.choices for v in loss.variables)
]
"""Those whose reads are one symbol each; all others are checked by differences."""


@pytest.mark.parametrize("loss", PLAIN, ids=name)
def test_sympy_agrees_with_each_line(loss: Loss) -> None:
    points = draws(loss, 2)
    assert points
    checked = 0
    for derivation in derived(loss):
        for point in points:
            numbers = numbers_of(point)
            for before, after in formulas(derivation):
                left = by_sympy(loss, before, element(derivation), numbers)
                right = by_sympy(loss, after, element(derivation), numbers)
                if math.isnan(left) or math.isnan(right):
                    continue  # 0 times infinity, as a power of 0 below 1 brings about
                checked += 1
                assert left == pytest.approx(right, rel=CLOSE, abs=CLOSE), (
                    before.text,
                    after.text,
                    numbers,
                )
    assert checked or not derived(loss)


# ---------------------------------------------------------------- all, by differences

BY_DIFFERENCES = [
    loss for k, loss in enumerate(LOSSES) if loss not in PLAIN or k % 8 == 0
]
"""All that SymPy does not check, and some of the others for good measure."""


@pytest.mark.parametrize("loss", BY_DIFFERENCES, ids=name)
def test_differences_agree_with_each_line(loss: Loss) -> None:
    points = draws(loss, 4)
    wanted = sum(len(d.steps) for d in derived(loss))
    for point in points:
        if checked_lines(loss, point) or not wanted:
            return
    pytest.fail("no line could be checked at any point")


def checked_lines(loss: Loss, point: Point) -> int:
    """How many lines are found to equal the line above; an assertion fails for one that is not."""
    definitions = Shown.of(loss).loss.definitions
    checked = 0
    with mp.workdps(DIGITS):
        for derivation in derived(loss):
            wrt = element(derivation)
            for step in derivation.steps:
                sides = []
                for formula in (step.before, step.after):
                    assert formula.expr is not None
                    pending = {m: inline(e, definitions) for m, e in formula.pending}
                    expr = inline(formula.expr, definitions)
                    outside = (*loss.free, *free_indices(wrt), *free_indices(expr))
                    env: dict[Index, int] = dict.fromkeys(outside, 0)
                    numbers = Numbers(loss, point, axis_sizes(loss), wrt, pending)
                    sides.append(numbers.at(expr, env))
                if not all(map(mp.isfinite, sides)):
                    continue
                checked += 1
                assert sides[0] == pytest.approx(sides[1], rel=CLOSE, abs=CLOSE), (
                    step.before.text,
                    step.after.text,
                )
    return checked


# ---------------------------------------------------------------- how it reads


def clumsy(expr: Expr) -> list[str]:
    """What a textbook would not leave standing."""
    found = []
    for node in walk(expr):
        match node:
            case Call("mul", args) if any(
                isinstance(a, Number) and a.value in (0, 1) for a in args
            ):
                found.append("a factor 0 or 1")
            case Call("pow", (_, Number(value))) if value in (0, 1):
                found.append("a power of 0 or 1")
            case Call("neg", (Call("neg"),)):
                found.append("a double negation")
            case Call("add", args) if any(
                isinstance(a, Number) and a.value == 0 for a in args
            ):
                found.append("a term 0")
            case Call("div", (_, Number(value))) if value == 1:
                found.append("a divisor 1")
            case _:
                pass
    return found


@pytest.mark.parametrize("loss", LOSSES, ids=name)
def test_lines_are_simplified(loss: Loss) -> None:
    written = {
        fault
        for e in (loss.expression, *(d.body for d in loss.definitions))
        for fault in clumsy(e)
    }
    for derivation in derived(loss):
        assert derivation.steps or derivation.start == derivation.result
        for step in derivation.steps:
            assert step.before != step.after
            assert step.rule
            assert step.after.expr is not None
            assert set(clumsy(step.after.expr)) <= written, step.after.text
            assert not re.search(r"#\d", step.after.text + step.after.latex)
        assert derivation.steps[-1].after == derivation.result


def test_huber_reads_like_a_textbook() -> None:
    (loss,) = [x for x in LOSSES if x.module == "huber"]
    found = [d for d in derived(loss) if d.wrt == "x" and d.of == "loss"]
    assert [step.after.plain for step in found[0].steps] == [
        "∂/∂x[r²/2] if |r| ≤ δ else ∂/∂x[δ·(|r| − δ/2)]",
        "∂/∂x[r²]/2 if |r| ≤ δ else δ·∂/∂x[|r| − δ/2]",
        "r if |r| ≤ δ else δ·∂/∂x[|r|]",
        "r if |r| ≤ δ else δ·sign(r)",
    ]
    assert found[0].note == "Where r = 0, |r| has a kink: 0 is taken."
