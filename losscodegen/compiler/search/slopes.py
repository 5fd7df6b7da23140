"""What the gradient of a loss is worth: by autograd, and as a formula of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from losscodegen.compiler.search.balls import UnsupportedError
from losscodegen.compiler.search.measure import Point, Score, lost
from losscodegen.compiler.search.numerics import DOUBLES, Evaluator
from losscodegen.ir.nodes import Expr, Read


@dataclass(frozen=True, slots=True)
class Slopes:
    """A gradient given by formulas: those of ``operands``, by name, in terms of the leaves, and
    the derivative by each of them."""

    operands: Mapping[str, Expr]
    derivatives: Mapping[str, Expr]


def by_autograd(
    expr: Expr, where: Sequence[Point], wrt: tuple[Expr, ...]
) -> Score | None:
    """The bits that autograd of ``expr`` loses; None if it cannot be evaluated."""
    try:
        found = [
            Evaluator(DOUBLES, dict(point.leaves), wrt).of(expr).slopes
            for point in where
        ]
    except UnsupportedError:
        return None
    return _score(found, where)


def by_formula(
    slopes: Slopes, where: Sequence[Point], wrt: tuple[Expr, ...]
) -> Score | None:
    """The bits that the formulas lose, put together by the chain rule."""
    try:
        found = [_at(slopes, point, wrt) for point in where]
    except UnsupportedError:
        return None
    return _score(found, where)


def _at(slopes: Slopes, point: Point, wrt: tuple[Expr, ...]) -> tuple[float, ...]:
    outer = Evaluator(DOUBLES, dict(point.leaves), wrt)
    operands = {name: outer.of(expr) for name, expr in slopes.operands.items()}
    values: dict[Expr, float] = {Read(n): jet.value for n, jet in operands.items()}
    inner = Evaluator(DOUBLES, {**point.leaves, **values}, ())
    total = [0.0] * len(wrt)
    for name, derivative in slopes.derivatives.items():
        value = inner.of(derivative).value
        for place, slope in enumerate(operands[name].slopes):
            if slope != 0:
                total[place] += value * slope
    return tuple(total)


def _score(found: Sequence[tuple[float, ...]], where: Sequence[Point]) -> Score | None:
    bits = [
        max(
            (lost(got, want) for got, want in zip(slopes, p.truth[1:], strict=True)),
            default=0.0,
        )
        for slopes, p in zip(found, where, strict=True)
    ]
    return Score(sum(bits) / len(bits), max(bits)) if bits else None
