"""The page on survival: it has every way and every loss, and says what is not so."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import survival
from losscodegen.judge.certificate import Fate, Passage
from losscodegen.language.parse import load_losses
from losscodegen.survival.ways import NAMES

PAGE = (Path(__file__).parent.parent / "docs" / "survival.md").read_text("utf-8")


def section(title: str) -> list[list[str]]:
    """The cells of the rows of the table under a heading."""
    body = PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]
    lines = [line for line in body.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line[1:-1].split(" | ")] for line in lines[2:]]


def test_the_page_has_every_way_and_every_loss_of_the_sample() -> None:
    ways = {row[0].split("`")[1]: row for row in section("Ways")}
    assert tuple(ways) == NAMES
    rows = section("Every loss")
    expected = [
        survival.title(survival.Row(loss.name, f"{path.parent.name}/x", (), 0.0))
        for path in survival.specs()
        for loss in load_losses(path)
    ]
    assert [row[0] for row in rows] == expected
    drop_ins = [name for name in expected if name.endswith("drop-in")]
    assert len(expected) - len(drop_ins) >= 40
    for at, name in enumerate(NAMES, 1):
        signs = [row[at] for row in rows]
        for column, fate in enumerate(Fate, 1):
            assert signs.count(survival.SIGNS[fate]) == int(ways[name][column])


def test_every_death_has_a_reason() -> None:
    dead = {(r[0], r[1]): r[2] for r in section("Where a module dies") if len(r) == 3}
    for row in section("Every loss"):
        for name, sign in zip(NAMES, row[1:], strict=True):
            if sign == survival.SIGNS[Fate.DIES]:
                assert dead[row[0], name]


@pytest.mark.parametrize(
    ("passage", "text"),
    [
        (Passage(way="vmap", fate=Fate.DIES, reason="raises"), "**dies**"),
        (
            Passage(way="vmap", fate=Fate.SURVIVES, judged=9, value=2.0, gradient=1.0),
            "2 (0), 1 (0)",
        ),
        (Passage(way="onnx", fate=Fate.SURVIVES, judged=9, value=0.0), "0"),
    ],
)
def test_errors_stand_beside_those_of_the_module_as_it_is(
    passage: Passage, text: str
) -> None:
    assert survival.errors(passage) == text
