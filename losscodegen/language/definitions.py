"""The ``let`` block: named subexpressions, one per line, each seeing those above it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from losscodegen.errors import Diagnostic
from losscodegen.ir.loss import Definition
from losscodegen.ir.nodes import Index
from losscodegen.ir.walk import free_indices
from losscodegen.language.formula import finish, read_expression
from losscodegen.language.names import closest, quoted, symbol_objection
from losscodegen.language.scope import Scope
from losscodegen.language.source import Source
from losscodegen.language.syntax import MAX_CHARACTERS
from losscodegen.language.tokens import without_comments

MAX_DEFINITIONS = 200

_HEAD = re.compile(r"\s*((?:[^\W\d]\w*)\s*(?:\[([^\[\]=]*)\])?)\s*", re.DOTALL)
_NAME = re.compile(r"\w+")
_EQUALS = re.compile(r"=(?!=)")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """``name[indices] = body``, as yet unread; every part knows where it stands."""

    head: Source
    name: Source
    indices: tuple[Source, ...]
    body: Source

    @property
    def spelled(self) -> str:
        return self.name.text


def read_definitions(
    source: Source, scope: Scope, *, problems: list[Diagnostic] | None = None
) -> tuple[tuple[Definition, ...], Scope]:
    """The definitions of a ``let`` block, and the scope in which they are known.

    Raises LossCodegenError with every problem of the block. If a list of ``problems`` is given
    they are appended to it instead; names whose line is in error are ``broken`` in the scope.
    """
    found: list[Diagnostic] = []
    outer = scope
    lines = tuple(_lines(source, found))
    definitions: list[Definition] = []
    for number, line in enumerate(lines):
        later = frozenset(other.spelled for other in lines[number:])
        clash = _clash(line, outer, definitions)
        if clash is not None:
            found.append(clash)
            continue
        wrong: list[Diagnostic] = []
        definition = _definition(line, replace(scope, later=later), wrong)
        found += wrong
        if wrong:
            scope = replace(scope, broken=scope.broken | {line.spelled})
        else:
            definitions.append(definition)
            scope = scope.defining(definition)
    return finish((tuple(definitions), scope), found, problems)


# ---------------------------------------------------------------------- lines


def _lines(source: Source, problems: list[Diagnostic]) -> Iterator[_Line]:
    """The lines of the block; one goes on while a bracket is open."""
    text = without_comments(source.text)
    start, count = 0, 0
    while start < len(text):
        end = _line_end(text, start)
        if end is None:
            # Read only what stands in this line: it is reported as never closed there, and the
            # definitions below are still known.
            end = text.find("\n", start)
            end = len(text) if end < 0 else end
        if text[start:end].strip():
            count += 1
            if count > MAX_DEFINITIONS:
                message = f"at most {MAX_DEFINITIONS} definitions fit into a block"
                place = source.part(start, end).whole()
                problems.append(Diagnostic("too-long", message, place))
                return
            line = _split(source.part(start, end), problems)
            if line is not None:
                yield line
        start = end + 1


def _line_end(text: str, start: int) -> int | None:
    """Where the line that starts here ends; None if a bracket stays open for too long."""
    depth, last = 0, min(len(text), start + 4 * MAX_CHARACTERS)
    for place in range(start, last):
        character = text[place]
        if character in "([":
            depth += 1
        elif character in ")]":
            depth = max(0, depth - 1)
        elif character == "\n" and depth == 0:
            return place
    return last if depth == 0 else None


def _split(source: Source, problems: list[Diagnostic]) -> _Line | None:
    """One line taken apart at its equals sign."""
    text = without_comments(source.text)
    head = _HEAD.match(text)
    equals = None if head is None else _EQUALS.match(text, head.end())
    if head is None or equals is None:
        start, end = len(text) - len(text.lstrip()), len(text.rstrip())
        problems.append(
            Diagnostic(
                "not-a-definition",
                f"expected 'name = formula', got {quoted(text[start:end])}",
                source.location(start, end),
                hint="a formula goes on in the next line only while a bracket is open",
            )
        )
        return None
    indices: list[Source] = []
    if head[2] is not None:
        place = head.start(2)
        for piece in head[2].split(","):
            name = piece.strip()
            begin = place + len(piece) - len(piece.lstrip()) if name else place
            indices.append(source.part(begin, begin + len(name)))
            place += len(piece) + 1
    name_match = _NAME.match(text, head.start(1))
    assert name_match is not None
    return _Line(
        head=source.part(head.start(1), head.start(1) + len(head[1].rstrip())),
        name=source.part(*name_match.span()),
        indices=tuple(indices),
        body=source.part(equals.end(), len(text)),
    )


# ---------------------------------------------------------------------- definitions


def _clash(
    line: _Line, outer: Scope, definitions: list[Definition]
) -> Diagnostic | None:
    """One name, one meaning: the problem if this one has a meaning already."""
    name = line.spelled
    first = next((d for d in definitions if d.name == name), None)
    hint = "choose another name for the definition"
    if first is not None:
        line_number = first.location.line if first.location is not None else "above"
        message = f"'{name}' is already defined in line {line_number}"
    elif name in outer.variables:
        message = f"'{name}' is already an input or parameter"
    elif name in outer.indices:
        message = f"'{name}' is already the index of axis {outer.indices[name]}"
    elif name in outer.axes:
        message = f"'{name}' is already an axis"
    else:
        objection = symbol_objection(name)
        if objection is None:
            return None
        return Diagnostic(
            "reserved-name", f"'{name}' {objection}", line.name.whole(), hint
        )
    return Diagnostic("name-clash", message, line.name.whole(), hint)


def _definition(line: _Line, scope: Scope, problems: list[Diagnostic]) -> Definition:
    indices: list[Index] = []
    for source in line.indices:
        name = source.text
        axis = scope.indices.get(name)
        if axis is None:
            hint = closest(name, scope.indices)
            own = [index for index, its in scope.indices.items() if its == name]
            if own:
                hint = f"axis {name} has the index {own[0]}"
            message = f"{quoted(name)} is no index" if name else "an index is missing"
            problems.append(Diagnostic("not-an-index", message, source.whole(), hint))
        elif any(index.name == name for index in indices):
            message = f"index '{name}' stands twice"
            problems.append(Diagnostic("repeated-index", message, source.whole()))
        else:
            indices.append(Index(name, axis))
    body = read_expression(line.body, scope, sort=None, problems=problems)
    if "[" not in line.head.text:
        # Without brackets the definition has the indices of its formula, as a bare name has.
        depends = set(free_indices(body))
        known = (Index(name, axis) for name, axis in scope.indices.items())
        indices = [index for index in known if index in depends]
    missing = [i.name for i in free_indices(body) if i not in indices]
    if missing and not problems:
        left = ", ".join([*(i.name for i in indices), *missing])
        verb = "is" if len(missing) == 1 else "are"
        problems.append(
            Diagnostic(
                "missing-index",
                f"the formula depends on {', '.join(missing)}, which {verb} not on the left",
                line.head.whole(),
                hint=f"write {line.spelled}[{left}] = ...",
            )
        )
    return Definition(
        name=line.spelled,
        indices=tuple(indices),
        body=body,
        location=line.name.whole(),
    )
