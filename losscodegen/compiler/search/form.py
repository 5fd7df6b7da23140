"""What a form is, and the sentences that explain those that are no row of `differences`."""

from __future__ import annotations

from dataclasses import dataclass

from losscodegen.compiler.search.differences import DIFFERENCES
from losscodegen.ir.nodes import Expr


@dataclass(frozen=True, slots=True)
class Form:
    """An expression in another form; ``name`` and ``why`` go with it into the generated code."""

    name: str
    why: str
    expr: Expr


SERIES = "series-at-zero"
"""The name of the form that is a power series."""

SHARES = "shares"
"""The name of the form that is a product of quotients."""

WHYS = {
    "common-denominator": "Brought over one denominator, nothing is left to cancel.",
    "product-form": "As a product it has no terms that cancel.",
    "expanded": "Multiplied out, the large terms cancel exactly.",
    "conjugate": "The root and the other part cancel; multiplied by their sum, the difference of "
    "the squares is exact.",
    "log-of-near-one": "Where the argument rounds to 1 its logarithm is lost; its distance from 1 "
    "is known exactly.",
    "split-root": "The product leaves the floating-point range although its root does not.",
    "joined-roots": "What is under the roots leaves the floating-point range although their "
    "ratio does not.",
    "exponentials-cancelled": "The exponentials overflow although their ratio does not.",
    SHARES: "The product leaves the floating-point range, or that of its derivative, although "
    "each of these ratios does not.",
    SERIES: "Near 0 the leading terms cancel; there the power series is taken.",
}
"""The sentence that explains each form, beside those of the table of differences."""

FORMS = frozenset(WHYS) | {row.name for row in DIFFERENCES}
"""The names of all forms."""


def form(name: str, expr: Expr) -> Form:
    return Form(name, WHYS[name], expr)
