"""The page that sets the drop-in classes beside torch.nn: its rows, and what it measures."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import mpmath
import pytest

from benchmarks import torch_nn
from benchmarks.torch_nn_pairs import Bench
from benchmarks.torch_nn_points import CASES, FACTS, KINDS, Case, points
from losscodegen.ir.loss import DomainKind
from losscodegen.judge.point import Array
from losscodegen.judge.rounding import Dtype
from tests.drop_ins import MAPPING

PAGE = Path(__file__).parent.parent / "docs" / "torch_nn.md"
SOFT_MARGIN = next(c for c in CASES if c.loss == "SoftMarginLoss")


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench()


def section(text: str, title: str) -> list[list[str]]:
    """The cells of the rows of the table under a heading."""
    body = text.split(f"\n## {title}\n")[1].split("\n## ")[0]
    lines = [line for line in body.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line[1:-1].split(" | ")] for line in lines[2:]]


def test_the_page_has_every_class_and_every_weak_point() -> None:
    text = PAGE.read_text(encoding="utf-8")
    found = Counter((row[0], row[1]) for row in section(text, "Every class"))
    expected = Counter(
        (torch_nn.title(c), d.value) for c in CASES for d in torch_nn.DTYPES
    )
    assert found == expected
    listed = {name.split(",")[0].split(" ")[0] for name, _ in found}
    assert {cls.__name__ for cls in MAPPING} == {
        name.replace("Probabilities", "") for name in listed
    }
    weak = Counter((row[0], row[1]) for row in section(text, "Known weak points"))
    assert weak == Counter(
        (torch_nn.title(f), d.value) for f in FACTS for d in torch_nn.DTYPES
    )


def test_the_summary_of_the_page_counts_its_rows() -> None:
    text = PAGE.read_text(encoding="utf-8")
    rows = section(text, "Every class")
    clean = [sum(row[k] == "0" for row in rows) for k in (7, 8)]
    assert (
        f"Of {len(rows)} rows torch has no wrong entry in {clean[0]}, the generated class in "
        f"{clean[1]}."
    ) in text
    weak = [row[-1] for row in section(text, "Known weak points")]
    off = [names for names in weak if "torch" in names]
    cured = sum("ours" not in names for names in off)
    assert (
        f"At {len(off)} of {len(weak)} known weak points torch is off, and at {cured} of these"
    ) in text


def test_both_classes_are_held_against_the_mathematics(bench: Bench) -> None:
    """log(1 + exp(-y*x)) and its slope by a library of arbitrary precision."""
    pairs = bench.case(SOFT_MARGIN, Dtype.FLOAT64)
    assert len(pairs) > 200
    wrong = 0
    with mpmath.workdps(60):
        for pair in pairs:
            x, y = (pair.point.values[name] for name in "xy")
            assert isinstance(x, Array) and isinstance(y, Array)
            product = -mpmath.mpf(y.entries[0]) * mpmath.mpf(x.entries[0])
            if abs(product) > 1e6:
                continue
            value = mpmath.log1p(mpmath.exp(product))
            slope = -mpmath.mpf(y.entries[0]) / (1 + mpmath.exp(-product))
            exact = float(value if pair.name == "value" else slope)
            assert math.isclose(
                pair.want.rounded(Dtype.FLOAT64), exact, rel_tol=1e-15, abs_tol=5e-324
            )
            assert math.isclose(pair.got[1], exact, rel_tol=1e-14, abs_tol=3e-308)
            wrong += not math.isclose(pair.got[0], exact, rel_tol=1e-3, abs_tol=3e-308)
    far = [p for p in pairs if p.wrong(0)]
    assert wrong <= len(far)
    assert far and not any(p.wrong(1) for p in pairs)


def test_an_overflow_of_torch_is_on_the_page() -> None:
    text = "\n".join(torch_nn.page([SOFT_MARGIN], FACTS[:1]))
    assert "At 2 of 2 known weak points torch is off, and at 2 of these" in text
    for row in section(text, "Known weak points"):
        assert row[0] == "SoftMarginLoss" and row[-1] == "torch"
        assert "(inf)" in row[-3] and row[-2].endswith("(0)")
    for row in section(text, "Every class"):
        assert row[7] != "0" and row[8] == "0"


@pytest.mark.parametrize("case", CASES, ids=torch_nn.title)
@pytest.mark.parametrize("dtype", torch_nn.DTYPES, ids=lambda d: d.value)
def test_points_are_seeded_and_in_the_domain(
    bench: Bench, case: Case, dtype: Dtype
) -> None:
    loss = bench.loss(case)
    found = points(loss, case, dtype)
    assert found == points(loss, case, dtype)
    assert {p.label for p in found} == set(KINDS)
    bounds = {
        DomainKind.UNIT: (0.0, 1.0),
        DomainKind.NONNEGATIVE: (0.0, math.inf),
        DomainKind.INDEX: (-1.0, 3.0),
        DomainKind.SIGN: (-1.0, 1.0),
    }
    for variable in loss.variables:
        low, high = bounds.get(variable.domain.kind, (-math.inf, math.inf))
        for point in found:
            array = point.values[variable.name]
            if isinstance(array, Array):
                assert all(low <= x <= high for x in array.entries)
                assert all(math.isfinite(x) for x in array.entries)
