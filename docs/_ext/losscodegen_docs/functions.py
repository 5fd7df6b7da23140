"""The reference of functions and operators, from the op table."""

from __future__ import annotations

import math
from collections.abc import Iterator

from losscodegen.cli.forms import FORMS, Form
from losscodegen.ir.accuracy import columns
from losscodegen.ir.ops import OPS, Group, Op, Sort
from losscodegen_docs.markdown import bullets, code, prose, table, target

EXACT = "exact"
ORDERS = {"value": "value", "gradient": "derivative", "second": "second derivative"}
TITLES = {
    Group.ARITHMETIC: "Arithmetic",
    Group.COMPARISON: "Comparisons",
    Group.LOGIC: "Logic",
    Group.POINTWISE: "Functions of numbers",
    Group.STABLE: "Written as meant, emitted stably",
    Group.CHOICE: "Choice",
    Group.OTHER: "Other",
}
"""The chapters, in order."""

FORM_TITLES = {
    "choice": "Choice between formulas",
    "binders: the index disappears": "Reductions: the index disappears",
    "keepers: the index stays": "Along an axis: the index stays",
    "numbers": "Numbers",
}


def functions() -> str:
    """A chapter for every group of the table, an entry for every row."""
    parts = [_op_chapter(group, title) for group, title in TITLES.items()]
    parts += [_form_chapter(group, title) for group, title in FORM_TITLES.items()]
    return "\n".join(parts)


def kinks() -> str:
    """A row for every function whose derivative has no value somewhere."""
    ops = [
        (f"[{code(spelling(op))}](#{op_anchor(op)})", code(op.kinks), op.convention)
        for op in OPS.values()
        if op.kinks and op.convention
    ]
    forms = [
        (
            f"[{code(form.spelling)}](#{form_anchor(form)})",
            form.kinks or "",
            form.convention,
        )
        for form in FORMS
        if form.convention
    ]
    rows = ((name, at, prose(convention)) for name, at, convention in ops + forms)
    return table(("function", "where", "the derivative there"), rows)


def op_anchor(op: Op) -> str:
    return f"op-{op.name}"


def form_anchor(form: Form) -> str:
    """As Sphinx has it in addresses: lower case, hyphens."""
    return f"form-{form.name.lower().replace('_', '-')}"


def _op_chapter(group: Group, title: str) -> str:
    rows = [op for op in OPS.values() if op.group is group]
    overview = table(
        ("written", "meaning"),
        ((f"[{code(spelling(op))}](#{op_anchor(op)})", prose(op.doc)) for op in rows),
    )
    return f"## {title}\n\n{overview}\n" + "\n".join(map(_op, rows))


def spelling(op: Op) -> str:
    """How a spec writes it: ``x + y``, ``exp(x)``."""
    names = ("x", "y", "z")
    least, most = op.arity
    if op.operator:
        return (
            f"{op.operator}x"
            if most == 1 and op.name != "not"
            else (f"not {names[0]}" if most == 1 else f"x {op.operator} y")
        )
    given = names[: most or 2] if most else (*names[:least], "...")
    return f"{op.name}({', '.join(given)})"


def _op(op: Op) -> str:
    facts = bullets(_facts(op))
    return (
        f"{target(op_anchor(op))}### {op.name}\n\n{prose(_sentence(op.doc))}\n\n{facts}"
    )


def _sentence(text: str) -> str:
    """A phrase of the table as a sentence; what begins with a formula keeps its case."""
    if text[:2].isalpha():
        text = text[0].upper() + text[1:]
    return text if text.endswith(".") else f"{text}."


def _facts(op: Op) -> Iterator[tuple[str, str]]:
    yield "written", code(spelling(op))
    also = ", ".join(code(s) for s in op.also if s != op.operator)
    yield "also", also
    yield "equals", code(op.meaning) if op.meaning else ""
    yield "defined", f"where {code(op.domain)}" if op.domain else ""
    if op.order is not None:
        least, most = op.order
        yield "first argument", (
            f"an integer literal from {least} to {most}"
            if most is not None
            else f"an integer literal, {least} or more"
        )
    if op.sort is Sort.REAL:
        yield "values", f"in {code(op.range)}" if op.range != "(-oo, oo)" else ""
        yield "derivative", _derivative(op)
        yield "kink", f"at {code(op.kinks)}" if op.kinks else ""
        yield "derivative there", prose(op.convention or "")
    yield "in PyTorch", code(_torch(op))
    yield "measured", _measured(op)
    if op.autograd != EXACT:
        remedy = (
            " Where the spec leaves it open, backward evaluates the derivative instead."
            if op.remedy
            else ""
        )
        yield "torch's own backward", prose(op.autograd) + "." + remedy


def _measured(op: Op) -> str:
    """The worst errors of torch's own function in any dtype and version that was measured."""
    rows = [
        rows[op.name]
        for c in columns().values()
        for rows in c.values()
        if op.name in rows
    ]
    parts = [
        f"{word} {_ulps(max(row[order].ulp for row in rows if order in row))}"
        for order, word in ORDERS.items()
        if any(order in row for row in rows)
    ]
    return f"{', '.join(parts)} ulp at worst" if parts else ""


def _ulps(ulp: float) -> str:
    if math.isinf(ulp):
        return "infinitely many"
    return f"{ulp:.0f}" if 10 <= ulp < 10_000 else f"{ulp:.2g}"


def _torch(op: Op) -> str:
    """How torch spells it, of x, y and z."""
    if op.operator and "{" not in op.torch and not op.torch.startswith("."):
        return op.torch
    text = "{0}" + op.torch if op.torch.startswith(".") else op.torch
    return text.format("x", "y", "z", args="x, y")


def _derivative(op: Op) -> str:
    if len(op.derivative) <= 1:
        return ", ".join(map(code, op.derivative))
    by = ("x", "y", "z")
    return ", ".join(
        f"{code(d)} by {code(n)}" for d, n in zip(op.derivative, by, strict=False)
    )


def _form_chapter(group: str, title: str) -> str:
    rows = [form for form in FORMS if form.group == group]
    return f"## {title}\n\n" + "\n".join(map(_form, rows))


def _form(form: Form) -> str:
    facts = bullets(
        (
            ("written", code(form.spelling)),
            ("also", ", ".join(map(code, form.also))),
            ("values", f"in {code(form.range)}" if form.range else ""),
            ("kink", prose(form.kinks or "")),
            ("derivative there", prose(form.convention or "")),
        )
    )
    head = f"{target(form_anchor(form))}### {form.name}\n\n"
    return f"{head}{code(form.doc) if '(' in form.doc else prose(_sentence(form.doc))}\n\n{facts}"
