"""What makes a list of statements read well: no dead ones, no view taken twice, a sound order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

from losscodegen.compiler.naming import Names
from losscodegen.compiler.program import (
    Assign,
    Mean,
    Statement,
)
from losscodegen.compiler.tensor_nodes import (
    Apply,
    Item,
    Name,
    Reduced,
    Tensor,
    Unbind,
    Unsqueeze,
)
from losscodegen.compiler.tensors import names_in
from losscodegen.ir.loss import DomainKind, Loss


def drop_unused(
    statements: tuple[Statement, ...], needed: set[str]
) -> tuple[Statement, ...]:
    """Without assignments whose name nothing reads; ``needed`` are the names read afterwards.

    A mask that becomes a scatter leaves the comparison behind that it replaces.
    """
    kept: list[Statement] = []
    for statement in reversed(statements):
        if isinstance(statement, Assign):
            if statement.name not in needed:
                continue
            needed = needed | names_in(statement)
        else:
            then = drop_unused(statement.then, needed)
            otherwise = drop_unused(statement.otherwise, needed)
            statement = replace(statement, then=then, otherwise=otherwise)
            needed = needed | names_in(statement)
        kept.append(statement)
    return tuple(reversed(kept))


def keep_dims(
    statements: tuple[Statement, ...], mean: Mean | None
) -> tuple[Statement, ...]:
    """Reductions keep a dim that every use of theirs puts back."""
    for position in range(len(statements)):
        statement = statements[position]
        if not isinstance(statement, Assign):
            continue
        dim = _reduced_dim(statement.value)
        if dim is None:
            continue
        name = Name(statement.name)
        view = Unsqueeze(name, dim)
        after = statements[position + 1 :]
        bare = _replaced(after, view, Name(""))
        if name.name in names_in((bare, mean)) or Name("") not in _parts(bare):
            continue
        kept = replace(statement, value=_kept(statement.value))
        after = _replaced(after, view, name)
        statements = (*statements[:position], kept, *after)
    return statements


def _reduced_dim(value: Tensor) -> int | None:
    match value:
        case Reduced(_, _, (dim,), False):
            return dim
        case Apply("detach", (inner,)):
            return _reduced_dim(inner)
        case _:
            return None


def _kept(value: Tensor) -> Tensor:
    match value:
        case Reduced():
            return replace(value, keepdim=True)
        case Apply(_, (inner,)):
            return replace(value, args=(_kept(inner),))
        case _:
            return value


def _parts(item: Any) -> Iterator[Any]:
    yield item
    if isinstance(item, tuple):
        for part in item:
            yield from _parts(part)
    elif is_dataclass(item):
        for f in fields(item):
            yield from _parts(getattr(item, f.name))


def order_items(statements: tuple[Statement, ...], loss: Loss) -> tuple[Statement, ...]:
    """Entries taken out of arguments come first, in their order; a whole axis in one statement."""
    leading = 0
    found: dict[tuple[str, int], dict[int, Assign]] = {}
    for statement in statements:
        match statement:
            case Assign(_, Item(Name(arg), dim, int(entry))):
                found.setdefault((arg, dim), {})[entry] = statement
                leading += 1
            case _:
                break
    ordered: list[Statement] = []
    for variable in loss.variables:
        for (arg, dim), entries in sorted(found.items()):
            if arg == variable.arg:
                items = [entries[entry] for entry in sorted(entries)]
                whole = variable.axes[dim] == str(len(items))
                ordered += [_unbound(items, arg, dim)] if whole else items
    if len(ordered) < len(set(found)):
        return statements  # something that is no argument
    return (*ordered, *statements[leading:])


def _unbound(items: list[Assign], arg: str, dim: int) -> Assign:
    guards = tuple(g for item in items for g in item.guards)
    names = ", ".join(item.name for item in items)
    return Assign(names, Unbind(Name(arg), dim), guards)


def share_indices(
    statements: tuple[Statement, ...], loss: Loss, names: Names
) -> tuple[Statement, ...]:
    """``target.unsqueeze(1)`` named ``index`` where it is needed more than once."""
    targets = {v.arg for v in loss.inputs if v.domain.kind is DomainKind.INDEX}
    counts = Counter(_views(statements, targets))
    for view, count in counts.items():
        if count < 2:
            continue
        name = names.take("index")
        position = next(
            k for k, s in enumerate(statements) if view in set(_views(s, targets))
        )
        statements = (
            *statements[:position],
            Assign(name, view),
            *(_replaced(s, view, Name(name)) for s in statements[position:]),
        )
    return statements


def _views(item: Any, targets: set[str]) -> list[Unsqueeze]:
    match item:
        case Unsqueeze(Name(name), _) if name in targets or name.startswith("safe_"):
            return [item]
        case tuple():
            return [v for x in item for v in _views(x, targets)]
        case _ if is_dataclass(item):
            return [
                v for f in fields(item) for v in _views(getattr(item, f.name), targets)
            ]
        case _:
            return []


def _replaced(item: Any, old: Unsqueeze, new: Name) -> Any:
    if item == old and isinstance(item, Unsqueeze):
        return new
    if isinstance(item, tuple):
        return tuple(_replaced(x, old, new) for x in item)
    if is_dataclass(item) and not isinstance(item, type):
        changed = {
            f.name: _replaced(getattr(item, f.name), old, new)
            for f in fields(item)
            if isinstance(getattr(item, f.name), tuple)
            or is_dataclass(getattr(item, f.name))
        }
        return replace(item, **changed)
    return item
