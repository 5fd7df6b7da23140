"""Nothing a spec says is executed, and nothing it says makes the program fall over."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]

FORMULAS = (
    "__import__('os').system('touch owned')",
    "().__class__.__bases__[0].__subclasses__()",
    "x.__class__",
    "eval('1')",
    "open('owned', 'w')",
    "(lambda: x)()",
    "[x for _ in (1, 2)]",
    "{x: y}",
    "f'{x}'",
    "(z := x)",
    "x if y else x[0:1]",
    "exec('import os')",
    "x; y",
    "import os",
    "x = y",
    "'text'",
    "1j*x",
    "x @ y",
    "x << 2",
    "x is y",
    "x in (y, x)",
    "*x",
    "await x",
    "yield x",
    "...",
    "None",
    "print(x)",
    "exp()",
    "exp(x, y)",
    "Max()",
    "where(x, y)",
    "exp(x, foo=1)",
    "9**9**9**9*x",
    "x/0",
    "log(-1)*x",
    "oo - oo",
    "0*oo",
    "(" * 300 + "x" + ")" * 300,
    "+".join(["x"] * 5000),
    "-" * 3000 + "x",
    "x" * 5000,
    "x**" * 900 + "x",
    "",
    " ",
    "\\u0000",
    "x^2",
    "x \u2212 y",  # a minus sign that is no hyphen
    "\uff58 - y",  # a full-width x
    "Sum(x, i)",
    "x[0]",
    "y[b]",
    "x and y",
    "x == y == x",
    "True",
)


def with_formula(spec: str, formula: str) -> str:
    """``spec`` with another formula, and without laws that would fail on their own."""
    lines = spec.splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith(("loss", "laws"))]
    return "".join([*kept, f'loss = "{formula}"\n'])


@pytest.mark.parametrize("formula", FORMULAS, ids=lambda text: text[:24] or "empty")
def test_hostile_formula(
    cli: Cli, specs: Cli, good: str, project: Path, formula: str
) -> None:
    specs(hostile=with_formula(good, formula))
    done = cli("generate")
    assert done.code == 2, done.out
    assert "error[" in done.err
    assert "internal" not in done.err
    assert "Traceback" not in done.err
    assert sorted(p.name for p in project.iterdir()) == ["specs"]


def test_harmless_formula(cli: Cli, specs: Cli, good: str) -> None:
    """It is the formula that the others are refused for."""
    specs(harmless=with_formula(good, "abs(x - y)"))
    assert cli("generate").code == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[",
        "x = 1",
        "[A]\n[A]",
        "[A]",
        "[A]\nloss = 3",
        "[A]\nloss = []",
        "[A]\ninputs = 3\nloss = 'x'",
        "[a.b.c]\nloss = '1'",
        "['A B']\nloss = '1'",
        "[class]\nloss = '1'",
        "[A]\ninputs.x = 'real[...'\nloss = 'x'",
        "[A]\ninputs.x = 'unreal[...]'\nloss = 'x'",
        "[A]\ninputs.import = 'real[...]'\nloss = '1'",
        "[A]\ninputs.x = { type = 'real[...]', arg = 'a b' }\nloss = 'x'",
        "[A]\ninputs.x = { type = 'real[...]', arg = 'self' }\nloss = 'x'",
        "[A]\ninputs.x = 'real[...]'\nlet = 'x = 1'\nloss = 'x'",
        "[A]\ninputs.x = 'real[...]'\nlet = 'a = a'\nloss = 'a'",
        "[A]\ninputs.x = 'real[...]'\nloss = 'x'\nlaws = ['nonsense']",
        "[A]\ninputs.x = 'real[...]'\nloss = 'x'\nsurprise = 1",
        "\x00",
        "[A]\r\nloss",
    ],
)
def test_hostile_file(cli: Cli, specs: Cli, project: Path, text: str) -> None:
    specs(hostile=text)
    done = cli("generate")
    assert done.code == 2, done.out
    assert "error[" in done.err
    assert "internal" not in done.err
    assert sorted(p.name for p in project.iterdir()) == ["specs"]


def test_text_of_a_spec_stays_text(cli: Cli, specs: Cli, good: str) -> None:
    """Strings that would end a docstring or start code come out as documentation."""
    import ast

    nasty = (
        '\\"\\"\\"; import os; \\"\\"\\" {{ x }} {% raw %} \\\\N{BULLET} \\\\x00 \\\\'
    )
    specs(nasty=good.replace("Squared error.", nasty).replace("predictions", nasty))
    done = cli("generate", "--stdout")
    if done.code == 2:
        assert "error[" in done.err
        assert "internal" not in done.err
        return
    tree = ast.parse(done.out)
    imported = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    assert "os" not in imported
