"""The domains of declarations, from the sets that they admit."""

from __future__ import annotations

from losscodegen.ir.loss import DomainKind
from losscodegen.language.domains import BASE, CONTINUOUS, format_interval
from losscodegen_docs.markdown import code, table

WORDS = {
    DomainKind.REAL: "any number",
    DomainKind.POSITIVE: "numbers above 0",
    DomainKind.NONNEGATIVE: "0 and numbers above it",
    DomainKind.NEGATIVE: "numbers below 0",
    DomainKind.UNIT: "probabilities and other shares",
    DomainKind.BINARY: "0 and 1",
    DomainKind.SIGN: "-1 and 1",
    DomainKind.COUNT: "whole numbers from 0 on",
    DomainKind.INTEGER: "whole numbers",
    DomainKind.INDEX: "positions along the axis C, from 0 to C - 1",
    DomainKind.SIMPLEX: "probabilities that sum to 1 along the axis C",
    DomainKind.LOGPROB: "logarithms of probabilities along the axis C",
    DomainKind.MASK: "0 and 1, where 0 leaves an entry out; has axes",
    DomainKind.BOOL: "true and false, for a parameter that chooses between formulas",
    DomainKind.CHOICE: "one of the words, for such a parameter, too",
}
"""What each kind has. A kind without a row fails the build."""

SPELLED = {
    DomainKind.INDEX: "index(C)",
    DomainKind.SIMPLEX: "simplex(C)",
    DomainKind.LOGPROB: "logprob(C)",
    DomainKind.CHOICE: "choice(a, b)",
}


def domains() -> str:
    """A row for every kind of domain."""
    return table(
        ("domain", "what it has", "as an interval", "can be learnt"),
        (
            (
                code(SPELLED.get(kind, kind.value)),
                WORDS[kind],
                code(format_interval(BASE[kind])) if kind in BASE else "",
                "yes" if kind in CONTINUOUS else "no",
            )
            for kind in DomainKind
        ),
    )
