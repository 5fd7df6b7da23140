"""``list``: the losses by family, each with its mathematics on one line."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from losscodegen.cli import completion
from losscodegen.cli.catalogue import as_json, load_all
from losscodegen.cli.files import find_specs
from losscodegen.cli.output import coloured, print_json, say
from losscodegen.cli.outside import OUTSIDE, Outside
from losscodegen.cli.settings import common
from losscodegen.errors import cell_width
from losscodegen.resources import bundled_specs

if TYPE_CHECKING:
    from losscodegen.ir.loss import Loss

ALIGNED = 30
"""Summaries begin below each other as long as the names are no longer than this."""


@click.command("list")
@click.argument(
    "specs", nargs=-1, metavar="[SPECS]...", shell_complete=completion.specs
)
@as_json
@common
def list_losses(specs: tuple[str, ...], json: bool) -> None:
    """List the losses of the library or of the project, by family."""
    from losscodegen.language.mathematics import one_line

    paths = find_specs(specs)
    losses = load_all(paths)
    outside = _outside(paths)
    if json:
        rows = [
            {
                "name": loss.name,
                "module": loss.module,
                "function": loss.function,
                "family": loss.family,
                "summary": loss.summary,
                "mathematics": one_line(loss),
                "spec": str(path),
            }
            for path, loss in losses
        ]
        print_json({"losses": rows, "outside": outside})
        return
    families: dict[str, list[Loss]] = {}
    for _, loss in losses:
        families.setdefault(loss.family, []).append(loss)
    for family in sorted(families):
        _print_family(
            f"{family or 'without a family'} ({len(families[family])})",
            [(x.name, x.summary, one_line(x)) for x in families[family]],
        )
    if outside:
        rows_ = [(x.name, f"{x.family}: {x.why}", "") for x in outside]
        _print_family("out of scope", rows_)
    many = "1 loss" if len(losses) == 1 else f"{len(losses)} losses"
    say(f"{many} in {len(families)} famil{'y' if len(families) == 1 else 'ies'}")


def _outside(paths: Sequence[Path]) -> tuple[Outside, ...]:
    """What the library leaves out, where the whole of it is listed."""
    listed = {path.resolve() for path in paths}
    whole = all(path.resolve() in listed for path in bundled_specs())
    return OUTSIDE if whole else ()


def _print_family(title: str, rows: Iterable[tuple[str, str, str]]) -> None:
    """A heading, then name and summary, then the mathematics, as far as the window is wide."""
    rows = list(rows)
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    aligned = min(ALIGNED, max(len(name) for name, _, _ in rows))
    click.echo(_styled(title, fg="magenta", bold=True))
    for name, summary, mathematics in rows:
        start = f"  {name:{aligned}}"
        rest = clipped(f"{start}  {summary}".rstrip(), width).removeprefix(f"  {name}")
        click.echo(f"  {_styled(name, bold=True)}{rest}")
        if mathematics:
            line = clipped(f"      {mathematics}", width)
            click.echo(_styled(line, fg="cyan"))
    click.echo()


def clipped(text: str, width: int | None) -> str:
    """``text`` in so many cells of a terminal, with an ellipsis if it does not fit."""
    if width is None or sum(map(cell_width, text)) <= width:
        return text
    kept, room = "", width - 1
    for character in text:
        room -= cell_width(character)
        if room < 0:
            break
        kept += character
    return f"{kept.rstrip()}…"


def _styled(text: str, fg: str | None = None, bold: bool | None = None) -> str:
    return click.style(text, fg=fg, bold=bold) if coloured(sys.stdout) else text
