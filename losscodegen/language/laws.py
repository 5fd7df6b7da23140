"""Laws: comparisons between ``loss``, ``loss(x=...)`` and constants."""

from __future__ import annotations

import ast
from dataclasses import replace

from losscodegen.errors import Diagnostic
from losscodegen.ir.build import ONE, add, div, mul, neg, number
from losscodegen.ir.loss import DomainKind, Law, LawSide, Variable
from losscodegen.ir.nodes import Expr, Index
from losscodegen.ir.walk import free_indices
from losscodegen.language import symbols
from losscodegen.language.formula import finish
from losscodegen.language.reader import COMPARISONS, PLACEHOLDER, Reader
from losscodegen.language.scope import Scope
from losscodegen.language.source import Source
from losscodegen.language.syntax import read_syntax

LOSS = "loss"
"""What a law calls the loss that it is about."""

_NO_LAW = Law(
    left=LawSide(factor=PLACEHOLDER), relation="eq", right=LawSide(factor=PLACEHOLDER)
)


def read_law(
    source: Source, scope: Scope, *, problems: list[Diagnostic] | None = None
) -> Law:
    """The law that ``source`` spells.

    Raises LossCodegenError with every problem of it, or appends them to ``problems``.
    """
    found: list[Diagnostic] = []
    law = _NO_LAW
    syntax = read_syntax(source, found)
    if syntax is not None:
        reader = Reader(source, scope, syntax, found)
        try:
            law = _law(reader, syntax.tree)
        except RecursionError:
            reader.problem("too-deep", "the law is nested too deeply", syntax.tree)
    return finish(law, found, problems)


def _law(reader: Reader, tree: ast.expr) -> Law:
    if not isinstance(tree, ast.Compare) or len(tree.ops) != 1:
        reader.problem(
            "not-a-law",
            f"expected one comparison, got '{reader.text(tree)}'",
            tree,
            hint="a law reads 'loss(x=y) == 0'; write a chain as two laws",
        )
        return _NO_LAW
    left, right = (_side(reader, side) for side in (tree.left, tree.comparators[0]))
    if not left.loss and not right.loss and not reader.problems:
        reader.problem("not-a-law", "neither side of the law is the loss", tree)
    return Law(
        left=left,
        relation=COMPARISONS.get(type(tree.ops[0]), "eq"),
        right=right,
        text=reader.source.text.strip(),
        location=reader.location(tree),
    )


def _side(reader: Reader, node: ast.expr) -> LawSide:
    """``loss``, ``loss(...)``, one of them times, over, plus or minus a constant, or a constant."""
    match node:
        case ast.Name(id="loss"):
            return LawSide(factor=ONE, loss=True)
        case ast.Call(func=ast.Name(id="loss")):
            return LawSide(factor=ONE, loss=True, replaced=_replaced(reader, node))
        case ast.UnaryOp(op=ast.USub()) if _mentions_loss(node):
            side = _side(reader, node.operand)
            return replace(
                side,
                factor=number(-1) if side.factor == ONE else neg(side.factor),
                offset=None if side.offset is None else neg(side.offset),
            )
        case ast.BinOp(op=ast.Mult()) if _mentions_loss(node):
            return _scaled(reader, node)
        case ast.BinOp(op=ast.Div()) if _mentions_loss(node.left):
            side = _side(reader, node.left)
            divisor = _constant(reader, node.right)
            return replace(
                side,
                factor=div(side.factor, divisor),
                offset=None if side.offset is None else div(side.offset, divisor),
            )
        case ast.BinOp(op=ast.Add() | ast.Sub()) if _mentions_loss(node):
            return _shifted(reader, node)
        case _:
            return LawSide(factor=_constant(reader, node))


def _once(reader: Reader, node: ast.BinOp) -> tuple[LawSide, Expr] | None:
    """The operand with the loss, and the constant beside it."""
    on_left = _mentions_loss(node.left)
    if on_left and _mentions_loss(node.right):
        reader.problem("not-a-law", "a side of a law has the loss once", node)
        return None
    side = _side(reader, node.left if on_left else node.right)
    return side, _constant(reader, node.right if on_left else node.left)


def _scaled(reader: Reader, node: ast.BinOp) -> LawSide:
    found = _once(reader, node)
    if found is None:
        return LawSide(factor=PLACEHOLDER)
    side, other = found
    return replace(
        side,
        factor=other if side.factor == ONE else mul(other, side.factor),
        offset=None if side.offset is None else mul(other, side.offset),
    )


def _shifted(reader: Reader, node: ast.BinOp) -> LawSide:
    found = _once(reader, node)
    if found is None:
        return LawSide(factor=PLACEHOLDER)
    side, other = found
    if isinstance(node.op, ast.Sub):
        if _mentions_loss(node.left):
            other = neg(other)
        else:
            factor = number(-1) if side.factor == ONE else neg(side.factor)
            before = None if side.offset is None else neg(side.offset)
            side = replace(side, factor=factor, offset=before)
    offset = other if side.offset is None else add(side.offset, other)
    return replace(side, offset=offset)


def _mentions_loss(node: ast.expr) -> bool:
    return any(isinstance(n, ast.Name) and n.id == LOSS for n in ast.walk(node))


def _constant(reader: Reader, node: ast.expr) -> Expr:
    """A number that only scalar parameters decide."""
    if _mentions_loss(node):
        return reader.problem(
            "not-a-law",
            f"'{reader.text(node)}' is neither the loss times a constant nor a constant",
            node,
            hint="a side reads 'loss', 'loss(x=y)', '2*loss(x=y)', 'loss + 1' or '0'",
        )
    expr = reader.real(node)
    message = "a law compares the loss with what is constant"
    reader.only_scalars(expr, message, sizes=True)
    return expr


def _value(reader: Reader, node: ast.expr, variable: Variable) -> Expr:
    """What ``variable`` is replaced by; a bool or a word is the number that stands for it."""
    kind = variable.domain.kind
    if kind is DomainKind.CHOICE:
        return symbols.read_word(reader, node, variable, "eq")
    if kind is not DomainKind.BOOL:
        return reader.real(node)
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        return number(int(node.value), str(node.value))
    return reader.problem(
        "sort",
        f"'{variable.name}' is a bool, got {reader.quote(node)}",
        node,
        hint="write True or False",
    )


def _replaced(reader: Reader, node: ast.Call) -> tuple[tuple[str, Expr], ...]:
    for arg in node.args:
        reader.problem(
            "not-a-law",
            f"'{reader.text(arg)}' does not say what it stands for",
            arg,
            hint="write loss(x=...)",
        )
    replaced: list[tuple[str, Expr]] = []
    for keyword in node.keywords:
        name = keyword.arg
        if name is None:
            reader.problem("syntax", "'**' is not allowed here", keyword)
            continue
        start, _ = reader.span(keyword)
        place = reader.source.location(start, start + len(name))
        if any(name == other for other, _ in replaced):
            message = f"'{name}' is replaced twice"
            reader.problem("repeated-argument", message, place)
            continue
        variable = reader.scope.variables.get(name)
        if variable is None:
            reader.real(keyword.value)
            if name not in reader.scope.broken:
                symbols.unknown(reader, place, name, reader.scope.variables)
            continue
        outer, reader.scope = reader.scope, replace(reader.scope, whole=variable.axes)
        value = _value(reader, keyword.value, variable)
        reader.scope = outer
        allowed: tuple[Index, ...] = variable.positions
        extra = [i.name for i in free_indices(value) if i not in allowed]
        if extra:
            reader.problem(
                "missing-index",
                f"the value for '{name}' depends on {', '.join(extra)}, '{name}' does not",
                keyword.value,
            )
        replaced.append((name, value))
    return tuple(replaced)
