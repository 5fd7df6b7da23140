"""One file per message: a spec file, then a line ``# output``, then what the user is told.

With ``UPDATE_CASES=1`` in the environment the files are rewritten.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from losscodegen.errors import LossCodegenError
from losscodegen.language.parse import losses_from_text

FOLDER = Path(__file__).parents[1] / "cases" / "spec_errors"
CASES = sorted(FOLDER.glob("*.txt"))
MARK = "# output\n"


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_the_message(path: Path) -> None:
    text, _, expected = path.read_text(encoding="utf-8").partition(MARK)
    with pytest.raises(LossCodegenError) as error:
        losses_from_text(text, f"{path.stem}.toml")
    message = f"{error.value}\n"
    if os.environ.get("UPDATE_CASES"):
        path.write_text(f"{text}{MARK}{message}", encoding="utf-8")
    else:
        assert message == expected


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_the_caret_is_under_the_place(path: Path) -> None:
    text = path.read_text(encoding="utf-8").partition(MARK)[0]
    lines = text.split("\n")
    with pytest.raises(LossCodegenError) as error:
        losses_from_text(text, f"{path.stem}.toml")
    for diagnostic in error.value.diagnostics:
        place = diagnostic.location
        assert place is not None
        assert 1 <= place.column < place.end_column
        if place.text:
            shown = zip(place.text, lines[place.line - 1], strict=True)
            assert all(a in (b, "\ufffd") for a, b in shown)
            assert place.end_column <= max(len(place.text), place.column) + 1
        first = diagnostic.message[0]
        assert first == first.lower() or first == "'"
        assert not diagnostic.message.endswith(".")
        assert diagnostic.code == diagnostic.code.lower().replace("_", "-")


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_problems_come_in_order(path: Path) -> None:
    text = path.read_text(encoding="utf-8").partition(MARK)[0]
    with pytest.raises(LossCodegenError) as error:
        losses_from_text(text, f"{path.stem}.toml")
    places = [d.location for d in error.value.diagnostics]
    order = [(p.line, p.column) for p in places if p is not None]
    assert order == sorted(order)


def test_there_are_cases() -> None:
    assert len(CASES) >= 60
