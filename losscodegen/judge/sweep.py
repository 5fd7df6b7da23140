"""A module on every number of a format: the reference is the module itself in float64.

Where float64 has been judged, its results are the truth of a narrower format to within a small part
of an ulp, and a whole format can be swept: 65,536 numbers of half precision, or 2**32 of float32.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from losscodegen.ir.loss import ELLIPSIS, DomainKind, Loss, Variable
from losscodegen.judge.accused import Accused
from losscodegen.judge.laws import example_point
from losscodegen.judge.point import Array, Entry
from losscodegen.judge.rounding import Dtype
from losscodegen.judge.samplers import Range
from losscodegen.judge.tensors import (
    TORCH,
    Bound,
    differentiable,
    is_pointwise,
    tensor,
)

LABELS: Mapping[DomainKind, tuple[float, ...]] = {
    DomainKind.BINARY: (0.0, 1.0),
    DomainKind.SIGN: (-1.0, 1.0),
}
"""What an input of few values is fixed at."""
FIXED = 2
"""At so many entries of the example the other inputs are fixed."""


@dataclass(frozen=True, slots=True)
class Slice:
    """One input that runs through all numbers while everything else is fixed."""

    swept: Variable
    fixed: Mapping[str, Entry]


@dataclass(frozen=True, slots=True)
class Count:
    """Errors in ulp of the result's format; ``at`` is where the worst one is.

    ``beyond`` counts those above the limit, ``broken`` a NaN or infinity where there is a number.
    Results below the smallest normal number may be off by that number; at the ends of the range,
    where intermediate results have no room, nothing is judged.
    """

    judged: int = 0
    beyond: int = 0
    broken: int = 0
    worst: float = 0.0
    at: float = 0.0

    def __add__(self, other: Count) -> Count:
        far = other if other.worst > self.worst else self
        return Count(
            judged=self.judged + other.judged,
            beyond=self.beyond + other.beyond,
            broken=self.broken + other.broken,
            worst=far.worst,
            at=far.at,
        )


def slices(loss: Loss) -> Iterator[Slice]:
    """The slices of a pointwise loss, parameters at the example's values; none of another loss.

    Every real input is swept in its turn, the others are labels of either kind or entries of the
    example.
    """
    if loss.example is None or not is_pointwise(loss):
        return
    point = example_point(loss).values
    inputs = [v for v in loss.inputs if not v.subscripted_axes]
    if len(inputs) < len(loss.inputs):
        return
    for swept in inputs:
        if not differentiable(swept) or swept.domain.kind in LABELS:
            continue
        for choice in range(FIXED):
            fixed = {n: _chosen(loss, n, e, choice) for n, e in point.items()}
            yield Slice(swept, fixed)
        if len(inputs) == 1:
            return


def _chosen(loss: Loss, name: str, entry: Entry, choice: int) -> Entry:
    if not isinstance(entry, Array) or ELLIPSIS not in loss.variable(name).axes:
        return entry
    kind = loss.variable(name).domain.kind
    if kind in LABELS:
        return Array((1,), (LABELS[kind][choice % 2],))
    if not entry.shape:
        return Array((1,), entry.entries)
    return Array((1,), (entry.entries[choice % len(entry.entries)],))


def every(dtype: Dtype) -> Tensor:
    """All finite numbers of a format of 16 bits."""
    bits = torch.arange(2**16, dtype=torch.int32).to(torch.int16)
    numbers = bits.view(TORCH[dtype])
    return numbers[numbers.isfinite()]


def sweep(
    accused: Accused, one: Slice, numbers: Tensor, dtype: Dtype, limit: float
) -> tuple[Count, Count]:
    """The errors of value and gradient at those ``numbers`` that the domain admits.

    What is fixed in ``one`` must be representable in ``dtype`` (`narrowed`).
    """
    allowed = Range.of(one.swept.domain, dtype)
    wide = numbers.double()
    numbers = numbers[(wide >= allowed.low) & (wide <= allowed.high)]
    got = _run(accused, one, numbers)
    want = _run(accused, one, numbers.double())
    value, slope = (
        _errors(g, w, numbers, dtype, limit) for g, w in zip(got, want, strict=True)
    )
    return value, slope


def _run(accused: Accused, one: Slice, numbers: Tensor) -> tuple[Tensor, Tensor]:
    """Value and slope in the format of ``numbers``."""
    bound: dict[str, Bound] = {}
    leaf = numbers.clone().requires_grad_()
    for variable in accused.loss.variables:
        entry = one.fixed[variable.name]
        if variable.name == one.swept.name:
            bound[variable.name] = leaf
        elif isinstance(entry, Array):
            made = tensor(variable, entry, numbers.dtype)
            of_batch = ELLIPSIS in variable.axes
            bound[variable.name] = made.expand(numbers.shape) if of_batch else made
        else:
            bound[variable.name] = entry
    value = accused.call(bound)
    (slope,) = torch.autograd.grad(value.sum(), leaf)
    return value.detach(), slope


def narrowed(one: Slice, dtype: Dtype) -> Slice:
    """``one`` with what is fixed rounded to ``dtype``, so that every format has the same point."""
    fixed = {
        name: (
            Array(
                entry.shape,
                tuple(
                    (
                        torch.tensor(e, dtype=TORCH[dtype]).item()
                        if isinstance(e, float)
                        else e
                    )
                    for e in entry.entries
                ),
            )
            if isinstance(entry, Array)
            else entry
        )
        for name, entry in one.fixed.items()
    }
    return replace(one, fixed=fixed)


def _errors(
    got: Tensor, want: Tensor, numbers: Tensor, dtype: Dtype, limit: float
) -> Count:
    rounded = want.to(TORCH[dtype]).double()
    got = got.double()
    known = ~want.isnan()
    _, exponent = torch.frexp(want)
    unit = torch.ldexp(
        torch.ones_like(want), (exponent - dtype.precision).clamp(min=dtype.bottom)
    )
    error = (got - want).abs() / unit
    small = (got - want).abs() <= dtype.tiny
    same = got == rounded
    error = torch.where(small | same, error.clamp(max=limit), error)
    # At the ends of the range intermediate results have no room.
    far = math.ldexp(1.0, dtype.top - dtype.room)
    finite = known & (want.abs() < far) & (numbers.double().abs() < far)
    broken = finite & ~got.isfinite()
    judged = finite & got.isfinite()
    error = torch.where(judged, error, 0.0)
    place = int(error.argmax()) if error.numel() else 0
    return Count(
        judged=int(finite.sum()),
        beyond=int((error > limit).sum()),
        broken=int(broken.sum()),
        worst=float(error[place]) if error.numel() else 0.0,
        at=float(numbers[place]) if error.numel() else 0.0,
    )
