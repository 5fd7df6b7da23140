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


WITHOUT = {
    # of files and folders
    *(
        "cannot-read",
        "cannot-write",
        "duplicate-module",
        "file-exists",
        "file-too-large",
    ),
    *("no-such-file", "orphaned-file", "unknown-spec"),
    # of commands
    *("internal-error", "several-losses", "vacuous-check", "wrong-variable"),
    # an example would be longer than what can be read
    *("too-deep", "too-large", "too-long"),
}
"""Those that no short text of a spec brings about."""


def test_all_others_have_an_example() -> None:
    assert {code for code in CODES if not explain_code(code).example} == WITHOUT


@pytest.mark.parametrize("code", sorted(set(CODES) - WITHOUT))
def test_an_example_is_about_its_code_first(code: str) -> None:
    """A reader meets no other problem before."""
    first = re.search(r"error\[([a-z-]+)\]", explain_code(code).message)
    assert first is not None
    assert first[1] == code
