"""``losscodegen check FILE.py:NAME``: a loss that somebody wrote by hand, against a spec."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from losscodegen.cli import completion
from losscodegen.cli.files import find_specs, write_all
from losscodegen.cli.foreign_report import as_problem, report
from losscodegen.cli.output import print_problems, say, to_json
from losscodegen.cli.settings import CLEAN, FINDINGS, current
from losscodegen.errors import Location, fail

Command = TypeVar("Command", bound=Callable[..., Any])
TIMEOUT = 60.0
_TARGET = re.compile(r"(?P<file>.*\.py):(?P<name>[^\W\d]\w*(\.[^\W\d]\w*)*)")
_PAIR = re.compile(r"\s*(\w+)\s*=\s*([\"']?)([^\W\d]\w*)\2\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignOptions:
    """What the options say of code that was not generated; texts as they were typed."""

    spec: str | None
    arguments: str | None
    init: str | None
    settings: str | None
    reduction: str | None
    timeout: float | None
    budget: float | None

    @property
    def given(self) -> list[str]:
        """The options that were used."""
        names = {
            "--spec": self.spec,
            "--args": self.arguments,
            "--init": self.init,
            "--set": self.settings,
            "--reduction": self.reduction,
            "--timeout": self.timeout,
            "--budget": self.budget,
        }
        return [name for name, value in names.items() if value is not None]


def foreign_options(command: Command) -> Command:
    """Adds the options for code that was not generated; they come as one `ForeignOptions`."""
    import functools

    @functools.wraps(command)
    def joined(**values: Any) -> Any:
        own = {f: values.pop(f) for f in ForeignOptions.__dataclass_fields__}
        return command(foreign=ForeignOptions(**own), **values)

    made: Any = joined
    for option in (
        click.option(
            "--budget",
            type=click.FloatRange(0),
            metavar="S",
            help="Go on looking for so many seconds, with other points.",
        ),
        click.option(
            "--timeout",
            type=click.FloatRange(0, min_open=True),
            metavar="S",
            help=f"Give up after so many seconds.  [default: {TIMEOUT:g}, and the budget]",
        ),
        click.option(
            "--reduction",
            type=click.Choice(["none", "mean", "sum"]),
            help="What NAME returns for a batch.  [default: found out]",
        ),
        click.option(
            "--set",
            "settings",
            metavar="PARAMETER=VALUE,...",
            help="Parameters of the spec that NAME has built in, as TOML.",
        ),
        click.option(
            "--init",
            metavar="ARGUMENT=VALUE,...",
            help="Arguments of NAME, as TOML: 'gamma=2.0,reduction=\"none\"'.",
        ),
        click.option(
            "--args",
            "arguments",
            metavar="SYMBOL=ARGUMENT,...",
            help="What NAME calls the variables of the spec, if not by name or place.",
        ),
        click.option(
            "--spec",
            metavar="SPEC[:LOSS]",
            shell_complete=completion.specs,
            help="What FILE.py:NAME should compute. Its code is executed, with your rights.",
        ),
    ):
        made = option(made)
    return made  # type: ignore[no-any-return]


def foreign_target(names: Sequence[str]) -> str | None:
    """The ``FILE.py:NAME`` among the arguments of ``check``, if there is one."""
    meant = [n for n in names if re.search(r"\.py(:[^/]*)?$", n)]
    if meant and len(names) > 1:
        raise click.UsageError("FILE.py:NAME is judged alone, without further SPECS")
    return meant[0] if meant else None


def check_foreign(
    target: str,
    own: ForeignOptions,
    options: Mapping[str, object],
    json_file: Path | None,
) -> int:
    """Judges ``target`` in another process and reports; the exit code."""
    from losscodegen.cli.foreign_process import Unusable, judge_apart

    request = _request(target, own, options)
    seconds = own.timeout or TIMEOUT + (own.budget or 0.0)
    try:
        judgement = judge_apart(request, seconds)
    except Unusable as error:
        problem = error.diagnostic
        finding = {
            "code": problem.code,
            "severity": "failure",
            "message": problem.message,
        }
        _write(
            json_file,
            {
                "verdict": "failed",
                "loss": request["loss"],
                "module": request["name"],
                "findings": [finding],
            },
        )
        print_problems([problem], current())
        return FINDINGS
    _write(json_file, judgement)
    passed = judgement["verdict"] == "passed"
    if str(json_file) != "-" and not current().quiet:
        click.echo(report(target, judgement), nl=False)
    if not passed and (current().quiet or current().format != "text"):
        print_problems([as_problem(request["file"], judgement)], current())
    return CLEAN if passed else FINDINGS


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the code is, and what it should compute: a loss of the spec file ``spec``."""

    file: str
    name: str
    spec: Path
    loss: str


def locate(target: str, own: ForeignOptions) -> Place:
    """What ``FILE.py:NAME`` and ``--spec`` mean; nothing is executed.

    Raises:
        LossCodegenError: if one of them is not there.
    """
    match = _TARGET.fullmatch(target)
    if match is None:
        raise fail(
            "bad-target",
            "this is no FILE.py:NAME",
            Location("SPECS", 1, 1, len(target) + 1, target),
            "NAME is a class or a function in the file: losses.py:FocalLoss",
        )
    file, name = match["file"], match["name"]
    if not Path(file).is_file():
        place = Location(file, 1, 1, 2)
        raise fail("no-such-file", "there is no such file", place)
    if own.spec is None:
        raise click.UsageError(
            f"what should {name} compute? --spec is missing (a spec or the name of one)"
        )
    path, loss = _loss(own.spec)
    return Place(file=file, name=name, spec=path, loss=loss)


def _request(
    target: str, own: ForeignOptions, options: Mapping[str, object]
) -> dict[str, Any]:
    place = locate(target, own)
    if own.budget is not None:
        options = {**options, "budget": own.budget}
    return {
        "file": place.file,
        "name": place.name,
        "spec": str(place.spec),
        "loss": place.loss,
        "arguments": _pairs("--args", own.arguments),
        "init": _values("--init", own.init),
        "settings": _values("--set", own.settings),
        "reduction": own.reduction,
        "options": dict(options),
    }


def _loss(text: str) -> tuple[Path, str]:
    """The file of a spec and the name of the loss in it."""
    from losscodegen.language.parse import load_losses

    name, _, wanted = text.partition(":") if not Path(text).exists() else (text, "", "")
    (path,) = find_specs([name])
    known = [loss.name for loss in load_losses(path)]
    if not wanted and len(known) == 1:
        return path, known[0]
    if wanted in known:
        return path, wanted
    raise fail(
        "which-loss",
        f"{name} has no loss {wanted!r}" if wanted else f"{name} has several losses",
        Location("--spec", 1, 1, len(text) + 1, text),
        " or ".join(f"--spec {name}:{loss}" for loss in known),
    )


# ---------------------------------------------------------------------- values


def _pairs(option: str, text: str | None) -> dict[str, str]:
    """``x=input,y=target`` as a mapping."""
    found: dict[str, str] = {}
    place = 0
    for part in text.split(",") if text is not None else ():
        match = _PAIR.fullmatch(part)
        if match is None or match[1] in found:
            problem = "is given twice" if match else "is no SYMBOL=ARGUMENT"
            raise fail(
                "bad-option",
                f"{part.strip() or 'nothing'} {problem}",
                Location(option, 1, place + 1, place + len(part) + 1, str(text)),
                "write --args x=input,y=target",
            )
        found[match[1]] = match[3]
        place += len(part) + 1
    return found


def _values(option: str, text: str | None) -> dict[str, Any]:
    """``gamma=2.0,reduction="none"``: an inline table of TOML without its braces."""
    if text is None:
        return {}
    import tomllib

    before = "v = {"
    try:
        table = tomllib.loads(before + text + "}")
    except tomllib.TOMLDecodeError as error:
        _bad_toml(option, text, str(error), len(before))
    values: Any = table.get("v")
    if set(table) != {"v"} or not isinstance(values, dict):
        _bad_toml(option, text, "is no list of NAME=VALUE", len(before))
    for name, value in values.items():
        if not _plain(value):
            _bad_toml(option, text, f"{name} is no number, word or list", len(before))
    return values


def _plain(value: object) -> bool:
    if isinstance(value, list):
        return bool(value) and all(map(_plain, value))
    return isinstance(value, bool | int | float | str)


def _bad_toml(option: str, text: str, message: str, shift: int) -> NoReturn:
    match = re.search(r" \(at line 1, column (\d+)\)", message)
    column = max(1, int(match[1]) - shift) if match else 1
    column = min(column, len(text) + 1)
    raise fail(
        "bad-option",
        re.sub(r" \(at .*\)$", "", message),
        Location(option, 1, column, column + 1, text),
        "write NAME=VALUE,... as in TOML, words in quotation marks that the shell keeps: "
        f"{option} 'gamma=2.0,reduction=\"none\"'",
    )


def _write(json_file: Path | None, judgement: Mapping[str, Any]) -> None:
    from losscodegen.judge.seal import sealed

    if json_file is None:
        return
    text = to_json([sealed(judgement)]) + "\n"
    if str(json_file) == "-":
        click.echo(text, nl=False)
    else:
        write_all({json_file: text})
        say(f"wrote {json_file}")
