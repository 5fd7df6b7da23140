"""Finding specs, and writing files all at once or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path

from losscodegen.errors import Diagnostic, LossCodegenError
from losscodegen.resources import bundled_specs

PROJECT_SPECS = Path("specs")


def project_specs() -> tuple[Path, ...]:
    """The specs of the project in the working directory, or the bundled ones if it has none."""
    return tuple(sorted(PROJECT_SPECS.glob("*.toml"))) or bundled_specs()


def find_specs(names: Iterable[str]) -> tuple[Path, ...]:
    """The files meant by paths or bare names such as ``huber``; all of the project if none.

    A bare name is looked up in the project first and in the library second.
    """
    names = tuple(names)
    if not names:
        return project_specs()
    problems: list[Diagnostic] = []
    found: dict[Path, Path] = {}
    for name in names:
        result = _find(name)
        if isinstance(result, Diagnostic):
            problems.append(result)
        else:
            found.setdefault(result.resolve(), result)
    modules: dict[str, Path] = {}
    for path in found.values():
        other = modules.setdefault(path.stem, path)
        if other is not path:
            message = f"{other} and {path} would both become the module {path.stem}"
            problems.append(Diagnostic("duplicate-module", message))
    if problems:
        raise LossCodegenError(problems)
    return tuple(found.values())


def _find(name: str) -> Path | Diagnostic:
    path = Path(name)
    if path.exists() or path.suffix == ".toml" or path.name != name:
        return path  # whatever is wrong with it, the reader says so
    known = {p.stem: p for p in (*bundled_specs(), *project_specs())}
    if name in known:
        return known[name]
    close = get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else "`losscodegen list` has them"
    return Diagnostic("unknown-spec", f"no spec is called {name!r}", hint=hint)


def write_all(texts: Mapping[Path, str]) -> None:
    """Writes every file or, if anything stands in the way, none.

    The texts are written beside their targets first; replacing is the last step, and a file that
    was replaced before one that could not be is put back.
    """
    for target in texts:
        if target.exists() and not target.is_file():
            raise _unwritable(target, "it is not a regular file")
        for parent in target.parents:
            if parent.exists() and not parent.is_dir():
                raise _unwritable(target, f"{parent} is not a directory")
    written: dict[Path, Path] = {}
    before: dict[Path, bytes | None] = {}
    try:
        for name, text in texts.items():
            target = Path(os.path.realpath(name))
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
            written[target] = temporary
            temporary.write_text(text, encoding="utf-8", newline="\n")
            if target.exists():
                temporary.chmod(target.stat().st_mode & 0o7777)
        for target, temporary in written.items():
            before[target] = target.read_bytes() if target.exists() else None
            os.replace(temporary, target)
    except OSError as error:
        for target, old in before.items():
            _restore(target, old)
        raise _unwritable(target, (error.strerror or str(error)).lower()) from error
    finally:
        for temporary in written.values():
            temporary.unlink(missing_ok=True)


def _restore(target: Path, old: bytes | None) -> None:
    if old is None:
        target.unlink(missing_ok=True)
    elif target.read_bytes() != old:
        target.write_bytes(old)


def _unwritable(path: Path, reason: str) -> LossCodegenError:
    message = (
        f"cannot write {path}: {reason[:1].lower()}{reason[1:]}; nothing was changed"
    )
    return LossCodegenError(Diagnostic("cannot-write", message))
