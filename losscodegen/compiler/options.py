"""Optional tensors, switches and ignored targets, made explicit before lowering.

An optional tensor that was left out is the factor 1: the products it stands in become switches
``rest if weight is None else weight * rest``, so that its absence costs nothing at run time.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from losscodegen.ir.build import ONE, ZERO, add, mul, number
from losscodegen.ir.loss import DomainKind, Loss
from losscodegen.ir.nodes import (
    Call,
    Expr,
    Guard,
    Index,
    Keep,
    Number,
    Origin,
    Read,
    Reduce,
    Select,
    Size,
    Switch,
)
from losscodegen.ir.walk import (
    bound_indices,
    children,
    free_indices,
    rebuild,
    transform,
    walk,
)

_COMPARISONS = frozenset({"eq", "ne", "lt", "le", "gt", "ge"})

ABSENT = "absent"
"""The condition that an optional argument is None; no spec can write it."""


def absent(name: str) -> Call:
    return Call(ABSENT, (Read(name),))


def resolve_options(expr: Expr, loss: Loss) -> Expr:
    """``expr`` with every read of an optional tensor inside a `Switch` on its absence."""
    optional = {v.name for v in loss.parameters if v.optional}
    if not optional:
        return expr
    return _resolve(expr, optional)


def _resolve(expr: Expr, optional: set[str]) -> Expr:
    if isinstance(expr, Read) and expr.name in optional:
        subscripts = tuple(_resolve(s, optional) for s in expr.subscripts)
        return Switch(absent(expr.name), ONE, replace(expr, subscripts=subscripts))
    expr = rebuild(expr, tuple(_resolve(c, optional) for c in children(expr)))
    if isinstance(expr, Select):
        return _select(expr)
    if isinstance(expr, Call):
        if expr.op in ("mul", "add"):
            return _nary(expr)
        if len(expr.args) == 1 and _absence(expr.args[0]):
            return _unary(expr)
    return expr


def _absence(expr: Expr) -> str | None:
    match expr:
        case Switch(Call("absent", (Read(name),)), Number(), _):
            return name
        case _:
            return None


def _select(expr: Select) -> Expr:
    """``where(c, 1, weight)`` of a weight that is 1 is 1: the switch moves out."""
    for here, other in (
        (expr.then, expr.otherwise),
        (expr.otherwise, expr.then),
    ):
        match here:
            case Switch(condition, then, given) if _absence(here) and then == other:
                sides = (given, other) if here is expr.then else (other, given)
                present = replace(expr, then=sides[0], otherwise=sides[1])
                return Switch(condition, then, present, origin=expr.origin)
            case _:
                pass
    return expr


def _unary(expr: Call) -> Expr:
    """``log(weight)`` of a weight that is 1 is 0: the switch moves out where that is exact."""
    (switch,) = expr.args
    assert isinstance(switch, Switch) and isinstance(switch.then, Number)
    known = {("log", 1): ZERO, ("sqrt", 1): ONE, ("square", 1): ONE, ("exp", 0): ONE}
    then = known.get((expr.op, int(switch.then.value)))
    if then is None or switch.then.value.denominator != 1:
        return expr
    return Switch(
        switch.condition,
        then,
        replace(expr, args=(switch.otherwise,)),
        origin=expr.origin,
    )


def _nary(expr: Call) -> Expr:
    """Switches whose absent side is neutral move out of a product or sum."""
    if (folded := _folded(expr)) is not None:
        return folded
    neutral = ONE if expr.op == "mul" else ZERO
    for position, arg in enumerate(expr.args):
        match expr.op, arg:
            case "mul", Call("neg", (Switch() as switch,)) if _absence(switch):
                args = (*expr.args[:position], switch, *expr.args[position + 1 :])
                return Call("neg", (_nary(replace(expr, args=args)),))
        if not isinstance(arg, Switch) or _absence(arg) is None:
            continue
        rest = expr.args[:position] + expr.args[position + 1 :]
        if expr.op == "mul" and arg.then == ZERO:
            return Switch(arg.condition, ZERO, mul(arg.otherwise, *rest))
        if arg.then != neutral:
            continue
        make = mul if expr.op == "mul" else add
        without: Expr = make(*rest)
        if len(rest) > 1:
            without = replace(without, origin=Origin(location=expr.origin.location))
            assert isinstance(without, Call)
            without = _nary(without)
        if (
            isinstance(without, Call)
            and expr.op == "mul"
            and without.origin.name is None
        ):
            named = replace(without.origin, name="unweighted")
            without = replace(without, origin=named)
        pair = (
            (arg.otherwise, without) if expr.op == "mul" else (without, arg.otherwise)
        )
        return Switch(
            arg.condition,
            without,
            Call(expr.op, pair, origin=expr.origin),
            origin=expr.origin,
        )
    return expr


def _folded(expr: Call) -> Switch | None:
    """``weight - 1`` of a weight that is 1 is 0: the switch moves out of a sum with numbers."""
    found = [a for a in expr.args if isinstance(a, Switch) and _absence(a)]
    values = [_number(a) for a in expr.args if a not in found]
    if expr.op != "add" or len(found) != 1 or None in values:
        return None
    (switch,) = found
    assert isinstance(switch.then, Number)
    total = sum((v for v in values if v is not None), switch.then.value)
    args = tuple(switch.otherwise if a is switch else a for a in expr.args)
    present = replace(expr, args=args)
    return Switch(switch.condition, number(total), present, origin=expr.origin)


def _number(expr: Expr) -> Fraction | None:
    match expr:
        case Number(value):
            return value
        case Call("neg", (Number(value),)):
            return -value
        case _:
            return None


def static_selects(expr: Expr, loss: Loss) -> Expr:
    """A `Select` whose condition is known in Python becomes a `Switch`."""
    scalars = {v.name for v in loss.parameters if v.scalar}

    def decide(node: Expr) -> Expr:
        if isinstance(node, Select) and is_static(node.condition, scalars):
            return Switch(node.condition, node.then, node.otherwise, origin=node.origin)
        return node

    return transform(expr, decide)


def is_static(expr: Expr, scalars: set[str]) -> bool:
    """Whether ``expr`` is a Python number: it reads scalar parameters and axis sizes alone."""
    match expr:
        case Read(name):
            return name in scalars
        case Index() | Reduce():
            return False
        case Size():
            return True
        case _:
            return all(is_static(c, scalars) for c in children(expr))


IGNORED = Guard(
    rule="ignored-target",
    why="An ignored target need not be an index at all. The entry read in its place is never "
    "used, and neither is its gradient.",
)


def safe_gathers(expr: Expr, loss: Loss) -> Expr:
    """Targets that a condition rules out are replaced before they are used as subscripts."""
    targets = {
        v.name
        for v in loss.inputs
        if v.domain.kind in (DomainKind.INDEX, DomainKind.INTEGER)
    }

    scalars = {v.name for v in loss.parameters if v.scalar}

    def ruled_by(condition: Expr) -> set[str]:
        """The targets that a condition compares with a number."""
        return {
            arg.name
            for comparison in walk(condition)
            if isinstance(comparison, Call) and comparison.op in _COMPARISONS
            for arg, other in (comparison.args, comparison.args[::-1])
            if isinstance(arg, Read) and arg.name in targets
            if isinstance(other, Number)
            or (isinstance(other, Read) and other.name in scalars)
        }

    def mask(node: Expr) -> Expr:
        if isinstance(node, Reduce) and node.where is not None:
            ruled = ruled_by(node.where)
            return replace(node, body=_guarded(node.body, ruled, node.where))
        if not isinstance(node, Select):
            return node
        ruled = ruled_by(node.condition)
        if not ruled:
            return node
        negated = Call("not", (node.condition,))
        return replace(
            node,
            then=_guarded(node.then, ruled, node.condition),
            otherwise=_guarded(node.otherwise, ruled, negated),
        )

    return transform(expr, mask)


def _guarded(expr: Expr, ruled: set[str], condition: Expr) -> Expr:
    """``expr`` with ``where(condition, t, 0)`` for every ``t`` of ``ruled`` that picks an entry.

    As a number in arithmetic and in comparisons with other numbers it can stay what it is. Inside a
    binder that takes an index of the condition for something else, the condition says nothing.
    """
    known_indices = set(free_indices(condition))

    def guard(node: Expr, *, picks: bool) -> Expr:
        match node:
            case Select(known) if node.origin.guard == IGNORED and known == condition:
                return node
            case Read(name) if name in ruled:
                if not picks:
                    return node
                origin = Origin(name=f"safe_{name}", guard=IGNORED)
                return Select(condition, node, ZERO, origin=origin)
            case Reduce() | Keep() if known_indices.intersection(bound_indices(node)):
                return node
            case Read():
                places = (True,) * len(node.subscripts)
            case Keep():
                places = (picks, True)
            case Select():
                places = (False, picks, picks)
            case Call("eq" | "ne", args) if any(isinstance(a, Index) for a in args):
                places = (True,) * len(args)
            case _:
                places = (picks,) * len(children(node))
        new = (guard(c, picks=p) for c, p in zip(children(node), places, strict=True))
        return rebuild(node, tuple(new))

    return guard(expr, picks=False)
