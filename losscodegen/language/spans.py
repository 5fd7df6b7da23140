"""Where everything stands in a TOML file: keys, values, and each character of each string.

The values come from `tomllib`, which knows no positions; the positions come from tree-sitter,
which knows no values. They meet in the path of a value, ``("ALoss", "inputs", "x", "type")``.
"""

from __future__ import annotations

import sys
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

import tree_sitter_toml
from tree_sitter import Language, Node, Parser, Tree

from losscodegen.errors import Location
from losscodegen.language.source import Source

Path = tuple[str | int, ...]
"""The keys and array positions that lead to a value."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of the text, counted in characters from 0; ``end`` is exclusive."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a key and its value stand.

    Elements of arrays have no key, tables that exist through their members have no value.
    """

    key: Span | None
    value: Span | None


@dataclass(frozen=True, slots=True)
class Clash:
    """A key or table that is declared although it is there already."""

    name: str
    first: Span
    second: Span


class Text:
    """A text with its lines, so that offsets become lines and columns."""

    def __init__(self, text: str, file: str) -> None:
        self.text = text
        self.file = file
        self.lines = tuple(text.split("\n"))
        self._starts = [0]
        for line in self.lines[:-1]:
            self._starts.append(self._starts[-1] + len(line) + 1)

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column of a character, both from 1."""
        line = bisect_right(self._starts, offset) - 1
        return line + 1, offset - self._starts[line] + 1

    def offset(self, line: int, column: int) -> int:
        """The character at a line and column, both from 1; the inverse of `position`."""
        return self._starts[line - 1] + column - 1

    def location(self, span: Span) -> Location:
        """Where a stretch stands; the part on its first line if it has several."""
        line, column = self.position(span.start)
        text = self.lines[line - 1]
        width = min(span.end - span.start, len(text) - column + 1)
        return Location(self.file, line, column, column + max(1, width), text)


class Spans:
    """The places of everything in one TOML text."""

    def __init__(self, text: Text) -> None:
        self.text = text
        self.entries: dict[Path, Entry] = {}
        self.clashes: list[Clash] = []
        encoded = text.text.encode()
        self._characters = _character_offsets(text.text, len(encoded))
        self._closed: set[Path] = set()
        self._headers: set[Path] = set()
        self._arrays: dict[Path, int] = {}
        self.tree: Tree = Parser(Language(tree_sitter_toml.language())).parse(encoded)
        for node in self.tree.root_node.named_children:
            self._statement(node)

    def span(self, node: Node) -> Span:
        """The characters of a syntax node."""
        if self._characters is None:
            return Span(node.start_byte, node.end_byte)
        return Span(self._characters[node.start_byte], self._characters[node.end_byte])

    def key(self, path: Path) -> Location:
        """Where the last key of ``path`` stands, or the nearest thing around it."""
        entry = self._nearest(path)
        span = entry.key or entry.value
        return self.text.location(span or Span(0, 0))

    def value(self, path: Path) -> Location:
        """Where the value at ``path`` stands, or the nearest thing around it that is known."""
        entry = self._nearest(path)
        span = entry.value or entry.key
        return self.text.location(span or Span(0, 0))

    def key_source(self, path: Path) -> Source:
        """The last key of ``path`` with the place of each of its characters."""
        return self._source(str(path[-1]), self._nearest(path).key)

    def string(self, path: Path, value: str) -> Source:
        """The string ``value`` at ``path`` with the place of each of its characters."""
        return self._source(value, self._nearest(path).value)

    def _source(self, value: str, span: Span | None) -> Source:
        text = self.text
        span = span or Span(0, 0)
        decoded, offsets = decode(text.text, span)
        if decoded != value:
            # Better a place that is roughly right than a crash over a corner of the grammar.
            offsets = [span.start] * (len(value) + 1)
        positions = tuple(text.position(offset) for offset in offsets)
        return Source(value, text.file, text.lines, positions)

    def _nearest(self, path: Path) -> Entry:
        while path and path not in self.entries:
            path = path[:-1]
        return self.entries.get(path, Entry(None, None))

    def _statement(self, node: Node) -> None:
        match node.type:
            case "pair":
                self._pair(node, ())
            case "table":
                self._table(node)
            case "table_array_element":
                self._element(node)

    def _table(self, node: Node) -> None:
        head, *rest = node.named_children
        path = self._declare((), head)
        if not path:
            return
        if path in self._headers | self._closed or path in self._arrays:
            self._clash(path, head)
        self._headers.add(path)
        for child in rest:
            if child.type == "pair":
                self._pair(child, path)

    def _element(self, node: Node) -> None:
        head, *rest = node.named_children
        path = self._declare((), head)
        if not path:
            return
        if path in self._headers | self._closed:
            self._clash(path, head)
        number = self._arrays.get(path, -1) + 1
        self._arrays[path] = number
        path = (*path, number)
        self.entries[path] = Entry(self._last_key(head), None)
        for child in rest:
            if child.type == "pair":
                self._pair(child, path)

    def _pair(self, node: Node, base: Path) -> None:
        children = _contents(node)
        if len(children) != 2:
            return
        key, value = children
        known = set(self.entries)
        path = self._declare(base, key)
        entry = self.entries[path]
        if path in known:
            self._clash(path, key)
            return
        for length in range(len(base) + 1, len(path)):
            if self.entries[path[:length]].value is not None:
                self._clash(path[:length], key)
                return
            self._closed.add(path[:length])
        self._closed.add(path)
        self.entries[path] = Entry(entry.key, self.span(value))
        self._inside(value, path)

    def _inside(self, value: Node, path: Path) -> None:
        if value.type == "inline_table":
            for child in value.named_children:
                if child.type == "pair":
                    self._pair(child, path)
        elif value.type == "array":
            for number, child in enumerate(_contents(value)):
                self.entries[*path, number] = Entry(None, self.span(child))
                self._inside(child, (*path, number))

    def _declare(self, base: Path, key: Node) -> Path:
        """The path of ``key`` below ``base``; every part of it gets an entry."""
        path = base
        for part in self._parts(key):
            if path in self._arrays:
                path = (*path, self._arrays[path])
            path = (*path, decode(self.text.text, self.span(part))[0])
            self.entries.setdefault(path, Entry(self.span(part), None))
        return path

    def _parts(self, key: Node) -> Iterator[Node]:
        if key.type == "dotted_key":
            for child in key.named_children:
                yield from self._parts(child)
        elif key.type in ("bare_key", "quoted_key"):
            yield key

    def _clash(self, path: Path, key: Node) -> None:
        """``path``, which is there already, is declared by a part of ``key``."""
        first = self.entries[path].key
        name = str(path[-1])
        parts = [self.span(part) for part in self._parts(key)]
        second = [span for span in parts if decode(self.text.text, span)[0] == name]
        if first is not None and second:
            self.clashes.append(Clash(name, first, second[-1]))

    def _last_key(self, key: Node) -> Span:
        return self.span(list(self._parts(key))[-1])


def _contents(node: Node) -> list[Node]:
    return [c for c in node.named_children if c.type not in ("comment", "ERROR")]


def _character_offsets(text: str, size: int) -> list[int] | None:
    """The character each byte of the encoded text belongs to; None if they are the same."""
    if size == len(text):
        return None
    offsets = []
    for number, character in enumerate(text):
        offsets += [number] * len(character.encode())
    return [*offsets, len(text)]


_ESCAPES = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", '"': '"', "\\": "\\"}
_HEXADECIMAL = frozenset("0123456789abcdefABCDEF")


def decode(text: str, span: Span) -> tuple[str, list[int]]:
    """A TOML string or key, and the offset of each of its characters and of its end."""
    start, end = span.start, span.end
    raw = text[start:end]
    for quotes in ('"""', "'''", '"', "'"):
        if raw.startswith(quotes) and raw.endswith(quotes):
            start, end = start + len(quotes), end - len(quotes)
            break
    else:
        return raw, list(range(start, end + 1))
    if len(quotes) == 3 and text.startswith("\n", start):
        start += 1
    escaped = quotes[0] == '"'
    characters: list[str] = []
    offsets: list[int] = []
    while start < end:
        length, character = _character(text, start, end, escaped=escaped)
        if character is not None:
            characters.append(character)
            offsets.append(start)
        start += length
    return "".join(characters), [*offsets, end]


def _character(
    text: str, start: int, end: int, *, escaped: bool
) -> tuple[int, str | None]:
    """The length of what stands at ``start`` and the character it means, None for none."""
    if text[start] != "\\" or not escaped:
        return 1, text[start]
    letter = text[start + 1 : start + 2]
    if letter in _ESCAPES:
        return 2, _ESCAPES[letter]
    if letter in ("u", "U"):
        length = 4 if letter == "u" else 8
        digits = text[start + 2 : start + 2 + length]
        if len(digits) == length and _HEXADECIMAL.issuperset(digits):
            return 2 + length, chr(int(digits, 16) % (sys.maxunicode + 1))
    # A backslash at the end of a line swallows the line break and all space after it.
    stop = start + 1
    while stop < end and text[stop] in " \t\n":
        stop += 1
    return stop - start, None
