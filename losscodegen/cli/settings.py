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


def common(command: Command) -> Command:
    """Adds ``--quiet``, ``--format`` and ``--debug`` to a command."""
    for option in (
        click.option(
            "--debug",
            is_flag=True,
            expose_value=False,
            is_eager=True,
            callback=_store,
            help="Show the traceback of an internal error.",
        ),
        click.option(
            "--format",
            type=click.Choice(["text", "json", "github"]),
            default="text",
            show_default=True,
            expose_value=False,
            is_eager=True,
            callback=_store,
            help="How problems are written.",
        ),
        click.option(
            "-q",
            "--quiet",
            is_flag=True,
            expose_value=False,
            is_eager=True,
            callback=_store,
            help="Say nothing but problems and what was asked for.",
        ),
    ):
        command = option(command)
    return command
