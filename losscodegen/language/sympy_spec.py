"""A spec from a SymPy expression and its symbols: their assumptions are the domains."""

from __future__ import annotations

import numbers
from collections.abc import Mapping, Sequence
from typing import Any

import sympy

from losscodegen.errors import fail
from losscodegen.language.printer import format_expression
from losscodegen.language.sympy_reader import Reader
from losscodegen.language.sympy_symbols import CODE, domain_word, symbol_name


def spec_text_from_sympy(
    expression: Any,
    inputs: Sequence[Any],
    parameters: Mapping[Any, Any] | None = None,
    *,
    name: str = "CustomLoss",
) -> str:
    """A spec file with the loss ``expression``.

    Args:
        expression: The unreduced loss.
        inputs: Its inputs in order: symbols are elementwise, an IndexedBase has the axes over which
            the expression subscripts it.
        parameters: Defaults of the other symbols; None for one that has to be given.
        name: The class name.

    Raises:
        LossCodegenError: for symbols that are not declared, functions that the language lacks, and
            numbers that are not real.
    """
    parameters = parameters or {}
    inputs = (inputs,) if isinstance(inputs, sympy.Basic) else tuple(inputs)
    reader = Reader(expression)
    loss = reader.expression()
    declared = {symbol_name(s) for s in (*inputs, *parameters)}
    for free in sorted(reader.names - declared):
        raise fail(
            "undeclared-symbol",
            f"symbol '{free}' is neither an input nor a parameter",
            hint="list it in inputs, or give it a default in params",
        )
    lines = [f"[{name}]"]
    entries = [f'{symbol_name(s)} = "{_declaration(s, reader)}"' for s in inputs]
    lines.append(f"inputs = {{ {', '.join(entries)} }}")
    if parameters:
        entries = [
            f'{symbol_name(s)} = "{_parameter(s, v)}"' for s, v in parameters.items()
        ]
        lines.append(f"params = {{ {', '.join(entries)} }}")
    further = {k: a for k, a in reader.indices.items() if k != a.lower()}
    if further:
        entries = [f'{k} = "{a}"' for k, a in further.items()]
        lines.append(f"indices = {{ {', '.join(entries)} }}")
    lines.append(f'loss = "{format_expression(loss)}"')
    return "\n".join(lines) + "\n"


def _parameter(symbol: Any, default: Any) -> str:
    if isinstance(default, bool):
        return f"bool = {str(default).lower()}"
    if default is None:
        return domain_word(symbol)
    real = isinstance(default, numbers.Real) or getattr(
        default, "is_extended_real", False
    )
    if not real or default != default:
        raise fail(CODE, f"the default of '{symbol}' is not a number, got {default!r}")
    text = str(default) if isinstance(default, int) else repr(float(default))
    return f"{domain_word(symbol)} = {text.replace('inf', 'oo')}"


def _declaration(symbol: Any, reader: Reader) -> str:
    """Domain and axes of an input."""
    if not isinstance(symbol, sympy.IndexedBase):
        return f"{domain_word(symbol)}[...]"
    axes = [_axis(symbol, k, reader) for k in range(_uses(symbol, reader)[0].rank)]
    looked_up = _looked_up(symbol, reader)
    domain = domain_word(symbol) if looked_up is None else f"index({looked_up})"
    return f"{domain}[{', '.join(axes)}]"


def _uses(symbol: Any, reader: Reader) -> list[Any]:
    uses = [n for n in reader.whole.atoms(sympy.Indexed) if n.base == symbol]
    if not uses:
        raise fail(CODE, f"input '{symbol}' is not used")
    return sorted(uses, key=str)


def _axis(symbol: Any, position: int, reader: Reader) -> str:
    """The axis of one subscript of a tensor, as its uses show it."""
    found = set()
    for use in _uses(symbol, reader):
        subscript = use.indices[position]
        if not subscript.has(sympy.Indexed):
            found |= {reader.indices.get(str(s)) for s in subscript.free_symbols}
    found.discard(None)
    if len(found) != 1:
        raise fail(
            CODE,
            f"cannot tell the axis of subscript {position + 1} of '{symbol}'",
            hint="give the IndexedBase a shape of symbols",
        )
    return str(found.pop())


def _looked_up(symbol: Any, reader: Reader) -> str | None:
    """The axis that the entries of an integer tensor select from; None if they select nothing."""
    for use in sorted(reader.whole.atoms(sympy.Indexed), key=str):
        for position, subscript in enumerate(use.indices):
            if isinstance(subscript, sympy.Indexed) and subscript.base == symbol:
                return _axis(use.base, position, reader)
    return None
