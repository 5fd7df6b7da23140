"""The page of what the drop-in classes cost: its rows and what it says of them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from benchmarks import cost
from benchmarks.torch_nn import title
from benchmarks.torch_nn_pairs import Bench
from benchmarks.torch_nn_points import CASES, Case
from losscodegen.ir.loss import DomainKind

PAGE = Path(__file__).parent.parent / "docs" / "cost.md"
TINY = {"B": 6, "N": 6, "...": 6, "C": 5, "D": 3}


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench()


def rows(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("| ")][2:]
    return [[cell.strip() for cell in line[1:-1].split(" | ")] for line in lines]


def test_the_page_has_every_class_and_names_the_dear_ones() -> None:
    text = PAGE.read_text(encoding="utf-8")
    found = rows(text)
    assert [row[0] for row in found] == [title(c) for c in CASES]
    plain = [c.loss for c in CASES if not c.options and not c.drawn]
    compiled = [row[0] for row in found if row[9] != "-"]
    assert compiled == [name for name in plain if name in cost.COMPILED]
    absolute = " with absolute accuracy"
    for mode, what, column in (
        ("Eager", "", 4),
        ("Compiled", "", 9),
        ("Eager", absolute, 6),
        ("Compiled", absolute, 11),
    ):
        start = f"- {mode}, the generated class{what} takes"
        (line,) = (x for x in text.splitlines() if x.startswith(start))
        dear = [
            f"{row[0]} ({float(row[column]):.1f})"
            for row in found
            if row[column] != "-" and float(row[column]) > cost.MUCH
        ]
        names = [entry.split(" (")[0] for entry in dear]
        said = line.split(" for: ")[1].removesuffix(".").split("; ")
        assert [entry.split(" (")[0] for entry in said] == (names or ["none"])


def test_what_is_dear_is_measured_with_absolute_accuracy_too() -> None:
    for row in rows(PAGE.read_text(encoding="utf-8")):
        ratios = [float(row[k]) for k in (4, 9) if row[k] != "-"]
        assert (row[6] != "-") is (max(ratios) > cost.MUCH), row[0]
        assert (row[11] != "-") is (row[6] != "-" and row[9] != "-"), row[0]


@pytest.mark.filterwarnings("ignore:reduction")
@pytest.mark.parametrize("case", CASES, ids=title)
def test_both_classes_get_the_same_inputs_and_agree(bench: Bench, case: Case) -> None:
    """What is timed is the same loss, and a gradient reaches every input but the target."""
    loss = bench.loss(case)
    torch.manual_seed(1)
    inputs = tuple(
        cost.tensor(v, cost.shape_of(v, loss, TINY, 30), cost.class_count(loss, TINY))
        for v in loss.inputs
    )
    values, slopes = [], []
    for cls in (*bench.classes[case.loss], cost.plain_class(case.loss)):
        torch.manual_seed(0)
        module = cost.build(cls, case, loss, TINY, 30)
        cost.once(module, inputs)
        values.append(module(*inputs).detach())
        slopes.append([x.grad for x in inputs if x.requires_grad])
    assert slopes[0] and all(g is not None for s in slopes[1:] for g in s)
    real = {DomainKind.REAL, DomainKind.NONNEGATIVE, DomainKind.UNIT}
    wanted = [v.arg != "target" and v.domain.kind in real for v in loss.inputs]
    assert [x.requires_grad for x in inputs] == wanted
    for value, slope in zip(values[1:], slopes[1:], strict=True):
        torch.testing.assert_close(values[0], value)
        torch.testing.assert_close(slopes[0], slope)


def test_costs_are_measured(bench: Bench) -> None:
    case = next(c for c in CASES if c.loss == "CrossEntropyLoss")
    for absolute, count in ((False, 1), (True, 2)):
        found = cost.measure(bench, case, TINY, 30, compiled=False, absolute=absolute)
        assert found.theirs > 0
        assert len(found.ours) == len(found.ratios) == count
        assert min(*found.ours, *found.ratios) > 0
