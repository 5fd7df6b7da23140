"""Every error code that the cases of this suite know is explained, by an example that works."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import losscodegen
from losscodegen.judge.criterion import Fault
from losscodegen.teach.codes import CODES, diagnosed, explain_code, table

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


WITHOUT = {"encoding", "too-deep", "too-large", "too-long"}
"""What specs can do wrong and no short text shows."""


def test_what_specs_can_do_wrong_has_an_example() -> None:
    assert {code for code in USED if "example" not in table()[code]} <= WITHOUT


@pytest.mark.parametrize("code", [c for c in CODES if "example" in table()[c]])
def test_an_example_is_about_its_code_first(code: str) -> None:
    """A reader meets no other problem before."""
    first = re.search(r"error\[([a-z-]+)\]", explain_code(code).message)
    assert first is not None
    assert first[1] == code


KEBAB = re.compile(r"[a-z]+(-[a-z]+)*")
RAISES = {
    "Diagnostic",
    "Discrepancy",
    "Finding",
    "Unusable",
    "fail",
    "gave_up",
    "problem",
}


def codes_of(path: Path) -> set[str]:
    """The codes that a file of the package writes down: as first argument, or as ``code=``."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            given = [k.value for k in node.keywords if k.arg == "code"]
            given += node.args[:1] if name in RAISES else []
            found |= {
                g.value
                for g in given
                if isinstance(g, ast.Constant) and isinstance(g.value, str)
            }
    return {code for code in found if KEBAB.fullmatch(code)}


def test_every_code_that_is_written_down_is_explained() -> None:
    package = Path(losscodegen.__file__).parent
    written = {code for path in package.rglob("*.py") for code in codes_of(path)}
    assert len(written) > 80
    assert written <= {*CODES, *diagnosed()}


def test_verdicts_are_explained() -> None:
    assert {fault.code for fault in Fault} <= set(CODES)


def test_diagnoses_are_explained_by_the_judge() -> None:
    story = explain_code("eps-bias")
    assert (
        story.meaning
        == "A small constant that the loss does not have is added to something."
    )
    assert story.mend.startswith("Treat the edge exactly")
