"""Distributions of angles: logarithms of Bessel functions, and cosines near 1."""

from fractions import Fraction

from losscodegen.compiler.rule import Rule, Witness


def _series(terms: int = 11) -> str:
    """``exp(-x)*sqrt(2*pi*x)*I0(x) - 1`` for x > 64, with z = 1/x."""
    coefficients = [Fraction(1)]
    for k in range(1, terms + 1):
        coefficients.append(coefficients[-1] * (2 * k - 1) ** 2 / (8 * k))
    text = str(coefficients.pop())
    for coefficient in coefficients[:0:-1]:
        text = f"{coefficient} + z*({text})"
    return f"z*({text})"


_BESSEL = (
    "far = where(x > 64, x, 64)",
    "near = where(x > 64, 1, x)",
    "z = 1/far",
    f"tail = log1p({_series()}) - log(2*pi*far)/2",
    "excess = where(x > 64, tail, log(besseli(0, near)) - near)",
)

_SMALL = (
    "d = where(x < 1, x, 0)",
    "q = d**2/4",
    "above = q*(1 + q/4*(1 + q/9*(1 + q/16*(1 + q/25*(1 + q/36*(1 + q/49*(1 + q/64*(1 + q/81*(1 + q/100)))))))))",
)
"""``above`` is I0(x) - 1 for x < 1, to the last digit of float64."""

_WHY = "`I0(x)` overflows for large x although its logarithm is nearly x. What it is less, is found from \
the asymptotic series there."

_SOURCE = "Abramowitz and Stegun, 9.7.1"

RULES = (
    Rule(
        name="log-of-bessel",
        pattern="log(c*besseli(0, x))",
        condition="x >= 0 and c > 0",
        unless="x <= 64",
        let=_BESSEL,
        replacement="x + excess + log(c)",
        why=_WHY,
        source=_SOURCE,
        witness=Witness(point={"c": 2.0, "x": 1000.0}),
        domain={"x": "[0, 200)", "c": "(0, 10)"},
    ),
    Rule(
        name="log-of-bessel",
        pattern="log(besseli(0, x))",
        condition="x >= 0",
        unless="x <= 64",
        let=(*_SMALL, *_BESSEL),
        replacement="where(x < 1, log1p(above), x + excess)",
        why=_WHY + " For small x it is 1 and a series.",
        source=_SOURCE + ", 9.6.12",
        witness=Witness(point={"x": 1000.0}),
        domain={"x": "[0, 200)"},
    ),
    Rule(
        name="multiple-of-one-minus-cos",
        pattern="k - k*cos(x)",
        replacement="2*k*sin(x/2)**2",
        why="For small x the cosine rounds to 1.",
        source="Herbie",
        witness=Witness(point={"x": 1e-5, "k": 3.0}),
        domain={"x": "(-3, 3)"},
    ),
)
