"""Points as torch tensors, and one way to run anything on them: value and gradient per point."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from losscodegen.ir.loss import ELLIPSIS, DomainKind, Loss, Role, Variable
from losscodegen.judge.point import Array, Entry, Point
from losscodegen.judge.rounding import Dtype

INTEGRAL = frozenset({DomainKind.INDEX, DomainKind.INTEGER})
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
"""The domains that are continua. Labels, counts and masks have no derivative worth judging."""

TORCH = {d: getattr(torch, d.value) for d in Dtype}

Bound = Tensor | float | int | bool | str | None
Function = Callable[[Mapping[str, Bound]], Tensor]
"""Takes a value for every variable, by symbol, and gives the unreduced loss."""


def differentiable(variable: Variable) -> bool:
    """Whether the gradient by this variable is part of what a loss promises."""
    return variable.role is Role.LEARNABLE or (
        variable.role is Role.INPUT and variable.domain.kind in DIFFERENTIABLE
    )


def is_pointwise(loss: Loss) -> bool:
    """Whether many points can be laid side by side along ``...`` in a single call.

    Each entry of the loss then depends on its own entries of the inputs alone, so that the
    gradient of the sum holds the gradient of every point.
    """
    return (
        loss.batch == 0
        and not loss.free
        and all(ELLIPSIS in v.axes for v in loss.inputs)
        and all(a.isdecimal() for v in loss.variables for a in v.subscripted_axes)
        and not any(v.role is Role.LEARNABLE for v in loss.parameters)
    )


# ---------------------------------------------------------------------- stacking


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """Points that run in one call; ``places`` says where each stood among all of them.

    A ``joined`` one has them side by side along its batch dim.
    """

    places: tuple[int, ...]
    values: Mapping[str, Entry]
    joined: bool


def stacks(loss: Loss, points: Sequence[Point]) -> tuple[Stack, ...]:
    """The points grouped into as few calls as possible."""
    pointwise = is_pointwise(loss)
    batched = [v for v in loss.variables if ELLIPSIS in v.axes]
    names = {v.name for v in batched}
    groups: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for k, point in enumerate(points):
        if not (pointwise and _single(batched, point)):
            groups[(k,)].append(k)
            continue
        # True and 1 are equal and hash alike, but are not the same argument.
        key = tuple(
            (name, isinstance(e, Array) if name in names else (type(e), e))
            for name, e in sorted(point.values.items())
        )
        groups[key].append(k)
    return tuple(
        (
            Stack(places=tuple(places), values=points[places[0]].values, joined=False)
            if len(key) == 1 and isinstance(key[0], int)
            else _stack(loss, points, places)
        )
        for key, places in groups.items()
    )


def _single(batched: Sequence[Variable], point: Point) -> bool:
    """Whether ``point`` has one batch dim of size 1."""
    for variable in batched:
        entry = point.values[variable.name]
        if isinstance(entry, Array) and (
            len(entry.shape) != len(variable.axes)
            or entry.shape[variable.axes.index(ELLIPSIS)] != 1
        ):
            return False
    return True


def _stack(loss: Loss, points: Sequence[Point], places: list[int]) -> Stack:
    values = dict(points[places[0]].values)
    for variable in loss.variables:
        if ELLIPSIS in variable.axes and isinstance(values[variable.name], Array):
            entries = [points[k].values[variable.name] for k in places]
            at = variable.axes.index(ELLIPSIS)
            values[variable.name] = concatenate(
                [e for e in entries if isinstance(e, Array)], at
            )
    return Stack(places=tuple(places), values=values, joined=True)


def concatenate(arrays: Sequence[Array], dim: int) -> Array:
    """The arrays joined along ``dim``, in which each has size 1."""
    shape = arrays[0].shape
    assert shape[dim] == 1
    outer, inner = math.prod(shape[:dim]), math.prod(shape[dim + 1 :])
    entries = [
        array.entries[o * inner + i]
        for o in range(outer)
        for array in arrays
        for i in range(inner)
    ]
    return Array((*shape[:dim], len(arrays), *shape[dim + 1 :]), tuple(entries))


# ---------------------------------------------------------------------- tensors


def tensor(variable: Variable, array: Array, dtype: torch.dtype) -> Tensor:
    """``array`` as a module would get it: class indices as int64, the rest in ``dtype``."""
    kind = variable.domain.kind
    if kind in INTEGRAL:
        dtype = torch.int64
    elif kind is DomainKind.BOOL:
        dtype = torch.bool
    elif not dtype.is_floating_point:
        raise ValueError(f"{dtype} holds no {kind.value} numbers")
    return torch.tensor(array.entries, dtype=dtype).reshape(array.shape)


def bind(
    loss: Loss, values: Mapping[str, Entry], dtype: torch.dtype
) -> dict[str, Bound]:
    """Every variable by symbol; tensors that gradients are asked for require them."""
    bound: dict[str, Bound] = {}
    for variable in loss.variables:
        entry = values[variable.name]
        if variable.role is Role.LEARNABLE and isinstance(entry, float | int):
            entry = Array((), (entry,))
        if isinstance(entry, Array):
            made = tensor(variable, entry, dtype)
            bound[variable.name] = made.requires_grad_(differentiable(variable))
        else:
            bound[variable.name] = entry
    return bound


# ---------------------------------------------------------------------- running


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came out at one point; ``error`` is set where nothing did."""

    shape: tuple[int, ...] = ()
    value: tuple[float, ...] = ()
    gradient: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    dtype: str = ""
    error: str | None = None


def execute(
    loss: Loss,
    points: Sequence[Point],
    function: Function,
    dtype: Dtype,
) -> tuple[Result, ...]:
    """``function`` at every point, the gradient by autograd of the sum of its entries."""
    results: dict[int, Result] = {}
    for stack in stacks(loss, points):
        try:
            value, gradient = run(loss, stack.values, function, TORCH[dtype])
        except Exception as problem:  # the accused may raise whatever it likes
            error = f"{type(problem).__name__}: {problem}"
            results.update((k, Result(error=error)) for k in stack.places)
            continue
        whole = Result(
            shape=tuple(value.shape),
            value=tuple(value.reshape(-1).tolist()),
            gradient={n: tuple(g.reshape(-1).tolist()) for n, g in gradient.items()},
            dtype=str(value.dtype).removeprefix("torch."),
        )
        if stack.joined:
            results.update(split_stack(loss, stack, whole, gradient))
        else:
            results[stack.places[0]] = whole
    return tuple(results[k] for k in range(len(points)))


def run(
    loss: Loss,
    values: Mapping[str, Entry],
    function: Function,
    dtype: torch.dtype,
    *,
    slopes: bool = True,
) -> tuple[Tensor, dict[str, Tensor]]:
    """The unreduced loss and the gradient of its sum by every differentiable variable.

    Without ``slopes`` the gradient is empty.
    """
    bound = bind(loss, values, dtype)
    if not slopes:
        with torch.no_grad():
            return function(bound), {}
    value = function(bound)
    leaves = {
        name: b
        for name, b in bound.items()
        if isinstance(b, Tensor) and b.requires_grad
    }
    found: Iterable[Tensor | None] = [None] * len(leaves)
    if leaves and value.requires_grad:
        found = torch.autograd.grad(
            value.sum(), list(leaves.values()), allow_unused=True
        )
    gradient = {
        name: torch.zeros_like(leaf) if g is None else g
        for (name, leaf), g in zip(leaves.items(), found, strict=True)
    }
    return value.detach(), gradient


def split_stack(
    loss: Loss, stack: Stack, whole: Result, gradient: Mapping[str, Tensor]
) -> Iterable[tuple[int, Result]]:
    """The result of a stack taken apart; a wrong shape is left for the caller to see."""
    count = len(stack.places)
    if whole.shape != (count,):
        for k in stack.places:
            yield k, whole
        return
    columns = {}
    for name, g in gradient.items():
        at = loss.variable(name).axes.index(ELLIPSIS)
        columns[name] = g.movedim(at, 0).reshape(count, -1).tolist()
    for k, place in enumerate(stack.places):
        yield (
            place,
            Result(
                shape=(1,),
                value=(whole.value[k],),
                gradient={n: tuple(rows[k]) for n, rows in columns.items()},
                dtype=whole.dtype,
            ),
        )
