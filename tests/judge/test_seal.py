"""A seal fits one certificate and no other."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from losscodegen.judge.check import verify
from losscodegen.judge.seal import (
    SEAL,
    discrepancies,
    readable,
    seal,
    sealed,
    spec_hash,
    text_hash,
)
from losscodegen.language.parse import load_losses, losses_from_text

DATA = Path(__file__).parent / "data"
LOSS = next(x for x in load_losses(DATA / "judged.toml") if x.name == "SoftplusLoss")
RIGHT = (DATA / "softplus.py").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def data() -> dict[str, Any]:
    """A certificate as it comes back from a file."""
    written = sealed(verify(LOSS, RIGHT, points=8, dtypes=("float32",)).as_dict())
    read: dict[str, Any] = json.loads(json.dumps(written))
    return read


def codes(data: dict[str, Any], *, source: str = RIGHT) -> list[str]:
    found = discrepancies(data, spec=spec_hash(LOSS), source=text_hash(source))
    return [d.code for d in found]


def test_as_it_was_written_it_holds(data: dict[str, Any]) -> None:
    assert readable(data) == ""
    assert codes(data) == []


def test_layout_is_no_edit(data: dict[str, Any]) -> None:
    turned = dict(reversed(data.items()))
    assert codes(json.loads(json.dumps(turned, indent=7))) == []


def places(node: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every leaf and every list."""
    match node:
        case dict():
            for key, value in node.items():
                yield from places(value, (*way, key))
        case list():
            yield way
            for number, value in enumerate(node):
                yield from places(value, (*way, number))
        case _:
            yield way


def edited(leaf: Any) -> Any:
    """Another value of the same kind, as near as an edit can be."""
    match leaf:
        case bool():
            return not leaf
        case int() | float():
            return 2 * leaf + 1
        case str():
            return leaf + " " if leaf else "x"
        case list():
            return leaf[:-1] if leaf else ["x"]
        case _:
            return "x"


def test_every_edit_of_every_entry_is_noticed(data: dict[str, Any]) -> None:
    ways = list(places(data))
    assert len(ways) > 100
    for way in ways:
        other = copy.deepcopy(data)
        node = other
        for step in way[:-1]:
            node = node[step]
        node[way[-1]] = edited(node[way[-1]])
        assert readable(other) or "certificate-edited" in codes(other), way


def test_entries_that_are_added_or_removed_are_noticed(data: dict[str, Any]) -> None:
    assert "certificate-edited" in codes({**data, "note": "it is fine"})
    fewer = {key: value for key, value in data.items() if key != "findings"}
    assert "certificate-edited" in codes(fewer)


def test_another_module_or_spec(data: dict[str, Any]) -> None:
    assert codes(data, source=RIGHT + "\n") == ["module-changed"]
    other = replace(LOSS, summary="Something else.")
    found = discrepancies(data, spec=spec_hash(other), source=text_hash(RIGHT))
    assert [d.code for d in found] == ["spec-changed"]


def test_the_layout_of_a_spec_does_not_count() -> None:
    text = '[ALoss]\ninputs.x = { type = "real[...]" }\nloss = "x**2"\n'
    (one,) = losses_from_text(text, "a.toml")
    (two,) = losses_from_text(f"# {'-' * 20}\n" + text.replace("x**2", "x ** 2"), "a")
    (three,) = losses_from_text(text.replace("x**2", "x**4"), "a.toml")
    assert spec_hash(one) == spec_hash(two) != spec_hash(three)


def test_a_verdict_that_was_no_pass_does_not_hold() -> None:
    wrong = RIGHT.replace("-F.logsigmoid(-x)", "(1 + x.exp()).log()")
    failed = sealed(verify(LOSS, wrong, points=8, dtypes=("float32",)).as_dict())
    assert codes(failed, source=wrong) == ["not-passed"]


@pytest.mark.parametrize("key", ["judge", "torch", "python"])
def test_another_judge_is_told_and_no_fault(data: dict[str, Any], key: str) -> None:
    older = sealed({**data, key: "0"})
    (found,) = discrepancies(older, spec=spec_hash(LOSS), source=text_hash(RIGHT))
    assert (found.code, found.fatal) == ("judged-otherwise", False)
    builds = sealed({**data, "torch": data["torch"].partition("+")[0] + "+cu130"})
    assert codes(builds) == []


def test_what_is_no_certificate(data: dict[str, Any]) -> None:
    assert readable([]) == "it is no JSON object"
    assert "schema" in readable({**data, "schema": 3})
    assert SEAL in readable({k: v for k, v in data.items() if k != SEAL})
    assert "libraries" in readable({**data, "libraries": ["flint"]})
    assert seal(data) == data[SEAL]
