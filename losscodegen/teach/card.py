"""A loss on paper: its mathematics, its symbols, its guards, its code. No number is computed."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from losscodegen.compiler import latex_names
from losscodegen.compiler.latex import aligned, equations
from losscodegen.compiler.latex_printer import Printer
from losscodegen.ir.loss import Loss
from losscodegen.language.write import format_declaration
from losscodegen.markup import prose, scrolled, table
from losscodegen.pipeline import Compiled
from losscodegen.teach.mathml import block, inline


def displayed(source: str, name: str) -> str:
    """LaTeX of the compiler as a displayed formula."""
    return scrolled("formula", name, block(source))


def definition_latex(loss: Loss) -> str:
    """The LaTeX of a loss and its definitions."""
    return aligned(equations(loss)[0])


def mathematics(loss: Loss) -> Iterator[str]:
    """The definition, the symbols, where it is from."""
    yield displayed(definition_latex(loss), "Definition")
    yield symbols(loss)
    if loss.description:
        yield prose(loss.description)
    if loss.notes:
        yield prose(loss.notes)
    if loss.reference:
        yield f'<div class="note">{prose(loss.reference)}</div>'


def symbols(loss: Loss) -> str:
    """A row for every input and parameter."""
    return table(
        "Symbols",
        ("in specs", "symbol", "argument", "lies in", "meaning"),
        (
            (
                f"<code>{escape(v.name)}</code>",
                inline(latex_names.symbol(v.name)),
                f"<code>{escape(v.arg)}</code>",
                f"<code>{escape(format_declaration(v))}</code>",
                escape(v.doc),
            )
            for v in loss.variables
        ),
        wide=frozenset({4}),
    )


def derivatives(loss: Loss) -> Iterator[str]:
    """The derivative by an element of each input, where it is short enough to be read."""
    _, slopes = equations(loss)
    for left, right in slopes:
        yield displayed(aligned([(left, right)]), "Derivative")
    if not slopes:
        yield "<p>No input of this loss has a derivative that is short enough to be read.</p>"


def guards(compiled: Compiled) -> str:
    """What the compiler rewrote for the sake of floating point, as before and after."""
    shown: dict[tuple[str, str, str], str] = {}
    printer = Printer({})
    for step in compiled.stabilized.steps:
        before, after = printer.whole(step.before), printer.whole(step.after)
        shown.setdefault((step.rule, before, after), step.why)
    named = {rule for rule, _, _ in shown}
    items = [
        _guard(rule, why, _rewrite(before, after))
        for (rule, before, after), why in shown.items()
    ]
    items += [
        _guard(guard.rule, guard.why, "")
        for guard in dict.fromkeys(compiled.program.guards)
        if guard.rule not in named
    ]
    if not items:
        return (
            "<p>Nothing had to be rewritten: the formula is right as it is typed.</p>"
        )
    return f'<ol class="guards">{"".join(items)}</ol>'


def _guard(rule: str, why: str, rewrite: str) -> str:
    return f"<li><strong>{escape(rule)}</strong>{rewrite}{prose(why)}</li>"


def _rewrite(before: str, after: str) -> str:
    sides = (
        scrolled("formula", "Before", inline(before)),
        '<span class="arrow" aria-label="becomes" role="img">→</span>',
        scrolled("formula", "After", inline(after)),
    )
    return f'<div class="rewrite">{"".join(sides)}</div>'
