"""``losscodegen check --verify-certificate``: is a certificate still about what lies here?"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from losscodegen.cli.files import find_specs, subfolder, text_of
from losscodegen.cli.foreign import ForeignOptions, locate
from losscodegen.cli.generate import DEFAULT_OUTPUT
from losscodegen.cli.memory import NO_MODES, Memory
from losscodegen.cli.output import print_problems, say
from losscodegen.cli.settings import CLEAN, FINDINGS, current
from losscodegen.errors import Diagnostic, Location, LossCodegenError, fail
from losscodegen.ir.modes import Accuracy

if TYPE_CHECKING:
    from losscodegen.ir.loss import Loss
    from losscodegen.judge.seal import Discrepancy

    Parsed = tuple[Path, Loss]


def verify_certificates(
    file: Path,
    specs: Sequence[str],
    module: Path | None,
    memory: Memory,
    *,
    strict: bool,
) -> int:
    """Holds each certificate in ``file`` against its spec and its module; the exit code.

    A certificate is found to be edited, to be about another spec or module, or to be no pass. That
    it was judged by another judge or library is told, and a finding where ``strict``. With
    ``specs``, each of their losses must have a certificate.

    Raises:
        LossCodegenError: if ``file`` holds no certificates, or a spec cannot be read.
    """
    entries = read_certificates(file)
    if strange := next((e for e in entries if "module" in e), None):
        raise _elsewhere(file, strange)
    paths = find_specs(specs)
    if not specs:
        # The project may have hundreds; those that are meant have the name of their loss in them.
        paths = tuple(
            p for p in paths if any(e["loss"] in (text_of(p) or "") for e in entries)
        )
    parsed = _parsed(paths)
    found: list[tuple[str, Sequence[Discrepancy]]] = []
    for entry in entries:
        place = _spec_of(entry, parsed)
        if place is None:
            raise _no_spec(file, entry, specs)
        path, loss = place
        accuracy = _accuracy(entry)
        source = _module_hash(
            path, module, memory, None if accuracy is loss.accuracy else accuracy
        )
        found.append((entry["loss"], _compare(entry, loss, source)))
    missing = _missing(parsed, entries) if specs else []
    return _report(file, found, missing, strict=strict)


def verify_foreign(
    file: Path, target: str, own: ForeignOptions, *, strict: bool
) -> int:
    """`verify_certificates` for a module written by hand, which is not executed here."""
    from losscodegen.judge.seal import file_hash
    from losscodegen.language.parse import load_losses

    place = locate(target, own)
    loss = next(x for x in load_losses(place.spec) if x.name == place.loss)
    entries = [
        entry
        for entry in read_certificates(file)
        if entry["loss"] == place.loss and entry.get("module") == place.name
    ]
    if not entries:
        raise fail(
            "no-certificate",
            f"there is no certificate of {place.name} as {place.loss} in it",
            Location(str(file), 1, 1, 2),
            f"`losscodegen check {target} --spec {own.spec} --json {file}` writes one",
        )
    source = file_hash(Path(place.file))
    found = [(place.name, _compare(entry, loss, source)) for entry in entries]
    return _report(file, found, [], strict=strict)


def read_certificates(file: Path) -> list[dict[str, Any]]:
    """What ``--json`` wrote.

    Raises:
        LossCodegenError: at the place in the file that is no JSON, or for what is no certificate.
    """
    from losscodegen.judge.seal import readable

    start = Location(str(file), 1, 1, 2)
    try:
        text = file.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise fail(
            "cannot-read", f"cannot read it: {reason[:1].lower()}{reason[1:]}", start
        ) from error
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        line = text.splitlines()[error.lineno - 1] if text.strip() else ""
        place = Location(str(file), error.lineno, error.colno, error.colno + 1, line)
        raise fail("bad-certificate", f"is no JSON: {error.msg}", place) from error
    except RecursionError as error:
        raise fail("bad-certificate", "is nested too deeply", start) from error
    entries = data if isinstance(data, list) else [data]
    problems = []
    for number, entry in enumerate(entries, 1):
        if reason := readable(entry):
            message = f"entry {number} is no certificate: {reason}"
            hint = "write one with `losscodegen check --json FILE`"
            problems.append(Diagnostic("bad-certificate", message, start, hint))
    if not entries:
        problems.append(Diagnostic("bad-certificate", "holds no certificate", start))
    if problems:
        raise LossCodegenError(problems)
    return entries


def _parsed(paths: Iterable[Path]) -> list[Parsed]:
    from losscodegen.language.parse import load_losses

    parsed: list[Parsed] = []
    problems: list[Diagnostic] = []
    for path in paths:
        try:
            parsed += [(path, loss) for loss in load_losses(path)]
        except LossCodegenError as error:
            problems += error.diagnostics
    if problems:
        raise LossCodegenError(problems)
    return parsed


def _spec_of(entry: dict[str, Any], parsed: Sequence[Parsed]) -> Parsed | None:
    """The loss that a certificate names: the one it is for, before others of the same name."""
    from losscodegen.judge.seal import spec_hash

    named = [(path, loss) for path, loss in parsed if loss.name == entry["loss"]]
    exact = [p for p in named if spec_hash(_as_judged(entry, p[1])) == entry["spec"]]
    return next(iter([*exact, *named]), None)


def _as_judged(entry: dict[str, Any], loss: Loss) -> Loss:
    """``loss`` with the accuracy that was asked for on the command line, if one was."""
    accuracy = _accuracy(entry)
    return loss if accuracy is None else replace(loss, accuracy=accuracy)


def _accuracy(entry: dict[str, Any]) -> Accuracy | None:
    try:
        return Accuracy(entry.get("accuracy"))
    except ValueError:
        return None


def _compare(entry: dict[str, Any], loss: Loss, source: str) -> tuple[Discrepancy, ...]:
    from losscodegen.judge.seal import discrepancies, spec_hash

    return discrepancies(entry, spec=spec_hash(_as_judged(entry, loss)), source=source)


def _module_hash(
    spec: Path, module: Path | None, memory: Memory, accuracy: Accuracy | None
) -> str:
    """Of the given module, of the generated one, or of what the spec compiles to."""
    from losscodegen.judge.seal import file_hash, text_hash

    generated = DEFAULT_OUTPUT / subfolder(spec) / f"{spec.stem}.py"
    target = module or (generated if generated.is_file() else None)
    if target is None:
        return text_hash(memory.compile(spec, {**NO_MODES, "accuracy": accuracy}).text)
    try:
        return file_hash(target)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise fail("cannot-read", f"cannot read {target}: {reason}") from error


def _missing(parsed: Sequence[Parsed], entries: Sequence[dict[str, Any]]) -> list[str]:
    known = {entry["loss"] for entry in entries}
    return [loss.name for _, loss in parsed if loss.name not in known]


# ---------------------------------------------------------------------- messages


def _report(
    file: Path,
    found: Sequence[tuple[str, Sequence[Discrepancy]]],
    missing: Sequence[str],
    *,
    strict: bool,
) -> int:
    place = Location(str(file), 1, 1, 2)
    problems = [
        Diagnostic(d.code, f"{loss}: {d.message}", place, d.hint)
        for loss, differences in found
        for d in differences
        if d.fatal or strict
    ]
    for loss in missing:
        message = f"{loss} has no certificate in it"
        hint = "run `losscodegen check --json` anew"
        problems.append(Diagnostic("no-certificate", message, place, hint))
    if problems:
        print_problems(problems, current())
    aged = {d.message: d for _, differences in found for d in differences}
    for difference in aged.values():
        if not difference.fatal and not strict:
            say(f"note: {difference.message}; {difference.hint}")
    bad = {
        loss
        for loss, differences in found
        if any(d.fatal or strict for d in differences)
    }
    held = len(found) - len(bad)
    say(f"{held} of {len(found)} certificates hold for the specs and modules here")
    return FINDINGS if problems else CLEAN


def _elsewhere(file: Path, entry: dict[str, Any]) -> LossCodegenError:
    name = entry["module"]
    return fail(
        "which-module",
        f"it is the certificate of {name}, which was written by hand",
        Location(str(file), 1, 1, 2),
        f"say where that is: check FILE.py:{name} --spec SPEC --verify-certificate {file}",
    )


def _no_spec(
    file: Path, entry: dict[str, Any], specs: Sequence[str]
) -> LossCodegenError:
    where = "the specs that were given" if specs else "the project"
    return fail(
        "no-spec",
        f"{entry['loss']} is in none of {where}",
        Location(str(file), 1, 1, 2),
        "name its spec: losscodegen check SPEC --verify-certificate " + str(file),
    )


def verify_option(command: Any) -> Any:
    """Adds ``--verify-certificate`` to a command."""
    return click.option(
        "--verify-certificate",
        "certificate",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Judge nothing; is this certificate unedited, a pass, and about these files?",
    )(command)
