"""What is drawn: a loss with its derivatives along a slice, and the bits that are wrong there."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from losscodegen.ir.loss import Loss
from losscodegen.judge.accused import Accused, words_as_numbers
from losscodegen.judge.criterion import Measure, Skip, measure, measure_slope
from losscodegen.judge.naive import naive_loss
from losscodegen.judge.oracles import Oracles
from losscodegen.judge.point import Point, Truth
from losscodegen.judge.points import tidy_points
from losscodegen.judge.rounding import Dtype
from losscodegen.judge.second import diagonals
from losscodegen.judge.tensors import (
    TORCH,
    Bound,
    Function,
    Result,
    bind,
    execute,
    is_pointwise,
)
from losscodegen.teach.slices import Slice, everywhere, ordinary

VALUE, GRADIENT, SECOND = "loss", "gradient", "second derivative"


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A function of the running entry; NaN where it has no value."""

    label: str
    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """For one order: how many bits of each form are wrong along the slice.

    NaN stands where there is nothing to be right about. ``total`` is how many bits there are.
    """

    order: str
    total: int
    x: tuple[float, ...]
    forms: tuple[tuple[str, tuple[float, ...]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Forms:
    """The ways of computing a loss that are compared: each takes arguments by symbol."""

    typed: Function
    generated: Function
    torch: Function | None = None

    def named(self) -> Iterator[tuple[str, Function]]:
        yield "as typed", self.typed
        if self.torch is not None:
            yield "torch.nn", self.torch
        yield "generated", self.generated


def forms(loss: Loss, source: str) -> Forms:
    """The formula as typed, the generated module, and PyTorch's own class of the same meaning.

    Raises:
        CannotLoadError: if ``source`` is no module with the class of the loss.
    """
    accused = Accused.load(loss, source)
    own = torch_class(loss)
    return Forms(
        typed=typed(loss),
        generated=accused.call,
        torch=None if own is None else Accused(loss, own).call,
    )


def typed(loss: Loss, dtype: torch.dtype | None = None) -> Function:
    """The formula as it stands in the spec, in the dtype of the tensors that it is given."""

    def function(bound: Mapping[str, Bound]) -> Tensor:
        wide = dtype or next(
            b.dtype
            for b in bound.values()
            if isinstance(b, Tensor) and b.is_floating_point()
        )
        return naive_loss(loss, words_as_numbers(loss, bound), wide)

    return function


def torch_class(loss: Loss) -> type[nn.Module] | None:
    """The class of `torch.nn` that has the name of the loss, if it also has its values."""
    found = getattr(nn, loss.name, None)
    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        return None
    points = tidy_points(loss, Dtype.FLOAT64, seed=0, count=6, purpose="torch")
    if not points:
        return None
    oracles = Oracles()
    for point, result in zip(
        points,
        execute(loss, points, Accused(loss, found).call, Dtype.FLOAT64),
        strict=True,
    ):
        want = oracles.values(loss, point)
        if result.error is not None or len(want) != len(result.value):
            return None
        for one, other in zip(want, result.value, strict=True):
            if not math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-6):
                return None
    return found


# -------------------------------------------------------------------------------------- curves


def curves(
    loss: Loss,
    one: Slice,
    function: Function,
    *,
    count: int = 161,
    numbers: tuple[float, ...] | None = None,
) -> dict[str, tuple[Curve, ...]]:
    """Loss, gradient and second derivative over ``numbers``, or those of usual size, in float64.

    The loss is the sum of its entries, where it has more than one. ``function`` should be the
    generated module: its float64 results are right to far more digits than can be drawn.
    """
    x = ordinary(one.variable, one.at, count=count) if numbers is None else numbers
    found: dict[str, tuple[Curve, ...]] = {}
    for place, label in enumerate(one.labels):
        points = one.line(place, x)
        results = execute(loss, points, function, Dtype.FLOAT64)
        columns = {
            VALUE: [math.nan if r.error else math.fsum(r.value) for r in results],
            GRADIENT: [_slope(r, one) for r in results],
            SECOND: _bends(loss, points, function, one),
        }
        for order, y in columns.items():
            curve = Curve(label=label, x=x, y=tuple(y))
            found[order] = (*found.get(order, ()), curve)
    return found


def _slope(result: Result, one: Slice) -> float:
    row = result.gradient.get(one.variable.name, ())
    return row[one.entry] if result.error is None and one.entry < len(row) else math.nan


def _bends(
    loss: Loss, points: Sequence[Point], function: Function, one: Slice
) -> list[float]:
    name, entry = one.variable.name, one.entry
    if is_pointwise(loss):
        rows = diagonals(loss, points, function, Dtype.FLOAT64)
        return [math.nan if row is None else row[name][entry] for row in rows]
    return [_bend(loss, point, function, name, entry) for point in points]


def _bend(loss: Loss, point: Point, function: Function, name: str, entry: int) -> float:
    """The second derivative of the sum by one entry, by autograd twice."""
    bound = bind(loss, point.values, TORCH[Dtype.FLOAT64])
    leaf = bound[name]
    assert isinstance(leaf, Tensor)
    try:
        value = function(bound)
        (slope,) = torch.autograd.grad(value.sum(), leaf, create_graph=True)
        if not slope.requires_grad:
            return 0.0
        picked = slope.reshape(-1)[entry]
        found: Sequence[Tensor | None] = torch.autograd.grad(
            picked, leaf, allow_unused=True
        )
    except Exception:  # not everything can be differentiated twice
        return math.nan
    return 0.0 if found[0] is None else float(found[0].reshape(-1)[entry])


# -------------------------------------------------------------------------------------- errors


def errors(
    loss: Loss,
    one: Slice,
    compared: Forms,
    dtype: Dtype = Dtype.FLOAT32,
    dense: int = 8,
) -> tuple[Errors, Errors]:
    """How many bits of value and gradient are wrong, over numbers of all sizes.

    The worst entry counts, and the worst of the labels.
    """
    x = everywhere(one.variable, dense=dense)
    truth = _truths(loss)
    bits: dict[str, list[list[float]]] = {VALUE: [], GRADIENT: []}
    names = [name for name, _ in compared.named()]
    for _, function in compared.named():
        rows: dict[str, list[float]] = {
            VALUE: [math.nan] * len(x),
            GRADIENT: [math.nan] * len(x),
        }
        for place in range(len(one.points)):
            points = one.line(place, x)
            results = execute(loss, points, function, dtype)
            for k, (point, result) in enumerate(zip(points, results, strict=True)):
                wrong = _wrong(truth(point, dtype), result, one, dtype)
                for order, found in wrong.items():
                    if not found <= rows[order][k]:  # NaN gives way to any number
                        rows[order][k] = rows[order][k] if math.isnan(found) else found
        for order, row in rows.items():
            bits[order].append(row)
    value, gradient = (
        Errors(
            order=order,
            total=dtype.precision,
            x=x,
            forms=tuple(
                (name, tuple(row)) for name, row in zip(names, bits[order], strict=True)
            ),
        )
        for order in (VALUE, GRADIENT)
    )
    return value, gradient


def _larger(one: float, other: float) -> float:
    """NaN gives way to any number."""
    if math.isnan(one) or math.isnan(other):
        return other if math.isnan(one) else one
    return max(one, other)


def _truths(loss: Loss) -> Callable[[Point, Dtype], Truth | None]:
    """The oracle, asked once for each point."""
    oracles = Oracles()
    known: dict[str, Truth | None] = {}

    def truth(point: Point, dtype: Dtype) -> Truth | None:
        key = repr(point.values)
        if key not in known:
            known[key] = oracles(loss, point, dtype)
        return known[key]

    return truth


def _wrong(
    truth: Truth | None, result: Result, one: Slice, dtype: Dtype
) -> dict[str, float]:
    if truth is None:
        return {}
    lost = float(dtype.precision)
    broken = result.error is not None or len(result.value) != len(truth.value)
    values = [
        (measure(want, math.nan if broken else result.value[k], dtype))
        for k, want in enumerate(truth.value)
    ]
    slopes = truth.gradient.get(one.variable.name, ())
    slope = slopes[one.entry] if one.entry < len(slopes) else None
    found = {VALUE: max((wrong_bits(m, lost) for m in values), default=math.nan)}
    if slope is not None and all(v.finite for v in truth.value):
        got = math.nan if broken else _slope(result, one)
        found[GRADIENT] = wrong_bits(measure_slope(slope, got, dtype), lost)
    return found


def wrong_bits(error: Measure | Skip, most: float) -> float:
    """How many of the last bits are wrong: none within an ulp, all where there are no digits."""
    if isinstance(error, Skip):
        return math.nan
    return min(most, math.log2(max(1.0, error.ulp)))
