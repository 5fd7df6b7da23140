"""Functions that have long levelled off where the slope of their argument overflows.

They come after what recognises formulas: a logarithm of such a function levels off nowhere.
"""

from losscodegen.compiler.rule import Fault, Phase, Rule, Witness

RULES = (
    *(
        Rule(
            name="tail-of-ratio",
            pattern=pattern,
            condition="s > 0",
            optional=("c",),
            replacement=f"where(abs(c*d) < 30*s, {pattern}, {tail})",
            why="In the tails erf is 1 in every format, and its derivative 0 times the overflowing "
            "slope of the ratio is nan.",
            source="measured",
            witness=Witness(
                point={"c": 1.0, "d": 1.0, "s": 1e-25}, fault=Fault.GRADIENT, wrt="s"
            ),
            domain={"s": "(0, 10)", "c": "(0, 10)"},
            phase=Phase.LEVEL,
            slopes=("s",),
        )
        for pattern, tail in (
            ("erf(c*d/s)", "sign(c*d)"),
            ("erfc(-c*d/s)", "1 + sign(c*d)"),
            ("erfc(c*d/s)", "1 - sign(c*d)"),
        )
    ),
    *(
        Rule(
            name="gaussian-tail",
            pattern=f"{function}(-a*x**2)",
            optional=("a",),
            varying=("x",),
            condition="a > 0",
            unless="a*x**2 <= 1600",
            let=("bound = 40/sqrt(a)", "near = clip(x, -bound, bound)"),
            replacement=f"{function}(-a*near**2)",
            why="Far out the exponential is 0 in every format, and its derivative 0 times that of "
            "an overflowing square is nan. Clipping where it has long been 0 changes no value.",
            source="measured",
            witness=Witness(point={"x": 3e38, "a": 1.0}, fault=Fault.GRADIENT, wrt="x"),
            domain={"a": "(0, 10]"},
            phase=Phase.LEVEL,
        )
        for function in ("exp", "expm1")
    ),
)
