"""Every op on the numbers of the oracle, and its partial derivatives.

The derivatives are written here a second time, independently of the derivative column of the op
table: the two are played against each other by the tests. Where an op has a kink its partial
derivatives are a `Tie`, which knows the convention and what else would be a one-sided derivative.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from flint import arb, fmpq

from losscodegen.judge import oracle_angles as angles
from losscodegen.judge import oracle_functions as f
from losscodegen.judge import oracle_special as special
from losscodegen.judge.oracle_numbers import (
    HALF,
    INFINITY,
    MINUS_ONE,
    ONE,
    TWO,
    UNDEFINED,
    UNKNOWN,
    ZERO,
    Value,
    absolute,
    add,
    as_integer,
    divide,
    infinite,
    multiply,
    negate,
    order,
    sign,
    square,
    subtract,
    total,
    zero,
)

Partials = Sequence[Value | None]
"""One partial derivative per argument; None where it is 0 whatever the arguments."""

Wanted = Sequence[bool]
"""Which of them are needed at all."""


@dataclass(frozen=True, slots=True)
class Tie:
    """The partial derivatives at a kink.

    ``settled`` is False while the precision does not suffice to know that it is one. At a ``jump``
    the value itself is discontinuous. ``removable`` marks a choice whose other branch has no value
    at the very point, such as ``where(x == 0, 1, sin(x)/x)``: only limits know its derivative.
    """

    convention: Partials
    alternatives: tuple[Partials, ...]
    settled: bool = True
    jump: bool = False
    removable: bool = False


Slope = Callable[[Value, Value], Value | Tie | None]
"""The derivative of an op of one argument, from argument and value."""

Rule = Callable[[list[Value], Value, Wanted], Partials | Tie]
"""The partial derivatives of an op, from arguments and value."""


def inverse(x: Value) -> Value:
    """``1/x`` for an x that is not negative by its meaning: oo at 0."""
    return INFINITY if zero(x) else divide(ONE, x)


def inverse_root(x: Value) -> Value:
    return inverse(f.sqrt(x))


def between(low: int, high: int) -> arb:
    """The interval as a ball."""
    return arb(low).union(arb(high))


# ------------------------------------------------------------------------------------ smooth ops


def _mul(args: list[Value], _: Value, __: Wanted) -> Partials:
    if len(args) == 2:
        return args[1], args[0]
    before: list[Value] = [ONE]
    for value in args[:-1]:
        before.append(multiply(before[-1], value))
    partials: list[Value] = []
    after: Value = ONE
    for value, left in zip(reversed(args), reversed(before), strict=True):
        partials.append(multiply(left, after))
        after = multiply(after, value)
    return partials[::-1]


def _div(args: list[Value], ratio: Value, wanted: Wanted) -> Partials:
    return (
        divide(ONE, args[1]) if wanted[0] else None,
        negate(divide(ratio, args[1])) if wanted[1] else None,
    )


def _pow(args: list[Value], result: Value, wanted: Wanted) -> Partials:
    x, y = args
    slope: Value | None
    if not wanted[0]:
        slope = None
    elif zero(y):
        slope = ZERO
    elif sign(y) == 1 and order(y, ONE) == -1 and zero(x):
        slope = INFINITY
    else:
        slope = multiply(y, f.power(x, subtract(y, ONE)))
    if not wanted[1]:
        return slope, None
    if zero(x):
        # 0**y is 0 for every y > 0, and torch agrees to call it constant at y = 0.
        return slope, UNDEFINED if sign(y) == -1 else ZERO
    return slope, multiply(result, f.log(x))


def _xlogy(args: list[Value], _: Value, wanted: Wanted) -> Partials:
    x, y = args
    slope = f.log(y) if wanted[0] else None
    return slope, ZERO if zero(x) else multiply(x, inverse(y))


def _atan2(args: list[Value], _: Value, __: Wanted) -> Partials | Tie:
    y, x = args
    squared = add(square(x), square(y))
    partials = divide(x, squared), negate(divide(y, squared))
    if sign(x) == -1 and sign(y) in (0, None):
        return Tie(partials, (), settled=zero(y), jump=True)
    return partials


def _logsumexp(args: list[Value], result: Value, _: Wanted) -> Partials:
    return _shares(args, result)


def _shares(args: list[Value], result: Value) -> list[Value]:
    """The softmax of ``args``, whose logsumexp is ``result``."""
    if infinite(result) == 1:
        huge = [infinite(a) == 1 for a in args]
        alone = huge.count(True) == 1
        return [(ONE if alone else UNDEFINED) if h else ZERO for h in huge]
    return [f.exp(subtract(a, result)) for a in args]


def _log_softmax(args: list[Value], _: Value, __: Wanted) -> Partials:
    values, place = args[:-1], _place(args)
    if place is None:
        return [*([UNDEFINED] * len(values)), None]
    shares = _shares(values, f.logsumexp(values))
    rest = total([s for k, s in enumerate(shares) if k != place])
    return [*(rest if k == place else negate(s) for k, s in enumerate(shares)), None]


def _softmax(args: list[Value], share: Value, wanted: Wanted) -> Partials:
    return [_times(share, p) for p in _log_softmax(args, share, wanted)]


def _times(factor: Value | None, partial: Value | None) -> Value | None:
    if factor is None or partial is None:
        return None
    return multiply(factor, partial)


def _place(args: list[Value]) -> int | None:
    """The last argument as a place among the others; None if there is no such place."""
    place = as_integer(args[-1])
    return place if place is not None and 0 <= place < len(args) - 1 else None


def _at_place(
    function: Callable[[list[Value], int], Value],
) -> Callable[[list[Value]], Value]:
    def found(args: list[Value]) -> Value:
        place = _place(args)
        return UNDEFINED if place is None else function(args[:-1], place)

    return found


UNARY: Mapping[str, tuple[Callable[[Value], Value], Slope]] = {
    "neg": (negate, lambda x, y: MINUS_ONE),
    "exp": (f.exp, lambda x, y: y),
    "log": (f.log, lambda x, y: inverse(x)),
    "sqrt": (f.sqrt, lambda x, y: multiply(HALF, inverse(y))),
    "cbrt": (f.cbrt, lambda x, y: divide(inverse(square(y)), fmpq(3))),
    "square": (square, lambda x, y: multiply(TWO, x)),
    "log10": (f.log10, lambda x, y: divide(inverse(x), arb(10).log())),
    "sin": (angles.sin, lambda x, y: angles.cos(x)),
    "cos": (angles.cos, lambda x, y: negate(angles.sin(x))),
    "tan": (angles.tan, lambda x, y: add(ONE, square(y))),
    "asin": (angles.asin, lambda x, y: _asin_slope(x)),
    "acos": (angles.acos, lambda x, y: negate(_asin_slope(x))),
    "atan": (angles.atan, lambda x, y: divide(ONE, add(ONE, square(x)))),
    "sinh": (angles.sinh, lambda x, y: angles.cosh(x)),
    "cosh": (angles.cosh, lambda x, y: angles.sinh(x)),
    "tanh": (angles.tanh, lambda x, y: _tanh_slope(x)),
    "asinh": (angles.asinh, lambda x, y: inverse_root(add(ONE, square(x)))),
    "acosh": (angles.acosh, lambda x, y: inverse_root(_minus_one_squared(x))),
    "atanh": (angles.atanh, lambda x, y: inverse(negate(_minus_one_squared(x)))),
    "erf": (special.erf, lambda x, y: special.erf_slope(x)),
    "erfc": (special.erfc, lambda x, y: negate(special.erf_slope(x))),
    "erfinv": (special.erfinv, lambda x, y: special.erfinv_slope(y)),
    "lgamma": (special.lgamma, lambda x, y: special.digamma(x)),
    "gamma": (special.gamma, lambda x, y: multiply(y, special.digamma(x))),
    "digamma": (special.digamma, lambda x, y: special.polygamma(ONE, x)),
    "sigmoid": (f.sigmoid, lambda x, y: multiply(f.sigmoid(x), f.sigmoid(negate(x)))),
    "logsigmoid": (f.logsigmoid, lambda x, y: f.sigmoid(negate(x))),
    "softplus": (f.softplus, lambda x, y: f.sigmoid(x)),
    "log1p": (f.log1p, lambda x, y: inverse(add(ONE, x))),
    "expm1": (f.expm1, lambda x, y: f.exp(x)),
    "log1mexp": (f.log1mexp, lambda x, y: inverse(f.expm1(x))),
    "detach": (lambda x: x, lambda x, y: None),
    "abs": (absolute, lambda x, y: _abs_slope(x)),
    "relu": (f.relu, lambda x, y: _relu_slope(x)),
    "sign": (f.signum, lambda x, y: _step(sign(x))),
    "heaviside": (f.heaviside, lambda x, y: _step(sign(x))),
    "floor": (f.floor, lambda x, y: _step(_above_whole(x))),
}
"""Ops of one argument: the function, and the derivative from argument and value."""


def _minus_one_squared(x: Value) -> Value:
    """``x**2 - 1`` without cancellation."""
    return multiply(subtract(x, ONE), add(x, ONE))


def _asin_slope(x: Value) -> Value:
    return inverse_root(negate(_minus_one_squared(x)))


def _tanh_slope(x: Value) -> Value:
    twice = multiply(TWO, x)
    return multiply(fmpq(4), multiply(f.sigmoid(twice), f.sigmoid(negate(twice))))


# ---------------------------------------------------------------------------------------- kinks


def _abs_slope(x: Value) -> Value | Tie:
    way = sign(x)
    if way:
        return fmpq(way)
    return Tie((ZERO,), ((ONE,), (MINUS_ONE,)), settled=way == 0)


def _relu_slope(x: Value) -> Value | Tie:
    way = sign(x)
    if way:
        return ONE if way > 0 else ZERO
    return Tie((ZERO,), ((ONE,), (ZERO,)), settled=way == 0)


def _step(way: int | None) -> Tie | None:
    """The derivative of a step that lies where ``way`` is 0: nothing, but the value jumps there."""
    return None if way else Tie((None,), (), settled=way == 0, jump=True)


def _above_whole(x: Value) -> int | None:
    return None if x is UNDEFINED else order(x, f.floor(x))


def _mod(args: list[Value], _: Value, __: Wanted) -> Partials | Tie:
    ratio = divide(*args)
    whole = f.floor(ratio)
    partials = ONE, negate(whole)
    way = None if ratio is UNDEFINED else order(ratio, whole)
    return partials if way else Tie(partials, (), settled=way == 0, jump=True)


def _delta(args: list[Value], _: Value, __: Wanted) -> Partials | Tie:
    found = order(*args)
    if found:
        return None, None
    return Tie((None, None), (), settled=found == 0, jump=True)


def _clip(args: list[Value], _: Value, __: Wanted) -> Partials | Tie:
    inside, at_low, at_high = (ONE, None, None), (None, ONE, None), (None, None, ONE)
    below, above = order(args[0], args[1]), order(args[0], args[2])
    if below == -1:
        return at_low
    if below == 1 and above:
        return at_high if above == 1 else inside
    alternatives: list[Partials] = [inside] if above != 1 else []
    if below != 1:
        alternatives.append(at_low)
    if above != -1:
        alternatives.append(at_high)
    if len(alternatives) == 1:
        return alternatives[0]
    convention = inside if above != 1 else at_high
    settled = below is not None and above is not None
    return Tie(convention, tuple(alternatives), settled=settled)


def choice(way: int) -> Rule:
    """The partial derivatives of max (1) or min (-1): shared equally by those that tie."""

    def partials(args: list[Value], result: Value, _: Wanted) -> Partials | Tie:
        found = [order(a, result) for a in args]
        tied = [k for k, o in enumerate(found) if o != -way]
        count = len(args)
        if len(tied) == 1:
            return _unit(tied[0], count)
        if not tied:
            return [UNDEFINED] * count
        share = fmpq(1, len(tied))
        even = [share if k in tied else None for k in range(count)]
        settled = all(found[k] == 0 for k in tied)
        return Tie(even, tuple(_unit(k, count) for k in tied), settled=settled)

    return partials


def _unit(place: int, count: int) -> Partials:
    return [ONE if k == place else None for k in range(count)]


def _norm(args: list[Value], result: Value, _: Wanted) -> Partials | Tie:
    """The p of the norm comes last; a kink where entries are 0 and p <= 1, or all of them are."""
    values, p = args[:-1], args[-1]
    if infinite(p):
        return _norm_of_largest(values, result, infinite(p))
    if zero(p):
        settled = all(sign(v) is not None for v in values)
        steps = [None] * len(args)
        jump = not all(sign(v) for v in values)
        return Tie(steps, (), settled=settled, jump=True) if jump else steps
    steepness = order(p, ONE)
    if steepness is None:
        return [UNKNOWN] * len(values) + [UNKNOWN]
    if zero(result):
        free = UNKNOWN if steepness < 0 else between(-1, 1)
        still: Partials = [ZERO] * len(values) + [None]
        return Tie(still, ([free] * len(values) + [None],))
    slopes: list[Value | None] = []
    ends: list[Value | None] = []
    settled = True
    for value in values:
        way = sign(value)
        slope, end = _norm_slope(value, way, result, p, steepness)
        settled = settled and (way is not None or end is None)
        slopes.append(slope)
        ends.append(slope if end is None else end)
    if all(s is e for s, e in zip(slopes, ends, strict=True)):
        return [*slopes, None]
    return Tie([*slopes, None], ([*ends, None],), settled=settled)


def _norm_slope(
    value: Value, way: int | None, result: Value, p: Value, steepness: int
) -> tuple[Value, Value | None]:
    """The derivative by one entry, and at a kink the interval of one-sided ones."""
    if p == TWO:
        return divide(value, result), None
    if steepness == 0:
        return (ZERO, between(-1, 1)) if not way else (fmpq(way), None)
    if way == 0:
        return ZERO, (UNKNOWN if steepness < 0 else None)
    ratio = divide(absolute(value), result)
    size = f.power(ratio, subtract(p, ONE))
    if way is None:
        return multiply(between(-1, 1), size) if steepness > 0 else UNKNOWN, None
    return multiply(fmpq(way), size), None


def _norm_of_largest(values: list[Value], result: Value, way: int) -> Partials | Tie:
    signs = [_abs_slope(v) for v in values]
    slopes = [s.convention[0] if isinstance(s, Tie) else s for s in signs]
    ends = [between(-1, 1) if isinstance(s, Tie) else s for s in signs]
    found = choice(way)([absolute(v) for v in values], result, ())
    tie = found if isinstance(found, Tie) else Tie(found, (found,))
    convention = [_times(p, s) for p, s in zip(tie.convention, slopes, strict=True)]
    alternatives = tuple(
        [*(_times(p, e) for p, e in zip(a, ends, strict=True)), None]
        for a in tie.alternatives
    )
    if not isinstance(found, Tie) and all(
        p is None or not isinstance(s, Tie) for p, s in zip(found, signs, strict=True)
    ):
        return [*convention, None]
    settled = all(s.settled for s in signs if isinstance(s, Tie))
    return Tie([*convention, None], alternatives, settled=tie.settled and settled)


def _pick(args: list[Value], _: Value, __: Wanted) -> Partials:
    place = _place(args)
    return [*(ONE if k == place else None for k in range(len(args) - 1)), None]


def _hypot(args: list[Value], result: Value, _: Wanted) -> Partials | Tie:
    found = _norm([*args, TWO], result, ())
    if isinstance(found, Tie):
        alternatives = tuple(a[:-1] for a in found.alternatives)
        return Tie(found.convention[:-1], alternatives, settled=found.settled)
    return found[:-1]


def _polygamma(args: list[Value], _: Value, __: Wanted) -> Partials:
    return None, special.polygamma(add(args[0], ONE), args[1])


def _besseli(args: list[Value], _: Value, __: Wanted) -> Partials:
    return None, special.besseli_slope(*args)


BINARY: Mapping[str, tuple[Callable[[Value, Value], Value], Rule]] = {
    "add": (add, lambda args, y, w: (ONE, ONE)),
    "sub": (subtract, lambda args, y, w: (ONE, MINUS_ONE)),
    "mul": (multiply, _mul),
    "div": (divide, _div),
    "pow": (f.power, _pow),
    "mod": (f.mod, _mod),
    "atan2": (angles.atan2, _atan2),
    "hypot": (f.hypot, _hypot),
    "polygamma": (special.polygamma, _polygamma),
    "besseli": (special.besseli, _besseli),
    "logaddexp": (f.logaddexp, _logsumexp),
    "xlogy": (f.xlogy, _xlogy),
    "delta": (f.delta, _delta),
}
"""Ops of two arguments, and their partial derivatives."""

NARY: Mapping[str, tuple[Callable[[list[Value]], Value], Rule]] = {
    "add": (total, lambda args, y, w: [ONE] * len(args)),
    "mul": (f.product, _mul),
    "max": (lambda args: f.choose(args, 1), choice(1)),
    "min": (lambda args: f.choose(args, -1), choice(-1)),
    "clip": (lambda args: f.clip(*args), _clip),
    "logsumexp": (f.logsumexp, _logsumexp),
    "softmax": (_at_place(f.softmax), _softmax),
    "log_softmax": (_at_place(f.log_softmax), _log_softmax),
    "norm": (lambda args: f.norm(args[:-1], args[-1]), _norm),
    "pick": (_at_place(lambda values, place: values[place]), _pick),
}
"""Ops of any number of arguments, the binders and keepers among them."""
