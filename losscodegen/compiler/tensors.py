"""Small helpers on tensor expressions."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from fractions import Fraction

from losscodegen.compiler.program import (
    Assign,
    Branch,
    Extent,
    Missing,
    Name,
    Statement,
)


def fraction(value: int) -> Fraction:
    return Fraction(value)


def names_in(item: object) -> set[str]:
    """The names that a tensor expression or the right side of a statement reads."""
    match item:
        case Name(name) | Extent(name, _) | Missing(name):
            return {name}
        case Assign(_, value, _):
            return names_in(value)
        case Branch(condition, then, otherwise):
            return names_in(condition).union(*map(names_in, (*then, *otherwise)))
        case tuple():
            return set().union(*map(names_in, item)) if item else set()
        case _ if is_dataclass(item):
            return set().union(
                *(names_in(getattr(item, f.name)) for f in fields(item)), set()
            )
        case _:
            return set()


def statements_in(statements: tuple[Statement, ...]) -> tuple[Assign, ...]:
    """Every assignment, branches entered, in the order of the text."""
    found: list[Assign] = []
    for statement in statements:
        if isinstance(statement, Assign):
            found.append(statement)
        else:
            found += statements_in(statement.then)
            found += statements_in(statement.otherwise)
    return tuple(found)
