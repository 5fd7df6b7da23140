"""The keys of a spec file, from the models that check it."""

from __future__ import annotations

import json
from typing import Any

from pydantic.fields import FieldInfo

from losscodegen.language.schema import (
    ClauseTable,
    InterfaceTable,
    LossTable,
    Table,
    VariableTable,
    json_schema,
)
from losscodegen_docs.markdown import code, prose, table, target

TABLES: tuple[tuple[type[Table], str, str], ...] = (
    (LossTable, "loss", "A loss"),
    (VariableTable, "variable", "An input or a parameter"),
    (InterfaceTable, "interface", "`interface`"),
    (ClauseTable, "clause", "A clause of `init` or `call`"),
)


def keys() -> str:
    """A section for every kind of table, a row for every key."""
    return "\n".join(_section(*row) for row in TABLES)


def key_anchor(kind: str) -> str:
    return f"keys-{kind}"


def _section(model: type[Table], kind: str, title: str) -> str:
    rows = (_row(model, name, info) for name, info in model.model_fields.items())
    about = prose((model.__doc__ or "").strip())
    body = table(("key", "type", "meaning", "example"), rows)
    return f"{target(key_anchor(kind))}## {title}\n\n{about}\n\n{body}"


def _row(model: type[Table], name: str, info: FieldInfo) -> tuple[str, ...]:
    schema = json_schema()["$defs"][model.__name__]
    table_schema = schema if "properties" in schema else schema["anyOf"][1]
    kind = _kind(table_schema["properties"][name])
    if info.is_required():
        kind += ", required"
    given = info.examples or ()
    return (
        code(name),
        kind,
        prose(info.description or ""),
        "<br>".join(code(_toml(example)) for example in given),
    )


def _kind(schema: dict[str, Any]) -> str:
    """A type in the words of TOML."""
    if "enum" in schema:
        return "one of " + ", ".join(code(json.dumps(v)) for v in schema["enum"])
    match schema.get("type"):
        case "array":
            return f"array of {_kind(schema['items'])}s"
        case "object":
            inner = schema.get("additionalProperties")
            return f"table of {_kind(inner)}s" if isinstance(inner, dict) else "table"
        case str(word):
            return word
        case _:
            return _referred(schema)


def _referred(schema: dict[str, Any]) -> str:
    names = {model.__name__: kind for model, kind, _ in TABLES}
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    if name == "VariableTable":
        return f"declaration or [{names[name]} table](#{key_anchor(names[name])})"
    if name in names:
        return f"[{names[name]} table](#{key_anchor(names[name])})"
    return "value"


def _toml(value: Any) -> str:
    """A value as a spec file has it."""
    match value:
        case bool():
            return str(value).lower()
        case list():
            return f"[{', '.join(map(_toml, value))}]"
        case dict():
            inner = ", ".join(f"{key} = {_toml(v)}" for key, v in value.items())
            return f"{{ {inner} }}"
        case _:
            return json.dumps(value)
