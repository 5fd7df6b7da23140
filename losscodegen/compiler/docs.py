"""The docstring of a generated class."""

from __future__ import annotations

import re
import textwrap

from losscodegen.compiler import latex_names
from losscodegen.compiler.checks import listed
from losscodegen.compiler.example import example_lines
from losscodegen.compiler.kinks import kink_sentences
from losscodegen.compiler.latex import definition_math
from losscodegen.ir.loss import (
    ELLIPSIS,
    Accuracy,
    Domain,
    DomainKind,
    Interval,
    Loss,
    Role,
    Variable,
)
from losscodegen.ir.nodes import Call, Read
from losscodegen.ir.walk import walk

WIDTH = 84
"""Characters of a line; the generated class indents its docstring by four."""


def safe(text: str) -> str:
    """Free text of a spec made harmless inside a raw triple-quoted docstring."""
    flat = "".join(c if c.isprintable() or c in "\n\t" else " " for c in text)
    return flat.replace('"""', "'''").strip()


def module_docstring(text: str) -> list[str]:
    """The lines of a plain docstring between its quotes; the last one also ends well."""
    flat = " ".join(safe(text).replace("\\", "/").replace('"', "'").split())
    if len(flat) <= WIDTH - 2:
        return [flat]
    return [*textwrap.wrap(flat, WIDTH, break_on_hyphens=False), ""]


_ABSOLUTE = (
    "Its accuracy is absolute: errors are small beside what results usually are, and small results "
    "may lose their digits. Numbers are taken to be 0 or, in magnitude, between 2**-30 and 2**30."
)


def class_docstring(written: Loss) -> list[str]:
    """The lines between the quotes; ``written`` is the loss as the spec has it."""
    lines = _paragraph(written.summary or written.name)
    for part in _parts(written.description):
        lines += ["", *_paragraph(part)]
    formula = definition_math(written)
    if formula:
        lines += ["", ".. math::", *(f"    {line}" for line in formula)]
        lines += _after_formula(written)
    kinks = kink_sentences(written)
    if kinks:
        lines += ["", *_paragraph(kinks)]
    for part in _parts(written.notes):
        lines += ["", *_paragraph(part)]
    if written.accuracy is Accuracy.ABSOLUTE:
        lines += ["", *_paragraph(_ABSOLUTE)]
    arguments = _arguments(written)
    if arguments:
        lines += ["", "Args:", *arguments]
    lines += ["", "Shape:", *_shapes(written)]
    if written.reference:
        lines += ["", *_paragraph(f"Reference: {written.reference}")]
    example = example_lines(written)
    if example:
        lines += ["", "Example:", *(f"    {line}" for line in example)]
    return lines


def prose(text: str) -> list[str]:
    """The lines of one paragraph of a docstring that is indented by four."""
    return _paragraph(text)


def _parts(text: str) -> list[str]:
    """The paragraphs of a free text."""
    return [p for p in re.split(r"\n\s*\n", safe(text)) if p]


def _paragraph(text: str, indent: str = "", first: str | None = None) -> list[str]:
    flat = _QUOTED.sub(_unbreakable, " ".join(safe(text).split()))
    lines = textwrap.wrap(
        flat,
        WIDTH,
        initial_indent=indent if first is None else first,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace(_NO_BREAK, " ") for line in lines]


_QUOTED = re.compile(r"(?P<role>:\w+:)?(?P<quotes>`+)(?P<inside>[^`]+)(?P=quotes)")
_NO_BREAK = "\x1f"


def _unbreakable(match: re.Match[str]) -> str:
    """Quoted text on one line: mathematics would fall apart.

    Single quotes without a role are a cross-reference in reStructuredText, double ones are code.
    """
    text = match.group()
    if match["role"] is None:
        text = f"``{match['inside']}``"
    return text.replace(" ", _NO_BREAK)


# ---------------------------------------------------------------- symbols


def _after_formula(loss: Loss) -> list[str]:
    """Which argument a symbol of the formula stands for, where its name does not say so."""
    bodies = (loss.expression, *(d.body for d in loss.definitions))
    read = {n.name for e in bodies for n in walk(e) if isinstance(n, Read)}
    known = [
        rf":math:`{_symbol(v)}` is ``{v.arg}``"
        for v in loss.variables
        if v.name != v.arg and v.name in read and not _introduced(v)
    ]
    if any(isinstance(n, Call) and n.op == "detach" for e in bodies for n in walk(e)):
        known.append(
            r":math:`\operatorname{sg}` holds its argument constant in the gradient"
        )
    return ["", *_paragraph(f"Here {listed(known)}.")] if known else []


def _symbol(variable: Variable) -> str:
    return latex_names.symbol(variable.name)


def _introduced(variable: Variable) -> bool:
    """Whether the list of arguments gives the symbol, together with its domain."""
    return variable.scalar and bool(_scalar_domain(variable))


# ---------------------------------------------------------------- arguments


def _arguments(loss: Loss) -> list[str]:
    lines: list[str] = []
    for variable in sorted(loss.parameters, key=lambda v: not v.required):
        text = variable.doc.strip().rstrip(".") or "see the formula"
        text = text[0].upper() + text[1:]
        if variable.axes:
            text += f". A tensor of shape :math:`{_math_shape(variable.axes)}`"
            contents = _contents(variable.domain)
            text += f", {contents}" if contents else ""
        elif variable.role is Role.LEARNABLE:
            text += ". The initial value of a learnable parameter"
        else:
            domain = _scalar_domain(variable)
            text += f", {domain}" if domain else ""
        lines += _paragraph(f"{text}.", "        ", f"    {variable.arg}: ")
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


def _scalar_domain(variable: Variable) -> str:
    """``:math:`\\delta > 0```: the domain of a number, in terms of its symbol."""
    symbol = _symbol(variable)
    if variable.domain.interval is not None:
        return f":math:`{_chain(symbol, variable.domain.interval)}`"
    text = {
        DomainKind.REAL: r"a real number :math:`{}`",
        DomainKind.POSITIVE: r":math:`{} > 0`",
        DomainKind.NONNEGATIVE: r":math:`{} \ge 0`",
        DomainKind.NEGATIVE: r":math:`{} < 0`",
        DomainKind.UNIT: r":math:`0 \le {} \le 1`",
        DomainKind.COUNT: r"an integer :math:`{} \ge 0`",
        DomainKind.INTEGER: r"an integer",
    }.get(variable.domain.kind, "")
    return text.format(symbol)


def _chain(symbol: str, interval: Interval) -> str:
    """``0 < a \\le 1``; infinity is never included."""
    low, high = _ends(interval)
    left = "<" if interval.low_open else r"\le"
    right = "<" if interval.high_open else r"\le"
    return f"{low} {left} {symbol} {right} {high}"


def _ends(interval: Interval) -> tuple[str, str]:
    low = r"-\infty" if interval.low is None else f"{float(interval.low):g}"
    high = r"\infty" if interval.high is None else f"{float(interval.high):g}"
    return low, high


def _math_shape(axes: tuple[str, ...]) -> str:
    return "(" + ", ".join("*" if a == ELLIPSIS else a for a in axes) + ")"


# ---------------------------------------------------------------- shapes

_CONTENTS = {
    DomainKind.POSITIVE: "positive",
    DomainKind.NONNEGATIVE: "non-negative",
    DomainKind.NEGATIVE: "negative",
    DomainKind.UNIT: "in :math:`[0, 1]`",
    DomainKind.BINARY: "0 or 1",
    DomainKind.SIGN: "-1 or 1",
    DomainKind.COUNT: "non-negative integers",
    DomainKind.INTEGER: "integers",
    DomainKind.MASK: "0 or 1",
}


def _contents(domain: Domain) -> str:
    """The domain of the entries of a tensor."""
    if domain.interval is not None:
        low, high = _ends(domain.interval)
        left = "(" if domain.interval.low_open else "["
        right = ")" if domain.interval.high_open else "]"
        return f"in :math:`{left}{low}, {high}{right}`"
    match domain.kind:
        case DomainKind.INDEX:
            return f"integers in :math:`[0, {domain.axis})`"
        case DomainKind.SIMPLEX:
            return f"summing to 1 over :math:`{domain.axis}`"
        case DomainKind.LOGPROB:
            return f"their exponentials summing to 1 over :math:`{domain.axis}`"
        case kind:
            return _CONTENTS.get(kind, "")


def _shapes(loss: Loss) -> list[str]:
    lines: list[str] = []
    seen: dict[tuple[str, ...], str] = {}
    for variable in loss.inputs:
        text = f"- {variable.arg}: :math:`{_math_shape(variable.axes)}`"
        if variable.axes in seen:
            text += f", same shape as {seen[variable.axes]}"
        elif variable.axes == (ELLIPSIS,) and not seen:
            text += ", any shape"
        seen.setdefault(variable.axes, variable.arg)
        lines += _paragraph(f"{text}{_described(variable)}.", "      ", "    ")
    lines += _paragraph(f"- output: {_output(loss)}.", "      ", "    ")
    return lines


def _described(variable: Variable) -> str:
    """What an input holds: its documentation and its domain, neither said twice."""
    doc = variable.doc.strip().rstrip(".")
    contents = _contents(variable.domain)
    if doc.lower() in (variable.arg, f"{variable.arg}s"):
        doc = ""
    match variable.domain.kind:
        case DomainKind.INDEX:
            return f", {contents}; {doc}" if doc else f", {contents}"
        case DomainKind.BINARY | DomainKind.MASK | DomainKind.SIGN:
            other = "-1" if variable.domain.kind is DomainKind.SIGN else "0"
            if re.search(rf"(?<!\w){other}\b", doc):
                contents = ""
            elif doc.startswith("1 "):
                contents = f"otherwise {other}"
        case DomainKind.COUNT | DomainKind.INTEGER:
            if re.search(r"\d", doc):
                contents = ""
        case _:
            pass
    text = ", ".join(part for part in (doc, contents) if part)
    return f"; {text}" if text else ""


def _output(loss: Loss) -> str:
    if loss.scalar:
        return "scalar"
    dims = [i.axis for i in loss.free]
    if loss.batch is not None:
        dims.insert(loss.batch, ELLIPSIS)
    shape = _math_shape(tuple(dims))
    return f'scalar, or :math:`{shape}` if ``reduction="none"``'
