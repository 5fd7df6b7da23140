"""Domains as sets of numbers: what they admit, and how they are spelled."""

from __future__ import annotations

from decimal import Decimal, localcontext
from fractions import Fraction

from losscodegen.ir.loss import Domain, DomainKind, Interval

BASE: dict[DomainKind, Interval] = {
    DomainKind.REAL: Interval(),
    DomainKind.POSITIVE: Interval(low=Fraction(0)),
    DomainKind.NONNEGATIVE: Interval(low=Fraction(0), low_open=False),
    DomainKind.NEGATIVE: Interval(high=Fraction(0)),
    DomainKind.UNIT: Interval(
        low=Fraction(0), high=Fraction(1), low_open=False, high_open=False
    ),
    DomainKind.COUNT: Interval(low=Fraction(0), low_open=False),
    DomainKind.INTEGER: Interval(),
}
"""The numeric domains as intervals: those that an ``in`` can narrow."""

CONTINUOUS = frozenset(BASE) - {DomainKind.COUNT, DomainKind.INTEGER}
"""The domains in which a gradient step makes sense."""

_VALUES = {
    DomainKind.BINARY: (0, 1),
    DomainKind.SIGN: (-1, 1),
    DomainKind.MASK: (0, 1),
    DomainKind.BOOL: (0, 1),
}


def admits(domain: Domain, value: float | Fraction) -> bool:
    """Whether a single entry of this domain may be ``value``.

    What ties entries together is not asked: that a simplex sums to 1, that an index is below
    the size of a named axis.
    """
    kind = domain.kind
    whole = value == value // 1
    if kind in _VALUES:
        return value in _VALUES[kind]
    if kind in BASE:
        inside = domain.interval is None or value in domain.interval
        return value in BASE[kind] and inside and (whole or kind in CONTINUOUS)
    match kind:
        case DomainKind.SIMPLEX:
            return 0 <= value <= 1
        case DomainKind.LOGPROB:
            return value <= 0
        case DomainKind.INDEX:
            size = domain.axis or ""
            return whole and value >= 0 and (not size.isdecimal() or value < int(size))
        case _:
            return False


def meet(one: Interval, other: Interval) -> bool:
    """Whether two intervals have more than one point in common."""
    lows = [end for end in (one.low, other.low) if end is not None]
    highs = [end for end in (one.high, other.high) if end is not None]
    return not lows or not highs or max(lows) < min(highs)


def fits(value: Fraction) -> bool:
    """Whether float64 has a number near ``value``: no overflow, no underflow to zero."""
    try:
        return (float(value) == 0) == (value == 0)
    except OverflowError:
        return False


def format_domain(domain: Domain) -> str:
    """The domain as a declaration writes it, without the interval."""
    arguments = domain.choices if domain.axis is None else (domain.axis,)
    inside = f"({', '.join(arguments)})" if arguments else ""
    return domain.kind.value + inside


def format_declared(domain: Domain) -> str:
    """The domain as a declaration writes it, with the interval."""
    if domain.interval is None:
        return format_domain(domain)
    return f"{format_domain(domain)} in {format_interval(domain.interval)}"


def format_interval(interval: Interval) -> str:
    """The interval as mathematics writes it."""
    low = "-oo" if interval.low is None else format_fraction(interval.low)
    high = "oo" if interval.high is None else format_fraction(interval.high)
    opening = "(" if interval.low_open else "["
    closing = ")" if interval.high_open else "]"
    return f"{opening}{low}, {high}{closing}"


def format_fraction(value: Fraction) -> str:
    """The number as a decimal if it is one, else as ``a/b``; always exact.

    >>> [format_fraction(Fraction(a, b)) for a, b in ((1, 10), (-3, 1), (1, 3), (1, 10**9))]
    ['0.1', '-3', '1/3', '1e-9']
    """
    if value.denominator == 1 and abs(value) < 10**9:
        return str(value.numerator)
    places = _decimal_places(value.denominator)
    if places is None:
        return f"{value.numerator}/{value.denominator}"
    digits = value.numerator * (10**places // value.denominator)
    with localcontext() as context:
        context.prec = len(str(abs(digits)))
        text = str(Decimal(digits).scaleb(-places).normalize())
    return text.lower().replace("e+", "e")


def _decimal_places(denominator: int) -> int | None:
    """The decimal places that a fraction with this denominator needs; None if none will do."""
    places = 0
    for prime in (2, 5):
        power = 0
        while denominator % prime == 0:
            denominator //= prime
            power += 1
        places = max(places, power)
    return places if denominator == 1 else None
