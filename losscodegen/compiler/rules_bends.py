"""Functions whose value and gradient are right and whose second derivative cancels."""

from losscodegen.compiler.rule import Fault, Phase, Purpose, Rule, Witness

_ROOT = "The second derivative of `hypot` is `1/r - x**2/r**3`, which cancels for large x. There the \
root is x and what it adds to it, whose derivatives do not cancel."

_SHIFTED = "lgamma(x + 10)" + "".join(f" - log(x + {n})" for n in range(10)).replace(
    " + 0)", ")", 1
)
"""The logarithm of gamma by ten steps of its recurrence."""

RULES = (
    Rule(
        name="hypot-tail",
        pattern="hypot(x, y)",
        condition="y > 0",
        varying=("x",),
        steady=("y",),
        let=("length = hypot(x, y)", "size = abs(x)"),
        replacement="where(size <= y, length, size + y*(y/(length + size)))",
        why=_ROOT,
        source="measured",
        witness=Witness(point={"x": 1e4, "y": 1.0}, fault=Fault.SECOND, wrt="x"),
        domain={"y": "(0, oo)"},
        phase=Phase.BEND,
        safe=True,
    ),
    Rule(
        name="sigmoid-bend",
        pattern="exp(logsigmoid(x))",
        replacement="where(abs(x) < 1, 1/2 + tanh(x/2)/2, exp(logsigmoid(x)))",
        unless="x <= -1 or x >= 1",
        why="The second derivative of the sigmoid is 0 at 0, beside which that of the exponential "
        "cancels; that of `tanh` is a product.",
        source="measured",
        purpose=Purpose.DIGITS,
        witness=Witness(point={"x": 1e-6}, fault=Fault.SECOND, wrt="x"),
        phase=Phase.BEND,
        safe=True,
        bounded=True,
        linear=True,
    ),
    Rule(
        name="log-gamma-bend",
        pattern="lgamma(x)",
        condition="x > 0",
        unless="x >= 100",
        replacement=_SHIFTED,
        why="The second derivative of torch's `lgamma` has 9 digits in float64. That of the zeta "
        "function, which adds ten terms of the recurrence before its series, has all.",
        source="measured",
        purpose=Purpose.DIGITS,
        witness=Witness(
            point={"x": 1.37}, fault=Fault.SECOND, wrt="x", dtype="float64"
        ),
        domain={"x": "(0, 100)"},
        phase=Phase.BEND,
        gradient_only=True,
        helped=True,
    ),
    Rule(
        name="softplus-of-ratio",
        pattern="softplus(-2*abs(x/s))",
        varying=("s",),
        let=("size = abs(x/s)",),
        replacement="log1p(exp(-size)**2)",
        why="The second derivative of torch's `softplus` is 0 where the exponential of its argument "
        "underflows; what the slope of a ratio multiplies it by comes too late. A square is "
        "differentiated in two steps, with that in between.",
        source="torch derivatives.yaml",
        purpose=Purpose.DIGITS,
        witness=Witness(point={"x": 0.95, "s": 0.02}, fault=Fault.SECOND, wrt="x"),
        domain={"s": "(0, oo)"},
        phase=Phase.BEND,
    ),
    Rule(
        name="sigmoid-below-zero",
        pattern="sigmoid(x)",
        condition="x <= 0",
        let=("small = exp(x)",),
        replacement="small/(1 + small)",
        why="Torch computes the sigmoid as `1/(1 + exp(-x))`, which is 0 once `exp(-x)` overflows; "
        "`exp(x)` is not 0 yet, and a second derivative may multiply it.",
        source="measured",
        purpose=Purpose.DIGITS,
        witness=Witness(
            point={"z": 0.89},
            instead={"x": "-100*abs(z)"},
            fault=Fault.SECOND,
            wrt="z",
        ),
        domain={"x": "(-oo, 0]"},
        phase=Phase.BEND,
        safe=True,
        bounded=True,
    ),
)
