"""A second witness for the gradients of the truth: SymPy differentiates, mpmath evaluates."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

from losscodegen.ir.loss import DomainKind, Loss
from losscodegen.ir.nodes import Expr, Number, Read
from losscodegen.ir.walk import inline_loss, walk
from losscodegen.judge.certificate import Claim, Finding, Severity, Status
from losscodegen.judge.point import Array, Point, Truth
from losscodegen.judge.rounding import Dtype
from losscodegen.judge.tensors import differentiable, is_pointwise
from losscodegen.judge.wording import format_point

POINTS = 4
AGREEMENT = 1e-12
TEXT = "sympy.diff agrees with the gradients that the points are judged by"

Ask = Callable[[Loss, Point, Dtype], Truth | None]


def check_witness(
    loss: Loss, ask: Ask, points: Sequence[Point]
) -> tuple[list[Claim], list[Finding]]:
    """SymPy's derivative by every element that the formula reads, at a handful of points.

    A disagreement is no fault of the module: it says that one of the two who judge it is wrong.
    """
    from losscodegen.language.symbolic import Unsound

    if not is_pointwise(loss):
        return [_claim(Status.SKIPPED, 0, "no sympy form: the loss is over axes")], []
    plain = inline_loss(loss)
    chosen = [*points[: POINTS - 1], *points[-1:]]
    try:
        checked, problem = _compare(plain, ask, chosen)
    except Unsound as reason:
        return [_claim(Status.SKIPPED, 0, f"no sympy form: {reason}")], []
    if problem:
        finding = Finding(
            code="witnesses-disagree",
            severity=Severity.FAILURE,
            message=f"sympy.diff and the ball arithmetic disagree: {problem}",
        )
        return [_claim(Status.FAILED, checked, problem)], [finding]
    status = Status.PASSED if checked else Status.SKIPPED
    return [_claim(status, checked, "")], []


def _claim(status: Status, checked: int, detail: str) -> Claim:
    return Claim(
        kind="witness", text=TEXT, status=status, checked=checked, detail=detail
    )


def _compare(loss: Loss, ask: Ask, points: Sequence[Point]) -> tuple[int, str]:
    """How many derivatives were compared, and the first disagreement in words."""
    from losscodegen.language.symbolic import evaluate, partials

    reads = [
        node
        for node in dict.fromkeys(walk(loss.expression))
        if isinstance(node, Read) and differentiable(loss.variable(node.name))
    ]
    slopes = {read: partials(loss.expression, read, loss.variables) for read in reads}
    checked = 0
    for point in points:
        truth = ask(loss, point, Dtype.FLOAT64)
        numbers = _numbers(loss, point)
        if truth is None:
            continue
        for read, slope in slopes.items():
            if read.name not in truth.gradient:
                continue
            place = _place(loss, read)
            known = truth.gradient[read.name][place]
            want = known.value.rounded(Dtype.FLOAT64)
            if known.kink or not math.isfinite(want):
                continue
            got = evaluate(slope, numbers)
            if not (got.is_number and got.is_real and got.is_finite):
                # At a kink of its own, or where a limit is needed, SymPy has no number.
                continue
            checked += 1
            if abs(float(got) - want) > AGREEMENT * max(abs(want), 1e-30):
                where = format_point(point)
                return checked, (
                    f"the derivative by {read.name} is {float(got):.17g} "
                    f"against {want:.17g} at {where}"
                )
    return checked, ""


def _place(loss: Loss, read: Read) -> int:
    """The flat place of an element in a tensor whose other axes are ``...``."""
    sizes = [int(a) for a in loss.variable(read.name).subscripted_axes]
    flat = 0
    for subscript, size in zip(read.subscripts, sizes, strict=True):
        assert isinstance(subscript, Number)
        flat = flat * size + int(subscript.value)
    return flat


def _numbers(loss: Loss, point: Point) -> Mapping[str, Fraction | int | float]:
    """The numbers of a point by the names of SymPy's symbols."""
    from losscodegen.language.symbolic import symbol

    numbers: dict[str, Fraction | int | float] = {}
    for read in dict.fromkeys(_reads(loss.expression)):
        variable, entry = loss.variable(read.name), point.values[read.name]
        name = symbol(read, loss.variables).name
        if entry is None:
            numbers[name] = 1
        elif isinstance(entry, Array):
            numbers[name] = entry.entries[_place(loss, read)]
        elif isinstance(entry, str):
            assert variable.domain.kind is DomainKind.CHOICE
            numbers[name] = variable.domain.choices.index(entry)
        else:
            numbers[name] = entry
    return numbers


def _reads(expr: Expr) -> list[Read]:
    return [n for n in walk(expr) if isinstance(n, Read)]
