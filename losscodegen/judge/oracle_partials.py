"""Every op on the numbers of the oracle, and its partial derivatives.

The derivatives are written here a second time, independently of the derivative column of the op
table: the tests play the two against each other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flint import arb, fmpq

from losscodegen.judge import oracle_angles as angles
from losscodegen.judge import oracle_choice as choice
from losscodegen.judge import oracle_functions as f
from losscodegen.judge import oracle_powers as powers
from losscodegen.judge import oracle_special as special
from losscodegen.judge.oracle_arithmetic import (
    absolute,
    add,
    divide,
    multiply,
    negate,
    order,
    square,
    subtract,
    total,
)
from losscodegen.judge.oracle_kinks import (
    Partials,
    Rule,
    Slope,
    Tie,
    Wanted,
    above_whole,
    abs_slope,
    choice_partials,
    clip_partials,
    delta_partials,
    hypot_partials,
    mod_partials,
    norm_partials,
    relu_slope,
    step_slope,
    times,
)
from losscodegen.judge.oracle_numbers import (
    HALF,
    INFINITY,
    MINUS_ONE,
    ONE,
    TWO,
    UNDEFINED,
    ZERO,
    Value,
    as_integer,
    infinite,
    sign,
    zero,
)


def inverse(x: Value) -> Value:
    """``1/x`` for an x that is not negative by its meaning: oo at 0."""
    return INFINITY if zero(x) else divide(ONE, x)


def inverse_root(x: Value) -> Value:
    return inverse(powers.sqrt(x))


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
        slope = multiply(y, powers.power(x, subtract(y, ONE)))
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
    return [times(share, p) for p in _log_softmax(args, share, wanted)]


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
    "sqrt": (powers.sqrt, lambda x, y: multiply(HALF, inverse(y))),
    "cbrt": (powers.cbrt, lambda x, y: divide(inverse(square(y)), fmpq(3))),
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
    "abs": (absolute, lambda x, y: abs_slope(x)),
    "relu": (choice.relu, lambda x, y: relu_slope(x)),
    "sign": (choice.signum, lambda x, y: step_slope(sign(x))),
    "heaviside": (choice.heaviside, lambda x, y: step_slope(sign(x))),
    "floor": (choice.floor, lambda x, y: step_slope(above_whole(x))),
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


def _pick(args: list[Value], _: Value, __: Wanted) -> Partials:
    place = _place(args)
    return [*(ONE if k == place else None for k in range(len(args) - 1)), None]


def _polygamma(args: list[Value], _: Value, __: Wanted) -> Partials:
    return None, special.polygamma(add(args[0], ONE), args[1])


def _besseli(args: list[Value], _: Value, __: Wanted) -> Partials:
    return None, special.besseli_slope(*args)


BINARY: Mapping[str, tuple[Callable[[Value, Value], Value], Rule]] = {
    "add": (add, lambda args, y, w: (ONE, ONE)),
    "sub": (subtract, lambda args, y, w: (ONE, MINUS_ONE)),
    "mul": (multiply, _mul),
    "div": (divide, _div),
    "pow": (powers.power, _pow),
    "mod": (choice.mod, mod_partials),
    "atan2": (angles.atan2, _atan2),
    "hypot": (powers.hypot, hypot_partials),
    "polygamma": (special.polygamma, _polygamma),
    "besseli": (special.besseli, _besseli),
    "logaddexp": (f.logaddexp, _logsumexp),
    "xlogy": (f.xlogy, _xlogy),
    "delta": (choice.delta, delta_partials),
}
"""Ops of two arguments, and their partial derivatives."""

NARY: Mapping[str, tuple[Callable[[list[Value]], Value], Rule]] = {
    "add": (total, lambda args, y, w: [ONE] * len(args)),
    "mul": (powers.product, _mul),
    "max": (lambda args: choice.choose(args, 1), choice_partials(1)),
    "min": (lambda args: choice.choose(args, -1), choice_partials(-1)),
    "clip": (lambda args: choice.clip(*args), clip_partials),
    "logsumexp": (f.logsumexp, _logsumexp),
    "softmax": (_at_place(f.softmax), _softmax),
    "log_softmax": (_at_place(f.log_softmax), _log_softmax),
    "norm": (lambda args: powers.norm(args[:-1], args[-1]), norm_partials),
    "pick": (_at_place(lambda values, place: values[place]), _pick),
}
"""Ops of any number of arguments, the binders and keepers among them."""
