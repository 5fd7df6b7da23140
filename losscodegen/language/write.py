"""A loss as the text of a spec file that parses back to the equal loss."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from losscodegen.ir.build import ONE
from losscodegen.ir.interface import Clause
from losscodegen.ir.loss import (
    Absent,
    Accuracy,
    Gradient,
    Law,
    LawSide,
    Loss,
    Nested,
    Role,
    Variable,
)
from losscodegen.ir.ops import OPS
from losscodegen.language.domains import format_domain, format_fraction, format_interval
from losscodegen.language.printer import format_expression
from losscodegen.language.scope import Scope

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SIMPLE = re.compile(r"[\w.]+")
_ESCAPES = {"\b": "b", "\t": "t", "\f": "f", "\r": "r", '"': '"', "\\": "\\"}

TomlValue = bool | int | float | str | Sequence["TomlValue"] | Mapping[str, "TomlValue"]


def format_loss(loss: Loss) -> str:
    """The table of ``loss`` in a spec file."""
    return "\n".join(_lines(loss)) + "\n"


def format_declaration(variable: Variable) -> str:
    """The declaration of ``variable``: domain, axes, interval and default."""
    text = format_domain(variable.domain)
    if variable.axes:
        text += f"[{', '.join(variable.axes)}]"
    if variable.domain.interval is not None:
        text += f" in {format_interval(variable.domain.interval)}"
    match variable.default:
        case Absent.REQUIRED:
            return text
        case Absent.NONE:
            return f"{text} = none"
        case bool():
            return f"{text} = {str(variable.default).lower()}"
        case str():
            return f"{text} = {variable.default}"
        case Fraction():
            return f"{text} = {_number(variable.default, variable.default_text)}"


def format_law(law: Law, loss: Loss | None = None) -> str:
    """The law as a spec writes it; with its ``loss``, whole tensors are bare names."""
    relation = OPS[law.relation].operator
    return f"{_side(law.left, loss)} {relation} {_side(law.right, loss)}"


def toml_value(value: TomlValue) -> str:
    """``value`` as TOML on one line; mappings become inline tables."""
    match value:
        case bool():
            return str(value).lower()
        case float() if math.isnan(value):
            return "nan"
        case int() | float():
            return repr(value)
        case str():
            return f'"{_escaped(value)}"'
        case Mapping():
            pairs = (f"{toml_key(k)} = {toml_value(v)}" for k, v in value.items())
            return f"{{ {', '.join(pairs)} }}"
        case _:
            return f"[{', '.join(map(toml_value, value))}]"


def toml_key(key: str) -> str:
    """``key`` as TOML writes it, in quotes if it needs them."""
    return key if _BARE_KEY.fullmatch(key) else toml_value(key)


def _escaped(text: str, *, breaks: bool = False) -> str:
    """``text`` between double quotes; line breaks are escaped unless they may stay."""
    characters = []
    for character in text:
        if character in _ESCAPES:
            characters.append("\\" + _ESCAPES[character])
        elif character == "\n":
            characters.append("\n" if breaks else "\\n")
        elif character < " " or character == "\x7f":
            characters.append(f"\\u{ord(character):04x}")
        else:
            characters.append(character)
    return "".join(characters)


def _text(text: str) -> str:
    """Prose or a block of definitions, over several lines if it has them."""
    if "\n" not in text:
        return toml_value(text)
    return f'"""\n{_escaped(text, breaks=True)}\n"""'


def _lines(loss: Loss) -> Iterator[str]:
    scope = Scope.of_loss(loss)
    yield f"[{loss.name}]"
    for key, text in (
        ("family", loss.family),
        ("summary", loss.summary),
        ("description", loss.description),
        ("reference", loss.reference),
        ("notes", loss.notes),
    ):
        if text:
            yield f"{key} = {_text(text)}"
    for key, variables in (("inputs", loss.inputs), ("params", loss.parameters)):
        for variable in variables:
            yield f"{key}.{toml_key(variable.name)} = {_variable(variable)}"
        if not variables and key == "inputs":
            yield "inputs = {}"
    learnable = [v.name for v in loss.parameters if v.role is Role.LEARNABLE]
    if learnable:
        yield f"learnable = {toml_value(learnable)}"
    if loss.indices:
        yield f"indices = {toml_value({i.name: i.axis for i in loss.indices})}"
    if loss.definitions:
        block = []
        for definition in loss.definitions:
            names = ", ".join(index.name for index in definition.indices)
            head = f"{definition.name}[{names}]" if names else definition.name
            block.append(f"{head} = {format_expression(definition.body, scope)}")
        yield f"let = {_text(chr(10).join(block))}"
    yield f"loss = {toml_value(format_expression(loss.expression, scope))}"
    if loss.mean_weight is not None:
        weight = format_expression(loss.mean_weight, scope)
        yield f"mean_weight = {toml_value(weight)}"
    if loss.reduction != "mean":
        yield f"reduction = {toml_value(loss.reduction)}"
    if loss.gradient is not Gradient.AUTO:
        yield f"gradient = {toml_value(loss.gradient.value)}"
    if loss.accuracy is not Accuracy.RELATIVE:
        yield f"accuracy = {toml_value(loss.accuracy.value)}"
    if loss.require:
        conditions = [format_expression(r, scope) for r in loss.require]
        yield f"require = {toml_value(conditions)}"
    if loss.laws:
        yield f"laws = {toml_value([format_law(law, loss) for law in loss.laws])}"
    yield from _example(loss)
    yield from _interface(loss)


def _variable(variable: Variable) -> str:
    declaration = format_declaration(variable)
    table: dict[str, TomlValue] = {"type": declaration}
    if variable.arg != variable.name:
        table["arg"] = variable.arg
    if variable.doc:
        table["doc"] = variable.doc
    return toml_value(declaration if len(table) == 1 else table)


def _number(value: Fraction, text: str | None) -> str:
    """As the spec wrote it, if that is still the value."""
    try:
        if text is not None and Fraction(text) == value:
            return text
    except ValueError:
        pass
    return format_fraction(value)


def _side(side: LawSide, loss: Loss | None) -> str:
    factor = format_expression(side.factor)
    if not side.loss:
        return factor
    replaced = ", ".join(
        f"{n}={format_expression(e, None if loss is None else _whole(loss, n))}"
        for n, e in side.replaced
    )
    text = f"loss({replaced})" if replaced else "loss"
    if side.factor != ONE:
        text = f"{factor if _SIMPLE.fullmatch(factor) else f'({factor})'}*{text}"
    if side.offset is not None:
        text += f" + ({format_expression(side.offset)})"
    return text


def _whole(loss: Loss, name: str) -> Scope:
    return replace(Scope.of_loss(loss), whole=loss.variable(name).axes)


def _example(loss: Loss) -> Iterator[str]:
    if loss.example is None:
        return
    entries: dict[str, TomlValue] = {}
    for name, value in loss.example.arguments:
        entries[name] = _nested(value)
    entries["result"] = _nested(loss.example.result)
    yield f"example = {toml_value(entries)}"


def _nested(value: Nested | str) -> TomlValue:
    return [_nested(v) for v in value] if isinstance(value, tuple) else value


def _interface(loss: Loss) -> Iterator[str]:
    interface = loss.interface
    if interface is None:
        return
    table: dict[str, TomlValue] = {}
    if interface.constructor:
        table["constructor"] = interface.constructor
    if interface.forward:
        table["forward"] = tuple(
            name if name == argument else f"{name} = {argument}"
            for name, argument in interface.forward
        )
    if interface.class_axis_without_batch:
        table["class_axis_without_batch"] = True
    if interface.compare is not None:
        table["compare"] = interface.compare
    if interface.optional:
        table["optional"] = interface.optional
    if interface.layer is not None:
        layer = interface.layer
        table["layer"] = {
            "name": layer.name,
            "weight": layer.weight,
            "bias": layer.bias,
        }
    for key, clauses in (
        ("init", interface.at_construction),
        ("call", interface.at_call),
    ):
        if clauses:
            table[key] = [_clause(clause) for clause in clauses]
    yield f"interface = {toml_value(table)}"


def _clause(clause: Clause) -> TomlValue:
    entries: dict[str, TomlValue] = {
        "when": clause.when or "",
        "error": clause.error,
        "message": clause.message,
        "warning": clause.warning,
        "broadcast": clause.broadcast,
        "instead": clause.instead,
        "set": dict(clause.values),
        "result": clause.result,
    }
    return {key: value for key, value in entries.items() if value}
