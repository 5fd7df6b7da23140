"""A formula as one would type it in PyTorch: no rewriting, no guard, autograd for the gradient."""

from __future__ import annotations

import textwrap
from dataclasses import replace
from functools import cache
from typing import Any

from losscodegen.compiler.backends.torch import render
from losscodegen.compiler.branches import CHOICE, MASK, VANISHED
from losscodegen.compiler.differentiate import instantiate
from losscodegen.compiler.emit_body import assignments
from losscodegen.compiler.formatting import definition, formatted, wrapped
from losscodegen.compiler.harmless import DEAD_BRANCH
from losscodegen.compiler.kinks import CONSTANT_KINDS
from losscodegen.compiler.lower import lower
from losscodegen.compiler.lower_axes import DIRECTION, FINITE_MASK
from losscodegen.compiler.lower_pairs import PAIRS
from losscodegen.compiler.options import IGNORED
from losscodegen.compiler.ordering import ORDER
from losscodegen.compiler.program import Assign, Branch, Statement
from losscodegen.compiler.rules import RULES
from losscodegen.compiler.steps import Stabilized
from losscodegen.ir.build import ONE, call, div, mul, power
from losscodegen.ir.loss import ELLIPSIS, Absent, DomainKind, Loss, Variable
from losscodegen.ir.nodes import (
    Call,
    Constant,
    Expr,
    Keep,
    Keeper,
    Named,
    Read,
    Reduce,
    Reduction,
)
from losscodegen.ir.ops import OPS, Group
from losscodegen.ir.walk import (
    free_indices,
    fresh_indices,
    inline_loss,
    rebind,
    substitute,
    transform,
    walk,
)
from losscodegen.language.formula import parse_formula

LEFT_OUT = (
    frozenset(rule.name for rule in RULES)
    | {g.rule for g in (CHOICE, DEAD_BRANCH, DIRECTION, FINITE_MASK, IGNORED, MASK)}
    | {ORDER.rule, PAIRS, VANISHED.rule}
)
"""Every rule, the guards of lowering and its functions: none of them is in what is typed."""

_KEPT = {"relu", "clip", "max", "min", "square", "delta", "heaviside", "log10", "cbrt"}
"""Ops that the op table explains by others and that are typed as themselves: they are exact."""


def plainly(expr: Expr) -> Expr:
    """``expr`` with the functions that exist for stability written out: softplus, logsumexp.

    Functions that the module would define for itself are torch's own.
    """
    return transform(expr, _plainly)


def _plainly(node: Expr) -> Expr:
    if node.origin.helped:
        node = replace(node, origin=replace(node.origin, helped=False))
    match node:
        case Call(op, args) if OPS[op].group is Group.STABLE and op not in _KEPT:
            return instantiate(_meaning(op), args)
        case Reduce(Reduction.LOGSUMEXP, body):
            summed = replace(node, kind=Reduction.SUM, body=call("exp", body))
            return call("log", summed)
        case Reduce(Reduction.NORM, body, order=order) if order != Constant(Named.OO):
            assert order is not None
            terms = power(call("abs", body), order)
            total = replace(node, kind=Reduction.SUM, body=terms, order=None)
            return power(total, div(parse_formula("1"), order))
        case Keep():
            return _kept(node)
        case _:
            return node


@cache
def _meaning(op: str) -> Expr:
    text = OPS[op].meaning
    assert text is not None
    return parse_formula(text)


def _kept(node: Keep) -> Expr:
    """A function of a whole axis as the quotient that defines it."""
    here = substitute(node.body, {node.index: node.at})
    if node.kind is Keeper.NORMALIZE:
        square = power(node.body, parse_formula("2"))
        return div(here, call("sqrt", _over(square, node)))
    sign = node.kind is Keeper.SOFTMIN
    body, at = (call("neg", e) if sign else e for e in (node.body, here))
    share = div(call("exp", at), _over(call("exp", body), node))
    return call("log", share) if node.kind is Keeper.LOG_SOFTMAX else share


def _over(body: Expr, node: Keep) -> Expr:
    """The sum over the axis, with an index that the place of ``node`` does not use."""
    result = Reduce(Reduction.SUM, body, (node.index,))
    taken = {i.name for i in free_indices(node.at)}
    return rebind(result, fresh_indices(result.indices, taken, node))


def part_of(loss: Loss, expr: Expr) -> Loss:
    """``expr``, an expression in the scope of ``loss``, as an unreduced loss of its own."""
    loss = inline_loss(loss)
    read = {n.name for n in walk(expr) if isinstance(n, Read)}
    batched = any(
        ELLIPSIS in v.axes for v in loss.variables if v.name in read and v.axes
    )
    free = tuple(sorted(free_indices(expr), key=_order(loss)))
    ahead = sum(i in loss.free[: loss.batch or 0] for i in free)
    return replace(
        loss,
        expression=expr,
        inputs=tuple(v for v in loss.inputs if v.name in read),
        parameters=tuple(v for v in loss.parameters if v.name in read),
        free=free,
        batch=ahead if batched else None,
        mean_weight=None,
        laws=(),
        require=tuple(
            r
            for r in loss.require
            if {n.name for n in walk(r) if isinstance(n, Read)} <= read
        ),
        interface=None,
        example=None,
    )


def _order(loss: Loss) -> Any:
    known = {index: k for k, index in enumerate(loss.free)}
    return lambda index: (known.get(index, len(known)), index.name)


def unweighted(loss: Loss) -> Loss:
    """``loss``, without definitions, with all optional arguments left out: each counts as 1."""
    optional = {v.name for v in loss.variables if v.optional}

    def without(node: Expr) -> Expr:
        match node:
            case Read(name) if name in optional:
                return ONE
            case Call("mul", args) if ONE in args:
                kept = tuple(a for a in args if a != ONE)
                return mul(*kept) if kept else ONE
            case _:
                return node

    return replace(
        loss,
        expression=transform(loss.expression, without),
        inputs=tuple(v for v in loss.inputs if v.name not in optional),
        parameters=tuple(v for v in loss.parameters if v.name not in optional),
    )


def typed(loss: Loss, name: str = "") -> str:
    """The text of a function that computes the unreduced ``loss`` as its formula reads.

    It needs ``torch`` and, where it computes with Python numbers, ``math``. Optional arguments are
    left out.
    """
    loss = unweighted(inline_loss(loss))
    return code_of(
        replace(loss, expression=plainly(loss.expression)), name, without=LEFT_OUT
    )


def code_of(
    loss: Loss, name: str = "", *, without: frozenset[str] = frozenset()
) -> str:
    """The text of a function that computes the unreduced ``loss``, which has no definitions."""
    loss = replace(loss, mean_weight=None)
    program = lower(Stabilized(loss=loss), without=without)
    *before, last = map(_bare, program.statements)
    body = assignments(tuple(before))
    match last:
        case Assign(program.result, value):
            body.append(f"return {render(value)}")
        case _:
            body += [*assignments((last,)), f"return {program.result}"]
    if any("wide" in line for line in body):
        body.insert(0, f"wide = {_varying(loss).arg}.dtype")
    parameters = [_parameter(v) for v in loss.variables]
    parameters.sort(key=lambda text: "=" in text)
    head = definition(name or loss.function, parameters, "Tensor", 0)
    lines = textwrap.indent("\n".join(wrapped(body, 4)), "    ")
    return formatted("\n".join([*head, lines]))


def _varying(loss: Loss) -> Variable:
    """The tensor whose dtype the result has."""
    tensors = [v for v in loss.variables if not v.scalar]
    free = [v for v in tensors if v.domain.kind not in CONSTANT_KINDS]
    return (free or tensors)[0]


def _bare(statement: Statement) -> Statement:
    """``statement`` without the comments of guards."""
    match statement:
        case Assign():
            return replace(statement, guards=())
        case Branch(condition, then, otherwise):
            return Branch(
                condition, tuple(map(_bare, then)), tuple(map(_bare, otherwise))
            )


def _parameter(variable: Variable) -> str:
    default = variable.default
    if isinstance(default, Absent):
        return variable.arg
    if isinstance(default, str):
        return f"{variable.arg}={default!r}"
    if isinstance(default, bool) or variable.domain.kind is DomainKind.INTEGER:
        return f"{variable.arg}={default}"
    return f"{variable.arg}={float(default)!r}"
