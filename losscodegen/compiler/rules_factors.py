"""Logarithms of products and quotients with a factor that may overflow, taken apart.

The other factor grows no faster than the inputs, so that the two logarithms cancel at roots alone,
where the digits of the inputs decide.
"""

from losscodegen.compiler.rule import Rule, Witness

RULES = (
    *(
        Rule(
            name=name,
            pattern=pattern,
            condition="x > 0 and y > 0",
            replacement=replacement,
            why="A factor overflows although the logarithm does not.",
            source="measured",
            witness=Witness(
                point={"x": 2.0, "y": 2.0, large: 1e20},
                instead={large: f"1 + {large}**2"},
            ),
            domain={"x": "(0, oo)", "y": "(0, oo)"},
            huge=(large,),
            calm=(other,),
            as_written=True,
        )
        for name, pattern, replacement, large, other in (
            ("log-of-large-factor", "log(x*y)", "log(x) + log(y)", "x", "y"),
            ("log-of-large-factor", "log(x/y)", "log(x) - log(y)", "x", "y"),
            ("log-of-large-divisor", "log(x/y)", "log(x) - log(y)", "y", "x"),
        )
    ),
)
