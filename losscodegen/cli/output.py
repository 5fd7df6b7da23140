"""What the commands write: problems, messages, tables, JSON."""

from __future__ import annotations

import json
import math
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import TYPE_CHECKING

import click

from losscodegen import __version__
from losscodegen.cli.settings import Settings, current
from losscodegen.errors import Diagnostic, cell_width

if TYPE_CHECKING:
    from typing import TextIO


def say(message: str) -> None:
    """A message to the user, left out under ``--quiet``."""
    if not current().quiet:
        click.echo(message)


def coloured(stream: TextIO) -> bool:
    """Whether ``stream`` is a terminal whose user did not ask for plain text."""
    return stream.isatty() and not os.environ.get("NO_COLOR")


def heading(text: str) -> str:
    """``text`` in bold where that can be seen."""
    return click.style(text, bold=True) if coloured(sys.stdout) else text


def print_json(value: object) -> None:
    click.echo(to_json(value))


def to_json(value: object) -> str:
    """Any of our data as JSON text."""
    return json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False)


def plain(value: object) -> object:
    """Our data as what JSON knows: mappings, lists, strings, finite numbers.

    An infinite or missing number becomes its name in Python (``"inf"``, ``"nan"``), an exact one
    its quotient (``"1/3"``).
    """
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else repr(value)
        case Enum():
            return plain(value.value)
        case Mapping():
            return {str(plain(key)): plain(item) for key, item in value.items()}
        case Iterable():
            return [plain(item) for item in value]
        case _ if is_dataclass(value) and not isinstance(value, type):
            return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
        case _:
            return str(value)


# ---------------------------------------------------------------------------- problems


def print_problems(problems: Iterable[Diagnostic], settings: Settings) -> None:
    """Every problem on standard error, in the format of the user's choice."""
    problems = tuple(problems)
    if settings.format == "json":
        click.echo(to_json([_as_json(problem) for problem in problems]), err=True)
    elif settings.format == "github":
        for problem in problems:
            click.echo(_as_github(problem), err=True)
    else:
        text = "\n\n".join(str(problem) for problem in problems)
        click.echo(_colour(text) if coloured(sys.stderr) else text, err=True)


def internal_problem(error: Exception, settings: Settings) -> Diagnostic:
    """Whatever is no `LossCodegenError` is a defect of losscodegen: keep what a report needs."""
    import tempfile
    import traceback

    text = "".join(traceback.format_exception(error))
    about = "".join(f" ({note})" for note in getattr(error, "__notes__", ()))
    message = (
        f"internal error, please report it: {type(error).__name__}: {error}{about}"
    )
    if settings.debug:
        click.echo(text, err=True)
        return Diagnostic("internal-error", message)
    with tempfile.NamedTemporaryFile(
        "w", prefix="losscodegen-", suffix=".txt", delete=False, encoding="utf-8"
    ) as file:
        file.write(f"losscodegen {__version__}, Python {sys.version}\n\n{text}")
    return Diagnostic(
        "internal-error",
        message,
        hint=f"the traceback is in {file.name}; --debug shows it",
    )


def _as_json(problem: Diagnostic) -> dict[str, object]:
    place = problem.location
    return {
        "code": problem.code,
        "message": problem.message,
        "file": place and place.file,
        "line": place and place.line,
        "column": place and place.column,
        "end_column": place and place.end_column,
        "hint": problem.hint,
    }


def _as_github(problem: Diagnostic) -> str:
    """A workflow command: GitHub shows it beside the line it is about."""
    fields = {"title": problem.code}
    if place := problem.location:
        fields |= {
            "file": _in_repository(place.file),
            "line": str(place.line),
            "col": str(place.column),
            "endColumn": str(place.end_column),
        }
    text = problem.message + (f"\nhint: {problem.hint}" if problem.hint else "")
    listed = ",".join(
        f"{key}={_escaped(value).replace(':', '%3A').replace(',', '%2C')}"
        for key, value in fields.items()
    )
    return f"::error {listed}::{_escaped(text)}"


def _in_repository(file: str) -> str:
    """A path as GitHub knows it: from the root of the repository, not from where we stand."""
    root = os.environ.get("GITHUB_WORKSPACE")
    whole = os.path.abspath(file)
    if not root or not os.path.exists(whole):
        return file
    found = os.path.relpath(os.path.realpath(whole), os.path.realpath(root))
    return file if found.startswith("..") else found.replace(os.sep, "/")


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _colour(text: str) -> str:
    text = re.sub(
        r"\berror\[[a-z0-9-]+\]",
        lambda match: click.style(match[0], fg="red", bold=True),
        text,
    )
    text = re.sub(r"(?m)^\s+\^+$", lambda match: click.style(match[0], fg="red"), text)
    return re.sub(r"(?m)^hint:", click.style("hint:", fg="cyan"), text)


# ---------------------------------------------------------------------------- tables


def print_table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns: fitted to the window of a terminal, one line per row anywhere else."""
    if not sys.stdout.isatty():
        widths = [
            max(map(_width, column)) for column in zip(headers, *rows, strict=True)
        ]
        for row in (headers, *rows):
            cells = [
                cell + " " * (width - _width(cell))
                for cell, width in zip(row, widths, strict=True)
            ]
            click.echo("  ".join(cells).rstrip())
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for position, header in enumerate(headers):
        table.add_column(header, no_wrap=position == 0, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    Console(no_color=bool(os.environ.get("NO_COLOR"))).print(table)


def _width(text: str) -> int:
    return sum(map(cell_width, text))
