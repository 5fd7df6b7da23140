"""What formulas may call besides the ops: choices, binders, keepers and exact numbers."""

from __future__ import annotations

from dataclasses import dataclass

CHOICE = "choice"
BINDER = "binders: the index disappears"
KEEPER = "keepers: the index stays"
NUMBER = "numbers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A row of the reference for something that takes an index or a condition."""

    name: str
    spelling: str
    group: str
    doc: str
    range: str | None = None
    kinks: str | None = None
    convention: str | None = None
    also: tuple[str, ...] = ()


FORMS = (
    Form(
        name="where",
        spelling="where(c, a, b)",
        group=CHOICE,
        convention="that of the chosen side",
        doc="a where the condition c holds, else b",
    ),
    Form(
        name="Piecewise",
        spelling="Piecewise((a, c), ..., (b, True))",
        group=CHOICE,
        convention="that of the chosen branch",
        doc="the first branch whose condition holds",
    ),
    Form(
        name="Sum",
        spelling="Sum(e, i, ..., where=c)",
        also=("Sum(e, (i, 0, N - 1))",),
        group=BINDER,
        doc="sum over one or more indices; over nothing 0",
    ),
    Form(
        name="Mean",
        spelling="Mean(e, i, ..., where=c)",
        group=BINDER,
        doc="arithmetic mean",
    ),
    Form(
        name="Prod",
        spelling="Prod(e, i, ..., where=c)",
        group=BINDER,
        doc="product; over nothing 1",
    ),
    Form(
        name="logsumexp",
        spelling="logsumexp(e, i, ..., where=c)",
        group=BINDER,
        doc="log(Sum(exp(e), i)); over nothing -oo",
    ),
    Form(
        name="amax",
        spelling="amax(e, i, ..., where=c)",
        group=BINDER,
        kinks="several greatest",
        convention="shared equally",
        doc="greatest value; over nothing -oo",
    ),
    Form(
        name="amin",
        spelling="amin(e, i, ..., where=c)",
        group=BINDER,
        kinks="several least",
        convention="shared equally",
        doc="least value; over nothing oo",
    ),
    Form(
        name="norm",
        spelling="norm(e, i, ..., p=2, where=c)",
        group=BINDER,
        range="[0, oo)",
        kinks="e == 0",
        convention="0",
        doc="Sum(abs(e)**p, i)**(1/p)",
    ),
    Form(
        name="var",
        spelling="var(e, i, ..., where=c)",
        group=BINDER,
        range="[0, oo)",
        doc="sample variance, divided by the number of elements minus one",
    ),
    Form(
        name="softmax",
        spelling="softmax(e, i)",
        group=KEEPER,
        range="[0, 1]",
        doc="exp(e)/Sum(exp(e), i)",
    ),
    Form(
        name="log_softmax",
        spelling="log_softmax(e, i)",
        group=KEEPER,
        range="(-oo, 0]",
        doc="e - logsumexp(e, i)",
    ),
    Form(
        name="softmin",
        spelling="softmin(e, i)",
        group=KEEPER,
        range="[0, 1]",
        doc="softmax(-e, i)",
    ),
    Form(
        name="normalize",
        spelling="normalize(e, i)",
        group=KEEPER,
        doc="e/norm(e, i)",
    ),
    Form(
        name="Rational",
        spelling="Rational(a, b)",
        group=NUMBER,
        doc="the exact number a/b",
    ),
)
"""In the order of the language reference; a test holds them against what the reader accepts."""
