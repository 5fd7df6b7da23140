"""The truth for points of any sizes."""

from __future__ import annotations

from losscodegen.ir.loss import ELLIPSIS, Loss
from losscodegen.judge.oracle import Oracle
from losscodegen.judge.point import Array, Point, Truth
from losscodegen.judge.rounding import Dtype


class Oracles:
    """The truth, with a compiled oracle kept for every combination of sizes."""

    def __init__(self) -> None:
        self.kept: dict[tuple[int, tuple[tuple[str, int], ...]], Oracle] = {}
        self.losses: dict[int, Loss] = {}

    def __call__(self, loss: Loss, point: Point, dtype: Dtype) -> Truth | None:
        return self.at(loss, point).truth(point, dtype)

    def at(self, loss: Loss, point: Point) -> Oracle:
        """The oracle for the sizes of a point."""
        sizes = point_sizes(loss, point)
        key = (id(loss), tuple(sorted(sizes.items())))
        if key not in self.kept:
            # Holding on to the loss keeps its id from being given to another.
            self.losses[id(loss)] = loss
            self.kept[key] = Oracle(loss, sizes)
        return self.kept[key]

    def values(self, loss: Loss, point: Point) -> tuple[float, ...]:
        """The entries of the unreduced loss in double precision, without their gradients."""
        found = self.at(loss, point).evaluate(loss.expression, point)
        return tuple(v.rounded(Dtype.FLOAT64) for v in found.entries)


def point_sizes(loss: Loss, point: Point) -> dict[str, int]:
    """The size of every named axis at a point."""
    sizes: dict[str, int] = {}
    for variable in loss.variables:
        array = point.values.get(variable.name)
        if not isinstance(array, Array) or not variable.subscripted_axes:
            continue
        axes, shape = variable.axes, array.shape
        if ELLIPSIS in axes:
            at = axes.index(ELLIPSIS)
            rest = len(axes) - at - 1
            shape = shape[:at] + shape[len(shape) - rest :]
        for axis, size in zip(variable.subscripted_axes, shape, strict=True):
            if not axis.isdecimal():
                sizes[axis] = size
    return sizes
