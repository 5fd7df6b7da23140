"""The worked example of a spec as a doctest, printed as torch prints."""

from __future__ import annotations

import math
import struct

from losscodegen.ir.loss import DomainKind, Loss, Nested, Role, Variable

WIDTH = 80
"""Characters of a line; the generated docstring indents it by eight."""

_LINEWIDTH, _DIGITS = 80, 4
"""torch's own settings for printing."""


def example_lines(loss: Loss) -> list[str]:
    """The lines of the doctest; none for a loss without an example."""
    if loss.example is None:
        return []
    given = dict(loss.example.arguments)
    parameters = [v for v in loss.parameters if v.name in given]
    values = {v.arg: _value(given[v.name], v) for v in parameters}
    lines = [">>> import torch"]
    options = [f"{arg}={text}" for arg, text in values.items()]
    if not loss.scalar:
        options.append('reduction="none"')
    if len(_call(f"loss = {loss.name}", options)) > 1:
        # Tensors first get lines of their own.
        for variable in parameters:
            if variable.axes:
                arg = variable.arg
                lines += _assignment(arg, values[arg])
                options[options.index(f"{arg}={values[arg]}")] = f"{arg}={arg}"
    lines += _call(f"loss = {loss.name}", options)
    arguments = [_value(given[v.name], v) for v in loss.inputs]
    # A loss that learns something would print its grad_fn.
    learns = any(v.role is Role.LEARNABLE for v in loss.parameters)
    detach = ".detach()" if learns else ""
    if len(_call("loss", arguments, detach)) > 1:
        for variable, text in zip(loss.inputs, arguments, strict=True):
            lines += _assignment(variable.arg, text)
        arguments = [v.arg for v in loss.inputs]
    lines += _call("loss", arguments, detach)
    return [*lines, *print_tensor(loss.example.result).split("\n")]


def _call(function: str, arguments: list[str], after: str = "") -> list[str]:
    """A call on one line if it fits, else its arguments on a line, else one argument per line."""
    line = f">>> {function}({', '.join(arguments)}){after}"
    if len(line) <= WIDTH:
        return [line]
    inner = f"...     {', '.join(arguments)}"
    between = [inner] if len(inner) <= WIDTH else [f"...     {a}," for a in arguments]
    return [f">>> {function}(", *between, f"... ){after}"]


def _assignment(name: str, text: str) -> list[str]:
    """``name = torch.tensor(...)``, one row per line where it does not fit."""
    start, _, rest = f"{name} = {text}".partition("(")
    literal = rest.removesuffix(")")
    lines = _call(start, [literal])
    if max(map(len, lines)) <= WIDTH or not literal.startswith("[["):
        return lines
    rows = literal[1:-1].replace("], [", "],\n[").split("\n")
    between = [f"...         {row.rstrip(',')}," for row in rows]
    return [f">>> {start}(", "...     [", *between, "...     ]", "... )"]


# ---------------------------------------------------------------- arguments


def _value(value: Nested | str, variable: Variable) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    if not variable.axes and variable.role is not Role.INPUT:
        return _number(value, variable)
    return f"torch.tensor({_nested(value, variable)})"


def _nested(value: Nested, variable: Variable) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(_nested(v, variable) for v in value)}]"
    return _number(value, variable)


def _number(value: Nested, variable: Variable) -> str:
    assert not isinstance(value, tuple)
    if isinstance(value, bool):
        return repr(value)
    if not math.isfinite(value):
        return f'float("{value}")'
    whole = (DomainKind.INDEX, DomainKind.INTEGER)
    counted = variable.scalar and variable.domain.kind is DomainKind.COUNT
    if variable.domain.kind in whole or counted:
        return str(int(value))
    return repr(float(value))


# ---------------------------------------------------------------- the result


def print_tensor(value: Nested) -> str:
    """``repr`` of a float32 tensor with these entries, four digits as torch shows them."""
    single = _single(value)
    form, width = _format(_flat(single))
    return f"tensor({_layout(single, form, width, indent=len('tensor('))})"


def _single(value: Nested) -> Nested:
    """``value`` rounded to float32."""
    if isinstance(value, tuple):
        return tuple(_single(v) for v in value)
    try:
        return float(struct.unpack("f", struct.pack("f", value))[0])
    except OverflowError:
        return math.copysign(math.inf, value)


def _flat(value: Nested) -> list[float]:
    if isinstance(value, tuple):
        return [x for v in value for x in _flat(v)]
    return [value]


def _format(entries: list[float]) -> tuple[str, int]:
    """The format that torch chooses for all entries, and their width."""
    counted = [v for v in entries if math.isfinite(v) and v != 0]
    if not counted:
        return ".", 1
    sizes = [abs(v) for v in counted]
    least, largest = min(sizes), max(sizes)
    form = "." if all(v == math.floor(v) for v in counted) else f".{_DIGITS}f"
    if largest / least > 1000 or largest > 1e8 or least < 1e-4:
        form = f".{_DIGITS}e"
    return form, max(len(_entry(v, form)) for v in counted)


def _entry(value: float, form: str) -> str:
    if not math.isfinite(value):
        return str(value)
    return f"{value:.0f}." if form == "." else format(value, form)


def _layout(value: Nested, form: str, width: int, indent: int) -> str:
    if not isinstance(value, tuple):
        return _entry(value, form).rjust(width)
    if value and isinstance(value[0], tuple):
        gap = "," + "\n" * (_rank(value) - 1) + " " * (indent + 1)
        return f"[{gap.join(_layout(v, form, width, indent + 1) for v in value)}]"
    texts = [_layout(v, form, width, indent) for v in value]
    count = max(1, (_LINEWIDTH - indent) // (width + 2))
    rows = [", ".join(texts[k : k + count]) for k in range(0, len(texts), count)]
    return "[" + (",\n" + " " * (indent + 1)).join(rows) + "]"


def _rank(value: Nested) -> int:
    return 1 + _rank(value[0]) if isinstance(value, tuple) and value else 0
