"""``check --verify-certificate``: any edit of certificate, spec or module is found, at once."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]

QUICK = ("--points", "8", "--dtype", "float32", "--quiet")
MODULE = """\
def squared_error(prediction, target):
    return (prediction - target) ** 2
"""


@pytest.fixture
def judged(cli: Cli, specs: Cli, good: str, project: Path) -> Path:
    """A project with a spec, its module and its certificate."""
    specs(squared=good)
    assert cli("generate", "-q").code == 0
    assert cli("check", "--json", "certificate.json", *QUICK).code == 0
    return project


def held(cli: Cli, *more: str) -> tuple[int, str, str]:
    done = cli("check", *more, "--verify-certificate", "certificate.json")
    return done.code, done.out, done.err


def rewrite(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_what_was_written_holds(cli: Cli, judged: Path) -> None:
    line = "1 of 1 certificates hold for the specs and modules here\n"
    assert held(cli) == (0, line, "")
    assert held(cli, "squared", "--module", "generated/squared.py")[0] == 0


def test_an_edited_certificate(cli: Cli, judged: Path) -> None:
    rewrite(judged / "certificate.json", '"seed": 0', '"seed": 1')
    code, out, err = held(cli)
    assert code == 1
    assert "certificate.json:1:1: error[certificate-edited]: SquaredLoss:" in err
    assert out.startswith("0 of 1 certificates hold")


def test_an_edited_module(cli: Cli, judged: Path) -> None:
    module = judged / "generated" / "squared.py"
    module.write_text(module.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    code, _, err = held(cli)
    assert code == 1
    assert "error[module-changed]: SquaredLoss: the module is not the one" in err


def test_an_edited_spec(cli: Cli, judged: Path) -> None:
    rewrite(judged / "specs" / "squared.toml", "Squared error.", "Squared errors.")
    code, _, err = held(cli)
    assert code == 1
    assert "error[spec-changed]: SquaredLoss" in err
    assert "module-changed" not in err


def test_without_a_generated_module_it_is_for_what_the_spec_compiles_to(
    cli: Cli, judged: Path
) -> None:
    (judged / "generated" / "squared.py").unlink()
    assert held(cli)[0] == 0


def test_a_loss_without_a_certificate(
    cli: Cli, specs: Cli, judged: Path, good: str
) -> None:
    specs(other=good.replace("SquaredLoss", "OtherLoss"))
    assert held(cli)[0] == 0
    code, _, err = held(cli, "squared", "other")
    assert code == 1
    assert "error[no-certificate]: OtherLoss has no certificate in it" in err


def test_another_judge_is_told_and_strictly_a_fault(cli: Cli, judged: Path) -> None:
    from losscodegen.judge.seal import sealed

    path = judged / "certificate.json"
    (data,) = json.loads(path.read_text(encoding="utf-8"))
    data["torch"] = "1.0"
    path.write_text(json.dumps([sealed(data)]), encoding="utf-8")
    code, out, _ = held(cli)
    assert code == 0
    assert "note: judged under other circumstances: torch was 1.0, is " in out
    code, _, err = held(cli, "--strict")
    assert code == 1
    assert "error[judged-otherwise]" in err


def test_it_needs_neither_torch_nor_the_module(judged: Path) -> None:
    """Nothing is executed: that is why it is fast, and safe."""
    script = (
        "import sys\n"
        "from losscodegen.cli.main import run\n"
        "code = run(['check', '--verify-certificate', 'certificate.json'])\n"
        "sys.exit(code or ('torch' in sys.modules) * 7)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=judged,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "certificate.json:1:1: error[bad-certificate]: is no JSON"),
        (
            '[{"schema":\n 5,}]',
            "certificate.json:2:4: error[bad-certificate]: is no JSON",
        ),
        ("[]", "holds no certificate"),
        ("[1]", "entry 1 is no certificate: it is no JSON object"),
        ('{"schema": 2}', "its schema is 2, this is for schema 5"),
        ("[" * 100_000, "error[bad-certificate]"),
    ],
)
def test_what_is_no_certificate_is_refused(
    cli: Cli, project: Path, text: str, said: str
) -> None:
    (project / "certificate.json").write_text(text, encoding="utf-8")
    code, _, err = held(cli)
    assert code == 2
    assert said in err


def test_a_loss_that_is_nowhere(cli: Cli, specs: Cli, judged: Path, good: str) -> None:
    specs(squared=good.replace("SquaredLoss", "OtherLoss"))
    code, _, err = held(cli)
    assert code == 2
    assert "error[no-spec]: SquaredLoss is in none of the project" in err


def test_a_certificate_that_is_not_there(cli: Cli, project: Path) -> None:
    code, _, err = held(cli)
    assert code == 2
    assert "error[cannot-read]: cannot read it: no such file" in err


def test_a_module_written_by_hand(
    cli: Cli, specs: Cli, good: str, project: Path
) -> None:
    specs(squared=good)
    module = project / "losses.py"
    module.write_text(MODULE, encoding="utf-8")
    target = ("losses.py:squared_error", "--spec", "squared")
    done = cli("check", *target, "--json", "certificate.json", *QUICK)
    assert done.code == 0, done.out + done.err
    assert held(cli, *target)[0] == 0
    code, _, err = held(cli)
    assert code == 2
    assert "say where that is: check FILE.py:squared_error --spec SPEC" in err
    module.write_text(MODULE.replace("** 2", "** 4"), encoding="utf-8")
    code, _, err = held(cli, *target)
    assert code == 1
    assert "error[module-changed]" in err
