"""Where `benchmarks.torch_nn` compares: the cases, the points, and the known weak points."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random

from losscodegen.ir.loss import ELLIPSIS, Absent, DomainKind, Loss, Variable
from losscodegen.judge.point import Array, Entry, Point
from losscodegen.judge.points import default_values
from losscodegen.judge.rounding import Dtype, round_float
from losscodegen.judge.samplers import Range

SIZES = {"C": 4, "D": 3}
"""Of the axes of classes and features; a batch has one element."""
EACH = 16
"""Points of every kind."""
KINDS = ("bits", "linear", "confident", "offset", "equal", "zero", "huge", "tiny")
WEIGHTS = ("weight", "pos_weight")


@dataclass(frozen=True, slots=True)
class Case:
    """A class under some options; several of them for a class whose formula depends on them."""

    loss: str
    options: Mapping[str, Entry] = field(default_factory=dict)
    drawn: tuple[str, ...] = ()
    """Optional tensors that are given."""
    domains: Mapping[str, DomainKind] = field(default_factory=dict)
    """Where a variable lies under these options, if not in its declared domain."""
    design: str = ""
    """What torch does on purpose and the spec states likewise."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A point at which torch 2.13 was found to be off plain mathematics."""

    loss: str
    float32: Mapping[str, object]
    float64: Mapping[str, object]
    found: str
    domains: Mapping[str, DomainKind] = field(default_factory=dict)
    options: Mapping[str, Entry] = field(default_factory=dict)

    def at(self, dtype: Dtype) -> Mapping[str, object]:
        found = self.float32 if dtype is Dtype.FLOAT32 else self.float64
        return {**self.options, **found}


# ---------------------------------------------------------------- points


def as_point(
    loss: Loss, given: Mapping[str, object], dtype: Dtype, label: str = ""
) -> Point:
    """Numbers and lists of them by symbol as a point: one element of the batch."""
    values = default_values(loss)
    for name, entry in given.items():
        axes = [a for a in loss.variable(name).axes if a != ELLIPSIS]
        if ELLIPSIS in loss.variable(name).axes[:1]:
            axes.insert(0, ELLIPSIS)
        if not axes:
            assert entry is None or isinstance(entry, float | int | str)
            values[name] = entry
            continue
        flat = tuple(entry) if isinstance(entry, list | tuple) else (entry,)
        shape = tuple(SIZES.get(a, 1) for a in axes)
        if math.prod(shape) != len(flat):  # a fact may have fewer classes
            shape = (*shape[:-1], len(flat))
        rounded = (x if isinstance(x, int) else round_float(x, dtype) for x in flat)
        values[name] = Array(shape, tuple(rounded))
    return Point(values=values, label=label)


def restated(loss: Loss, domains: Mapping[str, DomainKind]) -> Loss:
    """The loss with inputs in other domains; labels are not differentiated by."""

    def moved(variable: Variable) -> Variable:
        kind = domains.get(variable.name, variable.domain.kind)
        return replace(variable, domain=replace(variable.domain, kind=kind))

    return replace(loss, inputs=tuple(moved(v) for v in loss.inputs))


def points(loss: Loss, case: Case, dtype: Dtype) -> list[Point]:
    random = Random(f"{case}/{dtype.value}")
    found = []
    for kind in KINDS:
        for _ in range(1 if kind == "zero" else EACH):
            given: dict[str, object] = dict(case.options)
            for variable in loss.variables:
                if variable.axes and (
                    variable.name in case.drawn or variable.name not in optional(loss)
                ):
                    given[variable.name] = draw(variable, kind, dtype, random)
            if kind == "equal":
                equate(loss, given, random)
            found.append(as_point(loss, given, dtype, kind))
    return found


def optional(loss: Loss) -> set[str]:
    return {v.name for v in loss.variables if v.default is Absent.NONE}


def draw(
    variable: Variable, kind: str, dtype: Dtype, random: Random
) -> Sequence[float]:
    """The entries of a tensor."""
    count = math.prod(SIZES.get(a, 1) for a in variable.axes)
    if variable.domain.kind is DomainKind.INDEX:
        if count == 1:
            return [random.randrange(SIZES["C"])]
        labels = random.sample(range(count), random.randrange(count + 1))
        return labels + [-1] * (count - len(labels))
    if variable.domain.kind is DomainKind.SIGN:
        return [random.choice((-1.0, 1.0)) for _ in range(count)]
    span = Range.of(variable.domain, dtype)
    if variable.name in WEIGHTS:
        return [span.near(random.uniform(0.25, 4.0)) for _ in range(count)]
    row = [number(kind, span, random) for _ in range(count)]
    if kind == "confident" and span.low < 0 and count > 1:
        row[random.randrange(count)] += random.uniform(12.0, 45.0)
    return row


def number(kind: str, span: Range, random: Random) -> float:
    bounded = span.high <= 1
    match kind:
        case "bits":
            return span.bits(random)
        case "confident" if bounded:
            small = span.near(10.0 ** -random.uniform(1.0, 40.0))
            return random.choice((0.0, 1.0, small, span.near(1.0 - small)))
        case "confident":
            return span.near(random.choice((-1.0, 1.0)) * random.uniform(12.0, 45.0))
        case "zero":
            return span.near(0.0)
        case "offset" if not bounded:
            return span.near(1e4 + random.gauss(0.0, 3.0))
        case "huge" | "tiny" if not bounded:
            scale = 1e30 if kind == "huge" else 1e-30
            signed = scale * random.gauss(0.0, 1.0)
            return span.near(signed if span.low < 0 else abs(signed))
        case _:
            return span.linear(random)


def equate(loss: Loss, given: dict[str, object], random: Random) -> None:
    """Inputs over the same axes get the same numbers, or nearly: no residual, parallel vectors."""
    first: dict[tuple[str, ...], list[float]] = {}
    for variable in loss.inputs:
        if variable.domain.kind is DomainKind.REAL:
            row = given[variable.name]
            assert isinstance(row, list)
            row = first.setdefault(variable.axes, row)
            step = random.choice((0.0, 1e-6, 1e-9))
            given[variable.name] = [
                x * (1.0 + step * random.gauss(0.0, 1.0)) for x in row
            ]


NONNEGATIVE, SIGN = DomainKind.NONNEGATIVE, DomainKind.SIGN
CASES = (
    Case("BCELoss", design="no logarithm below -100"),
    Case("BCEWithLogitsLoss"),
    Case("BCEWithLogitsLoss", drawn=("pos_weight",)),
    Case("CosineEmbeddingLoss", design="1e-12 added to the squared norms"),
    Case("CrossEntropyLoss"),
    Case("CrossEntropyLoss", {"label_smoothing": 0.1}, drawn=("weight",)),
    Case("CrossEntropyProbabilitiesLoss"),
    Case("GaussianNLLLoss", design="var is at least eps, the gradient passes"),
    Case("HingeEmbeddingLoss"),
    Case("HuberLoss"),
    Case("KLDivLoss", domains={"y": NONNEGATIVE}),
    Case("KLDivLoss", {"log_target": True}),
    Case("L1Loss"),
    Case("LinearCrossEntropyLoss"),
    Case("LinearCrossEntropyProbabilitiesLoss"),
    Case("MarginRankingLoss", domains={"y": SIGN}),
    Case("MSELoss"),
    Case("MultiLabelMarginLoss"),
    Case("MultiLabelSoftMarginLoss"),
    Case("MultiMarginLoss"),
    Case("MultiMarginLoss", {"p": 2}),
    Case("NLLLoss"),
    Case("PoissonNLLLoss"),
    Case(
        "PoissonNLLLoss",
        {"log_input": False},
        (),
        {"x": NONNEGATIVE},
        "eps in the logarithm",
    ),
    Case("PoissonNLLLoss", {"full": True}, design="Stirling's approximation"),
    Case("SmoothL1Loss"),
    Case("SoftMarginLoss", domains={"y": SIGN}),
    Case("TripletMarginLoss", design="eps added to the differences"),
    Case("TripletMarginLoss", {"swap": True}, design="eps added to the differences"),
)


def _fact(
    loss: str,
    found: str,
    float32: dict[str, object],
    options: Mapping[str, Entry] | None = None,
    **float64: object,
) -> Fact:
    """``float64`` has what differs from the point for float32."""
    domains = {"y": SIGN} if loss == "SoftMarginLoss" else {}
    return Fact(loss, float32, float32 | float64, found, domains, options or {})


S32, S64 = 2.0**-149, 2.0**-1074
"""The smallest positive numbers."""
PARALLEL = [0.25274193, -3.9414158, 1.987318]
"""Beside 1.5 times itself the cosine rounds to more than 1."""
SHORT, LONG = ([1e-7, 2e-7, 0.0], [2e-7, 1e-7, 0.0]), (
    [1e20, 2e20, 0.0],
    [2e20, 1e20, 0.0],
)
SURE, EPS, EDGE = "value and gradient 0", "eps in the logarithm", [0.0, 0.0]
FACTS = (
    _fact("SoftMarginLoss", "overflows", {"x": -100.0, "y": 1.0}, x=-800.0),
    _fact("BCEWithLogitsLoss", "value 0", {"x": -20.0, "y": 0.0}, x=-40.0),
    _fact("BCEWithLogitsLoss", "value 0", {"x": -20.0, "y": 1e-12}, x=-40.0, y=1e-25),
    _fact("BCEWithLogitsLoss", "gradient 0", {"x": 20.0, "y": 1.0}, x=40.0),
    _fact("BCEWithLogitsLoss", "gradient 0", {"x": 1e-8, "y": 0.5}, x=1e-17),
    _fact(
        "BCEWithLogitsLoss",
        "gradient 0",
        {"x": 20.0, "y": 1.0, "pos_weight": 3.0},
        x=40.0,
    ),
    _fact("BCELoss", "gradient 0, not -1", {"x": 1.0, "y": 1.0}),
    _fact("BCELoss", "gradient 0, not 1", {"x": S32, "y": 0.0}, x=S64),
    _fact("BCELoss", "value 100", {"x": S32, "y": 1.0}, x=S64),
    _fact(
        "CrossEntropyLoss", SURE, {"x": [20.0, 0.0, 0.0], "t": 0}, x=[40.0, 0.0, 0.0]
    ),
    _fact(
        "LinearCrossEntropyLoss",
        SURE,
        {"x": [1.0, 0.0, 0.0], "W": [20.0] + [0.0] * 11, "b": [0.0] * 4, "t": 0},
        W=[40.0] + [0.0] * 11,
    ),
    _fact("KLDivLoss", "gradient by a target of 0 NaN", {"x": -1.0, "y": 0.0}),
    _fact("GaussianNLLLoss", "eps instead of var", {"x": 1.0, "y": 0.0, "var": 1e-8}),
    _fact("PoissonNLLLoss", EPS, {"x": 1e-10, "y": 4.0}, {"log_input": False}),
    _fact("PoissonNLLLoss", EPS, {"x": 1.0, "y": 1.5e29}, {"log_input": False}),
    _fact("PoissonNLLLoss", "Stirling's formula", {"x": 1.0, "y": 2.0}, {"full": True}),
    _fact(
        "TripletMarginLoss",
        "eps beside a small difference",
        {"a": [1e-7, *EDGE], "b": [2e-7, *EDGE], "n": [1.0, *EDGE]},
    ),
    _fact(
        "CosineEmbeddingLoss",
        "negative for parallel vectors",
        {"x": PARALLEL, "y": [1.5 * x for x in PARALLEL], "s": 1.0},
    ),
    _fact(
        "CosineEmbeddingLoss",
        "1 - cos of equal vectors",
        {"x": PARALLEL, "y": PARALLEL, "s": 1.0},
    ),
    _fact(
        "CosineEmbeddingLoss",
        "gradient of short vectors",
        {"x": SHORT[0], "y": SHORT[1], "s": 1.0},
    ),
    _fact(
        "CosineEmbeddingLoss",
        "squares overflow",
        {"x": LONG[0], "y": LONG[1], "s": 1.0},
        x=[1e160, 2e160, 0.0],
        y=[2e160, 1e160, 0.0],
    ),
)
