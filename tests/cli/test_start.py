"""Starting up: fast, without torch, and every exception ends as a message and an exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import losscodegen
from losscodegen.cli import main
from losscodegen.resources import bundled_specs

Cli = Callable[..., Any]

ROOT = Path(losscodegen.__file__).parents[1]

HELP_LIMIT_S = 0.15


def run_python(
    *arguments: str, cwd: Path, compiled: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs Python; with a folder for what it ``compiled``, as an installed program starts."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"PYTHONPATH": path}
    if compiled is not None:
        environment |= {
            "PYTHONDONTWRITEBYTECODE": "",
            "PYTHONPYCACHEPREFIX": str(compiled),
        }
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.skipif(os.name != "posix", reason="needs the processor time of children")
def test_help_is_fast(project: Path, tmp_path: Path) -> None:
    """In processor time, interpreter included: other programs must not fail this test."""
    import resource

    start = ("-m", "losscodegen", "--help")
    run_python(*start, cwd=project, compiled=tmp_path)

    times = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = run_python(*start, cwd=project, compiled=tmp_path)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert done.returncode == 0
        assert "generate" in done.stdout
        times.append(
            after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        )
    assert min(times) < HELP_LIMIT_S


NO_TORCH = """
import sys
from losscodegen.cli.main import run
code = run(sys.argv[1:])
heavy = {"torch", "numpy"} & set(sys.modules)
assert not heavy, f"imported {heavy}"
sys.exit(code)
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["generate", "squared"],
        ["list", "squared"],
        ["show", "squared"],
        ["functions"],
        ["rules"],
        ["schema"],
        ["new", "other"],
        ["new", "copied", "--from", "squared"],
    ],
    ids=" ".join,
)
def test_torch_is_not_imported(
    specs: Cli, good: str, project: Path, arguments: list[str]
) -> None:
    specs(squared=good)
    done = run_python("-c", NO_TORCH, *arguments, cwd=project)
    assert done.returncode == 0, done.stderr


def test_version(cli: Cli) -> None:
    assert cli("--version").out == f"losscodegen {losscodegen.__version__}\n"


@pytest.mark.parametrize("arguments", [["bake"], ["list", "--nope"], ["show"]])
def test_usage_errors(cli: Cli, arguments: list[str]) -> None:
    done = cli(*arguments)
    assert done.code == 2
    assert done.err.startswith("Usage: losscodegen")


def test_internal_error_says_so_and_keeps_the_traceback(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def explode() -> None:
        raise ZeroDivisionError("boom")

    monkeypatch.setattr(main.functions, "callback", lambda json: explode())
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    done = cli("functions")
    assert done.code == 2
    assert "internal error, please report it: ZeroDivisionError: boom" in done.err
    assert "Traceback" not in done.err
    (report,) = tmp_path.glob("losscodegen-*.txt")
    assert "in explode" in report.read_text(encoding="utf-8")
    assert str(report) in done.err
    assert "Traceback" in cli("functions", "--debug").err


def test_interrupt(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(json: bool) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(main.functions, "callback", interrupt)
    assert cli("functions").code == main.INTERRUPTED


@pytest.mark.skipif(os.name != "posix", reason="pipes break differently on Windows")
def test_closed_pipe(project: Path) -> None:
    script = (
        f"{sys.executable} -m losscodegen functions --json | head -n 1 >/dev/null; "
    )
    script += "echo ${PIPESTATUS[0]}"
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert int(done.stdout) in (0, main.PIPE_CLOSED)


def test_import_is_light(project: Path) -> None:
    script = (
        "import losscodegen, sys; print(len(sys.modules)); losscodegen.LossCodegenError"
    )
    done = run_python("-c", script, cwd=project)
    assert done.returncode == 0, done.stderr
    heavy = "import losscodegen, sys; assert not {'torch', 'sympy'} & set(sys.modules)"
    assert run_python("-c", heavy, cwd=project).returncode == 0


LIBRARIES = {
    "torch",
    "numpy",
    "sympy",
    "mpmath",
    "pydantic",
    "rich",
    "jinja2",
    "black",
} | {
    *("flint", "tree_sitter", "tree_sitter_toml", "IPython", "uvicorn", "starlette"),
}
"""All that is not needed to say what there is."""


def test_the_command_line_imports_click_alone(project: Path) -> None:
    script = (
        "import sys, losscodegen.cli.main\n"
        f"print(sorted({LIBRARIES!r} & set(sys.modules)))\n"
        "ours = sorted(m for m in sys.modules if m.startswith('losscodegen.'))\n"
        "print([m for m in ours if not m.startswith('losscodegen.cli')])"
    )
    done = run_python("-c", script, cwd=project)
    heavy, ours = done.stdout.splitlines()
    assert heavy == "[]", done.stderr
    light = ("errors", "ir", "ir.modes", "resources", "store")
    assert ours == str([f"losscodegen.{name}" for name in light])


def test_library_has_specs() -> None:
    assert bundled_specs()
