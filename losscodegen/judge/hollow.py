"""Classes without any probability, where that is given by its logarithm: minus infinity.

A probability may be 0, so its logarithm may be minus infinity, as of a class that is masked. No
other domain has it: an infinite end of an interval is open.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from random import Random

from losscodegen.ir.loss import ELLIPSIS, DomainKind, Variable
from losscodegen.judge.fills import Lines
from losscodegen.judge.point import Array, Point

HOLLOW = ("one", "all but one", "the target", "all but the target")
"""Which classes of a line."""

EACH = 2


def hollow_points(
    tensors: Sequence[Variable], make: Callable[[str, int], Point], random: Random
) -> Iterator[Point]:
    """Points that ``make`` gives for a way of filling and a number, with logarithms of 0."""
    for variable in tensors:
        if variable.domain.kind is not DomainKind.LOGPROB:
            continue
        for k, pattern in enumerate(HOLLOW * EACH):
            point = make("normal", k)
            array = point.values[variable.name]
            assert isinstance(array, Array)
            lines = lines_of(variable, array.shape)
            targets = _targets(tensors, variable, point)
            entries = list(array.entries)
            for n, line in enumerate(lines):
                there = random.randrange(len(line))
                if targets and "target" in pattern:
                    there = targets[n]
                for j, place in enumerate(line):
                    if (j == there) is not pattern.startswith("all but"):
                        entries[place] = -math.inf
            yield Point(
                values={
                    **point.values,
                    variable.name: Array(array.shape, tuple(entries)),
                },
                label=f"edge of minus infinity, {pattern} of {variable.name}",
            )


def lines_of(variable: Variable, shape: tuple[int, ...]) -> list[list[int]]:
    """The places along the axis over which the probabilities of a tensor sum to 1."""
    axis = variable.domain.axis
    named = [a for a in variable.axes if a != ELLIPSIS]
    dim = named.index(axis) if axis in named else len(shape) - 1
    if ELLIPSIS in variable.axes and variable.axes.index(ELLIPSIS) <= dim:
        dim += len(shape) - len(named)
    return Lines(shape, dim).lines


def _targets(
    tensors: Sequence[Variable], variable: Variable, point: Point
) -> tuple[int, ...]:
    """For each line the class that an index beside it names, if there is such an input."""
    rest = tuple(a for a in variable.axes if a != variable.domain.axis)
    for other in tensors:
        found = point.values[other.name]
        if (
            other.domain.kind is DomainKind.INDEX
            and (other.domain.axis, other.axes) == (variable.domain.axis, rest)
            and isinstance(found, Array)
        ):
            return tuple(int(e) for e in found.entries)
    return ()
