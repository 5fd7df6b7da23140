"""Rules of calculus, one at a time: what each makes of a derivative that is to be taken.

`losscodegen.compiler.differentiate` goes from a formula to its derivative in one go. Here the same
column of the op table and the same rules for sums are applied one by one, so that each can be
named; the lines end where that function does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import assert_never

from losscodegen.compiler.conditions import Condition, both
from losscodegen.compiler.differentiate import (
    HALF,
    MINUS_ONE,
    TWO,
    apart,
    instantiate,
    others,
    partials,
)
from losscodegen.compiler.tidy import (
    chosen,
    counted,
    negative,
    product,
    quotient,
    raised,
    summed,
    switched,
    total,
)
from losscodegen.ir.build import ONE, ZERO, call, sub
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
    Select,
    Switch,
)
from losscodegen.ir.ops import OPS
from losscodegen.ir.walk import free_indices, fresh_indices, rebind, substitute
from losscodegen.language.formula import parse_formula
from losscodegen.language.mathematics import Mathematics

Ask = Callable[[Expr], Expr]
"""The derivative of a part: 0, 1, a Kronecker delta, or a mark for one still to be taken."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as it was applied: its name, what it says, and what it made."""

    name: str
    law: str
    after: Expr


def step(expr: Expr, ask: Ask) -> Rule:
    """The derivative of ``expr`` in terms of derivatives of its parts, by one rule.

    ``ask`` gives 0 for a part that does not depend on what is differentiated by.
    """
    match expr:
        case Call("add", args):
            parts = [ask(a) for a in args]
            dropped = any(p == ZERO for p in parts)
            name = "sum rule" + ", constants drop out" * dropped
            return Rule(name, "(u + v)′ = u′ + v′", total(*parts))
        case Call("neg", (inner,)):
            return Rule("constant factor", "(−u)′ = −u′", negative(ask(inner)))
        case Call("mul", args):
            return _product(args, ask)
        case Call("div", (top, bottom)):
            return _quotient(top, bottom, ask)
        case Call("pow", (base, exponent)):
            return _power(base, exponent, ask)
        case Call("max" | "min"):
            return _extreme(expr, ask)
        case Call(op, args):
            return _table(op, args, ask)
        case Select(condition, then, otherwise):
            after = chosen(condition, ask(then), ask(otherwise))
            return Rule("branch by branch", "each branch by itself", after)
        case Switch(condition, then, otherwise):
            after = switched(condition, ask(then), ask(otherwise))
            return Rule("case by case", "each case by itself", after)
        case Reduce():
            return _reduce(expr, ask)
        case Keep():
            return _keep(expr, ask)
        case _:
            raise TypeError(f"{type(expr).__name__} has no rule of calculus")


def _product(args: tuple[Expr, ...], ask: Ask) -> Rule:
    slopes = [ask(a) for a in args]
    moving = [k for k, slope in enumerate(slopes) if slope != ZERO]
    if len(moving) == 1:
        k = moving[0]
        after = product(*args[:k], slopes[k], *args[k + 1 :])
        return Rule("constant factor", "(c·u)′ = c·u′", after)
    terms = (product(*args[:k], slopes[k], *args[k + 1 :]) for k in moving)
    return Rule("product rule", "(u·v)′ = u′·v + u·v′", total(*terms))


def _quotient(top: Expr, bottom: Expr, ask: Ask) -> Rule:
    above, below = ask(top), ask(bottom)
    if below == ZERO:
        return Rule("constant factor", "(u/c)′ = u′/c", quotient(above, bottom))
    square = raised(bottom, TWO)
    if above == ZERO:
        after = negative(quotient(product(top, below), square))
        return Rule("reciprocal rule", "(c/v)′ = −c·v′/v²", after)
    numerator = total(product(above, bottom), negative(product(top, below)))
    after = quotient(numerator, square)
    return Rule("quotient rule", "(u/v)′ = (u′·v − u·v′)/v²", after)


def _power(base: Expr, exponent: Expr, ask: Ask) -> Rule:
    by_base, by_exponent = ask(base), ask(exponent)
    lowered = product(exponent, raised(base, total(exponent, MINUS_ONE)), by_base)
    chained = "" if by_base == ONE else ", chain rule"
    if by_exponent == ZERO:
        law = "(uⁿ)′ = n·uⁿ⁻¹" + "·u′" * bool(chained)
        return Rule(f"power rule{chained}", law, lowered)
    grown = product(call("xlogy", raised(base, exponent), base), by_exponent)
    if by_base == ZERO:
        chained = "" if by_exponent == ONE else ", chain rule"
        return Rule(f"exponential rule{chained}", "(aᵘ)′ = aᵘ·log(a)·u′", grown)
    law = "(uᵛ)′ = v·uᵛ⁻¹·u′ + uᵛ·log(u)·v′"
    return Rule("power with a varying exponent", law, total(lowered, grown))


def _extreme(expr: Call, ask: Ask) -> Rule:
    *first, right = expr.args
    if not first:
        return Rule("one argument", f"{expr.op}(u) = u", ask(right))
    left = first[0] if len(first) == 1 else replace(expr, args=tuple(first))
    taken = call("gt" if expr.op == "max" else "lt", left, right)
    a, b = ask(left), ask(right)
    tie = chosen(call("eq", left, right), product(HALF, total(a, b)), b)
    law = f"{expr.op}(u, v)′ is that of the side taken, the mean of both at a tie"
    return Rule("side that is taken", law, chosen(taken, a, tie))


def _table(op: str, args: tuple[Expr, ...], ask: Ask) -> Rule:
    slopes = [ask(a) for a in args]
    moving = [k for k, slope in enumerate(slopes) if slope != ZERO]
    outer = [instantiate(partials(op)[k], args) for k in moving]
    found = (product(o, slopes[k]) for o, k in zip(outer, moving, strict=True))
    plain = all(slopes[k] == ONE for k in moving)
    row = OPS[op]
    name = row.doc.partition(",")[0]
    if any(mark in name for mark in ("(", "*", "derivative")):
        name = f"derivative of {op}"
    return Rule(
        name if plain else f"{name}, chain rule", _law(op, moving), total(*found)
    )


def _law(op: str, moving: list[int]) -> str:
    """What the op table says about one op, as a law over u, v, w."""
    letters = ("u", "v", "w")[: len(OPS[op].derivative)]
    args = tuple(Read(letter) for letter in letters)
    terms = (
        product(instantiate(partials(op)[k], args), Read(f"{letters[k]}′"))
        for k in moving
    )
    printer = Mathematics(None)
    left = printer.text(Call(op, args))
    return f"({left})′ = {printer.text(total(*terms))}"


# ---------------------------------------------------------------------- binders


def _reduce(expr: Reduce, ask: Ask) -> Rule:
    body, indices = expr.body, expr.indices
    where: Condition = True if expr.where is None else expr.where
    inner = ask(body)
    match expr.kind:
        case Reduction.SUM:
            law = "the derivative of a sum is the sum of the derivatives"
            return Rule("sum over an axis", law, summed(inner, indices, where))
        case Reduction.MEAN:
            share = quotient(ONE, counted(indices, where))
            after = product(share, summed(inner, indices, where))
            law = "the derivative of a mean is the mean of the derivatives"
            return Rule("mean over an axis", law, after)
        case Reduction.LOGSUMEXP:
            weight: Expr = call("exp", sub(body, apart(expr)))
            if len(indices) == 1 and where is True:
                weight = Keep(Keeper.SOFTMAX, body, indices[0], indices[0])
            after = summed(product(weight, inner), indices, where)
            law = "(log Σ exp uᵢ)′ = Σ softmax(u)ᵢ·uᵢ′"
            return Rule("log-sum-exp", law, after)
        case Reduction.AMAX | Reduction.AMIN:
            attained = both(where, call("eq", body, apart(expr)))
            share = quotient(ONE, counted(indices, attained))
            after = product(share, summed(inner, indices, attained))
            law = "the derivative of the entries that attain it, shared equally"
            return Rule("extreme entry", law, after)
        case Reduction.VAR:
            mean = apart(replace(expr, kind=Reduction.MEAN))
            weighted = product(TWO, sub(body, mean), inner)
            freedom = total(counted(indices, where), MINUS_ONE)
            after = quotient(summed(weighted, indices, where), freedom)
            law = "(Var u)′ = 2·Σ(uᵢ − mean u)·uᵢ′/(n − 1)"
            return Rule("variance", law, after)
        case Reduction.PROD:
            after = summed(product(others(expr), inner), indices, where)
            law = "(Π uᵢ)′ = Σ uᵢ′·Π of the others"
            return Rule("product rule", law, after)
        case Reduction.NORM:
            return _norm(expr, inner, where, ask)
        case _:
            assert_never(expr.kind)


def _norm(expr: Reduce, inner: Expr, where: Condition, ask: Ask) -> Rule:
    order = expr.order
    assert order is not None
    size = call("abs", expr.body)
    if order == Constant(Named.OO):
        largest = replace(expr, kind=Reduction.AMAX, body=size, order=None)
        return _reduce(largest, ask)
    if order == TWO:
        after = quotient(summed(product(expr.body, inner), expr.indices, where), expr)
        return Rule("Euclidean norm", "‖u‖′ = Σ uᵢ·uᵢ′/‖u‖", after)
    ratio = quotient(size, apart(expr))
    weight = product(call("sign", expr.body), raised(ratio, total(order, MINUS_ONE)))
    after = summed(product(weight, inner), expr.indices, where)
    law = "‖u‖′ = Σ sign(uᵢ)·(|uᵢ|/‖u‖)ᵖ⁻¹·uᵢ′"
    by_order = ask(order)
    if by_order != ZERO:
        terms = call("xlogy", raised(ratio, order), size)
        mean_log = summed(terms, expr.indices, where)
        slope = product(
            quotient(expr, order), total(mean_log, negative(call("log", expr)))
        )
        after = total(after, product(slope, by_order))
    return Rule("norm", law, after)


def _keep(expr: Keep, ask: Ask) -> Rule:
    here = ask(substitute(expr.body, {expr.index: expr.at}))
    taken = {i.name for i in free_indices(expr.at)}
    renamed = rebind(expr, fresh_indices((expr.index,), taken, expr))
    assert isinstance(renamed, Keep)
    expr = replace(renamed, at=expr.at)
    everywhere = ask(expr.body)
    weight = replace(expr, at=expr.index)
    if expr.kind is Keeper.LOG_SOFTMAX:
        weight = replace(weight, kind=Keeper.SOFTMAX)
    mean = summed(product(weight, everywhere), (expr.index,))
    centred = total(here, negative(mean))
    match expr.kind:
        case Keeper.LOG_SOFTMAX:
            law = "(log softmax(u)ₖ)′ = uₖ′ − Σ softmax(u)ᵢ·uᵢ′"
            return Rule("log-softmax", law, centred)
        case Keeper.SOFTMAX:
            law = "(softmax(u)ₖ)′ = softmax(u)ₖ·(uₖ′ − Σ softmax(u)ᵢ·uᵢ′)"
            return Rule("softmax", law, product(expr, centred))
        case Keeper.SOFTMIN:
            law = "(softmin(u)ₖ)′ = −softmin(u)ₖ·(uₖ′ − Σ softmin(u)ᵢ·uᵢ′)"
            return Rule("softmin", law, negative(product(expr, centred)))
        case Keeper.NORMALIZE:
            length = Reduce(Reduction.NORM, expr.body, (expr.index,), order=TWO)
            after = total(here, negative(product(expr, mean)))
            law = "(u/‖u‖)ₖ′ = (uₖ′ − ûₖ·Σ ûᵢ·uᵢ′)/‖u‖"
            return Rule("direction", law, quotient(after, length))
        case _:
            assert_never(expr.kind)


# ---------------------------------------------------------------------- identities

_RATIOS = (
    ("sinh(x)", "cosh(x)", "tanh(x)"),
    ("sin(x)", "cos(x)", "tan(x)"),
)
"""Numerator, denominator and what their quotient is called."""

IDENTITIES = tuple(tuple(map(parse_formula, row)) for row in _RATIOS)


def renamed_ratio(node: Expr) -> Expr:
    """A quotient by the name it has: ``sinh(x)/cosh(x)`` as ``tanh(x)``."""
    match node:
        case Call("div", (top, Call(below, (arg,)))):
            factors = top.args if isinstance(top, Call) and top.op == "mul" else (top,)
            for above, under, whole in IDENTITIES:
                assert isinstance(above, Call) and isinstance(under, Call)
                assert isinstance(whole, Call)
                wanted = Call(above.op, (arg,))
                if under.op == below and wanted in factors:
                    rest = list(factors)
                    rest[rest.index(wanted)] = Call(whole.op, (arg,))
                    return product(*rest)
        case _:
            pass
    return node
