"""``new``: what it writes generates and checks clean at once, and it overwrites nothing."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from losscodegen.language.parse import load_losses

Cli = Callable[..., Any]


def test_new_spec_generates_and_checks_clean(cli: Cli, project: Path) -> None:
    done = cli("new", "QuantileLoss")
    assert (done.code, done.err) == (0, "")
    path = Path("specs/quantile.toml")
    text = path.read_text(encoding="utf-8")
    assert text.startswith("#:schema ")
    (loss,) = load_losses(path)
    assert (loss.name, loss.module) == ("QuantileLoss", "quantile")
    assert cli("generate", "quantile").code == 0
    checked = cli("check", "quantile")
    assert checked.code == 0, checked.out + checked.err
    assert cli("generate", "--check").code == 0


@pytest.mark.parametrize(
    "name", ["my_smooth", "MySmooth", "MySmoothLoss", "my_smooth_loss"]
)
def test_either_spelling(cli: Cli, name: str) -> None:
    assert cli("new", name).code == 0
    assert list(tomllib.loads(Path("specs/my_smooth.toml").read_text())) == [
        "MySmoothLoss"
    ]


@pytest.mark.parametrize(
    "name", ["a/b", "a-b", "", "1st", "ünder", "class", "../up", "Loss", "a b", "_"]
)
def test_names_that_are_none(cli: Cli, project: Path, name: str) -> None:
    done = cli("new", "--", name)
    assert done.code == 2
    assert "error[bad-name]" in done.err
    assert list(project.iterdir()) == []


def test_overwrites_nothing(cli: Cli, specs: Cli, good: str, project: Path) -> None:
    specs(squared=good)
    done = cli("new", "squared")
    assert done.code == 2
    assert "error[file-exists]" in done.err
    assert (project / "specs" / "squared.toml").read_text(encoding="utf-8") == good


def test_every_loss_of_a_bundled_spec_can_be_copied(cli: Cli, project: Path) -> None:
    done = cli("new", "mine", "--from", "huber", "-o", "mine.toml")
    assert (done.code, done.err) == (0, "")
    original, *_ = load_losses(_bundled("huber"))
    (copy,) = load_losses(Path("mine.toml"))
    assert (copy.name, copy.function, copy.module) == ("MineLoss", "mine_loss", "mine")
    assert copy.expression == original.expression
    assert copy.variables == original.variables
    assert copy.laws == original.laws


def test_unknown_model(cli: Cli, project: Path) -> None:
    done = cli("new", "mine", "--from", "hubre")
    assert done.code == 2
    assert "did you mean 'huber'?" in done.err
    assert list(project.iterdir()) == []


def _bundled(name: str) -> Path:
    from losscodegen.resources import specs_directory

    return specs_directory() / f"{name}.toml"
