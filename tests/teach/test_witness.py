"""Both sides of a rule near its witness: what the plots of the rule reference show."""

from __future__ import annotations

import math

import pytest

from losscodegen.compiler.rules import REFUTED, RULES
from losscodegen.judge.rounding import Dtype
from losscodegen.teach.plot import witness_plot
from losscodegen.teach.rules import RULE_NAMES, sides
from losscodegen.teach.scales import Distances
from losscodegen.teach.witness import PATTERN, REPLACEMENT, around, neighbourhood

ROWS = [next(r for r in (*RULES, *REFUTED) if r.name == n) for n in RULE_NAMES[::11]]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_side_that_fails_does_so_at_the_witness(row: object) -> None:
    found = neighbourhood(row)  # type: ignore[arg-type]
    assert found is not None
    forms = dict(found.errors.forms)
    wrong, right = PATTERN, REPLACEMENT
    if row in REFUTED:
        wrong, right = right, wrong
    if math.isfinite(found.at):
        here = found.errors.x.index(found.at)
        # A refuted replacement need not be worse than what it replaces, only no better.
        gain = forms[wrong][here] - forms[right][here]
        assert gain >= 0 if row in REFUTED else gain > 0
        finite = [b for b in forms[wrong] if not math.isnan(b)]
        assert max(finite) >= 4
    assert witness_plot("a title", found).count('<path class="line') == 2


def test_a_range_that_the_witness_is_beyond_limits_the_other_end_alone() -> None:
    row = next(r for r in RULES if r.name == "inverse-softplus")
    found = neighbourhood(row, sides(row))
    assert found is not None
    assert row.domain == {"x": "(0, 30)"}
    assert found.at == 100.0
    assert min(found.errors.x) > 0


@pytest.mark.parametrize("at", [1e-9, -3.0, 0.0, 0.999, math.inf])
def test_numbers_around_a_witness(at: float) -> None:
    x = around(at, 1.0 if at == 0.999 else 0.0, Dtype.FLOAT64)
    assert list(x) == sorted(set(x))
    assert at in x or math.isinf(at)
    if at not in (0.0, math.inf):
        assert all((n > 0) == (at > 0) for n in x)


def test_distances_are_powers_of_ten_on_both_sides() -> None:
    scale = Distances(-100.0, 100.0, nearest=1e-6)
    assert scale.place(0.0) == 0.5
    assert scale.place(100.0) == 1.0
    assert scale.place(1e-9) == 0.5
    texts = [text for _, text in scale.ticks()]
    assert "0" in texts
    assert len(texts) <= 7


def test_distances_from_one() -> None:
    scale = Distances(0.0, 0.9999, centre=1.0, nearest=1e-4)
    assert scale.place(0.9) < scale.place(0.99) < scale.place(0.999)
    assert any(text.startswith("1−10") for _, text in scale.ticks())


def test_all_names_run_where_none_tells_anything() -> None:
    row = next(r for r in RULES if r.name == "root-mean-square")
    found = neighbourhood(row)
    assert found is not None
    assert found.fixed.endswith("all in proportion")
    bits = dict(found.errors.forms)[PATTERN]
    assert min(bits) < 4 < max(bits)


def test_parameters_that_are_numbers_run_as_numbers() -> None:
    row = next(r for r in RULES if r.steady)
    assert neighbourhood(row) is not None
