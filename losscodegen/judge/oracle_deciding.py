"""What the nodes of a formula decide, and arguments that have them decide so.

A kink or a jump lies where an op decides: by a sign, an order, which of its arguments is the
greatest. `oracle_near` says what rounding may make of that, `oracle_held` keeps it as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

from flint import fmpq

from losscodegen.judge.oracle_arithmetic import (
    absolute,
    add,
    divide,
    multiply,
    negate,
    order,
    subtract,
)
from losscodegen.judge.oracle_choice import floor
from losscodegen.judge.oracle_graph import COMPARISONS
from losscodegen.judge.oracle_nodes import STEPS, Register
from losscodegen.judge.oracle_numbers import (
    HALF,
    MINUS_ONE,
    ONE,
    UNDEFINED,
    ZERO,
    Value,
    sign,
    zero,
)
from losscodegen.judge.oracle_run import Change

Outcome = Hashable
"""A sign, an order, which entries are the greatest; None if it is unknown or may be any."""

_NEXT_TO_NOTHING = fmpq(1, 2**6000)
"""On one side of 0, and nothing beside the numbers of any format."""


@dataclass(frozen=True, slots=True)
class Deciding:
    """An op that decides: what, and arguments near the given ones that have it decide so."""

    outcome: Callable[[list[Register]], Outcome]
    arguments: Callable[[list[Register], Outcome], list[Register]]

    def held(self, outcome: Outcome) -> Change:
        """Arguments as they are if they decide so already, or if that is not known."""

        def change(given: list[Register]) -> list[Register]:
            if outcome is None or self.outcome(given) == outcome:
                return given
            return self.arguments(given, outcome)

        return change


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
    if way == 0:
        return [ZERO, ZERO]
    return [ONE, ZERO] if way == 1 else [ZERO, ONE]


def _whole(args: list[Register]) -> Outcome:
    """The whole number below, and whether it is reached."""
    whole = floor(args[0])
    if not isinstance(whole, fmpq):
        return None
    return int(whole.p), zero(subtract(args[0], whole))


def _of_whole(_: list[Register], found: Outcome) -> list[Register]:
    assert isinstance(found, tuple)
    whole, exact = found
    return [fmpq(whole) + (ZERO if exact else HALF)]


def _period(args: list[Register]) -> Outcome:
    """How many times the divisor goes into a number, rounded down."""
    ratio = divide(*args)
    whole = ratio if ratio is UNDEFINED else floor(ratio)
    return int(whole.p) if isinstance(whole, fmpq) else None


def _of_period(given: list[Register], found: Outcome) -> list[Register]:
    """The nearer end of that period: its first number, or one as good as the end of it."""
    assert isinstance(found, int)
    x, y = given
    least = order(divide(x, y), fmpq(found)) == -1
    share = fmpq(found) if least else fmpq(found + 1) - _NEXT_TO_NOTHING
    return [multiply(share, y), y]


def best(values: Sequence[Value], way: int) -> int | None:
    """The place of the greatest (1) or least (-1) value; None if one of them is undefined."""
    if any(v is UNDEFINED for v in values):
        return None
    found = 0
    for k, value in enumerate(values):
        if order(value, values[found]) == way:
            found = k
    return found


def _greatest(way: int) -> Deciding:
    """Which arguments are the greatest (1) or the least (-1)."""

    def outcome(args: list[Register]) -> Outcome:
        first = best(args, way)
        if first is None:
            return None
        orders = [order(a, args[first]) for a in args]
        return (
            None if None in orders else tuple(k for k, o in enumerate(orders) if not o)
        )

    def arguments(given: list[Register], found: Outcome) -> list[Register]:
        """Those that tie as the best of them, those that are ahead of it as far behind."""
        assert isinstance(found, tuple)
        first = best([given[k] for k in found], way)
        if first is None:
            return given
        own = given[found[first]]
        tied = [own if k in found else v for k, v in enumerate(given)]
        return [subtract(add(own, own), v) if order(v, own) == way else v for v in tied]

    return Deciding(outcome, arguments)


def _between(args: list[Register]) -> Outcome:
    """On which side of the lower end, and of the upper one."""
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
    """Whether the entries of a norm are all 0; their signs where it has kinks in each of them.

    The order of the norm comes last.
    """
    *entries, p = args
    found = tuple(map(sign, entries))
    if None in found:
        return None
    return not any(found) if order(p, ONE) == 1 else found


def _of_signs(given: list[Register], found: Outcome) -> list[Register]:
    *entries, p = given
    if isinstance(found, tuple):
        held = zip(entries, found, strict=True)
        return [*(_of_sign([e], way)[0] for e, way in held), p]
    return [*[ZERO] * len(entries), p] if found is True else given


def all_zero(args: list[Register]) -> Outcome:
    """The outcome of a norm of nothing."""
    return _signs([*[ZERO] * (len(args) - 1), args[-1]])


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


BY_SIGN = ("abs", "relu", "sign", "heaviside")
"""Ops that decide by the sign of one number."""
DECIDING: Mapping[str, Deciding] = {
    **dict.fromkeys(BY_SIGN, Deciding(_sign, _of_sign)),
    **dict.fromkeys(sorted(COMPARISONS), Deciding(_order, _of_order)),
    "floor": Deciding(_whole, _of_whole),
    "mod": Deciding(_period, _of_period),
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
