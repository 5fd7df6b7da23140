"""``losscodegen report``: a loss as a page, or a library as a gallery."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from losscodegen.cli import completion
from losscodegen.cli.check import WAYS_OPTION
from losscodegen.cli.files import find_specs, subfolder, write_all
from losscodegen.cli.memory import Memory, cache_options, open_memory
from losscodegen.cli.output import say
from losscodegen.cli.progress import as_finished, processors
from losscodegen.cli.settings import CLEAN, common
from losscodegen.errors import Diagnostic, LossCodegenError

if TYPE_CHECKING:
    from losscodegen.teach.gallery import Card


@click.command()
@click.argument("specs", nargs=-1, metavar="[SPEC]...", shell_complete=completion.specs)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE|DIR",
    help="Where it is written.  [default: report.html, or report with --all]",
)
@click.option(
    "--all",
    "every",
    is_flag=True,
    help="Write a page for every spec, and one that finds them.",
)
@click.option(
    "-j",
    "--jobs",
    type=click.IntRange(1),
    help="Processes that work side by side.  [default: one per processor]",
)
@click.option("--points", type=click.IntRange(1), help="Random points per dtype.")
@WAYS_OPTION
@cache_options
@common
def report(
    specs: tuple[str, ...],
    output: Path | None,
    every: bool,
    jobs: int | None,
    points: int | None,
    through: tuple[str, ...],
    cache_dir: Path | None,
    no_cache: bool,
) -> int:
    """Write a page about a loss: mathematics, plots, guards, certificate and code.

    The page is one file that needs no network and no script. Two runs give the same bytes.
    """
    paths = find_specs(specs)
    if not every and (not specs or len(paths) != 1):
        raise click.UsageError(f"report takes one spec, or --all; got {len(specs)}")
    memory = open_memory(cache_dir, no_cache=no_cache, pages=True)
    options: dict[str, object] = {"seed": 0, "strict": False}
    if points is not None:
        options["points"] = points
    if through:
        options["through"] = through
    if every:
        folder = output or Path("report")
        texts = _gallery(paths, memory, options, jobs or processors())
        write_all({folder / name: text for name, text in texts.items()})
        say(f"wrote {len(texts)} files to {folder}; open {folder / 'index.html'}")
        return CLEAN
    target = output or Path("report.html")
    page, _ = page_of(paths[0], memory=memory, options=options)
    write_all({target: page})
    say(f"wrote {target}")
    return CLEAN


def _gallery(
    paths: Sequence[Path], memory: Memory, options: dict[str, object], jobs: int
) -> dict[str, str]:
    """The files of a gallery by name; the problems of all specs in one error."""
    from losscodegen.teach.gallery import INDEX, STYLE, gallery, shared_files

    made: dict[Path, tuple[str, tuple[Card, ...]]] = {}
    problems: dict[Path, tuple[Diagnostic, ...]] = {}
    broken: list[Exception] = []
    for path, result in as_finished(
        partial(page_of, memory=memory, options=options, style=STYLE, home=INDEX),
        paths,
        "writing pages",
        lambda path: path.stem,
        processes=jobs,
        patience_s=0,
    ):
        try:
            made[path] = result()
        except LossCodegenError as error:
            problems[path] = error.diagnostics
        except Exception as error:
            # A fault of ours. The other pages are in the cache afterwards, if there is one.
            broken.append(error)
    if problems:
        raise LossCodegenError(d for path in paths for d in problems.get(path, ()))
    if broken:
        raise broken[0]
    pages = {page_name(path): made[path][0] for path in paths}
    cards = [
        replace(card, address=page_name(path))
        for path in paths
        for card in made[path][1]
    ]
    return {INDEX: gallery(cards), **shared_files(), **pages}


def page_name(path: Path) -> str:
    """The file of a spec's page; specs in folders keep the folder in their name."""
    return ".".join((*subfolder(path).parts, path.stem, "html"))


def page_of(
    path: Path,
    *,
    memory: Memory,
    options: dict[str, object],
    style: str | None = None,
    home: str = "",
) -> tuple[str, tuple[Card, ...]]:
    """The page of one spec, and how a gallery shows its losses.

    A function of its own, so that other processes find it.
    """
    from losscodegen.teach.gallery import Card

    found = memory.page(
        path,
        {**options, "style": style, "home": home},
        lambda: _made(path, memory, options, style, home),
    )
    return found["page"], tuple(Card(**card) for card in found["cards"])


def _made(
    path: Path, memory: Memory, options: dict[str, object], style: str | None, home: str
) -> dict[str, Any]:
    """The page of a spec and its cards, as plain data."""
    from losscodegen.language.parse import losses_from_text
    from losscodegen.language.spec import spec_text
    from losscodegen.teach.explain import explain
    from losscodegen.teach.gallery import card_of
    from losscodegen.teach.report import Subject, report

    text = spec_text(path)
    source = memory.compile(path).text
    verdict = memory.check(path, None, options)
    losses = losses_from_text(text, path.as_posix())
    subjects = [
        Subject(
            loss=loss,
            spec=text,
            source=source,
            certificate=certificate,
            explanation=explain(loss, losses),
        )
        for loss, certificate in zip(losses, verdict.certificates, strict=True)
    ]
    return {
        "page": report(subjects, style=style, home=home),
        "cards": [asdict(card_of(s.loss, s.certificate)) for s in subjects],
    }
