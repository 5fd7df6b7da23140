"""The computation graph of a formula at a point: values forward, derivatives backward.

It is the formula as typed, run in one precision by plain torch operations. Each step stands beside
what it should be, so that one sees where the digits go.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeGuard

import torch
from torch import Tensor

from losscodegen.ir.loss import Loss
from losscodegen.ir.nodes import (
    Call,
    Constant,
    Expr,
    Index,
    Number,
    Read,
    Size,
)
from losscodegen.ir.ops import OPS, Sort
from losscodegen.ir.walk import children, free_indices, inline
from losscodegen.judge.accused import words_as_numbers
from losscodegen.judge.criterion import Measure, measure, measure_slope
from losscodegen.judge.naive import Argument, Evaluator
from losscodegen.judge.oracle import Oracle
from losscodegen.judge.point import Point, Slope
from losscodegen.judge.rounding import Dtype
from losscodegen.judge.tensors import TORCH, Function, bind, execute
from losscodegen.judge.wording import format_number
from losscodegen.language.printer import format_expression

MOST_STEPS = 300
"""A graph of more steps than these is nobody's to read."""

SHOWN = 6
"""A tensor of more entries than these is told by its ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One operation; ``inputs`` are the places of its operands in the graph.

    Numbers are text, tensors in brackets. ``bits`` are the wrong ones of its worst entry, None
    where that is not known; ``exact_backward`` is empty for what is no input.
    """

    text: str
    name: str
    forward: str
    exact: str
    bits: float | None
    backward: str
    exact_backward: str
    backward_bits: float | None
    inputs: tuple[int, ...]
    leaf: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """The steps, each after those that it needs; the last one is the loss."""

    dtype: Dtype
    steps: tuple[Step, ...]


class Recorder(Evaluator):
    """Evaluates each expression once and keeps what came out."""

    def __init__(
        self, loss: Loss, arguments: Mapping[str, Argument], dtype: torch.dtype
    ) -> None:
        super().__init__(loss, arguments, dtype)
        self.kept: dict[Expr, Tensor] = {}

    def evaluate(self, expr: Expr, bound: Mapping[str, Tensor] | None = None) -> Tensor:
        if bound is not None:
            return super().evaluate(expr, bound)
        if expr not in self.kept:
            found = super().evaluate(expr)
            if found.requires_grad:
                found.retain_grad()
            self.kept[expr] = found
        return self.kept[expr]


def graph(loss: Loss, point: Point, dtype: Dtype = Dtype.FLOAT32) -> Graph | None:
    """The graph at a point; None if it has too many steps to be read."""
    bound = words_as_numbers(loss, bind(loss, point.values, TORCH[dtype]))
    recorder = Recorder(loss, bound, TORCH[dtype])
    value = recorder.unreduced()
    if value.requires_grad:
        value.sum().backward()
    root = recorder.loss.expression
    order = [
        e
        for e in _order(root, {})
        if e in recorder.kept and not _constant(e) and (e == root or not _sign(e))
    ]
    if len(order) > MOST_STEPS:
        return None
    oracle = Oracle.at(loss, point)
    truth = oracle.truth(point, dtype)
    names = {
        inline(d.body, loss.definitions): d.name
        for d in loss.definitions
        if not isinstance(d.body, Read)
    }
    place = {expr: k for k, expr in enumerate(order)}
    steps = []
    for expr in order:
        tensor = recorder.kept[expr]
        exact, bits = _exact(loss, oracle, expr, point, recorder, dtype)
        slopes = truth.gradient.get(expr.name, ()) if isinstance(expr, Read) else ()
        slope, slope_bits = _slopes(slopes, bound, expr, dtype)
        steps.append(
            Step(
                text=format_expression(expr),
                name="loss" if expr == root else names.get(expr, ""),
                forward=_shown(recorder, expr, tensor.detach(), dtype),
                exact=exact,
                bits=bits,
                backward=_backward(bound, recorder, expr, tensor, dtype),
                exact_backward=slope,
                backward_bits=slope_bits,
                inputs=tuple(
                    dict.fromkeys(place[c] for c in _operands(expr) if c in place)
                ),
                leaf=isinstance(expr, Read),
            )
        )
    return Graph(dtype=dtype, steps=tuple(steps))


def _order(expr: Expr, seen: dict[Expr, None]) -> Iterator[Expr]:
    """Operands before what is made of them, each once."""
    if expr in seen:
        return
    for child in _operands(expr):
        yield from _order(child, seen)
    if expr not in seen:
        seen[expr] = None
        yield expr


def _operands(expr: Expr) -> tuple[Expr, ...]:
    """What a step takes. Subscripts choose an entry and are no operands, a sign is no step."""
    if isinstance(expr, Read):
        return ()
    return tuple(c.args[0] if _sign(c) else c for c in children(expr))


def _sign(expr: Expr) -> TypeGuard[Call]:
    return isinstance(expr, Call) and expr.op == "neg"


def _constant(expr: Expr) -> bool:
    """Numbers, and what is made of numbers alone: they are part of the steps that use them."""
    if isinstance(expr, Number | Constant | Index | Size):
        return True
    return (
        bool(children(expr))
        and isinstance(expr, Call)
        and all(_constant(c) for c in children(expr))
    )


# ------------------------------------------------------------------------------------- numbers


def _is_truth(expr: Expr) -> bool:
    return isinstance(expr, Call) and OPS[expr.op].sort is Sort.BOOL


def _entries(
    recorder: Recorder, expr: Expr, tensor: Tensor
) -> tuple[Tensor, tuple[int, ...]]:
    """The entries of a step over its free indices, axes as they are declared, then the batch."""
    axes = [a.name for a in recorder.loss.axes]
    free = sorted(
        free_indices(expr), key=lambda i: axes.index(i.axis) if i.axis in axes else 99
    )
    full = recorder.full(tensor)
    count = len(recorder.dims)
    shape = list(full.shape)
    for index in free:
        shape[recorder.dims[index]] = recorder.sizes[index.axis]
    full = full.expand(shape)
    kept = [recorder.dims[i] for i in free] + list(range(count, full.ndim))
    rest = [d for d in range(count) if d not in kept]
    full = full.permute([*kept, *rest])
    full = full.reshape(full.shape[: len(kept)])
    return full.reshape(-1), tuple(full.shape)


def _shown(recorder: Recorder, expr: Expr, tensor: Tensor, dtype: Dtype) -> str:
    entries, _ = _entries(recorder, expr, tensor)
    if entries.dtype is torch.bool:
        return _listed(["true" if e else "false" for e in entries.tolist()])
    return _listed([format_number(float(e), dtype) for e in entries.tolist()])


def _listed(texts: list[str]) -> str:
    if len(texts) == 1:
        return texts[0]
    if len(set(texts)) == 1 and len(texts) > SHOWN:
        return f"{len(texts)} times {texts[0]}"
    if len(texts) <= SHOWN:
        return f"[{', '.join(texts)}]"
    return f"[{', '.join(texts[:3])}, …, {texts[-1]}]"


def _exact(
    loss: Loss,
    oracle: Oracle,
    expr: Expr,
    point: Point,
    recorder: Recorder,
    dtype: Dtype,
) -> tuple[str, float | None]:
    """What a step should give, and how many bits of what it gives are wrong."""
    if _is_truth(expr):
        return "", None
    try:
        wanted = oracle.evaluate(expr, point, dtype).entries
    except (ValueError, KeyError, OverflowError):
        return "", None
    entries, _ = _entries(recorder, expr, recorder.kept[expr].detach())
    if len(wanted) != len(entries) or (recorder.batch and loss.free):
        return "", None
    errors = [
        measure(want, float(got), dtype)
        for want, got in zip(wanted, entries.tolist(), strict=True)
    ]
    bits = [_bits(e.ulp, dtype) for e in errors if isinstance(e, Measure)]
    text = _listed([format_number(w.rounded(dtype), dtype) for w in wanted])
    return text, max(bits, default=None)


def _bits(ulp: float, dtype: Dtype) -> float:
    return min(float(dtype.precision), math.log2(max(1.0, ulp)))


def _backward(
    bound: Mapping[str, object],
    recorder: Recorder,
    expr: Expr,
    tensor: Tensor,
    dtype: Dtype,
) -> str:
    """The derivative of the sum of the loss by a step; that of an input by all its entries."""
    leaf = bound.get(expr.name) if isinstance(expr, Read) else None
    if isinstance(leaf, Tensor) and leaf.requires_grad:
        grad = torch.zeros_like(leaf) if leaf.grad is None else leaf.grad
        return _listed(
            [format_number(float(g), dtype) for g in grad.reshape(-1).tolist()]
        )
    if not tensor.requires_grad or tensor.grad is None:
        return ""
    return _shown(recorder, expr, tensor.grad, dtype)


def _slopes(
    slopes: tuple[Slope, ...], bound: Mapping[str, object], expr: Expr, dtype: Dtype
) -> tuple[str, float | None]:
    """The exact derivative by an input, and the wrong bits of that by autograd."""
    leaf = bound.get(expr.name) if isinstance(expr, Read) else None
    if not slopes or not isinstance(leaf, Tensor):
        return "", None
    grad = torch.zeros_like(leaf) if leaf.grad is None else leaf.grad
    errors = [
        measure_slope(slope, float(got), dtype)
        for slope, got in zip(slopes, grad.reshape(-1).tolist(), strict=True)
    ]
    bits = [_bits(e.ulp, dtype) for e in errors if isinstance(e, Measure)]
    text = _listed([format_number(s.value.rounded(dtype), dtype) for s in slopes])
    return text, max(bits, default=None)


# ------------------------------------------------------------------------------------- results


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The loss or a derivative at a point: exactly, as typed, and as the module has it."""

    what: str
    exact: str
    forms: tuple[tuple[str, str, float | None], ...]
    """Name, number and wrong bits."""


def outcomes(
    loss: Loss,
    point: Point,
    compared: Iterator[tuple[str, Function]],
    dtype: Dtype = Dtype.FLOAT32,
) -> tuple[Outcome, ...]:
    """The loss and its derivatives at a point, form beside form."""
    truth = Oracle.at(loss, point).truth(point, dtype)
    results = [(name, execute(loss, [point], f, dtype)[0]) for name, f in compared]
    wanted: dict[str, list[tuple[str, Slope]]] = {
        "loss": [
            (format_number(v.rounded(dtype), dtype), Slope(value=v))
            for v in truth.value
        ]
    }
    for name, slopes in truth.gradient.items():
        wanted[f"derivative by {name}"] = [
            (format_number(s.value.rounded(dtype), dtype), s) for s in slopes
        ]
    found = []
    for what, want in wanted.items():
        forms: list[tuple[str, str, float | None]] = []
        for name, result in results:
            row = (
                result.value
                if what == "loss"
                else result.gradient.get(what.removeprefix("derivative by "), ())
            )
            if result.error is not None or len(row) != len(want):
                forms.append((name, "no result", float(dtype.precision)))
                continue
            errors = [
                (
                    measure(s.value, got, dtype)
                    if what == "loss"
                    else measure_slope(s, got, dtype)
                )
                for (_, s), got in zip(want, row, strict=True)
            ]
            bits = [_bits(e.ulp, dtype) for e in errors if isinstance(e, Measure)]
            text = _listed([format_number(got, dtype) for got in row])
            forms.append((name, text, max(bits, default=None)))
        found.append(
            Outcome(what=what, exact=_listed([t for t, _ in want]), forms=tuple(forms))
        )
    return tuple(found)
