"""The entries of a point as exact numbers, and where a tape finds them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from losscodegen.ir.loss import ELLIPSIS, Absent, DomainKind, Loss, Variable
from losscodegen.judge import oracle_conditions as conditions
from losscodegen.judge.oracle_graph import Leaf
from losscodegen.judge.oracle_nodes import Register
from losscodegen.judge.oracle_numbers import ONE, rational
from losscodegen.judge.point import Array, Entry, Point


@dataclass(slots=True)
class Binding:
    """A point, bound to the variables of a loss.

    ``batch`` is the shape that ``...`` stands for here, ``lanes`` its number of elements.
    """

    variables: Mapping[str, Variable]
    entries: Mapping[str, Entry]
    batch: tuple[int, ...]
    shared: dict[Leaf, Register] = field(default_factory=dict)

    @property
    def lanes(self) -> int:
        return math.prod(self.batch)

    def absent(self, name: str) -> bool:
        return self.entries[name] is None

    def count(self, name: str) -> int:
        entry = self.entries[name]
        return len(entry.entries) if isinstance(entry, Array) else 1

    def position(self, leaf: Leaf, lane: int) -> int:
        """Where the entry stands among all entries of its variable."""
        if not leaf.spread:
            return leaf.trail
        return (leaf.lead * self.lanes + lane) * leaf.width + leaf.trail

    def registers(self, leaves: Mapping[Leaf, int], lane: int) -> dict[int, Register]:
        """The entries that the leaves stand for in one lane, by place on the tape."""
        found: dict[int, Register] = {}
        for leaf, place in leaves.items():
            if leaf.spread:
                found[place] = self.register(leaf, lane)
            else:
                if leaf not in self.shared:
                    self.shared[leaf] = self.register(leaf, lane)
                found[place] = self.shared[leaf]
        return found

    def register(self, leaf: Leaf, lane: int) -> Register:
        entry = self.entries[leaf.name]
        if entry is None:
            return ONE
        if isinstance(entry, Array):
            entry = entry.entries[self.position(leaf, lane)]
        domain = self.variables[leaf.name].domain
        if domain.kind is DomainKind.BOOL:
            return conditions.YES if entry else conditions.NO
        if isinstance(entry, str):
            return rational(domain.choices.index(entry))
        assert entry is not None
        return rational(entry)


def bind(loss: Loss, sizes: Mapping[str, int], point: Point) -> Binding:
    """The point with defaults filled in; ValueError if its shapes contradict each other."""
    entries: dict[str, Entry] = {}
    batches: dict[tuple[int, ...], str] = {}
    for variable in loss.variables:
        name = variable.name
        entry = point.values[name] if name in point.values else _default(variable)
        entries[name] = entry
        if isinstance(entry, Array):
            shape, batch = _split(variable, entry.shape)
            want = tuple(_size(axis, sizes) for axis in variable.subscripted_axes)
            if shape != want:
                raise ValueError(f"{variable.name} has the shape {entry.shape}")
            if ELLIPSIS in variable.axes:
                batches[batch] = variable.name
        elif entry is not None and variable.axes:
            raise ValueError(f"{variable.name} is a tensor, got {entry!r}")
    if len(batches) > 1:
        names = ", ".join(batches.values())
        raise ValueError(f"{names} have different batches: {list(batches)}")
    batch = next(iter(batches), ())
    return Binding({v.name: v for v in loss.variables}, entries, batch)


def sizes_of(loss: Loss, point: Point) -> dict[str, int]:
    """The sizes of the named axes, read off the tensors of a point."""
    sizes = {a.name: a.size for a in loss.axes if a.size is not None}
    for variable in loss.variables:
        entry = point.values.get(variable.name)
        if isinstance(entry, Array):
            shape, _ = _split(variable, entry.shape)
            named = zip(variable.subscripted_axes, shape, strict=True)
            sizes.update((a, n) for a, n in named if not a.isdecimal())
    return sizes


def _split(
    variable: Variable, shape: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The dims that belong to axes, and those of ``...``."""
    axes = variable.axes
    if ELLIPSIS not in axes:
        return shape, ()
    lead = axes.index(ELLIPSIS)
    trail = len(axes) - lead - 1
    end = len(shape) - trail
    return shape[:lead] + shape[end:], shape[lead:end]


def _size(axis: str, sizes: Mapping[str, int]) -> int:
    return int(axis) if axis.isdecimal() else sizes[axis]


def _default(variable: Variable) -> Entry:
    default = variable.default
    if default is Absent.NONE:
        return None
    if isinstance(default, Absent):
        raise ValueError(f"the point has no {variable.name}")
    return float(default) if isinstance(default, Fraction) else default
