"""Every error code that the cases of this suite know is explained, by an example that works."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from losscodegen.teach.codes import CODES, explain_code

CASES = Path(__file__).parents[1] / "cases"
USED = {
    code
    for path in CASES.glob("*/*.txt")
    for code in re.findall(r"error\[([a-z-]+)\]", path.read_text(encoding="utf-8"))
}


def test_all_codes_of_the_cases_are_there() -> None:
    assert set(CODES) >= USED


@pytest.mark.parametrize("code", CODES)
def test_the_example_brings_it_about(code: str) -> None:
    story = explain_code(code)
    assert story.meaning.endswith(".")
    assert story.mend.endswith(".")
    if story.example:
        assert f"error[{code}]" in story.message


def test_most_have_an_example() -> None:
    with_example = [code for code in CODES if explain_code(code).example]
    assert len(with_example) >= 50
