"""Which dim of a tensor stands for which index.

A `Layout` lists the indices of a tensor in the order of its dims, with `BATCH` for ``...``. All
tensors of a loss keep their indices in one total order, so that broadcasting needs no permutation.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum
from fractions import Fraction

from losscodegen.compiler.parts import Part, base
from losscodegen.compiler.tensor_nodes import (
    Apply,
    Extent,
    Literal,
    Moved,
    Permute,
    Reduced,
    Squeeze,
    Tensor,
    Trail,
    Unsqueeze,
)
from losscodegen.ir.loss import ELLIPSIS, Loss
from losscodegen.ir.nodes import Index


class Batch(Enum):
    BATCH = "..."


BATCH = Batch.BATCH
Layout = tuple[Index | Batch, ...]


@dataclass(frozen=True, slots=True)
class Axes:
    """The axes of a loss: their order, and an argument dim that tells the size of each."""

    order: tuple[str, ...]
    index_order: tuple[str, ...]
    extents: tuple[tuple[str, Extent], ...]
    batch_argument: str | None
    batch_count: int
    """How many dims the batch argument has beside its batch."""
    batch_first: int = 0
    batch_last: int | None = None

    @property
    def batch_dims(self) -> tuple[str | None, int, int | None]:
        """The argument that tells the batch's sizes, and the first and last dim of the batch."""
        return self.batch_argument, self.batch_first, self.batch_last

    def sort(self, entries: Iterable[Index | Batch]) -> Layout:
        """The layout of a tensor with these indices."""
        return tuple(sorted(set(entries), key=self._rank))

    def _rank(self, entry: Index | Batch) -> tuple[int, int, str]:
        """Where an index stands among others: by axis, then as declared, then by name."""
        if isinstance(entry, Batch):
            return (self.order.index(ELLIPSIS), 0, "")
        names = self.index_order
        rank = names.index(entry.name) if entry.name in names else len(names)
        return (self.order.index(base(entry.axis)), rank, entry.name)

    def extent(self, axis: str) -> Tensor:
        part = Part.of(axis)
        if part is None:
            return dict(self.extents)[axis]
        missing = Literal(Fraction(part.first + part.last), whole=True)
        return Apply(
            "add", (self.extent(part.axis), Apply("neg", (missing,), True)), True
        )


def axes_of(loss: Loss) -> Axes:
    order: dict[str, None] = {}
    extents: dict[str, Extent] = {}
    batch: tuple[str, int, int, int | None] | None = None
    for variable in (*loss.inputs, *loss.parameters):
        if not variable.axes:
            continue
        for position, axis in enumerate(variable.axes):
            order.setdefault(axis)
            if axis != ELLIPSIS and not variable.optional:
                dim = dim_at(variable.axes, position)
                extents.setdefault(axis, Extent(variable.arg, dim))
            elif axis == ELLIPSIS and batch is None:
                after = len(variable.axes) - position - 1
                batch = (variable.arg, len(variable.axes) - 1, position, -after or None)
    for variable in loss.parameters:  # an axis that only an optional tensor has
        for position, axis in enumerate(variable.axes):
            if axis != ELLIPSIS:
                extents.setdefault(
                    axis, Extent(variable.arg, dim_at(variable.axes, position))
                )
    names = [axis.name.lower() for axis in loss.axes]
    names += [index.name for index in loss.indices]
    return Axes(
        tuple(order),
        tuple(names),
        tuple(extents.items()),
        *(batch or (None, 0)),
    )


def dim_at(axes: tuple[object, ...], position: int) -> int:
    """The dim of an entry: from the front before ``...``, from the back after it."""
    marks = [k for k, a in enumerate(axes) if a == ELLIPSIS or a is BATCH]
    if marks and position > marks[0]:
        return position - len(axes)
    return position


def dim_of(layout: Layout, entry: Index) -> int:
    return dim_at(layout, layout.index(entry))


def insertion_dim(layout: Layout, entry: Index, axes: Axes) -> int:
    """The dim at which ``unsqueeze`` puts a missing entry."""
    return dim_of(axes.sort((*layout, entry)), entry)


def align(value: Tensor, layout: Layout, target: Layout, axes: Axes) -> Tensor:
    """``value`` made to broadcast against tensors of layout ``target``, which contains its own.

    Missing dims in front come for free; others are inserted with size 1.
    """
    if not layout:
        return value
    current = layout
    if trails(layout, target) and axes.batch_argument is not None:
        # Entries on both sides of the batch cannot be padded by appending alone.
        value = _trailed(value, axes.batch_argument, axes.batch_count)
        current = axes.sort((*current, BATCH))
    missing = [e for e in target if e not in current and isinstance(e, Index)]
    for entry in missing:
        position = target.index(entry)
        if not any(e in current for e in target[:position]):
            continue  # a leading dim: broadcasting supplies it
        grown = axes.sort((*current, entry))
        value = unsqueeze(value, dim_of(grown, entry))
        current = grown
    return value


def trails(layout: Layout, target: Layout) -> bool:
    """Whether a value needs dims of size 1 in place of a batch behind its own."""
    if BATCH not in target or BATCH in layout:
        return False
    before = target[: target.index(BATCH)]
    return any(entry in before for entry in layout)


def _trailed(value: Tensor, argument: str, count: int) -> Tensor:
    match value:
        case Apply("neg", (inner,), False):
            return replace(value, args=(_trailed(inner, argument, count),))
        case _:
            return Trail(value, argument, count)


def unsqueeze(tensor: Tensor, dim: int) -> Tensor:
    """``tensor`` with a dim of size 1, put in where that reads best.

    A reduction over that dim simply keeps it, a dim just squeezed away is left alone.
    """
    match tensor:
        case Reduced(_, _, (reduced,), False) if reduced == dim:
            return replace(tensor, keepdim=True)
        case Squeeze(inner, squeezed) if squeezed == dim:
            return inner
        case Apply("neg", (inner,), False):
            return replace(tensor, args=(unsqueeze(inner, dim),))
        case _:
            return Unsqueeze(tensor, dim)


def permute(value: Tensor, have: Layout, want: Layout) -> Tensor:
    """``value`` with its dims reordered, those of the batch in one piece."""
    if have == want:
        return value
    if BATCH in have:
        # The batch has any number of dims: the others are moved around it.
        entries = [e for e in want if isinstance(e, Index)]
        moves = [(dim_of(have, e), dim_of(want, e)) for e in entries]
        moved = tuple((a, b) for a, b in moves if a != b)
        if not _moved_alone(have, want, moved):
            moved = tuple(moves)
        return Moved(value, tuple(a for a, _ in moved), tuple(b for _, b in moved))
    return Permute(value, tuple(dim_at(have, have.index(e)) for e in want))


def _moved_alone(
    have: Layout, want: Layout, moved: tuple[tuple[int, int], ...]
) -> bool:
    """Whether these moves are enough: whether the other dims keep their order."""
    sources = {have.index(e) for e in have if isinstance(e, Index)}
    sources = {k for k in sources if dim_at(have, k) in {a for a, _ in moved}}
    rest = [e for k, e in enumerate(have) if k not in sources]
    return rest == [e for e in want if e in rest]
