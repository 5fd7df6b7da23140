"""The formulas of ``data/instabilities.toml``, compiled and held against the truth."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from losscodegen import pipeline
from losscodegen.api import spec_text
from losscodegen.ir.loss import ELLIPSIS, Loss
from losscodegen.judge.accused import Accused
from losscodegen.judge.criterion import Limits
from losscodegen.judge.mixed import target
from losscodegen.judge.oracles import Oracles
from losscodegen.judge.point import Array, Entry, Point
from losscodegen.judge.points import default_values
from losscodegen.judge.rounding import Dtype, neighbour, round_float
from losscodegen.judge.tally import Tally
from losscodegen.judge.trial import Trial
from losscodegen.language.parse import losses_from_text

DATA = Path(__file__).parent / "data" / "instabilities.toml"
DTYPES = (Dtype.FLOAT32, Dtype.FLOAT64)
POINTS = 40
"""Random points of the wide sweep for each dtype, beside edges, kinks and seams."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One formula, where it fails as it stands, and what is known to miss its target."""

    name: str
    spec: Mapping[str, Any]
    points: Sequence[Sequence[Any]]
    misses: Mapping[str, tuple[float, str]]
    """By ``"dtype order"``: the figure, and why."""
    wide: str | None
    """Why it is wrong away from its points, if it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """The worst error of one order in one dtype, as the mixed criterion has it."""

    figure: float
    target: float
    at: str


@cache
def rows() -> tuple[Row, ...]:
    tables = tomllib.loads(DATA.read_text(encoding="utf-8"))
    return tuple(
        Row(
            name=name,
            spec={
                k: v for k, v in table.items() if k not in ("points", "misses", "wide")
            },
            points=table["points"],
            wide=table.get("wide"),
            misses={k: (f, why) for k, (f, why) in table.get("misses", {}).items()},
        )
        for name, table in tables.items()
    )


class Trials(Trial):
    """A trial at given points."""

    def gather(self) -> None:
        given, self.points = self.points, []
        for point in given:
            truth = self.oracles(self.loss, point, self.dtype)
            if truth is not None:
                self.points.append(point)
                self.truths.append(truth)


def figures(row: Row, *, wide: bool = False) -> dict[str, Figure]:
    """The figures by ``"dtype order"``: at the points of the row, or all over."""
    file = f"{row.name}.toml"
    text = spec_text("PatternLoss", row.spec)
    (loss,) = losses_from_text(text, file)
    accused = Accused.load(loss, pipeline.generate_text(text, file=file).text)
    found = {}
    for dtype in DTYPES:
        trial = (Trial if wide else Trials)(
            loss=loss,
            accused=accused,
            oracles=Oracles(),
            dtype=dtype,
            seed=0,
            count=POINTS,
            limits=Limits().within(dtype),
            points=[] if wide else points(row, loss, dtype),
        )
        for order, tally in trial.run().items():
            found[f"{dtype.value} {order}"] = _figure(loss, tally)
        assert not any(f.code in ("raises", "wrong-shape") for f in trial.findings)
    return found


def _figure(loss: Loss, tally: Tally) -> Figure:
    check = tally.check()
    goal = target(loss).of(tally.order)
    at = "" if check.hardest is None else check.hardest.point
    return Figure(figure=check.ours.mixed, target=goal, at=at)


def points(row: Row, loss: Loss, dtype: Dtype) -> list[Point]:
    """The points of a row with their neighbours on both sides, in the numbers of a dtype."""
    return [
        Point(
            values={
                **default_values(loss),
                **{
                    v.name: _entry(number, v.axes, dtype, step)
                    for v, number in zip(loss.inputs, numbers, strict=True)
                },
            },
            label="typical",
        )
        for numbers in row.points
        for step in (0, 1)
    ]


def _entry(
    numbers: float | Sequence[float], axes: Sequence[str], dtype: Dtype, step: int
) -> Entry:
    entries = numbers if isinstance(numbers, list) else [numbers]
    shape = tuple(1 if a == ELLIPSIS else len(entries) for a in axes)
    assert math.prod(shape) == len(entries)
    return Array(shape, tuple(_number(x, dtype, step) for x in entries))


def _number(number: float, dtype: Dtype, step: int) -> float:
    """A number of the format; of those that are not whole also the neighbour towards 0."""
    value = round_float(number, dtype)
    if value == int(value):
        return value
    return neighbour(value, -step if value > 0 else step, dtype)
