"""Every known way of losing digits, compiled: is the result what the library promises?"""

from __future__ import annotations

import pytest

from losscodegen.judge.mixed import ELEMENTARY, SPECIAL
from tests.instabilities import DTYPES, Row, figures, rows

FACTOR = 4.0
"""Lanes of vector units and their leftovers round differently."""

each_row = pytest.mark.parametrize("row", rows(), ids=lambda row: row.name)


@each_row
def test_at_the_points_where_the_formula_fails(row: Row) -> None:
    """What is known to miss its target still does, by about as much."""
    found = figures(row)
    assert row.misses.keys() <= found.keys()
    for name, figure in found.items():
        if name not in row.misses:
            assert figure.figure <= figure.target, (name, figure)
            continue
        known, _ = row.misses[name]
        assert figure.figure > figure.target, f"{name} reaches its target now"
        assert figure.figure <= FACTOR * known, (name, figure)


@pytest.mark.slow
@pytest.mark.parametrize(
    "row", [r for r in rows() if not r.misses], ids=lambda row: row.name
)
def test_everywhere(row: Row, request: pytest.FixtureRequest) -> None:
    """No tail is missing altogether: what is lost off the points of the row stays small."""
    if row.wide is not None:
        request.applymarker(pytest.mark.xfail(reason=row.wide, strict=True))
    for name, figure in figures(row, wide=True).items():
        if not name.endswith("second"):
            assert figure.figure <= SPREAD, (name, figure)


SPREAD = 1024.0
"""What the judge fails at."""


def test_the_rows_are_in_order() -> None:
    assert len(rows()) > 100
    assert len(DTYPES) == 2 and ELEMENTARY.value < SPECIAL.value
    for row in rows():
        assert row.points
        for figure, why in row.misses.values():
            assert figure > ELEMENTARY.value and len(why) > 10
