"""The tutorials: every cell runs, every number of their text is asserted, no output is kept."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("IPython")

from IPython.core.interactiveshell import InteractiveShell

FOLDER = Path(__file__).parents[2] / "docs" / "tutorials"
TUTORIALS = sorted(FOLDER.glob("*.ipynb"))
NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e-?\d+)?(?![\w.])")


def cells(path: Path, kind: str) -> Iterator[dict[str, Any]]:
    book = json.loads(path.read_text(encoding="utf-8"))
    yield from (cell for cell in book["cells"] if cell["cell_type"] == kind)


def source(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def test_there_are_five() -> None:
    assert len(TUTORIALS) == 5


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_every_cell_runs(path: Path, shell: InteractiveShell) -> None:
    shell.reset(new_session=True)
    for cell in cells(path, "code"):
        done = shell.run_cell(source(cell))
        assert done.success, source(cell)
        if done.result is not None and hasattr(done.result, "_repr_html_"):
            assert "<script" not in done.result._repr_html_()


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_numbers_of_the_text_are_asserted(path: Path) -> None:
    """Those that are set as code; each stands in a cell that asserts something."""
    asserted = {
        float(number)
        for cell in cells(path, "code")
        if "assert" in source(cell)
        for number in NUMBER.findall(source(cell))
    }
    told = [
        (number, source(cell))
        for cell in cells(path, "markdown")
        for code in re.findall(r"`([^`]+)`", source(cell))
        for number in NUMBER.findall(code)
    ]
    assert told
    for number, text in told:
        assert float(number) in asserted, (number, text)


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_they_are_plain_notebooks_without_outputs(path: Path) -> None:
    book = json.loads(path.read_text(encoding="utf-8"))
    assert book["nbformat"] == 4
    assert len({cell["id"] for cell in book["cells"]}) == len(book["cells"])
    for cell in cells(path, "code"):
        assert cell["outputs"] == []
        assert cell["execution_count"] is None
    for cell in cells(path, "markdown"):
        assert set(cell) == {"cell_type", "id", "metadata", "source"}
