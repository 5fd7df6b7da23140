"""Verdicts and hints on the answers of grades.toml."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from losscodegen.language.parse import load_losses
from losscodegen.resources import bundled_specs
from losscodegen.teach.grade import Question, Verdict, question
from losscodegen.teach.slips import SLIPS

TABLE: dict[str, list[dict[str, Any]]] = tomllib.loads(
    Path(__file__).with_name("grades.toml").read_text(encoding="utf-8")
)
SPECS = {path.stem: path for path in bundled_specs() if path.parent.name == "specs"}
OTHER_SLIPS = {"wrong-variable", "undifferentiated"}


@cache
def asked(spec: str, wrt: str | None) -> Question:
    (loss,) = load_losses(SPECS[spec])
    return question(loss, wrt)


def name(row: dict[str, Any]) -> str:
    return f"{row['spec']} by {row.get('wrt', 'the first')}: {row['answer']}"


def test_there_are_forty_of_each() -> None:
    assert len(TABLE["right"]) == len(TABLE["wrong"]) == 40
    assert len({name(row) for rows in TABLE.values() for row in rows}) == 80


@pytest.mark.parametrize("row", TABLE["right"], ids=name)
def test_right_answers_are_right(row: dict[str, Any]) -> None:
    found = asked(row["spec"], row.get("wrt")).grade(row["answer"])
    assert found.verdict is Verdict.RIGHT, found


@pytest.mark.parametrize("row", TABLE["wrong"], ids=name)
def test_wrong_answers_are_wrong(row: dict[str, Any]) -> None:
    found = asked(row["spec"], row.get("wrt")).grade(row["answer"])
    assert found.verdict is Verdict.WRONG
    assert found.counterexample is not None
    assert found.counterexample.expected != found.counterexample.got
    assert found.hint


def test_hints_name_the_slip() -> None:
    known = {slip.name for slip in SLIPS} | OTHER_SLIPS
    missed = []
    for row in TABLE["wrong"]:
        assert set(row["slip"]) <= known
        found = asked(row["spec"], row.get("wrt")).grade(row["answer"])
        if found.slip not in row["slip"]:
            missed.append(f"{name(row)}: {found.slip} instead of {row['slip']}")
    assert len(missed) <= len(TABLE["wrong"]) // 4, missed
