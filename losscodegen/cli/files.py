"""Finding specs, and writing files all at once or not at all.

Specs may stand in folders inside ``specs/``: their modules stand in folders of the same names.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path

from losscodegen.errors import Diagnostic, LossCodegenError
from losscodegen.resources import SPECS, bundled_specs, specs_directory, specs_in

PROJECT_SPECS = Path(SPECS)


def project_specs() -> tuple[Path, ...]:
    """The specs of the project in the working directory, or the bundled ones if it has none."""
    return specs_in(PROJECT_SPECS) or bundled_specs()


def subfolder(spec: Path) -> Path:
    """The folder inside ``specs/`` that a spec of the project or the library stands in."""
    folder = spec.resolve().parent
    for root in (PROJECT_SPECS, specs_directory()):
        if folder.is_relative_to(root.resolve()):
            return folder.relative_to(root.resolve())
    return Path()


def spec_names() -> tuple[str, ...]:
    """What specs can be called, those of the project first: ``huber``, ``folder/name``."""
    paths = (*project_specs(), *bundled_specs())
    names = [n for p in paths for n in (p.stem, (subfolder(p) / p.stem).as_posix())]
    return tuple(dict.fromkeys(names))


def find_specs(names: Iterable[str]) -> tuple[Path, ...]:
    """The files meant by paths or names such as ``huber``; all of the project if none.

    A name is looked up in the project first and in the library second. That of a spec in a folder
    may be written with it, ``folder/name``.
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
    modules: dict[Path, Path] = {}
    for path in found.values():
        other = modules.setdefault(subfolder(path) / path.stem, path)
        if other is not path:
            message = f"{other} and {path} would both become the module {path.stem}"
            problems.append(Diagnostic("duplicate-module", message))
    if problems:
        raise LossCodegenError(problems)
    return tuple(found.values())


def _find(name: str) -> Path | Diagnostic:
    path = Path(name)
    if path.exists() or path.suffix == ".toml":
        return path  # whatever is wrong with it, the reader says so
    known: dict[str, Path] = {}
    for spec in (*project_specs(), *bundled_specs()):
        for way in (spec.stem, (subfolder(spec) / spec.stem).as_posix()):
            known.setdefault(way, spec)
    if name in known:
        return known[name]
    if path.name != name:
        return path
    close = get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else "`losscodegen list` has them"
    return Diagnostic("unknown-spec", f"no spec is called {name!r}", hint=hint)


def text_of(path: Path) -> str | None:
    """The text of a file, or None: whoever works it out then says what is wrong with it."""
    try:
        return path.read_bytes().decode()
    except (OSError, ValueError):
        return None


def write_all(texts: Mapping[Path, str]) -> None:
    """Writes every file or, if anything stands in the way, none.

    The texts are written beside their targets first; replacing is the last step, and a file that
    was replaced before one that could not be is put back.
    """
    import secrets

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
