"""``check FILE.py:NAME``: exit codes and messages, whatever the code of the user does."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]
SLOW = pytest.mark.slow
"""Each verdict starts a process that imports torch; the quick tests have one of each kind."""

QUICK = ("--spec", "squared", "--points", "8", "--dtype", "float64")
CODE = """\
import os
import sys
import time

import torch
from torch import nn


class Outer:
    class Right(nn.Module):
        def __init__(self, power=1.0, reduction="mean"):
            super().__init__()
            self.power, self.reduction = power, reduction

        def forward(self, a, b):
            print("noise")
            loss = (a - b) ** self.power
            return {"none": loss, "mean": loss.mean(), "sum": loss.sum()}[
                self.reduction
            ]


def right(x, y):
    return (x - y) ** 2


def halved(x, y):
    return (x - y) ** 2 / 2


def only(x):
    return x


def crashes(x, y):
    os.kill(os.getpid(), 11)


def leaves(x, y):
    os._exit(0)


def exits(x, y):
    sys.exit(0)


def hangs(x, y):
    while True:
        time.sleep(0.01)


def greedy(x, y):
    return torch.zeros(2**36) + x


ready = Outer.Right()
number = 3
"""


@pytest.fixture
def losses(project: Path, specs: Cli, good: str) -> Path:
    specs(squared=good)
    path = project / "losses.py"
    path.write_text(CODE, encoding="utf-8")
    return path


def test_a_right_function(cli: Cli, losses: Path) -> None:
    done = cli("check", "losses.py:right", *QUICK)
    assert (done.code, done.err) == (0, ""), done.out + done.err
    assert done.out.startswith("losses.py:right as SquaredLoss: passed\n")
    assert "float64" in done.out and "gradient" in done.out


NESTED = ("losses.py:Outer.Right", *QUICK, "--args", "x=a,y=b")


@pytest.mark.parametrize(
    "more", [("--reduction", "mean"), pytest.param((), marks=SLOW)]
)
def test_arguments_and_reductions_of_a_nested_class(
    cli: Cli, losses: Path, more: tuple[str, ...]
) -> None:
    done = cli("check", *NESTED, "--init", "power=2", "--json", "-", *more)
    assert done.code == 0, done.out + done.err
    (found,) = json.loads(done.out)
    assert found["verdict"] == "passed"
    assert found["arguments"] == {"x": "a", "y": "b"}


@SLOW
def test_arguments_of_the_constructor_count(cli: Cli, losses: Path) -> None:
    assert cli("check", *NESTED, "--init", "power=4").code == 1


def test_a_wrong_function(cli: Cli, losses: Path, project: Path) -> None:
    done = cli("check", "losses.py:halved", *QUICK, "--json", "found.json")
    assert (done.code, done.err) == (1, "")
    for words in (
        "halved as SquaredLoss: failed",
        "wrong-normaliser: right but for a constant factor",
        "evidence: everything is 0.5 times what it should be",
        "what to do: ",
        "smallest input that fails (float64):",
    ):
        assert words in done.out
    (found,) = json.loads((project / "found.json").read_text("utf-8"))
    assert found["diagnosis"]["code"] == "wrong-normaliser"
    assert found["smallest"]["got"] != found["smallest"]["want"]


@SLOW
def test_a_wrong_function_as_a_problem(cli: Cli, losses: Path) -> None:
    done = cli("check", "losses.py:halved", *QUICK, "-q", "--format", "json")
    assert (done.code, done.out) == (1, "")
    (problem,) = json.loads(done.err)
    assert (problem["code"], problem["file"]) == ("wrong-normaliser", "losses.py")


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("missing", "unknown-name", "it has Outer, right, halved"),
        pytest.param(
            "Outer.missing",
            "unknown-name",
            "losses.py has no Outer.missing",
            marks=SLOW,
        ),
        pytest.param("number", "no-loss", "number is a int", marks=SLOW),
        pytest.param(
            "ready", "no-loss", "judge the class: losses.py:Right", marks=SLOW
        ),
        ("crashes", "crash", "ended by SIGSEGV"),
        pytest.param("leaves", "crash", "exit code 0", marks=SLOW),
        pytest.param("exits", "crash", "exits calls sys.exit(0)", marks=SLOW),
    ],
)
def test_what_cannot_be_judged(
    cli: Cli, losses: Path, name: str, code: str, words: str
) -> None:
    done = cli("check", f"losses.py:{name}", *QUICK)
    assert (done.code, done.out) == (1, ""), done.out
    assert f"error[{code}]" in done.err
    assert words in done.err
    assert "Traceback" not in done.err


@SLOW
def test_time_is_limited(cli: Cli, losses: Path) -> None:
    done = cli("check", "losses.py:hangs", *QUICK, "--timeout", "8")
    assert done.code == 1
    assert "error[timeout]: no verdict on hangs within 8 s (it was here)" in done.err
    assert "        time.sleep(0.01)" in done.err


@SLOW
def test_what_a_call_raises_is_a_finding(cli: Cli, losses: Path) -> None:
    done = cli("check", "losses.py:greedy", *QUICK)
    assert done.code == 1
    assert "raises" in done.out
    assert "error[" not in done.err


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("import nowhere\n", 1, "ModuleNotFoundError: No module named 'nowhere'"),
        pytest.param("\nx = (\n", 2, "SyntaxError", marks=SLOW),
        pytest.param("x = 1\nraise SystemExit(0)\n", 2, "SystemExit: 0", marks=SLOW),
    ],
)
def test_what_cannot_be_imported(
    cli: Cli, losses: Path, text: str, line: int, words: str
) -> None:
    losses.write_text(text, encoding="utf-8")
    done = cli("check", "losses.py:right", *QUICK, "--json", "found.json")
    assert done.code == 1
    assert done.err.startswith(f"losses.py:{line}:")
    assert f"error[cannot-import]: importing losses.py raises {words}" in done.err
    (found,) = json.loads((losses.parent / "found.json").read_text("utf-8"))
    assert found["findings"][0]["code"] == "cannot-import"


@SLOW
def test_a_file_in_a_package(cli: Cli, losses: Path) -> None:
    folder = losses.parent / "mine"
    folder.mkdir()
    (folder / "__init__.py").write_text("", encoding="utf-8")
    (folder / "parts.py").write_text(CODE, encoding="utf-8")
    (folder / "random.py").write_text("from .parts import right\n", encoding="utf-8")
    done = cli("check", "mine/random.py:right", *QUICK)
    assert done.code == 0, done.out + done.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("losses.py:right",), "--spec is missing"),
        (("losses.py", *QUICK), "SPECS:1:1: error[bad-target]"),
        (("losses.py:a-b", *QUICK), "error[bad-target]"),
        (("other.py:right", *QUICK), "other.py:1:1: error[no-such-file]"),
        (("losses.py:right", "squared", *QUICK), "alone"),
        (("squared", "--init", "a=1"), "--init is for FILE.py:NAME"),
        (("losses.py:right", *QUICK, "--args", "x=a,y"), "--args:1:5: error[bad-option]"),
        (("losses.py:right", *QUICK, "--args", "x=x,x=y"), "given twice"),
        (("losses.py:right", *QUICK, "--init", "a=b"), "--init:1:3: error[bad-option]"),
        (("losses.py:right", *QUICK, "--init", "a=1}\nb={"), "--init:1:"),
        (("losses.py:right", *QUICK, "--init", "a={b=1}"), "a is no number"),
        pytest.param(
            ("losses.py:right", *QUICK, "--init", "a=1"), "error[cannot-map-arguments]",
            marks=SLOW,
        ),
        pytest.param(
            ("losses.py:right", *QUICK, "--set", "z=1"), "--set:1:1: error[unknown-parameter]",
            marks=SLOW,
        ),
        (("losses.py:only", *QUICK), "error[cannot-map-arguments]"),
        (("losses.py:right", "--spec", "squared:Nothing"), "error[which-loss]"),
    ],
)  # fmt: skip
def test_bad_usage(
    cli: Cli, losses: Path, arguments: tuple[str, ...], words: str
) -> None:
    done = cli("check", *arguments)
    assert (done.code, done.out) == (2, "")
    assert words in done.err, done.err


def test_values_are_never_executed(cli: Cli, losses: Path) -> None:
    wicked = "a=__import__('os').mkdir('made')"
    for option in ("--init", "--set", "--args"):
        assert cli("check", "losses.py:right", *QUICK, option, wicked).code == 2
    assert not (losses.parent / "made").exists()


def test_help_says_that_code_is_executed(cli: Cli) -> None:
    words = " ".join(cli("check", "--help").out.split())
    assert "Its code is executed, with the rights of whoever runs this" in words
