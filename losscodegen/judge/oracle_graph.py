"""The nodes that a tape is made of, each of them written once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flint import fmpq

from losscodegen.ir.nodes import Named
from losscodegen.judge.oracle_numbers import Value
from losscodegen.judge.oracle_partials import BINARY, NARY, UNARY

CONDITIONS = frozenset(
    {"eq", "ne", "lt", "le", "gt", "ge", "and", "or", "not", "isnan", "isfinite"}
)
COMPARISONS = frozenset({"eq", "ne", "lt", "le", "gt", "ge"})
_INERT = CONDITIONS | {
    "same",
    "flag_at",
    "detach",
    "sign",
    "floor",
    "heaviside",
    "delta",
}
"""What has no derivative, or 0 wherever there is one."""
_FOLDED = frozenset({"add", "sub", "mul", "neg", "mod", "max", "min", "abs"})
"""Ops that are exact on rationals, done at once where index arithmetic needs the number."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """An entry of a variable: row ``lead`` before the batch, ``trail`` after it.

    ``spread`` says whether the variable has ``...``; without it there is no ``lead``, and
    ``trail`` counts all entries. ``width`` is the number of entries after the batch.
    """

    name: str
    lead: int
    trail: int
    width: int
    spread: bool


@dataclass(frozen=True, slots=True)
class Node:
    """One value of the tape; ``args`` are places of earlier nodes.

    ``op`` is an op, ``select``, ``leaf`` (then ``data`` is a `Leaf`), ``number`` (a rational),
    ``constant`` or ``undefined``. ``active`` nodes depend on what is differentiated by.
    ``computed`` conditions compare results of arithmetic, which a program would round.
    """

    op: str
    args: tuple[int, ...] = ()
    data: object = None
    active: bool = False
    computed: bool = False


class Graph:
    """Nodes in order of dependence; equal ones are the same."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self._places: dict[tuple[object, ...], int] = {}

    def node(self, op: str, *args: int, data: object = None) -> int:
        key = (op, args, data)
        place = self._places.get(key)
        if place is None:
            place = self._places[key] = len(self.nodes)
            operands = [self.nodes[a] for a in args]
            active = op not in _INERT and any(n.active for n in operands)
            computed = any(n.computed for n in operands)
            if op in COMPARISONS:
                computed = any(not self.plain(n) for n in operands)
            elif op not in CONDITIONS:
                computed = False
            self.nodes.append(Node(op, args, data, active, computed))
        return place

    def plain(self, node: Node) -> bool:
        """Whether a program has the very same number: data, constants, their negatives."""
        if node.op == "neg":
            return self.plain(self.nodes[node.args[0]])
        return node.op in ("leaf", "number")

    def number(self, value: fmpq | int) -> int:
        return self.node("number", data=fmpq(value))

    def value(self, place: int) -> fmpq | None:
        data = self.nodes[place].data
        return data if isinstance(data, fmpq) else None

    def truth(self, place: int) -> bool | None:
        data = self.nodes[place].data
        return data if isinstance(data, bool) else None

    def known(self, truth: bool) -> int:
        return self.node("known", data=truth)

    def infinity(self, sign: int = 1) -> int:
        place = self.node("constant", data=Named.OO)
        return place if sign > 0 else self.node("neg", place)

    def apply(self, op: str, args: Sequence[int]) -> int:
        """An op on nodes; differences get an op of their own, index arithmetic is done."""
        if op in CONDITIONS:
            return self.condition(op, args)
        if op in ("add", "mul", "max", "min") and len(args) == 1:
            return args[0]
        if op == "add" and len(args) == 2 and self.nodes[args[1]].op == "neg":
            args = (args[0], self.nodes[args[1]].args[0])
            op = "sub"
        numbers = [v for a in args if (v := self.value(a)) is not None]
        if op in _FOLDED and len(numbers) == len(args):
            result = _folded(op, numbers)
            if isinstance(result, fmpq):
                return self.number(result)
        return self.node(op, *args)

    def condition(self, op: str, args: Sequence[int]) -> int:
        if op in COMPARISONS:
            left, right = (self.value(a) for a in args)
            if left is not None and right is not None:
                found = (left > right) - (left < right)
            elif args[0] == args[1]:
                # The same number: a tie that no change of the data can undo, unless it is NaN.
                return self.node("same", *args, data=op)
            else:
                return self.node(op, *args)
            return self.known(_holds(op, found))
        if op == "not":
            truth = self.truth(args[0])
            return self.node(op, *args) if truth is None else self.known(not truth)
        if op in ("and", "or"):
            neutral = op == "and"
            if any(self.truth(a) is (not neutral) for a in args):
                return self.known(not neutral)
            open_ = [a for a in args if self.truth(a) is None]
            if not open_:
                return self.known(neutral)
            return open_[0] if len(open_) == 1 else self.node(op, *open_)
        return self.node(op, *args)

    def select(self, condition: int, then: int, otherwise: int) -> int:
        if then == otherwise:
            return then
        return self.node("select", condition, then, otherwise)


def _folded(op: str, numbers: list[fmpq]) -> Value:
    if op in UNARY:
        return UNARY[op][0](numbers[0])
    if len(numbers) == 2 and op in BINARY:
        return BINARY[op][0](*numbers)
    return NARY[op][0](list[Value](numbers))


def _holds(op: str, found: int) -> bool:
    return {
        "eq": found == 0,
        "ne": found != 0,
        "lt": found < 0,
        "le": found <= 0,
        "gt": found > 0,
        "ge": found >= 0,
    }[op]
