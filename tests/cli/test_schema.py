"""The JSON Schema: fresh, found without a network, and of one mind with the reader."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from losscodegen.cli.new import SCHEMA
from losscodegen.language.schema import json_schema
from losscodegen.resources import bundled_specs, schema_text, specs_directory

Cli = Callable[..., Any]

TEXT = schema_text()
VALIDATOR = Draft7Validator(json.loads(TEXT))
CASES = Path(__file__).parents[1] / "cases" / "spec_errors"
SHAPE = {"unknown-key", "missing-key", "wrong-type"}
"""The codes of what is wrong with the shape of a file; a schema knows nothing else."""
LATER = {"function_and_variable"}
"""A name that the formula does not say to be missing or unknown: it is no matter of shape."""


def test_the_published_copy_is_fresh(cli: Cli) -> None:
    assert json.loads(TEXT) == json_schema()
    assert cli("schema").out == TEXT


def test_it_is_a_schema() -> None:
    Draft7Validator.check_schema(json.loads(TEXT))


@pytest.mark.parametrize("path", bundled_specs(), ids=lambda path: path.stem)
def test_specs_of_the_library_are_valid(path: Path) -> None:
    VALIDATOR.validate(tomllib.loads(path.read_text(encoding="utf-8")))


def misshapen() -> list[Path]:
    found = []
    for path in sorted(CASES.glob("*.txt")):
        text, _, told = path.read_text(encoding="utf-8").partition("# output\n")
        codes = set(re.findall(r"error\[([a-z-]+)\]", told))
        try:
            tomllib.loads(text)
        except tomllib.TOMLDecodeError:
            continue
        if codes and codes <= SHAPE:
            found.append(path)
    return found


@pytest.mark.parametrize("path", misshapen(), ids=lambda path: path.stem)
def test_what_the_reader_refuses_for_its_shape_is_invalid(path: Path) -> None:
    data = tomllib.loads(path.read_text(encoding="utf-8").partition("# output\n")[0])
    assert not VALIDATOR.is_valid(data)


GOOD = {"inputs": {"x": "real[...]"}, "loss": "x**2"}


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("squared_loss", {}),
        ("ALoss", {"loss": 1}),
        ("ALoss", {"los": "x"}),
        ("ALoss", {"reduction": "median"}),
        ("ALoss", {"laws": "loss >= 0"}),
        ("ALoss", {"inputs": {"x": {"doc": "no type"}}}),
        ("ALoss", {"inputs": {"x": {"type": "real[...]", "docs": "wrong key"}}}),
        ("ALoss", {"inputs": {"x": 3}}),
        ("ALoss", {"example": {"x": {"not": "a number"}}}),
        ("ALoss", {"gradient": "numeric"}),
    ],
)
def test_wrong_ones_are_invalid(name: str, change: dict[str, Any]) -> None:
    assert VALIDATOR.is_valid({"ALoss": GOOD})
    assert not VALIDATOR.is_valid({name: {**GOOD, **change}})


@pytest.mark.parametrize("key", ["inputs", "loss"])
def test_keys_that_must_be_there(key: str) -> None:
    assert not VALIDATOR.is_valid({"A": {k: v for k, v in GOOD.items() if k != key}})


# ---------------------------------------------------------------------- `new` says where it is


def pointed_at(spec: Path) -> Path:
    """The file that an editor reads for a spec."""
    first = spec.read_text(encoding="utf-8").splitlines()[0]
    found = re.fullmatch(r"#:schema (\.{1,2}/\S+)", first)
    assert found is not None
    return spec.parent / found[1]


@pytest.mark.parametrize(
    ("arguments", "spec"),
    [
        (["quantile"], "specs/quantile.toml"),
        (["mine", "--from", "huber"], "specs/mine.toml"),
        (["mine", "-o", "elsewhere/mine.toml"], "elsewhere/mine.toml"),
        (["mine", "-o", "mine.toml"], "mine.toml"),
        (["mine", "-o", "specs/inner/mine.toml"], "specs/inner/mine.toml"),
    ],
)
def test_new_points_at_a_schema(
    cli: Cli, project: Path, arguments: list[str], spec: str
) -> None:
    assert cli("new", *arguments).code == 0
    schema = pointed_at(project / spec)
    assert schema.read_text(encoding="utf-8") == TEXT
    VALIDATOR.validate(tomllib.loads((project / spec).read_text(encoding="utf-8")))


def test_folders_of_specs_share_one(cli: Cli, project: Path) -> None:
    for name in ("specs/one.toml", "specs/inner/two.toml"):
        assert cli("new", "some", "-o", name).code == 0
    assert len(list(project.rglob(SCHEMA))) == 1


def test_an_old_copy_is_renewed_and_others_are_left_alone(
    cli: Cli, project: Path
) -> None:
    schema = project / "specs" / SCHEMA
    schema.parent.mkdir()
    schema.write_text('{"title": "losscodegen spec"}', encoding="utf-8")
    assert cli("new", "one").code == 0
    assert schema.read_text(encoding="utf-8") == TEXT
    schema.write_text("{}", encoding="utf-8")
    assert cli("new", "two").code == 0
    assert schema.read_text(encoding="utf-8") == "{}"


def test_every_key_is_described() -> None:
    tables = json.loads(TEXT)["$defs"]
    for name in ("LossTable", "InterfaceTable", "ClauseTable"):
        for key, about in tables[name]["properties"].items():
            assert about.get("description"), key
    assert specs_directory().is_dir()
