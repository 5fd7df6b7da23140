"""Who may import whom: the import contracts of pyproject.toml, and who owns which library."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "losscodegen"

OWNERS = {
    "IPython": ("losscodegen.notebook",),
    "torch": ("losscodegen.judge", "losscodegen.survival", "losscodegen.teach"),
    "onnxruntime": ("losscodegen.survival.transforms",),
    "jinja2": ("losscodegen.compiler.emit",),
    "black": ("losscodegen.compiler.formatting",),
    "flint": (
        "losscodegen.judge.oracle",
        "losscodegen.compiler.search",
        "losscodegen.teach",
    ),
    "click": ("losscodegen.cli",),
    "rich": (
        "losscodegen.cli",
        "losscodegen.judge.table",
        "losscodegen.judge.survival_table",
        "losscodegen.teach",
    ),
}
"""The modules (by the beginning of their names) that may import a library, lazily or not."""


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


@cache
def imports(path: Path) -> set[str]:
    """The top-level packages that a file imports anywhere but under TYPE_CHECKING."""
    found: set[str] = set()
    todo: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while todo:
        node = todo.pop()
        match node:
            case ast.If(test=ast.Name("TYPE_CHECKING")):
                todo += node.orelse
                continue
            case ast.Import(names):
                found |= {alias.name.partition(".")[0] for alias in names}
            case ast.ImportFrom(module=str(module), level=0):
                found.add(module.partition(".")[0])
            case _:
                pass
        todo += ast.iter_child_nodes(node)
    return found


@pytest.mark.parametrize("library", OWNERS)
def test_library_is_imported_by_its_owners_alone(library: str) -> None:
    strangers = [
        name
        for path in PACKAGE.rglob("*.py")
        if library in imports(path)
        and not (name := module_name(path)).startswith(OWNERS[library])
    ]
    assert strangers == []


def test_import_contracts() -> None:
    command = "import sys; from importlinter.cli import lint_imports_command as c; c()"
    done = subprocess.run(
        [sys.executable, "-c", command, "--no-cache", "--no-logo"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def test_every_package_is_shipped() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    shipped = set(project["tool"]["setuptools"]["packages"])
    packages = {module_name(path.parent) for path in PACKAGE.rglob("__init__.py")}
    assert packages <= shipped
