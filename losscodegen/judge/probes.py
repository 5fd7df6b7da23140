"""How much the truth itself moves when every input moves by one ulp.

What lies below that no code can be asked for: near an isolated root, at the edge of a condition, in
a sum of large numbers with a small result. The truth is simply asked again at neighbouring
points, and for variants of the formula that a program could not tell from it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from random import Random

from losscodegen.ir.loss import ELLIPSIS, Loss, Variable
from losscodegen.judge.criterion import difference, shifted
from losscodegen.judge.oracle_held import Held
from losscodegen.judge.oracles import Oracles
from losscodegen.judge.point import Array, Entry, Point, Scalar, Truth
from losscodegen.judge.rounding import Dtype, round_float
from losscodegen.judge.samplers import Range
from losscodegen.judge.tensors import DIFFERENTIABLE
from losscodegen.judge.variants import Variants

_SEPARATELY_UP_TO = 4
_TOGETHER = 4
_BY_LINE = 8
"""Asked for what would fail otherwise alone; moves that happen to cancel must not decide it."""


@dataclass(frozen=True, slots=True)
class Spread:
    """For every entry the largest change that a probe made."""

    value: tuple[float, ...]
    gradient: Mapping[str, tuple[float, ...]]


def spread(
    oracles: Oracles,
    loss: Loss,
    point: Point,
    truth: Truth,
    dtype: Dtype,
    variants: Variants,
) -> Spread:
    """What one ulp of each entry and each constant changes while all decisions stay as they are."""
    held = Held(oracles, loss, point, truth.bits)
    return _spread(held, truth, dtype, _probes(loss, point, dtype, variants))


def spread_of_lines(
    oracles: Oracles, loss: Loss, point: Point, truth: Truth, dtype: Dtype
) -> Spread:
    """What one ulp of the largest entry of its line changes, made to each entry.

    Sums, norms and softmaxes mix the entries of a line. What is this close is right for inputs that
    are right as a whole, though not for each entry by itself.
    """
    held = Held(oracles, loss, point, truth.bits)
    return _spread(held, truth, dtype, _line_probes(loss, point, dtype))


def _spread(
    ask: Held, truth: Truth, dtype: Dtype, probes: Iterable[tuple[Loss, Point]]
) -> Spread:
    asked = (ask(loss, point, dtype) for loss, point in probes)
    return spread_among(truth, (t for t in asked if t is not None), dtype)


def spread_among(truth: Truth, others: Iterable[Truth], dtype: Dtype) -> Spread:
    """How far other truths are from ``truth`` at most."""
    value = [0.0] * len(truth.value)
    gradient = {name: [0.0] * len(g) for name, g in truth.gradient.items()}
    for moved in others:
        if len(moved.value) != len(value):
            continue
        for k, (one, two) in enumerate(zip(truth.value, moved.value, strict=True)):
            value[k] = max(value[k], difference(one, two, dtype))
        for name, slopes in truth.gradient.items():
            moved_slopes = moved.gradient[name]
            for k, (old, new) in enumerate(zip(slopes, moved_slopes, strict=True)):
                if old.kink != new.kink:
                    continue
                # At a kink each end with its own kind: how far apart they are says nothing.
                for here, there in zip(old.ends, new.ends, strict=True):
                    change = difference(here, there, dtype)
                    gradient[name][k] = max(gradient[name][k], change)
    return Spread(tuple(value), {n: tuple(g) for n, g in gradient.items()})


def _probes(
    loss: Loss, point: Point, dtype: Dtype, variants: Variants
) -> Iterator[tuple[Loss, Point]]:
    for other_point in around(loss, point, dtype):
        yield loss, other_point
    for other in variants(loss, dtype):
        yield other, point


def around(loss: Loss, point: Point, dtype: Dtype) -> Iterator[Point]:
    """Points that differ by an ulp: in each entry if there are few, and in all of them."""
    found = list(leaves(loss, point))
    if len(found) <= _SEPARATELY_UP_TO:
        for leaf in found:
            for step in (-1, 1):
                yield moved(loss, point, {leaf: step}, dtype)
    yield from neighbours(loss, point, dtype)


def neighbours(loss: Loss, point: Point, dtype: Dtype) -> Iterator[Point]:
    """Points that differ from ``point`` by an ulp in every entry; none where all are exact."""
    found = list(leaves(loss, point))
    # The probes depend on the shape of the point alone, so that a rerun sees the same.
    yield from _together(loss, point, found, dtype, Random(len(found)))


def _together(
    loss: Loss, point: Point, leaves: list[Leaf], dtype: Dtype, random: Random
) -> Iterator[Point]:
    for _ in range(_TOGETHER if leaves else 0):
        steps = {leaf: random.choice((-1, 1)) for leaf in leaves}
        yield moved(loss, point, steps, dtype)


def _line_probes(
    loss: Loss, point: Point, dtype: Dtype
) -> Iterator[tuple[Loss, Point]]:
    largest = {
        leaf: size
        for variable in loss.variables
        if variable.domain.kind in DIFFERENTIABLE
        and isinstance(array := point.values.get(variable.name), Array)
        for leaf, size in _largest(loss, variable, array).items()
    }
    # Other signs than those of the probes by entry, which did not explain the error.
    random = Random(f"lines {len(largest)}")
    for _ in range(_BY_LINE):
        yield (
            loss,
            _displaced(
                loss,
                point,
                {
                    leaf: random.choice((-1.0, 1.0)) * dtype.epsilon * size
                    for leaf, size in largest.items()
                },
                dtype,
            ),
        )


def _largest(loss: Loss, variable: Variable, array: Array) -> dict[Leaf, float]:
    """For each entry the largest magnitude along the axes that the loss sums over."""
    free = {index.axis for index in loss.free}
    named = list(variable.axes)
    if ELLIPSIS in named:
        at = named.index(ELLIPSIS)
        named[at : at + 1] = [ELLIPSIS] * (len(array.shape) - len(named) + 1)
    summed = [a != ELLIPSIS and a not in free for a in named]
    if not any(summed):
        summed = [a != ELLIPSIS for a in named]
    groups: dict[tuple[int, ...], float] = {}
    keys = []
    for flat, entry in enumerate(array.entries):
        key, rest = [], flat
        for size, along in zip(reversed(array.shape), reversed(summed), strict=True):
            rest, place = divmod(rest, size)
            key.append(0 if along else place)
        keys.append(tuple(key))
        if entry == entry and abs(entry) <= 1e300:
            groups[keys[-1]] = max(groups.get(keys[-1], 0.0), abs(float(entry)))
    return {(variable.name, k): groups.get(key, 0.0) for k, key in enumerate(keys)}


Leaf = tuple[str, int]


def leaves(loss: Loss, point: Point) -> Iterator[Leaf]:
    """The entries that a program cannot know better than to an ulp."""
    for variable in loss.variables:
        entry = point.values.get(variable.name)
        if variable.domain.kind not in DIFFERENTIABLE or entry is None:
            continue
        if isinstance(entry, Array):
            yield from ((variable.name, k) for k in range(len(entry.entries)))
        elif isinstance(entry, float) and not entry.is_integer():
            # 2.0 as an exponent is exact in every format, and no neighbour of it will do.
            yield variable.name, 0


def moved(loss: Loss, point: Point, steps: Mapping[Leaf, int], dtype: Dtype) -> Point:
    """``point`` with entries moved by a number of ulps, kept inside their domains."""
    return _changed(
        loss,
        point,
        {
            leaf: shifted(_old(point, leaf), step, dtype)
            for leaf, step in steps.items()
            if _old(point, leaf) == _old(point, leaf)
        },
        dtype,
    )


def _displaced(
    loss: Loss, point: Point, by: Mapping[Leaf, float], dtype: Dtype
) -> Point:
    """``point`` with entries moved by these amounts, kept inside their domains."""
    changes = {
        leaf: round_float(_old(point, leaf) + amount, dtype)
        for leaf, amount in by.items()
    }
    finite = {leaf: new for leaf, new in changes.items() if math.isfinite(new)}
    return _changed(loss, point, finite, dtype)


def _old(point: Point, leaf: Leaf) -> float:
    entry = point.values[leaf[0]]
    old = entry.entries[leaf[1]] if isinstance(entry, Array) else entry
    assert isinstance(old, int | float)
    return float(old)


def _changed(
    loss: Loss, point: Point, changes: Mapping[Leaf, float], dtype: Dtype
) -> Point:
    values: dict[str, Entry] = dict(point.values)
    lists: dict[str, list[Scalar]] = {}
    spans = {v.name: Range.of(v.domain, dtype) for v in loss.variables}
    for (name, place), new in changes.items():
        if new not in spans[name]:
            continue
        entry = values[name]
        if isinstance(entry, Array):
            lists.setdefault(name, list(entry.entries))[place] = new
        else:
            values[name] = new
    for name, entries in lists.items():
        entry = values[name]
        assert isinstance(entry, Array)
        values[name] = Array(entry.shape, tuple(entries))
    return replace(point, values=values)
