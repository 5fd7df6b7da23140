"""Small helpers on tensor expressions."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from fractions import Fraction

from losscodegen.compiler.program import (
    Assign,
    Branch,
    Program,
    Statement,
)
from losscodegen.compiler.tensor_nodes import (
    Apply,
    Arange,
    Einsum,
    Extent,
    Eye,
    Fill,
    Literal,
    Long,
    Matmul,
    Missing,
    Moved,
    Name,
    Permute,
    Squeeze,
    Tensor,
    Unsqueeze,
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


def contracted(item: object) -> str | None:
    """An argument on whose device ``item`` multiplies matrices; None if it does not."""
    match item:
        case Matmul(_, _, argument) | Einsum(_, _, argument):
            return argument
        case tuple():
            return next((a for part in item if (a := contracted(part))), None)
        case _ if is_dataclass(item):
            return contracted(tuple(getattr(item, f.name) for f in fields(item)))
        case _:
            return None


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


_COMPARISONS = frozenset({"eq", "ne", "lt", "le", "gt", "ge"})


def only_compared(program: Program, argument: str) -> bool:
    """Whether nothing but comparisons with -1, 0, 1 or itself read an input: any dtype will do.

    Large labels, which float32 would round to their neighbours, then stay what they are.
    """
    parts: list[object] = [program.statements]
    if program.derived is not None:
        parts += [program.after, program.derived.forward, program.derived.shared]
        parts += [slope.statements for slope in program.derived.slopes]
        parts += [o for o in program.derived.operands if not isinstance(o, Name)]
    if program.mean is not None:
        parts += [program.mean.statements, program.mean.weight]
    return not any(_computed(part, argument) for part in parts)


def _computed(item: object, argument: str) -> bool:
    match item:
        case Name(name) | Fill(_, name):
            return name == argument
        case Extent() | Arange() | Eye() | Missing():
            return False  # size and device alone
        case Long(value) if _viewed(value) == argument:
            return False  # which entries, of whatever dtype
        case Apply(
            op, (Name(), Literal(value)) | (Literal(value), Name())
        ) if op in _COMPARISONS and value in (-1, 0, 1):
            return False
        case Apply(op, (left, right)) if (
            op in _COMPARISONS and _viewed(left) == _viewed(right) == argument
        ):
            return False
        case tuple():
            return any(_computed(part, argument) for part in item)
        case _ if is_dataclass(item):
            return any(_computed(getattr(item, f.name), argument) for f in fields(item))
        case _:
            return False


def _viewed(item: Tensor) -> str | None:
    """The name of the tensor whose entries ``item`` holds, in the same order."""
    match item:
        case Name(name):
            return name
        case Unsqueeze(value) | Squeeze(value) | Permute(value) | Moved(value):
            return _viewed(value)
        case _:
            return None
