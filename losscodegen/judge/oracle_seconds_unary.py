"""The second derivatives of ops of one argument; see `oracle_seconds`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flint import arb, fmpq

from losscodegen.judge import oracle_angles as angles
from losscodegen.judge import oracle_functions as f
from losscodegen.judge import oracle_special as special
from losscodegen.judge.oracle_arithmetic import (
    add,
    divide,
    multiply,
    negate,
    square,
    subtract,
)
from losscodegen.judge.oracle_numbers import HALF, ONE, TWO, Value
from losscodegen.judge.oracle_powers import integer_power, sqrt


def inverse_square(x: Value) -> Value:
    return divide(ONE, square(x))


def _inverse_cube_of_root(x: Value) -> Value:
    """``x**(-3/2)``."""
    return divide(ONE, multiply(x, sqrt(x)))


def _one_minus_square(x: Value) -> Value:
    return multiply(subtract(ONE, x), add(ONE, x))


def _logistic(x: Value) -> Value:
    return multiply(f.sigmoid(x), f.sigmoid(negate(x)))


def _tanh(x: Value, y: Value) -> Value:
    twice = multiply(TWO, x)
    return multiply(multiply(fmpq(-8), y), _logistic(twice))


def _asin(x: Value) -> Value:
    return multiply(x, _inverse_cube_of_root(_one_minus_square(x)))


def _acosh(x: Value) -> Value:
    return multiply(x, _inverse_cube_of_root(negate(_one_minus_square(x))))


def _erf(x: Value) -> Value:
    return multiply(multiply(fmpq(-2), x), special.erf_slope(x))


def _gamma(x: Value, y: Value) -> Value:
    return multiply(y, add(square(special.digamma(x)), special.polygamma(ONE, x)))


UNARY: Mapping[str, Callable[[Value, Value], Value | None]] = {
    "neg": lambda x, y: None,
    "exp": lambda x, y: y,
    "log": lambda x, y: negate(inverse_square(x)),
    "sqrt": lambda x, y: divide(fmpq(-1, 4), integer_power(y, 3)),
    "cbrt": lambda x, y: divide(fmpq(-2, 9), integer_power(y, 5)),
    "square": lambda x, y: TWO,
    "log10": lambda x, y: divide(negate(inverse_square(x)), arb(10).log()),
    "sin": lambda x, y: negate(y),
    "cos": lambda x, y: negate(y),
    "tan": lambda x, y: multiply(multiply(TWO, y), add(ONE, square(y))),
    "asin": lambda x, y: _asin(x),
    "acos": lambda x, y: negate(_asin(x)),
    "atan": lambda x, y: divide(multiply(fmpq(-2), x), square(add(ONE, square(x)))),
    "sinh": lambda x, y: y,
    "cosh": lambda x, y: y,
    "tanh": _tanh,
    "asinh": lambda x, y: multiply(
        negate(x), _inverse_cube_of_root(add(ONE, square(x)))
    ),
    "acosh": lambda x, y: negate(_acosh(x)),
    "atanh": lambda x, y: divide(multiply(TWO, x), square(_one_minus_square(x))),
    "erf": lambda x, y: _erf(x),
    "erfc": lambda x, y: negate(_erf(x)),
    "erfinv": lambda x, y: multiply(multiply(TWO, y), square(special.erfinv_slope(y))),
    "lgamma": lambda x, y: special.polygamma(ONE, x),
    "gamma": _gamma,
    "digamma": lambda x, y: special.polygamma(TWO, x),
    "sigmoid": lambda x, y: negate(
        multiply(_logistic(x), angles.tanh(multiply(HALF, x)))
    ),
    "logsigmoid": lambda x, y: negate(_logistic(x)),
    "softplus": lambda x, y: _logistic(x),
    "log1p": lambda x, y: negate(inverse_square(add(ONE, x))),
    "expm1": lambda x, y: f.exp(x),
    "log1mexp": lambda x, y: divide(ONE, multiply(f.expm1(x), f.expm1(negate(x)))),
    "detach": lambda x, y: None,
    "abs": lambda x, y: None,
    "relu": lambda x, y: None,
    "sign": lambda x, y: None,
    "heaviside": lambda x, y: None,
    "floor": lambda x, y: None,
}
"""The second derivative from argument and value."""
