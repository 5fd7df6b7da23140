"""Expressions in the mathematics of a docstring."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import assert_never

from losscodegen.compiler import latex_names
from losscodegen.compiler.conditions import number_of
from losscodegen.compiler.latex_math import (
    COMMAND,
    LONG_EXPONENT,
    Level,
    Math,
    as_vector,
    between,
    enclosed,
    factors_of,
    fits,
    is_short,
    is_tall,
    level_of,
    opposite,
    stretched,
    vanishes,
)
from losscodegen.compiler.tidy import product
from losscodegen.ir.build import ONE, ZERO, call
from losscodegen.ir.nodes import (
    Call,
    Constant,
    Expr,
    Index,
    Keep,
    Keeper,
    Named,
    Number,
    Read,
    Reduce,
    Reduction,
    Select,
    Size,
    Switch,
    Use,
)
from losscodegen.ir.ops import OPS, Group
from losscodegen.ir.walk import substitute


class Printer:
    """Prints expressions.

    ``names`` overrides the symbols of variables and definitions. Where a symbol of mathematics is
    the name of something ``declared``, the function is written by its name instead.
    """

    def __init__(
        self, names: Mapping[str, str], declared: frozenset[str] = frozenset()
    ) -> None:
        self.names = names
        self.declared = declared
        self._printed: dict[int, tuple[Expr, Math]] = {}

    def whole(self, expr: Expr) -> str:
        """``expr`` as the right side of an equation."""
        if isinstance(expr, Select | Switch):
            return self.cases(expr)
        return self.math(expr).text

    def at(self, expr: Expr, least: Level) -> str:
        return self.math(expr).at(least)

    def math(self, expr: Expr) -> Math:
        # What is stabilised shares its parts, and some would be written out thousands of times.
        # By identity: equal numbers may have been typed in different ways.
        found = self._printed.get(id(expr))
        if found is None:
            found = self._printed[id(expr)] = expr, self._math(expr)
        return found[1]

    def _math(self, expr: Expr) -> Math:
        match expr:
            case Number(value):
                text = latex_names.number(expr)
                if value < 0:
                    return Math(text, Level.SIGN)
                return Math(text, Level.PRODUCT if r"\cdot" in text else Level.ATOM)
            case Constant(name):
                return Math({Named.PI: r"\pi", Named.E: "e", Named.OO: r"\infty"}[name])
            case Index(name):
                return Math(latex_names.index(name))
            case Size(axis):
                return Math(latex_names.axis(axis))
            case Read(name, subscripts) | Use(name, subscripts):
                inside = tuple(self.math(s).text for s in subscripts)
                return Math(latex_names.symbol(name, inside, self.names))
            case Call():
                return self.call(expr)
            case Select():
                return self.select(expr)
            case Switch():
                return Math(self.cases(expr), Level.PREFIX)
            case Reduce():
                return self.reduce(expr)
            case Keep():
                return self.keep(expr)
            case _:
                assert_never(expr)

    # ---------------------------------------------------------------- choices

    def select(self, expr: Select) -> Math:
        """Inside a formula: an Iverson bracket if one side is 0, else cases."""
        condition, kept = expr.condition, expr.then
        if expr.otherwise != ZERO:
            turned = opposite(condition)
            if expr.then != ZERO or turned is None:
                return Math(self.cases(expr), Level.PREFIX)
            condition, kept = turned, expr.otherwise
        if vanishes(kept, condition):
            return self.math(kept)
        bracket = f"[{self.condition(condition)}]"
        if kept == ONE:
            return Math(bracket)
        return Math(f"{bracket} {self.at(kept, Level.PRODUCT)}", Level.PRODUCT)

    def cases(self, expr: Select | Switch) -> str:
        rows: list[str] = []
        rest: Expr = expr
        while isinstance(rest, Select | Switch):
            rows.append(
                f"{self.math(rest.then).text} & {self.condition(rest.condition)}"
            )
            rest = rest.otherwise
        rows.append(rf"{self.math(rest).text} & \text{{otherwise}}")
        return r"\begin{cases} " + r" \\ ".join(rows) + r" \end{cases}"

    def condition(self, expr: Expr) -> str:
        return self.math(expr).text

    # ---------------------------------------------------------------- ops

    def call(self, expr: Call) -> Math:
        match expr:
            case Call("add", args):
                return Math(self.sum(args), Level.SUM)
            case Call("neg", (inner,)):
                return Math(f"-{self.at(inner, Level.PRODUCT)}", Level.SIGN)
            case Call("mul", args):
                return self.product(args)
            case Call("div", (top, bottom)):
                return self.fraction(top, bottom)
            case Call("pow", (base, exponent)):
                return self.power(base, exponent)
            case Call("square", (base,)):
                return self.power(base, Number(Fraction(2)))
            case Call("exp", (arg,)):
                text = self.math(arg).text
                if is_tall(text) or len(text) > LONG_EXPONENT or "e" in self.declared:
                    return Math(rf"\exp{enclosed(text)}", Level.FRACTION)
                return Math(f"e^{{{text}}}", Level.POWER)
            case Call("clip", (arg, low, Constant(Named.OO))):
                return self.call(Call("max", (arg, low)))
            case Call("clip", (arg, Call("neg", (Constant(Named.OO),)), high)):
                return self.call(Call("min", (arg, high)))
            case Call("and" | "or" as op, args):
                least = Level.RELATION if op == "and" else Level.LOGIC
                parts = [self.at(a, Level(least)) for a in args]
                return Math(rf" \text{{ {op} }} ".join(parts), Level.LOGIC)
            case Call("not", (arg,)):
                turned = opposite(arg)
                if turned is not None:
                    return self.math(turned)
        return self.row(expr)

    def sum(self, args: tuple[Expr, ...]) -> str:
        text = self.at(args[0], Level.SUM)
        for arg in args[1:]:
            match arg:
                case Call("neg", (inner,)):
                    text += f" - {self.at(inner, Level.PRODUCT)}"
                case Number(value) if value < 0:
                    text += f" - {self.math(Number(-value)).text}"
                case _:
                    text += f" + {self.at(arg, Level.PRODUCT)}"
        return text

    def product(self, args: Iterable[Expr]) -> Math:
        factors = [self.math(a) for a in factors_of(args)]
        # What takes in the rest of the line stands last, or in parentheses.
        factors.sort(key=lambda f: f.level == Level.PREFIX)
        negative = factors[0].level == Level.SIGN
        texts = [factors[0].text if negative else factors[0].at(Level.PRODUCT)]
        for k, factor in enumerate(factors[1:], start=2):
            last = k == len(factors)
            texts.append(factor.at(Level.PRODUCT if last else Level.FRACTION))
        if factors[0].level == Level.PREFIX and len(factors) > 1:
            texts[0] = enclosed(texts[0])
        text = texts[0]
        for following in texts[1:]:
            text += between(text, following) + following
        return Math(text, Level.SIGN if negative else Level.PRODUCT)

    def fraction(self, top: Expr, bottom: Expr) -> Math:
        if isinstance(top, Call) and top.op == "neg":
            positive = self.fraction(top.args[0], bottom)
            return Math(f"-{positive.at(Level.PRODUCT)}", Level.SIGN)
        above, below = number_of(top), number_of(bottom)
        if above is not None and below is not None and below != 0:
            if isinstance(top, Number) and top.text is not None and "." in top.text:
                return Math(
                    rf"\frac{{{self.math(top).text}}}{{{below}}}", Level.FRACTION
                )
            text = latex_names.fraction(above / below)
            return Math(text, Level.SIGN if text.startswith("-") else Level.FRACTION)
        if below is not None and below.denominator == 1 and is_short(top):
            # Half a square is one half times the square.
            factors = list(factors_of((top,)))
            lead = number_of(factors[0])
            if lead is not None and lead.denominator == 1:
                factors = factors[1:]
            else:
                lead = Fraction(1)
            coefficient = Number(lead / below)
            if coefficient.value.denominator != 1:
                return self.product((coefficient, *factors))
        above_ = self.math(top).text
        if r"\begin" in above_:
            return self.product((Call("div", (ONE, bottom)), top))
        return Math(rf"\frac{{{above_}}}{{{self.math(bottom).text}}}", Level.FRACTION)

    def power(self, base: Expr, exponent: Expr) -> Math:
        value = number_of(exponent)
        match exponent:
            case Call("div", (Number(above), Number(below))) if below:
                value = above / below
        if value == Fraction(1, 2):
            return Math(rf"\sqrt{{{self.math(base).text}}}")
        if value is not None and value.denominator != 1:
            text = f"{value.numerator}/{value.denominator}"
        elif isinstance(exponent, Call) and exponent.op == "div":
            text = "/".join(self.at(a, Level.PREFIX) for a in exponent.args)
        else:
            text = self.math(exponent).text
        text = text if len(text) == 1 else f"{{{text}}}"
        return Math(f"{self.at(base, Level.ATOM)}^{text}", Level.POWER)

    def row(self, expr: Call) -> Math:
        """An op as its row of the table spells it."""
        row = OPS[expr.op]
        template = row.latex or ""
        if (
            any(name in self.declared for name in COMMAND.findall(template))
            or not template
        ):
            template = rf"\operatorname{{{{{row.name}}}}}({{args}})"
        if row.group is Group.COMPARISON:
            sides = [self.at(a, Level.SUM) for a in expr.args]
            return Math(template.format(*sides), Level.RELATION)
        texts = []
        for k, arg in enumerate(expr.args):
            math = self.math(arg)
            bare = fits(template, k, math.level)
            if math.text.startswith("-") and f"-{{{k}}}" in template:
                bare = False  # two signs in a row
            texts.append(math.text if bare else enclosed(math.text))
            if texts[k].startswith(("(", r"\left(")):
                template = re.sub(rf"(\\[a-z]+) (\{{{k}\}})", r"\1\2", template)
        text = template.format(*texts, args=", ".join(texts))
        if is_tall(text):
            text = stretched(text)
        return Math(text, level_of(row, template))

    # ---------------------------------------------------------------- binders

    def reduce(self, expr: Reduce) -> Math:
        match expr:
            case Reduce(Reduction.SUM, Select(condition, then, otherwise)) if (
                otherwise == ZERO
            ):
                where = (
                    condition
                    if expr.where is None
                    else call("and", expr.where, condition)
                )
                return self.reduce(replace(expr, body=then, where=where))
        under = self.range(expr.indices, expr.where)
        body = self.math(expr.body)
        operand = body.at(Level.PRODUCT)
        match expr.kind:
            case Reduction.SUM if expr.body == ONE:
                return Math(rf"\#\{{{under}\}}")
            case Reduction.SUM:
                return Math(rf"\sum_{{{under}}} {operand}", Level.PREFIX)
            case Reduction.MEAN if expr.where is None:
                count = product(*(Size(i.axis) for i in expr.indices))
                text = (
                    rf"\frac{{1}}{{{self.math(count).text}}} \sum_{{{under}}} {operand}"
                )
                return Math(text, Level.PREFIX)
            case Reduction.MEAN:
                return Math(
                    rf"\operatorname{{mean}}_{{{under}}} {operand}", Level.PREFIX
                )
            case Reduction.PROD:
                return Math(rf"\prod_{{{under}}} {operand}", Level.PREFIX)
            case Reduction.LOGSUMEXP:
                inner = self.at(Call("exp", (expr.body,)), Level.PRODUCT)
                return Math(rf"\log \sum_{{{under}}} {inner}", Level.PREFIX)
            case Reduction.AMAX | Reduction.AMIN:
                name = r"\max" if expr.kind is Reduction.AMAX else r"\min"
                return Math(rf"{name}_{{{under}}} {operand}", Level.PREFIX)
            case Reduction.VAR:
                text = rf"\operatorname{{Var}}_{{{under}}} {operand}"
                return Math(text, Level.PREFIX)
            case Reduction.NORM:
                return self.norm(expr, under)
            case _:
                assert_never(expr.kind)

    def norm(self, expr: Reduce, under: str) -> Math:
        order = "2" if expr.order is None else self.math(expr.order).text
        vector = as_vector(expr.body, expr.indices)
        if vector is not None and expr.where is None:
            under = order if len(order) == 1 else f"{{{order}}}"
            return Math(rf"\lVert {self.math(vector).text} \rVert_{under}")
        if order == r"\infty":
            return Math(
                rf"\max_{{{under}}} \lvert {self.math(expr.body).text} \rvert",
                Level.PREFIX,
            )
        if order == "2":
            square = self.power(expr.body, Number(Fraction(2))).text
            return Math(rf"\sqrt{{\sum_{{{under}}} {square}}}")
        terms = (
            rf"\sum_{{{under}}} \lvert {self.math(expr.body).text} \rvert^{{{order}}}"
        )
        return Math(rf"\left( {terms} \right)^{{1/{order}}}", Level.POWER)

    def keep(self, expr: Keep) -> Math:
        at = self.math(expr.at).text
        if expr.kind is Keeper.NORMALIZE:
            two = Number(Fraction(2))
            length = Reduce(Reduction.NORM, expr.body, (expr.index,), order=two)
            here = substitute(expr.body, {expr.index: expr.at})
            return self.fraction(here, length)
        name = "softmin" if expr.kind is Keeper.SOFTMIN else "softmax"
        vector = as_vector(expr.body, (expr.index,))
        if vector is not None:
            text = rf"\operatorname{{{name}}}{enclosed(self.math(vector).text)}"
        else:
            under = latex_names.index(expr.index.name)
            inner = enclosed(self.math(expr.body).text)
            text = rf"\operatorname{{{name}}}_{{{under}}}{inner}"
        text += f"_{at}" if len(at) == 1 else f"_{{{at}}}"
        if expr.kind is Keeper.LOG_SOFTMAX:
            return Math(rf"\log {text}", Level.PREFIX)
        return Math(text)

    def range(self, indices: tuple[Index, ...], where: Expr | None) -> str:
        under = ", ".join(latex_names.index(i.name) for i in indices)
        if where is None:
            return under
        text = self.condition(where)
        if isinstance(where, Call) and where.args[0] in indices and len(indices) == 1:
            return text
        if isinstance(where, Call) and set(where.args) == set(indices):
            return text
        return rf"{under} :\, {text}"
