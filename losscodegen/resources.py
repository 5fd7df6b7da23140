"""Where specs and templates stand: inside an installed package, beside it in a checkout.

Specs may stand in folders of ``specs/``; their modules stand in folders of the same names.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
SPECS = "specs"
"""What the folder of specs is called, here and in projects."""


def schema_text() -> str:
    """The JSON Schema of spec files, as it is published; a test keeps it fresh."""
    return (_PACKAGE / "spec.schema.json").read_text(encoding="utf-8")


def templates_directory() -> Path:
    """The folder of the Jinja templates."""
    return _directory("templates")


def specs_directory() -> Path:
    """The folder of the bundled specs, one TOML file per module."""
    return _directory(SPECS)


def bundled_specs() -> tuple[Path, ...]:
    """The bundled specs in the order of `specs_in`."""
    return specs_in(specs_directory())


def specs_in(folder: Path) -> tuple[Path, ...]:
    """The specs in a folder in alphabetical order, then those in the folders inside it."""
    found = folder.rglob("*.toml")
    return tuple(sorted(found, key=lambda path: (path.parent, path.name)))


def origin(spec: Path) -> str:
    """The path of a spec as a header shows it: the same wherever it is compiled from."""
    resolved = spec.resolve()
    parts = resolved.parent.parts
    # From the innermost folder called specs, or else the folder that it stands in.
    start = max((i for i, part in enumerate(parts) if part == SPECS), default=-1)
    folders = [part for part in parts[start:] if part != resolved.anchor]
    return "/".join((*folders, spec.name))


def _directory(name: str) -> Path:
    installed = _PACKAGE / name
    return installed if installed.is_dir() else _PACKAGE.parent / name


def template(name: str) -> str:
    """The text of a template."""
    return (templates_directory() / name).read_text(encoding="utf-8")
