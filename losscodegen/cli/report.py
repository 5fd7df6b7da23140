"""``losscodegen report``: a loss as a page, or a library as a gallery."""

from __future__ import annotations

from pathlib import Path

import click

from losscodegen.cli.check import WAYS_OPTION
from losscodegen.cli.files import find_specs, write_all
from losscodegen.cli.memory import Memory, cache_options, open_memory
from losscodegen.cli.output import say
from losscodegen.cli.settings import CLEAN, common


@click.command()
@click.argument("specs", nargs=-1, metavar="[SPEC]...")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("report.html"),
    show_default=True,
    metavar="FILE",
    help="Where the page is written.",
)
@click.option("--points", type=click.IntRange(1), help="Random points per dtype.")
@WAYS_OPTION
@cache_options
@common
def report(
    specs: tuple[str, ...],
    output: Path,
    points: int | None,
    through: tuple[str, ...],
    cache_dir: Path | None,
    no_cache: bool,
) -> int:
    """Write a page about a loss: mathematics, plots, guards, certificate and code.

    The page is one file that needs no network and no script. Two runs give the same bytes.
    """
    paths = find_specs(specs)
    if not specs or len(paths) != 1:
        raise click.UsageError(f"report takes one spec, got {len(specs)}")
    memory = open_memory(cache_dir, no_cache=no_cache)
    options: dict[str, object] = {"seed": 0, "strict": False}
    if points is not None:
        options["points"] = points
    if through:
        options["through"] = through
    write_all({output: page_of(paths[0], memory=memory, options=options)})
    say(f"wrote {output}")
    return CLEAN


def page_of(
    path: Path,
    *,
    memory: Memory,
    options: dict[str, object],
    style: str | None = None,
    home: str = "",
) -> str:
    """The page of one spec; a function of its own, so that other processes find it."""
    from losscodegen.language.parse import losses_from_text
    from losscodegen.language.spec import spec_text
    from losscodegen.teach.report import Subject, report

    text = spec_text(path)
    source = memory.compile(path).text
    verdict = memory.check(path, None, options)
    subjects = [
        Subject(loss=loss, spec=text, source=source, certificate=certificate)
        for loss, certificate in zip(
            losses_from_text(text, path.as_posix()), verdict.certificates, strict=True
        )
    ]
    return report(subjects, style=style, home=home)
