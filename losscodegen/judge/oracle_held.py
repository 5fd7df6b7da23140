"""What is true beside a point where every decision stays as it is at the point.

How much a result may be off follows from how far it moves when the inputs move a little. Across a
kink or a jump it moves for another reason: ``where(x > y, 2*x, 5)`` is no less certain where x and
y are equal, for a program has both and compares them exactly. So the truth at a neighbour is asked
for with the comparisons, signs and greatest entries of the point itself. What rounding may decide
otherwise is a matter of its own (see `oracle_near`).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from flint import fmpq

from losscodegen.ir.loss import Loss
from losscodegen.judge.oracle import Oracle, restored_precision
from losscodegen.judge.oracle_arithmetic import absolute, add, negate, order, subtract
from losscodegen.judge.oracle_binding import bind
from losscodegen.judge.oracle_choice import floor
from losscodegen.judge.oracle_graph import COMPARISONS
from losscodegen.judge.oracle_lane import next_bits
from losscodegen.judge.oracle_near import as_first
from losscodegen.judge.oracle_nodes import STEPS, Register
from losscodegen.judge.oracle_numbers import (
    HALF,
    MINUS_ONE,
    ONE,
    UNDEFINED,
    ZERO,
    sign,
    zero,
)
from losscodegen.judge.oracle_run import Change
from losscodegen.judge.oracle_sides import registers_of, truth_of
from losscodegen.judge.oracles import Oracles
from losscodegen.judge.point import Point, Truth
from losscodegen.judge.rounding import Dtype

Outcome = Hashable
"""What a node decides: a sign, an order, which entries are the greatest; None if it is unknown."""

Made = tuple[tuple[int, int, str, Outcome], ...]
"""The decisions at a point: element of the batch, place, op and outcome."""

_NEXT_TO_NOTHING = fmpq(1, 2**6000)
"""On one side of 0, and nothing beside the numbers of any format."""


@dataclass(frozen=True, slots=True)
class Deciding:
    """An op that decides: what, and arguments near the given ones that have it decide so."""

    outcome: Callable[[list[Register]], Outcome]
    arguments: Callable[[list[Register], Outcome], list[Register]]

    def held(self, outcome: Outcome) -> Change:
        """Arguments as they are if they decide so already."""
        return lambda given: (
            given if self.outcome(given) == outcome else self.arguments(given, outcome)
        )


def _sign(args: list[Register]) -> Outcome:
    return None if args[0] is UNDEFINED else sign(args[0])


def _of_sign(given: list[Register], way: Outcome) -> list[Register]:
    if way == 0:
        return [ZERO, *given[1:]]
    size = _NEXT_TO_NOTHING if zero(given[0]) else absolute(given[0])
    return [size if way == 1 else negate(size), *given[1:]]


def _order(args: list[Register]) -> Outcome:
    return order(*args)


def _of_order(_: list[Register], way: Outcome) -> list[Register]:
    return {-1: [ZERO, ONE], 1: [ONE, ZERO]}.get(_number(way), [ZERO, ZERO])


def _number(way: Outcome) -> int:
    assert isinstance(way, int)
    return way


def _whole(args: list[Register]) -> Outcome:
    whole = floor(args[0])
    if not isinstance(whole, fmpq):
        return None
    return whole.p, zero(subtract(args[0], whole))


def _of_whole(_: list[Register], found: Outcome) -> list[Register]:
    assert isinstance(found, tuple)
    whole, exact = found
    return [fmpq(whole) + (ZERO if exact else HALF)]


def _greatest(way: int) -> Deciding:
    """Which arguments are the greatest (1) or the least (-1)."""

    def outcome(args: list[Register]) -> Outcome:
        if any(a is UNDEFINED for a in args):
            return None
        best = [0]
        for k, value in enumerate(args[1:], 1):
            found = order(value, args[best[0]])
            if found is None:
                return None
            if found == 0:
                best.append(k)
            elif found == way:
                best = [k]
        return tuple(best)

    def arguments(given: list[Register], found: Outcome) -> list[Register]:
        assert isinstance(found, tuple)
        own = given[found[0]]
        tied = [own if k in found else v for k, v in enumerate(given)]
        return as_first(found[0], way)(tied)

    return Deciding(outcome, arguments)


def _between(args: list[Register]) -> Outcome:
    if any(a is UNDEFINED for a in args):
        return None
    ways = order(args[0], args[1]), order(args[0], args[2])
    return None if None in ways else ways


def _of_between(given: list[Register], found: Outcome) -> list[Register]:
    assert isinstance(found, tuple)
    x, *ends = given
    for end, way in zip(ends, found, strict=True):
        if order(x, end) != way:
            gap = ZERO if way == 0 else absolute(subtract(x, end))
            x = add(end, negate(gap) if way == -1 else gap)
    return [x, *ends]


def _signs(args: list[Register]) -> Outcome:
    """Of the entries of a norm whose order comes last, where that has kinks in each of them."""
    *entries, p = args
    found = tuple(map(sign, entries))
    if None in found or order(p, ONE) == 1:
        return None if None in found else not any(found)
    return found


def _of_signs(given: list[Register], found: Outcome) -> list[Register]:
    *entries, p = given
    if isinstance(found, tuple):
        held = zip(entries, found, strict=True)
        return [*(_of_sign([e], way)[0] for e, way in held), p]
    return [*[ZERO] * len(entries), p] if found is True else given


def _both_nothing(args: list[Register]) -> Outcome:
    return all(map(zero, args))


def _of_nothing(given: list[Register], found: Outcome) -> list[Register]:
    return [ZERO, ZERO] if found is True else given


def _turn(args: list[Register]) -> Outcome:
    """The side of the half-line where an angle jumps by a turn."""
    return sign(args[0]) if sign(args[1]) == -1 else 2


def _of_turn(given: list[Register], found: Outcome) -> list[Register]:
    return given if found == 2 else _of_sign(given, found)


def _equal(args: list[Register]) -> Outcome:
    found = order(*args)
    return None if found is None else found == 0


def _of_equal(_: list[Register], found: Outcome) -> list[Register]:
    return [ZERO, ZERO if found is True else MINUS_ONE]


_BY_SIGN = Deciding(_sign, _of_sign)
DECIDING: Mapping[str, Deciding] = {
    **dict.fromkeys(("abs", "relu", "sign", "heaviside"), _BY_SIGN),
    **dict.fromkeys(sorted(COMPARISONS), Deciding(_order, _of_order)),
    "floor": Deciding(_whole, _of_whole),
    "max": _greatest(1),
    "min": _greatest(-1),
    "clip": Deciding(_between, _of_between),
    "norm": Deciding(_signs, _of_signs),
    "hypot": Deciding(_both_nothing, _of_nothing),
    "atan2": Deciding(_turn, _of_turn),
    "delta": Deciding(_equal, _of_equal),
}
"""Ops with a kink or a jump, by what they decide."""

JUMPING = STEPS | COMPARISONS
"""Those whose value depends on what they decide."""


@dataclass(slots=True)
class Held:
    """The oracle around a point: decisions that the value hangs on are those of the point.

    Those that the gradient alone hangs on are held for the gradient alone. It answers None where
    a variant of the formula decides something else altogether.
    """

    oracles: Oracles
    loss: Loss
    point: Point
    bits: int
    made: Made | None = field(default=None, init=False)

    def __call__(self, loss: Loss, point: Point, dtype: Dtype) -> Truth | None:
        truth = self.oracles(loss, point, dtype)
        oracle = self.oracles.at(loss, point)
        if truth is None or not _decides(oracle):
            return truth
        bits = next_bits(max(self.bits, truth.bits))
        if self.made is None:
            own = self.oracles.at(self.loss, self.point)
            self.made = _made(own, self.point, bits)
        there = _made(oracle, point, bits)
        if [op for *_, op, _ in there] != [op for *_, op, _ in self.made]:
            return None
        moved = [
            (lane, place, op, outcome)
            for (lane, place, op, now), (*_, outcome) in zip(
                there, self.made, strict=True
            )
            if outcome is not None and now is not None
        ]
        if all(
            now == was for (*_, now), (*_, was) in zip(there, self.made, strict=True)
        ):
            return truth

        def with_held(ops: Sequence[str]) -> Truth:
            choice = {
                (lane, place): DECIDING[op].held(outcome)
                for lane, place, op, outcome in moved
                if op in ops
            }
            return truth_of(oracle, point, choice, dtype, bits)

        jumping = with_held([op for op in DECIDING if op in JUMPING])
        return replace(jumping, gradient=with_held(list(DECIDING)).gradient)


def _decides(oracle: Oracle) -> bool:
    return any(node.op in DECIDING for node in oracle.lane.tape.nodes)


def _made(oracle: Oracle, point: Point, bits: int) -> Made:
    binding = bind(oracle.loss, oracle.sizes, point)
    found = []
    with restored_precision():
        for lane in range(oracle.lanes(binding)):
            registers = registers_of(oracle.lane, binding, lane, bits)
            for place, node in enumerate(oracle.lane.tape.nodes):
                if node.op in DECIDING:
                    args = [registers[a] for a in node.args]
                    found.append(
                        (lane, place, node.op, DECIDING[node.op].outcome(args))
                    )
    return tuple(found)
