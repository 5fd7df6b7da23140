"""What a form of an expression is worth: the bits it loses in value and gradient."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from losscodegen.compiler.intervals import Range
from losscodegen.compiler.search.balls import UnsupportedError
from losscodegen.compiler.search.numerics import (
    DOUBLES,
    Evaluator,
    precise,
)
from losscodegen.ir.nodes import Expr

FEW, POINTS = 64, 96
LOST = 64.0
"""Bits that a wrong NaN or infinity counts."""
_LEAST = 2.0**-1000
"""What is smaller counts as 0: products may underflow on the way to it."""
GOOD, BAD = 6.0, 26.0
"""Bits lost at the worst by what is good everywhere, and by what is bad somewhere."""
_LITTLE, _PRICE, _CLEARLY = 0.2, 0.15, 3.0
"""Bits: a difference on average that is no chance, what a node has to save, and a difference at the
worst that counts."""
_FAR, _FAR_TOGETHER = 900.0, 600.0
"""How far an argument goes from 1, in powers of 2: alone, and beside others."""
_EXTREMES = (
    *(
        sign * math.ldexp(1.0, k)
        for k in (185, 220, 280, 400, 530, 700, 1000, -185, -400, -530, -1000)
        for sign in (1.0, -1.0)
    ),
    *(800.0, -800.0),
)
"""Numbers whose sixth, fifth, fourth, third and second powers are the first to leave the range of
doubles, and such whose exponentials do."""
_TAME = 2.0**16
"""Arguments of an ordinary size are smaller."""
KEPT = 4096
"""Measurements that are remembered: parts of a formula come again in other formulas, and in the
same one while it is typed."""
_TRIES = 200
"""After so many numbers that lie outside, a domain is taken to have none."""


@dataclass(frozen=True, slots=True)
class Point:
    """Where an expression is measured, and its value and gradient there."""

    leaves: Mapping[Expr, float]
    truth: tuple[float, ...]
    usual: tuple[float, ...] = ()
    """What errors in each are measured beside where the truth is smaller."""


class Points(tuple[Point, ...]):
    """Points that are told from others by what they are, not by what is in them.

    So that what was found at them can be found again without looking at each.
    """

    __slots__ = ()

    def __hash__(self) -> int:
        return object.__hash__(self)

    def __eq__(self, other: object) -> bool:
        return self is other


@dataclass(frozen=True, slots=True)
class Score:
    """Bits lost, of 53: on average and at the worst, in value and gradient together."""

    mean: float
    worst: float

    def better(self, other: Score, growth: int) -> bool:
        """Whether it is clearly better on average, and not clearly worse anywhere.

        One that is good everywhere is better than any that is not; of two that are not, one has
        to be the better the more nodes it has more: ``growth``.
        """
        gain = other.mean - self.mean
        if self.worst <= GOOD < other.worst - _CLEARLY:
            return gain > _LITTLE
        enough = 1.0 + _PRICE * max(growth, 0)
        return gain > enough and self.worst < other.worst + _CLEARLY


@dataclass(frozen=True, slots=True)
class Source:
    """Where the values of a leaf come from.

    fixed: it is a parameter, which nobody sets to the ends of the floating-point range.
    usual: its default, if it has one.
    """

    allowed: Range
    fixed: bool = False
    usual: float | None = None


def points(
    expr: Expr,
    sources: Mapping[Expr, Source],
    wrt: tuple[Expr, ...],
    conditions: Sequence[Expr] = (),
    *,
    more: bool = False,
    absolute: bool = False,
) -> Points:
    """Points where the ``conditions`` hold and the truth is known; the same ones every time.

    With ``more`` those to choose between forms by, else as many as show that there is a need to.
    With ``absolute`` errors are to be measured beside what value and gradient usually are.
    """
    # Numbers in words: 0 and -0 are equal, and not the same.
    told = repr([*sources.values(), *conditions])
    pairs = tuple(sources.items())
    return _points(expr, pairs, told, wrt, tuple(conditions), more, absolute)


@lru_cache(KEPT)
def _points(
    expr: Expr,
    pairs: tuple[tuple[Expr, Source], ...],
    told: str,
    wrt: tuple[Expr, ...],
    conditions: tuple[Expr, ...],
    more: bool,
    absolute: bool,
) -> Points:
    sources = dict(pairs)
    chance = random.Random(more)
    found = []
    count = POINTS if more else FEW
    # Every kind of number comes up in its share, in combinations left to chance.
    kinds = [chance.sample(range(count), count) for _ in sources]
    for draw in zip(*kinds, strict=True):
        leaves = _draw(sources, [(k + 0.5) / count for k in draw], chance)
        if leaves is None or not _meets(leaves, conditions):
            continue
        truth = precise(expr, leaves, wrt)
        if truth is not None and all(map(math.isfinite, truth)):
            found.append(Point(leaves, truth))
    return Points(_beside_usual(found, wrt) if absolute else found)


def _beside_usual(found: Sequence[Point], wrt: tuple[Expr, ...]) -> tuple[Point, ...]:
    """The points with what results usually are: nine of ten, of arguments of an ordinary size.

    A slope counts beside the value over the argument as well: that much it would be if nothing
    cancelled.
    """
    tame = [p for p in found if all(abs(x) < _TAME for x in p.leaves.values())]
    columns = zip(*(p.truth for p in tame), strict=True)
    usual = [sorted(map(abs, c))[len(c) * 9 // 10] for c in columns]
    if not usual:
        return tuple(found)
    new = []
    for point in found:
        value = abs(point.truth[0])
        sizes = (abs(point.leaves[v]) for v in wrt)
        local = [0.0, *(value / x if x else 0.0 for x in sizes)]
        both = zip(usual, local, strict=True)
        new.append(replace(point, usual=tuple(max(pair) for pair in both)))
    return tuple(new)


def extremes(
    expr: Expr,
    sources: Mapping[Expr, Source],
    wrt: tuple[Expr, ...],
    conditions: Sequence[Expr] = (),
) -> tuple[Point, ...]:
    """Points at the ends of the floating-point range where value and gradient are finite.

    Every leaf in turn, and all of them together, of sizes whose squares overflow or underflow.
    """
    base = {leaf: _tame(source) for leaf, source in sources.items()}
    free = [leaf for leaf, source in sources.items() if not source.fixed]
    groups = [[leaf] for leaf in free] + ([free] if len(free) > 1 else [])
    found = []
    for group in groups:
        for size in _EXTREMES:
            leaves = {**base, **dict.fromkeys(group, size)}
            inside = all(
                _within(v, sources[leaf].allowed) for leaf, v in leaves.items()
            )
            if not inside or not _meets(leaves, conditions):
                continue
            truth = precise(expr, leaves, wrt)
            if truth is not None and all(map(math.isfinite, truth)):
                found.append(Point(leaves, truth))
    return tuple(found)


def _tame(source: Source) -> float:
    """A number of ordinary size for a leaf."""
    if source.usual is not None:
        return source.usual
    low, high = source.allowed.low, source.allowed.high
    middle = (low + high) / 2
    tries = (1.0, 0.5, -1.0, low + 1.0, high - 1.0, middle)
    return next((v for v in tries if _within(v, source.allowed)), 1.0)


def gaps(
    expr: Expr, where: Sequence[Point], wrt: tuple[Expr, ...]
) -> frozenset[int] | None:
    """The places of the points at which ``expr`` or its gradient is nan or infinite."""
    found = set()
    for place, point in enumerate(where):
        try:
            jet = Evaluator(DOUBLES, dict(point.leaves), wrt).of(expr)
        except UnsupportedError:
            return None
        if not all(map(math.isfinite, (jet.value, *jet.slopes))):
            found.add(place)
    return frozenset(found)


def _meets(leaves: Mapping[Expr, float], conditions: Sequence[Expr]) -> bool:
    """Whether a point does; conditions on anything else are taken to hold."""
    evaluator = Evaluator(DOUBLES, leaves, ())
    for condition in conditions:
        try:
            if not evaluator.holds(condition):
                return False
        except UnsupportedError:
            continue
    return True


def _draw(
    sources: Mapping[Expr, Source], kinds: Sequence[float], chance: random.Random
) -> dict[Expr, float] | None:
    found: dict[Expr, float] = {}
    for (leaf, source), first in zip(sources.items(), kinds, strict=True):
        for attempt in range(_TRIES):
            kind = chance.random() if attempt else first
            # Products of numbers at the ends of the range are beyond it in any form.
            far = _FAR if len(sources) == 1 else _FAR_TOGETHER
            value = _number(source, list(found.values()), far, kind, chance)
            if _within(value, source.allowed):
                found[leaf] = value
                break
        else:
            return None
    return found


def _number(
    source: Source,
    earlier: Sequence[float],
    far: float,
    kind: float,
    chance: random.Random,
) -> float:
    low, high = source.allowed.low, source.allowed.high
    sign = chance.choice((-1.0, 1.0))
    if source.usual is not None:
        return source.usual if kind < 0.5 else source.usual * _power(-2, 2, chance)
    if source.fixed:
        return sign * _power(-3, 3, chance)
    if earlier and kind < 0.3:
        # Close to what another argument is: differences are small there.
        return chance.choice(earlier) * (1 + sign * _power(-40, -1, chance))
    if low >= 0 or high <= 0:
        sign = 1.0 if low >= 0 else -1.0
    if kind < 0.40 and math.isfinite(low):
        return low + _power(-40, 1, chance)
    if kind < 0.5 and math.isfinite(high):
        return high - _power(-40, 1, chance)
    if kind < 0.75 and math.isfinite(low) and math.isfinite(high):
        return chance.uniform(low, high)
    if kind < 0.79:
        # Where exponentials leave the range of numbers.
        return sign * chance.uniform(30, 1500)
    if kind < 0.84:
        return sign * _power(20, far, chance)
    if kind < 0.89:
        return sign * _power(-far, -50, chance)
    return sign * _power(-50, 12, chance)


def _power(low: float, high: float, chance: random.Random) -> float:
    """A number between ``2**low`` and ``2**high``."""
    return math.exp2(chance.uniform(low, high))


def _within(value: float, allowed: Range) -> bool:
    if not math.isfinite(value):
        return False
    above = value > allowed.low or (value == allowed.low and not allowed.low_open)
    below = value < allowed.high or (value == allowed.high and not allowed.high_open)
    return above and below


@lru_cache(KEPT)
def score(expr: Expr, where: Points, wrt: tuple[Expr, ...]) -> Score | None:
    """What ``expr`` loses at ``where``; None if it cannot be evaluated."""
    bits: list[float] = []
    for point in where:
        try:
            jet = Evaluator(DOUBLES, dict(point.leaves), wrt).of(expr)
        except UnsupportedError:
            return None
        got = (jet.value, *jet.slopes)
        usual = point.usual or (0.0,) * len(got)
        each = [lost(*entry) for entry in zip(got, point.truth, usual, strict=True)]
        bits += [each[0], max(each[1:], default=0.0)]
    if not bits:
        return None
    return Score(sum(bits) / len(bits), max(bits))


def lost(got: float, want: float, usual: float = 0.0) -> float:
    """The bits that ``got`` has lost of 53, on a scale that is 0 for half an ulp.

    The error counts beside ``usual``, if that is larger than what is wanted.
    """
    if not math.isfinite(got):
        return LOST
    if max(abs(want), usual) < _LEAST:
        return 0.0 if abs(got) < 2 * _LEAST else 53.0
    error = abs(got - want) / max(abs(want), usual)
    return min(LOST, math.log2(1 + error * 2.0**53))


def forget() -> None:
    """Drops what is kept of expressions, which nobody asks for again once they are compiled."""
    _points.cache_clear()
    score.cache_clear()
