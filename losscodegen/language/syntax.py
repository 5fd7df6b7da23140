"""The tokens of a formula as Python's syntax tree.

Which token may follow which is checked here, where the message can name the exact place;
Python's parser then only decides how the operators nest.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field

from losscodegen.errors import Diagnostic
from losscodegen.language.source import Source
from losscodegen.language.tokens import Kind, Token, tokenize, without_comments

MAX_CHARACTERS = 4000
MAX_TOKENS = 2000
MAX_DEPTH = 100

_PREFIX = frozenset({"+", "-", "~", "not"})
_CLOSING = {"(": ")", "[": "]"}
_BEFORE_NOT = frozenset({"(", "[", ",", "=", "and", "or", "not", "if", "else"})


@dataclass(frozen=True, slots=True)
class Syntax:
    """A formula's tree; ``columns`` turns ``ast``'s byte offsets into places in the text."""

    tree: ast.expr
    columns: Sequence[int]


def read_syntax(source: Source, problems: list[Diagnostic]) -> Syntax | None:
    """The syntax of the formula, or None after its problems were noted."""
    if len(source.text) > MAX_CHARACTERS:
        message = f"the formula has {len(source.text)} characters, at most {MAX_CHARACTERS} fit"
        place = source.location(MAX_CHARACTERS, len(source.text))
        problems.append(
            Diagnostic("too-long", message, place, "use definitions in 'let'")
        )
        return None
    before = len(problems)
    tokens = tokenize(source, problems)
    if len(problems) == before:
        wrong = _too_many(source, tokens) or _Order(source, tokens).check()
        if wrong is not None:
            problems.append(wrong)
    return _tree(source, problems) if len(problems) == before else None


def _too_many(source: Source, tokens: list[Token]) -> Diagnostic | None:
    if len(tokens) <= MAX_TOKENS:
        return None
    place = source.location(tokens[MAX_TOKENS].start, tokens[-1].end)
    message = f"the formula has {len(tokens)} parts, at most {MAX_TOKENS} fit"
    return Diagnostic("too-long", message, place, "use definitions in 'let'")


def _tree(source: Source, problems: list[Diagnostic]) -> Syntax | None:
    # Line breaks mean nothing in a formula, and Python refuses an indented first line.
    text = without_comments(source.text)
    text = text.translate({ord(c): " " for c in "\t\r\n"})
    lead = len(text) - len(text.lstrip())
    text = text.strip()
    columns: Sequence[int] = range(lead, lead + len(text) + 1)
    if not text.isascii():
        widths = [len(c.encode()) for c in text]
        columns = [lead + k for k, width in enumerate(widths) for _ in range(width)]
        columns.append(lead + len(text))
    start, end, message = lead, lead + len(text), "the formula is nested too deeply"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return Syntax(ast.parse(text, mode="eval").body, columns)
    except SyntaxError as error:
        if error.offset is not None and error.lineno == 1:
            start = lead + max(0, min(error.offset, len(text)) - 1)
            last = error.end_offset or error.offset
            end = lead + min(len(text), max(last - 1, start - lead + 1))
        message = _lower(error.msg)
    except (RecursionError, MemoryError, ValueError):
        pass
    problems.append(Diagnostic("syntax", message, source.location(start, end)))
    return None


def _lower(message: str) -> str:
    head = message.split(". ")[0].rstrip(".")
    return head[:1].lower() + head[1:]


@dataclass(slots=True)
class _Bracket:
    token: Token
    call: bool
    """Whether it holds a function's arguments, where ``name=`` may stand."""
    choices: list[Token] = field(default_factory=list)
    """Each ``if`` that still waits for its ``else``."""
    equals: Token | None = None
    """The sign that named the first named argument; all after it must be named."""
    named: bool = False
    """Whether the argument that stands here is named."""


class _Order:
    """An operand, an operator, an operand, ... with brackets that match."""

    def __init__(self, source: Source, tokens: list[Token]) -> None:
        self.source = source
        self.tokens = tokens
        self.open: list[_Bracket] = []
        self.loose: list[Token] = []
        self.previous: Token | None = None

    def check(self) -> Diagnostic | None:
        """The first problem of order, if there is one."""
        operand = True
        for place, token in enumerate(self.tokens):
            wrong = self.wrong_operand(token) if operand else self.wrong_operator(place)
            if wrong is not None:
                return wrong
            if token.text in _CLOSING:
                call = not operand and token.text == "("
                self.open.append(_Bracket(token, call))
                if len(self.open) > MAX_DEPTH:
                    return self.problem(
                        token, "the formula is nested too deeply", code="too-deep"
                    )
                operand = True
            elif token.text in _CLOSING.values():
                self.open.pop()
                operand = False
            else:
                operand = token.kind not in (Kind.NUMBER, Kind.NAME)
            self.previous = token
        return self.wrong_end(operand)

    def wrong_end(self, operand: bool) -> Diagnostic | None:
        if not self.tokens:
            return self.problem(None, "the formula is empty")
        if operand:
            last = self.tokens[-1]
            return self.problem(last, f"the formula ends after '{last.text}'")
        if self.open:
            bracket = self.open[-1]
            return self.unfinished(bracket.choices) or self.problem(
                bracket.token, f"'{bracket.token.text}' is never closed"
            )
        return self.unfinished(self.loose)

    def wrong_operand(self, token: Token) -> Diagnostic | None:
        """What is wrong with ``token`` where a value should start."""
        text = token.text
        before = self.previous.text if self.previous is not None else ""
        if text == "not" and before and before not in _BEFORE_NOT:
            return self.problem(
                token, "'not' stands in the middle", "put 'not ...' in parentheses"
            )
        if token.kind in (Kind.NUMBER, Kind.NAME) or text in _PREFIX or text == "(":
            return None
        if text == ")" and self.open and (before == "(" and self.open[-1].call):
            return None
        if text in _CLOSING.values() and before == "," and self.open:
            # Python's trailing comma.
            return self.wrong_closing(token)
        return self.problem(token, f"expected a value, got '{text}'")

    def wrong_operator(self, place: int) -> Diagnostic | None:
        """What is wrong with ``tokens[place]`` after a value."""
        token = self.tokens[place]
        text, previous = token.text, self.previous
        assert previous is not None
        if token.kind in (Kind.NUMBER, Kind.NAME):
            return self.missing_operator(token)
        if text == "(":
            is_name = previous.kind is Kind.NAME
            return None if is_name else self.missing_operator(token)
        if text == "[":
            if previous.kind is Kind.NAME:
                return None
            return self.problem(token, "only a name can be subscripted")
        if text in _CLOSING.values():
            return self.wrong_closing(token)
        if text == "if":
            self.choices().append(token)
        elif text == "else":
            if not self.choices():
                return self.problem(token, "'else' without 'if'")
            self.choices().pop()
        elif text == "~":
            return self.missing_operator(token)
        elif text == "not":
            return self.problem(token, "expected an operator, got 'not'")
        elif text == ",":
            if not self.open:
                return self.problem(token, "',' stands outside of brackets")
            return self.unfinished(self.choices()) or self.end_argument()
        elif text == "=":
            return self.wrong_equals(place)
        return None

    def wrong_equals(self, place: int) -> Diagnostic | None:
        """``=`` names an argument; everywhere else it was meant to compare."""
        names = place > 1 and self.tokens[place - 1].kind is Kind.NAME
        starts = place > 1 and self.tokens[place - 2].text in ("(", ",")
        bracket = self.open[-1] if self.open else None
        if bracket is not None and bracket.call and names and starts:
            bracket.equals = bracket.equals or self.tokens[place]
            bracket.named = True
            return None
        return self.problem(
            self.tokens[place],
            "'=' names an argument of a function and does not compare",
            "write == to compare",
        )

    def wrong_closing(self, token: Token) -> Diagnostic | None:
        if not self.open:
            return self.problem(token, f"'{token.text}' closes nothing")
        bracket = self.open[-1]
        if _CLOSING[bracket.token.text] != token.text:
            return self.problem(
                token, f"'{token.text}' cannot close '{bracket.token.text}'"
            )
        return self.unfinished(bracket.choices) or self.end_argument()

    def end_argument(self) -> Diagnostic | None:
        """Named arguments come last; ``where(x = 1, y, 0)`` was meant to compare."""
        bracket = self.open[-1]
        named, bracket.named = bracket.named, False
        trailing = self.previous is not None and self.previous.text in ("(", ",")
        if bracket.equals is None or named or trailing:
            return None
        return self.problem(
            bracket.equals,
            "'=' names an argument, and named arguments come last",
            "write == to compare",
        )

    def unfinished(self, choices: list[Token]) -> Diagnostic | None:
        if not choices:
            return None
        return self.problem(
            choices[-1],
            "'if' without 'else'",
            "write 'a if condition else b', or where(condition, a, b)",
        )

    def choices(self) -> list[Token]:
        return self.open[-1].choices if self.open else self.loose

    def missing_operator(self, token: Token) -> Diagnostic:
        assert self.previous is not None
        return self.problem(
            token,
            f"expected an operator between '{self.previous.text}' and '{token.text}'",
            "a product is written with *",
        )

    def problem(
        self,
        token: Token | None,
        message: str,
        hint: str | None = None,
        code: str = "syntax",
    ) -> Diagnostic:
        start, end = (
            (0, len(self.source.text)) if token is None else (token.start, token.end)
        )
        return Diagnostic(code, message, self.source.location(start, end), hint)
