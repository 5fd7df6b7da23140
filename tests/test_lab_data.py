"""The lab of broken losses: right ones are right where they are looked at, others not."""

from __future__ import annotations

from collections import Counter

import pytest

from losscodegen.judge.point import Array, Entry
from losscodegen.judge.points import tidy_points
from losscodegen.judge.rounding import Dtype
from losscodegen.judge.tensors import stacks
from tests.lab_modules import LAB, LabModule, faults, manifest

MODULES = manifest()
BROKEN = tuple(m for m in MODULES if m.verdict == "broken")
RIGHT = tuple(m for m in MODULES if m.verdict == "right")

CAUSES = frozenset(
    {
        "wrong-formula",
        "wrong-sign",
        "missing-reduction",
        "wrong-normaliser",
        "detached-gradient",
        "clamp-kills-gradient",
        "dead-branch",
        "eps-bias",
        "mask-by-product",
        "broadcast",
        "state",
        "dtype-or-device",
        "kink-convention",
        "overflow",
        "cancellation",
    }
)


def test_every_file_has_its_row_and_every_row_its_file() -> None:
    files = sorted(
        f"{path.parent.name}/{path.name}"
        for folder in ("broken", "right")
        for path in (LAB / folder).glob("*.py")
    )
    assert sorted(m.file for m in MODULES) == files


def test_there_are_enough_of_every_kind() -> None:
    assert len(RIGHT) >= 90
    assert len(BROKEN) >= 90
    causes = Counter(m.cause for m in BROKEN)
    assert set(causes) == CAUSES
    assert min(causes.values()) >= 4


def test_rows_say_what_they_must() -> None:
    for m in MODULES:
        assert m.verdict in ("broken", "right"), m.file
        assert m.file.startswith(f"{m.verdict}/"), m.file
        assert m.reduction in ("none", "mean", "sum"), m.file
        assert bool(m.cause) == bool(m.note) == bool(m.shows) == (m in BROKEN), m.file
        assert m.listed in ("", "cancellation"), m.file
        symbols = {v.name for v in m.loss.variables}
        assert set(m.args) <= symbols, m.file
        assert set(m.shows) <= symbols, m.file


@pytest.mark.parametrize("module", RIGHT, ids=lambda m: m.file)
def test_a_right_module_is_right_at_ordinary_points(module: LabModule) -> None:
    """Value and gradient, side by side in a batch and one by one, in both formats."""
    looked = 0
    for dtype, rtol in ((Dtype.FLOAT64, 1e-10), (Dtype.FLOAT32, 1e-4)):
        for values in _ordinary(module, dtype):
            found = faults(module, values, dtype, rtol=rtol, floor=1e-2)
            assert not found, (found, values)
            looked += 1
    assert looked >= 4


@pytest.mark.parametrize("module", BROKEN, ids=lambda m: m.file)
def test_the_defect_shows_where_the_row_says(module: LabModule) -> None:
    """Far beyond rounding: by a thousandth, or by more than float32 for a loss of float64."""
    dtype = Dtype(module.dtype or "float32")
    rtol = 1e-3 if dtype is Dtype.FLOAT32 else 1e-9
    assert faults(module, module.shown, dtype, rtol=rtol, floor=1e-30)


def test_the_comparison_finds_no_fault_in_the_right_twin_of_a_broken_one() -> None:
    """What makes a broken one fail is the defect, not the way it is called."""
    twins = {
        "broken/huber_no_offset.py": "right/huber_where.py",
        "broken/focal_detached_weight.py": "right/focal_hard.py",
        "broken/log_cosh_softplus.py": "right/log_cosh_sinh.py",
        "broken/bce_plain_product.py": "right/bce_where.py",
        "broken/soft_margin_exp.py": "right/logistic_logsigmoid.py",
        "broken/p_norm_root.py": "right/euclidean_scaled.py",
        "broken/welsch_exp.py": "right/welsch_expm1.py",
        "broken/nll_target_in_place.py": "right/nll_gather.py",
    }
    rows = {m.file: m for m in MODULES}
    for broken, right in twins.items():
        assert rows[broken].spec == rows[right].spec
        point = rows[broken].shown
        found = faults(rows[right], point, Dtype.FLOAT32, rtol=1e-4, floor=1e-30)
        assert not found, (right, found)


def _ordinary(module: LabModule, dtype: Dtype) -> list[dict[str, Entry]]:
    """Points of few bits: batches where points can lie side by side, and the first alone."""
    points = tidy_points(module.loss, dtype, seed=0, count=6, purpose="lab", limit=4)
    found = [dict(s.values) for s in stacks(module.loss, points)]
    found.append(dict(points[0].values))
    assert any(isinstance(e, Array) for e in found[0].values())
    return found
