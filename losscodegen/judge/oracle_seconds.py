"""How the partial derivatives of every op change: its second derivatives, along a direction.

Where arguments move with the velocities ``t`` the partial derivatives move, too, and these rules
say how fast: ``sum(p[i][j]*t[j])`` for the derivative by argument ``i``. Ops that are linear, or
piecewise so, have none. All hold at points that are no kink; the tests hold each of them against
differences of the first derivatives of `oracle_partials`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from flint import fmpq

from losscodegen.judge import oracle_functions as f
from losscodegen.judge import oracle_special as special
from losscodegen.judge.oracle_arithmetic import (
    absolute,
    add,
    divide,
    multiply,
    negate,
    square,
    subtract,
)
from losscodegen.judge.oracle_kinks import Wanted
from losscodegen.judge.oracle_numbers import (
    ONE,
    TWO,
    UNDEFINED,
    Value,
    as_integer,
    infinite,
    sign,
    zero,
)
from losscodegen.judge.oracle_powers import integer_power, power
from losscodegen.judge.oracle_seconds_unary import inverse_square

Change = Value | None
"""A velocity; None is 0 whatever the point."""

Rule = Callable[[list[Value], Value, Sequence[Change], Change, Wanted], list[Change]]
"""From arguments, result, the velocities of both, and which partial derivatives are wanted."""


def plus(*terms: Change) -> Change:
    found: Change = None
    for term in terms:
        if term is not None:
            found = term if found is None else add(found, term)
    return found


def product(*factors: Change) -> Change:
    found: Value = ONE
    for factor in factors:
        if factor is None:
            return None
        found = factor if found is ONE else multiply(found, factor)
    return found


def minus(value: Change) -> Change:
    return None if value is None else negate(value)


def _none(
    args: list[Value], y: Value, moves: Sequence[Change], move: Change, w: Wanted
) -> list[Change]:
    return [None] * len(args)


def _mul(
    args: list[Value], y: Value, moves: Sequence[Change], move: Change, w: Wanted
) -> list[Change]:
    count = range(len(args))
    return [
        plus(
            *(
                product(moves[j], *(args[k] for k in count if k not in (i, j)))
                for j in count
                if j != i
            )
        )
        for i in count
    ]


def _div(
    args: list[Value], y: Value, moves: Sequence[Change], move: Change, w: Wanted
) -> list[Change]:
    below = args[1]
    first = second = None
    if w[0] and moves[1] is not None:
        first = negate(divide(moves[1], square(below)))
    if w[1]:
        # The derivative by the divisor is -y/b.
        second = minus(product(move, divide(ONE, below)))
        if moves[1] is not None:
            second = plus(second, divide(multiply(y, moves[1]), square(below)))
    return [first, second]


def _pow(
    args: list[Value], result: Value, moves: Sequence[Change], move: Change, w: Wanted
) -> list[Change]:
    x, y = args
    less = subtract(y, ONE)
    first: Change = None
    second: Change = None
    if w[0]:
        if moves[0] is not None and not (zero(y) or zero(less)):
            steep = power(x, subtract(y, TWO))
            first = product(multiply(y, less), steep, moves[0])
        if moves[1] is not None:
            grown = UNDEFINED if zero(x) else add(ONE, multiply(y, f.log(x)))
            first = plus(first, product(moves[1], power(x, less), grown))
    if w[1]:
        if zero(x):
            second = None if moves[0] is None else UNDEFINED
        else:
            second = plus(
                product(move, f.log(x)), product(result, moves[0], divide(ONE, x))
            )
    return [first, second]


def _xlogy(
    args: list[Value], _: Value, moves: Sequence[Change], move: Change, w: Wanted
) -> list[Change]:
    x, y = args
    inverse = divide(ONE, y)
    second = product(moves[0], inverse)
    if not zero(x):
        second = plus(second, minus(product(x, moves[1], square(inverse))))
    return [product(moves[1], inverse), second]


def _atan2(
    args: list[Value], _: Value, moves: Sequence[Change], move: Change, w: Wanted
) -> list[Change]:
    y, x = args
    squared = add(square(x), square(y))
    grown = product(TWO, plus(product(y, moves[0]), product(x, moves[1])))
    scale = product(grown, inverse_square(squared))
    inverse = divide(ONE, squared)
    return [
        plus(product(moves[1], inverse), minus(product(x, scale))),
        plus(minus(product(moves[0], inverse)), product(y, scale)),
    ]


def _hypot(
    args: list[Value], r: Value, moves: Sequence[Change], move: Change, w: Wanted
) -> list[Change]:
    return _norm([*args, TWO], r, [*moves, None], move, w)[:-1]


def _norm(
    args: list[Value], r: Value, moves: Sequence[Change], move: Change, w: Wanted
) -> list[Change]:
    values, p = args[:-1], args[-1]
    if infinite(p) or p == ONE:
        return [None] * len(args)
    less = subtract(p, ONE)
    rest = power(r, negate(less))
    found: list[Change] = []
    for k, (value, moved) in enumerate(zip(values, moves, strict=False)):
        if p == TWO:
            # moved/r - value*move/r**2, over the others alone: no term cancels its own.
            found.append(_norm_two(k, values, moves, r))
            continue
        size = absolute(value)
        bent = product(less, power(size, subtract(p, TWO)), rest, moved)
        way = sign(value)
        if way is None:
            found.append(UNDEFINED)
            continue
        size = multiply(fmpq(way), power(size, less))
        found.append(plus(bent, minus(product(less, size, power(r, negate(p)), move))))
    return [*found, None]


def _norm_two(
    place: int, values: Sequence[Value], moves: Sequence[Change], r: Value
) -> Change:
    """``sum(v*(v*moved - value*move))/r**3`` over all entries v."""
    value, moved = values[place], moves[place]
    terms = [
        product(v, plus(product(v, moved), minus(product(value, m))))
        for k, (v, m) in enumerate(zip(values, moves, strict=False))
        if k != place
    ]
    return product(plus(*terms), divide(ONE, integer_power(r, 3)))


def _relative(shares: Sequence[Value], moves: Sequence[Change], place: int) -> Change:
    """``moves[place] - sum(shares*moves)``: as differences, so that nothing cancels."""
    here = moves[place]
    return plus(
        *(
            product(share, plus(here, minus(moved)))
            for k, (share, moved) in enumerate(zip(shares, moves, strict=False))
            if k != place
        )
    )


def _shares(values: list[Value]) -> list[Value]:
    return [f.softmax(values, k) for k in range(len(values))]


def _logsumexp(
    args: list[Value], _: Value, moves: Sequence[Change], move: Change, w: Wanted
) -> list[Change]:
    shares = _shares(args)
    return [product(s, _relative(shares, moves, k)) for k, s in enumerate(shares)]


def _log_softmax(
    args: list[Value], y: Value, moves: Sequence[Change], move: Change, w: Wanted
) -> list[Change]:
    found = _logsumexp(args[:-1], y, moves, move, w)
    return [*(minus(c) for c in found), None]


def _softmax(
    args: list[Value], share: Value, moves: Sequence[Change], move: Change, w: Wanted
) -> list[Change]:
    # The derivative is share*(delta - shares), and share*relative is how the share moves.
    values, place = args[:-1], as_integer(args[-1])
    if place is None or not 0 <= place < len(values):
        return [UNDEFINED] * len(values) + [None]
    shares = _shares(values)
    moved = product(share, _relative(shares, moves, place))
    found: list[Change] = []
    for k, s in enumerate(shares):
        factor = subtract(ONE, s) if k == place else negate(s)
        bent = product(share, s, _relative(shares, moves, k))
        found.append(plus(product(moved, factor), minus(bent)))
    return [*found, None]


def _polygamma(
    args: list[Value], _: Value, moves: Sequence[Change], move: Change, w: Wanted
) -> list[Change]:
    return [None, product(special.polygamma(add(args[0], TWO), args[1]), moves[1])]


def _besseli(
    args: list[Value], y: Value, moves: Sequence[Change], move: Change, w: Wanted
) -> list[Change]:
    n = as_integer(args[0])
    if n is None:
        return [None, UNDEFINED]
    x = args[1]
    below, above = special.besseli(fmpq(abs(n - 2)), x), special.besseli(fmpq(n + 2), x)
    bend = multiply(fmpq(1, 4), add(add(below, above), multiply(TWO, y)))
    return [None, product(bend, moves[1])]


MORE: Mapping[str, Rule] = {
    "add": _none,
    "sub": _none,
    "mul": _mul,
    "div": _div,
    "pow": _pow,
    "mod": _none,
    "atan2": _atan2,
    "hypot": _hypot,
    "polygamma": _polygamma,
    "besseli": _besseli,
    "logaddexp": _logsumexp,
    "xlogy": _xlogy,
    "delta": _none,
    "max": _none,
    "min": _none,
    "clip": _none,
    "logsumexp": _logsumexp,
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    "norm": _norm,
    "pick": _none,
    "select": _none,
}
"""Ops of two or more arguments, the binders and keepers among them."""
