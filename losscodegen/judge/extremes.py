"""One number far out while others agree: where a guard of the one meets a zero of the others.

``(y - x)*exp(-s/2)`` is NaN where y = x and the exponential has overflown, ``y*exp(-x)`` infinite
where it alone is and the product is not. Independent draws meet such pairs by chance, so they are
made here: each entry at each of a few numbers at which functions leave the format, the others
equal, zero or small; and two entries that are both there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import combinations
from random import Random

from losscodegen.judge.samplers import Range

Numbers = dict[int, float]
"""By place among the entries that are a continuum."""

COMPANIONS = ("equal", "zero", "small")
AT_MOST = 128
"""A loss of many inputs gets some of them."""


@cache
def extremes(span: Range) -> tuple[float, ...]:
    """Numbers of the range just beyond what exp, its square, squares and products bear."""
    dtype = span.dtype
    over = dtype.top * math.log(2)
    under = -dtype.bottom * math.log(2)
    sizes = (
        over + 1.5,
        under + 1.5,
        2 * over + 1.5,
        2.0 ** (dtype.top // 2 + 2),
        2.0 ** -(dtype.top // 2 + 8),
    )
    found = {span.rounded(s * size) for size in sizes for s in (-1.0, 1.0)}
    # The ends of a bounded range, and what is next to 0 and 1 there.
    found |= {span.rounded(v) for v in (0.0, 1.0, 1.0 - dtype.epsilon)}
    found |= {v for v in (span.low, span.high) if abs(v) < dtype.largest}
    return tuple(sorted(v for v in found if v is not None))


def far_out(
    spans: Sequence[Range], groups: Sequence[str], random: Random
) -> Iterator[tuple[str, int, Numbers]]:
    """A name, the place that is far out, and numbers for all ``spans``.

    ``groups`` name the variable of each: two entries of one variable are no pair.
    """
    found: list[tuple[str, int, Numbers]] = []
    for place, span in enumerate(spans):
        for value in extremes(span):
            for name in COMPANIONS[: _companions(value, len(spans))]:
                others = _others(name, spans, random)
                found.append((name, place, {**others, place: value}))
    for one, other in combinations(range(len(spans)), 2):
        if groups[one] == groups[other]:
            continue
        for value in extremes(spans[one]):
            if abs(value) <= 1.0:
                continue
            others = _others("equal", spans, random)
            pair = {one: value, other: spans[other].near(value)}
            found.append(("both", one, {**others, **pair}))
    yield from random.sample(found, AT_MOST) if len(found) > AT_MOST else found


def _companions(value: float, count: int) -> int:
    """How many kinds of companions tell something: small ones beside a large number alone."""
    if count == 1:
        return 1
    return 3 if abs(value) > 1.0 else 2


def _others(name: str, spans: Sequence[Range], random: Random) -> Numbers:
    if name == "small":
        return {
            k: span.near(10.0 ** random.uniform(-14.0, -9.0))
            for k, span in enumerate(spans)
        }
    value = 0.0 if name == "zero" else random.choice((1.0, 0.5, random.gauss(0.0, 2.0)))
    return {k: span.near(value) for k, span in enumerate(spans)}
