"""Where the value of a loss jumps, which its derivative does not tell.

The two sides of a seam need not meet: ``where(x > 0, 1, 0)`` has the slope 0 everywhere, and a
piecewise formula with a constant that is a little off is right by the judge, as the module does
what the formula says. So it is told, and fails nobody.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from losscodegen.ir.loss import Loss
from losscodegen.ir.nodes import Call, Expr
from losscodegen.ir.walk import free_indices, inline_loss, walk
from losscodegen.judge.certificate import Finding, Severity
from losscodegen.judge.oracle import Oracle
from losscodegen.judge.oracles import Oracles
from losscodegen.judge.point import Point
from losscodegen.judge.points import admitted
from losscodegen.judge.rounding import from_ordinal, ordinal, round_float
from losscodegen.judge.seams import Flip
from losscodegen.judge.settings import COMPARISONS
from losscodegen.judge.wording import format_point
from losscodegen.language.printer import format_expression

JUMPING = frozenset({"sign", "heaviside", "floor", "mod"})
ALONE = frozenset({"eq", "ne", "sign", "delta"})
"""Ops that single numbers out."""

PER_FACT = 2
"""A formula decides in few places, on many paths."""

ASIDE = 3
"""So many ulps from where the formula decides as computed, it has decided in exact numbers."""

AWAY = 2.0**-16
AWAY_AT_ZERO = 2.0**-60
"""How far to look for what the loss does beside the seam: relative to the number, at least."""

DIGITS = 2.0**-40
"""What is less than this, beside the values, is no jump."""

Values = tuple[float, ...]


def jumps(loss: Loss, oracles: Oracles, seams: Sequence[Flip]) -> list[Finding]:
    """A note for each decision of the formula at which its value jumps."""
    alone = any(
        isinstance(n, Call) and n.op in ALONE
        for n in walk(inline_loss(loss).expression)
    )
    found: dict[str, Finding] = {}
    for flip in _few(seams):
        told = _across(loss, oracles, flip)
        for number in (flip.low, flip.high) if alone and told is None else ():
            told = told or _alone(loss, oracles, flip, number)
        if told is not None:
            found.setdefault(told[0], told[1])
    return list(found.values())


def _few(seams: Sequence[Flip]) -> Iterator[Flip]:
    """Every decision on each variable, but on few paths."""
    seen: dict[tuple[str, str], int] = {}
    for flip in seams:
        key = flip.fact, flip.path.name
        seen[key] = seen.get(key, 0) + 1
        if flip.fact.startswith("seam") and seen[key] <= PER_FACT:
            yield flip


def _across(loss: Loss, oracles: Oracles, flip: Flip) -> tuple[str, Finding] | None:
    """The name of a seam and what is told of it, if the values beside it do not meet."""
    low, high = flip.low - ASIDE, flip.high + ASIDE
    below, above = _at(loss, flip, low), _at(loss, flip, high)
    if below is None or above is None:
        return None
    left, right = oracles.values(loss, below), oracles.values(loss, above)
    place, size = _largest(left, right)
    if not size > DIGITS * max(abs(left[place]), abs(right[place])):
        return None
    if not _steps(loss, oracles, flip, {low: left, high: right}, place, size):
        return None
    change = f"from {_limit(left[place], size)} to {_limit(right[place], size)}"
    return _told(loss, oracles, flip, (below, above), change, flip.high)


def _alone(
    loss: Loss, oracles: Oracles, flip: Flip, number: int
) -> tuple[str, Finding] | None:
    """The same of a number at which the loss has another value than on both sides."""
    low, high = number - 1, number + 1
    below, there, above = (_at(loss, flip, n) for n in (low, number, high))
    if below is None or there is None or above is None:
        return None
    left, own, right = (oracles.values(loss, p) for p in (below, there, above))
    place, size = _largest(left, own)
    size = min(size, abs(right[place] - own[place]))
    if not size > max(
        abs(left[place] - right[place]),
        DIGITS * abs(own[place]),
        DIGITS * abs(left[place]),
    ):
        return None
    if not _steps(loss, oracles, flip, {low: left, high: right}, place, size):
        return None
    ends = _limit(left[place], size), _limit(own[place], size)
    change = f"from {ends[0]} to {ends[1]} and back"
    return _told(loss, oracles, flip, (below, there), change, number)


def _steps(
    loss: Loss,
    oracles: Oracles,
    flip: Flip,
    sides: Mapping[int, Values],
    place: int,
    size: float,
) -> bool:
    """Whether a change is none of a steep function.

    That changes more on its way to the seam than across it. At the end of a domain nobody knows.
    """
    for (number, side), way in zip(sides.items(), (-1, 1), strict=True):
        there = _at(loss, flip, _away(flip, number, way))
        if there is None:
            return False
        if not abs(side[place] - oracles.values(loss, there)[place]) < size:
            return False
    return True


def _told(
    loss: Loss,
    oracles: Oracles,
    flip: Flip,
    sides: tuple[Point, Point],
    change: str,
    number: int,
) -> tuple[str, Finding]:
    path = flip.path
    name = _name(loss, oracles, *sides) or f"a seam on the way of {path.name}"
    message = (
        f"the value of the loss itself jumps at {name}: {change} with growing {path.name} at "
        f"{format_point(path.at(number))}"
    )
    return name, Finding(
        code="jump", severity=Severity.NOTE, message=message, order="value"
    )


def _limit(value: float, size: float) -> str:
    """A value so near to the seam that what a jump leaves of it is the limit."""
    return f"{value:.6g}" if abs(value) > DIGITS * size else "0"


def _largest(left: Values, right: Values) -> tuple[int, float]:
    """The entry that differs most, and by how much; infinities and NaN are no limits."""
    changes = [
        abs(a - b) if math.isfinite(a) and math.isfinite(b) else 0.0
        for a, b in zip(left, right, strict=True)
    ]
    place = max(range(len(changes)), key=changes.__getitem__, default=0)
    return place, changes[place] if changes else math.nan


def _at(loss: Loss, flip: Flip, number: int) -> Point | None:
    """A point of the path, if it is one of the loss."""
    span = flip.path.range
    if not ordinal(span.low, span.dtype) <= number <= ordinal(span.high, span.dtype):
        return None
    fit = admitted(loss, [flip.path.at(number)])
    return fit[0] if fit else None


def _away(flip: Flip, number: int, way: int) -> int:
    dtype = flip.path.range.dtype
    value = from_ordinal(number, dtype)
    step = max(abs(value) * AWAY, AWAY_AT_ZERO)
    return ordinal(round_float(value + way * step, dtype), dtype)


def _name(loss: Loss, oracles: Oracles, below: Point, above: Point) -> str:
    """The decisions of the formula that differ between two points, as it spells them."""
    oracle = oracles.at(loss, below)
    plain = inline_loss(loss)
    names: dict[str, None] = {}
    for node in walk(plain.expression):
        if isinstance(node, Call) and set(free_indices(node)) <= set(loss.free):
            if node.op in COMPARISONS:
                changes = oracle.holds(node, below) is not oracle.holds(node, above)
            elif node.op in JUMPING:
                changes = _turns(oracle, node, below, above)
            else:
                continue
            if changes:
                names[format_expression(node)] = None
    return " and ".join(names)


def _turns(oracle: Oracle, node: Expr, below: Point, above: Point) -> bool:
    """Whether an expression has other values at one point than at the other, by rounding apart."""
    one, other = (oracle.evaluate(node, p).entries for p in (below, above))
    return any(
        abs(a.rounded() - b.rounded()) > DIGITS * (abs(a.rounded()) + abs(b.rounded()))
        for a, b in zip(one, other, strict=True)
    )
