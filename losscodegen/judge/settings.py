"""What a loss can be built with: scalar parameters varied, options both ways, tensors left out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from random import Random

from losscodegen.ir.loss import DomainKind, Loss, Role, Variable
from losscodegen.ir.nodes import Call, Number, Read
from losscodegen.ir.walk import inline_loss, walk
from losscodegen.judge.point import Entry
from losscodegen.judge.rounding import Dtype, round_fraction
from losscodegen.judge.samplers import Range

COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge")
MIRRORED = {"lt": "gt", "gt": "lt", "le": "ge", "ge": "le"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A value for every scalar parameter, and the optional tensors that are left out."""

    scalars: Mapping[str, Entry]
    absent: frozenset[str]
    label: str = "default"
    sizes: Mapping[str, int] = field(default_factory=dict)
    """Axes that have one size only."""
    batches: tuple[tuple[int, ...], ...] = ((), (2,))
    """What ``...`` may stand for in a loss over axes."""


def settings(loss: Loss, dtype: Dtype, random: Random, limit: int) -> list[Setting]:
    """The default first, then each parameter varied alone, then some of them together."""
    scalars = [v for v in loss.parameters if v.scalar]
    optional = frozenset(v.name for v in loss.variables if may_be_absent(loss, v))
    choices = {v.name: list(candidates(loss, v, dtype)) for v in scalars}
    default = Setting(
        scalars={name: values[0] for name, values in choices.items()},
        absent=optional,
    )
    alone = [
        replace(
            default,
            scalars={**default.scalars, name: value},
            label=f"{name}={value}",
        )
        for name, values in choices.items()
        for value in values[1:]
    ]
    if optional:
        alone.append(replace(default, absent=frozenset(), label="with every option"))
    if len(optional) > 1:
        alone += [
            replace(default, absent=optional - {name}, label=f"with {name}")
            for name in sorted(optional)
        ]
    random.shuffle(alone)
    together = [
        Setting(
            scalars={n: random.choice(values) for n, values in choices.items()},
            absent=frozenset(n for n in sorted(optional) if random.random() < 0.5),
            label="mixed parameters",
        )
        for _ in range(4 if len(choices) + len(optional) > 1 else 0)
    ]
    return [default, *alone[: max(0, limit - 1 - len(together))], *together]


def may_be_absent(loss: Loss, variable: Variable) -> bool:
    """Whether the loss still makes sense without it: nothing else depends on its axes."""
    if not variable.optional or variable.role is Role.LEARNABLE:
        return False
    bound = {
        axis for v in loss.variables if not v.optional for axis in v.subscripted_axes
    }
    return all(a in bound or a.isdecimal() for a in variable.subscripted_axes)


def candidates(loss: Loss, variable: Variable, dtype: Dtype) -> Iterator[Entry]:
    """Values of a scalar parameter, its default first."""
    seen: set[str] = set()
    for value in _candidates(loss, variable, dtype):
        key = repr(value)  # True is not 1 here
        if key not in seen:
            seen.add(key)
            yield value


def _candidates(loss: Loss, variable: Variable, dtype: Dtype) -> Iterator[Entry]:
    kind, default = variable.domain.kind, variable.default
    if kind is DomainKind.BOOL:
        yield bool(default) if isinstance(default, bool) else False
        yield from (False, True)
        return
    if kind is DomainKind.CHOICE:
        if isinstance(default, str):
            yield default
        yield from variable.domain.choices
        return
    number = default if isinstance(default, Fraction) else None
    if kind in (DomainKind.INTEGER, DomainKind.COUNT, DomainKind.INDEX):
        start = 1 if number is None else int(number)
        further = (start + 1, 0) if kind is DomainKind.INTEGER else (1, 2)
        ends = [math.ceil(end) + k for end in _ends(variable) for k in (0, 1, -1)]
        wholes = [start, *(further if kind is not DomainKind.INDEX else ()), *ends]
        interval = variable.domain.interval
        yield from (w for w in wholes if interval is None or w in interval)
        return
    span = Range.of(variable.domain, dtype)
    middle = Fraction(-1 if kind is DomainKind.NEGATIVE else 1)
    start_ = middle if number is None else number
    wanted = [start_, start_ / 2, start_ * 2, *compared(loss, variable.name)]
    wanted += _ends(variable)
    if kind is DomainKind.NONNEGATIVE:
        wanted.append(Fraction(0))
    if kind is DomainKind.REAL:
        wanted += [Fraction(0), -start_]
    for fraction in wanted:
        value = round_fraction(fraction, dtype)
        if value in span:
            yield value


def _ends(variable: Variable) -> list[Fraction]:
    """The closed ends of the declared interval, and numbers not far from the open ones."""
    interval = variable.domain.interval
    if variable.domain.kind is DomainKind.UNIT and interval is None:
        return [Fraction(0), Fraction(1), Fraction(1, 4)]
    if interval is None:
        return []
    low, high = interval.low, interval.high
    width = Fraction(1) if low is None or high is None else high - low
    found = []
    if low is not None:
        found.append(low + width / 64 if interval.low_open else low)
    if high is not None:
        found.append(high - width / 64 if interval.high_open else high)
    if low is not None and high is not None:
        found.append(low + width / 4)
    return found


def compared(loss: Loss, name: str) -> list[Fraction]:
    """The numbers that the formula compares a variable with: its special cases."""
    roots = [loss.expression, *(d.body for d in loss.definitions)]
    found: list[Fraction] = []
    for root in roots:
        for node in walk(root):
            if isinstance(node, Call) and node.op in COMPARISONS:
                for one, other in (node.args, node.args[::-1]):
                    if isinstance(one, Read) and isinstance(other, Number):
                        found += [other.value] * (one.name == name)
    return found


# ---------------------------------------------------------------------- what inputs may hold


def ignored_values(loss: Loss) -> dict[str, str | int]:
    """Inputs that the formula compares with a mark for entries that do not count, and the mark.

    It is the scalar parameter in ``t != ignore_index``; without one, the number outside of an
    index's range in ``t != -100``, or the next one in ``t < 0``.
    """
    found: dict[str, str | int] = {}
    scalars = {v.name for v in loss.parameters if v.scalar}
    indices = {v.name for v in loss.inputs if v.domain.kind is DomainKind.INDEX}
    for node in walk(inline_loss(loss).expression):
        if not (isinstance(node, Call) and node.op in COMPARISONS):
            continue
        for (one, other), op in (
            (node.args, node.op),
            (node.args[::-1], MIRRORED.get(node.op, node.op)),
        ):
            if not isinstance(one, Read) or one.name in scalars:
                continue
            if isinstance(other, Read) and other.name in scalars:
                found[one.name] = other.name
            elif isinstance(other, Number) and one.name in indices:
                mark = math.ceil(other.value) - (op in ("lt", "ge"))
                if mark < 0:
                    found.setdefault(one.name, mark)
    return found


def may_be_missing(loss: Loss) -> dict[str, tuple[float, ...]]:
    """Inputs that the formula tests with isnan or isfinite, and what to put there."""
    found: dict[str, tuple[float, ...]] = {}
    for node in walk(inline_loss(loss).expression):
        if isinstance(node, Call) and node.op in ("isnan", "isfinite"):
            for inner in walk(node.args[0]):
                if isinstance(inner, Read):
                    odd = (math.nan, math.inf) if node.op == "isfinite" else (math.nan,)
                    found[inner.name] = odd
    return found
