"""A spec file as strings, each with its place; no mathematics yet."""

from __future__ import annotations

import difflib
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from losscodegen.errors import Diagnostic, Location, LossCodegenError, fail
from losscodegen.language import shape
from losscodegen.language.source import Source
from losscodegen.language.spans import Path as TomlPath
from losscodegen.language.spans import Spans
from losscodegen.language.toml import (
    LARGEST_FILE,
    check_strings,
    read_toml,
    whole_file,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecVariable:
    """An input or parameter; ``type`` is None where the file has none that could be read."""

    name: Source
    type: Source | None
    arg: Source | None = None
    doc: str = ""
    buffer: bool = False


SpecScalar = float | bool | str


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecValue:
    """A value of an example; an array has its elements in ``value``."""

    name: Source | None = None
    value: SpecScalar | tuple[SpecValue, ...]
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecClause:
    """One clause of a calling convention; what it does not say is None or empty."""

    when: Source | None = None
    error: Source | None = None
    message: Source | None = None
    warning: Source | None = None
    broadcast: tuple[Source, ...] = ()
    instead: Source | None = None
    values: tuple[tuple[Source, Source], ...] = ()
    result: Source | None = None
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecInterface:
    """The calling convention of a class to replace."""

    constructor: tuple[Source, ...] = ()
    forward: tuple[Source, ...] = ()
    class_axis_without_batch: bool = False
    compare: Source | None = None
    optional: tuple[Source, ...] = ()
    layer: tuple[tuple[Source, Source], ...] = ()
    init: tuple[SpecClause, ...] = ()
    call: tuple[SpecClause, ...] = ()
    constructor_location: Location
    forward_location: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecLoss:
    """One table of a spec file. A string that is missing or could not be read is None."""

    name: Source
    loss: Source | None
    inputs: tuple[SpecVariable, ...] = ()
    params: tuple[SpecVariable, ...] = ()
    learnable: tuple[Source, ...] = ()
    indices: tuple[tuple[Source, Source], ...] = ()
    let: Source | None = None
    mean_weight: Source | None = None
    reduction: Source | None = None
    gradient: Source | None = None
    accuracy: Source | None = None
    require: tuple[Source, ...] = ()
    laws: tuple[Source, ...] = ()
    example: tuple[SpecValue, ...] | None = None
    """The entries of the example in order, the result among them."""
    example_location: Location | None = None
    interface: SpecInterface | None = None
    family: str = ""
    summary: str = ""
    description: str = ""
    reference: str = ""
    notes: str = ""
    unreadable: frozenset[str] = frozenset()
    """Keys whose value has the wrong type; what depends on them cannot be judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecFile:
    """A spec file: its losses in order, and what is wrong with its shape.

    The ``problems`` are carried along so that `parse` reports them with its own, all at once.
    """

    file: str
    module: str
    losses: tuple[SpecLoss, ...]
    problems: tuple[Diagnostic, ...] = ()


def read_spec(path: Path) -> SpecFile:
    """The spec file at ``path``.

    Raises:
        LossCodegenError: if there is no such file, or if it is no TOML.
    """
    return read_spec_text(spec_text(path), path.as_posix())


def read_spec_text(text: str, file: str) -> SpecFile:
    """The spec with this text; ``file`` is what messages call it and what names its module.

    Raises:
        LossCodegenError: if the text is no TOML.
    """
    toml = read_toml(text, file)
    problems = [*check_strings(toml), *shape.problems(toml)]
    losses = tuple(
        _Reader(toml.spans, (name,), table).loss()
        for name, table in toml.data.items()
        if isinstance(table, dict)
    )
    if not losses and not problems:
        hint = "a loss is a table that is named like its class, as in [HuberLoss]"
        problems.append(
            Diagnostic("empty-spec", "there is no loss in it", whole_file(file), hint)
        )
    return SpecFile(
        file=file, module=_module(file), losses=losses, problems=tuple(problems)
    )


def _module(file: str) -> str:
    """The module that a spec file makes: its stem, ``text`` for ``<text>``."""
    return Path(file.strip("<>")).stem


def spec_text(path: Path) -> str:
    """The text of the spec file at ``path``.

    Raises:
        LossCodegenError: if there is no such file, or if it cannot be read.
    """
    name = path.as_posix()
    place = whole_file(name)
    try:
        with path.open("rb") as stream:
            content = stream.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        near = difflib.get_close_matches(path.name, _neighbours(path), 1)
        hint = f"did you mean '{path.with_name(near[0]).as_posix()}'?" if near else None
        raise fail("no-such-file", "there is no such file", place, hint) from None
    except IsADirectoryError:
        raise fail("no-such-file", "it is a directory", place) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        message = f"the file cannot be read: {reason.lower()}"
        raise fail("no-such-file", message, place) from None
    if len(content) > LARGEST_FILE:
        message = f"the file has more than {LARGEST_FILE} bytes"
        hint = "a file is one module of losses; split it"
        raise fail("file-too-large", message, place, hint)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise _not_unicode(content, error.start, name) from None


def _neighbours(path: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in path.parent.iterdir())
    except OSError:
        return []


def _not_unicode(content: bytes, place: int, name: str) -> LossCodegenError:
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        message, hint = "the file is UTF-16", "save it as UTF-8"
        return fail("encoding", message, whole_file(name), hint)
    before = content[:place].decode()
    line = before.count("\n") + 1
    column = len(before) - before.rfind("\n")
    message = f"the byte 0x{content[place]:02x} is not UTF-8"
    location = Location(name, line, column, column + 1)
    return fail("encoding", message, location, "save the file as UTF-8")


class _Reader:
    """Reads a table tolerantly: what has the wrong type was complained about already."""

    def __init__(self, spans: Spans, path: TomlPath, table: dict[str, Any]) -> None:
        self.spans = spans
        self.path = path
        self.table = table

    def loss(self) -> SpecLoss:
        example = self._table("example")
        interface = self._table("interface")
        return SpecLoss(
            name=self.spans.key_source(self.path),
            loss=self.source("loss"),
            inputs=self._variables("inputs"),
            params=self._variables("params"),
            learnable=self.sources("learnable"),
            indices=self._indices(),
            let=self.source("let"),
            mean_weight=self.source("mean_weight"),
            reduction=self.source("reduction"),
            gradient=self.source("gradient"),
            accuracy=self.source("accuracy"),
            require=self.sources("require"),
            laws=self.sources("laws"),
            example=None if example is None else tuple(example._values()),
            example_location=None if example is None else self.spans.key(example.path),
            interface=None if interface is None else interface._interface(),
            family=self.line("family"),
            summary=self.line("summary"),
            description=self.prose("description"),
            reference=self.prose("reference"),
            notes=self.prose("notes"),
            unreadable=self._unreadable(),
        )

    def _unreadable(self) -> frozenset[str]:
        tables = ("inputs", "params", "indices", "example", "interface")
        strings = ("let", "loss", "mean_weight")
        expected = [(key, dict) for key in tables] + [(key, str) for key in strings]
        wrong = {k for k, t in expected if not isinstance(self.table.get(k, t()), t)}
        return frozenset(wrong | ({"inputs", "loss"} - set(self.table)))

    def source(self, key: str) -> Source | None:
        value = self.table.get(key)
        if not isinstance(value, str):
            return None
        return self.spans.string((*self.path, key), value)

    def sources(self, key: str) -> tuple[Source, ...]:
        values = self.table.get(key)
        if not isinstance(values, list):
            return ()
        return tuple(
            self.spans.string((*self.path, key, number), value)
            for number, value in enumerate(values)
            if isinstance(value, str)
        )

    def line(self, key: str) -> str:
        """A text that stands on one line."""
        return " ".join(self.prose(key).split())

    def prose(self, key: str) -> str:
        """A text of any number of lines, without the indentation it has in the file."""
        value = self.table.get(key)
        return textwrap.dedent(value).strip() if isinstance(value, str) else ""

    def flag(self, key: str) -> bool:
        return self.table.get(key) is True

    def _table(self, key: str) -> _Reader | None:
        table = self.table.get(key)
        if not isinstance(table, dict):
            return None
        return _Reader(self.spans, (*self.path, key), table)

    def _variables(self, key: str) -> tuple[SpecVariable, ...]:
        table = self._table(key)
        return () if table is None else tuple(table._each_variable())

    def _each_variable(self) -> Iterable[SpecVariable]:
        for name, value in self.table.items():
            path = (*self.path, name)
            if isinstance(value, str):
                source = self.spans.string(path, value)
                yield SpecVariable(name=self.spans.key_source(path), type=source)
                continue
            inner = _Reader(self.spans, path, value if isinstance(value, dict) else {})
            yield SpecVariable(
                name=self.spans.key_source(path),
                type=inner.source("type"),
                arg=inner.source("arg"),
                doc=inner.prose("doc"),
                buffer=inner.flag("buffer"),
            )

    def _indices(self) -> tuple[tuple[Source, Source], ...]:
        table = self._table("indices")
        return () if table is None else tuple(table._pairs())

    def _pairs(self) -> Iterable[tuple[Source, Source]]:
        """Each key and its string."""
        for name in self.table:
            value = self.source(name)
            if value is not None:
                yield self.spans.key_source((*self.path, name)), value

    def _values(self) -> Iterable[SpecValue]:
        for name, value in self.table.items():
            path = (*self.path, name)
            yield self._value(path, value, self.spans.key_source(path))

    def _value(
        self, path: TomlPath, value: Any, name: Source | None = None
    ) -> SpecValue:
        location = self.spans.value(path)
        if isinstance(value, list):
            inner = [self._value((*path, k), v) for k, v in enumerate(value)]
            return SpecValue(name=name, value=tuple(inner), location=location)
        if not isinstance(value, int | float | str):
            value = str(value)
        return SpecValue(name=name, value=value, location=location)

    def _interface(self) -> SpecInterface:
        return SpecInterface(
            constructor=self.sources("constructor"),
            forward=self.sources("forward"),
            class_axis_without_batch=self.flag("class_axis_without_batch"),
            compare=self.source("compare"),
            optional=self.sources("optional"),
            layer=(
                () if (layer := self._table("layer")) is None else tuple(layer._pairs())
            ),
            init=self._clauses("init"),
            call=self._clauses("call"),
            constructor_location=self.spans.key((*self.path, "constructor")),
            forward_location=self.spans.key((*self.path, "forward")),
        )

    def _clauses(self, key: str) -> tuple[SpecClause, ...]:
        tables = self.table.get(key)
        if not isinstance(tables, list):
            return ()
        paths = (((*self.path, key, k), table) for k, table in enumerate(tables))
        return tuple(
            _Reader(self.spans, path, table)._clause()
            for path, table in paths
            if isinstance(table, dict)
        )

    def _clause(self) -> SpecClause:
        values = self._table("set")
        pairs = () if values is None else values._pairs()
        return SpecClause(
            when=self.source("when"),
            error=self.source("error"),
            message=self.source("message"),
            warning=self.source("warning"),
            broadcast=self.sources("broadcast"),
            instead=self.source("instead"),
            values=tuple(pairs),
            result=self.source("result"),
            location=self.spans.value(self.path),
        )
