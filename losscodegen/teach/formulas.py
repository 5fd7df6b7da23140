"""Formulas for readers: spec language, mathematics on one line, and LaTeX.

A derivative that is still to be taken is a read of a made-up name, ``#1`` and so on, whose
subscripts are the free indices of what is differentiated. The printers write it out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from losscodegen.compiler import latex_names
from losscodegen.compiler.latex_math import (
    Level,
    Math,
    as_vector,
    opposite,
    vanishes,
)
from losscodegen.compiler.latex_printer import Printer as LatexPrinter
from losscodegen.ir.build import ONE, ZERO, call, mul
from losscodegen.ir.loss import Loss
from losscodegen.ir.nodes import Call, Expr, Index, Keep, Read, Select, Switch, Use
from losscodegen.ir.walk import free_indices, substitute, walk
from losscodegen.language.mathematics import Mathematics
from losscodegen.language.printer import Binding
from losscodegen.language.printer import Printer as TextPrinter
from losscodegen.teach.model import Formula

MARK = "#"
"""What the names of derivatives that are still to be taken begin with."""

MINUS = "\N{MINUS SIGN}"

Pending = Mapping[str, Expr]


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """Writes formulas in all notations; ``wrt`` is what pending derivatives are taken by."""

    declared: frozenset[str]
    wrt: Read | None = None

    @classmethod
    def of(cls, loss: Loss, wrt: Read | None = None) -> Writer:
        """A writer for the formulas of a loss, definitions included."""
        indices = {
            n.name
            for e in (loss.expression, *(d.body for d in loss.definitions))
            for n in walk(e)
            if isinstance(n, Index)
        }
        names = {v.name for v in loss.variables} | {d.name for d in loss.definitions}
        return cls(declared=frozenset(names | indices), wrt=wrt)

    def symbol(self, name: str) -> str:
        """A name in LaTeX."""
        return _Latex({}, None, self.declared).math(Read(name)).text

    def formula(self, expr: Expr, pending: Pending | None = None) -> Formula:
        """``expr`` in all notations; ``pending`` says what its marks stand for."""
        marks = dict(pending or {})
        used = [n.name for n in walk(expr) if isinstance(n, Read)]
        return Formula(
            text=_Text(marks, self.wrt).text(expr),
            plain=_Plain(marks, self.wrt).text(expr),
            latex=_Latex(marks, self.wrt, self.declared).whole(expr),
            expr=expr,
            pending=tuple((n, marks[n]) for n in dict.fromkeys(used) if n in marks),
        )


def meant(pending: Pending, mark: Read) -> Expr:
    """What a mark stands for, at the subscripts that it has where it stands."""
    inner = pending[mark.name]
    return substitute(
        inner, dict(zip(free_indices(inner), mark.subscripts, strict=True))
    )


class _Text(TextPrinter):
    """The spelling of the language, ``d/dx[...]`` for what is still to be differentiated."""

    def __init__(self, pending: Pending, wrt: Read | None) -> None:
        super().__init__(None)
        self.pending, self.wrt = pending, wrt

    def subscripted(self, name: str, subscripts: tuple[Expr, ...]) -> str:
        if name not in self.pending or self.wrt is None:
            return super().subscripted(name, subscripts)
        by = super().subscripted(self.wrt.name, self.wrt.subscripts)
        return f"d/d{by}[{self.text(meant(self.pending, Read(name, subscripts)))}]"


class _Plain(Mathematics):
    """Mathematics on one line of plain text."""

    def __init__(self, pending: Pending, wrt: Read | None) -> None:
        super().__init__(None)
        self.pending, self.wrt = pending, wrt

    def bound(self, expr: Expr) -> tuple[str, Binding]:
        if isinstance(expr, Read) and expr.name in self.pending:
            by = super().bound(self.wrt)[0] if self.wrt is not None else ""
            inner = meant(self.pending, expr)
            if isinstance(inner, Use):
                return f"∂{super().bound(inner)[0]}/∂{by}", Binding.ATOM
            return f"∂/∂{by}[{self.text(inner)}]", Binding.ATOM
        match expr:
            case Select(condition, then, otherwise) if otherwise == ZERO:
                return self.bracket(condition, then, expr)
            case Select(condition, then, otherwise) if then == ZERO:
                turned = opposite(condition)
                if turned is not None:
                    return self.bracket(turned, otherwise, expr)
            case Call("neg", (Call("mul" | "div") as inner,)):
                return f"{MINUS}{self.text(inner, Binding.PRODUCT)}", Binding.SUM
            case Call("xlogy", (left, right)):
                return self.bound(mul(left, call("log", right)))
            case Call("delta", (left, right)):
                return f"δ({self.commas((left, right))})", Binding.ATOM
            case Keep(kind, body, index, at):
                vector = as_vector(body, (index,))
                if vector is not None:
                    text = f"{kind.value}({self.text(vector)})[{self.text(at)}]"
                    return text, Binding.ATOM
        return super().bound(expr)

    def bracket(self, condition: Expr, kept: Expr, expr: Select) -> tuple[str, Binding]:
        """What is 0 elsewhere: bare if it is 0 there by itself, an Iverson bracket if it is 1."""
        if vanishes(kept, condition):
            return self.bound(kept)
        if kept == ONE:
            return f"[{self.text(condition)}]", Binding.ATOM
        return super().bound(expr)


class _Latex(LatexPrinter):
    def __init__(
        self, pending: Pending, wrt: Read | None, declared: frozenset[str]
    ) -> None:
        super().__init__({}, declared)
        self.pending, self.wrt = pending, wrt

    def math(self, expr: Expr) -> Math:
        if (
            not isinstance(expr, Read)
            or expr.name not in self.pending
            or self.wrt is None
        ):
            return super().math(expr)
        by, inner = super().math(self.wrt).text, meant(self.pending, expr)
        if isinstance(inner, Use):
            whole = super().math(inner).text
            return Math(rf"\frac{{\partial {whole}}}{{\partial {by}}}", Level.FRACTION)
        whole = self.whole(inner)
        if isinstance(inner, Select | Switch):
            whole = self.cases(inner)
        operator = rf"\frac{{\partial}}{{\partial {by}}}"
        return Math(rf"{operator} \left[ {whole} \right]", Level.PREFIX)


def slope_symbol(
    of: str, writer: Writer, wrt: Read, free: tuple[Index, ...]
) -> Formula:
    """The left side of a derivation: ``dL/dx``."""
    printer = _Latex({}, None, writer.declared)
    by = printer.math(wrt).text
    if of == "loss":
        entry = tuple(latex_names.index(i.name) for i in free)
        top = latex_names.symbol("loss", entry, {"loss": r"\ell"})
        plain = "L"
    else:
        top, plain = printer.math(Use(of, free)).text, _Plain({}, None).text(
            Use(of, free)
        )
    return Formula(
        text=f"d{of}/d{_Text({}, None).text(wrt)}",
        plain=f"∂{plain}/∂{_Plain({}, None).text(wrt)}",
        latex=rf"\frac{{\partial {top}}}{{\partial {by}}}",
    )


def loss_symbol(loss: Loss, writer: Writer) -> Formula:
    """What the loss is called: ``L``."""
    entry = tuple(latex_names.index(i.name) for i in loss.free)
    return Formula(
        text="loss",
        plain="L",
        latex=latex_names.symbol("loss", entry, {"loss": r"\ell"}),
    )
