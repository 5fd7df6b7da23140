"""Which decisions of a formula rounding may make either way, and what may come of them.

How near to a kink or a jump that is follows from the formula alone. The argument of a decision may
be off by a few times what a relative change of ``eps`` in every input makes of it, and by a few
ulps of its own, for it has to be rounded before it is compared: by a few times

    eps*(sum(|x*dg/dx|) + |g|) + the smallest normal number,

where ``x`` is every entry of the inputs, and every sum and norm over an axis on the way: a distance
of 10**7 is known to a unit in float32. Roundings of other intermediate results do not count.
``relu(sqrt(1 + x**2) - 1)`` is decided for every x but 0, though the formula as typed loses its
digits. Where a program has the very numbers, or their difference, which IEEE arithmetic never gets
on the wrong side of 0, nothing is open.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from flint import arb, fmpq

from losscodegen.judge.criterion import ROUNDINGS
from losscodegen.judge.oracle_arithmetic import (
    divide,
    multiply,
    subtract,
)
from losscodegen.judge.oracle_deciding import (
    BY_SIGN,
    DECIDING,
    Outcome,
    all_zero,
    best,
)
from losscodegen.judge.oracle_graph import COMPARISONS
from losscodegen.judge.oracle_lane import Lane
from losscodegen.judge.oracle_nodes import Register
from losscodegen.judge.oracle_numbers import (
    HALF,
    Value,
    ball,
    finite,
    sign,
    zero,
)
from losscodegen.judge.rounding import Dtype, round_float


@dataclass(slots=True)
class Near:
    """One element of the batch: how far off careful code may have each number."""

    lane: Lane
    registers: Sequence[Register]
    dtype: Dtype
    reaches: dict[int, arb] = field(default_factory=dict)

    def active(self, place: int) -> bool:
        return self.lane.tape.nodes[place].active

    def plain(self, place: int) -> bool:
        """Whether a program has the very number: data, constants, their negatives."""
        node = self.lane.tape.nodes[place]
        if node.op == "neg":
            return self.plain(node.args[0])
        value = self.registers[place]
        if node.op in ("leaf", "number"):
            # One tenth is not among the numbers of any format.
            return not isinstance(value, fmpq) or is_number(value, self.dtype)
        return node.op == "constant" and not finite(value)

    def reach(self, place: int) -> arb:
        """By how much it may be off."""
        if self.plain(place):
            return arb(0)
        if place not in self.reaches:
            size = abs(ball(self.registers[place]))
            sweep = self.lane.machine.sweep(
                self.registers, settle=True, outputs=(place,)
            )
            for _, leaf in self.lane.active:
                slope = sweep.adjoints[leaf]
                if slope is not None:
                    size += self._share(leaf, slope)
            for inner in self._sums(place):
                slope = sweep.adjoints[inner]
                if slope is not None:
                    size += self._share(inner, slope)
            self.reaches[place] = ROUNDINGS * arb(self.dtype.epsilon) * size + arb(
                self.dtype.tiny
            )
        return self.reaches[place]

    def _share(self, place: int, slope: Value) -> arb:
        """How far a number moves if one that it is made of changes by as much as it is."""
        term = abs(ball(multiply(self.registers[place], slope)))
        return term if term.is_finite() else arb(0)

    def _sums(self, place: int) -> Iterator[int]:
        """Sums and norms over an axis that a number is made of."""
        tape = self.lane.tape
        for inner in self.lane.machine.upstream([place]):
            if inner in tape.sums or tape.nodes[inner].op == "norm":
                yield inner

    def zero(self, place: int) -> bool:
        """Whether a number may be 0, negative and positive, for all that a program knows."""
        node = self.lane.tape.nodes[place]
        exact = node.op in ("add", "sub") and len(node.args) == 2
        if exact and all(self.plain(a) for a in node.args):
            return False
        return _within(self.registers[place], self.reach(place))

    def equal(self, one: int, other: int) -> bool:
        """Whether either of two numbers may be the greater one."""
        gap = subtract(self.registers[one], self.registers[other])
        return _within(gap, self.reach(one) + self.reach(other))


def is_number(value: fmpq, dtype: Dtype) -> bool:
    """Whether a format has the number itself."""
    try:
        near = round_float(int(value.p) / int(value.q), dtype)
    except OverflowError:
        return False
    return math.isfinite(near) and fmpq(*near.as_integer_ratio()) == value


def _within(gap: Value, reach: arb) -> bool:
    return (
        finite(gap) and bool(reach.is_finite()) and bool(abs(ball(gap)) < reach.lower())
    )


def compared(near: Near, place: int) -> tuple[Hashable, int]:
    """What is compared with 0 at a place, or with what, and whether as it is (1) or turned (-1).

    Where two nodes have that in common they decide alike.
    """
    node = near.lane.tape.nodes[place]
    if node.op in BY_SIGN:
        return node.args[0], 1
    if node.op in COMPARISONS:
        left, right = node.args
        if _is_zero(near, right):
            return left, 1
        if _is_zero(near, left):
            return right, -1
        return ((left, right), 1) if left < right else ((right, left), -1)
    return (node.op, place), 1


# ------------------------------------------------------------------------------ other outcomes

_SIDES = (0, 1, -1)
"""On the kink, above it and below."""


def _zero(near: Near, args: tuple[int, ...]) -> Iterator[Outcome]:
    if near.zero(args[0]):
        yield from _SIDES


def _comparison(near: Near, args: tuple[int, ...]) -> Iterator[Outcome]:
    left, right = args
    sides = near.zero(left) if _is_zero(near, right) else near.equal(left, right)
    sides = near.zero(right) if _is_zero(near, left) else sides
    if sides:
        yield from _SIDES


def _is_zero(near: Near, place: int) -> bool:
    return near.lane.tape.nodes[place].op == "number" and zero(near.registers[place])


def _floor(near: Near, args: tuple[int, ...]) -> Iterator[Outcome]:
    whole = _nearest(near.registers[args[0]])
    if whole is not None:
        gap = subtract(near.registers[args[0]], fmpq(whole))
        if _within(gap, near.reach(args[0])):
            yield from ((whole, True), (whole - 1, False))


def _mod(near: Near, args: tuple[int, ...]) -> Iterator[Outcome]:
    x, y = (near.registers[a] for a in args)
    whole = None if zero(y) else _nearest(divide(x, y))
    if whole is None or all(near.plain(a) for a in args):
        return
    reach = near.reach(args[0]) + abs(whole) * near.reach(args[1])
    if _within(subtract(x, multiply(fmpq(whole), y)), reach):
        yield from (whole, whole - 1)


def _nearest(value: Value) -> int | None:
    if not finite(value):
        return None
    whole = (ball(value) + HALF).floor().unique_fmpz()
    return None if whole is None else int(whole)


def _greatest(way: int) -> Callable[[Near, tuple[int, ...]], Iterator[Outcome]]:
    """Each argument that may be the greatest (1) or least (-1), and all of them at once."""

    def outcomes(near: Near, args: tuple[int, ...]) -> Iterator[Outcome]:
        first = best([near.registers[a] for a in args], way)
        if first is None:
            return
        other = args[first]
        tied = [k for k, a in enumerate(args) if k == first or near.equal(a, other)]
        if len(tied) > 1:
            yield from (tuple(tied), *((k,) for k in tied))

    return outcomes


def _clip(near: Near, args: tuple[int, ...]) -> Iterator[Outcome]:
    known = DECIDING["clip"].outcome([near.registers[a] for a in args])
    ways = list(known) if isinstance(known, tuple) else [1, -1]
    for end in (0, 1):
        if near.equal(args[0], args[1 + end]):
            for side in _SIDES:
                yield tuple(side if k == end else way for k, way in enumerate(ways))


def _delta(near: Near, args: tuple[int, ...]) -> Iterator[Outcome]:
    if near.equal(*args):
        yield from (False, True)


def _norm(near: Near, args: tuple[int, ...]) -> Iterator[Outcome]:
    """As it is, and all entries 0: there it has a kink, and what is divided by it no value."""
    if _all_nothing(near, args[:-1]):
        yield from (None, all_zero([near.registers[a] for a in args]))


def _hypot(near: Near, args: tuple[int, ...]) -> Iterator[Outcome]:
    if _all_nothing(near, args):
        yield from (None, True)


def _all_nothing(near: Near, places: Sequence[int]) -> bool:
    """Whether all may be 0 for all that a program knows, and are not known to be."""
    surely = [zero(near.registers[p]) for p in places]
    return not all(surely) and all(
        sure or near.zero(p) for sure, p in zip(surely, places, strict=True)
    )


def _angle(near: Near, args: tuple[int, ...]) -> Iterator[Outcome]:
    """On either side of the half-line where the angle jumps by a turn."""
    if sign(near.registers[args[1]]) == -1 and near.zero(args[0]):
        yield from (1, -1)


OPEN: Mapping[str, Callable[[Near, tuple[int, ...]], Iterator[Outcome]]] = {
    **dict.fromkeys(BY_SIGN, _zero),
    **dict.fromkeys(sorted(COMPARISONS), _comparison),
    "floor": _floor,
    "mod": _mod,
    "max": _greatest(1),
    "min": _greatest(-1),
    "clip": _clip,
    "delta": _delta,
    "norm": _norm,
    "hypot": _hypot,
    "atan2": _angle,
}
"""What rounding may make of what an op decides; nothing where no kink and no jump is near."""
