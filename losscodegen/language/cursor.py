"""The tokens of a declaration, and a cursor that moves over them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from losscodegen.errors import Location, LossCodegenError, fail
from losscodegen.language.domains import fits
from losscodegen.language.names import quoted
from losscodegen.language.source import Source

_TOKEN = re.compile(
    r"\s*(?:(?P<number>[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)(?![\w.])"
    r"|(?P<infinity>[+-]?oo\b)|(?P<name>[^\W\d]\w*)|(?P<dots>\.\.\.)"
    r"|(?P<broken>[+-]?[\d.][\w.]*)|(?P<mark>\S))"
)
_LIMIT = 1000
"""Characters of a declaration."""
_MOST_DIGITS = 100
_LARGEST_EXPONENT = 400
"""float64 has 309 digits before the point and 324 zeros after it."""


@dataclass(frozen=True, slots=True)
class Token:
    """A word of a declaration; ``kind`` is a group of the pattern, or ``end``."""

    kind: str
    text: str
    start: int
    end: int

    def __str__(self) -> str:
        return "the end" if self.kind == "end" else quoted(self.text)


class Cursor:
    """Moves over a declaration from left to right; what is wrong is raised where it stands."""

    def __init__(self, source: Source) -> None:
        text = source.text.rstrip()
        if len(text) > _LIMIT:
            message = f"a declaration has at most {_LIMIT} characters, not {len(text)}"
            raise fail("declaration", message, source.location(0, 1))
        self.source = source
        self._tokens: list[Token] = []
        self._place = 0
        for match in _TOKEN.finditer(text):
            kind = match.lastgroup or "end"
            self._tokens.append(Token(kind, match[kind], *match.span(kind)))
        self._tokens.append(Token("end", "", len(text), len(text)))

    @property
    def token(self) -> Token:
        """The next token."""
        return self._tokens[self._place]

    @property
    def last(self) -> Token:
        """The token before the next one."""
        return self._tokens[max(0, self._place - 1)]

    def take(self) -> Token:
        """The next token, which is left behind."""
        token = self.token
        self._place = min(self._place + 1, len(self._tokens) - 1)
        return token

    def skip(self, text: str) -> bool:
        """Leaves the next token behind if it reads ``text``."""
        if self.token.text != text:
            return False
        self.take()
        return True

    def need(self, text: str) -> Token:
        """The next token, which has to read ``text``."""
        if self.token.text != text:
            raise self.expected(f"'{text}'")
        return self.take()

    def where(self, first: Token, last: Token | None = None) -> Location:
        """Where a token stands, or everything from it to the ``last`` one."""
        return self.source.location(first.start, (last or first).end)

    def wrong(
        self,
        message: str,
        token: Token,
        last: Token | None = None,
        *,
        code: str = "declaration",
        hint: str | None = None,
    ) -> LossCodegenError:
        return fail(code, message, self.where(token, last), hint)

    def expected(self, what: str, hint: str | None = None) -> LossCodegenError:
        """The error that the next token is not ``what`` belongs here."""
        return self.wrong(f"expected {what}, got {self.token}", self.token, hint=hint)

    def number(self) -> Fraction:
        """A decimal or a fraction, exactly."""
        token = self.token
        if token.kind != "number":
            infinite = token.text.lower().lstrip("+-") in ("inf", "infinity")
            raise self.expected("a number", "infinity is oo" if infinite else None)
        self.take()
        mantissa, _, exponent = token.text.lower().partition("e")
        size = exponent.lstrip("+-0")
        if len(mantissa) > _MOST_DIGITS:
            raise self.wrong(f"a number has at most {_MOST_DIGITS} digits", token)
        # The exact value of 1e999999999 does not fit into memory, let alone into float64.
        if len(size) > 3 or int(size or 0) > _LARGEST_EXPONENT:
            raise self.wrong("the number does not fit into float64", token)
        value = Fraction(token.text)
        if self.skip("/"):
            below = self.token
            digits = below.text if len(below.text) <= _MOST_DIGITS else ""
            if not digits.isdecimal() or int(digits) == 0:
                raise self.expected("a positive integer")
            self.take()
            value /= int(digits)
        if not fits(value):
            raise self.wrong("the number does not fit into float64", token, self.last)
        return value

    def end(self) -> Fraction | None:
        """An end of an interval; None is an infinite one."""
        if self.token.kind == "infinity":
            self.take()
            return None
        return self.number()
