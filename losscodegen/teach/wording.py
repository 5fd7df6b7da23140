"""Sentences and sources: what the tables of the compiler say of each guard."""

from __future__ import annotations

from losscodegen.compiler.branches import CHOICE, MASK, VANISHED
from losscodegen.compiler.harmless import DEAD_BRANCH
from losscodegen.compiler.rules import REFUTED, RULES, Fault, Rule
from losscodegen.compiler.search.differences import DIFFERENCES
from losscodegen.compiler.search.form import FORMS
from losscodegen.teach.model import Trouble

MEASURED = "found by measurement: of several forms the one with the fewest wrong digits"
LOWERING = "PyTorch's autograd: a gradient of 0 is still multiplied by the derivative of a branch"

PRODUCT = "IEEE 754: 0 times infinity is not a number"
COMPUTING = "it follows from how PyTorch and IEEE 754 compute"
_GUARDS = {
    DEAD_BRANCH.rule: LOWERING,
    CHOICE.rule: LOWERING,
    MASK.rule: PRODUCT,
    VANISHED.rule: PRODUCT,
}

_SENTENCES = {
    Trouble.NAN: "Two infinities meet on the way, and the result is not a number.",
    Trouble.OVERFLOW: "The result fits, but {operation} overflows on the way.",
    Trouble.UNDERFLOW: "A number on the way underflows to 0, and {operation} is infinite there.",
    Trouble.CANCELLATION: "The result is the small difference of large numbers: their rounding "
    "errors are all that is left.",
    Trouble.SATURATION: "A number on the way has rounded to its limit, and the derivative to 0.",
    Trouble.DEAD_BRANCH: "The branch that is not taken has an infinite derivative there, and 0 "
    "times that is NaN.",
    Trouble.ZERO_TIMES_INFINITY: "A 0 meets the infinity that {operation} gives, and their "
    "product is NaN.",
    Trouble.ROUNDING: "Rounding errors on the way are multiplied.",
    Trouble.SECOND: "Value and gradient are right as they stand; the second derivative is not.",
    Trouble.TOGETHER: "Where value or derivative go wrong, this alone does not mend it: other "
    "guards of this formula are needed there, too.",
    Trouble.UNSEEN: "At the inputs that were tried, value and first derivative are right as they "
    "stand.",
}

_OPERATIONS = {
    "exp": "the exponential",
    "cosh": "the hyperbolic cosine",
    "sinh": "the hyperbolic sine",
    "log": "the logarithm",
    "pow": "a power",
    "mul": "a product",
    "div": "a quotient",
    "sum": "a sum",
    "add": "a sum",
    "linalg_vector_norm": "the sum of the powers",
    "": "an operation",
}


def sentence(trouble: Trouble, operation: str = "") -> str:
    """What goes wrong, in one sentence."""
    name = _OPERATIONS.get(operation, f"{operation}")
    return _SENTENCES[trouble].format(operation=name)


def missing(rule: str) -> Trouble:
    """What a guard is for whose value and gradient cannot be seen to fail."""
    rows = (r for r in RULES if r.name == rule)
    second = any(r.witness.fault is Fault.SECOND for r in rows)
    return Trouble.SECOND if second else Trouble.UNSEEN


def source_of(rule: str, why: str) -> str:
    """Where a rule is known from."""
    rows: tuple[Rule, ...] = tuple(r for r in RULES if r.name == rule)
    for row in (*(r for r in rows if r.why == why), *rows):
        return row.source
    for difference in DIFFERENCES:
        if difference.name == rule:
            return difference.source
    for refuted in REFUTED:
        if refuted.name == rule:
            return refuted.source
    if rule in FORMS:
        return MEASURED
    return _GUARDS.get(rule, COMPUTING)
