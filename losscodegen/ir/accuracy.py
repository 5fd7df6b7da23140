"""What PyTorch's own functions are worth: value, gradient and second derivative, as measured.

The numbers stand in ``accuracy.toml`` beside this file, by version of torch, dtype and spelling;
`python -m benchmarks.ops` measures them and writes it. Half precision has no rows: there generated
code computes in float32.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

EXACT_ULPS = 600
"""How far from the true derivative a backward may be that is called exact: it loses the digits of
one rounded square in an exponential, no more."""

ORDERS = ("value", "gradient", "second")
FILE = Path(__file__).with_name("accuracy.toml")

Band = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """The worst error over a fixed sample.

    ulp: in units of the last place of the true result, where that is a normal number; infinite
        for NaN.
    at: the arguments at which it was found.
    bad: for functions of one argument the stretches of it in which errors beyond `EXACT_ULPS`
        were found, from the first such point to the last.
    """

    ulp: float
    at: tuple[float, ...]
    bad: tuple[Band, ...] = ()


Column = Mapping[str, Mapping[str, Mapping[str, Accuracy]]]
"""By dtype, by the name of the row, by order; a second derivative that torch has not is missing."""


@cache
def columns() -> Mapping[str, Column]:
    """All that was measured, by version of torch."""
    found = tomllib.loads(FILE.read_text(encoding="utf-8"))
    return {
        version: {
            dtype: {
                name: {order: _read(cell) for order, cell in row.items()}
                for name, row in rows.items()
            }
            for dtype, rows in by_dtype.items()
        }
        for version, by_dtype in found.items()
    }


def _read(cell: Mapping[str, object]) -> Accuracy:
    ulp, at, bad = cell["ulp"], cell["at"], cell.get("bad", [])
    assert isinstance(ulp, float) and isinstance(at, list) and isinstance(bad, list)
    return Accuracy(ulp=ulp, at=tuple(at), bad=tuple((low, high) for low, high in bad))


def nearest(version: str) -> str:
    """The version with a column that is nearest to ``version``; of two as near, the older one."""
    wanted = _number(version)
    return min(sorted(columns(), key=_number), key=lambda v: _gap(_number(v), wanted))


def substitution(version: str) -> str | None:
    """What to tell the user of a version that was not measured; None if it was."""
    found = nearest(version)
    if found == _plain(version):
        return None
    return (
        f"torch {version} was not measured, the figures of torch {found} are used; "
        "`python -m benchmarks.ops` measures it"
    )


def bands(name: str, order: str = "gradient") -> tuple[Band, ...]:
    """Where the derivative of a function is wrong in some version and dtype.

    Generated code runs on any of them, so that one suffices.
    """
    return tuple(
        dict.fromkeys(
            band
            for column in columns().values()
            for rows in column.values()
            if name in rows and order in rows[name]
            for band in rows[name][order].bad
        )
    )


def worst(name: str, order: str = "gradient") -> float:
    """The worst error in any version and dtype."""
    return max(
        rows[name][order].ulp
        for column in columns().values()
        for rows in column.values()
        if order in rows[name]
    )


def _plain(version: str) -> str:
    """``2.13.0`` for ``2.13.0+cpu``."""
    return ".".join(map(str, _number(version)))


def _number(version: str) -> tuple[int, int, int]:
    parts = [int(p) for p in re.findall(r"\d+", version.partition("+")[0])[:3]]
    major, minor, patch = (*parts, 0, 0, 0)[:3]
    return major, minor, patch


def _gap(one: tuple[int, int, int], other: tuple[int, int, int]) -> float:
    """A major version counts more than all minor ones, a minor one more than all patches."""
    weights = (10**6, 10**3, 1)
    return math.fsum(
        w * abs(a - b) for w, a, b in zip(weights, one, other, strict=True)
    )
