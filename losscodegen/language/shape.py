"""What is wrong with the shape of a spec file: unknown keys, missing keys, wrong types."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from losscodegen.errors import Diagnostic
from losscodegen.language.names import closest, quoted
from losscodegen.language.schema import SPEC, keys
from losscodegen.language.spans import Path
from losscodegen.language.toml import Toml

_EXPECTED = {
    "string_type": "a string",
    "list_type": "an array of strings",
    "dict_type": "a table",
    "model_type": "a table",
    "bool_type": "true or false",
}
_GOT = (
    (bool, "a truth value"),
    (int, "an integer"),
    (float, "a number"),
    (str, "a string"),
    (list, "an array"),
    (dict, "a table"),
    (datetime.date | datetime.time, "a date or time"),
)


def problems(toml: Toml) -> Iterator[Diagnostic]:
    """Everything wrong with the shape of the file, in no particular order."""
    try:
        SPEC.validate_python(toml.data)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            yield _diagnostic(toml, detail)


def _diagnostic(toml: Toml, detail: ErrorDetails) -> Diagnostic:
    path: Path = tuple(detail["loc"])
    value = detail["input"]
    match detail["type"]:
        case "extra_forbidden":
            return _unknown_key(toml, path)
        case "missing":
            return Diagnostic(
                "missing-key",
                f"{quoted(str(path[-2]))} has no '{path[-1]}'",
                toml.spans.key(path[:-1]),
                f"'{path[-1]}' is {_first_lower(keys(path[:-1])[str(path[-1])])}",
            )
        case "literal_error":
            expected = detail["ctx"]["expected"]
            message = f"'{path[-1]}' must be {expected}, not {quoted(str(value))}"
            return Diagnostic("wrong-type", message, toml.spans.value(path))
        case kind:
            return _wrong_type(toml, path, kind, value)


def _unknown_key(toml: Toml, path: Path) -> Diagnostic:
    name, where = str(path[-1]), toml.spans.key(path)
    known = keys(path[:-1])
    hint = closest(name, known) or f"the keys are {', '.join(known)}"
    return Diagnostic("unknown-key", f"unknown key {quoted(name)}", where, hint)


def _wrong_type(toml: Toml, path: Path, kind: str, value: Any) -> Diagnostic:
    expected = _EXPECTED.get(kind, "something else")
    got = next((name for type_, name in _GOT if isinstance(value, type_)), "this")
    where = toml.spans.value(path)
    name = next(str(part) for part in reversed(path) if isinstance(part, str))
    hint = None
    if len(path) == 1:
        expected = f"a table [{name}]" if isinstance(value, list) else "a table"
        where = toml.spans.key(path)
        hint = (
            f"write [{name}] in single brackets"
            if isinstance(value, list)
            else "outside its table a loss has no keys"
        )
    elif kind == "model_type" and path[1] != "interface":
        expected = "a declaration in quotes or a table"
    elif kind == "list_type" and isinstance(value, str):
        hint = "put it in brackets"
    elif kind == "string_type" and not isinstance(value, list | dict):
        hint = "put it in quotes"
    entry = "an entry of " if isinstance(path[-1], int) else ""
    message = f"{entry}{quoted(name)} must be {expected}, not {got}"
    return Diagnostic("wrong-type", message, where, hint)


def _first_lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:].rstrip(".")
