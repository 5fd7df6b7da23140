"""The mathematics of a loss for its documentation: definition and gradient.

One ``.. math::`` block says what a loss is: the formula of the spec, the definitions it uses more
than once, and the derivative by its first input where that is short enough to teach something.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from losscodegen.compiler import latex_names
from losscodegen.compiler.differentiate import gradient
from losscodegen.compiler.latex_layout import (
    broken,
    glyphs,
    laid_out,
)
from losscodegen.compiler.latex_printer import Printer
from losscodegen.compiler.unfold import fold, residual, unshadowed
from losscodegen.ir.build import ZERO
from losscodegen.ir.loss import Definition, DomainKind, Loss, Variable
from losscodegen.ir.nodes import Expr, Index, Read, Select, Switch, Use
from losscodegen.ir.walk import free_indices, index_names, inline, walk

Equation = tuple[str, str]
"""The left and the right side."""

WIDTH = 80
"""Characters of a source line; the generated docstring indents it by eight."""

_FEW_LINES = 4
"""The gradient is left out where it takes more than so many lines."""

_INLINE_NODES = 24
"""A definition used once is printed in place unless it is larger than this."""

_TOO_LARGE = 400
"""Nodes of a derivative that nobody would read: it is not even laid out."""

_NOT_DIFFERENTIATED = frozenset(
    {
        DomainKind.INDEX,
        DomainKind.BOOL,
        DomainKind.CHOICE,
        DomainKind.COUNT,
        DomainKind.INTEGER,
    }
    | {DomainKind.BINARY, DomainKind.SIGN, DomainKind.MASK}
)


def latex(expr: Expr, names: Mapping[str, str] | None = None) -> str:
    """``expr`` as mathematics on one line; ``names`` gives symbols for variables."""
    return Printer(names or {}).whole(expr)


def definition_math(loss: Loss, names: Mapping[str, str] | None = None) -> list[str]:
    """The lines of the math block of ``loss``, which is as the spec wrote it.

    The unreduced loss, its definitions, and the derivative by the first real input. Lines keep
    within `WIDTH` characters wherever a line can be broken at all.
    """
    shown = _shown(loss)
    printer = _printer(loss, shown, names)
    found = _definition_equations(shown, printer)
    slope = next(_gradient_equations(loss, shown, printer, first=True), None)
    if slope is not None and _teaches(slope):
        found.append(slope)
    return _block(found)


def equations(
    loss: Loss, names: Mapping[str, str] | None = None
) -> tuple[list[Equation], list[Equation]]:
    """The definition of ``loss`` and its derivatives by all inputs that have one.

    A derivative that is too large to be read is left out.
    """
    shown = _shown(loss)
    printer = _printer(loss, shown, names)
    return (
        _definition_equations(shown, printer),
        list(_gradient_equations(loss, shown, printer)),
    )


def aligned(found: list[Equation]) -> str:
    """Equations as one block of LaTeX, below each other unless they fit on a line."""
    return "\n".join(_block(found))


def _printer(loss: Loss, shown: Loss, names: Mapping[str, str] | None) -> Printer:
    declared = frozenset(
        {v.name for v in loss.variables} | {d.name for d in shown.definitions}
    )
    return Printer(names or {}, declared | {i.name for i in _all_indices(loss)})


def _definition_equations(shown: Loss, printer: Printer) -> list[Equation]:
    first = (left_side(shown, printer), printer.whole(shown.expression))
    return [first] + [
        (_definition_left(definition, printer), printer.whole(definition.body))
        for definition in shown.definitions
    ]


def _teaches(equation: Equation) -> bool:
    """Whether an equation is short enough to be read."""
    lines = laid_out(" = ".join(equation), WIDTH - 4)
    return sum(not line.strip().startswith(r"\end{") for line in lines) <= _FEW_LINES


# ---------------------------------------------------------------- what is shown


def _shown(loss: Loss) -> Loss:
    """``loss`` with the definitions that are worth a line of their own, the others in place."""
    used = Counter(
        node.name
        for expr in (loss.expression, *(d.body for d in loss.definitions))
        for node in walk(expr)
        if isinstance(node, Use)
    )
    kept: list[Definition] = []
    gone: list[Definition] = []
    for definition in loss.definitions:
        body = inline(definition.body, tuple(gone))
        size = sum(1 for _ in walk(body))
        again = used[definition.name] > 1 and size > 1
        choice = isinstance(body, Select | Switch) and body.otherwise != ZERO
        target = kept if again or choice or size > _INLINE_NODES else gone
        target.append(replace(definition, body=body))
    expression = inline(loss.expression, tuple(gone))
    needed = reached(expression, kept)
    shown = replace(
        loss,
        expression=expression,
        definitions=tuple(d for d in kept if d.name in needed),
    )
    return without_shadows(residual(shown))


def without_shadows(loss: Loss) -> Loss:
    """``loss`` with bound indices renamed that a reader would take for those outside."""
    return replace(
        loss,
        expression=unshadowed(loss.expression, loss.free),
        definitions=tuple(
            replace(d, body=unshadowed(d.body, d.indices)) for d in loss.definitions
        ),
    )


def _all_indices(loss: Loss) -> set[Index]:
    nodes = (n for e in _expressions(loss) for n in walk(e))
    return {n for n in nodes if isinstance(n, Index)}


def reached(expression: Expr, definitions: Iterable[Definition]) -> set[str]:
    """The definitions that the loss itself needs; others serve the weight of the mean."""
    bodies = {d.name: d.body for d in definitions}
    found: set[str] = set()
    pending = [expression]
    while pending:
        for node in walk(pending.pop()):
            if isinstance(node, Use) and node.name not in found:
                found.add(node.name)
                pending.append(bodies[node.name])
    return found


def left_side(loss: Loss, printer: Printer) -> str:
    """``\\ell_b`` where the loss has free indices, else ``\\ell(x, y)``."""
    if loss.free:
        return latex_names.symbol(
            "loss",
            tuple(latex_names.index(i.name) for i in loss.free),
            {"loss": r"\ell"},
        )
    read = {n.name for e in _expressions(loss) for n in walk(e) if isinstance(n, Read)}
    inputs = [v.name for v in loss.inputs if v.name in read]
    symbols = ", ".join(latex_names.symbol(name, (), printer.names) for name in inputs)
    return rf"\ell({symbols})" if symbols else r"\ell"


def _expressions(loss: Loss) -> Iterable[Expr]:
    return (loss.expression, *(d.body for d in loss.definitions))


def _definition_left(definition: Definition, printer: Printer) -> str:
    return printer.math(Use(definition.name, definition.indices)).text


# ---------------------------------------------------------------- the derivative


def _gradient_equations(
    loss: Loss, shown: Loss, printer: Printer, *, first: bool = False
) -> Iterator[Equation]:
    """The derivatives by an element of each input, in terms of the shown definitions.

    Only that by the ``first`` input that has one, if so.
    """
    expression = inline(shown.expression, shown.definitions)
    for variable in list(_differentiated(loss, expression))[: 1 if first else None]:
        wrt = wanted_element(variable, loss, expression)
        slope = gradient(expression, wrt)
        if sum(1 for _ in walk(slope)) > _TOO_LARGE:
            continue
        slope = fold(slope, shown.definitions)
        slope = unshadowed(slope, (*loss.free, *free_indices(wrt)))
        entry = [latex_names.index(i.name) for i in loss.free]
        ell = latex_names.symbol("loss", tuple(entry), {"loss": r"\ell"})
        left = rf"\frac{{\partial {ell}}}{{\partial {printer.math(wrt).text}}}"
        yield left, printer.whole(slope)


def _differentiated(loss: Loss, expression: Expr) -> Iterator[Variable]:
    read = {n.name for n in walk(expression) if isinstance(n, Read)}
    for variable in loss.inputs:
        kind = variable.domain.kind
        if variable.name in read and kind not in _NOT_DIFFERENTIATED:
            yield variable


_LETTERS = "jkilmnpqrsuv"


def wanted_element(variable: Variable, loss: Loss, expression: Expr) -> Read:
    """The element to differentiate by: of the same sample where the loss is one of samples."""
    reads = [
        n for n in walk(expression) if isinstance(n, Read) and n.name == variable.name
    ]
    taken = index_names(expression) | {v.name for v in loss.variables}
    taken |= {d.name for d in loss.definitions} | {i.name for i in loss.free}
    subscripts: list[Expr] = []
    for k, axis in enumerate(variable.subscripted_axes):
        found = {r.subscripts[k] for r in reads}
        entry = found.pop() if len(found) == 1 else None
        if isinstance(entry, Index) and entry in loss.free:
            subscripts.append(entry)
            continue
        name = next((c for c in _LETTERS if c not in taken), "j2")
        taken.add(name)
        subscripts.append(Index(name, axis))
    return Read(variable.name, tuple(subscripts))


# ---------------------------------------------------------------- the block

_SIDE_BY_SIDE = 62
"""Glyphs that two equations may have together to stand on one line."""


def _block(equations: list[Equation]) -> list[str]:
    if len(equations) == 1:
        return laid_out(" = ".join(equations[0]), WIDTH)
    widths = [glyphs(left + right) for left, right in equations]
    if len(equations) == 2 and sum(widths) <= _SIDE_BY_SIDE:
        first, second = (f"{left} = {right}" for left, right in equations)
        return [*laid_out(first, WIDTH), r"\qquad", *laid_out(second, WIDTH)]
    lines = [r"\begin{aligned}"]
    for k, (left, right) in enumerate(equations):
        end = "" if k == len(equations) - 1 else r" \\"
        text = f"{left} &= {broken(right)}{end}"
        lines += [f"    {line}" for line in laid_out(text, WIDTH - 4)]
    return [*lines, r"\end{aligned}"]
