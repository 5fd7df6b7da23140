"""Names for views that a function takes more than once."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields, is_dataclass, replace
from typing import Any

from losscodegen.compiler.naming import Names
from losscodegen.compiler.program import Assign, Name, Statement, Unsqueeze
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
