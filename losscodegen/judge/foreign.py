"""Code that losscodegen did not write, called as its user would call it."""

from __future__ import annotations

import inspect
import typing
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from losscodegen.ir.loss import ELLIPSIS, Loss, Variable
from losscodegen.ir.nodes import Call, Index, Keep, Reduce, Reduction, Size
from losscodegen.ir.walk import inline_loss, walk
from losscodegen.judge.accused import words_as_numbers
from losscodegen.judge.foreign_plan import Plan
from losscodegen.judge.naive import Evaluator
from losscodegen.judge.tensors import Bound

Kind = Literal["none", "mean", "sum"]
"""What a module returns for a batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """A module class or a function, and how its arguments are those of ``loss``.

    ``returns`` is what it gives for a batch of several. Where that is a scalar, `call` goes through
    the batch element by element, so that every element is judged by itself.
    """

    loss: Loss
    target: Callable[..., Any]
    plan: Plan
    returns: Kind = "none"

    def instance(
        self, bound: Mapping[str, Bound], reduction: str | None
    ) -> Callable[..., Any]:
        """The module for these parameters, in the dtype of the inputs."""
        keywords = self._fixed(bound)
        for symbol, name in self.plan.built.items():
            if name not in keywords and (value := bound.get(symbol)) is not None:
                keywords[name] = _plain(value)
        if self.plan.reduction and reduction is not None:
            keywords["reduction"] = reduction
        module: Any = self.target(**keywords)
        return module.to(_dtype(bound)) if isinstance(module, nn.Module) else module

    def keywords(
        self, bound: Mapping[str, Bound], reduction: str | None
    ) -> dict[str, Any]:
        """The arguments of a call."""
        given = {
            name: bound[symbol]
            for symbol, name in self.plan.called.items()
            if bound.get(symbol) is not None
        }
        if not isinstance(self.target, type):
            given |= self._fixed(bound)
            if self.plan.reduction and reduction is not None:
                given["reduction"] = reduction
        return given

    def plainly(
        self, bound: Mapping[str, Bound], *, reduction: str | None = "none"
    ) -> Tensor:
        """What the user gets for these arguments."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what it warns its users of is not judged
            function = (
                self.instance(bound, reduction)
                if isinstance(self.target, type)
                else self.target
            )
            result = function(**self.keywords(bound, reduction))
        if not isinstance(result, Tensor):
            raise TypeError(f"the loss is a {type(result).__name__}, not a tensor")
        return result

    def call(self, bound: Mapping[str, Bound]) -> Tensor:
        """The unreduced loss: of a module that reduces, element by element."""
        if self.returns == "none" or self.loss.scalar:
            return self.plainly(bound)
        shape, lanes = elements(self.loss, bound)
        if self.returns == "sum" or self.loss.mean_weight is None:
            return torch.stack([self.plainly(x).reshape(()) for x in lanes]).reshape(
                shape
            )
        # The mean of one element is divided by its weight; with none there is no mean.
        weights = mean_weights(self.loss, bound, shape).to(_dtype(bound))
        results = [
            (
                self.plainly(lane).reshape(()) * weight
                if weight
                else torch.zeros_like(weight)
            )
            for lane, weight in zip(lanes, weights.reshape(-1), strict=True)
        ]
        return torch.stack(results).reshape(shape)

    def _fixed(self, bound: Mapping[str, Bound]) -> dict[str, Any]:
        dtype = _dtype(bound)
        found: dict[str, Any] = {}
        for name, value in self.plan.init.items():
            if isinstance(value, list) and not self._wants_list(name):
                value = torch.tensor(value)
                value = value.to(dtype) if value.is_floating_point() else value
            found[name] = value
        return found

    def _wants_list(self, name: str) -> bool:
        parameter = inspect.signature(self.target).parameters.get(name)
        if parameter is None:
            return False
        if isinstance(parameter.default, list | tuple):
            return True
        annotation = parameter.annotation
        origin = typing.get_origin(annotation) or annotation
        words = str(annotation).lower()
        return origin in (list, tuple, Sequence) or words.startswith(
            ("list", "tuple", "sequence")
        )


def _dtype(bound: Mapping[str, Bound]) -> torch.dtype:
    for value in bound.values():
        if isinstance(value, Tensor) and value.is_floating_point():
            return value.dtype
    return torch.get_default_dtype()


def _plain(value: Bound) -> Any:
    return value.detach() if isinstance(value, Tensor) else value


def mean_weights(
    loss: Loss, bound: Mapping[str, Bound], shape: tuple[int, ...]
) -> Tensor:
    """What the mean of the spec divides by, for each element, in float64."""
    plain = {
        k: v.detach() if isinstance(v, Tensor) else v
        for k, v in words_as_numbers(loss, bound).items()
    }
    if loss.mean_weight is None:
        return torch.ones(shape, dtype=torch.float64)
    evaluator = Evaluator(loss, plain, torch.float64)
    assert evaluator.loss.mean_weight is not None
    return evaluator.arranged(evaluator.evaluate(evaluator.loss.mean_weight)).expand(
        shape
    )


# ---------------------------------------------------------------------- elements of a batch


def separable(loss: Loss) -> bool:
    """Whether each element of the unreduced loss hangs on its own slice of the inputs alone."""
    free = {index.axis: index for index in loss.free}
    roots = [inline_loss(loss).expression]
    for node in (n for root in roots for n in walk(root)):
        met: tuple[Index, ...] = ()
        match node:
            case Index():
                met = (node,)
            case Reduce(indices=indices):
                met = indices
            case Keep(index=index):
                met = (index,)
            case Size(axis) if axis in free:
                return False
        if any(i.axis in free and i != free[i.axis] for i in met):
            return False
    return not any(v.domain.axis in free for v in loss.variables)


def _dims(loss: Loss, variable: Variable, ndim: int) -> list[tuple[str, int] | None]:
    """For each dim of a variable: which dim of the batch it is, None if none."""
    free = {index.axis: k for k, index in enumerate(loss.free)}
    extra = ndim - len(variable.subscripted_axes)
    found: list[tuple[str, int] | None] = []
    for axis in variable.axes:
        if axis == ELLIPSIS:
            found += [(ELLIPSIS, k - extra) for k in range(extra)]
        else:
            found.append((axis, 0) if axis in free else None)
    return found


def elements(
    loss: Loss, bound: Mapping[str, Bound]
) -> tuple[tuple[int, ...], Iterator[dict[str, Bound]]]:
    """The shape of the unreduced loss, and the arguments of each element, all dims kept."""
    tensors = {
        v.name: (value, _dims(loss, v, value.ndim))
        for v in loss.variables
        if isinstance(value := bound.get(v.name), Tensor)
        and len(v.subscripted_axes) <= value.ndim
        and v.axes
    }
    sizes: dict[tuple[str, int], int] = {}
    for value, dims in tensors.values():
        for dim, size in zip(dims, value.shape, strict=False):
            if dim is not None:
                sizes[dim] = max(size, sizes.get(dim, 1))
    batch = sorted((d for d in sizes if d[0] == ELLIPSIS), key=lambda d: d[1])
    order: list[tuple[str, int]] = [(index.axis, 0) for index in loss.free]
    if loss.batch is not None:
        order[loss.batch : loss.batch] = batch
    shape = tuple(sizes.get(dim, 1) for dim in order)
    return shape, _lanes(bound, tensors, order, shape)


def _lanes(
    bound: Mapping[str, Bound],
    tensors: Mapping[str, tuple[Tensor, list[tuple[str, int] | None]]],
    order: Sequence[tuple[str, int]],
    shape: tuple[int, ...],
) -> Iterator[dict[str, Bound]]:
    lanes: list[dict[str, Bound]] = [dict(bound)]
    for dim, size in zip(order, shape, strict=True):
        further: list[dict[str, Bound]] = []
        for lane in lanes:
            parts: dict[str, tuple[Tensor, ...]] = {}
            for name, (_, dims) in tensors.items():
                value = lane[name]
                if dim in dims and isinstance(value, Tensor):
                    at = dims.index(dim)
                    if value.shape[at] == size:
                        parts[name] = torch.split(value, 1, at)
            further += [
                {**lane, **{name: part[k] for name, part in parts.items()}}
                for k in range(size)
            ]
        lanes = further
    yield from lanes


def reduced(loss: Loss, kind: Kind) -> Loss:
    """``loss`` with its reduction in the formula, so that its result is one number.

    For losses whose elements hang together, as those of a contrastive batch; they have no ``...``
    then, or it is left out.
    """
    plain = inline_loss(loss)
    body, free = plain.expression, loss.free
    if kind == "mean" and plain.mean_weight is not None:
        weight = plain.mean_weight
        body = Call(
            "div",
            (Reduce(Reduction.SUM, body, free), Reduce(Reduction.SUM, weight, free)),
        )
    else:
        how = Reduction.MEAN if kind == "mean" else Reduction.SUM
        body = Reduce(how, body, free)

    def bare(variable: Variable) -> Variable:
        return replace(variable, axes=variable.subscripted_axes)

    return replace(
        plain,
        expression=body,
        free=(),
        batch=None,
        mean_weight=None,
        example=None,
        laws=(),
        inputs=tuple(bare(v) for v in plain.inputs),
        parameters=tuple(bare(v) for v in plain.parameters),
    )
