"""Shell completion: the scripts work in their shells, and names are those that there are."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.shell_completion import ShellComplete

import losscodegen
from losscodegen.cli.completion import SHELLS
from losscodegen.cli.main import program
from losscodegen.compiler.rules import REFUTED, RULES
from losscodegen.teach.codes import CODES

Cli = Callable[..., Any]

ROOT = Path(losscodegen.__file__).parents[1]


def offered(*typed: str) -> set[str]:
    made = ShellComplete(program, {}, "losscodegen", "_LOSSCODEGEN_COMPLETE")
    items = made.get_completions(list(typed[:-1]), typed[-1])
    return {f"<{item.type}>" if item.type != "plain" else item.value for item in items}


@pytest.mark.parametrize("command", ["show", "explain", "grade", "generate", "list"])
def test_names_of_losses(project: Path, command: str) -> None:
    assert {"huber", "hinge"} <= offered(command, "h")
    assert all(name.startswith("h") for name in offered(command, "h"))


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        (("check", "hu"), "huber"),
        (("check", "bce", "hu"), "huber"),
        (("check", "losses.py:f", "--spec", "hu"), "huber"),
        (("new", "mine", "--from", "hu"), "huber"),
        (("report", "hu"), "huber"),
        (("watch", "hu"), "huber"),
        (("show", "torch_nn/cross"), "torch_nn/cross_entropy_loss"),
        (("completion", "z"), "zsh"),
        (("gen",), "generate"),
        (("check", "--no-c"), "--no-cache"),
    ],
)
def test_wherever_one_is_asked_for(project: Path, typed: Any, name: str) -> None:
    assert name in offered(*typed)


def test_explain_knows_rules_and_codes(project: Path) -> None:
    names = {*(r.name for r in RULES), *(r.name for r in REFUTED), *CODES}
    assert names <= offered("explain", "")


def test_specs_of_the_project_come_too(specs: Cli, good: str) -> None:
    specs(zebra=good)
    assert "zebra" in offered("check", "z")


@pytest.mark.parametrize("typed", ["specs/h", "no_such_loss", "./"])
def test_anything_else_is_a_file(project: Path, typed: str) -> None:
    assert offered("check", typed) == {"<file>"}


@pytest.mark.parametrize("shell", SHELLS)
def test_the_scripts(cli: Cli, shell: str) -> None:
    done = cli("completion", shell)
    assert (done.code, done.err) == (0, "")
    assert f"_LOSSCODEGEN_COMPLETE={shell}_complete" in done.out


COMPLETING = {
    "bash": (
        "source completion; COMP_WORDS=(losscodegen explain log1m); COMP_CWORD=2; "
        '_losscodegen_completion losscodegen; printf "%s\\n" "${COMPREPLY[@]}"'
    ),
    # Outside of its line editor zsh has no list of completions to add to.
    "zsh": (
        "compdef() {}; compadd() { print -l -- $completions }; source ./completion; "
        "words=(losscodegen explain log1m); CURRENT=3; _losscodegen_completion"
    ),
    "fish": 'source completion; complete -C "losscodegen explain log1m"',
}
"""What lists the completions of one line in each shell."""


@pytest.mark.parametrize("shell", SHELLS)
def test_the_shells_complete(cli: Cli, project: Path, shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    (project / "bin").mkdir()
    program = project / "bin" / "losscodegen"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m losscodegen "$@"\n')
    program.chmod(0o755)
    (project / "completion").write_text(cli("completion", shell).out)
    path = f"{project / 'bin'}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [shell, "-c", COMPLETING[shell]],
        env=os.environ | {"PATH": path, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert {"log1mexp", "log1mexp-branches"} <= set(done.stdout.split())
