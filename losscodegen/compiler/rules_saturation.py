"""Functions that level off, of arguments that overflow."""

from losscodegen.compiler.rule import Fault, Rule, Witness

RULES = (
    Rule(
        name="saturated-argument",
        pattern="logsigmoid(x*exp(s))",
        unless="s <= 80 or x <= 0",
        varying=("x", "s"),
        let=("flat = x > 0 and not isfinite(exp(s))",),
        replacement="where(flat, 0, logsigmoid(x*exp(where(flat, 0, s))))",
        why="Where the exponential overflows, the logarithm of the sigmoid has levelled off, and its "
        "derivative 0 times that of the exponential is nan.",
        source="measured",
        witness=Witness(point={"x": 1.0, "s": 100.0}, fault=Fault.GRADIENT, wrt="s"),
        domain={"x": "(-10, 10)"},
        gradient_only=True,
        safe=True,
    ),
)
