"""``losscodegen check``: compiled modules against ground truth, worst first."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from losscodegen.cli import completion
from losscodegen.cli.files import find_specs, write_all
from losscodegen.cli.foreign import (
    ForeignOptions,
    check_foreign,
    foreign_options,
    foreign_target,
)
from losscodegen.cli.memory import Memory, Verdict, cache_options, open_memory
from losscodegen.cli.output import print_problems, say, to_json
from losscodegen.cli.progress import as_finished, processors
from losscodegen.cli.settings import CLEAN, FINDINGS, common, current
from losscodegen.cli.verify import verify_certificates, verify_foreign, verify_option
from losscodegen.errors import Diagnostic, Location, LossCodegenError
from losscodegen.ir.modes import Accuracy

if TYPE_CHECKING:
    from losscodegen.judge.certificate import Certificate

    Judged = list[tuple[Path, Certificate]]

DTYPES = ("float16", "bfloat16", "float32", "float64")

WAYS_OPTION = click.option(
    "--through",
    callback=lambda context, parameter, text: _ways(text),
    metavar="WAY[,WAY]|all",
    help="Run them in other ways, too, such as inductor, export, onnx, vmap.",
)


@click.command()
@click.argument(
    "specs",
    nargs=-1,
    metavar="[SPECS]... | FILE.py:NAME",
    shell_complete=completion.specs,
)
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
    "--accuracy",
    type=click.Choice([mode.value for mode in Accuracy]),
    help="Compile and judge for this accuracy, whatever the specs say.",
)
@WAYS_OPTION
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
@verify_option
@cache_options
@common
@foreign_options
def check(
    specs: tuple[str, ...],
    foreign: ForeignOptions,
    dtypes: tuple[str, ...],
    points: int | None,
    seed: int,
    strict: bool,
    accuracy: str | None,
    through: tuple[str, ...],
    jobs: int | None,
    module: Path | None,
    json_file: Path | None,
    certificate: Path | None,
    cache_dir: Path | None,
    no_cache: bool,
) -> int:
    """Verify losses in value and gradient.

    Each spec is compiled and its module held against interval arithmetic, the laws and the example
    of the spec, and what PyTorch expects of a loss. Second derivatives are reported, and fail
    nothing. One spec is reported in full, several in a table with the worst first; an error of 1
    is one ulp, or what a change of one ulp in every input makes. A verdict is kept, and found again
    as long as nothing has changed that it depends on: spec, module, judge, libraries, options,
    machine.

    A module has --through others than itself to be as right when it is compiled by torch.compile,
    exported, run by onnxruntime, under autocast, in vmap(grad), on a GPU without numbers or on
    tensors cut in pieces. Where it is not, the certificate says at which point, and fails.

    FILE.py:NAME with --spec judges a loss that was written by hand, an nn.Module class or a
    function, and says what is wrong with it. Its code is executed, with the rights of whoever runs
    this, in a process with limits of time and memory; nothing else keeps it from doing harm.

    With --verify-certificate nothing is judged or executed: what --json wrote earlier is held
    against spec and module as they lie here. It is found out if one of them, or the certificate,
    was edited.
    """
    options: dict[str, object] = {"seed": seed, "strict": strict}
    if dtypes:
        options["dtypes"] = dtypes
    if points is not None:
        options["points"] = points
    target = foreign_target(specs)
    if target is not None:
        if module is not None:
            raise click.UsageError("--module is for specs, not for FILE.py:NAME")
        if accuracy is not None or through:
            given = "--through" if accuracy is None else "--accuracy"
            raise click.UsageError(f"{given} is for specs, not for FILE.py:NAME")
        if certificate is not None:
            return verify_foreign(certificate, target, foreign, strict=strict)
        return check_foreign(target, foreign, options, json_file)
    if strange := [name for name in foreign.given if name != "--budget"]:
        raise click.UsageError(f"{strange[0]} is for FILE.py:NAME")
    if foreign.budget is not None:
        options["budget"] = foreign.budget
    if accuracy is not None:
        options["accuracy"] = Accuracy(accuracy)
    if through:
        options["through"] = through
    paths = find_specs(specs)
    if module is not None and len(paths) != 1:
        raise click.UsageError(f"--module takes one spec, got {len(paths)}")
    # How far a budget goes depends on the machine's day: no verdict to be found again.
    memory = open_memory(cache_dir, no_cache=no_cache or foreign.budget is not None)
    if certificate is not None:
        return verify_certificates(certificate, specs, module, memory, strict=strict)
    verdicts = judge_all(paths, module, options, jobs or processors(), memory)
    judged = [(path, c) for path, verdict in verdicts for c in verdict.certificates]
    certificates = [certificate for _, certificate in judged]
    if json_file is not None:
        from losscodegen.judge.seal import sealed

        text = to_json([sealed(c.as_dict()) for c in certificates]) + "\n"
        if str(json_file) == "-":
            click.echo(text, nl=False)
        else:
            write_all({json_file: text})
            say(f"wrote {json_file}")
    reported = str(json_file) != "-" and not current().quiet
    if reported:
        _print_report(certificates, in_full=len(paths) == 1)
        passed = sum(certificate.passed for certificate in certificates)
        remembered = sum(len(v.certificates) for _, v in verdicts if v.remembered)
        say(
            f"{passed} of {len(judged)} losses passed"
            + f" ({remembered} of {len(judged)} from the cache)" * bool(remembered)
        )
    failed = [(p, certificate) for p, certificate in judged if not certificate.passed]
    if not (reported and len(paths) == 1 and current().format == "text"):
        print_failures(failed)
    return FINDINGS if failed else CLEAN


def _ways(text: str | None) -> tuple[str, ...]:
    """The ways that ``--through`` names."""
    if text is None:
        return ()
    from losscodegen.survival.ways import NAMES

    names = NAMES if text == "all" else tuple(text.split(","))
    if strange := [name for name in names if name not in NAMES]:
        raise click.BadParameter(
            f"there is no way called {strange[0]!r}; there are {', '.join(NAMES)}",
            param_hint="--through",
        )
    return names


def judge_all(
    paths: Sequence[Path],
    module: Path | None,
    options: dict[str, object],
    jobs: int,
    memory: Memory,
) -> list[tuple[Path, Verdict]]:
    """The verdict on every spec; the problems of all of them in one error."""
    known = {path: memory.verdict(path, module, options) for path in paths}
    verdicts = {path: verdict for path, verdict in known.items() if verdict}
    problems: dict[Path, tuple[Diagnostic, ...]] = {}
    for path, result in as_finished(
        partial(judge_spec, memory=memory, module=module, options=options),
        [path for path in paths if path not in verdicts],
        "verifying",
        lambda path: path.stem,
        processes=jobs,
        already=len(verdicts),
        patience_s=0,
    ):
        try:
            verdicts[path] = result()
        except LossCodegenError as error:
            problems[path] = error.diagnostics
    if len(verdicts) > sum(verdict.remembered for verdict in verdicts.values()):
        memory.tidy()
    if problems:
        raise LossCodegenError(d for path in paths for d in problems.get(path, ()))
    return [(path, verdicts[path]) for path in paths]


def judge_spec(
    path: Path, *, memory: Memory, module: Path | None, options: dict[str, object]
) -> Verdict:
    """The verdict on one spec; a function of its own, so that other processes find it."""
    return memory.check(path, module, options)


def _print_report(certificates: Sequence[Certificate], *, in_full: bool) -> None:
    from rich.console import Console

    from losscodegen.judge.survival_table import fates_table
    from losscodegen.judge.table import as_text, certificate_table, library_table

    tables = (
        [certificate_table(certificate) for certificate in certificates]
        if in_full
        else [library_table(certificates)]
    )
    if not in_full and any(certificate.survival for certificate in certificates):
        tables.append(fates_table(certificates))
    for table in tables:
        if sys.stdout.isatty():
            Console(no_color=bool(os.environ.get("NO_COLOR"))).print(table)
        else:
            click.echo(as_text(table), nl=False)


def print_failures(failed: Judged) -> None:
    """Every failure as a problem on standard error."""
    from losscodegen.judge.certificate import Fate, Severity

    problems = []
    for path, certificate in failed:
        place = _place(path, certificate.loss)
        found = [f for f in certificate.findings if f.severity is Severity.FAILURE]
        for finding in found:
            where = " ".join(part for part in (finding.dtype, finding.order) if part)
            parts = (certificate.loss, where, finding.message)
            message = ": ".join(part for part in parts if part)
            problems.append(Diagnostic(finding.code, message, place))
        dead = [p for p in certificate.survival if p.fate is Fate.DIES]
        for passage in dead:
            message = f"{certificate.loss} through {passage.way}: {passage.reason}"
            problems.append(Diagnostic("dies", message, place))
        if not found and not dead:
            message = f"{certificate.loss}: nothing was checked that could have failed"
            problems.append(Diagnostic("vacuous-check", message, place))
    if problems:
        print_problems(problems, current())


def _place(path: Path, loss: str) -> Location:
    """Where a loss begins in its file; its first line if it has changed meanwhile."""
    from losscodegen.language.parse import load_losses

    top = Location(str(path), 1, 1, 2)
    try:
        found = next((x.location for x in load_losses(path) if x.name == loss), None)
    except LossCodegenError:
        return top
    return top if found is None else replace(found, file=str(path), text="")
