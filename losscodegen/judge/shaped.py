"""Points for losses over axes: small tensors with the structure that breaks reductions."""

from __future__ import annotations

import math
from collections.abc import Iterator
from random import Random

from losscodegen.ir.loss import ELLIPSIS, DomainKind, Loss, Variable
from losscodegen.judge.fills import FILLS, Lines
from losscodegen.judge.hollow import hollow_points, lines_of
from losscodegen.judge.point import Array, Entry, Point, Scalar
from losscodegen.judge.pointwise import ENUMERATED
from losscodegen.judge.rounding import Dtype, neighbour
from losscodegen.judge.samplers import Range, simplex, whole
from losscodegen.judge.settings import Setting, ignored_values, may_be_missing

ENTRIES_AT_MOST = 48
"""A tensor with more of them costs the oracle more than it can tell."""

SIZES = 6
"""How many combinations of sizes are tried for one setting of the parameters."""

PURE = ("tidy", "normal")
"""What a tensor is filled with when all others are, too."""

RELATIONS = ("independent", "independent", "equal", "opposite", "near", "double")


def shaped_values(
    loss: Loss,
    setting: Setting,
    dtype: Dtype,
    random: Random,
    count: int,
    *,
    full: bool = False,
    only: str | None = None,
) -> Iterator[Point]:
    """``count`` points: every way of filling a tensor in turn, or only one."""
    maker = _Maker(loss, setting, dtype, random)
    names = list(FILLS) if only is None else [only]
    for k in range(count):
        yield maker.point(names[k % len(names)], k)
    if full:
        yield from maker.missing_points()
        yield from hollow_points(maker.tensors, maker.point, random)


def shaped_point(
    loss: Loss,
    setting: Setting,
    dtype: Dtype,
    random: Random,
    *,
    size: int,
    batch: tuple[int, ...],
    fill: str = "normal",
    ignored: bool = False,
) -> Point:
    """One point with every axis between ``size`` and ``size + 3``, whatever it costs.

    With ``ignored`` it holds targets that the formula ignores, if it ignores any.
    """
    maker = _Maker(loss, setting, dtype, random)
    sizes = {axis: size + random.randrange(4) for axis in maker.axes()}
    sizes.update({a: n for a, n in setting.sizes.items() if a in sizes})
    return maker.point(fill, 7 if ignored else 0, sizes, batch)


class _Maker:
    def __init__(
        self, loss: Loss, setting: Setting, dtype: Dtype, random: Random
    ) -> None:
        self.loss, self.setting, self.dtype, self.random = loss, setting, dtype, random
        self.tensors = [
            v for v in loss.variables if not v.scalar and v.name not in setting.absent
        ]
        self.ignored = ignored_values(loss)
        self.missing = may_be_missing(loss)
        # The oracle compiles a loss anew for every combination, so they are few.
        self.combinations = [self.sizes() for _ in range(SIZES)]

    # ------------------------------------------------------------------ sizes

    def axes(self) -> dict[str, None]:
        """The named axes in order of declaration."""
        return dict.fromkeys(
            a for v in self.tensors for a in v.subscripted_axes if not a.isdecimal()
        )

    def sizes(self) -> dict[str, int]:
        """A size for every axis, small enough for all tensors to stay small."""
        axes = self.axes()
        classes = {v.domain.axis for v in self.tensors if v.domain.axis in axes}
        labelled = {
            axis
            for v in self.tensors
            if v.domain.kind is DomainKind.INTEGER
            for axis in v.subscripted_axes
        }
        pools = {
            axis: (
                (2, 3, 3, 4, 5, 7)
                if axis in classes
                else (2, 3, 4, 4, 5) if axis in labelled else (2, 2, 3, 3, 4)
            )
            for axis in axes
        }
        sizes = {axis: self.random.choice(pool) for axis, pool in pools.items()}
        sizes.update({a: n for a, n in self.setting.sizes.items() if a in sizes})
        if self.setting.sizes:
            return sizes
        if axes and self.random.random() < 0.1:
            sizes[self.random.choice(list(axes))] = 1
        while self._entries(sizes) > ENTRIES_AT_MOST and max(sizes.values()) > 2:
            largest = max(sizes, key=lambda a: (sizes[a], a))
            sizes[largest] -= 1
        return sizes

    def _entries(self, sizes: dict[str, int]) -> int:
        return max(
            (
                math.prod(
                    sizes[a] if a in sizes else int(a) for a in v.subscripted_axes
                )
                for v in self.tensors
            ),
            default=0,
        )

    # ------------------------------------------------------------------ points

    def point(
        self,
        name: str,
        number: int,
        sizes: dict[str, int] | None = None,
        batch: tuple[int, ...] | None = None,
    ) -> Point:
        random = self.random
        sizes = random.choice(self.combinations) if sizes is None else sizes
        batch = random.choice(self.setting.batches) if batch is None else batch
        values: dict[str, Entry] = dict(self.setting.scalars)
        for name_ in self.setting.absent:
            values.setdefault(name_, None)
        arrays: dict[str, Array] = {}
        fills = [name]
        for variable in self.tensors:
            shape: list[int] = []
            for axis in variable.axes:
                if axis == ELLIPSIS:
                    shape += batch
                else:
                    shape.append(sizes[axis] if axis in sizes else int(axis))
            fill = name
            if arrays and name not in PURE and random.random() < 0.25:
                fill = random.choice(list(FILLS))
                fills.append(fill)
            arrays[variable.name] = self.array(variable, tuple(shape), fill, sizes)
        relation = RELATIONS[number % len(RELATIONS)]
        label = " and ".join(dict.fromkeys(fills))
        if relation != "independent" and self.relate(arrays, relation):
            label += f", {relation}"
        if number % 4 == 3:
            label += self.ignore(arrays)
        if self.setting.label != "default":
            label += f", {self.setting.label}"
        return Point(values={**values, **arrays}, label=label)

    def array(
        self,
        variable: Variable,
        shape: tuple[int, ...],
        name: str,
        sizes: dict[str, int],
    ) -> Array:
        random, kind = self.random, variable.domain.kind
        count = math.prod(shape)
        entries: list[Scalar]
        axis = variable.domain.axis
        if kind in ENUMERATED:
            low, high = ENUMERATED[kind]
            chance = random.choice((0.0, 1.0, 0.5, 0.5, 0.5, 0.8))
            entries = [high if random.random() < chance else low for _ in range(count)]
        elif kind is DomainKind.COUNT:
            entries = [whole(random, self.dtype) for _ in range(count)]
        elif kind is DomainKind.INDEX:
            assert axis is not None
            size = sizes[axis] if axis in sizes else int(axis)
            entries = [random.randrange(size) for _ in range(count)]
            if random.random() < 0.1:
                entries = [entries[0]] * count if entries else entries
        elif kind is DomainKind.INTEGER:
            # Labels that are compared with each other tell nothing unless some are equal.
            low, high = random.choice(((-3, 5), (0, 2), (0, 1), (0, 1)))
            entries = [random.randint(low, high) for _ in range(count)]
        elif kind in (DomainKind.SIMPLEX, DomainKind.LOGPROB):
            entries = self.probabilities(variable, shape)
        else:
            entries = self.continuum(variable, shape, name)
        return Array(shape, tuple(entries))

    def continuum(
        self, variable: Variable, shape: tuple[int, ...], name: str
    ) -> list[Scalar]:
        random, span = self.random, Range.of(variable.domain, self.dtype)
        if not math.prod(shape):
            return []
        dim = random.randrange(len(shape)) if shape else None
        values = FILLS[name](Lines(shape, dim), random)
        return [self.fitted(span, v) for v in values]

    def fitted(self, span: Range, value: float) -> float:
        """``value`` if the range has it, else its magnitude, else a draw from the range."""
        for candidate in (value, abs(value), abs(value) % 1.0):
            if candidate in span and span.rounded(candidate) is not None:
                return span.near(candidate)
        return span.any(self.random)

    def probabilities(self, variable: Variable, shape: tuple[int, ...]) -> list[Scalar]:
        entries: list[Scalar] = [0.0] * math.prod(shape)
        logs = variable.domain.kind is DomainKind.LOGPROB
        span = Range.of(variable.domain, self.dtype)
        for line in lines_of(variable, shape):
            for place, p in zip(
                line, simplex(self.random, len(line), self.dtype), strict=True
            ):
                if logs:
                    p = span.near(
                        math.log(p) if p > 0 else -self.random.uniform(17, 90)
                    )
                entries[place] = p
        return entries

    # ------------------------------------------------------------------ relations between tensors

    def relate(self, arrays: dict[str, Array], relation: str) -> bool:
        """One tensor made of another of the same shape; False if there is no such pair."""
        random = self.random
        free = [
            v
            for v in self.tensors
            if v.domain.kind not in ENUMERATED
            and v.domain.kind
            not in (DomainKind.COUNT, DomainKind.INDEX, DomainKind.INTEGER)
        ]
        pairs = [
            (u, v)
            for u in free
            for v in free
            if u is not v
            and u.domain.kind == v.domain.kind
            and arrays[u.name].shape == arrays[v.name].shape
        ]
        if not pairs:
            return False
        one, other = random.choice(pairs)
        if relation != "equal" and other.domain.kind in (
            DomainKind.SIMPLEX,
            DomainKind.LOGPROB,
        ):
            relation = "equal"
        span = Range.of(other.domain, self.dtype)
        array = arrays[one.name]
        made = []
        for entry in array.entries:
            value = float(entry)
            if relation == "opposite":
                value = -value
            elif relation == "double":
                value = 2.0 * value
            elif relation == "near":
                value = neighbour(value, random.randint(-3, 3), self.dtype)
            made.append(self.fitted(span, value) if math.isfinite(value) else 0.0)
        arrays[other.name] = Array(array.shape, tuple(made))
        return True

    def ignore(self, arrays: dict[str, Array]) -> str:
        """Targets marked as ones that do not count: some, or all from some place of a line on."""
        label = ""
        for name, mark in self.ignored.items():
            sentinel = self.setting.scalars.get(mark) if isinstance(mark, str) else mark
            if name not in arrays or not isinstance(sentinel, int | float):
                continue
            array, random = arrays[name], self.random
            entries = list(array.entries)
            if array.shape and random.random() < 0.5:
                for line in Lines(array.shape, len(array.shape) - 1).lines:
                    for place in line[random.randint(0, len(line)) :]:
                        entries[place] = sentinel
                label = f", ended {name}"
            else:
                chance = random.choice((0.3, 0.5, 1.0))
                entries = [sentinel if random.random() < chance else e for e in entries]
                label = f", ignored {name}"
            arrays[name] = Array(array.shape, tuple(entries))
        return label

    def missing_points(self) -> Iterator[Point]:
        """NaN (and inf) where the formula tests for them."""
        for name, odd in self.missing.items():
            for k, value in enumerate(odd * 4):
                point = self.point("normal", k)
                array = point.values.get(name)
                if not isinstance(array, Array):
                    continue
                entries = tuple(
                    value if self.random.random() < 0.4 else e for e in array.entries
                )
                yield Point(
                    values={**point.values, name: Array(array.shape, entries)},
                    label=f"missing {name}",
                )
