"""What is no formula is refused, at its place, and nothing of it is ever run."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from losscodegen.errors import LossCodegenError
from losscodegen.language.formula import parse_formula, read_expression
from losscodegen.language.scope import Scope
from losscodegen.language.source import Source

HOSTILE = {
    # Python beyond formulas
    "y.real": "attribute",
    "().__class__": "attribute",
    "y.__class__.__mro__[1].__subclasses__()": "attribute",
    "exp.__globals__": "attribute",
    "x[b, c].T": "attribute",
    "lambda: y": "reserved-word",
    "(lambda: __import__('os').system('true'))()": "reserved-word",
    "[v for v in y]": "reserved-word",
    "Sum(v for v in y)": "reserved-word",
    "import os": "reserved-word",
    "yield y": "reserved-word",
    "await y": "reserved-word",
    "y is y": "reserved-word",
    "y in y": "reserved-word",
    "None": "reserved-word",
    "__import__('os').system('true')": "text",
    "__import__(y)": "unknown-function",
    "eval(y)": "unknown-function",
    "exec(y)": "unknown-function",
    "open(y)": "unknown-function",
    "getattr(y, x)": "unknown-function",
    "f'{y}'": "text",
    "'y'": "text",
    '"""y': "text",
    "b'y'": "text",
    "'": "text",
    "(v := y)": "unknown-operator",
    "v = y": "syntax",
    "y += 1": "unknown-operator",
    "y; y": "unknown-operator",
    "y if": "syntax",
    "y if y > 0": "syntax",
    "y else 1": "syntax",
    "exp(*y)": "syntax",
    "exp(**y)": "syntax",
    "*y": "syntax",
    "x[0:1, c]": "unknown-operator",
    "x[..., c]": "unknown-operator",
    "x[*b]": "syntax",
    "x[[b], c]": "syntax",
    "x[]": "syntax",
    "[y]": "syntax",
    "{y}": "unknown-operator",
    "{y: y}": "unknown-operator",
    "()": "syntax",
    "(y,)": "syntax",
    "(y, y)": "syntax",
    "y, y": "syntax",
    "...": "unknown-operator",
    "1j": "number",
    "0x10": "number",
    "0b1": "number",
    "0o7": "number",
    "1_000": "number",
    "007": "number",
    "1.2.3": "number",
    "2y": "number",
    "5if flag else 2": "number",
    "y @ y": "unknown-operator",
    "y // 2": "unknown-operator",
    "y << 2": "unknown-operator",
    "y ^ 2": "unknown-operator",
    "y -> y": "unknown-operator",
    "y!": "unknown-operator",
    "y\\": "unknown-operator",
    "$y": "unknown-operator",
    # order and brackets
    "": "syntax",
    " \n\t ": "syntax",
    "# nothing": "syntax",
    "y +": "syntax",
    "* y": "syntax",
    "y y": "syntax",
    "2(y)": "syntax",
    "(y)(y)": "syntax",
    "x[b](c)": "syntax",
    "exp(y)[b]": "syntax",
    "exp(,)": "syntax",
    "y)": "syntax",
    "(y": "syntax",
    "(y]": "syntax",
    "y = not y": "syntax",
    "y == not y": "syntax",
    "y + not flag": "syntax",
    "Sum(x, c, where=c > 0, where=c > 1)": "repeated-argument",
    "where(y = 0, y, 1)": "syntax",
    "(y = 0)": "syntax",
    "x[b = 0, c]": "syntax",
    "True(y)": "syntax",
    # limits
    "(" * 5000 + "y" + ")" * 5000: "too-long",
    "+".join(["y"] * 5000): "too-long",
    "y," * 1100: "too-long",
    "(" * 150 + "y" + ")" * 150: "too-deep",
    "exp(" * 101 + "y" + ")" * 101: "too-deep",
    "-" * 1900 + "y": "too-deep",
    "**".join(["y"] * 900): "too-deep",
    "/".join(["y"] * 900): "too-deep",
    "not " * 900 + "flag": "too-deep",
    "1 if flag else " * 150 + "1": "too-deep",
    # constants without a value
    "1/0": "undefined-constant",
    "y/0": "undefined-constant",
    "y/(2 - 2)": "undefined-constant",
    "y % 0": "undefined-constant",
    "0**-1": "undefined-constant",
    "(-8)**0.5": "undefined-constant",
    "log(-1)": "undefined-constant",
    "log(0)": "undefined-constant",
    "log(2 - 3)": "undefined-constant",
    "sqrt(-1)": "undefined-constant",
    "acos(2)": "undefined-constant",
    "xlogy(2, -1)": "undefined-constant",
    "oo - oo": "undefined-constant",
    "0*oo": "undefined-constant",
    "oo/oo": "undefined-constant",
    "oo + y - oo/1 - (oo - oo)": "undefined-constant",
    "9**9**9": "undefined-constant",
    "y**1001": "undefined-constant",
    "y**-(10**9)": "undefined-constant",
    "(10**300)**10": "undefined-constant",
    "10**300*10**300": "undefined-constant",
    "oo + 10**308*10": "undefined-constant",
    "Rational(1, 0)": "undefined-constant",
    "1e999999": "number-range",
    "1e400": "number-range",
    "1e-400": "number-range",
    "9" * 61: "number-range",
    "1e99999999999999999999": "number-range",
    # characters
    "y\x00": "invalid-character",
    "y\N{ZERO WIDTH SPACE}": "invalid-character",
    "\N{RIGHT-TO-LEFT OVERRIDE}y": "invalid-character",
    "y\N{NO-BREAK SPACE}+ 1": "invalid-character",
    "y\x0c+ 1": "invalid-character",
    "y \N{MINUS SIGN} 1": "invalid-character",
    "y\N{SUPERSCRIPT TWO}": "invalid-character",
    "y \N{LESS-THAN OR EQUAL TO} 1": "invalid-character",
    "\N{LEFT DOUBLE QUOTATION MARK}y": "invalid-character",
    "\N{FULLWIDTH LATIN SMALL LETTER Y}": "invalid-character",
    "\N{LATIN SMALL LIGATURE FI}": "invalid-character",
    "a\N{COMBINING GRAVE ACCENT}": "invalid-character",
    "\N{ARABIC-INDIC DIGIT THREE}": "invalid-character",
    "\N{CYRILLIC SMALL LETTER U}": "unknown-name",
    "\N{GREEK SMALL LETTER PI}": "unknown-name",
    "\ud800": "invalid-character",
    "\U0001f600": "invalid-character",
}


def _short(text: str) -> str:
    return f"{text[:24]!a}-{len(text)}"


FORBIDDEN_EVENTS = ("exec", "open", "os.", "subprocess.", "socket.", "ctypes.")


class _Watch:
    """An audit hook: it cannot be removed, so it listens only while it is armed."""

    def __init__(self) -> None:
        self.armed = False
        self.seen: list[str] = []
        sys.addaudithook(self.hook)

    def hook(self, event: str, arguments: object) -> None:
        if self.armed and event.startswith(FORBIDDEN_EVENTS):
            self.seen.append(event)

    @contextmanager
    def listening(self) -> Iterator[list[str]]:
        self.seen.clear()
        self.armed = True
        try:
            yield self.seen
        finally:
            self.armed = False


@pytest.fixture(scope="module")
def watch() -> _Watch:
    # What is imported on first use is imported now.
    with pytest.raises(LossCodegenError):
        parse_formula("1/0 + \N{MINUS SIGN}")
    return _Watch()


@pytest.mark.parametrize("text", HOSTILE, ids=_short)
def test_a_hostile_formula_is_refused_at_its_place(
    text: str, scope: Scope, watch: _Watch
) -> None:
    with watch.listening() as seen, pytest.raises(LossCodegenError) as error:
        read_expression(Source.plain(text), scope, sort=None)
    assert seen == []
    diagnostics = error.value.diagnostics
    assert HOSTILE[text] in [d.code for d in diagnostics]
    lines = text.split("\n")
    for diagnostic in diagnostics:
        location = diagnostic.location
        assert location is not None
        line = lines[location.line - 1]
        assert 1 <= location.column <= max(1, len(line))
        assert location.column < location.end_column <= max(2, len(line) + 1)
        assert diagnostic.message[:1] == diagnostic.message[:1].lower()
        assert not diagnostic.message.endswith(".")


@pytest.mark.parametrize("text", HOSTILE, ids=_short)
def test_a_hostile_formula_has_no_meaning_without_declarations_either(
    text: str,
) -> None:
    known = {"\N{CYRILLIC SMALL LETTER U}", "\N{GREEK SMALL LETTER PI}"}
    if text in known:
        return
    with pytest.raises(LossCodegenError):
        parse_formula(text)
