"""How large values can get, as coarse as `tame` needs it, and how sizes combine."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from losscodegen.ir.nodes import Expr


class Extent(IntEnum):
    """How large a value can get."""

    BOUNDED = 0
    """Within known bounds that stay bounded when multiplied a few times."""
    FINITE = 1
    """As large as the inputs, and finite because they are."""
    EDGE = 2
    """A sum or multiple of inputs: overflows only at the very edge of the format."""
    HUGE = 3
    """May overflow to infinity for inputs of ordinary size."""
    UNDEFINED = 4
    """May be NaN: a difference or ratio of infinities."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The size of a value, and the ops inside it whose derivative may blow up."""

    size: Extent
    bad: tuple[Expr, ...] = ()

    @property
    def tame(self) -> bool:
        return not self.bad and self.size < Extent.UNDEFINED


def joined(size: Extent, parts: list[Finding] | tuple[Finding, ...]) -> Finding:
    bad = tuple({id(b): b for p in parts for b in p.bad}.values())
    if any(p.size is Extent.UNDEFINED for p in parts):
        size = Extent.UNDEFINED
    return Finding(size, bad)


def multiplied(sizes: list[Extent]) -> Extent:
    """The size of a product of values of these sizes."""
    largest = max(sizes, default=Extent.BOUNDED)
    unbounded = sum(s > Extent.BOUNDED for s in sizes)
    if unbounded > 1:
        return max(largest, Extent.HUGE)
    return largest
