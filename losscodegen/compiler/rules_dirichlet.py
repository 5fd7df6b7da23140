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


RULES = (
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
