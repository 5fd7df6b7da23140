"""``losscodegen check``: compiled modules against ground truth, worst first."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from losscodegen.cli.files import find_specs, write_all
from losscodegen.cli.output import print_problems, say, to_json, track
from losscodegen.cli.settings import CLEAN, FINDINGS, common, current
from losscodegen.errors import Diagnostic, Location, LossCodegenError, fail

if TYPE_CHECKING:
    from losscodegen.judge.certificate import Certificate

    Judged = list[tuple[Path, Certificate]]
    Verdict = tuple[Certificate, ...]

DTYPES = ("float16", "bfloat16", "float32", "float64")


@click.command()
@click.argument("specs", nargs=-1, metavar="[SPECS]...")
@click.option(
    "--dtype",
    "dtypes",
    type=click.Choice(DTYPES),
    multiple=True,
    help="Judge in this precision; may be repeated.  [default: float32, float64]",
)
@click.option("--points", type=click.IntRange(1), help="Random points per dtype.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the points.")
@click.option(
    "--strict",
    is_flag=True,
    help="Fail for digits that cancel in small results, too, not only list them.",
)
@click.option(
    "-j",
    "--jobs",
    type=click.IntRange(1),
    help="Processes that judge side by side.  [default: one per processor]",
)
@click.option(
    "--module",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Judge this module instead of what the one spec compiles to.",
)
@click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="FILE",
    help="Write the certificates as JSON; - is standard output.",
)
@common
def check(
    specs: tuple[str, ...],
    dtypes: tuple[str, ...],
    points: int | None,
    seed: int,
    strict: bool,
    jobs: int | None,
    module: Path | None,
    json_file: Path | None,
) -> int:
    """Verify losses in value and gradient.

    Each spec is compiled and its module held against interval arithmetic, the laws and the example
    of the spec, and what PyTorch expects of a loss. One spec is reported in full, several in a
    table with the worst first.
    """
    paths = find_specs(specs)
    if module is not None and len(paths) != 1:
        raise click.UsageError(f"--module takes one spec, got {len(paths)}")
    options: dict[str, object] = {"seed": seed, "strict": strict}
    if dtypes:
        options["dtypes"] = dtypes
    if points is not None:
        options["points"] = points
    judged = judge_all(paths, module, options, jobs or _processors())
    certificates = [certificate for _, certificate in judged]
    if json_file is not None:
        text = to_json([certificate.as_dict() for certificate in certificates]) + "\n"
        if str(json_file) == "-":
            click.echo(text, nl=False)
        else:
            write_all({json_file: text})
            say(f"wrote {json_file}")
    reported = str(json_file) != "-" and not current().quiet
    if reported:
        _print_report(certificates, in_full=len(paths) == 1)
    failed = [(p, certificate) for p, certificate in judged if not certificate.passed]
    if not (reported and len(paths) == 1 and current().format == "text"):
        _print_failures(failed)
    return FINDINGS if failed else CLEAN


def _processors() -> int:
    """The processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def judge_all(
    paths: Sequence[Path],
    module: Path | None,
    options: dict[str, object],
    jobs: int,
) -> Judged:
    """The certificates of every loss; the problems of all specs in one error."""
    problems: list[Diagnostic] = []
    judged: Judged = []
    with _judges(min(jobs, len(paths))) as start:
        waiting = [(path, start(path, module, options)) for path in paths]
        for path, result in track(waiting, "verifying", lambda pair: pair[0].stem):
            try:
                judged += ((path, certificate) for certificate in result())
            except LossCodegenError as error:
                problems += error.diagnostics
    if problems:
        raise LossCodegenError(problems)
    return judged


@contextmanager
def _judges(processes: int) -> Iterator[Callable[..., Callable[[], Verdict]]]:
    """A function that starts `judge_spec` and returns a function that waits for its result."""
    if processes <= 1:
        yield partial(partial, judge_spec)
        return
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    # Each judge has its processor for itself. Forking a process in which torch has started
    # threads is not safe, hence fresh ones, which read the environment at their start.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    pool = ProcessPoolExecutor(processes, mp_context=get_context("spawn"))
    try:
        yield lambda *arguments: pool.submit(judge_spec, *arguments).result
    finally:
        pool.shutdown(cancel_futures=True)


def judge_spec(path: Path, module: Path | None, options: dict[str, object]) -> Verdict:
    """The certificates of one spec's losses."""
    from losscodegen import pipeline

    try:
        text = _text(module) if module else pipeline.generate(path).text
        return pipeline.check(path, text, **options)
    except LossCodegenError:
        raise
    except Exception as error:
        error.add_note(f"while verifying {path}")
        raise


def _text(module: Path) -> str:
    try:
        return module.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise fail("cannot-read", f"cannot read {module}: {reason.lower()}") from error


def _print_report(certificates: Sequence[Certificate], *, in_full: bool) -> None:
    from rich.console import Console

    from losscodegen.judge.table import as_text, certificate_table, library_table

    tables = (
        [certificate_table(certificate) for certificate in certificates]
        if in_full
        else [library_table(certificates)]
    )
    for table in tables:
        if sys.stdout.isatty():
            Console(no_color=bool(os.environ.get("NO_COLOR"))).print(table)
        else:
            click.echo(as_text(table), nl=False)
    passed = sum(certificate.passed for certificate in certificates)
    say(f"{passed} of {len(certificates)} losses passed")


def _print_failures(failed: Judged) -> None:
    """Every failure as a problem on standard error."""
    from losscodegen.judge.certificate import Severity

    problems = []
    for path, certificate in failed:
        place = Location(str(path), 1, 1, 2)
        found = [f for f in certificate.findings if f.severity is Severity.FAILURE]
        for finding in found:
            where = " ".join(part for part in (finding.dtype, finding.order) if part)
            parts = (certificate.loss, where, finding.message)
            message = ": ".join(part for part in parts if part)
            problems.append(Diagnostic(finding.code, message, place))
        if not found:
            message = f"{certificate.loss}: nothing was checked that could have failed"
            problems.append(Diagnostic("vacuous-check", message, place))
    if problems:
        print_problems(problems, current())
