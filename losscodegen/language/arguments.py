"""The arguments of a call: how many, and which of them by name."""

from __future__ import annotations

import ast
from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from losscodegen.language.reader import Reader


def positional_arguments(
    reader: Reader, node: ast.Call, least: int, most: int | None, usage: str
) -> list[ast.expr] | None:
    """The positional arguments, if their number is right."""
    got = len(node.args)
    if got >= least and (most is None or got <= most):
        return node.args
    if most is None:
        wanted = f"at least {least} argument{'s' if least != 1 else ''}"
    else:
        wanted = f"{least} argument{'s' if least != 1 else ''}"
        if most != least:
            wanted = f"{least} to {most} arguments"
    assert isinstance(node.func, ast.Name)
    extra = most is not None and got > most
    reader.problem(
        "wrong-number-of-arguments",
        f"{node.func.id} takes {wanted}, got {got}",
        reader.location(node.args[most or 0], node.args[-1]) if extra else node,
        hint=f"write {usage}",
    )
    return None


def named_arguments(
    reader: Reader, node: ast.Call, allowed: Collection[str] = ()
) -> dict[str, ast.expr]:
    """The named arguments; one that the function does not have is a problem."""
    assert isinstance(node.func, ast.Name)
    found: dict[str, ast.expr] = {}
    for keyword in node.keywords:
        name = keyword.arg or "**"
        start, _ = reader.span(keyword)
        place = reader.source.location(start, start + len(name))
        if name in found:
            message = f"argument '{name}=' is given twice"
            reader.problem("repeated-argument", message, place)
            continue
        if name in allowed:
            found[name] = keyword.value
            continue
        listed = " and ".join(f"{k}=" for k in allowed)
        reader.problem(
            "unknown-argument",
            f"{node.func.id} has no argument '{name}='",
            place,
            hint=f"it has {listed}" if listed else "a comparison is written with ==",
        )
    return found
