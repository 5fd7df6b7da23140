"""From the formula as it was written to one that keeps its digits, step by step.

Rules run in phases, bottom up, until none fires; then the branches that are not taken are kept
from poisoning the gradient. Every rewrite is noted as a `Step`.
"""

from __future__ import annotations

from dataclasses import replace

from losscodegen.compiler.branches import INTEGRAL, Protector
from losscodegen.compiler.decided import decided
from losscodegen.compiler.digits import Digits
from losscodegen.compiler.magnitudes import Magnitudes
from losscodegen.compiler.ordering import ORDER, Ordering
from losscodegen.compiler.ranges import Ranges
from losscodegen.compiler.repeated import as_powers
from losscodegen.compiler.rewriter import Rewriter
from losscodegen.compiler.rules import RULES, Phase, Rule
from losscodegen.compiler.search.stage import Search, defaults
from losscodegen.compiler.signs import signed
from losscodegen.compiler.simplify import even
from losscodegen.compiler.steps import Stabilized, Step
from losscodegen.ir.loss import Accuracy, DomainKind, Loss
from losscodegen.ir.nodes import Call, Expr, Read, Select
from losscodegen.ir.walk import inline_loss, transform, walk

UNLIMITED = frozenset(
    {
        DomainKind.REAL,
        DomainKind.POSITIVE,
        DomainKind.NONNEGATIVE,
        DomainKind.NEGATIVE,
        DomainKind.LOGPROB,
    }
)
"""The domains that hold numbers of any size."""


def stabilize(
    loss: Loss,
    rules: tuple[Rule, ...] = RULES,
    *,
    without: frozenset[str] = frozenset(),
    differentiated: bool = True,
    sloped: bool = True,
) -> Stabilized:
    """``loss`` with its definitions expanded and every rule of ``rules`` applied where it helps.

    ``without`` names guards of `branches` and `ordering` and forms of `search` to leave out, for
    the tests that show what each is for. Without any rule nothing is searched, either.
    Where the result is not ``differentiated``, what is for the sake of the gradient alone stays
    out; where it is not ``sloped``, the search does not count the digits of the gradient.
    Where its accuracy is absolute, what is for the digits of small results or for the ends of the
    format's range alone stays out, and what is right beside usual results is not searched.
    The result has the same inputs, axes, domain and value as a function over the reals.
    """
    loss = inline_loss(loss)
    scalars = frozenset(v.name for v in loss.parameters if v.scalar)
    steps: list[Step] = []
    protector = Protector.of_loss(loss, rules, steps, without)
    if not differentiated:
        protector = replace(protector, tame=replace(protector.tame, value_only=True))
    unlimited = frozenset(
        v.name for v in loss.variables if not v.scalar and v.domain.kind in UNLIMITED
    )
    absolute = loss.accuracy is Accuracy.ABSOLUTE
    digits = Digits.of_loss(loss) if absolute else Digits()
    rewriter = Rewriter(rules, scalars, protector.tame, unlimited, steps, digits)
    rewriter.results = frozenset(loss.free)
    ranges = Ranges.of_loss(loss)
    later, usual = rewriter.expanded, defaults(loss)
    search = Search(usual, steps, later, without, differentiated and sloped, digits)
    whole = frozenset(v.name for v in loss.variables if v.domain.kind in INTEGRAL)
    bent = not _over_axes(loss)
    magnitudes = Magnitudes(unlimited.__contains__)
    ordering = Ordering(unlimited, steps)
    orders = ORDER.rule not in without

    def run(expr: Expr) -> Expr:
        expr = transform(as_powers(decided(expr)), even)
        expr = rewriter.run(expr, Phase.RECOGNISE, ranges)
        if rules:
            expr = rewriter.run(search.run(expr, ranges), Phase.RECOGNISE, ranges)
        for phase in (Phase.LEVEL, Phase.EXPAND, Phase.OVERFLOW):
            expr = rewriter.run(expr, phase, ranges)
        expr = magnitudes.taken_apart(expr, ranges)
        if rules and orders:
            expr = ordering.ordered(expr, ranges)
        if bent:
            expr = _alike(rewriter.run(expr, Phase.BEND, ranges))
        return signed(protector.protect(_chosen(expr, whole), ranges))

    weight = None if loss.mean_weight is None else run(loss.mean_weight)
    loss = replace(loss, expression=run(loss.expression), mean_weight=weight)
    return Stabilized(loss=loss, steps=tuple(dict.fromkeys(steps)))


def _alike(expr: Expr) -> Expr:
    """``expr`` with a function of the module wherever the same is computed."""
    helped = {n for n in walk(expr) if n.origin.helped}

    def visit(node: Expr) -> Expr:
        if node not in helped or node.origin.helped:
            return node
        return replace(node, origin=replace(node.origin, helped=True))

    return transform(expr, visit) if helped else expr


def _over_axes(loss: Loss) -> bool:
    """Whether an entry of the loss takes more than one element of each input."""
    return bool(loss.free) or any(
        not axis.isdecimal() for v in loss.variables for axis in v.subscripted_axes
    )


def _chosen(expr: Expr, whole: frozenset[str]) -> Expr:
    """``expr`` without the choices that come to ``t == t``, as at the true class itself.

    ``whole`` names what holds whole numbers; anything else may be NaN, which equals nothing.
    """

    def visit(node: Expr) -> Expr:
        match node:
            case Select(
                Call("eq" | "ne" as op, (left, right)), then, otherwise
            ) if left == right and all(
                n.name in whole for n in walk(left) if isinstance(n, Read)
            ):
                return then if op == "eq" else otherwise
            case _:
                return node

    return transform(expr, visit)
