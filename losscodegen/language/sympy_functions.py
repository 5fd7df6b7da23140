"""Functions for SymPy that it lacks or differentiates wrongly.

SymPy has a delta distribution for the derivative of a sign, none at all for that of a floor, and
divides by a base to differentiate its power, which is 0/0 where the base is 0. These functions
stay as they are written, are real, and have the derivative of the op table.
"""

from __future__ import annotations

from typing import Any, ClassVar

import sympy

HALF = sympy.Rational(1, 2)


class Opaque(sympy.Function):  # type: ignore[misc] # SymPy is not typed
    """A real function that is never rewritten; at numbers it has a value."""

    op: ClassVar[str]
    is_commutative = True

    def _eval_is_extended_real(self) -> bool:
        return True

    @classmethod
    def eval(cls, *args: Any) -> Any:
        return cls.at(*args) if all(a.is_number for a in args) else None

    @classmethod
    def at(cls, *args: Any) -> Any:
        """The value at numbers."""
        raise NotImplementedError


class Detached(Opaque):
    op = "detach"

    @classmethod
    def at(cls, x: Any) -> Any:
        return x

    def fdiff(self, argindex: int = 1) -> Any:
        return sympy.Integer(0)


class Whole(Opaque):
    op = "floor"

    @classmethod
    def at(cls, x: Any) -> Any:
        return sympy.floor(x)

    def fdiff(self, argindex: int = 1) -> Any:
        return sympy.Integer(0)


class Sign(Opaque):
    op = "sign"

    @classmethod
    def at(cls, x: Any) -> Any:
        return sympy.sign(x)

    def fdiff(self, argindex: int = 1) -> Any:
        return sympy.Integer(0)


class Step(Opaque):
    op = "heaviside"

    @classmethod
    def at(cls, x: Any) -> Any:
        return (1 + sympy.sign(x)) / 2

    def fdiff(self, argindex: int = 1) -> Any:
        return sympy.Integer(0)


class Magnitude(Opaque):
    op = "abs"

    @classmethod
    def at(cls, x: Any) -> Any:
        return sympy.Abs(x)

    def fdiff(self, argindex: int = 1) -> Any:
        return Sign(self.args[0])


class Larger(Opaque):
    op = "max"

    @classmethod
    def at(cls, x: Any, y: Any) -> Any:
        return sympy.Max(x, y)

    def fdiff(self, argindex: int = 1) -> Any:
        x, y = self.args
        return Step(x - y) if argindex == 1 else Step(y - x)


class Smaller(Opaque):
    op = "min"

    @classmethod
    def at(cls, x: Any, y: Any) -> Any:
        return sympy.Min(x, y)

    def fdiff(self, argindex: int = 1) -> Any:
        x, y = self.args
        return Step(y - x) if argindex == 1 else Step(x - y)


class Power(Opaque):
    """A power whose exponent is no number."""

    op = "pow"

    @classmethod
    def at(cls, x: Any, y: Any) -> Any:
        return sympy.Pow(x, y)

    def fdiff(self, argindex: int = 1) -> Any:
        x, y = self.args
        if argindex == 1:
            return y * Power(x, y - 1)
        return TimesLog(self, x)


class TimesLog(Opaque):
    """``x*log(y)``, which is 0 where x is 0."""

    op = "xlogy"

    @classmethod
    def at(cls, x: Any, y: Any) -> Any:
        return sympy.Integer(0) if x.is_zero else x * sympy.log(y)

    def fdiff(self, argindex: int = 1) -> Any:
        x, y = self.args
        return sympy.log(y) if argindex == 1 else TimesInverse(x, y)


class TimesInverse(Opaque):
    """``x/y``, which is 0 where x is 0: the derivative of `TimesLog`."""

    op = "div"

    @classmethod
    def at(cls, x: Any, y: Any) -> Any:
        return sympy.Integer(0) if x.is_zero else x / y

    def fdiff(self, argindex: int = 1) -> Any:
        x, y = self.args
        return 1 / y if argindex == 1 else -TimesInverse(x, y) / y


OPAQUE: tuple[type[Opaque], ...] = (
    Detached,
    Whole,
    Sign,
    Step,
    Magnitude,
    Larger,
    Smaller,
    Power,
    TimesLog,
)
