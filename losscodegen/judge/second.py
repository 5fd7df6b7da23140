"""Second derivatives of losses that look at one element of each input at a time.

They are reported and not judged: Newton's method, Laplace approximations and influence functions
need them, training does not, and not every module promises them. What is measured is the
diagonal of the Hessian by autograd, differentiated twice, where it exists and is a normal number of
the format. At kinks there is none; a second derivative of 0 is looked at for NaN and infinities
alone, since any other number there is an error of the gradient.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from losscodegen.ir.loss import ELLIPSIS, Loss
from losscodegen.judge.case import Case
from losscodegen.judge.compare import lenient, new_case, point_class, ulp_of
from losscodegen.judge.criterion import (
    Fault,
    Limits,
    Measure,
    Skip,
    difference,
    measure,
    near_overflow,
    near_underflow,
    scaled_error,
)
from losscodegen.judge.oracle_second import Bend, bends
from losscodegen.judge.oracle_sides import choices
from losscodegen.judge.oracles import Oracles
from losscodegen.judge.point import Array, Entry, Point, Truth
from losscodegen.judge.probes import leaves, moved
from losscodegen.judge.rim import at_rim, is_tame
from losscodegen.judge.rounding import Dtype
from losscodegen.judge.tensors import TORCH, Function, bind, stacks
from losscodegen.judge.variants import Variants

SECOND = "second"
ENTRIES = 240
"""So many second derivatives at most: at points spread evenly over all, so that each kind of point
has its share."""
LOOKED_AT = 16
"""For so many errors at most it is asked what the conditioning explains."""

Diagonal = Mapping[str, tuple[float, ...]]
"""A second derivative for every entry of every input that is a continuum."""


# ------------------------------------------------------------------------------------ autograd


def diagonals(
    loss: Loss, points: Sequence[Point], function: Function, dtype: Dtype
) -> list[Diagonal | None]:
    """The second derivatives of ``function`` at points of one element each.

    None where it raises: not everything can be differentiated twice.
    """
    found: list[Diagonal | None] = [None] * len(points)
    for stack in stacks(loss, points):
        if not stack.joined:
            continue
        try:
            columns = _run(loss, stack.values, function, TORCH[dtype])
        except Exception:  # the accused may raise whatever it likes
            continue
        for k, place in enumerate(stack.places):
            found[place] = {n: tuple(rows[k]) for n, rows in columns.items()}
    return found


def _run(
    loss: Loss, values: Mapping[str, Entry], function: Function, dtype: torch.dtype
) -> dict[str, list[list[float]]]:
    """The diagonal by variable, one row per element of the batch."""
    bound = bind(loss, values, dtype)
    wanted = {
        name: b
        for name, b in bound.items()
        if isinstance(b, Tensor) and b.requires_grad
    }
    value = function(bound)
    slopes: Sequence[Tensor | None] = [None] * len(wanted)
    if value.requires_grad:
        slopes = torch.autograd.grad(
            value.sum(), list(wanted.values()), create_graph=True, allow_unused=True
        )
    return {
        name: _bends(leaf, slope, loss.variable(name).axes.index(ELLIPSIS))
        for (name, leaf), slope in zip(wanted.items(), slopes, strict=True)
    }


def _bends(leaf: Tensor, slope: Tensor | None, at: int) -> list[list[float]]:
    """Each entry of an element by itself: those of other elements have no part in it."""
    lanes = leaf.shape[at]
    rows = torch.zeros_like(leaf).movedim(at, 0).reshape(lanes, -1)
    if slope is not None and slope.requires_grad:
        columns = slope.movedim(at, 0).reshape(lanes, -1)
        for k in range(columns.shape[1]):
            (bend,) = torch.autograd.grad(
                columns[:, k].sum(), [leaf], retain_graph=True, allow_unused=True
            )
            if bend is not None:
                rows[:, k] = bend.movedim(at, 0).reshape(lanes, -1)[:, k]
    return [[float(x) for x in row] for row in rows.tolist()]


# ----------------------------------------------------------------------------------- comparing


@dataclass(slots=True)
class Seconds:
    """The second derivatives of a module and of the formula as typed, beside the true ones."""

    loss: Loss
    oracles: Oracles
    dtype: Dtype
    limits: Limits
    variants: Variants

    def compare(
        self,
        points: Sequence[Point],
        truths: Sequence[Truth],
        ours: Function,
        naive: Function,
    ) -> Iterator[tuple[Case, Measure | Skip, Measure | Skip, str]]:
        """Every entry: its case, the two errors, its class."""
        count = len(list(leaves(self.loss, points[0]))) if points else 0
        step = max(1, math.ceil(len(points) * count / ENTRIES))
        chosen = [
            k
            for k in range(0, len(points), step)
            if all(v.finite for v in truths[k].value)
        ]
        there = [points[k] for k in chosen]
        results = diagonals(self.loss, there, ours, self.dtype)
        typed = diagonals(self.loss, there, naive, self.dtype)
        for k, point, result, beside in zip(chosen, there, results, typed, strict=True):
            if result is not None:
                yield from self._point(point, truths[k], result, beside)

    def _point(
        self, point: Point, truth: Truth, ours: Diagonal, naive: Diagonal | None
    ) -> Iterator[tuple[Case, Measure | Skip, Measure | Skip, str]]:
        group, rim, tame = (
            point_class(point.label),
            at_rim(point, self.dtype),
            is_tame(point),
        )
        ends = any(
            near_overflow(v, self.dtype) or near_underflow(v, self.dtype)
            for v in truth.value
        )
        for name, row in self.bends(point, truth).items():
            for k, bend in enumerate(row):
                got = ours[name][k]
                typed = math.nan if naive is None else naive[name][k]
                error = _measure(bend, got, self.dtype)
                beside = _measure(bend, typed, self.dtype)
                if rim or ends or near_overflow(bend.value, self.dtype):
                    error = lenient(error, self.limits.fails(SECOND))
                case = new_case(
                    point, truth, SECOND, name, k, bend.value, got, error, tame
                )
                case.naive, case.naive_ulp = typed, ulp_of(beside)
                yield case, error, beside, group

    def bends(self, point: Point, truth: Truth) -> Mapping[str, tuple[Bend, ...]]:
        return bends(self.oracles.at(self.loss, point), point, self.dtype, truth.bits)

    def bend(self, loss: Loss, point: Point, case: Case) -> Bend:
        """The second derivative of ``loss`` at ``point`` by the entry that a case is about."""
        assert case.variable is not None
        oracle, only = self.oracles.at(loss, point), (case.variable, case.entry)
        row = bends(oracle, point, self.dtype, case.truth.bits, only=only)
        return row[case.variable][case.entry]

    def condition(self, case: Case) -> float:
        """The sum of the mixed criterion, by the change that one ulp of each input makes.

        Infinite where that leads to a kink: next to it any second derivative will do.
        """
        total = sum(self._change(case, leaf) for leaf in leaves(self.loss, case.point))
        if not total > 0:
            return -math.inf
        return math.log2(total) - math.log2(self.dtype.epsilon)

    def _change(self, case: Case, leaf: tuple[str, int]) -> float:
        """What moving the leaf by ``eps`` of its size would change."""
        there = moved(self.loss, case.point, {leaf: 1}, self.dtype)
        x, y = _number(case.point, leaf), _number(there, leaf)
        if x == y or not (math.isfinite(x) and math.isfinite(y)):
            return 0.0
        bend = self.bend(self.loss, there, case)
        if bend.kink:
            return math.inf
        change = difference(case.want, bend.value, self.dtype)
        return change * (self.dtype.epsilon * abs(x) / abs(x - y))

    def probe(self, case: Case) -> float:
        """The error in units of what constants change when they are rounded."""
        width = 0.0
        for loss in self.variants(self.loss, self.dtype):
            bend = self.bend(loss, case.point, case)
            width = max(width, difference(case.want, bend.value, self.dtype))
        error = scaled_error(case.want, case.got, width, case.ulp, self.dtype)
        # Within rounding of a kink it has as many second derivatives as sides.
        return 0.0 if error > 1 and self._beside_a_kink(case) else error

    def _beside_a_kink(self, case: Case) -> bool:
        oracle = self.oracles.at(self.loss, case.point)
        return choices(oracle, case.point, self.dtype, case.truth.bits) != []


def _number(point: Point, leaf: tuple[str, int]) -> float:
    entry = point.values[leaf[0]]
    number = entry.entries[leaf[1]] if isinstance(entry, Array) else entry
    assert isinstance(number, float | int)
    return float(number)


def _measure(bend: Bend, got: float, dtype: Dtype) -> Measure | Skip:
    """The error where there is a second derivative that is a normal number."""
    if bend.kink:
        return Skip.KINK
    want = bend.value.rounded(dtype)
    if bend.value.finite and abs(want) < dtype.tiny and math.isfinite(got):
        return Skip.ZERO if want == 0 and bend.value.exact else Skip.SMALL
    if math.isinf(want):
        return Skip.OVERFLOW
    return measure(bend.value, got, dtype)


def worst_faults(cases: Sequence[Case]) -> list[Case]:
    """One case for every variable and kind of error, of those that give no number at all."""
    found: dict[tuple[str | None, Fault], Case] = {}
    for case in cases:
        if case.fault in (Fault.NAN, Fault.INFINITE):
            found.setdefault((case.variable, case.fault), case)
    return list(found.values())
