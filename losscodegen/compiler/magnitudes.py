"""Logarithms of what overflows or underflows, from the logarithms of its parts.

Rows that compute a function far out from the logarithm of its argument spell that logarithm
``where(x > 0, log(x), -oo)``, a *magnitude*. It only has to be right beside its own size, so that
those of products may become sums. Here it is pushed down to parts that stay in range.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache, reduce

from losscodegen.compiler.canonical import Factor, Product, factors, terms
from losscodegen.compiler.degrees import degree, reciprocal_degree
from losscodegen.compiler.ranges import Ranges, opposite, places
from losscodegen.compiler.simplify import tidy
from losscodegen.ir.build import ONE, OO, ZERO, add, call, div, mul, neg, number, sub
from losscodegen.ir.nodes import Call, Expr, Number, Read, Reduce, Reduction, Select
from losscodegen.ir.walk import children, rebuild, transform
from losscodegen.language.formula import parse_formula

LOWEST = neg(OO)
"""The logarithm of 0; as a constant it has no slope."""

FORMS = {
    "exp(x)": "x",
    "cosh(x)": "abs(x) + log1p(exp(-2*abs(x))) - log(2)",
    "sigmoid(x)": "logsigmoid(x)",
    "relu(x)": "where(x > 0, log_x, -oo)",
    "softplus(x)": "where(x > 50, log_x, where(x >= -40, log(softplus(x)), x))",
    "hypot(x, y)": "logaddexp(2*log_x, 2*log_y)/2",
    "abs(x)": "log_x",
    "detach(x)": "detach(log_x)",
}
"""The logarithm of the size of a function's value, by its arguments and their magnitudes."""


@dataclass(frozen=True, slots=True)
class Magnitudes:
    """How magnitudes are taken apart in one loss; ``free`` names what may be of any size."""

    free: Callable[[str], bool]

    def taken_apart(self, expr: Expr, ranges: Ranges) -> Expr:
        """``expr`` with every magnitude that a rule has asked for made of those of parts."""
        if not children(expr) or isinstance(expr, Read):
            return expr
        argument = asked(expr)
        if argument is not None:
            inner = self.taken_apart(argument, ranges)
            return replace(self.of(inner, ranges), origin=expr.origin)
        known = places(expr, ranges)
        parts = (
            self.taken_apart(c, r) for c, r in zip(children(expr), known, strict=True)
        )
        return rebuild(expr, tuple(parts))

    def of(self, expr: Expr, ranges: Ranges) -> Expr:
        """The logarithm of ``|expr|``."""
        if not self._extreme(expr, ranges):
            return _leaf(expr, ranges)
        product = factors(expr)
        if product != Product(Fraction(1), (Factor(expr, Fraction(1)),)):
            return self._product(product, ranges)
        match expr:
            case Call("add"):
                return self._sum(expr, ranges)
            case Call("max" | "min", args) if all(
                ranges.of(a).nonnegative for a in args
            ):
                return call(expr.op, *(self.of(a, ranges) for a in args))
            case Call("max" | "min" as op, (left, right)):
                over, under = ("gt", "lt") if op == "max" else ("lt", "gt")
                wins, loses = call(over, left, right), call(under, left, right)
                one = self.of(left, ranges.under(wins))
                other = self.of(right, ranges.under(loses))
                # Where both are the same, each has half of the slope.
                same = mul(number(Fraction(1, 2)), add(one, other))
                return Select(wins, one, Select(loses, other, same))
            case Call(op, args) if (form := _forms().get(op)) is not None:
                return self._filled(form, args, ranges)
            case Select(condition, then, otherwise):
                yes, no = ranges.under(condition), ranges.under(opposite(condition))
                return Select(condition, self.of(then, yes), self.of(otherwise, no))
            case Reduce():
                return self._reduced(expr, ranges)
            case _:
                return _leaf(expr, ranges)

    def _extreme(self, expr: Expr, ranges: Ranges) -> bool:
        return (
            degree(expr, ranges, self.free) > 1
            or reciprocal_degree(expr, ranges, self.free) > 1
        )

    def _product(self, product: Product, ranges: Ranges) -> Expr:
        parts = list[Expr]()
        if abs(product.coefficient) != 1:
            parts.append(call("log", number(abs(product.coefficient))))
        for factor in product.factors:
            part, exponent = self.of(factor.base, ranges), factor.exponent
            by = number(exponent) if isinstance(exponent, Fraction) else exponent
            parts.append(tidy(mul(by, part)))
        return tidy(add(*parts)) if parts else ZERO

    def _sum(self, expr: Expr, ranges: Ranges) -> Expr:
        own = terms(expr)
        constant = sum((t.coefficient for t in own if t.body == ONE), Fraction(0))
        found = [
            tidy(mul(number(t.coefficient), t.body)) if t.coefficient != 1 else t.body
            for t in own
            if t.body != ONE
        ]
        if constant:
            found.insert(0, number(constant))
        if all(ranges.of(t).nonnegative for t in found):
            parts = [self.of(t, ranges) for t in found]
            return reduce(lambda one, other: call("logaddexp", one, other), parts)
        return self._difference(expr, found, ranges)

    def _difference(self, expr: Expr, parts: list[Expr], ranges: Ranges) -> Expr:
        """The sum as it is while it is finite, and from the magnitudes of its parts beyond.

        Logarithms have no slope where a factor of a part is 0, and the sum has one there.
        """
        finite = call("isfinite", expr)
        free = [p for p in parts if degree(p, ranges, self.free) > 0]
        match [self.of(p, ranges) for p in free]:
            case [far]:  # Beside it the others are nothing once it overflows.
                pass
            case [one, other]:
                # Whatever differs will do where the sum is finite.
                one, other = Select(finite, ZERO, one), Select(finite, ONE, other)
                less = call("exp", neg(call("abs", sub(one, other))))
                sign = call("detach", mul(*(call("sign", p) for p in free)))
                rest = call("log1p", mul(sign, less))
                far = add(call("max", one, other), rest)
            case _:
                return _leaf(expr, ranges)
        return Select(finite, _leaf(expr, ranges), far)

    def _reduced(self, expr: Reduce, ranges: Ranges) -> Expr:
        inside = ranges.under(expr.where)
        body, kind = expr.body, expr.kind
        positive = inside.of(body).nonnegative

        def over(new: Expr, kind: Reduction) -> Expr:
            return Reduce(kind, new, expr.indices, expr.where)

        count = over(ONE, Reduction.SUM)
        match kind:
            case Reduction.SUM if positive:
                return over(self.of(body, inside), Reduction.LOGSUMEXP)
            case Reduction.MEAN if positive:
                total = over(self.of(body, inside), Reduction.LOGSUMEXP)
                return sub(total, call("log", count))
            case Reduction.AMAX | Reduction.AMIN if positive:
                return over(self.of(body, inside), kind)
            case Reduction.AMAX | Reduction.AMIN:
                # Of numbers on its own side of 0 the outermost is meant, else the innermost.
                upwards = kind is Reduction.AMAX
                beyond = call("gt" if upwards else "lt", body, ZERO)
                size = self.of(body, inside)
                outer = over(Select(beyond, size, LOWEST), Reduction.AMAX)
                return Select(
                    call("gt" if upwards else "lt", expr, ZERO),
                    outer,
                    over(size, Reduction.AMIN),
                )
            case Reduction.NORM if expr.order is None:
                squares = mul(number(2), self.of(body, inside))
                return mul(number(Fraction(1, 2)), over(squares, Reduction.LOGSUMEXP))
            case Reduction.VAR if degree(body, inside, self.free) <= 1:
                largest = over(call("abs", body), Reduction.AMAX)
                some = Select(call("gt", largest, ZERO), largest, ONE)
                scale = call("detach", some)
                spread = over(div(body, scale), Reduction.VAR)
                return add(mul(number(2), call("log", scale)), call("log", spread))
            case _:
                return _leaf(expr, ranges)

    def _filled(self, form: Expr, args: tuple[Expr, ...], ranges: Ranges) -> Expr:
        names = dict(zip("xy", args, strict=False))

        def filled(node: Expr) -> Expr:
            if not isinstance(node, Read):
                return node
            arg = names[node.name.removeprefix("log_")]
            return arg if node.name in names else self.of(arg, ranges)

        return transform(form, filled)


def asked(expr: Expr) -> Expr | None:
    """What a rule has asked for the magnitude of, if ``expr`` is such a request."""
    match expr:
        case Select(Call("gt", (_, zero)), Call("log", (argument,)), low) if (
            expr.origin.guard is not None and zero == ZERO and low == LOWEST
        ):
            return argument
        case _:
            return None


def _leaf(expr: Expr, ranges: Ranges) -> Expr:
    if isinstance(expr, Number):
        if expr.value == 0:
            return LOWEST
        return ZERO if abs(expr.value) == 1 else call("log", number(abs(expr.value)))
    found = ranges.of(expr)
    if found.positive:
        return call("log", expr)
    return _positive(expr if found.nonnegative else call("abs", expr))


def _positive(size: Expr) -> Expr:
    """The logarithm of a number that is not negative."""
    return Select(call("gt", size, ZERO), call("log", size), LOWEST)


@cache
def _forms() -> dict[str, Expr]:
    found = dict[str, Expr]()
    for pattern, form in FORMS.items():
        head = parse_formula(pattern)
        assert isinstance(head, Call)
        found[head.op] = parse_formula(form)
    return found
