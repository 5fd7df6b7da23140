"""What torch's own functions are worth, measured against ball arithmetic.

    python -m benchmarks.ops [NAME ...]

rewrites the column of the installed torch in ``losscodegen/ir/accuracy.toml``, or of these rows
alone. Errors are counted in units of the last place of the true result where that, the value and
the arguments are normal numbers; the points are those of the judge: random bit patterns, linear and
logarithmic ones, numbers around one, and the edges of the format each with its neighbours; for
functions of one argument their negatives, too.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import torch
from torch import Tensor
from torch.nn import functional as F

from losscodegen.ir.accuracy import (
    EXACT_ULPS,
    FILE,
    ORDERS,
    Accuracy,
    Band,
    Column,
    columns,
)
from losscodegen.ir.loss import Loss
from losscodegen.ir.ops import OPS, Op, Sort
from losscodegen.judge.criterion import Measure, Skip, measure, measure_slope
from losscodegen.judge.oracle_second import Bend, bends
from losscodegen.judge.oracles import Oracles
from losscodegen.judge.point import Array, Point, Real, Truth
from losscodegen.judge.points import sample
from losscodegen.judge.rounding import Dtype
from losscodegen.judge.second import Diagonal, diagonals
from losscodegen.judge.tensors import Bound, Result, execute
from losscodegen.language.domains import admits
from losscodegen.language.parse import losses_from_text

COUNT = 1000
QUICK = 8
"""The sample of a quick look, part of every other: few random points, and all edges."""
DTYPES = (Dtype.FLOAT32, Dtype.FLOAT64)
APART = 12
"""So many good points in a row end a stretch of bad ones."""

Args = tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One spelling: what is written for torch, and what it means as a formula."""

    name: str
    torch: str
    formula: str
    inputs: Mapping[str, str]
    require: str | None = None

    def loss(self) -> Loss:
        lines = ["[SubjectLoss]", f'loss = "{self.formula}"']
        lines += [f'inputs.{n} = "{d}"' for n, d in self.inputs.items()]
        if self.require:
            lines.append(f'require = ["{self.require}"]')
        (loss,) = losses_from_text("\n".join(lines) + "\n", "subject.toml")
        return loss

    def __call__(self, bound: Mapping[str, Bound]) -> Tensor:
        names = {"torch": torch, "F": F, **bound}
        result = eval(self.torch, names)  # noqa: S307 - text of our own tables
        assert isinstance(result, Tensor)
        return result.to(getattr(bound["x"], "dtype", None))


_REAL, _POSITIVE, _NONNEGATIVE = "real[...]", "positive[...]", "nonnegative[...]"

DOMAINS: Mapping[str | None, tuple[str, ...]] = {
    None: (_REAL, _REAL, _REAL),
    "x > 0": (_POSITIVE,),
    "x >= 0": (_NONNEGATIVE,),
    "x > -1": ("real[...] in (-1, oo)",),
    "x >= 1": ("real[...] in [1, oo)",),
    "-1 <= x <= 1": ("real[...] in [-1, 1]",),
    "-1 < x < 1": ("real[...] in (-1, 1)",),
    "cos(x) != 0": (_REAL,),
    "y > 0": (_REAL, _POSITIVE),
    "y != 0": (_REAL, _REAL),
    "x != 0 or y != 0": (_REAL, _REAL),
    "x == 0 or y > 0": (_REAL, _NONNEGATIVE),
    "x > 0 or (x == 0 and y >= 0) or y == floor(y)": (_NONNEGATIVE, _REAL),
}
"""The domain column of the op table as declarations."""

_LARGEST_ORDER = 2
_PAIR = "torch.stack((x, y), -1)"
_BEYOND = (
    # What generated code calls along an axis, at two entries.
    ("logsumexp", f"{_PAIR}.logsumexp(-1)", "logaddexp(x, y)", "xy"),
    ("softmax", f"{_PAIR}.softmax(-1)[..., 0]", "sigmoid(x - y)", "xy"),
    # What it does not call, and why.
    ("log_softmax", f"{_PAIR}.log_softmax(-1)[..., 0]", "logsigmoid(x - y)", "xy"),
    ("softplus_20", "F.softplus(x)", "softplus(x)", "x"),
    ("sinc", "torch.sinc(x)", "where(x == 0, 1, sin(pi*x)/(pi*x))", "x"),
    ("rsqrt", "x.rsqrt()", "1/sqrt(x)", "p"),
    ("logit", "x.logit()", "log(x/(1 - x))", "u"),
    ("entr", "torch.special.entr(x)", "-xlogy(x, x)", "n"),
    ("xlog1py", "torch.special.xlog1py(x, y)", "x*log1p(y)", "nn"),
    ("ndtr", "torch.special.ndtr(x)", "erfc(-x/sqrt(2))/2", "x"),
    ("log_ndtr", "torch.special.log_ndtr(x)", "log(erfc(-x/sqrt(2))/2)", "x"),
    ("erfcx", "torch.special.erfcx(x)", "erfc(x)*exp(x**2)", "x"),
    ("i0e", "torch.special.i0e(x)", "besseli(0, x)*exp(-abs(x))", "x"),
    ("i1e", "torch.special.i1e(x)", "besseli(1, x)*exp(-abs(x))", "x"),
)
_LETTERS = {
    "x": _REAL,
    "y": _REAL,
    "p": _POSITIVE,
    "n": _NONNEGATIVE,
    "u": "real[...] in (0, 1)",
}


def subjects() -> Iterator[Subject]:
    """Every spelling that is measured, those of the op table first."""
    for row in OPS.values():
        if row.sort is Sort.REAL and row.name != "detach":
            yield from _of_row(row)
    for name, spelling, formula, letters in _BEYOND:
        inputs = dict(zip("xy", map(_LETTERS.__getitem__, letters), strict=False))
        yield Subject(name=name, torch=spelling, formula=formula, inputs=inputs)


def _of_row(row: Op) -> Iterator[Subject]:
    if row.order is not None:
        least, most = row.order
        for order in range(least or 0, (_LARGEST_ORDER if most is None else most) + 1):
            yield Subject(
                name=f"{row.name}_{order}",
                torch=row.torch.format(order, "x"),
                formula=f"{row.name}({order}, x)",
                inputs={"x": DOMAINS[row.domain][-1]},
            )
        return
    names = tuple("xyz"[: row.arity[1] or 2])
    if row.operator is not None and not row.torch.startswith("."):
        formula = row.operator.join(names) if len(names) > 1 else f"{row.operator}x"
        spelling = row.torch.join(names) if len(names) > 1 else f"{row.torch}x"
    else:
        spelling = row.torch.format(*names)
        spelling = f"x{spelling}" if spelling.startswith(".") else spelling
        formula = f"{row.name}({', '.join(names)})"
        if row.operator is not None:
            formula = f" {row.operator} ".join(names)
    yield Subject(
        name=row.name,
        torch=spelling,
        formula=formula,
        inputs=dict(zip(names, DOMAINS[row.domain], strict=False)),
        require="y < z" if row.name == "clip" else None,
    )


# ---------------------------------------------------------------------- measuring


@dataclass(slots=True)
class Errors:
    """The errors of one order at all points that count."""

    at: dict[Args, float] = field(default_factory=dict)

    def add(self, args: Args, found: Measure | Skip) -> None:
        if isinstance(found, Measure) and not found.outside:
            self.at[args] = max(found.ulp, self.at.get(args, 0.0))

    def accuracy(self, *, single: bool) -> Accuracy | None:
        if not self.at:
            return None
        args = max(self.at, key=lambda a: self.at[a])
        bad = tuple(self._bands()) if single else ()
        return Accuracy(ulp=_rounded(self.at[args]), at=args, bad=bad)

    def _bands(self) -> Iterator[Band]:
        """Stretches of bad points with few good ones between."""
        low = high = math.nan
        good = 0
        for (x,), ulp in sorted(self.at.items()):
            if ulp <= EXACT_ULPS:
                good += 1
                continue
            if good > APART and low == low:
                yield low, high
                low = x
            low, high, good = x if math.isnan(low) else low, x, 0
        if low == low:
            yield low, high


def errors_of(
    subject: Subject, dtype: Dtype, count: int = 0, further: Sequence[Args] = ()
) -> Mapping[str, Errors]:
    """The errors by order at ``further`` arguments, the quick sample and one of ``count``."""
    loss, oracles = subject.loss(), Oracles()
    points = [point_at(subject, args) for args in further]
    for size in (QUICK, count):
        points += sample(loss, dtype, count=size).points if size else ()
    points += _mirrored(loss, points)
    results = execute(loss, points, subject, dtype)
    seconds = diagonals(loss, points, subject, dtype)
    found = {order: Errors() for order in ORDERS}
    for point, result, second in zip(points, results, seconds, strict=True):
        assert result.error is None, (subject.name, result.error)
        small = any(0 < abs(a) < dtype.tiny for a in _args(point))
        truth = None if small else oracles(loss, point, dtype)
        if truth is None or not _normal(truth.value[0], dtype):
            continue
        row = bends(oracles.at(loss, point), point, dtype, truth.bits)
        _add(found, point, truth, row, result, second, dtype)
    return found


def _mirrored(loss: Loss, points: Sequence[Point]) -> list[Point]:
    """The negatives of points, where the function has one argument and they are in its domain."""
    if len(loss.variables) > 1:
        return []
    (variable,) = loss.variables
    return [
        Point(values={variable.name: Array((1,), (-x,))})
        for point in points
        for (x,) in (_args(point),)
        if admits(variable.domain, -x)
    ]


def _add(
    found: Mapping[str, Errors],
    point: Point,
    truth: Truth,
    row: Mapping[str, tuple[Bend, ...]],
    result: Result,
    second: Diagonal | None,
    dtype: Dtype,
) -> None:
    args = _args(point)
    found["value"].add(args, measure(truth.value[0], result.value[0], dtype))
    for name, (slope,) in truth.gradient.items():
        error = measure_slope(slope, result.gradient[name][0], dtype)
        found["gradient"].add(args, error)
        (bend,) = row[name]
        if second is None or bend.kink or not _normal(bend.value, dtype):
            continue
        found["second"].add(args, measure(bend.value, second[name][0], dtype))


def _normal(number: Real, dtype: Dtype) -> bool:
    """Whether it is 0 or rounds to a normal number."""
    size = abs(number.rounded(dtype))
    return number.finite and (
        (size == 0 and number.exact) or dtype.tiny <= size < math.inf
    )


def point_at(subject: Subject, args: Args) -> Point:
    named = zip(subject.inputs, args, strict=True)
    return Point(values=MappingProxyType({n: Array((1,), (a,)) for n, a in named}))


def _args(point: Point) -> Args:
    arrays = (a for a in point.values.values() if isinstance(a, Array))
    return tuple(float(a.entries[0]) for a in arrays)


def _rounded(number: float) -> float:
    return float(f"{number:.3g}")


def measured(subject: Subject, dtype: Dtype, count: int) -> dict[str, Accuracy]:
    found = errors_of(subject, dtype, count)
    single = len(subject.inputs) == 1
    accuracies = {order: e.accuracy(single=single) for order, e in found.items()}
    return {order: a for order, a in accuracies.items() if a is not None}


# ---------------------------------------------------------------------- the file


def text(found: Mapping[str, Column]) -> str:
    """The data as they stand in the file."""
    lines = [
        "# What torch's own functions are worth, in ulp: see `losscodegen.ir.accuracy`.",
        "# Written by `python -m benchmarks.ops`; not to be edited.",
    ]
    for version, column in found.items():
        for dtype, rows in column.items():
            lines += ["", f'["{version}".{dtype}]']
            for name, row in rows.items():
                lines += [
                    f"{name}.{order} = {_cell(accuracy)}"
                    for order, accuracy in row.items()
                ]
    return "\n".join(lines) + "\n"


def _cell(accuracy: Accuracy) -> str:
    at = ", ".join(map(repr, accuracy.at))
    parts = [f"ulp = {accuracy.ulp!r}", f"at = [{at}]"]
    if accuracy.bad:
        pairs = ", ".join(f"[{low!r}, {high!r}]" for low, high in accuracy.bad)
        parts.append(f"bad = [{pairs}]")
    return f"{{ {', '.join(parts)} }}"


def main(names: Sequence[str]) -> None:
    torch.set_num_threads(1)
    version = torch.__version__.partition("+")[0]
    found = dict(columns()) if FILE.is_file() else {}
    old = found.get(version, {})
    column: dict[str, dict[str, dict[str, Accuracy]]] = {}
    for dtype in DTYPES:
        rows = column[dtype.value] = {}
        for subject in subjects():
            kept = old.get(dtype.value, {}).get(subject.name)
            if names and subject.name not in names and kept:
                rows[subject.name] = dict(kept)
                continue
            rows[subject.name] = measured(subject, dtype, COUNT)
            figures = ", ".join(f"{o} {a.ulp:g}" for o, a in rows[subject.name].items())
            print(f"{dtype.value} {subject.name}: {figures}", flush=True)
    found[version] = column
    FILE.write_text(text(found), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
