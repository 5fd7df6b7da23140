"""The README shows what is there: its excerpts stand in the files they name, its examples run."""

from __future__ import annotations

import doctest
import re
import sys
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


def test_certificates_are_verified_as_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The session with an unedited module, and with one that has a line more."""
    from losscodegen.cli.main import run

    command = r"\$ losscodegen (check --verify-certificate \S+)\n"
    session = re.search(
        rf"{command}(.*\n)\$ echo >> (\S+)\n{command}((?:.*\n)*?)```", README
    )
    assert session is not None
    verify, held, module, again, refused = session.groups()
    assert verify == again
    name = Path(module).stem
    (tmp_path / "specs").mkdir()
    spec = (ROOT / "specs" / f"{name}.toml").read_text(encoding="utf-8")
    (tmp_path / "specs" / f"{name}.toml").write_text(spec, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert run(["generate", "-q"]) == 0
    judge = ["--points", "8", "--dtype", "float32", "-q", "--no-cache"]
    assert run(["check", *judge, "--json", verify.split()[-1]]) == 0
    assert run(verify.split()) == 0
    assert capsys.readouterr().out == held
    with (tmp_path / module).open("a", encoding="utf-8") as file:
        file.write("\n")
    assert run(verify.split()) == 1
    printed = capsys.readouterr()
    assert _masked(printed.err + printed.out) == _masked(refused)


def test_watching_is_what_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A spec is mended while it is watched."""
    import time

    from losscodegen.cli.main import run

    session = re.search(r"\$ losscodegen (watch)\n(.*?)```", README, re.DOTALL)
    assert session is not None
    spec = tmp_path / "specs" / "squared.toml"
    text = '[SquaredLoss]\ninputs.x = "real[...]"\ninputs.y = "real[...]"\n'
    spec.parent.mkdir()
    spec.write_text(f'{text}loss = "(x - z)**2"\n', encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    steps = iter([f'{text}loss = "(x - y)**2"\n', None, None])

    def mend(seconds: float) -> None:
        try:
            mended = next(steps)
        except StopIteration:
            raise KeyboardInterrupt from None
        if mended is not None:
            spec.write_text(mended, encoding="utf-8")

    monkeypatch.setattr(time, "sleep", mend)
    monkeypatch.setattr("sys.stderr", sys.stdout)
    assert run([session[1], "--points", "4"]) == 0
    assert capfd.readouterr().out == session[2] + "\n"


def _masked(text: str) -> str:
    """``text`` without the digits of hashes, which follow the module."""
    return re.sub(r"\b[0-9a-f]{12}\b", "#", text)
