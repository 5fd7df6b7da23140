"""Symbolic derivatives: a loss by one element of one of its inputs, as a textbook has them.

The rules of the ops are the ``derivative`` column of the op table; what follows here is the
chain rule and the dozen rules of sums and other binders. `deltas` keeps account of which
element is meant, `tidy` of what is 0 or 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from typing import assert_never

from losscodegen.compiler.conditions import Condition, both
from losscodegen.compiler.deltas import Derivative, Place, sum_over
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
from losscodegen.ir.loss import Variable
from losscodegen.ir.nodes import (
    Call,
    Constant,
    Expr,
    Index,
    Keep,
    Keeper,
    Named,
    Number,
    Read,
    Reduce,
    Reduction,
    Select,
    Size,
    Switch,
    Use,
)
from losscodegen.ir.ops import OPS, Sort
from losscodegen.ir.walk import (
    children,
    free_indices,
    fresh_indices,
    fresh_name,
    index_names,
    rebind,
    rebuild,
    rename_bound,
    substitute,
    walk,
)
from losscodegen.language.formula import parse_formula

HALF = Number(Fraction(1, 2))
TWO = Number(Fraction(2))
MINUS_ONE = Number(Fraction(-1))


def gradient(expr: Expr, wrt: Read) -> Expr:
    """The derivative of ``expr`` by the element ``wrt``.

    ``expr`` holds no definitions (see `walk.inline`). The subscripts of ``wrt`` say which
    element: fresh indices for an arbitrary one (`element`), an index of ``expr`` for the
    element that an entry of the loss itself reads, nothing for an elementwise input. A free
    index that both share means the same in both; bound indices of ``expr`` never do.

    The result is right wherever ``expr`` is differentiable. At the kinks that have a convention
    in the op table it follows the convention; it is undefined where a norm or a root is 0.
    """
    taken = {i.name for s in wrt.subscripts for i in free_indices(s)}
    derivative = _Differentiator(wrt).of(rename_bound(expr, taken))
    return derivative.expression(wrt.subscripts)


def element(variable: Variable, *, avoid: Iterable[Expr] = ()) -> Read:
    """An arbitrary element of ``variable``, its indices used nowhere in ``avoid``."""
    taken = index_names(*avoid)
    subscripts = []
    for axis in variable.subscripted_axes:
        stem = "i" if axis.isdecimal() else axis.lower()
        name = fresh_name(stem, taken)
        taken.add(name)
        subscripts.append(Index(name, axis))
    return Read(variable.name, tuple(subscripts))


@dataclass(frozen=True, slots=True)
class _Differentiator:
    wrt: Read

    def of(self, expr: Expr) -> Derivative:
        if not self.depends(expr):
            return Derivative()
        match expr:
            case Number() | Constant() | Index() | Size():
                return Derivative()
            case Read():
                return self.read(expr)
            case Call():
                return self.call(expr)
            case Select(condition, then, otherwise):
                return self.branches(
                    then, otherwise, lambda a, b: chosen(condition, a, b)
                )
            case Switch(condition, then, otherwise):
                return self.branches(
                    then, otherwise, lambda a, b: switched(condition, a, b)
                )
            case Reduce():
                return self.reduce(expr)
            case Keep():
                return self.keep(expr)
            case Use():
                raise TypeError(f"{expr.name} is a definition: inline it first")
            case _:
                assert_never(expr)

    def depends(self, expr: Expr) -> bool:
        return any(isinstance(n, Read) and n.name == self.wrt.name for n in walk(expr))

    def read(self, expr: Read) -> Derivative:
        if expr.name != self.wrt.name:
            return Derivative()
        place: list[Expr | None] = []
        for mine, wanted in zip(expr.subscripts, self.wrt.subscripts, strict=True):
            if mine == wanted:
                place.append(None)
            elif isinstance(mine, Number) and isinstance(wanted, Number):
                return Derivative()
            else:
                place.append(mine)
        return Derivative.of_terms([(Place(tuple(place)), ONE)])

    def call(self, expr: Call) -> Derivative:
        result = Derivative()
        match expr.op:
            case op if OPS[op].sort is Sort.BOOL:
                pass
            case "add":
                for arg in expr.args:
                    result += self.of(arg)
            case "mul":
                for k, arg in enumerate(expr.args):
                    rest = expr.args[:k] + expr.args[k + 1 :]
                    result += self.of(arg).times(product(*rest))
            case "max" | "min":
                return self.extreme(expr)
            case op:
                for arg, partial in zip(expr.args, partials(op), strict=True):
                    if partial != ZERO and self.depends(arg):
                        result += self.of(arg).times(instantiate(partial, expr.args))
        return result

    def extreme(self, expr: Call) -> Derivative:
        """The side that is taken; of two equal sides each has half. More fold from the left."""
        *first, right = expr.args
        if not first:
            return self.of(right)
        left = first[0] if len(first) == 1 else replace(expr, args=tuple(first))
        taken = call("gt" if expr.op == "max" else "lt", left, right)
        tied = call("eq", left, right)
        return self.branches(
            left,
            right,
            lambda a, b: chosen(taken, a, chosen(tied, product(HALF, total(a, b)), b)),
        )

    def branches(
        self, then: Expr, otherwise: Expr, join: Callable[[Expr, Expr], Expr]
    ) -> Derivative:
        left, right = dict(self.of(then).spread()), dict(self.of(otherwise).spread())
        return Derivative.of_terms(
            (place, join(left.get(place, ZERO), right.get(place, ZERO)))
            for place in left | right
        )

    def sum_over(
        self, inner: Derivative, indices: tuple[Index, ...], where: Condition = True
    ) -> Derivative:
        return sum_over(inner, self.wrt.subscripts, indices, where)

    def reduce(self, expr: Reduce) -> Derivative:
        body, indices = expr.body, expr.indices
        where: Condition = True if expr.where is None else expr.where
        inner = self.of(body)
        match expr.kind:
            case Reduction.SUM:
                return self.sum_over(inner, indices, where)
            case Reduction.MEAN:
                share = quotient(ONE, counted(indices, where))
                return self.sum_over(inner, indices, where).times(share)
            case Reduction.LOGSUMEXP:
                weight: Expr = call("exp", sub(body, apart(expr)))
                if len(indices) == 1 and where is True:
                    weight = Keep(Keeper.SOFTMAX, body, indices[0], indices[0])
                return self.sum_over(inner.times(weight), indices, where)
            case Reduction.AMAX | Reduction.AMIN:
                attained = both(where, call("eq", body, apart(expr)))
                share = quotient(ONE, counted(indices, attained))
                return self.sum_over(inner, indices, attained).times(share)
            case Reduction.VAR:
                mean = apart(replace(expr, kind=Reduction.MEAN))
                weighted = inner.times(product(TWO, sub(body, mean)))
                freedom = total(counted(indices, where), MINUS_ONE)
                result = self.sum_over(weighted, indices, where)
                return result.times(quotient(ONE, freedom))
            case Reduction.PROD:
                return self.sum_over(inner.times(others(expr)), indices, where)
            case Reduction.NORM:
                return self.norm(expr, inner, where)
            case _:
                assert_never(expr.kind)

    def norm(self, expr: Reduce, inner: Derivative, where: Condition) -> Derivative:
        size, order = call("abs", expr.body), expr.order
        if order is None:
            raise TypeError("a norm has an order")
        if order == Constant(Named.OO):
            largest = replace(expr, kind=Reduction.AMAX, body=size, order=None)
            return self.reduce(largest)
        if order == TWO:
            weighted = inner.times(expr.body)
            result = self.sum_over(weighted, expr.indices, where)
            return result.times(quotient(ONE, expr))
        ratio = quotient(size, apart(expr))
        weight = product(
            call("sign", expr.body), raised(ratio, total(order, MINUS_ONE))
        )
        result = self.sum_over(inner.times(weight), expr.indices, where)
        if self.depends(order):
            # log n = log(sum |u|^p)/p, and |u|^p/sum |u|^p = (|u|/n)^p are weights.
            terms = call("xlogy", raised(ratio, order), size)
            mean_log = summed(terms, expr.indices, where)
            slope = product(
                quotient(expr, order), total(mean_log, negative(call("log", expr)))
            )
            result += self.of(order).times(slope)
        return result

    def keep(self, expr: Keep) -> Derivative:
        here = self.of(substitute(expr.body, {expr.index: expr.at}))
        everywhere = self.of(expr.body)
        weight = replace(expr, at=expr.index)
        if expr.kind is Keeper.LOG_SOFTMAX:
            weight = replace(weight, kind=Keeper.SOFTMAX)
        mean = self.sum_over(everywhere.times(weight), (expr.index,))
        match expr.kind:
            case Keeper.LOG_SOFTMAX:
                return here + mean.times(MINUS_ONE)
            case Keeper.SOFTMAX:
                return (here + mean.times(MINUS_ONE)).times(expr)
            case Keeper.SOFTMIN:
                return (here + mean.times(MINUS_ONE)).times(negative(expr))
            case Keeper.NORMALIZE:
                length = Reduce(Reduction.NORM, expr.body, (expr.index,), order=TWO)
                across = here + mean.times(negative(expr))
                return across.times(quotient(ONE, length))
            case _:
                assert_never(expr.kind)


def apart(expr: Reduce) -> Reduce:
    """``expr`` with bound indices of its own, to stand inside a sum over the same axes."""
    names = {i.name for i in expr.indices}
    renamed = rebind(expr, fresh_indices(expr.indices, names, expr))
    assert isinstance(renamed, Reduce)
    return renamed if expr.kind is Reduction.NORM else replace(renamed, order=None)


def others(expr: Reduce) -> Expr:
    """The product over all elements but the one at the indices of ``expr``."""
    rest = apart(expr)
    pairs = zip(rest.indices, expr.indices, strict=True)
    differs = [call("ne", new, old) for new, old in pairs]
    other = differs[0] if len(differs) == 1 else Call("or", tuple(differs))
    where = other if rest.where is None else Call("and", (rest.where, other))
    return replace(rest, where=where)


@cache
def partials(op: str) -> tuple[Expr, ...]:
    """The derivative column of ``op``, one formula in x, y, z per argument."""
    return tuple(parse_formula(text) for text in OPS[op].derivative)


def instantiate(formula: Expr, args: tuple[Expr, ...]) -> Expr:
    """A formula of the op table at ``args``, which are left as they are."""
    values: Mapping[str, Expr] = dict(zip("xyz", args, strict=False))

    def build(node: Expr) -> Expr:
        match node:
            case Read(name):
                return values[name]
            case Call("neg", (inner,)):
                return negative(build(inner))
            case Call("add", terms):
                return total(*(build(t) for t in terms))
            case Call("mul", factors):
                return product(*(build(f) for f in factors))
            case Call("div", (top, bottom)):
                return quotient(build(top), build(bottom))
            case Call("pow", (base, exponent)):
                return raised(build(base), build(exponent))
            case Select(condition, then, otherwise):
                return chosen(build(condition), build(then), build(otherwise))
            case _:
                return rebuild(node, tuple(build(c) for c in children(node)))

    return build(formula)
