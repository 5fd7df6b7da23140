"""Sums, products and powers as Python text: where signs stand, and which parentheses are needed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from fractions import Fraction

from losscodegen.compiler.tensor_nodes import (
    Apply,
    Conditional,
    Extent,
    Literal,
    Name,
    Special,
    Tensor,
)
from losscodegen.ir.nodes import Named


class Binds(IntEnum):
    """How tightly a piece of Python holds together."""

    CONDITIONAL = 1
    OR = 2
    AND = 3
    NOT = 4
    COMPARE = 5
    BITOR = 6
    BITAND = 7
    SUM = 8
    PRODUCT = 9
    UNARY = 10
    POWER = 11
    ATOM = 12


@dataclass(frozen=True, slots=True)
class Text:
    text: str
    binds: Binds = Binds.ATOM

    def at(self, least: Binds) -> str:
        """The text, in parentheses if it holds together less than ``least``."""
        return self.text if self.binds >= least else f"({self.text})"


# ---------------------------------------------------------------- numbers


def literal(value: Fraction, text: str | None) -> Text:
    if value < 0:
        return Text("-" + literal(-value, None).text, Binds.UNARY)
    if text is not None and not text.isdigit():
        return Text(text.replace("E", "e"))
    decimal = float(value)
    if Fraction(decimal) == value or _is_decimal(value):
        return Text(repr(decimal))
    return Text(f"{value.numerator}.0 / {value.denominator}.0", Binds.PRODUCT)


def _is_decimal(value: Fraction) -> bool:
    """Whether a short decimal text denotes exactly this number."""
    return Fraction(repr(float(value))) == value


def number(tensor: Tensor) -> bool:
    match tensor:
        case Literal() | Special():
            return True
        case Apply("neg", (inner,)):
            return number(inner)
        case _:
            return False


def scalar(tensor: Tensor) -> bool:
    """Whether ``tensor`` is a Python number, which has no methods of tensors."""
    match tensor:
        case Literal() | Special() | Extent():
            return True
        case Name(_, static) | Apply(_, _, static):
            return static
        case Conditional(_, then, otherwise):
            return scalar(then) and scalar(otherwise)
        case _:
            return False


def infinite(tensor: Tensor) -> bool:
    match tensor:
        case Special(Named.OO) | Apply("neg", (Special(Named.OO),)):
            return True
        case _:
            return False


# ---------------------------------------------------------------- signs


def opposite(tensor: Tensor) -> Tensor | None:
    """Minus ``tensor`` where that takes a minus sign away; None where it does not."""
    match tensor:
        case Apply("neg", (inner,)):
            return inner
        case Literal(value, _, whole) if value < 0:
            return Literal(-value, whole=whole)
        case Apply("mul", args, static):
            negative, factors = signed(args)
            return Apply("mul", factors, static) if negative else None
        case Apply("div", (left, right), static):
            positive = opposite(left)
            return None if positive is None else Apply("div", (positive, right), static)
        case _:
            return None


def signed(args: tuple[Tensor, ...]) -> tuple[bool, tuple[Tensor, ...]]:
    """Whether a product has an odd number of minus signs, and its factors without them."""
    negative, factors = False, []
    for arg in args:
        inner = opposite(arg) if not isinstance(arg, Apply) or arg.op == "neg" else None
        negative ^= inner is not None
        factors.append(arg if inner is None else inner)
    return negative, tuple(factors)


# ---------------------------------------------------------------- operations


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """The operations on numbers; ``text`` spells an operand."""

    text: Callable[[Tensor], Text]

    def entry(self, tensor: Tensor) -> Text:
        """A comparison's other side: 0 and 1 without a point, as people write them."""
        match tensor:
            case Literal(value) if value.denominator == 1 and abs(value) < 10**6:
                return Text(str(value), Binds.ATOM if value >= 0 else Binds.UNARY)
            case _:
                return self.text(tensor)

    def sum(self, args: tuple[Tensor, ...]) -> Text:
        parts = [self.text(args[0]).at(Binds.SUM)]
        for arg in args[1:]:
            positive = opposite(arg)
            if positive is None:
                parts.append(f"+ {self.text(arg).at(Binds.PRODUCT)}")
            else:
                parts.append(f"- {self.text(positive).at(Binds.PRODUCT)}")
        return Text(" ".join(parts), Binds.SUM)

    def negative(self, tensor: Tensor) -> Text:
        """A sign in front; that of a product or quotient may as well be its first factor's."""
        positive = opposite(tensor)
        if positive is not None and not isinstance(tensor, Literal):
            return self.text(positive)
        inner = self.text(tensor)
        if inner.binds is Binds.PRODUCT:
            return Text(f"-{inner.text}", Binds.PRODUCT)
        return Text(f"-{inner.at(Binds.UNARY)}", Binds.UNARY)

    def product(self, args: tuple[Tensor, ...]) -> Text:
        # A number stands in front, with the sign of all factors: `-0.5 * x`.
        negative, factors = signed(args)
        front = [a for a in factors if isinstance(a, Literal)]
        rest = [a for a in factors if not isinstance(a, Literal)]
        parts = [self.text(a).at(Binds.UNARY) for a in (*front, *rest)]
        if not front:
            parts[0] = self.text(rest[0]).at(Binds.UNARY if negative else Binds.PRODUCT)
        return Text(("-" if negative else "") + " * ".join(parts), Binds.PRODUCT)

    def quotient(self, left: Tensor, right: Tensor) -> Text:
        if isinstance(right, Literal) and not isinstance(left, Literal):
            inverse = 1 / right.value if right.value else None
            if inverse is not None and Fraction(float(inverse)) == inverse:
                return self.product((Literal(inverse), left))  # exact: a power of two
        if isinstance(right, Literal) and isinstance(left, Literal) and right.value:
            quotient = left.value / right.value
            if Fraction(float(quotient)) == quotient:
                return literal(quotient, None)
        text = (
            f"{self.text(left).at(Binds.PRODUCT)} / {self.text(right).at(Binds.UNARY)}"
        )
        return Text(text, Binds.PRODUCT)

    def power(self, base: Tensor, exponent: Tensor, static: bool) -> Text:
        if static:
            return Text(
                f"{self.text(base).at(Binds.ATOM)}**{self.entry(exponent).at(Binds.UNARY)}",
                Binds.POWER,
            )
        match exponent:
            case Literal(value) if value == 2:
                return self._method(base, "square()")
            case Literal(value) if value == Fraction(1, 2):
                return self._method(base, "sqrt()")
            case Literal(value) if value == -1:
                return Text(f"1.0 / {self.text(base).at(Binds.UNARY)}", Binds.PRODUCT)
            case Literal(value) if value == Fraction(-1, 2):
                return self._method(base, "rsqrt()")
        if scalar(base):
            return Text(
                f"torch.pow({self.text(base).text}, {self.text(exponent).text})"
            )
        return self._method(base, f"pow({self.entry(exponent).text})")

    def _method(self, value: Tensor, call: str) -> Text:
        return Text(f"{self.text(value).at(Binds.ATOM)}.{call}")
