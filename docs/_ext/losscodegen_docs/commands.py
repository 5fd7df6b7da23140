"""The reference of the command line, from the commands themselves."""

from __future__ import annotations

import re

import click

from losscodegen.cli.main import program
from losscodegen_docs.markdown import listing, prose, table, target

WIDTH = 88


def commands() -> str:
    """A section for every command."""
    return "\n".join(_command(name, c) for name, c in program.commands.items())


def command_anchor(name: str) -> str:
    return f"command-{name}"


def _command(name: str, command: click.Command) -> str:
    context = click.Context(
        command, info_name=f"losscodegen {name}", max_content_width=WIDTH
    )
    usage = command.get_usage(context).removeprefix("Usage: ")
    records = [
        record
        for parameter in command.get_params(context)
        if (record := parameter.get_help_record(context)) is not None
    ]
    parts = [
        f"{target(command_anchor(name))}## {name}\n",
        listing(" ".join(usage.split()), "text"),
        *(f"{_told(p)}\n" for p in (command.help or "").split("\n\n")),
        table(
            ("option", "meaning"), ((_option(o), _told(told)) for o, told in records)
        ),
    ]
    return "\n".join(parts)


def _option(text: str) -> str:
    return f"`{text}`"


def _told(text: str) -> str:
    """Prose with options and file names set apart."""
    marked = re.sub(r"(?<![\w`-])--[a-z][\w-]*|\bFILE\.py:NAME\b", r"`\g<0>`", text)
    return prose(marked)
