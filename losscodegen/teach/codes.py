"""Error codes explained: what each means, a spec that brings it about, how to mend it."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

from losscodegen.errors import LossCodegenError
from losscodegen.teach.model import CodeStory

FILE = "example.toml"
"""What messages about the examples call the file."""


@cache
def table() -> dict[str, dict[str, str]]:
    """``codes.toml``: meaning, mend and perhaps an example by code."""
    text = Path(__file__).with_name("codes.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


CODES = tuple(table())


def explain_code(code: str) -> CodeStory:
    """What ``code`` means; the message is the one that its example brings about.

    Raises:
        KeyError: there is no such code.
    """
    row = table().get(code) or diagnosed()[code]
    example = row.get("example", "")
    return CodeStory(
        code=code,
        meaning=row["meaning"],
        mend=row["mend"],
        example=example,
        message=message_of(example) if example else "",
    )


def diagnosed() -> dict[str, dict[str, str]]:
    """What is said of losses written by hand: the rows of the judge, which needs PyTorch."""
    from losscodegen.judge.diagnoses import DIAGNOSES

    return {
        row.code: {"meaning": _sentence(row.explanation), "mend": _sentence(row.remedy)}
        for row in DIAGNOSES
    }


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].removesuffix('.')}."


def message_of(example: str) -> str:
    """What the user is told about a spec."""
    from losscodegen.pipeline import generate_text  # names need no compiler

    try:
        generate_text(example, file=FILE)
    except LossCodegenError as error:
        return str(error)
    return ""
