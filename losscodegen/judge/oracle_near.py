"""Which decisions of a formula rounding may make either way, and what it may come to.

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
    absolute,
    add,
    multiply,
    negate,
    order,
    subtract,
)
from losscodegen.judge.oracle_graph import COMPARISONS
from losscodegen.judge.oracle_lane import Lane
from losscodegen.judge.oracle_nodes import Register
from losscodegen.judge.oracle_numbers import (
    HALF,
    MINUS_ONE,
    ONE,
    UNDEFINED,
    ZERO,
    Value,
    ball,
    finite,
    sign,
    zero,
)
from losscodegen.judge.oracle_run import Change
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
    if node.op in _BY_SIGN:
        return node.args[0], 1
    if node.op in COMPARISONS:
        left, right = node.args
        if _is_zero(near, right):
            return left, 1
        if _is_zero(near, left):
            return right, -1
        return ((left, right), 1) if left < right else ((right, left), -1)
    return (node.op, place), 1


# ------------------------------------------------------------------------------ other arguments


def _fixed(*args: Value) -> Change:
    return lambda _: list(args)


def _zero(near: Near, args: tuple[int, ...]) -> Iterator[Change]:
    """On the kink, and as far from it on either side."""
    if near.zero(args[0]):
        yield _fixed(ZERO)
        yield lambda given: [absolute(given[0])]
        yield lambda given: [negate(absolute(given[0]))]


def _step(near: Near, args: tuple[int, ...]) -> Iterator[Change]:
    if near.zero(args[0]):
        yield from (_fixed(ZERO), _fixed(ONE), _fixed(MINUS_ONE))


def _comparison(near: Near, args: tuple[int, ...]) -> Iterator[Change]:
    left, right = args
    sides = near.zero(left) if _is_zero(near, right) else near.equal(left, right)
    sides = near.zero(right) if _is_zero(near, left) else sides
    if sides:
        yield from (_fixed(ZERO, ZERO), _fixed(ONE, ZERO), _fixed(ZERO, ONE))


def _is_zero(near: Near, place: int) -> bool:
    return near.lane.tape.nodes[place].op == "number" and zero(near.registers[place])


def _floor(near: Near, args: tuple[int, ...]) -> Iterator[Change]:
    whole = _nearest(near.registers[args[0]])
    if whole is not None:
        gap = subtract(near.registers[args[0]], whole)
        if _within(gap, near.reach(args[0])):
            yield from (_fixed(whole), _fixed(whole - HALF))


def _nearest(value: Value) -> fmpq | None:
    if not finite(value):
        return None
    whole = (ball(value) + HALF).floor().unique_fmpz()
    return None if whole is None else fmpq(whole)


def _greatest(way: int) -> Callable[[Near, tuple[int, ...]], Iterator[Change]]:
    """Each argument that may be the greatest (1) or least (-1), and all of them at once."""

    def ways(near: Near, args: tuple[int, ...]) -> Iterator[Change]:
        best = _best([near.registers[a] for a in args], way)
        if best is None:
            return
        tied = [k for k, a in enumerate(args) if k == best or near.equal(a, args[best])]
        if len(tied) > 1:
            yield lambda given: _all(given, tied, way)
            yield from (as_first(k, way) for k in tied)

    return ways


def _best(values: Sequence[Value], way: int) -> int | None:
    """The place of the greatest (1) or least (-1) value; None if one of them is undefined."""
    if any(v is UNDEFINED for v in values):
        return None
    best = 0
    for k, value in enumerate(values):
        if order(value, values[best]) == way:
            best = k
    return best


def _all(given: list[Register], tied: Sequence[int], way: int) -> list[Register]:
    best = _best(given, way)
    if best is None:
        return given
    return [given[best] if k in tied else v for k, v in enumerate(given)]


def as_first(place: int, way: int) -> Change:
    """One argument as it is, those that are ahead of it as far behind."""

    def change(given: list[Register]) -> list[Register]:
        own = given[place]
        return [
            subtract(add(own, own), v) if order(v, own) == way else v for v in given
        ]

    return change


def _clip(near: Near, args: tuple[int, ...]) -> Iterator[Change]:
    for end in (1, 2):
        if near.equal(args[0], args[end]):
            yield from (_at_end(end, way) for way in (0, 1, -1))


def _at_end(end: int, way: int) -> Change:
    def change(given: list[Register]) -> list[Register]:
        x, bound = given[0], given[end]
        if not way:
            return [bound, *given[1:]]
        gap = absolute(subtract(x, bound))
        return [add(bound, gap if way > 0 else negate(gap)), *given[1:]]

    return change


def _delta(near: Near, args: tuple[int, ...]) -> Iterator[Change]:
    if near.equal(*args):
        yield from (_fixed(ZERO, ONE), _fixed(ZERO, ZERO))


def _norm(near: Near, args: tuple[int, ...]) -> Iterator[Change]:
    """As it is, and all entries 0: there it has a kink, and what is divided by it no value."""
    entries = args[:-1]
    if _all_nothing(near, entries):
        yield list
        yield lambda given: [*[ZERO] * len(entries), given[-1]]


def _hypot(near: Near, args: tuple[int, ...]) -> Iterator[Change]:
    if _all_nothing(near, args):
        yield from (list, _fixed(ZERO, ZERO))


def _all_nothing(near: Near, places: Sequence[int]) -> bool:
    """Whether all may be 0 for all that a program knows, and are not known to be."""
    surely = [zero(near.registers[p]) for p in places]
    return not all(surely) and all(
        sure or near.zero(p) for sure, p in zip(surely, places, strict=True)
    )


def _angle(near: Near, args: tuple[int, ...]) -> Iterator[Change]:
    """On either side of the half-line where the angle jumps by a turn."""
    if sign(near.registers[args[1]]) == -1 and near.zero(args[0]):
        yield lambda given: [absolute(given[0]), given[1]]
        yield lambda given: [negate(absolute(given[0])), given[1]]


_BY_SIGN = ("abs", "relu", "sign", "heaviside")
"""Ops that decide by the sign of one number; each is offered 0, then above, then below."""
DECIDING: Mapping[str, Callable[[Near, tuple[int, ...]], Iterator[Change]]] = {
    "abs": _zero,
    "relu": _zero,
    "sign": _step,
    "heaviside": _step,
    "floor": _floor,
    "max": _greatest(1),
    "min": _greatest(-1),
    "clip": _clip,
    "delta": _delta,
    "norm": _norm,
    "hypot": _hypot,
    "atan2": _angle,
    **dict.fromkeys(sorted(COMPARISONS), _comparison),
}
"""Ops with a kink or a jump, and the arguments that rounding may give them where one is near."""
