"""Whether a module is right but for a factor, and what the factor is."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from losscodegen.judge.foreign_evidence import Evidence
from losscodegen.judge.oracles import point_sizes
from losscodegen.judge.point import Array

CLOSE = 1e-6


@dataclass(frozen=True, slots=True)
class Ratio:
    """got / want somewhere, and the numbers that it may be made of, by name."""

    factor: float
    numbers: Mapping[str, float]


def factor(evidence: Evidence) -> str | None:
    """What the module is off by, in words; None if that is no factor."""
    for found in (_of_batches(evidence), _of_values(evidence), _of_slopes(evidence)):
        if (
            len(found) < 4
            or not all(r.factor for r in found)
            or all(abs(r.factor - 1) <= CLOSE for r in found)
        ):
            continue
        name = _named(found)
        if name is not None:
            return f"everything is {name} times what it should be"
        constant = all(_close(r.factor, found[0].factor) for r in found)
        if constant and not _of_parameters(found[0]):
            return f"everything is {found[0].factor:.6g} times what it should be"
    return None


def _close(one: float, other: float) -> bool:
    return abs(one - other) <= CLOSE * max(abs(one), abs(other))


def _of_batches(evidence: Evidence) -> list[Ratio]:
    found = []
    for record in evidence.batches:
        got, want = record.got, record.want
        if got is None or got.shape != want.shape or want.ndim:
            continue
        if want.item() == 0 or not math.isfinite(want.item()):
            continue
        numbers: dict[str, float] = {"the number of elements": record.entries.numel()}
        weight = record.weights.sum().item()
        if weight and weight != record.entries.numel():
            numbers["the sum of the weights"] = weight
        for k, size in enumerate(record.entries.shape):
            numbers[f"the size of axis {k} of the batch"] = size
        numbers |= {f"the size of {axis}": n for axis, n in record.sizes.items()}
        found.append(Ratio(got.item() / want.item(), numbers))
    return found


def _of_values(evidence: Evidence) -> list[Ratio]:
    found = []
    for record in evidence.records:
        numbers = _numbers(evidence, record.point.values, record.point)
        for got, want in zip(record.got, record.want, strict=True):
            if math.isfinite(want) and abs(want) > evidence.usual and want:
                found.append(Ratio(got / want, numbers))
    return found


def _of_slopes(evidence: Evidence) -> list[Ratio]:
    """Of the gradient: an added constant does not hide a factor there."""
    if not evidence.wrong_records:
        return []
    found = []
    for record in evidence.records:
        numbers = _numbers(evidence, record.point.values, record.point)
        size = max((abs(w) for _, _, w in record.slopes), default=0.0)
        for _, got, want in record.slopes:
            if abs(want) > 1e-6 * size:
                found.append(Ratio(got / want, numbers))
            elif abs(got) > 1e-6 * size:
                return []
    return found


def _numbers(
    evidence: Evidence, values: Mapping[str, object], point: object
) -> dict[str, float]:
    sizes = point_sizes(evidence.loss, point)  # type: ignore[arg-type]
    found: dict[str, float] = {f"the size of {axis}": n for axis, n in sizes.items()}
    for variable in evidence.loss.parameters:
        entry = values.get(variable.name)
        if isinstance(entry, float | int) and not isinstance(entry, bool):
            found[f"parameter {variable.name}"] = float(entry)
        if isinstance(entry, Array):
            found[f"parameter {variable.name}"] = math.nan
    return found


def _named(found: list[Ratio]) -> str | None:
    """A quotient of the numbers that is the factor everywhere; only of shapes, and weights."""
    names = [n for n in found[0].numbers if not n.startswith("parameter")]
    if (
        len({r.factor for r in found}) == 1
        and len(found) > 1
        and not _vary(found, names)
    ):
        return None
    for name, one in _products(found, names):
        if all(_close(r.factor, one(r)) for r in found):
            return name
    return None


def _vary(found: list[Ratio], names: list[str]) -> bool:
    return any(len({r.numbers.get(n) for r in found}) > 1 for n in names)


def _products(
    found: list[Ratio], names: list[str]
) -> Iterator[tuple[str, Callable[[Ratio], float]]]:
    for n in names:
        for shift, word in ((0, ""), (-1, " less 1"), (1, " plus 1")):
            yield f"1 / ({n}{word})", partial(
                _quotient, above=None, below=n, shift=shift
            )
            yield f"({n}{word})", partial(_sum, name=n, shift=shift)
            for m in names:
                quotient = partial(_quotient, above=m, below=n, shift=shift)
                yield f"{m} / ({n}{word})", quotient


def _sum(ratio: Ratio, *, name: str, shift: int) -> float:
    return ratio.numbers.get(name, 0.0) + shift


def _quotient(ratio: Ratio, *, above: str | None, below: str, shift: int) -> float:
    one = 1.0 if above is None else ratio.numbers.get(above, 0.0)
    return _safe(one, _sum(ratio, name=below, shift=shift))


def _safe(one: float, other: float) -> float:
    return one / other if other else math.nan


def _of_parameters(ratio: Ratio) -> bool:
    """Whether a power of a parameter, other than 1, is the factor: then it is the formula."""
    for name, value in ratio.numbers.items():
        if not name.startswith("parameter") or not value or value == 1:
            continue
        for power in (-2, -1, -0.5, 0.5, 1, 2):
            for half in (0.5, 1.0, 2.0):
                if value > 0 and _close(abs(ratio.factor), half * value**power):
                    return True
    return False
