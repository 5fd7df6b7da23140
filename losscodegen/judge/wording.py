"""Numbers and points as text that can be typed in again; errors as text for columns."""

from __future__ import annotations

import math

from losscodegen.judge.point import Array, Entry, Point
from losscodegen.judge.rounding import Dtype, round_float


def format_number(value: float, dtype: Dtype) -> str:
    """The shortest decimal that rounds to ``value`` in the format."""
    if dtype is Dtype.FLOAT64 or not math.isfinite(value):
        return repr(value)
    for digits in range(1, 18):
        text = f"{value:.{digits}g}"
        if _same(float(text), value, dtype):
            return repr(float(text))
    return repr(value)


def _same(one: float, other: float, dtype: Dtype) -> bool:

    return round_float(one, dtype) == other


def format_point(point: Point) -> str:
    parts = (f"{n} = {_format_entry(e)}" for n, e in point.values.items())
    return ", ".join(p for p in parts if not p.endswith("= None"))


def _format_entry(entry: Entry) -> str:
    if not isinstance(entry, Array):
        return str(entry)
    if len(entry.entries) == 1:
        return repr(entry.entries[0])
    return _nested(list(entry.entries), entry.shape)


def _nested(entries: list[float | int | bool], shape: tuple[int, ...]) -> str:
    if not shape:
        return repr(entries[0])
    step = math.prod(shape[1:])
    rows = (
        _nested(entries[k * step : (k + 1) * step], shape[1:]) for k in range(shape[0])
    )
    return "[" + ", ".join(rows) + "]"


def format_ulp(ulp: float) -> str:
    """Short enough for a column: 0, 1.5, 940, 2e+08, inf."""
    if not math.isfinite(ulp):
        return str(ulp)
    if ulp >= 1e5:
        return f"{ulp:.0e}"
    return f"{ulp:.0f}" if ulp >= 10 else f"{ulp:.2g}"
