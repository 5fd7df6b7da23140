"""Where a loss is judged: seeded samples of its declared domain, aimed at what goes wrong.

The label of a point says how it was made; by its first word `compare.point_class` sorts points into
the classes of the certificate.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from random import Random

import torch

from losscodegen.ir.loss import ORDINARY, Accuracy, DomainKind, Loss
from losscodegen.ir.nodes import Call, Expr, Number, Read
from losscodegen.judge.accused import words_as_numbers
from losscodegen.judge.naive import Evaluator
from losscodegen.judge.point import Array, Entry, Point
from losscodegen.judge.pointwise import pointwise_values
from losscodegen.judge.rounding import Dtype
from losscodegen.judge.settings import Setting, settings
from losscodegen.judge.shaped import shaped_values
from losscodegen.judge.tensors import INTEGRAL, bind, is_pointwise, stacks

SIZED = frozenset(
    {
        DomainKind.REAL,
        DomainKind.POSITIVE,
        DomainKind.NONNEGATIVE,
        DomainKind.NEGATIVE,
        DomainKind.LOGPROB,
        DomainKind.COUNT,
    }
)
"""The domains that hold numbers of any size."""


TRIES = 12
"""How often points are drawn again where a ``require`` has turned some away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The points, and how many candidates were turned away (see `admitted`)."""

    points: tuple[Point, ...]
    rejected: int


def generator(loss: Loss, seed: int, purpose: str) -> Random:
    """A stream of numbers that depends on nothing but these three."""
    return Random(f"{loss.name}/{purpose}/{seed}")


def default_values(loss: Loss) -> dict[str, Entry]:
    """The default of every parameter; tensors that have none are left out."""
    values: dict[str, Entry] = {}
    for variable in loss.variables:
        default = variable.default
        if isinstance(default, Fraction):
            whole = variable.domain.kind in INTEGRAL | {DomainKind.COUNT}
            values[variable.name] = int(default) if whole else float(default)
        elif isinstance(default, bool | str):
            values[variable.name] = default
        else:
            values[variable.name] = None
    return values


Confine = Callable[[Sequence[Setting], Dtype], list[Setting]]
"""Makes of the settings of a loss those that a module can be built with."""


def tidy_points(
    loss: Loss,
    dtype: Dtype,
    *,
    seed: int,
    count: int,
    purpose: str,
    limit: int = 5,
    confine: Confine | None = None,
) -> list[Point]:
    """Points of few bits at which every ``require`` holds, over some settings."""
    random = generator(loss, seed, purpose)
    options = settings(loss, dtype, random, limit=limit)
    if confine is not None:
        options = confine(options, dtype)
    make = pointwise_values if is_pointwise(loss) else shaped_values
    found: list[Point] = []
    for k, setting in enumerate(options):
        wanted = count if k == 0 else max(2, count // len(options))
        fit: list[Point] = []
        for _ in range(TRIES if loss.require else 1):
            made = make(loss, setting, dtype, random, wanted, only="tidy")
            fit += admitted(loss, [repaired(loss, p) for p in made])
            if len(fit) >= wanted:
                break
        found += fit[:wanted]
    return found


def sample(
    loss: Loss,
    dtype: Dtype,
    *,
    seed: int = 0,
    count: int = 300,
    confine: Confine | None = None,
) -> Sample:
    """About ``count`` points for the default parameters, as many again for all others together.

    A loss over axes costs more per point and gets a third of that.
    """
    random = generator(loss, seed, dtype.value)
    pointwise = is_pointwise(loss)
    if not pointwise:
        count = max(24, count // 3)
    options = settings(loss, dtype, random, limit=12)
    if confine is not None:
        options = confine(options, dtype)
    make: Callable[..., Iterator[Point]] = (
        pointwise_values if pointwise else shaped_values
    )
    points: list[Point] = []
    rejected = 0
    for setting in options:
        wanted = count if setting is options[0] else max(6, count // len(options))
        for attempt in range(TRIES if loss.require else 1):
            found = list(
                make(loss, setting, dtype, random, wanted, full=setting is options[0])
            )
            found = [repaired(loss, p) for p in found]
            fit = admitted(loss, found)
            rejected += len(found) - len(fit)
            points += fit
            wanted -= len(fit)
            if wanted <= 0 or (attempt and not fit):
                break
    return Sample(points=tuple(points), rejected=rejected)


# ---------------------------------------------------------------------- require


def admitted(loss: Loss, points: Sequence[Point]) -> list[Point]:
    """The points at which every ``require`` holds and the accuracy of the loss is promised."""
    points = [p for p in points if promised(loss, p)]
    if not loss.require:
        return list(points)
    keep = [False] * len(points)
    for stack in stacks(loss, points):
        bound = words_as_numbers(loss, bind(loss, stack.values, torch.float64))
        evaluator = Evaluator(loss, bound, torch.float64)
        verdict = torch.tensor(True)
        with torch.no_grad():
            for condition in evaluator.loss.require:
                verdict = verdict & evaluator.evaluate(condition)
        if stack.joined:
            each = verdict.reshape(-1).expand(len(stack.places)).tolist()
        else:
            each = [bool(verdict.all())]
        for place, fit in zip(stack.places, each, strict=True):
            keep[place] = fit
    return [p for p, fit in zip(points, keep, strict=True) if fit]


def promised(loss: Loss, point: Point) -> bool:
    """Whether the accuracy that the spec asks for is that of numbers of such sizes."""
    if loss.accuracy is not Accuracy.ABSOLUTE:
        return True
    for variable in loss.variables:
        if variable.domain.kind not in SIZED:
            continue
        value = point.values[variable.name]
        for number in value.entries if isinstance(value, Array) else (value,):
            size = abs(number) if isinstance(number, int | float) else 0.0
            if size and math.isfinite(size) and not 1 / ORDINARY <= size <= ORDINARY:
                return False
    return True


def repaired(loss: Loss, point: Point) -> Point:
    """``point`` with two entries swapped wherever a ``require`` says which is larger.

    Chance alone would order the corners of two boxes once in sixteen times.
    """
    values = dict(point.values)
    for condition in loss.require:
        if not isinstance(condition, Call):
            continue
        sides = condition.args
        if condition.op in ("lt", "le"):
            sides = sides[::-1]
        elif condition.op not in ("gt", "ge"):
            continue
        large, small = sides
        places = (_place(loss, point, large), _place(loss, point, small))
        if places[0] is None or places[1] is None:
            continue
        (one, i), (other, j) = places[0], places[1]
        if one != other:
            continue
        array = values[one]
        assert isinstance(array, Array)
        entries = list(array.entries)
        if entries[i] < entries[j]:
            entries[i], entries[j] = entries[j], entries[i]
            values[one] = Array(array.shape, tuple(entries))
    return Point(values=values, label=point.label)


def _place(loss: Loss, point: Point, expr: Expr) -> tuple[str, int] | None:
    """The variable and the flat place that ``expr`` reads, if it reads a fixed one."""
    if not isinstance(expr, Read):
        return None
    array = point.values.get(expr.name)
    numbers = [int(s.value) for s in expr.subscripts if isinstance(s, Number)]
    if not isinstance(array, Array) or len(numbers) != len(expr.subscripts):
        return None
    if array.shape and math.prod(array.shape) != math.prod(
        int(a) for a in loss.variable(expr.name).subscripted_axes if a.isdecimal()
    ):
        return None
    flat = 0
    sizes = [int(a) for a in loss.variable(expr.name).subscripted_axes]
    for number, size in zip(numbers, sizes, strict=True):
        flat = flat * size + number
    return expr.name, flat
