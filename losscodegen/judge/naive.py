"""A loss evaluated as it is written, in torch: no guard, no rewriting, autograd for the gradient.

It is the formula that a reader of the spec would type. Ops that the op table explains by simpler
ones are computed by that explanation (softplus is ``log(1 + exp(x))``), binders and keepers by
their definitions. So it overflows and cancels wherever the mathematics allows it, which is the
point: it stands beside the guarded module, and in float64 on tame numbers it checks the module
by a different route.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import partial
from typing import assert_never

import torch
from torch import Tensor

from losscodegen.ir.loss import ELLIPSIS, DomainKind, Loss
from losscodegen.ir.nodes import (
    Call,
    Constant,
    Expr,
    Index,
    Keep,
    Number,
    Read,
    Reduce,
    Reduction,
    Select,
    Size,
    Switch,
    Use,
)
from losscodegen.ir.walk import inline_loss, walk
from losscodegen.judge.plain import CONSTANTS, KEEPERS, PRIMITIVES, meaning

Argument = Tensor | float | int | bool | None
"""What a variable is bound to; None is an optional left out, which counts as 1."""


def axis_sizes(loss: Loss, arguments: Mapping[str, Argument]) -> dict[str, int]:
    """The size of every named axis, from the tensors bound to variables that have it."""
    sizes = {a.name: a.size for a in loss.axes if a.size is not None}
    for variable in loss.variables:
        bound = arguments.get(variable.name)
        if isinstance(bound, Tensor) and variable.subscripted_axes:
            axes, shape = variable.axes, tuple(bound.shape)
            if ELLIPSIS in axes:
                at = axes.index(ELLIPSIS)
                rest = len(axes) - at - 1
                shape = shape[:at] + shape[len(shape) - rest :]
            sizes.update(zip(variable.subscripted_axes, shape, strict=True))
    return sizes


class Evaluator:
    """Expressions of one loss at one set of arguments.

    ``further`` are expressions beside those of the loss that will be evaluated.
    Every result has the same layout: one dim for each index of the loss, of size 1 where the result
    does not depend on it, then the dims of ``...``. So all of torch's broadcasting applies.
    """

    def __init__(
        self,
        loss: Loss,
        arguments: Mapping[str, Argument],
        dtype: torch.dtype,
        further: Iterable[Expr] = (),
    ) -> None:
        self.loss = inline_loss(loss) if loss.definitions else loss
        self.arguments = arguments
        self.dtype = dtype
        self.sizes = axis_sizes(loss, arguments)
        roots = [self.loss.expression, *self.loss.require, *further]
        if self.loss.mean_weight is not None:
            roots.append(self.loss.mean_weight)
        found = (n for root in roots for n in walk(root))
        indices: dict[Index, None] = dict.fromkeys(self.loss.free)
        for node in found:
            match node:
                case Index():
                    indices.setdefault(node)
                case Reduce(indices=bound):
                    indices.update(dict.fromkeys(bound))
                case Keep(index=index):
                    indices.setdefault(index)
        self.dims = {index: k for k, index in enumerate(indices)}
        self.batch = max(
            (
                a.ndim - len(v.subscripted_axes)
                for v in loss.variables
                if ELLIPSIS in v.axes and isinstance(a := arguments.get(v.name), Tensor)
            ),
            default=0,
        )

    # ------------------------------------------------------------------ results

    def unreduced(self) -> Tensor:
        """The loss before reduction: its free indices with the batch dims where they belong."""
        return self.arranged(self.evaluate(self.loss.expression))

    def arranged(self, value: Tensor) -> Tensor:
        """``value`` with the dims of the unreduced loss instead of the common layout."""
        loss, count = self.loss, len(self.dims)
        value = self.full(value)
        shape = list(value.shape)
        for index in loss.free:
            shape[self.dims[index]] = self.sizes[index.axis]
        if loss.batch is not None:
            shape[count:] = self._batch_shape()
        value = value.expand(shape)
        order = [self.dims[index] for index in loss.free]
        if loss.batch is not None:
            order[loss.batch : loss.batch] = range(count, count + self.batch)
        rest = [d for d in range(value.ndim) if d not in order]
        value = value.permute([*order, *rest])
        return value.reshape(value.shape[: len(order)])

    def _batch_shape(self) -> tuple[int, ...]:
        shapes = []
        for variable in self.loss.variables:
            bound = self.arguments.get(variable.name)
            if ELLIPSIS in variable.axes and isinstance(bound, Tensor):
                at = variable.axes.index(ELLIPSIS)
                stop = bound.ndim - (len(variable.axes) - at - 1)
                shapes.append(tuple(bound.shape[at:stop]))
        return _broadcast(*shapes, (1,) * self.batch)

    # ------------------------------------------------------------------ expressions

    def evaluate(self, expr: Expr, bound: Mapping[str, Tensor] | None = None) -> Tensor:
        """``expr`` in the common layout; ``bound`` are the arguments of an op's meaning."""
        go = partial(self.evaluate, bound=bound)
        match expr:
            case Number(value):
                return self._scalar(_as_float(value.numerator, value.denominator))
            case Constant(name):
                return self._scalar(CONSTANTS[name])
            case Index():
                count = torch.arange(self.sizes[expr.axis], dtype=self.dtype)
                return self._place(count, (self.dims[expr],))
            case Size(axis):
                return self._scalar(float(self.sizes[axis]))
            case Read(name, subscripts):
                if bound is not None:
                    return bound[name]
                return self._read(name, subscripts)
            case Use():
                raise AssertionError("definitions are expanded before evaluation")
            case Call(op, args):
                return self._call(op, [go(a) for a in args])
            case Select(condition, then, otherwise):
                return torch.where(go(condition), go(then), go(otherwise))
            case Switch(condition, then, otherwise):
                return go(then) if bool(go(condition)) else go(otherwise)
            case Reduce():
                return self._reduce(expr)
            case Keep(kind, body, index, at):
                kept = KEEPERS[kind](self._along(go(body), (index,)), self.dims[index])
                return kept if at == index else self._at(kept, index, go(at))
            case _:
                assert_never(expr)

    def _scalar(self, value: float) -> Tensor:
        return torch.tensor(value, dtype=self.dtype)

    def _call(self, op: str, args: list[Tensor]) -> Tensor:
        if op in PRIMITIVES:
            return PRIMITIVES[op](*args)
        return self.evaluate(meaning(op), dict(zip("xyz", args, strict=False)))

    def _place(self, value: Tensor, dims: tuple[int, ...]) -> Tensor:
        """``value`` with its first dims at these places of the layout; the others are the batch."""
        order = sorted(range(len(dims)), key=lambda k: dims[k])
        value = value.permute([*order, *range(len(dims), value.ndim)])
        shape = [1] * len(self.dims)
        for place, size in zip(sorted(dims), value.shape, strict=False):
            shape[place] = size
        batch = value.shape[len(dims) :]
        pad = (1,) * (self.batch - len(batch))
        return value.reshape([*shape, *pad, *batch])

    def full(self, value: Tensor) -> Tensor:
        """``value`` with all dims of the layout."""
        missing = len(self.dims) + self.batch - value.ndim
        return value.reshape((1,) * missing + value.shape)

    def _along(self, value: Tensor, indices: tuple[Index, ...]) -> Tensor:
        """``value`` with the full size along ``indices``, also where it does not depend on them."""
        value = self.full(value)
        shape = list(value.shape)
        for index in indices:
            shape[self.dims[index]] = self.sizes[index.axis]
        return value.expand(shape)

    # ------------------------------------------------------------------ reading

    def _read(self, name: str, subscripts: tuple[Expr, ...]) -> Tensor:
        variable, value = self.loss.variable(name), self.arguments[name]
        truth = variable.domain.kind is DomainKind.BOOL
        if value is None:
            return self._scalar(1.0)
        if not isinstance(value, Tensor):
            return torch.tensor(value, dtype=torch.bool if truth else self.dtype)
        if not truth:
            value = value.to(self.dtype)
        if ELLIPSIS in variable.axes:
            # The dims of the batch go last.
            at = variable.axes.index(ELLIPSIS)
            rest = len(variable.axes) - at - 1
            dims = list(range(value.ndim))
            ends = dims[:at] + dims[len(dims) - rest :]
            value = value.permute([*ends, *(d for d in dims if d not in ends)])
        plain = [s for s in subscripts if isinstance(s, Index)]
        if len(plain) == len(subscripts) == len(set(plain)):
            return self._place(value, tuple(self.dims[i] for i in plain))
        return self._gather(value, [self.evaluate(s) for s in subscripts])

    def _gather(self, value: Tensor, subscripts: list[Tensor]) -> Tensor:
        """``value`` at computed places. What lies outside is clamped: the formula discards it."""
        count, batch = len(subscripts), value.shape[len(subscripts) :]
        places = [
            s.round().long().clamp(0, value.shape[k] - 1)
            for k, s in enumerate(subscripts)
        ]
        for k, size in enumerate(batch):
            shape = [1] * (len(self.dims) + self.batch)
            shape[len(shape) - len(batch) + k] = size
            places.append(torch.arange(size).reshape(shape))
        if count == 0:
            return self._place(value, ())
        return self.full(value[tuple(torch.broadcast_tensors(*places))])

    def _at(self, value: Tensor, index: Index, at: Tensor) -> Tensor:
        """``value`` with ``index`` replaced by the number ``at``."""
        places = self.full(at).round().long().clamp(0, self.sizes[index.axis] - 1)
        rows = value.movedim(self.dims[index], -1).unsqueeze(self.dims[index])
        shape = _broadcast(tuple(rows.shape[:-1]), tuple(places.shape))
        rows = rows.expand(*shape, rows.shape[-1])
        return rows.gather(-1, places.expand(shape).unsqueeze(-1)).squeeze(-1)

    # ------------------------------------------------------------------ binders

    def _reduce(self, expr: Reduce) -> Tensor:
        dims = tuple(self.dims[i] for i in expr.indices)
        body = self._along(self.evaluate(expr.body), expr.indices)
        keep: Tensor | None = None
        if expr.where is not None:
            keep = self._along(self.evaluate(expr.where), expr.indices)
            body, keep = torch.broadcast_tensors(body, keep)

        def kept(value: Tensor, neutral: float) -> Tensor:
            return value if keep is None else torch.where(keep, value, neutral)

        def total(value: Tensor) -> Tensor:
            return kept(value, 0.0).sum(dims, keepdim=True)

        match expr.kind:
            case Reduction.SUM:
                return total(body)
            case Reduction.MEAN:
                return total(body) / total(torch.ones_like(body))
            case Reduction.VAR:
                count = total(torch.ones_like(body))
                deviation = body - total(body) / count
                return total(deviation * deviation) / (count - 1)
            case Reduction.PROD:
                body = kept(body, 1.0)
                for dim in dims:
                    body = body.prod(dim, keepdim=True)
                return body
            case Reduction.LOGSUMEXP:
                return total(body.exp()).log()
            case Reduction.AMAX:
                return kept(body, -math.inf).amax(dims, keepdim=True)
            case Reduction.AMIN:
                return kept(body, math.inf).amin(dims, keepdim=True)
            case Reduction.NORM:
                assert expr.order is not None
                order = self.evaluate(expr.order)
                if order.numel() == 1 and order.item() == math.inf:
                    return kept(body.abs(), 0.0).amax(dims, keepdim=True)
                return total(body.abs().pow(order)).pow(1 / order)
            case _:
                assert_never(expr.kind)


def _broadcast(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """The common shape; torch's own function for this takes a second to import."""
    ndim = max(map(len, shapes))
    padded = [(1,) * (ndim - len(shape)) + shape for shape in shapes]
    return tuple(
        next((size for size in sizes if size != 1), 1)
        for sizes in zip(*padded, strict=True)
    )


def _as_float(numerator: int, denominator: int) -> float:
    try:
        return numerator / denominator
    except OverflowError:
        return math.copysign(math.inf, numerator)


def naive_loss(
    loss: Loss, arguments: Mapping[str, Argument], dtype: torch.dtype
) -> Tensor:
    """The unreduced loss, every op by its plain meaning."""
    return Evaluator(loss, arguments, dtype).unreduced()
