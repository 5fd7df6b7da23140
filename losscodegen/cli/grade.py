"""``grade``: whether submitted derivatives are right, and which slip explains a wrong one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from losscodegen.cli import completion
from losscodegen.cli.catalogue import as_json, load_all
from losscodegen.cli.files import find_specs
from losscodegen.cli.output import print_json, say
from losscodegen.cli.settings import CLEAN, FAILED, FINDINGS, common
from losscodegen.errors import Diagnostic, Location, LossCodegenError, fail

if TYPE_CHECKING:
    from losscodegen.ir.loss import Loss
    from losscodegen.teach.grade import Grade, Question


@dataclass(frozen=True, slots=True)
class Answer:
    """One submission: whose it is, the formula, and the variable if it names one."""

    name: str
    text: str
    wrt: str | None


@click.command()
@click.argument("spec", metavar="SPEC", shell_complete=completion.specs)
@click.option("--answer", metavar="EXPR", help="The derivative, as a formula of specs.")
@click.option("--wrt", metavar="SYMBOL", help="The input to differentiate by.")
@click.option(
    "--answers",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Many answers: TOML (name = formula) or JSON lines (name, answer, wrt).",
)
@as_json
@common
def grade(
    spec: str, answer: str | None, wrt: str | None, answers: Path | None, json: bool
) -> int:
    """Say whether a derivative of a loss is right, and if not, what went wrong.

    Optional weights count as left out. Exit codes: 0 all right, 1 one is wrong, 2 one cannot be
    read.
    """
    from losscodegen.teach.grade import SECONDS, Verdict, question

    if (answer is None) == (answers is None):
        raise click.UsageError("give one of --answer and --answers")
    loss = _one(spec)
    if answers is None:
        assert answer is not None
        submitted = [Answer("answer", answer, wrt)]
    else:
        submitted = list(_read(answers, wrt))
    seconds = SECONDS if answers is None else SECONDS / 5
    questions: dict[str | None, Question] = {}
    known: dict[tuple[str | None, str], Grade] = {}
    rows: list[tuple[str, Grade]] = []
    for one in submitted:
        if one.wrt not in questions:
            questions[one.wrt] = question(loss, one.wrt, seconds=seconds)
        found = known.get((one.wrt, one.text))
        if found is None or found.verdict is Verdict.UNREADABLE:  # it names the file
            found = questions[one.wrt].grade(one.text, file=one.name)
        known[one.wrt, one.text] = found
        rows.append((one.name, found))
    if json:
        graded = [{"name": name, **_fields(found)} for name, found in rows]
        print_json({"loss": loss.name, "answers": graded})
    else:
        for name, found in rows:
            _print(name if answers is not None else "", found)
    verdicts = {found.verdict for _, found in rows}
    if Verdict.UNREADABLE in verdicts:
        return FAILED
    return FINDINGS if Verdict.WRONG in verdicts else CLEAN


def _one(spec: str) -> Loss:
    losses = [loss for _, loss in load_all(find_specs([spec]))]
    if len(losses) != 1:
        names = ", ".join(loss.name for loss in losses)
        raise fail("several-losses", f"{spec} has several losses: {names}")
    return losses[0]


def _fields(found: Grade) -> dict[str, Any]:
    return {name: getattr(found, name) for name in found.__dataclass_fields__}


def _print(name: str, found: Grade) -> None:
    """One answer in words."""
    from losscodegen.language.mathematics import symbol
    from losscodegen.teach.grade import Verdict

    head = f"{name}: " if name else ""
    if found.verdict is Verdict.UNREADABLE:
        click.echo(f"{head}unreadable")
        click.echo(found.problem, err=True)
        return
    if found.verdict is Verdict.RIGHT:
        how = "proved" if found.proved else "equal at every input that was tried"
        say(f"{head}right ({how})")
        return
    click.echo(f"{head}wrong")
    example = found.counterexample
    if example is not None:
        inputs = ", ".join(f"{symbol(n)} = {_shown(v)}" for n, v in example.inputs)
        click.echo(
            f"  at {inputs} the derivative is {example.expected:.8g}, not {example.got:.8g}"
        )
    click.echo(f"  hint: {found.hint}")


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_shown, value))}]"
    return f"{value:g}" if isinstance(value, float) else str(value)


# ---------------------------------------------------------------------- files of answers


def _read(path: Path, wrt: str | None) -> Iterator[Answer]:
    """The answers of a file; every problem has its line."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise fail("cannot-read", f"cannot read {path}: {reason}".lower()) from error
    if path.suffix == ".toml":
        yield from _from_toml(text, path, wrt)
    else:
        yield from _from_lines(text, path, wrt)


def _from_toml(text: str, path: Path, wrt: str | None) -> Iterator[Answer]:
    import tomllib

    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise fail("toml-syntax", f"{path}: {str(error).lower()}") from error
    for name, value in table.items():
        row = {"answer": value} if isinstance(value, str) else value
        yield _answer(name, row, wrt, f"{path}: {name}", None)


def _from_lines(text: str, path: Path, wrt: str | None) -> Iterator[Answer]:
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        place = Location(str(path), number, 1, len(line) + 1, line)
        try:
            row = json.loads(line)
        except ValueError as error:
            problem = Diagnostic("wrong-type", f"no JSON: {error}".lower(), place)
            raise LossCodegenError(problem) from error
        name = row.get("name") if isinstance(row, dict) else None
        yield _answer(str(name or f"line {number}"), row, wrt, str(path), place)


def _answer(
    name: str, row: Any, wrt: str | None, where: str, place: Location | None
) -> Answer:
    if not isinstance(row, dict) or not isinstance(row.get("answer"), str):
        message = f"{where} has no answer"
        hint = 'write a formula in quotes, or a table with "answer" and perhaps "wrt"'
        raise fail("wrong-type", message, place, hint)
    by = row.get("wrt", wrt)
    if by is not None and not isinstance(by, str):
        raise fail("wrong-type", f"{where}: wrt is no symbol", place)
    return Answer(name, row["answer"], by)
