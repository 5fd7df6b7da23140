"""Lines wrapped alone are wrapped as in the module, so that Black has nothing left to change."""

from __future__ import annotations

import textwrap

import pytest

from losscodegen.compiler.formatting import definition, formatted, wrapped

LONG = [f"some_long_argument_{k}" for k in range(4)]


@pytest.mark.parametrize("deep", [0, 4])
@pytest.mark.parametrize(
    "line",
    [
        "x = y",
        f"x = torch.where({', '.join(LONG)})",
        f"x = {' + '.join(LONG)} + tail",
        f"return function({', '.join(f'{name}={name}' for name in LONG)})",
        f"if {' == '.join(LONG)} == some_more_arguments:  # stays as it is",
    ],
)
def test_statements(line: str, deep: int) -> None:
    lines = wrapped([" " * deep + line], 4)
    if line.startswith("if"):
        assert lines == (" " * deep + line,)
        return
    before = "if some:\n    " + ("if other:\n    " if deep else "pass\n")
    text = before.rstrip(" ") + textwrap.indent("\n".join(lines), "    ") + "\n"
    assert formatted(text) == text


@pytest.mark.parametrize("indent", [0, 4])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 4])
def test_definitions(count: int, indent: int) -> None:
    head = definition("a_function_of_them", LONG[:count], "Tensor", indent)
    block = textwrap.indent("\n".join([*head, "    return x"]), " " * indent)
    text = f"class Some:\n{block}\n" if indent else f"{block}\n"
    assert formatted(text) == text
