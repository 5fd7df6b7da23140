"""TOML text as values with places; what is wrong with it as a located error."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tree_sitter import Node

from losscodegen.errors import Diagnostic, Location, LossCodegenError, fail
from losscodegen.language.names import quoted
from losscodegen.language.spans import Path, Span, Spans, Text

LARGEST_FILE = 256 * 1024
"""Bytes of a spec file; a whole library of losses needs a quarter of it."""

_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
_WORD = re.compile(r"[\w.+-]+")
_NOT_SHOWN = {chr(c) for c in range(0x202A, 0x202F)} | {
    chr(c) for c in range(0x2066, 0x206A)
}
"""Characters that show the text after them in another order than it is read in."""

_HINTS = (
    (r"Unescaped '\\'", "write '\\\\', or a literal string in single quotes"),
    (r"Unclosed inline table", "a table in braces ends in the line it starts in"),
    (r"Unclosed array", "a comma or ']' is missing before this"),
    (r"Invalid statement", "a key has the characters A-Z a-z 0-9 _ - or is in quotes"),
)
_OPENING = {"string": ('"""', "'''", '"', "'"), "array": ("[",), "inline table": ("{",)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Toml:
    """A TOML text: its values, and where they stand."""

    data: dict[str, Any]
    spans: Spans


def read_toml(text: str, file: str) -> Toml:
    """The values and places of a TOML text.

    Raises:
        LossCodegenError: if it is no TOML; the first thing wrong alone, because what follows it
            cannot be told apart from it.
    """
    _check_characters(text, file)
    # As tomllib does; what remains of carriage returns is an illegal character.
    text = text.replace("\r\n", "\n")
    lines = Text(text, file)
    try:
        return Toml(data=tomllib.loads(text), spans=Spans(lines))
    except tomllib.TOMLDecodeError as error:
        raise _syntax_error(str(error), lines) from None
    except RecursionError:
        message = "arrays and tables are nested too deeply"
        raise fail("toml-syntax", message, whole_file(file)) from None
    except ValueError:
        # Python refuses to read an integer of thousands of digits.
        number = re.search(r"[0-9_]{4000,}", text)
        span = Span(*number.span()) if number else Span(0, 0)
        location = lines.location(Span(span.start, span.start + 1))
        raise fail("toml-syntax", "an integer is too long", location) from None


def whole_file(file: str) -> Location:
    """The place of what concerns the file as such: its beginning, without an excerpt."""
    return Location(file, 1, 1, 2)


def _check_characters(text: str, file: str) -> None:
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        message = "the text has half a character (a lone surrogate)"
        location = Text(text[: error.start], file).position(error.start)
        raise fail(
            "encoding", message, Location(file, *location, location[1] + 1)
        ) from None
    if size > LARGEST_FILE:
        message = f"the file has {size} bytes, more than {LARGEST_FILE}"
        hint = "a file is one module of losses; split it"
        raise fail("file-too-large", message, whole_file(file), hint)
    if text.startswith("\ufeff"):
        hint = "save it as UTF-8 without a mark"
        message = "the file starts with a byte order mark"
        raise fail("encoding", message, whole_file(file), hint)
    problems = [
        Diagnostic(
            "control-character",
            message,
            Location(file, line, column, column + 1, shown),
        )
        for line, column, message, shown in _controls(text)
    ]
    if problems:
        raise LossCodegenError(problems)


def _controls(text: str) -> Iterator[tuple[int, int, str, str]]:
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), start=1):
        if line.isprintable():
            continue
        for column, character in enumerate(line, start=1):
            message = objection(character)
            if message is not None:
                # The excerpt must not do to the terminal what the file would do.
                shown = "".join("\ufffd" if objection(c) else c for c in line)
                yield number, column, message, shown
                break


def objection(character: str) -> str | None:
    """What speaks against a character in a spec; None for nothing."""
    number = f"U+{ord(character):04X}"
    if character in _NOT_SHOWN:
        return f"the character {number} changes the order in which text is shown"
    if unicodedata.category(character) == "Cc" and character not in "\t\n":
        return f"the control character {number} is not allowed"
    return None


def check_strings(toml: Toml) -> Iterator[Diagnostic]:
    """The characters that a string has got by an escape and must not have."""
    for path, value in _strings(toml.data, ()):
        if value.isprintable():
            continue
        for place, character in enumerate(value):
            message = objection(character)
            if message is not None:
                source = toml.spans.string(path, value)
                location = source.location(place, place + 1)
                yield Diagnostic("control-character", message, location)
                break


def _strings(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _strings(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _strings(inner, (*path, number))


def _syntax_error(error: str, text: Text) -> LossCodegenError:
    match = _PLACE.search(error)
    message = error[: match.start()] if match else error
    if message.startswith(('Expected "\'"', "Expected \"'''\"")):
        message = "Unterminated string"
    if message.startswith(("Cannot declare", "Cannot overwrite", "Cannot mutate")):
        clash = next(iter(Spans(text).clashes), None)
        if clash is not None:
            first = text.location(clash.first)
            return fail(
                "duplicate-key",
                f"{quoted(clash.name)} is there twice",
                text.location(clash.second),
                f"first in line {first.line}, column {first.column}",
            )
    if match is None or match[1] is None:
        offset = len(text.text.rstrip())
    else:
        offset = min(text.offset(int(match[1]), int(match[2])), len(text.text))
    opening = _opening(message, text, offset)
    if opening is not None:
        span = opening
    else:
        word = _WORD.match(text.text, offset)
        span = Span(offset, word.end() if word else offset + 1)
    hint = next((hint for pattern, hint in _HINTS if re.match(pattern, message)), None)
    here = text.text[offset : offset + 1]
    if opening is not None:
        hint = "it is never closed"
    elif "for a key part" in message and text.text[:offset].rstrip().endswith(","):
        message = "expected a key after the comma"
        hint = "a table in braces has no comma at its end and no line breaks"
    elif message == r"Illegal character '\n'":
        message = "the string is not closed in its line"
        hint = 'close it, or use """ for several lines'
    elif message.startswith("Expected '=' after a key") and here.isalpha():
        message = f"the character {quoted(here)} is not allowed in a key"
        hint = "put the key in quotes"
    elif message == "Invalid value":
        hint = _value_hint(text.text[span.start : span.end])
    message = message[:1].lower() + message[1:]
    return fail("toml-syntax", message, text.location(span), hint)


def _opening(message: str, text: Text, offset: int) -> Span | None:
    """What is never closed, for the messages that say no more than that something is not."""
    match = re.match(r"(?:Unterminated|Unclosed) (string|array|inline table)", message)
    if match is None or offset < len(text.text.rstrip()):
        return None
    spans = Spans(text)
    found = [
        leaf
        for leaf in _leaves(spans.tree.root_node, inside=False)
        if leaf.type in _OPENING[match[1]]
    ]
    return spans.span(found[-1]) if found else None


def _leaves(node: Node, *, inside: bool) -> Iterator[Node]:
    """The tokens that the grammar could make no sense of."""
    inside = inside or node.is_error
    if inside and not node.children:
        yield node
    for child in node.children:
        yield from _leaves(child, inside=inside)


def _value_hint(word: str) -> str | None:
    lower = word.lower()
    if lower in ("true", "false", "nan", "inf"):
        return f"did you mean '{lower}'?"
    return "put a text in quotes" if word[:1].isalpha() else None
