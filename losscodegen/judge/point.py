"""What the judge asks (`Point`) and what is true there (`Truth`).

These are plain data. The oracle makes a `Truth` of a `Point`; everything that samples, compares
or reports works on the two.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from fractions import Fraction

from losscodegen.judge.rounding import Dtype, round_dyadic, ulp_distance

Scalar = float | int | bool
"""An entry: exact as it stands. A float is the very double, so `0.1` is not one tenth."""


@dataclass(frozen=True, slots=True)
class Array:
    """A tensor: its shape, and its entries with the last dim running fastest."""

    shape: tuple[int, ...]
    entries: tuple[Scalar, ...]

    def __post_init__(self) -> None:
        if math.prod(self.shape) != len(self.entries):
            raise ValueError(f"{len(self.entries)} entries in a shape of {self.shape}")


Entry = Array | Scalar | str | None
"""A tensor, a Python scalar, a word of a choice, or None for an optional that is left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A value for every variable of a loss, by symbol.

    A variable declared with axes (or ``...``) is an `Array`, also where it has one entry; a
    learnable parameter without axes may be an `Array` of shape () or a float. A variable that is
    missing has its default, as a double.
    """

    values: Mapping[str, Entry]
    label: str = ""
    """Where the point comes from, for reports."""


class Kind(Enum):
    """What is known of a real number."""

    FINITE = "finite"
    POSITIVE_INFINITY = "inf"
    NEGATIVE_INFINITY = "-inf"
    UNDEFINED = "nan"
    """There is no value: outside the domain, 0*oo, oo - oo, an index out of range."""
    UNDETERMINED = "undetermined"
    """The precision did not suffice."""


@dataclass(frozen=True, slots=True)
class Real:
    """A number known well enough to round it: ``mantissa * 2**exponent``, give or take ``radius``.

    The error bound is ``radius_mantissa * 2**radius_exponent``, 0 where the number is exact. The
    exponents have no limits: exp(-1e30) is an ordinary `Real`, and `rounded` gives 0.0. A zero with
    a radius is a number too small for the formats asked for, whose sign nobody knows.
    """

    kind: Kind
    mantissa: int = 0
    exponent: int = 0
    radius_mantissa: int = 0
    radius_exponent: int = 0

    @property
    def finite(self) -> bool:
        return self.kind is Kind.FINITE

    @property
    def infinite(self) -> bool:
        return self.kind in (Kind.POSITIVE_INFINITY, Kind.NEGATIVE_INFINITY)

    @property
    def known(self) -> bool:
        return self.kind is not Kind.UNDETERMINED

    @property
    def exact(self) -> bool:
        return self.infinite or (self.finite and self.radius_mantissa == 0)

    def rounded(self, dtype: Dtype = Dtype.FLOAT64) -> float:
        """The correctly rounded value; NaN where there is none or it is not known."""
        if self.kind is Kind.FINITE:
            return round_dyadic(self.mantissa, self.exponent, dtype)
        return _SPECIAL[self.kind]

    def ulps(self, got: float, dtype: Dtype) -> float:
        """How far ``got`` is off, in units of the last place of the correctly rounded value.

        0 for the right infinity and for NaN where the value is undefined, infinite for any other
        pair with a NaN in it.
        """
        if self.kind is Kind.FINITE:
            return ulp_distance(got, self.mantissa, self.exponent, dtype)
        if self.kind is Kind.UNDEFINED:
            return 0.0 if math.isnan(got) else math.inf
        if self.kind is Kind.UNDETERMINED:
            return math.nan
        sign = 1 if self.kind is Kind.POSITIVE_INFINITY else -1
        return ulp_distance(got, sign, dtype.top + 1, dtype)

    @property
    def fraction(self) -> Fraction:
        """The middle as a fraction; for a finite number within the range of doubles, or near it."""
        if not self.finite:
            raise ValueError(f"{self.kind.value} is no fraction")
        if not -100_000 < self.exponent < 100_000:
            raise OverflowError("the exponent is too large for a fraction")
        return self.mantissa * Fraction(2) ** self.exponent


_SPECIAL = {
    Kind.POSITIVE_INFINITY: math.inf,
    Kind.NEGATIVE_INFINITY: -math.inf,
    Kind.UNDEFINED: math.nan,
    Kind.UNDETERMINED: math.nan,
}

UNDEFINED = Real(Kind.UNDEFINED)
UNDETERMINED = Real(Kind.UNDETERMINED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slope:
    """An entry of a gradient.

    ``value`` follows the conventions of the language: 0 for abs and relu at 0, 1 for clip at its
    ends, shared equally for max, the branch taken for where. At a kink ``low`` and ``high`` enclose
    the one-sided derivatives: any number between them is a subgradient that may be given. They
    may lie further out than they need, by some 1e-8 of their size, and are None where the loss is
    differentiable. ``value`` is undefined if no convention applies (0*oo in the chain rule), and
    ``low`` and ``high`` are then the limits from both sides.

    ``jump`` says that the loss itself is discontinuous here, by a condition on computed numbers: a
    program that rounds may land on the other side.
    """

    value: Real
    low: Real | None = None
    high: Real | None = None
    jump: bool = False

    @property
    def kink(self) -> bool:
        return self.low is not None

    @property
    def ends(self) -> tuple[Real, ...]:
        """The convention, and at a kink the one-sided derivatives on both sides."""
        return tuple(e for e in (self.value, self.low, self.high) if e is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What is true of a loss at a point.

    ``value`` are the entries of the unreduced loss, ``shape`` its shape; ``gradient`` gives, by
    symbol, the gradient of the sum of all these entries with respect to each entry of a variable.
    Every entry rounds correctly to each of ``dtypes``, or says that it does not.
    """

    shape: tuple[int, ...]
    value: tuple[Real, ...]
    gradient: Mapping[str, tuple[Slope, ...]] = field(default_factory=dict)
    jumps: tuple[bool, ...] = ()
    """Which entries of the value jump at this very point, by a condition on computed numbers: a
    program that rounds may land on the other side."""
    dtypes: tuple[Dtype, ...] = (Dtype.FLOAT64,)
    bits: int = 64
    """The precision that it took."""

    @property
    def kink(self) -> bool:
        return any(
            s.kink or s.jump for slopes in self.gradient.values() for s in slopes
        )

    @property
    def known(self) -> bool:
        return all(v.known for v in self.value) and all(
            s.value.known for slopes in self.gradient.values() for s in slopes
        )
