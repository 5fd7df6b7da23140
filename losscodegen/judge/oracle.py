"""The ground truth: exact real mathematics of a spec, at the very numbers it is given.

The loss is evaluated as it is written, nothing is simplified. Inputs are exactly the floats of the
point, ``0.1`` in a formula is one tenth, a scalar parameter is the double that Python holds. The
precision doubles until every entry of value and gradient rounds correctly to the formats asked
for; what is still open at `MOST_BITS` is reported as undetermined.

Semantics at the edges: limits of the extended reals where there is only one (``exp(-oo) = 0``,
``log(0) = -oo``), no value elsewhere (``0*oo``, ``oo - oo``, ``1/0``, an index out of range). Only
the branch taken of a choice and the entries inside a mask count. An optional left out is 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import flint

from losscodegen.ir.loss import DomainKind, Loss, Role, Variable
from losscodegen.ir.nodes import Expr, Index
from losscodegen.ir.walk import free_indices, inline, inline_loss
from losscodegen.judge import oracle_conditions as conditions
from losscodegen.judge.oracle_binding import Binding, bind, sizes_of
from losscodegen.judge.oracle_graph import Leaf
from losscodegen.judge.oracle_lane import (
    MOST_BITS,
    Lane,
    LaneTruth,
    first_bits,
    next_bits,
    slope_of,
    total,
)
from losscodegen.judge.oracle_numbers import ZERO, Cut
from losscodegen.judge.oracle_real import resolve
from losscodegen.judge.oracle_tape import Builder
from losscodegen.judge.point import Kind, Point, Real, Slope, Truth
from losscodegen.judge.rounding import Dtype

DIFFERENTIABLE = frozenset(
    {
        DomainKind.REAL,
        DomainKind.POSITIVE,
        DomainKind.NONNEGATIVE,
        DomainKind.NEGATIVE,
        DomainKind.UNIT,
        DomainKind.SIMPLEX,
        DomainKind.LOGPROB,
    }
)
"""Domains that are continua; the others hold labels, counts and masks."""


def differentiable(variable: Variable) -> bool:
    """Whether the gradient by a variable is asked for unless something else is said."""
    if variable.role is Role.LEARNABLE:
        return True
    return variable.role is Role.INPUT and variable.domain.kind in DIFFERENTIABLE


@dataclass(frozen=True, slots=True)
class Grid:
    """The shape of an expression: the sizes of its free indices, ``...`` after ``lead`` of them."""

    sizes: tuple[int, ...]
    lead: int

    def shape(self, batch: tuple[int, ...]) -> tuple[int, ...]:
        return self.sizes[: self.lead] + batch + self.sizes[self.lead :]

    def order(self, lanes: int) -> Iterator[tuple[int, int]]:
        """(lane, output of the tape) of each entry, the last dim running fastest."""
        inner = math.prod(self.sizes[self.lead :])
        for outer in range(math.prod(self.sizes[: self.lead])):
            for lane in range(lanes):
                for k in range(inner):
                    yield lane, outer * inner + k


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """The entries of an expression, the last dim running fastest."""

    shape: tuple[int, ...]
    entries: tuple[Real, ...]


class Oracle:
    """Truths about one loss at given sizes of its axes.

    ``sizes`` are those of the named axes; ``wrt`` the variables to differentiate by, by default
    the inputs that are continua and all learnable parameters.
    """

    def __init__(
        self,
        loss: Loss,
        sizes: Mapping[str, int] | None = None,
        *,
        wrt: Sequence[str] | None = None,
    ) -> None:
        self.loss = inline_loss(loss)
        self._definitions = loss.definitions
        fixed = {a.name: a.size for a in loss.axes if a.size is not None}
        self.sizes = {**fixed, **(sizes or {})}
        if wrt is None:
            wrt = [v.name for v in loss.variables if differentiable(v)]
        self.wrt = tuple(wrt)
        self.lane = self._compile(self.loss.expression, loss.free, self.wrt)
        self.grid = self._shape(loss.free, loss.batch)
        self._others: dict[Expr, tuple[Lane, Grid]] = {}

    @classmethod
    def at(cls, loss: Loss, point: Point) -> Oracle:
        """An oracle for the sizes of a point."""
        return cls(loss, sizes_of(loss, point))

    # -------------------------------------------------------------------------------- truth

    def truth(
        self, point: Point, dtypes: Dtype | Sequence[Dtype] = Dtype.FLOAT64
    ) -> Truth:
        """Value and gradient of the sum of all values, correctly rounded to each of ``dtypes``."""
        formats = _formats(dtypes)
        binding = bind(self.loss, self.sizes, point)
        with restored_precision():
            lanes = self._lanes(binding, formats)
            gradient = self.gradient(binding, lanes, formats)
        value = [lanes[n].value[k] for n, k in self.grid.order(len(lanes))]
        if value and all(v.kind is Kind.UNDEFINED for v in value):
            # A loss that has no value has no slope, either.
            nowhere = Slope(value=value[0])
            gradient = {n: (nowhere,) * len(s) for n, s in gradient.items()}
        jumps = [lanes[n].jumps[k] for n, k in self.grid.order(len(lanes))]
        return Truth(
            shape=self.grid.shape(self._whole_batch(binding)),
            value=tuple(value),
            gradient=gradient,
            jumps=tuple(jumps),
            dtypes=formats,
            bits=max((lane.bits for lane in lanes), default=0),
        )

    def evaluate(
        self,
        expr: Expr,
        point: Point,
        dtypes: Dtype | Sequence[Dtype] = Dtype.FLOAT64,
    ) -> Values:
        """Any expression in the scope of the loss, for all values of its free indices."""
        formats = _formats(dtypes)
        lane, grid = self._other(expr)
        binding = bind(self.loss, self.sizes, point)
        batch = self._batch(lane, binding)
        with restored_precision():
            found = [
                lane.values(binding, n, formats, first_bits(formats), MOST_BITS)
                for n in range(math.prod(batch))
            ]
        entries = tuple(found[n][k] for n, k in grid.order(len(found)))
        return Values(shape=grid.shape(batch), entries=entries)

    def holds(self, condition: Expr, point: Point) -> bool | None:
        """Whether a condition holds for all values of its free indices; None if nobody knows."""
        lane, _ = self._other(condition)
        binding = bind(self.loss, self.sizes, point)
        codes: list[int] = []
        with restored_precision():
            for n in range(math.prod(self._batch(lane, binding))):
                codes += lane.codes(binding, n, first_bits(()), MOST_BITS)
        return conditions.written(conditions.conjunction(codes))

    # ------------------------------------------------------------------------------ compiling

    def _compile(self, expr: Expr, free: Sequence[Index], wrt: Iterable[str]) -> Lane:
        return Lane(Builder(self.loss, self.sizes, frozenset(wrt)).tape(expr, free))

    def _shape(self, free: Sequence[Index], lead: int | None) -> Grid:
        sizes = tuple(
            int(i.axis) if i.axis.isdecimal() else self.sizes[i.axis] for i in free
        )
        return Grid(sizes, len(sizes) if lead is None else lead)

    def _other(self, expr: Expr) -> tuple[Lane, Grid]:
        """A further expression, compiled when it is first seen."""
        found = self._others.get(expr)
        if found is None:
            plain = inline(expr, self._definitions)
            free = self._in_order(free_indices(plain))
            before = self.loss.free[: self.loss.batch or 0]
            lead = (
                sum(i in before for i in free) if self.loss.batch is not None else None
            )
            lane = self._compile(plain, free, ())
            found = self._others[expr] = lane, self._shape(free, lead)
        return found

    def _in_order(self, indices: Sequence[Index]) -> list[Index]:
        """Free indices in the order of the dims that they make: axes first, as declared."""
        axes = [a.name for a in self.loss.axes]
        further = [i.name for i in self.loss.indices]

        def rank(index: Index) -> tuple[int, int]:
            if index.name in further:
                return len(axes), further.index(index.name)
            return (axes.index(index.axis) if index.axis in axes else len(axes)), -1

        return sorted(indices, key=rank)

    # ---------------------------------------------------------------------------------- lanes

    def _batch(self, lane: Lane, binding: Binding) -> tuple[int, ...]:
        """The batch that an expression runs over: none if it reads nothing with ``...``."""
        return binding.batch if lane.spread else ()

    def _whole_batch(self, binding: Binding) -> tuple[int, ...]:
        """The batch that the loss runs over, even where an empty sum leaves nothing to read."""
        return () if self.loss.batch is None else binding.batch

    def lanes(self, binding: Binding) -> int:
        """How many elements the batch has."""
        return math.prod(self._whole_batch(binding))

    def _lanes(self, binding: Binding, formats: tuple[Dtype, ...]) -> list[LaneTruth]:
        """Every element of the batch, each at the precision it needs."""
        count = self.lanes(binding)
        bits = first_bits(formats)
        while True:
            found = [
                self.lane.truth(binding, n, formats, bits, MOST_BITS)
                for n in range(count)
            ]
            # What all elements share is a sum over them, which may cancel once more.
            if bits >= MOST_BITS or all(
                s.value.known for s in _shared(found, formats).values()
            ):
                return found
            bits = next_bits(bits)

    def gradient(
        self, binding: Binding, lanes: list[LaneTruth], formats: tuple[Dtype, ...]
    ) -> dict[str, tuple[Slope, ...]]:
        """The gradient of the sum of all values, from what is true of each element."""
        still = Slope(value=resolve(ZERO, formats))
        gradient = {
            name: [still] * binding.count(name)
            for name in self.wrt
            if not binding.absent(name)
        }
        for n, lane in enumerate(lanes):
            for leaf, slope in lane.own.items():
                if leaf.name in gradient:
                    gradient[leaf.name][binding.position(leaf, n)] = slope
        for leaf, slope in _shared(lanes, formats).items():
            if leaf.name in gradient:
                gradient[leaf.name][leaf.trail] = slope
        return {name: tuple(slopes) for name, slopes in gradient.items()}


def _shared(
    lanes: Sequence[LaneTruth], formats: tuple[Dtype, ...]
) -> dict[Leaf, Slope]:
    leaves = lanes[0].shared if lanes else {}
    return {
        leaf: slope_of(total([lane.shared[leaf] for lane in lanes]), formats)
        for leaf in leaves
    }


def _formats(dtypes: Dtype | Sequence[Dtype]) -> tuple[Dtype, ...]:
    return (dtypes,) if isinstance(dtypes, Dtype) else tuple(dtypes)


@contextmanager
def restored_precision() -> Iterator[None]:
    """The working precision is global; it is left as it was found."""
    before, cut = flint.ctx.prec, Cut.on
    try:
        yield
    finally:
        flint.ctx.prec, Cut.on = before, cut
