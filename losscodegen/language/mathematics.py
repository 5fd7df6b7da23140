"""A loss as mathematics on one line of plain text, for lists. Nothing reads it back."""

from __future__ import annotations

import re

from losscodegen.ir.loss import Loss
from losscodegen.ir.nodes import (
    Call,
    Constant,
    Expr,
    Keep,
    Named,
    Number,
    Read,
    Reduce,
    Reduction,
    Select,
    Switch,
    Use,
)
from losscodegen.language.printer import Binding, Printer, format_number
from losscodegen.language.scope import Scope

_MINUS = "\N{MINUS SIGN}"
_GREEK = {
    name: letter
    for names, letters in (
        ("alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu", "αβγδεζηθικλμ"),
        ("nu xi pi rho sigma tau upsilon phi chi psi omega", "νξπρστυφχψω"),
        ("Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega", "ΓΔΘΛΞΠΣΦΨΩ"),
        ("eps lam", "ελ"),
    )
    for name, letter in zip(names.split(), letters, strict=True)
}  # fmt: skip
_RAISED = str.maketrans(f"{_MINUS}0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_LOWERED = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_CONSTANTS = {Named.PI: "π", Named.E: "e", Named.OO: "∞"}
_COMPARED = {"eq": "=", "ne": "≠", "le": "≤", "ge": "≥"}
_CALLED = {"lgamma": "log Γ", "gamma": "Γ", "digamma": "ψ"}
_REDUCED = {
    Reduction.SUM: "Σ",
    Reduction.PROD: "Π",
    Reduction.MEAN: "mean",
    Reduction.AMAX: "max",
    Reduction.AMIN: "min",
}
_SYMBOL = re.compile(r"([^\W\d_]+)(\d*)(.*)")


def one_line(loss: Loss) -> str:
    """The formula of a loss, then its definitions."""
    printer = Mathematics(Scope.of_loss(loss))
    text = printer.text(loss.expression)
    definitions = [
        f"{symbol(definition.name)} = {printer.text(definition.body, Binding.OR)}"
        for definition in reversed(loss.definitions)
    ]
    return f"{text} with {', '.join(definitions)}" if definitions else text


def symbol(name: str) -> str:
    """A name with Greek letters and lowered digits: ``w1`` is w₁, ``delta_low`` is δ_low."""
    match = _SYMBOL.fullmatch(name)
    if match is None:
        return name
    head, number, tail = match.groups()
    return _GREEK.get(head, head) + number.translate(_LOWERED) + tail


class Mathematics(Printer):
    """Prints expressions as mathematics on one line."""

    times, minus = "·", f" {_MINUS} "

    def bound(self, expr: Expr) -> tuple[str, Binding]:
        match expr:
            case Constant(name):
                return _CONSTANTS[name], Binding.ATOM
            case Number():
                text = format_number(expr)
                if text.startswith("Rational"):
                    return str(expr.value).replace("-", _MINUS), Binding.PRODUCT
                sign = Binding.SIGN if text.startswith("-") else Binding.ATOM
                return text.replace("-", _MINUS), sign
            case Read(name, subscripts) | Use(name, subscripts):
                whole = self.subscripted(name, subscripts)
                return symbol(name) + whole.removeprefix(name), Binding.ATOM
            case Select(condition, then, otherwise):
                return super().bound(Switch(condition, then, otherwise))
            case Reduce(Reduction.NORM, body, _, _, order):
                end = "2" if order is None else self.text(order, Binding.ATOM)
                end = "" if end == "2" else f"_{end}"
                return f"‖{self.text(body)}‖{end}", Binding.ATOM
            case Reduce(kind, body, indices, where):
                under = self.commas(indices).replace(", ", ",")
                if where is not None:
                    under += f": {self.text(where)}"
                under = under if len(under) == 1 else f"{{{under}}}"
                word = _REDUCED.get(kind, kind.value)
                return f"{word}_{under}({self.text(body)})", Binding.ATOM
            case Keep(kind, body, index, at) if at == index:
                return f"{kind.value}_{self.text(index)}({self.text(body)})", (
                    Binding.ATOM
                )
            case _:
                return super().bound(expr)

    def call(self, expr: Call) -> tuple[str, Binding]:
        args = expr.args
        match expr.op:
            case "abs":
                return f"|{self.text(args[0])}|", Binding.ATOM
            case "sqrt":
                inside, binding = self.bound(args[0])
                plain = binding is Binding.ATOM and inside.isalnum()
                return f"√{inside}" if plain else f"√({inside})", Binding.ATOM
            case "square":
                return f"{self.text(args[0], Binding.ATOM)}²", Binding.POWER
            case "pow":
                base = self.text(args[0], Binding.ATOM)
                power = super().text(args[1], Binding.ATOM)
                if re.fullmatch(rf"\(?{_MINUS}?[0-9]+\)?", power):
                    return base + power.strip("()").translate(_RAISED), Binding.POWER
                return f"{base}^{power}", Binding.POWER
            case "eq" | "ne" | "le" | "ge":
                left, right = (self.text(a, Binding.SUM) for a in args)
                return f"{left} {_COMPARED[expr.op]} {right}", Binding.COMPARISON
            case "neg":
                return f"{_MINUS}{self.text(args[0], Binding.SIGN)}", Binding.SIGN
        if expr.op in _CALLED:
            return f"{_CALLED[expr.op]}({self.commas(args)})", Binding.ATOM
        return super().call(expr)
