"""What a module promises of a batch of one element, and of axes of length 1.

A variance of one entry, a squeeze, a neighbour that is not there: the formula says what they are,
or that they are nothing, and then nothing is promised. A single class makes softmax constant.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from random import Random

import torch
from torch import Tensor

from losscodegen.ir.loss import ELLIPSIS, Loss
from losscodegen.judge.accused import Accused
from losscodegen.judge.oracles import Oracles
from losscodegen.judge.point import Point, Real, Slope
from losscodegen.judge.points import admitted, default_values, repaired
from losscodegen.judge.rounding import Dtype
from losscodegen.judge.settings import Setting, may_be_absent
from losscodegen.judge.shaped import shaped_point
from losscodegen.judge.tensors import bind, run
from losscodegen.judge.wording import format_point

SLACK = 1e-9
"""Relative to the number and to 1, as the points are tame: how many digits are right is judged
elsewhere, and a softmax of one class leaves rounding errors in place of 0."""

OTHERS = 3
"""The length of axes that have more than one entry."""

TRIES = 8


def one_fault(loss: Loss, accused: Accused) -> tuple[int, str]:
    """How many numbers were compared with the truth, and what is wrong."""
    oracles, checked = Oracles(), 0
    for point in _points(loss):
        truth = oracles(loss, point, Dtype.FLOAT64)
        if truth is None or not all(v.finite or v.infinite for v in truth.value):
            continue
        at = f"at {format_point(point)}"
        value, gradient = run(loss, point.values, accused.call, torch.float64)
        if tuple(value.shape) != truth.shape:
            return (
                checked,
                f"the shape is {tuple(value.shape)}, not {truth.shape}, {at}",
            )
        for number, want in zip(value.reshape(-1).tolist(), truth.value, strict=True):
            if not _is(number, want):
                return checked, f"the value is {number}, not {want.rounded()}, {at}"
            checked += 1
        for name, slopes in truth.gradient.items():
            found = gradient[name].reshape(-1).tolist() if name in gradient else ()
            for number, slope in zip(found, slopes, strict=bool(found)):
                if not _is_slope(number, slope):
                    return checked, (
                        f"the gradient by {name} is {number}, not {slope.value.rounded()}, {at}"
                    )
                checked += 1
        if value.numel() == 1 and not loss.scalar:
            weight = 1.0
            if loss.mean_weight is not None:
                weights = oracles.at(loss, point).evaluate(loss.mean_weight, point)
                weight = math.prod(e.rounded() for e in weights.entries)
            compared, fault = _reduced(loss, accused, point, value, weight)
            if fault:
                return checked, f"{fault}, {at}"
            checked += compared
    return checked, ""


def _reduced(
    loss: Loss, accused: Accused, point: Point, value: Tensor, weight: float
) -> tuple[int, str]:
    """One element is its own sum, and but for its weight its own mean."""
    bound = {
        name: b.detach() if isinstance(b, Tensor) else b
        for name, b in bind(loss, point.values, torch.float64).items()
    }
    one, expected = value.reshape(()), {"sum": value.reshape(())}
    if weight and math.isfinite(weight):
        expected["mean"] = one / weight
    for name, want in expected.items():
        got = accused.call(bound, reduction=name).detach()
        if got.shape or not torch.allclose(got, want, rtol=SLACK, atol=SLACK):
            return 0, f"the {name} of the one element {one.item()} is {got.tolist()}"
    return len(expected), ""


# ---------------------------------------------------------------------- comparing


def _is(got: float, want: Real) -> bool:
    number = want.rounded()
    if math.isinf(number):
        return got == number
    return abs(got - number) <= SLACK * max(1.0, abs(number))


def _is_slope(got: float, want: Slope) -> bool:
    """At a kink every subgradient is right, at a vertical tangent every number."""
    if want.jump or not (want.value.finite or want.value.infinite):
        return True
    if want.value.infinite and math.isfinite(got):
        return True
    if want.low is None or want.high is None:
        return _is(got, want.value)
    low, high = want.low.rounded(), want.high.rounded()
    if math.isnan(low) or math.isnan(high):
        return True
    slack = SLACK * max(1.0, abs(got))
    return low - slack <= got <= high + slack


# ---------------------------------------------------------------------- points


def _points(loss: Loss) -> Iterator[Point]:
    """Points with one element, with one entry to each, and with both; as far as there are any."""
    free = {i.axis for i in loss.free if not i.axis.isdecimal()}
    axes = {a for v in loss.variables for a in v.subscripted_axes if not a.isdecimal()}
    batched = any(ELLIPSIS in v.axes for v in loss.inputs)
    cases: dict[tuple[frozenset[str], tuple[int, ...]], None] = {}
    wanted: tuple[tuple[set[str], tuple[int, ...]], ...] = (
        (free, (1,)),
        (axes - free, (2,)),
        (axes, ()),
    )
    for names, shape in wanted:
        if names or (batched and shape == (1,)):
            cases[frozenset(names), shape if batched else ()] = None
    for k, (ones, batch) in enumerate(cases):
        point = _point(
            loss, {a: 1 if a in ones else OTHERS for a in axes}, batch, whole=k > 0
        )
        if point is not None:
            yield point


def _point(
    loss: Loss, sizes: Mapping[str, int], batch: tuple[int, ...], *, whole: bool
) -> Point | None:
    """A tame point of these sizes, with every option or with none; None if none is found."""
    setting = Setting(
        scalars={
            v.name: default_values(loss)[v.name] for v in loss.parameters if v.scalar
        },
        absent=frozenset(
            v.name for v in loss.variables if not whole and may_be_absent(loss, v)
        ),
        sizes=sizes,
    )
    random = Random(f"{loss.name}/one/{sorted(sizes.items())}/{batch}")
    for _ in range(TRIES):
        point = shaped_point(
            loss, setting, Dtype.FLOAT64, random, size=2, batch=batch, fill="tidy"
        )
        if fit := admitted(loss, [repaired(loss, point)]):
            return fit[0]
    return None
