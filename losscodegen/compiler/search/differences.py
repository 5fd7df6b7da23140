"""THE table of differences: ``f(a) - f(b)`` from ``d = a - b``, one row for each function.

A difference of two values that are close keeps as many digits as ``d`` has. Where the arguments
are far apart there is nothing to be lost, and the plain difference stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """``op(a) - op(b)`` as a formula in a, b and d.

    near: where the formula is used, a condition on a, b and d; None: everywhere.
    why: one sentence, the comment in the generated code.
    exponent: the function has a second argument p, the same in both.
    known: an argument and the rational value there: a number is a value of the function, too.
    """

    op: str
    form: str
    near: str | None = None
    why: str
    source: str
    exponent: bool = False
    known: tuple[int, Fraction] | None = None

    @property
    def name(self) -> str:
        return f"difference-of-{self.op}"


_CLOSE = "Of close arguments the difference is lost to rounding;"
_RATIO = "abs(d) < abs(b)/2"
_HERBIE = "Hamming, Numerical Methods for Scientists and Engineers, ch. 3"

DIFFERENCES = (
    Difference(
        op="log",
        form="log1p(d/b)",
        near="abs(d) < b/2",
        why=f"{_CLOSE} it is the logarithm of the ratio, which is near 1.",
        source=_HERBIE,
    ),
    Difference(
        op="exp",
        form="exp(b)*expm1(d)",
        near="abs(d) < 1",
        why=f"{_CLOSE} one exponential is factored out.",
        source=_HERBIE,
    ),
    Difference(
        op="expm1",
        form="exp(b)*expm1(d)",
        near="abs(d) < 1",
        why=f"{_CLOSE} one exponential is factored out.",
        source=_HERBIE,
    ),
    Difference(
        op="sqrt",
        form="d/(sqrt(a) + sqrt(b))",
        why=f"{_CLOSE} it is that of the arguments over the sum of the roots.",
        source=_HERBIE,
    ),
    Difference(
        op="square",
        form="d*(a + b)",
        near=_RATIO,
        why=f"{_CLOSE} it is theirs times their sum. Where they are far apart, the gradient of the "
        "product would be lost instead.",
        source=_HERBIE,
    ),
    Difference(
        op="cbrt",
        form="d/(cbrt(a)**2 + cbrt(a)*cbrt(b) + cbrt(b)**2)",
        near=_RATIO,
        why=f"{_CLOSE} it is that of the arguments over the sum of the products of the roots.",
        source=_HERBIE,
    ),
    Difference(
        op="pow",
        form="b**p*expm1(p*log1p(d/b))",
        near="b > 0 and abs(d) < b/2",
        exponent=True,
        known=(1, Fraction(1)),
        why=f"{_CLOSE} it is one power times the other's relative excess.",
        source="by the row of log and that of exp",
    ),
    Difference(
        op="sin",
        form="2*cos((a + b)/2)*sin(d/2)",
        why=f"{_CLOSE} it is a product of the half sum and the half difference.",
        source=_HERBIE,
    ),
    Difference(
        op="cos",
        form="-2*sin((a + b)/2)*sin(d/2)",
        why=f"{_CLOSE} it is a product of the half sum and the half difference.",
        source=_HERBIE,
    ),
    Difference(
        op="tan",
        form="sin(d)/(cos(a)*cos(b))",
        why=f"{_CLOSE} it is the sine of theirs over the cosines.",
        source=_HERBIE,
    ),
    Difference(
        op="atan",
        form="atan2(d, 1 + a*b)",
        why=f"{_CLOSE} it is one angle.",
        source=_HERBIE,
    ),
    Difference(
        op="sinh",
        form="2*cosh((a + b)/2)*sinh(d/2)",
        near="abs(d) < 1",
        why=f"{_CLOSE} it is a product of the half sum and the half difference.",
        source="DLMF 4.35",
    ),
    Difference(
        op="cosh",
        form="2*sinh((a + b)/2)*sinh(d/2)",
        near="abs(d) < 1",
        why=f"{_CLOSE} it is a product of the half sum and the half difference.",
        source="DLMF 4.35",
    ),
    Difference(
        op="tanh",
        form="sinh(d)/(cosh(a)*cosh(b))",
        near="abs(d) < 1",
        why=f"{_CLOSE} it is the hyperbolic sine of theirs over the cosines.",
        source="DLMF 4.35",
    ),
    Difference(
        op="asinh",
        form="asinh(d*(a + b)/(a*hypot(1, b) + b*hypot(1, a)))",
        near="a*b > 0 and abs(d) < abs(b)/2",
        why=f"{_CLOSE} it is one inverse hyperbolic sine.",
        source="DLMF 4.38",
    ),
    Difference(
        op="sigmoid",
        form="-sigmoid(a)*sigmoid(-b)*expm1(-d)",
        near="abs(d) < 1",
        known=(0, Fraction(1, 2)),
        why=f"{_CLOSE} it is the product of one probability, the other's complement and the "
        "relative excess.",
        source="measured",
    ),
    Difference(
        op="softplus",
        form="log1p(sigmoid(b)*expm1(d))",
        near="abs(d) < 1",
        why=f"{_CLOSE} it is the logarithm of a ratio that is near 1.",
        source="measured",
    ),
)
"""Every function whose differences are known."""

BY_OP = {row.op: row for row in DIFFERENCES}
