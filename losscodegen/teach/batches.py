"""Many points at once: what a loss gives at each of them, by a few calls of PyTorch."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from losscodegen.ir.loss import Loss
from losscodegen.judge.point import Array, Entry, Point
from losscodegen.judge.rounding import Dtype
from losscodegen.judge.tensors import is_pointwise
from losscodegen.teach.run import Function, Result, arguments, evaluate

Row = tuple[Point, Result, Result]

REFUSALS = (IndexError, RuntimeError, OverflowError, ZeroDivisionError, ValueError)
"""What a function raises at points that it is not for."""


def both(
    loss: Loss,
    functions: tuple[Function, Function],
    points: Sequence[Point],
    dtype: Dtype,
    wrt: Sequence[str],
) -> Iterator[Row]:
    """What two functions give at each point; points that one of them refuses are left out.

    The numbers may differ in the last bits from those of a point alone: PyTorch computes long rows
    in another way than single numbers. They are good for finding out where to look.
    """
    for group in _groups(points):
        try:
            one, other = (_at_once(f, loss, group, dtype, wrt) for f in functions)
        except (*REFUSALS, NotImplementedError, TypeError, Warning):
            yield from _one_by_one(functions, loss, group, dtype, wrt)
        else:
            yield from zip(group, one, other, strict=True)


def _one_by_one(
    functions: tuple[Function, Function],
    loss: Loss,
    points: Sequence[Point],
    dtype: Dtype,
    wrt: Sequence[str],
) -> Iterator[Row]:
    for point in points:
        try:
            one, other = (evaluate(f, loss, point, dtype, wrt) for f in functions)
        except REFUSALS:
            continue  # a label that the typed formula looks up, although it is to be ignored
        yield point, one, other


def _groups(points: Sequence[Point]) -> list[list[Point]]:
    """Points whose tensors have the same shapes, with the same values of all else."""
    found: dict[object, list[Point]] = {}
    for point in points:
        key = tuple(
            (name, entry.shape if isinstance(entry, Array) else entry)
            for name, entry in point.values.items()
        )
        found.setdefault(key, []).append(point)
    return list(found.values())


def _at_once(
    function: Function,
    loss: Loss,
    points: Sequence[Point],
    dtype: Dtype,
    wrt: Sequence[str],
) -> list[Result]:
    """The results at points of one group; an elementwise loss takes them as its batch."""
    given = arguments(loss, _stacked(points), dtype, wrt)
    tensors = {
        name: value for name, value in given.items() if isinstance(value, Tensor)
    }
    rest = {name: value for name, value in given.items() if name not in tensors}
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of operations that vmap takes apart one by one
        if is_pointwise(loss):
            value = function(**given)
        else:
            mapped = torch.vmap(lambda t: function(**t, **rest))
            value = mapped(tensors)
        leaves = [tensors[loss.variable(name).arg] for name in wrt]
        slopes: Sequence[Tensor | None] = [None] * len(leaves)
        if value.requires_grad:
            slopes = torch.autograd.grad(value.sum(), leaves, allow_unused=True)
    zeros = (torch.zeros_like(leaf) for leaf in leaves)
    columns = [z if s is None else s for s, z in zip(slopes, zeros, strict=True)]
    if any(len(column) != len(points) for column in (value, *columns)):
        raise ValueError("points do not stay apart")
    rows = [c.detach().double().flatten(1).tolist() for c in map(_two, columns)]
    return [
        Result(
            value=tuple(entries),
            gradient={name: tuple(row[k]) for name, row in zip(wrt, rows, strict=True)},
        )
        for k, entries in enumerate(_two(value).detach().double().flatten(1).tolist())
    ]


def _two(tensor: Tensor) -> Tensor:
    """``tensor`` with a dim beside that of the points."""
    return tensor[:, None] if tensor.ndim == 1 else tensor


def _stacked(points: Sequence[Point]) -> Point:
    """The points along a new first dim of each tensor."""
    values: dict[str, Entry] = dict(points[0].values)
    for name, first in points[0].values.items():
        if isinstance(first, Array):
            column = (point.values[name] for point in points)
            entries = tuple(
                x for e in column if isinstance(e, Array) for x in e.entries
            )
            values[name] = Array((len(points), *first.shape), entries)
    return Point(values=values)
