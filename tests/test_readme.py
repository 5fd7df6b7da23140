"""The README shows what is there: its excerpts stand in the files they name, its examples run."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import click
import pytest

from losscodegen.cli.main import program

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXCERPTS = re.findall(r"<!-- from (\S+) -->\n```\w+\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize(
    ("name", "excerpt"), EXCERPTS, ids=[name for name, _ in EXCERPTS]
)
def test_excerpt(name: str, excerpt: str) -> None:
    assert excerpt in (ROOT / name).read_text(encoding="utf-8")


def test_there_are_excerpts() -> None:
    assert len(EXCERPTS) == README.count("<!-- from ") >= 2


def test_sessions() -> None:
    results = doctest.testfile(str(ROOT / "README.md"), module_relative=False)
    assert results.attempted >= 5
    assert results.failed == 0


def test_code_runs() -> None:
    """The blocks that are no sessions and no excerpts, one after the other."""
    blocks = re.findall(r"(?<!-->\n)```python\n(.*?)```", README, re.DOTALL)
    code = "\n".join(block for block in blocks if ">>>" not in block)
    assert "compile_loss(" in code
    names: dict[str, object] = {}
    exec(compile(code, "README.md", "exec"), names)
    assert names["compiled"].certificate.passed  # type: ignore[attr-defined]


def test_every_command_is_listed() -> None:
    table = "\n".join(line for line in README.splitlines() if line.startswith("| `"))
    for name, command in program.commands.items():
        assert isinstance(command, click.Command)
        assert re.search(rf"`(losscodegen )?{name}\b", table), name


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target


def test_the_error_is_what_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from losscodegen.cli.main import run

    session = re.search(r"\$ losscodegen (generate \S+)\n(.*?)```", README, re.DOTALL)
    assert session is not None
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / "softplus.toml").write_text(
        '[SoftplusLoss]\nsummary = "Softplus."\ninputs.x = "real[...]"\n'
        'loss = "lgo(1 + exp(x))"\n',
        encoding="utf-8",
    )
    monkeypatch.chdir(tmp_path)
    assert run(session[1].split()) == 2
    assert capsys.readouterr().err == session[2]


@pytest.mark.parametrize("name", ["FocalLoss", "log_cosh"])
def test_the_verdict_is_what_is_printed(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Up to the table, whose errors depend on the machine."""
    from losscodegen.cli.main import run

    session = re.search(
        rf"\$ losscodegen (check losses.py:{name} .*)\n((?:.*\n)*?)\n  dtype", README
    )
    assert session is not None
    monkeypatch.chdir(ROOT / "tests" / "data" / "hand_written")
    assert run(session[1].split()) == 1
    printed = capsys.readouterr().out.partition("\n  dtype")[0]
    points = re.compile(r"judged at \d+ points")
    assert points.sub("", printed) == points.sub("", session[2])
