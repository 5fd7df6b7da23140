"""The options that every command has, and where their values are kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import click

Format = Literal["text", "json", "github"]
Command = TypeVar("Command", bound=Callable[..., Any])

CLEAN, FINDINGS, FAILED = 0, 1, 2
"""Exit codes: nothing to say; a stale file or a failed check; could not run."""


@dataclass(slots=True)
class Settings:
    """What the shared options of a run were set to; the only mutable state of the shell."""

    quiet: bool = False
    debug: bool = False
    format: Format = "text"


def current() -> Settings:
    """The settings of the running command."""
    return click.get_current_context().ensure_object(Settings)


def _store(context: click.Context, parameter: click.Parameter, value: object) -> None:
    setattr(context.ensure_object(Settings), str(parameter.name), value)


_DEBUG = click.option(
    "--debug",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_store,
    help="Show the traceback of an internal error.",
)
_FORMAT = click.option(
    "--format",
    type=click.Choice(["text", "json", "github"]),
    default="text",
    show_default=True,
    expose_value=False,
    is_eager=True,
    callback=_store,
    help="How problems are written.",
)
_QUIET = click.option(
    "-q",
    "--quiet",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_store,
    help="Say nothing but problems and what was asked for.",
)


def common(command: Command) -> Command:
    """Adds ``--quiet``, ``--format`` and ``--debug`` to a command."""
    return _DEBUG(_FORMAT(_QUIET(command)))


def without_format(command: Command) -> Command:
    """Adds ``--quiet`` and ``--debug`` to a command whose ``--format`` is that of its output."""
    return _DEBUG(_QUIET(command))
