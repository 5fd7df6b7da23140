"""The wheel holds everything: built from the sdist, installed alone, run from an empty folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

import losscodegen

ROOT = Path(__file__).parents[1]
SOURCES = ("losscodegen", "generated", "specs", "templates")
FILES = ("pyproject.toml", "README.md", "LICENSE")


def call(*command: str | Path, cwd: Path) -> str:
    """The output of a command that has to succeed, without this process's Python settings."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=clean,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources alone, so that building leaves nothing in the working tree."""
    folder = tmp_path_factory.mktemp("checkout")
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in SOURCES:
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for name in FILES:
        shutil.copy(ROOT / name, folder)
    return folder


@pytest.fixture(scope="module")
def wheel(checkout: Path) -> Path:
    """The wheel, made from the sdist."""
    build = ("-m", "build", "--no-isolation", "--outdir", checkout / "dist", checkout)
    call(sys.executable, *build, cwd=checkout)
    assert len(list((checkout / "dist").glob("*.tar.gz"))) == 1
    (wheel,) = (checkout / "dist").glob("*.whl")
    return wheel


def environment(folder: Path, *requirement: str | Path) -> Path:
    """The Python of a fresh environment that has our dependencies and ``requirement``."""
    call(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder.parent)
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    # What is installed here is importable there, but its .pth files (an editable install of
    # this project among them) are not followed.
    purelib = call(
        python,
        "-c",
        "import sysconfig; print(sysconfig.get_path('purelib'))",
        cwd=folder,
    ).strip()
    (Path(purelib) / "dependencies.pth").write_text(
        sysconfig.get_path("purelib"), encoding="utf-8"
    )
    install = ("install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation")
    call(
        sys.executable,
        "-m",
        "pip",
        "--python",
        python,
        *install,
        *requirement,
        cwd=folder,
    )
    return python


def test_wheel_holds_every_file(checkout: Path, wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder, target in (
        ("losscodegen", "losscodegen"),
        ("generated", "losscodegen/generated"),
        ("specs", "losscodegen/specs"),
        ("templates", "losscodegen/templates"),
    ):
        for path in (checkout / folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                assert (
                    f"{target}/{path.relative_to(checkout / folder).as_posix()}"
                    in names
                )
    tops = {name.partition("/")[0] for name in names}
    assert tops == {
        "losscodegen",
        f"losscodegen-{losscodegen.__version__}.dist-info",
    }, "nothing else may land at the top of site-packages"


JOB = """
import pathlib, sys
import losscodegen, losscodegen.generated.huber as huber
from losscodegen.resources import bundled_specs
for module in (losscodegen, huber):
    assert module.__file__.startswith(sys.argv[1]), module.__file__
assert str(bundled_specs()[0]).startswith(sys.argv[1])
assert "torch" in sys.modules
print(huber.HuberLoss())
"""


def test_main_job_from_the_wheel(checkout: Path, wheel: Path, tmp_path: Path) -> None:
    python = environment(tmp_path / "env", wheel)
    empty = tmp_path / "empty"
    empty.mkdir()
    call(python, "-m", "losscodegen", "generate", "huber", cwd=empty)
    fresh = (empty / "generated" / "huber.py").read_bytes()
    assert fresh == (checkout / "generated" / "huber.py").read_bytes()
    assert "HuberLoss(" in call(python, "-c", JOB, tmp_path / "env", cwd=empty)
    script = python.with_name("losscodegen")
    assert (
        call(script, "--version", cwd=empty)
        == f"losscodegen {losscodegen.__version__}\n"
    )


def test_main_job_from_an_editable_install(checkout: Path, tmp_path: Path) -> None:
    python = environment(tmp_path / "env", "--editable", checkout)
    empty = tmp_path / "empty"
    empty.mkdir()
    call(python, "-m", "losscodegen", "generate", "huber", cwd=empty)
    assert "HuberLoss(" in call(python, "-c", JOB, checkout, cwd=empty)
