"""Divergences between Dirichlet distributions."""

from losscodegen.compiler.rule import Rule, Witness
from losscodegen.compiler.rules_likelihood import _STIRLING

_PSI = "(1/12 - {z}**2*(1/120 - {z}**2*(1/252 - {z}**2*(1/240 - {z}**2/132))))*{z}"
"""x times what the digamma of x lacks to log(x) - 1/(2 x), with z = 1/x, for x >= 16."""


def _rest(x: str, name: str) -> tuple[str, ...]:
    """``(x - 1) digamma(x) - lgamma(x) - x``, whose large parts cancel in the series."""
    read = "[i]" if "[i]" in x else ""
    at = f"{name}{read}"
    far, near, z = f"{name}_far{read}", f"{name}_near{read}", f"{name}_inverse{read}"
    series = f"{z}/2 - (1 - {z})*({_PSI.format(z=z)}) - {_STIRLING.format(z=z)}"
    return (
        f"{far} = where({x} >= 16, {x}, 16)",
        f"{near} = where({x} >= 16, 1, {x})",
        f"{z} = 1/{far}",
        f"{at} = where({x} >= 16, {series} - log({far})/2 - (1 + log(2*pi))/2, "
        f"({near} - 1)*digamma({near}) - lgamma({near}) - {near})",
    )


_SHIFT = 10
_COEFFICIENTS = ("1/12", "-1/120", "1/252", "-1/240", "1/132", "-691/32760", "1/12")
"""Of the powers of 1/x**2 in log(x) - 1/(2 x) - digamma(x)."""


def _between(one: str, other: str) -> str:
    """The divided difference of that series between two values of 1/x**2, as two Horner schemes."""
    *coefficients, series = _COEFFICIENTS
    slope = "0"
    for coefficient in reversed(coefficients):
        slope = series if slope == "0" else f"{series} + {other}*({slope})"
        series = f"{coefficient} + {one}*({series})"
    return f"{series} + {other}*({slope})"


RULES = (
    Rule(
        name="digamma-of-rest",
        pattern="digamma(Sum(x[i], i)) - digamma(x[t])",
        condition="x[i] > 0",
        let=(
            "own = x[t]",
            "rest = Sum(x[i], i, where=i != t)",
            "whole = own + rest",
            "first = where(rest <= own, rest/whole/own, 1/own - 1/whole)",
            "steps = "
            + " + ".join(f"rest/(whole + {k})/(own + {k})" for k in range(1, _SHIFT)),
            f"low = own + {_SHIFT}",
            f"high = whole + {_SHIFT}",
            "apart = rest/low/high",
            "a = 1/low**2",
            "b = 1/high**2",
            f"slope = {_between('a', 'b')}",
            "series = log1p(rest/low) + apart/2 + apart*(1/low + 1/high)*slope",
        ),
        replacement="first + steps + series",
        why="Once one x is most of the sum, the two are equal in nearly all digits. Every part of "
        "their difference is the rest of the sum times something: the steps of the recurrence and "
        "what is between the two asymptotic series, ten further up.",
        source="Abramowitz and Stegun, 6.3.6 and 6.3.18; algebra",
        witness=Witness(point={"x": (1e8, 1.0, 0.5), "t": 0}),
        domain={"x": "(0, 100)"},
        balanced=True,
    ),
    Rule(
        name="dirichlet-divergence",
        pattern="lgamma(s) - Sum(lgamma(x[i]), i)"
        " + Sum((x[i] - 1)*(digamma(x[i]) - digamma(s)), i)",
        condition="s > 0 and x[i] > 0",
        let=(*_rest("x[i]", "entropy"), *_rest("s", "total")),
        replacement="Sum(entropy[i], i) - total + (Sum(1, i) - 1)*digamma(s)"
        " + (Sum(x[i], i) - s)*(1 - digamma(s))",
        why="The logarithms of gamma and what is multiplied with digamma grow as x log(x) and "
        "cancel up to logarithms. For each x the two are taken together, as a series where it is "
        "large.",
        source="Abramowitz and Stegun, 6.1.41 and 6.3.18; algebra",
        witness=Witness(point={"x": (1e9, 1e9), "s": 2e9}),
        domain={"x": "(0, 100)", "s": "(0, 100)"},
    ),
)
