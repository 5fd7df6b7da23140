"""Points at the rim: where inputs leave intermediate results no room in the format.

What is right there counts, what is wrong is not held against a module: no user is there, and
``1e30/1e-20`` overflows whatever one does. One large or one small variable alone is no excuse.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations, permutations

from losscodegen.judge.point import Array, Point
from losscodegen.judge.rounding import Dtype

TAME = 100.0


def at_rim(point: Point, dtype: Dtype) -> bool:
    """Whether a number is at an end of the range, or two variables are too far out together.

    Scalar parameters and zeros do not count: a tiny epsilon is an ordinary number.
    """
    spans = list(_spans(point))
    top, room = dtype.top, dtype.room
    if any(high > top - room or low < room - top for low, high in spans):
        return True
    products = any(
        u[1] + v[1] > top or u[0] + v[0] < -top for u, v in combinations(spans, 2)
    )
    quotients = any(
        u[1] > top / 8 and v[0] < -top / 8 and u[1] - v[0] > top / 2
        for u, v in permutations(spans, 2)
    )
    return products or quotients


def has_room(point: Point, dtype: Dtype) -> bool:
    """Whether all numbers are so far from the ends that a square of a ratio of two has room."""
    most = dtype.top / 4
    return all(-most < low and high < most for low, high in _spans(point))


def is_tame(point: Point) -> bool:
    """Whether all numbers are of a size that training data have."""
    return all(high < math.log2(TAME) for _, high in _spans(point))


def _spans(point: Point) -> Iterator[tuple[float, float]]:
    """Binary logarithms of the least and greatest magnitude in each tensor."""
    for entry in point.values.values():
        if not isinstance(entry, Array):
            continue
        sizes = [abs(e) for e in entry.entries if e and math.isfinite(e)]
        if sizes:
            yield math.log2(min(sizes)), math.log2(max(sizes))
