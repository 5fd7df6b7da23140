"""Where specs and templates stand: inside an installed package, beside it in a checkout."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def templates_directory() -> Path:
    """The folder of the Jinja templates."""
    return _directory("templates")


def specs_directory() -> Path:
    """The folder of the bundled specs, one TOML file per module."""
    return _directory("specs")


def bundled_specs() -> tuple[Path, ...]:
    """The bundled specs in alphabetical order."""
    return tuple(sorted(specs_directory().glob("*.toml")))


def _directory(name: str) -> Path:
    installed = _PACKAGE / name
    return installed if installed.is_dir() else _PACKAGE.parent / name


def template(name: str) -> str:
    """The text of a template."""
    return (templates_directory() / name).read_text(encoding="utf-8")
