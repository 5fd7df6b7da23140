"""``list``, ``show``, ``functions``, ``rules``, ``schema``: as text and as JSON."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
import torch

from losscodegen.cli.forms import FORMS
from losscodegen.cli.output import plain
from losscodegen.cli.outside import OUTSIDE
from losscodegen.compiler.rules import REFUTED, RULES
from losscodegen.compiler.search.differences import DIFFERENCES
from losscodegen.compiler.search.form import FORMS as SEARCHED
from losscodegen.compiler.search.form import WHYS
from losscodegen.ir.nodes import Keeper, Reduction
from losscodegen.ir.ops import OPS
from losscodegen.language.calls import FORMS as READERS
from losscodegen.language.parse import load_losses
from losscodegen.resources import bundled_specs

Cli = Callable[..., Any]


def test_list(cli: Cli, specs: Cli, good: str) -> None:
    """By family, a line of mathematics each, and in a pipe nothing is cut off."""
    other = good.replace("SquaredLoss", "OtherLoss").replace("regression", "binary")
    long = good.replace("error.", "error, " + "at length " * 20 + "described.")
    specs(squared=long, other=other, third=good.replace("SquaredLoss", "Loss3"))
    done = cli("list")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "binary (1)",
        "  OtherLoss  Squared error.",
        "      (x \N{MINUS SIGN} y)²",
        "",
        "regression (2)",
        "  SquaredLoss  Squared error, " + "at length " * 20 + "described.",
        "      (x \N{MINUS SIGN} y)²",
        "  Loss3        Squared error.",
        "      (x \N{MINUS SIGN} y)²",
        "",
        "3 losses in 2 families",
    ]


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_list_fits_a_terminal(
    cli: Cli, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain_text = cli("list").out
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.delenv("NO_COLOR", raising=False)
    coloured_text = cli("list").out
    assert "\x1b[" in coloured_text
    shown = re.sub(r"\x1b\[[0-9;]*m", "", coloured_text).splitlines()
    assert max(len(line) for line in shown) <= columns
    for line, whole in zip(shown, plain_text.splitlines(), strict=True):
        assert line == whole or whole.startswith(line.removesuffix("…"))
    monkeypatch.setenv("NO_COLOR", "1")
    assert cli("list").out.splitlines() == shown


def test_list_as_json(cli: Cli, specs: Cli, good: str) -> None:
    specs(squared=good)
    found = json.loads(cli("list", "--json").out)
    assert found == {
        "losses": [
            {
                "name": "SquaredLoss",
                "module": "squared",
                "function": "squared_loss",
                "family": "regression",
                "summary": "Squared error.",
                "mathematics": "(x \N{MINUS SIGN} y)²",
                "spec": "specs/squared.toml",
            }
        ],
        "outside": [],
    }


def test_list_without_a_project_shows_the_library(cli: Cli) -> None:
    """And what it leaves out."""
    found = json.loads(cli("list", "--json").out)
    assert "HuberLoss" in {row["name"] for row in found["losses"]}
    assert [row["name"] for row in found["outside"]] == [x.name for x in OUTSIDE]
    text = cli("list").out
    assert all(x.name in text and f"{x.family}: {x.why}" in text for x in OUTSIDE)


def test_what_is_outside_is_a_loss_of_torch_without_a_spec() -> None:
    names = {loss.name for path in bundled_specs() for loss in load_losses(path)}
    for row in OUTSIDE:
        assert issubclass(getattr(torch.nn, row.name), torch.nn.Module)
        assert row.name not in names


def test_list_shows_the_problems_of_every_spec(
    cli: Cli, specs: Cli, broken: str
) -> None:
    specs(one=broken, two=broken)
    done = cli("list")
    assert done.code == 2
    assert "one.toml:6:" in done.err
    assert "two.toml:6:" in done.err


def test_show(cli: Cli, specs: Cli, good: str) -> None:
    specs(squared=good)
    done = cli("show", "squared")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "SquaredLoss  (regression)",
        "Squared error.",
        "",
        "  x  real[...]  predictions",
        "  y  real[...]  targets",
        "",
        "  loss = (x - y)**2",
        "",
        "  unreduced shape: (...), reduction 'mean'",
        "  law: loss >= 0",
        "  law: loss(x=y) == 0",
    ]


def test_show_as_json(cli: Cli, specs: Cli, good: str) -> None:
    specs(squared=good)
    (card,) = json.loads(cli("show", "squared", "--json").out)
    assert card["loss"] == "(x - y)**2"
    assert card["variables"][0]["arg"] == "prediction"
    assert card["shape"] == ["..."]


def test_show_finds_bundled_specs(cli: Cli) -> None:
    assert cli("show", "huber").out.startswith("HuberLoss")


def test_functions_lists_every_op(cli: Cli) -> None:
    rows = json.loads(cli("functions", "--json").out)
    assert {row["name"] for row in rows} >= {
        row.operator or row.name for row in OPS.values()
    }
    text = cli("functions").out
    assert all(row["name"] in text for row in rows)


def test_forms_are_those_that_formulas_may_call() -> None:
    assert {form.name for form in FORMS} == set(READERS)
    names = {kind.value for kind in (*Reduction, *Keeper)}
    assert names <= {form.name for form in FORMS}


def test_rules(cli: Cli) -> None:
    text = cli("rules").out
    tables = json.loads(cli("rules", "--json").out)
    assert [row["name"] for row in tables["rules"]] == [rule.name for rule in RULES]
    assert [row["name"] for row in tables["refuted"]] == [r.name for r in REFUTED]
    assert all(rule.name in text for rule in (*RULES, *REFUTED))
    assert {row["name"] for row in tables["forms"]} == set(WHYS)
    assert [row["op"] for row in tables["differences"]] == [r.op for r in DIFFERENCES]
    assert all(name in text for name in SEARCHED)


def test_schema_is_json_schema(cli: Cli) -> None:
    schema = json.loads(cli("schema").out)
    assert schema["$schema"].startswith("http://json-schema.org/")


@dataclasses.dataclass(frozen=True, slots=True)
class Sample:
    ratio: Fraction
    numbers: tuple[float, ...]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (
            Sample(Fraction(1, 3), (0.5, math.inf)),
            {"ratio": "1/3", "numbers": [0.5, "inf"]},
        ),
        (Reduction.SUM, "Sum"),
        ({Reduction.SUM: {1}}, {"Sum": [1]}),
        (math.nan, "nan"),
        (Fraction(2), "2"),
        (None, None),
    ],
)
def test_plain(value: object, expected: object) -> None:
    assert plain(value) == expected


def test_no_colour_where_nobody_looks(cli: Cli) -> None:
    assert "\x1b" not in cli("functions").out
    assert "\x1b" not in cli("show", "nope").err
