"""Points for losses that look at one entry of each input at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle
from random import Random

from losscodegen.ir.loss import ELLIPSIS, DomainKind, Loss, Variable
from losscodegen.judge.extremes import far_out
from losscodegen.judge.point import Array, Entry, Point, Scalar
from losscodegen.judge.rounding import Dtype, neighbour
from losscodegen.judge.samplers import Range, simplex, whole
from losscodegen.judge.settings import Setting, ignored_values, may_be_missing

Draw = Callable[[Range, Random], float]

STYLES: dict[str, Draw] = {
    "bits": Range.bits,
    "linear": Range.linear,
    "log": Range.logarithmic,
    "one": Range.around_one,
    "typical": Range.typical,
    "any": Range.any,
    "tidy": Range.tidy,
}
ENUMERATED: dict[DomainKind, tuple[int, ...]] = {
    DomainKind.BINARY: (0, 1),
    DomainKind.SIGN: (-1, 1),
    DomainKind.MASK: (0, 1),
    DomainKind.BOOL: (0, 1),
}
EDGES = 100
"""So many points at edges on top of as many as are asked for."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One number of a point: an entry of a variable, and its range if it is a continuum."""

    variable: Variable
    place: int
    range: Range | None


def pointwise_values(
    loss: Loss,
    setting: Setting,
    dtype: Dtype,
    random: Random,
    count: int,
    *,
    full: bool = False,
    only: str | None = None,
) -> Iterator[Point]:
    """``count`` random points; with ``full`` every edge of every entry on top.

    ``only`` names the one style in which all entries are to be drawn.
    """
    maker = _Maker(loss, setting, dtype, random)
    if only is None:
        yield from maker.points(count, full=full)
    else:
        for _ in range(count):
            yield maker.point(maker.draw(STYLES[only]), only)


class _Maker:
    def __init__(
        self, loss: Loss, setting: Setting, dtype: Dtype, random: Random
    ) -> None:
        self.loss, self.setting, self.dtype, self.random = loss, setting, dtype, random
        self.tensors = [
            v for v in loss.variables if not v.scalar and v.name not in setting.absent
        ]
        self.slots = [
            Slot(v, k, _range(v, dtype))
            for v in self.tensors
            for k in range(math.prod(_shape(v)))
        ]
        self.free = [s for s in self.slots if s.range is not None]
        self.missing = may_be_missing(loss)
        self.ignored = ignored_values(loss)

    def points(self, count: int, *, full: bool) -> Iterator[Point]:
        styles = cycle(STYLES)
        for k in range(count):
            if k % 3 == 2 and len(self.free) > 1:
                yield self.correlated()
            else:
                name = next(styles)
                yield self.point(self.draw(STYLES[name]), name)
        yield from self.edges(count + EDGES if full else count // 2)
        if full:
            yield from self.special()
            yield from self.far_out()

    # ------------------------------------------------------------------ making

    def draw(self, style: Draw) -> dict[Slot, Scalar]:
        return {
            s: style(s.range, self.random) if s.range else self.discrete(s)
            for s in self.slots
        }

    def discrete(self, slot: Slot) -> Scalar:
        domain = slot.variable.domain
        if domain.kind in ENUMERATED:
            return self.random.choice(ENUMERATED[domain.kind])
        if domain.kind is DomainKind.COUNT:
            return whole(self.random, self.dtype)
        if domain.kind is DomainKind.INDEX:
            size = domain.axis or "1"
            return self.random.randrange(int(size) if size.isdecimal() else 3)
        return self.random.randint(-3, 5)

    def point(self, numbers: dict[Slot, Scalar], label: str) -> Point:
        values: dict[str, Entry] = dict(self.setting.scalars)
        for name in self.setting.absent:
            values.setdefault(name, None)
        for variable in self.tensors:
            entries = [numbers[s] for s in self.slots if s.variable is variable]
            if variable.domain.kind is DomainKind.SIMPLEX:
                entries = list(simplex(self.random, len(entries), self.dtype))
            values[variable.name] = Array(_shape(variable), tuple(entries))
        if self.setting.label != "default":
            label = f"{label}, {self.setting.label}"
        return Point(values=values, label=label)

    # ------------------------------------------------------------------ kinds of points

    def correlated(self) -> Point:
        """Two entries that nearly cancel; independent ones almost never do."""
        random = self.random
        numbers = self.draw(random.choice(list(STYLES.values())))
        one, other = random.sample(self.free, 2)
        partner = self._partner(one)
        if partner and random.random() < 0.7:
            # Like entries of like variables: the corners of two boxes.
            other = partner
        assert other.range is not None
        base = float(numbers[one])
        name, value = random.choice(
            (
                ("equal", base),
                ("beside", _beside(base, random, self.dtype)),
                ("near", base * (1.0 + 10.0 ** random.uniform(-16.0, -1.0))),
                ("near", base * (1.0 - 10.0 ** random.uniform(-7.0, -1.0))),
                ("opposite", -base),
                ("complement", 1.0 - base),
                ("zero", 0.0),
                ("one", 1.0),
            )
        )
        numbers[other] = other.range.near(value)
        return self.point(numbers, f"{name} {one.variable.name}")

    def _partner(self, slot: Slot) -> Slot | None:
        alike = [
            s
            for s in self.free
            if s.variable is not slot.variable and s.place == slot.place
        ]
        return self.random.choice(alike) if alike else None

    def edges(self, limit: int) -> Iterator[Point]:
        """Each entry at each of its edges, the others plain, typical, or at an edge of theirs."""
        found = [
            (slot, edge, others)
            for slot in self.free
            if slot.range is not None
            for edge in slot.range.edges()
            for others in (self._plain, STYLES["typical"], self._edge)
        ]
        if len(found) > limit:
            found = self.random.sample(found, limit)
        for slot, edge, others in found:
            numbers = self.draw(others)
            numbers[slot] = edge
            yield self.point(numbers, f"edge {slot.variable.name}")

    def _plain(self, span: Range, random: Random) -> float:
        return span.near(random.choice((0.0, 0.0, 1.0)))

    def _edge(self, span: Range, random: Random) -> float:
        return random.choice(span.edges())

    def far_out(self) -> Iterator[Point]:
        """Each entry where functions leave the format, the others equal, zero or small."""
        spans = [s.range for s in self.free if s.range is not None]
        names = [s.variable.name for s in self.free]
        for name, place, numbers in far_out(spans, names, self.random):
            drawn = self.draw(STYLES["typical"])
            drawn.update({self.free[k]: v for k, v in numbers.items()})
            yield self.point(drawn, f"edge {names[place]} far out, {name}")

    def special(self) -> Iterator[Point]:
        """Missing and ignored entries, where the formula asks for them."""
        for name, odd in self.missing.items():
            for value in odd * 4:
                numbers = self.draw(STYLES["typical"])
                for slot in self.slots:
                    if slot.variable.name == name:
                        numbers[slot] = value
                yield self.point(numbers, f"missing {name}")
        for name, mark in self.ignored.items():
            sentinel = self.setting.scalars[mark] if isinstance(mark, str) else mark
            if not isinstance(sentinel, int | float):
                continue
            for style in STYLES.values():
                numbers = self.draw(style)
                for slot in self.slots:
                    if slot.variable.name == name:
                        near = slot.range.near if slot.range else None
                        numbers[slot] = near(sentinel) if near else sentinel
                yield self.point(numbers, f"ignored {name}")


def _beside(value: float, random: Random, dtype: Dtype) -> float:
    beside = neighbour(value, random.choice((-3, -2, -1, 1, 2, 3)), dtype)
    return beside if math.isfinite(beside) else value


def _shape(variable: Variable) -> tuple[int, ...]:
    return tuple(1 if a == ELLIPSIS else int(a) for a in variable.axes)


def _range(variable: Variable, dtype: Dtype) -> Range | None:
    kind = variable.domain.kind
    if kind in ENUMERATED or kind in (
        DomainKind.COUNT,
        DomainKind.INDEX,
        DomainKind.INTEGER,
    ):
        return None
    return Range.of(variable.domain, dtype)
