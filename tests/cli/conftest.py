"""Running the command line inside the test process, from an empty folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from losscodegen.cli.main import run

GOOD = """\
[SquaredLoss]
family = "regression"
summary = "Squared error."
inputs.x = { type = "real[...]", arg = "prediction", doc = "predictions" }
inputs.y = { type = "real[...]", arg = "target", doc = "targets" }
loss = "(x - y)**2"
laws = ["loss >= 0", "loss(x=y) == 0"]
"""

BROKEN = GOOD.replace("(x - y)**2", "(x - z)**2")


@dataclass(frozen=True, slots=True)
class Outcome:
    code: int
    out: str
    err: str


@pytest.fixture
def project(
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """An empty folder, made the working directory. It holds no cache."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOSSCODEGEN_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
    return tmp_path


@pytest.fixture
def cli(project: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """``cli("generate", "-q")`` runs a command line in the project."""

    def call(*arguments: str) -> Outcome:
        capsys.readouterr()
        code = run(arguments)
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return call


@pytest.fixture
def specs(project: Path) -> Callable[..., None]:
    """``specs(squared=GOOD)`` writes specs of the project."""

    def write(**texts: str) -> None:
        (project / "specs").mkdir(exist_ok=True)
        for name, text in texts.items():
            path = project / "specs" / f"{name}.toml"
            path.write_text(text, encoding="utf-8")

    return write


@pytest.fixture
def good() -> str:
    """A spec that generates and checks clean."""
    return GOOD


@pytest.fixture
def broken() -> str:
    """A spec whose formula reads a name that is not declared."""
    return BROKEN
