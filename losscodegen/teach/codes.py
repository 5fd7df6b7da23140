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
    row = table()[code]
    example = row.get("example", "")
    return CodeStory(
        code=code,
        meaning=row["meaning"],
        mend=row["mend"],
        example=example,
        message=message_of(example) if example else "",
    )


def message_of(example: str) -> str:
    """What the user is told about a spec."""
    from losscodegen.language.parse import losses_from_text  # names need no parser

    try:
        losses_from_text(example, FILE)
    except LossCodegenError as error:
        return str(error)
    return ""
