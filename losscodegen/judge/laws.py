"""The laws that a spec states and its worked example, tried on the truth and on the module."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from losscodegen.ir.loss import ELLIPSIS, DomainKind, Law, LawSide, Loss, Nested
from losscodegen.ir.nodes import Expr
from losscodegen.judge.accused import words_as_numbers
from losscodegen.judge.certificate import Claim, Finding, Severity, Status
from losscodegen.judge.naive import Evaluator
from losscodegen.judge.point import Array, Entry, Point
from losscodegen.judge.points import default_values
from losscodegen.judge.tensors import INTEGRAL, bind
from losscodegen.judge.wording import format_point

RELATIVE = 1e-4
"""Laws compare nearly equal parameters (alpha=2 with alpha=2.000001), so equality is not strict."""
ABSOLUTE = 1e-12
"""Times the largest loss at any of the points: what rounding leaves of a zero."""

Values = Callable[[Sequence[Point]], list[tuple[float, ...] | None]]
"""The unreduced loss at points; None where there is none."""

_RELATIONS: dict[str, Callable[[float, float, float], bool]] = {
    "eq": lambda left, right, slack: abs(left - right) <= slack,
    "ne": lambda left, right, slack: left != right,
    "le": lambda left, right, slack: left <= right + slack,
    "lt": lambda left, right, slack: left <= right + slack,
    "ge": lambda left, right, slack: left >= right - slack,
    "gt": lambda left, right, slack: left >= right - slack,
}


@dataclass(frozen=True, slots=True)
class Breach:
    """A law broken at a point."""

    point: Point
    left: float
    right: float


def check_laws(
    loss: Loss, points: Sequence[Point], judges: Mapping[str, Values]
) -> tuple[list[Claim], list[Finding]]:
    """Every law at every point, by every judge: the truth and the module."""
    claims, findings = [], []
    for law in loss.laws:
        for name, values in judges.items():
            checked, breach = _try(loss, law, points, values)
            if breach is not None:
                status = Status.FAILED
                detail = (
                    f"{_short(breach.left)} against {_short(breach.right)} "
                    f"at {format_point(breach.point)}"
                )
                findings.append(
                    Finding(
                        code="law-broken",
                        severity=Severity.FAILURE,
                        message=f"'{law.text}' does not hold for the {name}: {detail}",
                    )
                )
            elif checked:
                status, detail = Status.PASSED, ""
            else:
                status = Status.VACUOUS
                detail = "there was no point at which both sides have numbers"
                findings.append(
                    Finding(
                        code="law-not-judged",
                        severity=Severity.LOOSE,
                        message=f"'{law.text}' was not judged for the {name}: {detail}",
                    )
                )
            claims.append(
                Claim(
                    kind=f"law ({name})",
                    text=law.text,
                    status=status,
                    checked=checked,
                    detail=detail,
                )
            )
    return claims, findings


def _try(
    loss: Loss, law: Law, points: Sequence[Point], values: Values
) -> tuple[int, Breach | None]:
    left = _side(loss, law.left, points, values)
    right = _side(loss, law.right, points, values)
    plain = [abs(v) for row in values(points) for v in row or () if math.isfinite(v)]
    scale = max(plain, default=0.0)
    holds = _RELATIONS[law.relation]
    checked = 0
    for point, ones, others in zip(points, left, right, strict=True):
        if ones is None or others is None:
            continue
        count = max(len(ones), len(others))
        for one, other in zip(_wide(ones, count), _wide(others, count), strict=True):
            if math.isnan(one) or math.isnan(other):
                continue
            checked += 1
            if one == other and law.relation in ("eq", "le", "ge", "lt", "gt"):
                continue
            slack = RELATIVE * max(abs(one), abs(other)) + ABSOLUTE * scale
            if math.isinf(slack):
                slack = 0.0
            if not holds(one, other, slack):
                return checked, Breach(point, one, other)
    return checked, None


def _wide(values: tuple[float, ...], count: int) -> tuple[float, ...]:
    return values * count if len(values) == 1 else values


def _side(
    loss: Loss, side: LawSide, points: Sequence[Point], values: Values
) -> list[tuple[float, ...] | None]:
    factors = [_number(loss, side.factor, p) for p in points]
    if not side.loss:
        return [(f,) for f in factors]
    offsets = [
        0.0 if side.offset is None else _number(loss, side.offset, p) for p in points
    ]
    at = [substituted(loss, p, side.replaced) for p in points]
    return [
        None if row is None else tuple(f * v + o for v in row)
        for f, o, row in zip(factors, offsets, values(at), strict=True)
    ]


def substituted(
    loss: Loss, point: Point, replaced: tuple[tuple[str, Expr], ...]
) -> Point:
    """``point`` with variables replaced by expressions in it, all at once."""
    if not replaced:
        return point
    values = dict(point.values)
    for name, expr in replaced:
        values[name] = _entry(loss, name, expr, point)
    return replace(point, values=values)


def _entry(loss: Loss, name: str, expr: Expr, point: Point) -> Entry:
    variable, old = loss.variable(name), point.values[name]
    if variable.scalar:
        number = _number(loss, expr, point)
        kind = variable.domain.kind
        if kind is DomainKind.CHOICE:
            return variable.domain.choices[int(number)]
        if kind is DomainKind.BOOL:
            return bool(number)
        return int(number) if kind in INTEGRAL | {DomainKind.COUNT} else number
    if not isinstance(old, Array):
        return old
    indices = variable.positions
    evaluator = _evaluator(loss, point, (expr, *indices))
    value = evaluator.evaluate(expr)
    value = evaluator.full(value)
    dims = [evaluator.dims[index] for index in indices]
    batch = range(len(evaluator.dims), value.ndim)
    if ELLIPSIS in variable.axes:
        at = variable.axes.index(ELLIPSIS)
        dims[at:at] = batch
    rest = [d for d in range(value.ndim) if d not in dims]
    value = value.permute([*dims, *rest])
    value = value.reshape(value.shape[: len(dims)])
    value = value.expand(old.shape)
    numbers = value.reshape(-1).tolist()
    if variable.domain.kind in INTEGRAL:
        numbers = [round(v) for v in numbers]
    return Array(old.shape, tuple(numbers))


def _number(loss: Loss, expr: Expr, point: Point) -> float:
    """A constant: a number that only scalar parameters and sizes decide."""
    return float(_evaluator(loss, point, (expr,)).evaluate(expr))


def _evaluator(loss: Loss, point: Point, further: tuple[Expr, ...]) -> Evaluator:
    bound = words_as_numbers(loss, bind(loss, point.values, torch.float64))
    detached = {
        name: b.detach() if isinstance(b, torch.Tensor) else b
        for name, b in bound.items()
    }
    return Evaluator(loss, detached, torch.float64, further)


def _short(value: float) -> str:
    return f"{value:.6g}"


# ---------------------------------------------------------------------- the worked example


def check_example(
    loss: Loss, judges: Mapping[str, Values]
) -> tuple[list[Claim], list[Finding]]:
    """Whether the example of the spec is true, and what the module gives."""
    example = loss.example
    if example is None:
        return [], []
    point = example_point(loss)
    expected = _flat(example.result)
    claims, findings = [], []
    for name, values in judges.items():
        got = values([point])[0]
        good = (
            got is not None
            and len(got) == len(expected)
            and all(_prints_as(g, e) for g, e in zip(got, expected, strict=True))
        )
        detail = "" if good else f"gives {_list(got)}, the spec says {_list(expected)}"
        if not good:
            findings.append(
                Finding(
                    code="example-wrong",
                    severity=Severity.FAILURE,
                    message=f"the {name} {detail} at {format_point(point)}",
                )
            )
        claims.append(
            Claim(
                kind=f"example ({name})",
                text=format_point(point),
                status=Status.PASSED if good else Status.FAILED,
                checked=len(expected),
                detail=detail,
            )
        )
    return claims, findings


def example_point(loss: Loss) -> Point:
    """The point of the spec's example, defaults filled in."""
    assert loss.example is not None
    values = default_values(loss)
    for name, given in loss.example.arguments:
        variable = loss.variable(name)
        kind = variable.domain.kind
        whole = kind in INTEGRAL | {DomainKind.COUNT}
        if isinstance(given, str):
            values[name] = given
        elif variable.scalar:
            assert not isinstance(given, tuple)
            if kind is DomainKind.BOOL:
                values[name] = bool(given)
            else:
                values[name] = int(given) if whole else float(given)
        else:
            flat = _flat(given)
            if kind in INTEGRAL:
                flat = tuple(int(v) for v in flat)
            values[name] = Array(_shape(given), flat)
    return Point(values=values, label="example")


def _shape(nested: Nested) -> tuple[int, ...]:
    if not isinstance(nested, tuple):
        return ()
    return (len(nested), *(_shape(nested[0]) if nested else ()))


def _flat(nested: Nested) -> tuple[float, ...]:
    if not isinstance(nested, tuple):
        return (nested,)
    return tuple(v for part in nested for v in _flat(part))


def _prints_as(got: float, expected: float) -> bool:
    """Whether ``got`` is ``expected`` to the digits in which that was written."""
    if got == expected or (math.isnan(got) and math.isnan(expected)):
        return True
    if not (math.isfinite(got) and math.isfinite(expected)):
        return False
    digits = len(repr(expected).partition("e")[0].replace(".", "").strip("-0")) or 1
    unit = (
        10.0 ** (math.floor(math.log10(abs(expected))) - digits + 1)
        if expected
        else 1e-12
    )
    return abs(got - expected) <= 0.51 * max(unit, 1e-6 * abs(expected))


def _list(values: Sequence[float] | None) -> str:
    return "nothing" if values is None else "[" + ", ".join(map(_short, values)) + "]"
