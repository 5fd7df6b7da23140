"""Arguments for a loss, drawn from its declarations: ordinary numbers inside every domain."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from losscodegen.ir.loss import (
    ELLIPSIS,
    Absent,
    Domain,
    DomainKind,
    Loss,
    Variable,
)
from tests.references.table import Arguments

BATCH = (2, 3)
"""What ``...`` stands for."""

SIZES = (4, 5, 3, 6)
"""Of the named axes, in order of declaration."""

_WHOLE = (DomainKind.INTEGER, DomainKind.COUNT)

Rng = np.random.Generator
Shape = tuple[int, ...]


def _index(rng: Rng, shape: Shape, domain: Domain, sizes: Mapping[str, int]) -> Any:
    assert domain.axis is not None
    size = sizes.get(domain.axis) or int(domain.axis)
    return rng.integers(0, size, shape)


def _simplex(rng: Rng, shape: Shape, place: int) -> Any:
    weights = rng.gamma(1.0, size=shape) + 0.02
    return weights / weights.sum(place, keepdims=True)


_ENTRIES: Mapping[DomainKind, Callable[[Rng, Shape], Any]] = {
    DomainKind.REAL: lambda rng, shape: rng.normal(0, 1.5, shape),
    DomainKind.POSITIVE: lambda rng, shape: rng.lognormal(0, 0.6, shape),
    DomainKind.NONNEGATIVE: lambda rng, shape: rng.lognormal(0, 0.6, shape),
    DomainKind.NEGATIVE: lambda rng, shape: -rng.lognormal(0, 0.6, shape),
    DomainKind.UNIT: lambda rng, shape: rng.uniform(0.02, 0.98, shape),
    DomainKind.BINARY: lambda rng, shape: rng.integers(0, 2, shape).astype(float),
    DomainKind.MASK: lambda rng, shape: (rng.random(shape) < 0.7).astype(float),
    DomainKind.SIGN: lambda rng, shape: rng.choice([-1.0, 1.0], shape),
    DomainKind.COUNT: lambda rng, shape: rng.poisson(2.0, shape).astype(float),
    DomainKind.INTEGER: lambda rng, shape: rng.integers(0, 2, shape),
}


def _inside(rng: Rng, shape: Shape, domain: Domain) -> Any:
    """Uniform over the middle of the interval, or of the part of it near 0."""
    interval = domain.interval
    assert interval is not None
    low = -3.0 if interval.low is None else float(interval.low)
    high = low + 4.0 if interval.high is None else float(interval.high)
    low = high - 4.0 if interval.low is None else low
    edge = 0.05 * (high - low)
    return rng.uniform(low + edge, high - edge, shape)


def entries(variable: Variable, rng: Rng, sizes: Mapping[str, int]) -> Any:
    """A NumPy array for ``variable``, a number for a scalar."""
    domain = variable.domain
    shape: Shape = ()
    for axis in variable.axes:
        if axis == ELLIPSIS:
            shape += BATCH
        else:
            shape += (sizes[axis] if axis in sizes else int(axis),)
    if domain.interval is not None:
        return _inside(rng, shape, domain)
    if domain.kind is DomainKind.INDEX:
        return _index(rng, shape, domain, sizes)
    if domain.kind in (DomainKind.SIMPLEX, DomainKind.LOGPROB):
        assert domain.axis is not None
        place = variable.axes.index(domain.axis)
        if ELLIPSIS in variable.axes[:place]:
            place += len(BATCH) - 1
        chances = _simplex(rng, shape, place)
        return np.log(chances) if domain.kind is DomainKind.LOGPROB else chances
    return _ENTRIES[domain.kind](rng, shape)


def default(variable: Variable) -> Any:
    """The default of a parameter as a Python value; None for a tensor that may be left out."""
    match variable.default:
        case Absent.NONE:
            return None
        case Absent.REQUIRED:
            raise KeyError(variable.name)
        case Fraction() as value if variable.domain.kind in _WHOLE:
            return int(value)
        case Fraction() as value:
            return float(value)
        case value:
            return value


def _scalar(variable: Variable, rng: Rng) -> Any:
    domain = variable.domain
    if domain.kind is DomainKind.BOOL:
        return bool(rng.integers(0, 2))
    if domain.kind is DomainKind.CHOICE:
        return rng.choice(domain.choices).item()
    if domain.kind in _WHOLE:
        return default(variable)
    return float(entries(variable, rng, {}))


def arguments(loss: Loss, rng: Rng, *, plain: bool) -> Arguments:
    """A value for every variable of ``loss`` by symbol.

    A ``plain`` draw keeps the defaults of scalars and leaves optional tensors out; otherwise they
    are drawn as well.
    """
    named = [a.name for a in loss.axes if a.size is None]
    sizes = {name: SIZES[k % len(SIZES)] for k, name in enumerate(named)}
    drawn: Arguments = {}
    for variable in loss.variables:
        has_default = variable.default is not Absent.REQUIRED
        if plain and has_default:
            drawn[variable.name] = default(variable)
        elif variable.scalar:
            drawn[variable.name] = _scalar(variable, rng)
        else:
            drawn[variable.name] = entries(variable, rng, sizes)
    return drawn
