"""What a user is told when something is wrong: one exception class that knows where.

Every problem is a `Diagnostic`: a code that ``losscodegen explain`` knows, a message that says
what was got, the place, and a hint. `LossCodegenError` carries all problems of a file at once.
Anything else that escapes is a defect of losscodegen, not of the user's input.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Location:
    """A stretch of one source line; ``column`` and ``end_column`` count characters from 1.

    ``end_column`` is exclusive. A stretch that runs over several lines is given by its part on
    the first line.
    """

    file: str
    line: int
    column: int
    end_column: int
    text: str = ""
    """The whole source line, so that a message can show it without reading the file again."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One problem. ``code`` is kebab-case, ``message`` lower case without a full stop."""

    code: str
    message: str
    location: Location | None = None
    hint: str | None = None

    def __str__(self) -> str:
        head = f"error[{self.code}]: {self.message}"
        if self.location is None:
            lines = [head]
        else:
            lines = [f"{self.location}: {head}"]
            if self.location.text:
                lines += self._excerpt(self.location)
        if self.hint is not None:
            lines.append(f"hint: {self.hint}")
        return "\n".join(lines)

    @staticmethod
    def _excerpt(location: Location) -> list[str]:
        text, start, end = _window(location)
        # A tab counts as one character in the column, so it must survive in the padding.
        padding = "".join(
            "\t" if c == "\t" else " " * cell_width(c) for c in text[:start]
        )
        carets = "^" * max(1, sum(cell_width(c) for c in text[start:end]))
        return [f"    {text}", f"    {padding}{carets}"]


_WIDEST = 160
_LEFT = 60


def _window(location: Location) -> tuple[str, int, int]:
    """The line and the marked stretch; of a very long line the part around the stretch."""
    text, start, end = location.text, location.column - 1, location.end_column - 1
    if len(text) <= _WIDEST:
        return text, start, end
    cut = max(0, start - _LEFT)
    part = text[cut : cut + _WIDEST]
    lead = "..." if cut else ""
    tail = "..." if cut + _WIDEST < len(text) else ""
    shift = len(lead) - cut
    return lead + part + tail, start + shift, min(end + shift, len(lead + part))


class LossCodegenError(Exception):
    """One or more problems with what the user gave; never with losscodegen itself."""

    def __init__(self, diagnostics: Diagnostic | Iterable[Diagnostic]) -> None:
        if isinstance(diagnostics, Diagnostic):
            diagnostics = (diagnostics,)
        self.diagnostics = tuple(diagnostics)
        super().__init__(self.diagnostics)

    def __str__(self) -> str:
        return "\n".join(str(d) for d in self.diagnostics)

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in place of a traceback: nothing of ours is at fault."""
        return "\n\n".join(str(d) for d in self.diagnostics).splitlines()


def fail(
    code: str, message: str, location: Location | None = None, hint: str | None = None
) -> LossCodegenError:
    """The error for a single problem, to be raised by the caller."""
    return LossCodegenError(Diagnostic(code, message, location, hint))


def cell_width(character: str) -> int:
    """How many terminal cells ``character`` takes: 0 for combining marks, 2 for wide ones."""
    import unicodedata

    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
