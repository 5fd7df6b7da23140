"""What is typed into fields as a point of a loss: numbers in their domains, nothing executed."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace

from losscodegen.errors import Diagnostic, LossCodegenError
from losscodegen.ir.loss import DomainKind, Loss, Role, Variable
from losscodegen.judge.point import Array, Entry, Point, Scalar
from losscodegen.judge.points import admitted
from losscodegen.judge.rounding import Dtype
from losscodegen.judge.samplers import Range
from losscodegen.judge.tensors import INTEGRAL
from losscodegen.language.printer import format_expression

MOST_ENTRIES = 64
MOST_LETTERS = 2000
"""Of the text of one field."""

_LABELS: Mapping[DomainKind, tuple[float, ...]] = {
    DomainKind.BINARY: (0.0, 1.0),
    DomainKind.MASK: (0.0, 1.0),
    DomainKind.SIGN: (-1.0, 1.0),
}


def given_point(loss: Loss, start: Point, fields: Mapping[str, str]) -> Point:
    """``start`` with what ``fields`` say, which are texts by symbol.

    A tensor keeps its shape. Fields of no variable are left aside: the formula may have changed.

    Raises:
        LossCodegenError: for every field that holds no value of its variable, and where the
            requirements of the loss do not hold.
    """
    problems: list[Diagnostic] = []
    values: dict[str, Entry] = dict(start.values)
    for variable in loss.variables:
        text = fields.get(variable.name, "").strip()
        old = values.get(variable.name)
        if not text or (old is None and variable.role is not Role.PARAMETER):
            continue
        try:
            values[variable.name] = _entry(variable, old, text)
        except ValueError as error:
            message = f"{variable.name} {error}"
            problems.append(Diagnostic("bad-value", message, hint=None))
    if problems:
        raise LossCodegenError(problems)
    point = replace(start, values=values)
    if loss.require and not admitted(loss, [point]):
        wanted = " and ".join(format_expression(c) for c in loss.require)
        message = f"the loss is required to have {wanted}, which does not hold here"
        raise LossCodegenError(Diagnostic("requirement", message))
    return point


def _entry(variable: Variable, old: Entry, text: str) -> Entry:
    if len(text) > MOST_LETTERS:
        raise ValueError("has too long a text")
    if variable.domain.kind is DomainKind.CHOICE:
        if text not in variable.domain.choices:
            raise ValueError(f"must be one of {', '.join(variable.domain.choices)}")
        return text
    if variable.domain.kind is DomainKind.BOOL and variable.scalar:
        if text not in ("true", "false"):
            raise ValueError("must be true or false")
        return text == "true"
    if variable.scalar:
        return _number(variable, text)
    if not isinstance(old, Array):
        raise ValueError("has no value here to be changed")
    parts = text.replace("[", " ").replace("]", " ").replace(",", " ").split()
    if len(parts) != len(old.entries):
        count = len(old.entries)
        raise ValueError(f"has {count} entries, got {len(parts)}")
    if len(parts) > MOST_ENTRIES:
        raise ValueError(f"has more than {MOST_ENTRIES} entries")
    return Array(old.shape, tuple(_number(variable, part) for part in parts))


def _number(variable: Variable, text: str) -> Scalar:
    """A number as JSON writes it, in the domain of the variable."""
    try:
        value = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise ValueError(f"must be a number, got {text[:40]!r}") from None
    kind = variable.domain.kind
    if isinstance(value, bool) and kind is DomainKind.BOOL:
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"must be a number, got {text[:40]!r}")
    if kind in INTEGRAL | {DomainKind.COUNT}:
        if value != int(value) or abs(value) > 1e6:
            raise ValueError(f"must be a whole number, got {text[:40]}")
        return int(value)
    try:
        number = float(value)
    except OverflowError:
        raise ValueError("must be a number of the format, got a larger one") from None
    if kind in _LABELS:
        if number not in _LABELS[kind]:
            raise ValueError(f"must be {' or '.join(f'{v:g}' for v in _LABELS[kind])}")
        return number
    span = Range.of(variable.domain, Dtype.FLOAT64)
    if not (math.isfinite(number) and number in span):
        raise ValueError(f"must lie in {_interval(span)}, got {number:g}")
    return number


def _no_number(word: str) -> float:
    raise ValueError(word)


def _interval(span: Range) -> str:
    low = "-oo" if span.low <= -span.dtype.largest else f"{span.low:g}"
    high = "oo" if span.high >= span.dtype.largest else f"{span.high:g}"
    return f"[{low}, {high}]"
