"""Functions of arguments that overflow although the result does not.

What is far out is computed from the logarithm of the argument, which other rows take apart.
"""

from losscodegen.compiler.rule import Fault, Phase, Rule, Witness, magnitude
from losscodegen.compiler.rules_roots import LOG1P_OF_SQUARE

_LEVEL = (
    "Where the argument overflows the function has long levelled off, and its derivative 0 times "
    "that of the argument is nan."
)
_FAR = "The argument overflows although the result does not; far out it is taken by its logarithm."
LOG_OVERFLOWS = (
    "The argument of the logarithm overflows although the logarithm does not."
)

_LEVELLED = (
    # function, where it has levelled off in every format, where it has not, what it is beyond
    ("tanh(x)", "abs(x) > 400", "abs(x) <= 400", "where(x > 0, 1, -1)"),
    ("sigmoid(x)", "abs(x) > 800", "abs(x) <= 800", "where(x > 0, 1, 0)"),
    ("erf(x)", "abs(x) > 40", "abs(x) <= 40", "where(x > 0, 1, -1)"),
    ("softplus(x)", "x < -800", "x >= -800", "0"),
    ("logsigmoid(x)", "x > 800", "x <= 800", "0"),
    ("exp(x)", "x < -800", "x >= -800", "0"),
)

RULES = (
    Rule(
        name="log-of-underflow",
        pattern="log(x)",
        condition="x >= 0",
        replacement=f"where(x >= 1e-9 and x <= 1e9, log(x), {magnitude('x')})",
        unless="x >= 1e-9 and x <= 1e9",
        why="The argument of the logarithm underflows, or overflows, although the logarithm does not.",
        source="measured",
        witness=Witness(
            point={"x": 200.0}, instead={"x": "softplus(-x) + sigmoid(-x)"}
        ),
        domain={"x": "(0, oo)"},
        phase=Phase.OVERFLOW,
        outside=True,
        tiny=("x",),
    ),
    Rule(
        name="log1p-of-square",
        pattern="log1p(x**2)",
        unless="x**2 <= 4",
        let=(f"far = 2*{magnitude('abs(x)')}",),
        replacement="where(abs(x) <= 1, log1p(x**2), far + log1p(exp(-far)))",
        why=LOG1P_OF_SQUARE,
        source="measured",
        witness=Witness(
            point={"x": 100.0},
            fault=Fault.GRADIENT,
            wrt="x",
            instead={"x": "2 - exp(x)"},
        ),
        steep=("x",),
    ),
    Rule(
        name="log-beside-exponential",
        pattern="log(abs(y - exp(x)))",
        let=("shift = detach(where(x > 80, x, 0))",),
        replacement="shift + log(abs(y*exp(-shift) - exp(x - shift)))",
        unless="x <= 80",
        why=LOG_OVERFLOWS,
        source="measured",
        witness=Witness(point={"x": 100.0, "y": 2.0}),
        phase=Phase.OVERFLOW,
        outside=True,
        calm=("y",),
    ),
    Rule(
        name="log-term-far-out",
        pattern="xlogy(p, x)",
        condition="x >= 1",
        replacement="p*log(x)",
        why="The argument of the logarithm overflows although the logarithm does not. Where it is "
        "at least 1 nothing is special about a factor of 0.",
        source="measured",
        witness=Witness(point={"p": 0.5, "x": 1e20}, instead={"x": "1 + x**2"}),
        domain={"x": "[1, oo)"},
    ),
    *(
        Rule(
            name="levelled-off",
            pattern=function,
            # NaN is in neither range, and stays what it is.
            replacement=f"where({far}, {beyond}, {function})",
            unless=near,
            why=_LEVEL,
            source="measured",
            witness=Witness(
                point={"x": 1e30 if "<=" in near else -1e30},
                fault=Fault.GRADIENT,
                wrt="x",
            ),
            phase=Phase.LEVEL,
            outside=True,
            gradient_only=True,
            steep=("x",),
        )
        for function, far, near, beyond in _LEVELLED
    ),
    Rule(
        name="angle-far-out",
        pattern="atan(x)",
        let=("size = abs(x)",),
        replacement=f"where(size <= 1e9, atan(x), where(x > 0, 1, -1)*(pi/2 - exp(-{magnitude('size')})))",
        unless="size <= 1e9",
        why=_FAR,
        source="DLMF 4.24.3",
        witness=Witness(point={"x": 1e7}, fault=Fault.GRADIENT, wrt="x"),
        phase=Phase.LEVEL,
        outside=True,
        gradient_only=True,
        huge=("x",),
    ),
    Rule(
        name="asinh-far-out",
        pattern="asinh(x)",
        let=("size = abs(x)", f"far = log(2) + {magnitude('size')}"),
        replacement="where(size <= 1e9, asinh(x), where(x > 0, 1, -1)*far)",
        unless="size <= 1e9",
        why=_FAR,
        source="DLMF 4.37.16",
        witness=Witness(point={"x": 1e20}, fault=Fault.GRADIENT, wrt="x"),
        phase=Phase.OVERFLOW,
        outside=True,
        large=("x",),
    ),
    *(
        Rule(
            name="log-of-square-sum",
            pattern=pattern,
            condition=condition,
            varying=("x", "y"),
            let=("total = x**2 + y**2",),
            replacement=f"where(total <= 1e9, {near}, 2*log(hypot(hypot(x, y), {root})))",
            why=_FAR,
            source="measured",
            witness=Witness(point={"x": 1e20, "y": 1e19, "c": 2.0}),
            domain={"c": "(0, oo)"},
            phase=Phase.EXPAND,
            calm=calm,
        )
        for pattern, near, root, condition, calm in (
            ("log1p(x**2 + y**2)", "log1p(total)", "1", None, ()),
            ("log(c + x**2 + y**2)", "log(c + total)", "sqrt(c)", "c > 0", ("c",)),
        )
    ),
    *(
        Rule(
            name="log-far-out",
            pattern=pattern,
            condition=condition,
            let=(
                f"p = {magnitude('x')}",
                f"q = {magnitude('y')}",
                "both = logaddexp(p, q)",
            ),
            replacement=f"where(x + y <= 1e9, {near}, {far})",
            why=_FAR,
            source="measured",
            witness=Witness(point={"x": 1e20, "y": 1e19, "c": 1.0}),
            domain={"x": "(0, oo)", "y": "(0, oo)", "c": "(0, oo)"},
            phase=Phase.OVERFLOW,
            outside=True,
            huge=("x", "y"),
            calm=calm,
        )
        for pattern, near, far, condition, calm in (
            (
                "log1p(x + y)",
                "log1p(x + y)",
                "both + exp(-both)",
                "x >= 0 and y >= 0",
                (),
            ),
            (
                "log(c + x + y)",
                "log(c + x + y)",
                "both + log1p(c*exp(-both))",
                "c > 0 and x >= 0 and y >= 0",
                ("c",),
            ),
        )
    ),
    Rule(
        name="log-far-out",
        pattern="log1p(x)",
        condition="x >= 0",
        unless="x <= 1e9",
        let=(f"size = {magnitude('x')}",),
        replacement="where(x <= 1e9, log1p(x), size + exp(-size))",
        why=_FAR,
        source="measured",
        witness=Witness(point={"x": 1e20}),
        domain={"x": "[0, oo)"},
        phase=Phase.OVERFLOW,
        outside=True,
        huge=("x",),
    ),
    *(
        Rule(
            name="log-far-out",
            pattern=f"{log}(c + x)",
            condition="c > 0 and x >= 0",
            unless="x <= 1e9",
            let=(f"size = {magnitude('x')}",),
            replacement=f"where(x <= 1e9, {log}(c + x), {far})",
            why=_FAR,
            source="measured",
            witness=Witness(point={"x": 1e20, "c": 2.0}),
            domain={"x": "[0, oo)", "c": "(0, oo)"},
            phase=Phase.OVERFLOW,
            outside=True,
            huge=("x",),
            calm=("c",),
        )
        for log, far in (
            ("log", "size + log1p(c*exp(-size))"),
            ("log10", "(size + log1p(c*exp(-size)))/log(10)"),
        )
    ),
    Rule(
        name="log-far-out",
        pattern="log(x + y)",
        condition="x >= 0 and y >= 0",
        let=(
            f"p = {magnitude('x')}",
            f"q = {magnitude('y')}",
        ),
        replacement="where(x + y <= 1e9, log(x + y), logaddexp(p, q))",
        why=_FAR,
        source="measured",
        witness=Witness(point={"x": 1e20, "y": 1e19}),
        domain={"x": "(0, oo)", "y": "(0, oo)"},
        phase=Phase.OVERFLOW,
        outside=True,
        huge=("x", "y"),
    ),
    *(
        Rule(
            name="log-of-power",
            pattern=f"log({power})",
            condition=condition,
            varying=("x",),
            replacement=f"{p}*log({base})",
            why=LOG_OVERFLOWS,
            source="measured",
            witness=Witness(point={"x": 1e20, "p": 3.0}),
            domain={"x": "(0, oo)", "p": "(1, 4)"},
            phase=Phase.OVERFLOW,
            outside=True,
            overflows=True,
        )
        for power, p, base, condition in (
            ("x**2", "2", "abs(x)", None),
            ("abs(x**3)", "3", "abs(x)", None),
            ("abs(x**2)", "2", "abs(x)", None),
            ("x**4", "4", "abs(x)", None),
            ("x**p", "p", "x", "x >= 0"),
            ("abs(x)**p", "p", "abs(x)", "p > 0"),
        )
    ),
)
