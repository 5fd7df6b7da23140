"""The declarations that the tests of formulas share."""

from __future__ import annotations

import pytest

from losscodegen.ir.loss import Domain, DomainKind, Role, Variable
from losscodegen.ir.nodes import Index
from losscodegen.language.scope import Scope

INPUTS = {
    "x": (DomainKind.REAL, ("B", "C", "...")),
    "t": (DomainKind.INDEX, ("B", "...")),
    "y": (DomainKind.REAL, ("...",)),
    "z": (DomainKind.REAL, ("B", "D")),
    "n": (DomainKind.COUNT, ("B",)),
    "k": (DomainKind.BINARY, ("B",)),
    "m": (DomainKind.MASK, ("B",)),
    "box": (DomainKind.REAL, ("...", "4")),
    "J": (DomainKind.REAL, ("B", "D", "D")),
    "img": (DomainKind.REAL, ("B", "H")),
}
PARAMETERS = {
    "delta": (DomainKind.POSITIVE, ()),
    "gamma": (DomainKind.NONNEGATIVE, ()),
    "flag": (DomainKind.BOOL, ()),
    "mode": (DomainKind.CHOICE, ()),
    "weight": (DomainKind.NONNEGATIVE, ("C",)),
}


def _variable(
    name: str, role: Role, kind: DomainKind, axes: tuple[str, ...]
) -> Variable:
    words = ("hard", "soft") if kind is DomainKind.CHOICE else ()
    domain = Domain(
        kind=kind, axis="C" if kind is DomainKind.INDEX else None, choices=words
    )
    return Variable(name=name, arg=name, role=role, domain=domain, axes=axes)


@pytest.fixture(scope="session")
def scope() -> Scope:
    """x[B, C, ...], t index(C)[B, ...], y[...], z[B, D], n, k, m, box[..., 4], J[B, D, D], ..."""
    inputs = [_variable(n, Role.INPUT, *what) for n, what in INPUTS.items()]
    parameters = [_variable(n, Role.PARAMETER, *what) for n, what in PARAMETERS.items()]
    further = (Index("i", "B"), Index("j", "B"), Index("e", "D"), Index("q", "4"))
    return Scope.of([*inputs, *parameters], indices=further)
