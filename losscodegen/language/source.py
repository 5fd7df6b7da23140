"""A formula's text, and where each of its characters stands in the file it came from."""

from __future__ import annotations

from dataclasses import dataclass

from losscodegen.errors import Location


@dataclass(frozen=True, slots=True)
class Source:
    """``positions[k]`` is the (line, column) of ``text[k]``, both from 1; one more for the end.

    A TOML string may be escaped, indented and spread over lines, so positions are kept per
    character instead of being computed.
    """

    text: str
    file: str
    lines: tuple[str, ...]
    positions: tuple[tuple[int, int], ...]

    @classmethod
    def plain(cls, text: str, file: str = "<formula>") -> Source:
        """A text that is its own file."""
        positions = []
        line, column = 1, 1
        for character in text:
            positions.append((line, column))
            line, column = (line + 1, 1) if character == "\n" else (line, column + 1)
        positions.append((line, column))
        return cls(text, file, tuple(text.split("\n")), tuple(positions))

    def location(self, start: int, end: int) -> Location:
        """Where ``text[start:end]`` stands; only its first line if it has several."""
        line, column = self.positions[start]
        last = max(start, end - 1)
        while last > start and (
            self.positions[last][0] != line or self.text[last] == "\n"
        ):
            last -= 1
        # An escaped character is longer in the file than in the text.
        after_line, after = self.positions[min(last + 1, len(self.text))]
        end_column = after if after_line == line else self.positions[last][1] + 1
        text = self.lines[line - 1] if line <= len(self.lines) else ""
        return Location(self.file, line, column, max(end_column, column + 1), text)

    def whole(self) -> Location:
        """Where the text stands, without the white space around it."""
        start = len(self.text) - len(self.text.lstrip())
        return self.location(min(start, len(self.text)), len(self.text.rstrip()))

    def part(self, start: int, end: int) -> Source:
        """``text[start:end]`` as a source of its own."""
        return Source(
            self.text[start:end],
            self.file,
            self.lines,
            self.positions[start : end + 1],
        )
