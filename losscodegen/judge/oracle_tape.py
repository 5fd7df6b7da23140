"""Expressions as tapes: every element of every tensor written out, each value computed once.

A tape is a flat list of nodes in order of dependence, made once per expression and sizes. Both
branches of a choice stand on it, since every function of the oracle is total; what is not chosen
gives neither value nor gradient. Dims of ``...`` are not written out: the tape is that of one
element of the batch (a lane), and is run for each.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

from flint import fmpq

from losscodegen.ir.loss import ELLIPSIS, DomainKind, Loss, Variable
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
from losscodegen.ir.walk import free_indices
from losscodegen.judge.oracle_graph import Graph, Leaf, Node
from losscodegen.judge.oracle_numbers import as_integer


@dataclass(frozen=True, slots=True, kw_only=True)
class Tape:
    nodes: tuple[Node, ...]
    outputs: tuple[int, ...]
    """The elements of the expression, the first free index slowest."""
    leaves: Mapping[Leaf, int]
    constants: tuple[tuple[int, Named], ...]
    """Those that depend on the precision."""
    sums: frozenset[int] = frozenset()
    """What adds up the terms of an axis."""


class Builder(Graph):
    """Writes the expressions of one loss on one tape."""

    def __init__(
        self, loss: Loss, sizes: Mapping[str, int], wrt: frozenset[str]
    ) -> None:
        super().__init__()
        self.sizes = sizes
        self.wrt = wrt
        self.variables = {v.name: v for v in loss.variables}
        self.leaves: dict[Leaf, int] = {}
        self.sums: set[int] = set()
        self._built: dict[tuple[int, ...], int] = {}
        self._free: dict[int, tuple[Expr, tuple[Index, ...]]] = {}

    def tape(self, expr: Expr, free: Sequence[Index]) -> Tape:
        outputs = [self.build(expr, env) for env in self.environments(free, {})]
        constants = tuple(
            (place, node.data)
            for place, node in enumerate(self.nodes)
            if isinstance(node.data, Named) and node.data is not Named.OO
        )
        return Tape(
            nodes=tuple(self.nodes),
            outputs=tuple(outputs),
            leaves=dict(self.leaves),
            constants=constants,
            sums=frozenset(self.sums),
        )

    def size(self, axis: str) -> int:
        return int(axis) if axis.isdecimal() else self.sizes[axis]

    def environments(
        self, indices: Sequence[Index], env: Mapping[Index, int]
    ) -> list[dict[Index, int]]:
        ranges = [range(self.size(i.axis)) for i in indices]
        return [
            {**env, **dict(zip(indices, chosen, strict=True))}
            for chosen in itertools.product(*ranges)
        ]

    # -------------------------------------------------------------------------- expressions

    def build(self, expr: Expr, env: Mapping[Index, int]) -> int:
        match expr:
            case Number(value):
                return self.number(fmpq(value.numerator, value.denominator))
            case Constant(name):
                return self.node("constant", data=name)
            case Index():
                return self.number(env[expr])
            case Size(axis):
                return self.number(self.size(axis))
            case Read(name, subscripts):
                places = [self.build(s, env) for s in subscripts]
                return self.read(self.variables[name], places)
            case Call(op, args):
                return self.apply(op, [self.build(a, env) for a in args])
            case Select(condition, then, otherwise) | Switch(
                condition, then, otherwise
            ):
                place = self.build(condition, env)
                truth = self.truth(place)
                if truth is not None:
                    return self.build(then if truth else otherwise, env)
                return self.select(
                    place, self.build(then, env), self.build(otherwise, env)
                )
            case Reduce() | Keep():
                return self.bind(expr, env)
            case Use(name):
                raise ValueError(f"the definition {name} has not been inlined")
            case _:
                assert_never(expr)

    def read(self, variable: Variable, places: Sequence[int]) -> int:
        axes = variable.axes
        batch = axes.index(ELLIPSIS) if ELLIPSIS in axes else None
        named = variable.subscripted_axes
        return self._read(variable, named, batch, tuple(places), ())

    def _read(
        self,
        variable: Variable,
        axes: tuple[str, ...],
        batch: int | None,
        places: tuple[int, ...],
        found: tuple[int, ...],
    ) -> int:
        """The entry at ``places``; a subscript that is data becomes a pick among all entries."""
        if len(found) == len(axes):
            return self.leaf(variable, axes, batch, found)
        size = self.size(axes[len(found)])
        place = places[len(found)]
        chosen = self.value(place)
        if chosen is not None:
            at = as_integer(chosen)
            if at is None or not 0 <= at < size:
                return self.node("undefined")
            return self._read(variable, axes, batch, places, (*found, at))
        entries = [
            self._read(variable, axes, batch, places, (*found, k)) for k in range(size)
        ]
        truth = variable.domain.kind is DomainKind.BOOL
        return self.node("flag_at" if truth else "pick", *entries, place)

    def leaf(
        self,
        variable: Variable,
        axes: tuple[str, ...],
        batch: int | None,
        at: tuple[int, ...],
    ) -> int:
        split = 0 if batch is None else batch
        lead = trail = 0
        width = 1
        for k, axis in enumerate(axes):
            if k < split:
                lead = lead * self.size(axis) + at[k]
            else:
                trail = trail * self.size(axis) + at[k]
                width *= self.size(axis)
        leaf = Leaf(variable.name, lead, trail, width, batch is not None)
        place = self.leaves.get(leaf)
        if place is None:
            truth = variable.domain.kind is DomainKind.BOOL
            place = self.leaves[leaf] = len(self.nodes)
            active = variable.name in self.wrt and not truth
            self.nodes.append(Node("flag" if truth else "leaf", (), leaf, active))
        return place

    # ------------------------------------------------------------------- binders and keepers

    def bind(self, expr: Reduce | Keep, env: Mapping[Index, int]) -> int:
        """A binder or keeper, written out once for each value of its own free indices."""
        # The expression is kept beside its indices, so that its id stays its own.
        if id(expr) not in self._free:
            self._free[id(expr)] = expr, free_indices(expr)
        key = (id(expr), *(env[i] for i in self._free[id(expr)][1]))
        if key not in self._built:
            self._built[key] = (
                self.reduce(expr, env)
                if isinstance(expr, Reduce)
                else self.keep(expr, env)
            )
        return self._built[key]

    def reduce(self, expr: Reduce, env: Mapping[Index, int]) -> int:
        bodies: list[int] = []
        masks: list[int | None] = []
        for inner in self.environments(expr.indices, env):
            mask = None
            if expr.where is not None:
                mask = self.build(expr.where, inner)
                truth = self.truth(mask)
                if truth is False:
                    continue
                mask = mask if truth is None else None
            bodies.append(self.build(expr.body, inner))
            masks.append(mask)
        order = self.number(2) if expr.order is None else self.build(expr.order, env)
        return self.reduced(expr.kind, bodies, masks, order)

    def reduced(
        self, kind: Reduction, bodies: list[int], masks: list[int | None], order: int
    ) -> int:
        """Masked entries are replaced by what is neutral: a choice, never a product."""

        def masked(values: list[int], neutral: int) -> list[int]:
            return [
                v if m is None else self.select(m, v, neutral)
                for v, m in zip(values, masks, strict=True)
            ]

        zero, one = self.number(0), self.number(1)
        match kind:
            case Reduction.SUM:
                return self.sum(masked(bodies, zero))
            case Reduction.PROD:
                factors = masked(bodies, one)
                return self.apply("mul", factors) if factors else one
            case Reduction.MEAN:
                count = self.sum(masked([one] * len(bodies), zero))
                return self.node("div", self.sum(masked(bodies, zero)), count)
            case Reduction.VAR:
                count = self.sum(masked([one] * len(bodies), zero))
                mean = self.node("div", self.sum(masked(bodies, zero)), count)
                squares = [
                    self.node("square", self.node("sub", b, mean)) for b in bodies
                ]
                spread = self.sum(masked(squares, zero))
                found = self.node("div", spread, self.apply("sub", (count, one)))
                # Of one entry it is 0/0, of none it would be 0/-1.
                some = self.condition("ge", (count, one))
                truth = self.truth(some)
                if truth is None:
                    return self.select(some, found, self.node("undefined"))
                return found if truth else self.node("undefined")
            case Reduction.LOGSUMEXP:
                terms = masked(bodies, self.infinity(-1))
                return self.many("logsumexp", terms, self.infinity(-1))
            case Reduction.AMAX:
                terms = masked(bodies, self.infinity(-1))
                return self.many("max", terms, self.infinity(-1))
            case Reduction.AMIN:
                return self.many(
                    "min", masked(bodies, self.infinity()), self.infinity()
                )
            case Reduction.NORM:
                terms = masked(bodies, zero)
                return self.node("norm", *terms, order) if terms else zero
            case _:
                assert_never(kind)

    def sum(self, terms: list[int]) -> int:
        if not terms:
            return self.number(0)
        place = self.apply("add", terms)
        if len(terms) > 1:
            self.sums.add(place)
        return place

    def many(self, op: str, terms: list[int], empty: int) -> int:
        if len(terms) < 2:
            return terms[0] if terms else empty
        return self.node(op, *terms)

    def keep(self, expr: Keep, env: Mapping[Index, int]) -> int:
        bodies = [
            self.build(expr.body, inner)
            for inner in self.environments((expr.index,), env)
        ]
        at = self.build(expr.at, env)
        match expr.kind:
            case Keeper.SOFTMAX:
                return self.node("softmax", *bodies, at)
            case Keeper.SOFTMIN:
                return self.node("softmax", *(self.node("neg", b) for b in bodies), at)
            case Keeper.LOG_SOFTMAX:
                return self.node("log_softmax", *bodies, at)
            case Keeper.NORMALIZE:
                length = self.node("norm", *bodies, self.number(2))
                chosen = self.value(at)
                place = None if chosen is None else as_integer(chosen)
                if place is not None and 0 <= place < len(bodies):
                    return self.node("div", bodies[place], length)
                return self.node("div", self.node("pick", *bodies, at), length)
            case _:
                assert_never(expr.kind)
