"""The characters of a formula as tokens; what is foreign to the language is refused."""

from __future__ import annotations

import keyword
import re
import unicodedata
from dataclasses import dataclass
from enum import Enum

from losscodegen.errors import Diagnostic
from losscodegen.language.source import Source

MAX_DIGITS = 60
"""More digits than any constant needs, fewer than make exact arithmetic slow."""


class Kind(Enum):
    NUMBER = "number"
    NAME = "name"
    WORD = "word"
    SIGN = "sign"


@dataclass(frozen=True, slots=True)
class Token:
    kind: Kind
    text: str
    start: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)


WORDS = frozenset({"and", "or", "not", "if", "else"})
"""Those of Python's keywords that formulas use as operators."""

LITERALS = frozenset({"True", "False"})

_PATTERN = re.compile(
    r"""
      (?P<space>   [ \t\r\n]+ )
    | (?P<text>    [A-Za-z]{0,3} (?: '''.*?(?:'''|\Z) | \"{3}.*?(?:\"{3}|\Z)
                                   | '[^'\n]*'? | "[^"\n]*"? ) )
    | (?P<number>  (?: [0-9]+ (?:\.[0-9]*)? | \.[0-9]+ ) (?: [eE][+-]?[0-9]+ )? [\w.]* )
    | (?P<name>    [^\W\d]\w* )
    | (?P<foreign> \.\.\. | \. [ ]* [^\W\d]\w* | \*\*= | \*= | //=? | [-+/%&|@^~]= | [=!]== | :=
                   | -> | <> | <<=? | >>=? | => | =< | && | \|\| | [@:;{}!?$`\\.^] (?!=) )
    | (?P<sign>    \*\* | [<>=!]= | [-+*/%()\[\],<>=&|~] )
    | (?P<other>   . )
    """,
    re.VERBOSE | re.DOTALL,
)

_NUMBER = re.compile(r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")

RESERVED: dict[str, str] = {
    "lambda": "a name may be 'lambda_'",
    "is": "write ==",
    "None": "an optional tensor that is left out is neutral by itself",
}
"""Words of Python that formulas do not use, with what they write."""

FOREIGN: dict[str, str] = {
    "^": "use ** for powers",
    "^=": "use ** for powers",
    "//": "write floor(a/b)",
    "@": "write Sum(a*b, index)",
    "&&": "write 'and'",
    "||": "write 'or'",
    "!": "write 'not'",
    "=<": "write <=",
    "=>": "write >=",
    "<>": "write !=",
    "===": "write ==",
    "!==": "write !=",
    "~=": "write !=",
    "...": "what reads a batch is elementwise; '...' takes no subscript",
    ":": "a whole axis is read through its index, as in Sum(x[b, c], c)",
    ":=": "name subexpressions in the 'let' block",
    "{": "use parentheses",
    "}": "use parentheses",
}
"""Signs of other languages, with what this one writes."""

LOOKALIKES: dict[str, str] = {
    "\N{MINUS SIGN}": "-",
    "\N{EN DASH}": "-",
    "\N{EM DASH}": "-",
    "\N{HYPHEN}": "-",
    "\N{NON-BREAKING HYPHEN}": "-",
    "\N{MULTIPLICATION SIGN}": "*",
    "\N{MIDDLE DOT}": "*",
    "\N{DOT OPERATOR}": "*",
    "\N{ASTERISK OPERATOR}": "*",
    "\N{DIVISION SIGN}": "/",
    "\N{FRACTION SLASH}": "/",
    "\N{DIVISION SLASH}": "/",
    "\N{LESS-THAN OR EQUAL TO}": "<=",
    "\N{GREATER-THAN OR EQUAL TO}": ">=",
    "\N{NOT EQUAL TO}": "!=",
    "\N{LOGICAL AND}": "and",
    "\N{LOGICAL OR}": "or",
    "\N{NOT SIGN}": "not",
    "\N{SUPERSCRIPT TWO}": "**2",
    "\N{SUPERSCRIPT THREE}": "**3",
    "\N{INFINITY}": "oo",
    "\N{SQUARE ROOT}": "sqrt(...)",
    "\N{N-ARY SUMMATION}": "Sum(..., index)",
    "\N{N-ARY PRODUCT}": "Prod(..., index)",
    "\N{GREEK SMALL LETTER PI}": "pi",
    "\N{NO-BREAK SPACE}": "a space",
}
"""Characters of printed mathematics, with what formulas write."""


def without_comments(text: str) -> str:
    """``text`` with its comments blanked, every other character in its place."""
    return re.sub(r"#[^\n]*", lambda match: " " * len(match[0]), text)


def tokenize(source: Source, problems: list[Diagnostic]) -> list[Token]:
    """The tokens of the text, comments left out; each foreign character becomes a problem."""
    tokens = []
    for match in _PATTERN.finditer(without_comments(source.text)):
        kind, text, start = match.lastgroup, match[0], match.start()
        found: tuple[str, str, str | None] | None
        match kind:
            case "space":
                continue
            case "text":
                hint = "words of a choice are written without quotes"
                found = ("text", "a formula contains no text", hint)
            case "number":
                found = _wrong_number(text)
                tokens.append(Token(Kind.NUMBER, text, start))
            case "name":
                found = _wrong_name(text)
                is_word = text in WORDS
                tokens.append(Token(Kind.WORD if is_word else Kind.NAME, text, start))
            case "sign":
                found = None
                tokens.append(Token(Kind.SIGN, text, start))
            case "foreign":
                found = _wrong_sign(text)
            case _:
                found = _wrong_character(text)
        if found is not None:
            code, message, advice = found
            begin, end = _wrong_part(text, code)
            place = source.location(start + begin, start + end)
            problems.append(Diagnostic(code, message, place, advice))
    return tokens


def _wrong_part(text: str, code: str) -> tuple[int, int]:
    """The part of a token to mark: one character, if only that is wrong."""
    if code == "invalid-character" and len(text) > 1:
        for place, character in enumerate(text):
            if unicodedata.normalize("NFKC", character) != character:
                return place, place + 1
    return 0, len(text)


def _wrong_number(text: str) -> tuple[str, str, str | None] | None:
    plain = _NUMBER.match(text)
    assert plain is not None
    rest = text[plain.end() :]
    if rest:
        if "_" in text:
            return "number", f"'{text}' is no number", f"write {text.replace('_', '')}"
        if rest[0] in "xXoObB" and plain[0] == "0":
            return "number", f"'{text}' is no decimal number", None
        if rest in ("j", "J"):
            return "number", f"'{text}' is a complex number", "every value is real"
        if rest[0] == ".":
            return "number", f"'{text}' is no number", None
        factor = (
            rest.isidentifier() and not keyword.iskeyword(rest) and rest not in "eE"
        )
        hint = f"write {plain[0]}*{rest}" if factor else None
        return "number", f"'{text}' is no number", hint
    if re.match(r"0[0-9]", text):
        return "number", f"'{text}' is no number", f"write {text.lstrip('0') or '0'}"
    digits, _, exponent = text.lower().partition("e")
    if len(digits) > MAX_DIGITS or len(exponent) > 4:
        return "number-range", f"'{_shortened(text)}' has too many digits", None
    return None


def _wrong_name(text: str) -> tuple[str, str, str | None] | None:
    if keyword.iskeyword(text) and text not in WORDS | LITERALS:
        return "reserved-word", f"'{text}' is a reserved word", RESERVED.get(text)
    # Python would silently read another name than the one that stands here.
    folded = unicodedata.normalize("NFKC", text)
    if folded == text:
        return None
    for character in text:
        if unicodedata.normalize("NFKC", character) != character:
            return _wrong_character(character)
    return "invalid-character", f"'{text}' is not composed", f"write '{folded}'"


def _wrong_sign(text: str) -> tuple[str, str, str | None]:
    if text[0] == "." and text != "...":
        return "attribute", f"got '{text}', but values have no attributes", None
    if len(text) > 1 and text[-1] == "=" and text not in FOREIGN:
        return "unknown-operator", f"'{text}' assigns", "write a == b to compare"
    return "unknown-operator", f"'{text}' is no operator", FOREIGN.get(text)


def _wrong_character(character: str) -> tuple[str, str, str | None]:
    name = unicodedata.name(character, "unnamed").lower()
    shown = f"'{character}' " if character.isprintable() else ""
    plain = unicodedata.normalize("NFKC", character).strip()
    write = LOOKALIKES.get(character, plain if plain.isascii() else "")
    return (
        "invalid-character",
        f"character {shown}(U+{ord(character):04X}, {name}) is no part of a formula",
        f"write {write}" if write and write != character else None,
    )


def unusual_letters(name: str) -> str | None:
    """What a reader cannot see: which letter of ``name`` is not the plain one it resembles."""
    for character in name:
        if not character.isascii():
            write = LOOKALIKES.get(character)
            if write is not None:
                return f"write {write}"
            described = unicodedata.name(character, "unnamed").lower()
            return f"'{character}' is U+{ord(character):04X}, {described}"
    return None


def _shortened(text: str) -> str:
    return text if len(text) <= 24 else f"{text[:10]}...{text[-10:]}"
