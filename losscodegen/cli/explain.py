"""``explain``: a loss, a rule of the compiler or an error code, for those who want to know why."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from losscodegen.cli import completion
from losscodegen.cli.files import find_specs, project_specs, spec_names
from losscodegen.cli.output import coloured, print_json
from losscodegen.cli.progress import track
from losscodegen.cli.settings import without_format
from losscodegen.errors import Diagnostic, LossCodegenError

if TYPE_CHECKING:
    from losscodegen.teach.blocks import Block
    from losscodegen.teach.explain import Telling

OUTPUTS = ("text", "md", "html", "json")


@click.command()
@click.argument("name", metavar="SPEC|RULE|CODE", shell_complete=completion.explained)
@click.option(
    "--format",
    "output",
    type=click.Choice(OUTPUTS),
    default="text",
    show_default=True,
    help="How the explanation is written.",
)
@without_format
def explain(name: str, output: str) -> None:
    """Explain a loss, a rewrite or an error.

    A loss: its formula, the derivative step by step, the formula as one would type it, and for each
    guard what goes wrong without it, at which inputs and by how many bits.
    """
    told, found = _told(name, drawn=output == "html")
    if output == "json":
        print_json(_plain(told[0] if len(told) == 1 else list(told)))
        return
    from losscodegen.teach.show import as_html, as_markdown, as_text, print_coloured

    if output == "md":
        click.echo(as_markdown(found), nl=False)
    elif output == "html":
        click.echo(as_html(found, name), nl=False)
    elif coloured(sys.stdout):
        from rich.console import Console

        print_coloured(found, Console(highlight=False))
    else:
        click.echo(as_text(found), nl=False)


def _told(name: str, *, drawn: bool) -> tuple[Sequence[Any], list[Block]]:
    """What there is to say about a name, as data and as blocks, ``drawn`` with pictures."""
    from losscodegen.teach.codes import CODES, explain_code
    from losscodegen.teach.rules import RULE_NAMES, explain_rule

    known = {spec.stem for spec in project_specs()}
    if not _is_file(name) and name not in known:
        from losscodegen.teach.blocks import code_blocks, rule_blocks

        if name in RULE_NAMES:
            stories = explain_rule(name)
            return stories, list(rule_blocks(stories, _figures(name) if drawn else ()))
        if name in CODES:
            story = explain_code(name)
            return (story,), list(code_blocks(story))
        if name not in spec_names():
            from losscodegen.teach.codes import diagnosed

            if name in diagnosed():
                story = explain_code(name)
                return (story,), list(code_blocks(story))
            raise LossCodegenError(_unknown(name, (*spec_names(), *RULE_NAMES, *CODES)))
    from losscodegen.cli.catalogue import load_all
    from losscodegen.teach.blocks import blocks
    from losscodegen.teach.explain import explain as explained

    losses = [loss for _, loss in load_all(find_specs([name]))]
    told = [explained(loss, losses, track=_watched(loss.module)) for loss in losses]
    return told, [block for one in told for block in blocks(one)]


def _watched(name: str) -> Callable[[Sequence[Telling]], Iterator[Telling]]:
    """The guards of a loss, with a progress bar."""
    return lambda work: track(work, f"guards of {name}", lambda telling: telling[0])


def _figures(rule: str) -> list[str]:
    """Both sides of each row of a rule near its witness."""
    from losscodegen.teach.plot import witness_figure
    from losscodegen.teach.rules import ROWS
    from losscodegen.teach.witness import neighbourhood

    near = (neighbourhood(row) for row in ROWS if row.name == rule)
    return [witness_figure(rule, found) if found else "" for found in near]


def _is_file(name: str) -> bool:
    return Path(name).suffix == ".toml" or Path(name).is_file()


def _unknown(name: str, known: Sequence[str]) -> Diagnostic:
    close = get_close_matches(name, known, n=3)
    words = ", ".join(map(repr, close))
    hint = (
        f"did you mean {words}?"
        if close
        else "`losscodegen list`, `losscodegen rules` and the messages of errors have the names"
    )
    message = f"no spec, rule or error code is called {name!r}"
    return Diagnostic("unknown-name", message, hint=hint)


def _plain(value: Any) -> Any:
    """Data without the expressions: they are there as text and as LaTeX."""
    if is_dataclass(value) and not isinstance(value, type):
        kept = (f.name for f in fields(value) if f.name not in ("expr", "pending"))
        return {name: _plain(getattr(value, name)) for name in kept}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value
