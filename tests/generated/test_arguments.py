"""Wrong arguments are refused, in words that say which one and what it was."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from losscodegen.ir.loss import ELLIPSIS, DomainKind, Interval, Variable
from tests.generated.library import Case, cases

every = pytest.mark.parametrize("case", cases(), ids=str)


# ---------------------------------------------------------------- reduction


@pytest.mark.parametrize("case", [c for c in cases() if not c.loss.scalar], ids=str)
@pytest.mark.parametrize("wrong", ["average", "", "Mean", None])
def test_reduction(case: Case, wrong: Any) -> None:
    message = f"reduction must be 'none', 'mean' or 'sum', got {wrong!r}"
    with pytest.raises(ValueError, match=re.escape(message)):
        case.factory(**case.options(), reduction=wrong)
    with pytest.raises(ValueError, match=re.escape(message)):
        case.function(*case.tensors(), reduction=wrong)


# ---------------------------------------------------------------- numbers

_OUTSIDE: dict[DomainKind, tuple[float, ...]] = {
    DomainKind.REAL: (math.inf, -math.inf),
    DomainKind.POSITIVE: (0.0, -1.0),
    DomainKind.NONNEGATIVE: (-1e-9,),
    DomainKind.NEGATIVE: (0.0, 1.0),
    DomainKind.UNIT: (-1e-9, 1.0 + 1e-9, math.inf),
    DomainKind.COUNT: (-1.0, 0.5, math.inf),
    DomainKind.INTEGER: (0.5, math.inf),
    DomainKind.CHOICE: (),
    DomainKind.BOOL: (),
}


def ends(interval: Interval) -> Iterator[float]:
    """Numbers just outside of an interval."""
    for end, is_open, step in (
        (interval.low, interval.low_open, -1e-6),
        (interval.high, interval.high_open, 1e-6),
    ):
        if end is None:
            yield math.copysign(math.inf, step)
        else:
            yield float(end) + step
            if is_open:
                yield float(end)


def outside(variable: Variable) -> tuple[Any, ...]:
    """Values that the domain of a scalar does not admit, nan among them."""
    if variable.domain.interval is not None:
        return (*ends(variable.domain.interval), math.nan)
    if variable.domain.kind is DomainKind.CHOICE:
        return ("neither of them",)
    if variable.domain.kind is DomainKind.BOOL:
        return ()
    return (*_OUTSIDE[variable.domain.kind], math.nan)


@pytest.mark.parametrize(
    ("case", "variable", "value"),
    [
        pytest.param(case, variable, value, id=f"{case}-{variable.arg}={value!r}")
        for case in cases()
        for variable in case.loss.parameters
        if variable.scalar
        for value in outside(variable)
    ],
)
def test_parameter_outside_its_domain(
    case: Case, variable: Variable, value: Any
) -> None:
    message = rf"^{variable.arg} must .*, got {re.escape(repr(value))}$"
    with pytest.raises(ValueError, match=message):
        case.factory(**case.options() | {variable.arg: value})
    with pytest.raises(ValueError, match=message):
        case.function(*case.tensors(), **{variable.arg: value})


# ---------------------------------------------------------------- shapes


def entries(variable: Variable) -> list[str]:
    """The dims of a drawn tensor: ``...`` stands for two."""
    return [
        name
        for axis in variable.axes
        for name in ((axis, axis) if axis == ELLIPSIS else (axis,))
    ]


def wrong_shapes(case: Case) -> Iterator[tuple[int, str, Tensor]]:
    """Each tensor with one dim that another argument, or a number, says to be of another size."""
    loss = case.loss
    parameters = [v for v in loss.parameters if not v.scalar and v.axes]
    variables = [v for v in (*loss.inputs, *parameters) if not v.optional]
    tensors = [t for t in case.tensors() if t is not None]
    for k, variable in enumerate(variables):
        others = [a for v in variables if v is not variable for a in v.axes]
        for dim, axis in enumerate(entries(variable)):
            once = variable.axes.count(axis) == 1
            if axis.isdigit() or axis in others or not once:
                grown = torch.cat([tensors[k], tensors[k].narrow(dim, 0, 1)], dim)
                yield k, f"{variable.arg}-dim{dim}", grown
        if ELLIPSIS not in variable.axes or ELLIPSIS in others:
            yield k, f"{variable.arg}-extra", tensors[k].unsqueeze(0)
        if tensors[k].ndim and (ELLIPSIS not in variable.axes or ELLIPSIS in others):
            yield k, f"{variable.arg}-fewer", tensors[k][0]


@pytest.mark.parametrize(
    ("case", "position", "wrong"),
    [
        pytest.param(case, position, wrong, id=f"{case}-{what}")
        for case in cases()
        for position, what, wrong in wrong_shapes(case)
    ],
)
def test_wrong_shape(case: Case, position: int, wrong: Tensor) -> None:
    """No silent broadcasting, and the shape that was got is in the message."""
    tensors = case.tensors()
    places = [k for k, t in enumerate(tensors) if t is not None]
    tensors[places[position]] = wrong
    shape = re.escape(str(tuple(wrong.shape)))
    with pytest.raises(ValueError, match=rf"must have .*shape.*got .*{shape}"):
        case.function(*tensors)


@pytest.mark.parametrize(
    ("case", "variable"),
    [
        pytest.param(case, variable, id=f"{case}-{variable.arg}")
        for case in cases()
        for variable in case.loss.parameters
        if variable.optional and variable.axes
    ],
)
def test_wrong_shape_of_an_optional_tensor(case: Case, variable: Variable) -> None:
    wrong = torch.ones(7, 7, 7, 7, 7)
    names = [v.arg for v in case.loss.parameters if not v.scalar]
    tensors = case.tensors()
    tensors[len(case.loss.inputs) + names.index(variable.arg)] = wrong
    message = rf"^{variable.arg} must have .*shape.*\(7, 7, 7, 7, 7\)"
    with pytest.raises(ValueError, match=message):
        case.function(*tensors)
