"""The docstring of a generated class."""

from __future__ import annotations

import math
import re
import textwrap

from losscodegen.compiler.checks import domain_condition
from losscodegen.compiler.latex import definition_math
from losscodegen.ir.loss import (
    ELLIPSIS,
    Domain,
    DomainKind,
    Loss,
    Nested,
    Variable,
)
from losscodegen.ir.nodes import Call, Expr, Read, Reduce, Reduction, Use
from losscodegen.ir.walk import walk

WIDTH = 88


def safe(text: str) -> str:
    """Free text of a spec made harmless inside a raw triple-quoted docstring."""
    flat = "".join(c if c.isprintable() or c in "\n\t" else " " for c in text)
    return flat.replace('"""', "'''").strip()


def one_line(text: str) -> str:
    """`safe` text on one line, fit to end a one-line docstring."""
    flat = " ".join(safe(text).replace("\\", "/").split())
    return flat.replace('"', "'")


def class_docstring(written: Loss, function: str) -> list[str]:
    """The lines between the quotes, without indentation. ``written`` is the loss as the spec has it."""
    del function
    lines = _paragraph(written.summary or written.name)
    if written.description:
        for part in safe(written.description).split("\n\n"):
            lines += ["", *_paragraph(part)]
    formula = definition_math(written)
    if formula:
        lines += ["", ".. math::", *(f"    {line}" for line in formula)]
    kinks = _kinks(written)
    if kinks:
        lines += ["", *_paragraph(kinks)]
    if written.notes:
        lines += ["", *_paragraph(written.notes)]
    arguments = _arguments(written)
    if arguments:
        lines += ["", "Args:", *arguments]
    lines += ["", "Shape:", *_shapes(written)]
    if written.reference:
        lines += ["", *_paragraph(f"Reference: {written.reference}")]
    lines += ["", "Example:", *(f"    {line}" for line in _example(written))]
    return lines


def _paragraph(text: str, indent: str = "", first: str | None = None) -> list[str]:
    # Spaces inside back quotes must not become line ends: mathematics would fall apart.
    flat = re.sub(r"`[^`]*`", _unbreakable, " ".join(safe(text).split()))
    lines = textwrap.wrap(
        flat,
        WIDTH - 4,
        initial_indent=indent if first is None else first,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace(_NO_BREAK, " ") for line in lines]


_NO_BREAK = "\x1f"


def _unbreakable(match: re.Match[str]) -> str:
    return match.group().replace(" ", _NO_BREAK)


# ---------------------------------------------------------------- arguments


def _arguments(loss: Loss) -> list[str]:
    lines: list[str] = []
    for variable in loss.parameters:
        text = variable.doc.strip() or "see the formula"
        text = text[0].upper() + text[1:]
        text = f"{text.rstrip('.')}{_domain_words(variable)}."
        if variable.axes:
            text += f" A tensor of shape :math:`{_math_shape(variable.axes)}`."
        if variable.optional:
            text += " None leaves it out."
        lines += _paragraph(text, "        ", f"    {variable.arg}: ")
    if not loss.scalar:
        if loss.mean_weight is None:
            text = '``"mean"`` and ``"sum"`` return a scalar.'
        else:
            text = '``"mean"`` returns their weighted mean and ``"sum"`` their sum.'
        text = f'``"none"`` returns one loss per {_unit(loss)}, {text}'
        lines += _paragraph(text, "        ", "    reduction: ")
    return lines


def _unit(loss: Loss) -> str:
    """What the unreduced loss has one entry of."""
    longest = max((v.axes for v in loss.inputs), key=len)
    rank = len(loss.free) + (loss.batch is not None)
    return "element" if rank == len(longest) else "sample"


def _domain_words(variable: Variable) -> str:
    symbol = variable.arg.replace("_", r"\_")
    found = domain_condition(variable.arg, variable.domain)
    if (
        found is None
        or not variable.scalar
        or variable.domain.kind is DomainKind.CHOICE
    ):
        return ""
    if variable.domain.interval is not None or variable.domain.kind is DomainKind.UNIT:
        text = found[0].replace(variable.arg, rf"\text{{{symbol}}}")
        text = text.replace("<=", r"\le").replace("math.inf", r"\infty")
        return f", :math:`{text}`"
    return {
        DomainKind.POSITIVE: ", positive",
        DomainKind.NONNEGATIVE: ", not negative",
        DomainKind.NEGATIVE: ", negative",
        DomainKind.COUNT: ", a whole number",
    }.get(variable.domain.kind, "")


def _math_shape(axes: tuple[str, ...]) -> str:
    return "(" + ", ".join("*" if a == ELLIPSIS else a for a in axes) + ")"


_CONTENTS = {
    DomainKind.POSITIVE: "positive",
    DomainKind.NONNEGATIVE: "not negative",
    DomainKind.NEGATIVE: "negative",
    DomainKind.UNIT: "in :math:`[0, 1]`",
    DomainKind.BINARY: "0 or 1",
    DomainKind.SIGN: "-1 or 1",
    DomainKind.COUNT: "whole numbers, not negative",
    DomainKind.INTEGER: "whole numbers",
    DomainKind.MASK: "0 or 1, the entries that count",
}


def _contents(domain: Domain) -> str:
    if domain.interval is not None:
        found = domain_condition("entry", domain)
        return "" if found is None else f"``{found[0].replace('math.', '')}``"
    match domain.kind:
        case DomainKind.INDEX:
            return f"integers in :math:`[0, {domain.axis})`"
        case DomainKind.SIMPLEX:
            return f"probabilities that sum to 1 over {domain.axis}"
        case DomainKind.LOGPROB:
            return f"log-probabilities over {domain.axis}"
        case kind:
            return _CONTENTS.get(kind, "")


def _shapes(loss: Loss) -> list[str]:
    lines: list[str] = []
    seen: dict[tuple[str, ...], str] = {}
    for variable in loss.inputs:
        text = f"- {variable.arg}: :math:`{_math_shape(variable.axes)}`"
        if variable.axes in seen:
            text += f", the shape of {seen[variable.axes]}"
        elif variable.axes == (ELLIPSIS,):
            text += ", any shape"
        seen.setdefault(variable.axes, variable.arg)
        description = _describe(variable)
        text += f"; {description}." if description else "."
        lines += _paragraph(text, "      ", "    ")
    lines += _paragraph(f"- output: {_output(loss)}.", "      ", "    ")
    return lines


def _describe(variable: Variable) -> str:
    parts = (variable.doc.strip().rstrip("."), _contents(variable.domain))
    return ", ".join(p for p in parts if p)


def _output(loss: Loss) -> str:
    if loss.scalar:
        return "scalar"
    dims = [i.axis for i in loss.free]
    if loss.batch is not None:
        dims.insert(loss.batch, ELLIPSIS)
    shape = _math_shape(tuple(dims))
    return f'scalar, or :math:`{shape}` if ``reduction="none"``'


# ---------------------------------------------------------------- kinks


def _kinks(loss: Loss) -> str:
    """The derivative at each kind of kink, as the conventions of the language fix it."""
    found: dict[str, None] = {}
    scalars = {v.name for v in loss.parameters if v.scalar}
    for expr in (loss.expression, *(d.body for d in loss.definitions)):
        for node in walk(expr):
            sentence = _kink(node, scalars)
            if sentence:
                found.setdefault(sentence)
    return " ".join(found)


_SENTENCES = {
    "abs": "The derivative of an absolute value at 0 is 0.",
    "sign": "The derivative of a sign is 0 everywhere.",
    "relu": "The derivative of a positive part at 0 is 0.",
    "max": "Where the arguments of a maximum tie, they share its derivative equally.",
    "min": "Where the arguments of a minimum tie, they share its derivative equally.",
    "clip": "The derivative of a clipped value at either end is that of the inside.",
    "floor": "The derivative of a whole part is 0 everywhere.",
    "hypot": "The gradient of a length at 0 is 0.",
}


def _kink(node: Expr, scalars: set[str]) -> str | None:
    match node:
        case Call(op, args) if op in _SENTENCES:
            names = {n.name for a in args for n in walk(a) if isinstance(n, Read | Use)}
            return None if names and names <= scalars else _SENTENCES[op]
        case Reduce(Reduction.NORM):
            return "The gradient of a norm at 0 is the subgradient 0."
        case Reduce(Reduction.AMAX | Reduction.AMIN):
            return (
                "Where several entries are extreme, they share the derivative equally."
            )
        case _:
            return None


# ---------------------------------------------------------------- example


def _example(loss: Loss) -> list[str]:
    head = [">>> import torch"]
    if loss.example is None:
        return [*head, f">>> loss = {loss.name}()"] if _constructible(loss) else head
    given = dict(loss.example.arguments)
    constructor = [
        f"{v.arg}={_value(given[v.name], v)}"
        for v in loss.parameters
        if v.name in given
    ]
    if not loss.scalar:
        constructor.append('reduction="none"')
    calls = [_value(given[v.name], v) for v in loss.inputs]
    lines = [*head, f">>> loss = {loss.name}({', '.join(constructor)})"]
    call = f">>> loss({', '.join(calls)})"
    if len(call) > WIDTH - 8:
        for variable, text in zip(loss.inputs, calls, strict=True):
            lines.append(f">>> {variable.arg} = {text}")
        call = f">>> loss({', '.join(v.arg for v in loss.inputs)})"
    return [*lines, call, f"tensor({print_tensor(loss.example.result)})"]


def _constructible(loss: Loss) -> bool:
    return all(not v.required for v in loss.parameters)


def _value(value: Nested | str, variable: Variable) -> str:
    whole = variable.domain.kind in (
        DomainKind.INDEX,
        DomainKind.INTEGER,
        DomainKind.COUNT,
    )
    if variable.scalar or isinstance(value, str):
        return (
            repr(value)
            if not isinstance(value, float) or not whole
            else repr(int(value))
        )
    integral = variable.domain.kind is DomainKind.INDEX
    return f"torch.tensor({_nested(value, integral)})"


def _nested(value: Nested, integral: bool) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(_nested(v, integral) for v in value)}]"
    if integral:
        return str(int(value))
    if math.isnan(value) or math.isinf(value):
        return f"float('{value}')"
    return repr(float(value))


def print_tensor(value: Nested) -> str:
    """``value`` as torch prints a float32 tensor of these numbers (four digits)."""
    flat = [v for v in _flat(value) if math.isfinite(v)]
    nonzero = [abs(v) for v in flat if v != 0]
    whole = all(v == math.floor(v) for v in flat)
    largest, smallest = max(nonzero, default=0.0), min(nonzero, default=0.0)
    if whole:
        scientific = largest / smallest > 1000.0 or largest > 1e8 if nonzero else False
        form = "{:.4e}" if scientific else "{:.0f}."
    else:
        scientific = largest / smallest > 1000.0 or largest > 1e8 or smallest < 1e-4
        form = "{:.4e}" if scientific else "{:.4f}"
    texts = {v: _entry(v, form) for v in _flat(value)}
    width = max((len(t) for t in texts.values()), default=0)
    if not isinstance(value, tuple):
        return _entry(value, form)
    return _layout(value, form, width, depth=1)


def _entry(value: float, form: str) -> str:
    return str(value) if not math.isfinite(value) else form.format(value)


def _layout(value: Nested, form: str, width: int, depth: int) -> str:
    if not isinstance(value, tuple):
        return _entry(value, form).rjust(width)
    if value and isinstance(value[0], tuple):
        gap = "," + "\n" * (_rank(value) - 1) + " " * (depth + len("tensor("))
        return "[" + gap.join(_layout(v, form, width, depth + 1) for v in value) + "]"
    return "[" + ", ".join(_layout(v, form, width, depth + 1) for v in value) + "]"


def _rank(value: Nested) -> int:
    return 1 + _rank(value[0]) if isinstance(value, tuple) and value else 0


def _flat(value: Nested) -> list[float]:
    if isinstance(value, tuple):
        return [x for v in value for x in _flat(v)]
    return [float(value)]
