"""One file per message: the formula, then ``# output``, then what the user is told.

A file whose name starts with ``let`` is a ``let`` block, with ``law`` a law, all others are
formulas of a loss. With ``UPDATE_CASES=1`` in the environment the files are rewritten.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from losscodegen.errors import LossCodegenError
from losscodegen.language.definitions import read_definitions
from losscodegen.language.formula import read_expression
from losscodegen.language.laws import read_law
from losscodegen.language.scope import Scope
from losscodegen.language.source import Source

FOLDER = Path(__file__).parents[1] / "cases" / "formula_errors"
CASES = sorted(FOLDER.glob("*.txt"))
CODES = {
    *("attribute", "choice", "invalid-character", "limits", "missing-index"),
    *("name-clash", "needs-subscripts", "not-a-definition", "not-a-law"),
    *("not-a-scalar", "not-a-tensor", "not-an-index", "not-an-integer", "number"),
    *("number-range", "order", "piecewise", "repeated-argument", "repeated-index"),
    *("reserved-name", "reserved-word", "sort", "subscript-range", "syntax", "text"),
    *("too-deep", "too-large", "too-long", "undefined-constant", "unknown-argument"),
    *("unknown-function", "unknown-name", "unknown-operator", "wrong-axis"),
    *("wrong-number-of-arguments", "wrong-number-of-subscripts"),
}
MARK = "# output\n"


READERS: dict[str, Callable[[Source, Scope], object]] = {
    "let": read_definitions,
    "law": read_law,
}


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_the_message(path: Path, scope: Scope) -> None:
    text, _, expected = path.read_text(encoding="utf-8").partition(MARK)
    source = Source.plain(text.removesuffix("\n"), path.name)
    read = READERS.get(path.stem.split("-")[0], read_expression)
    with pytest.raises(LossCodegenError) as error:
        read(source, scope)
    message = f"{error.value}\n"
    if os.environ.get("UPDATE_CASES"):
        path.write_text(f"{text}{MARK}{message}", encoding="utf-8")
    else:
        assert message == expected


def test_every_code_has_a_case() -> None:
    told = "".join(path.read_text(encoding="utf-8") for path in CASES)
    assert set(re.findall(r"error\[(.*?)\]", told)) == CODES
