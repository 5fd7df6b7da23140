"""Squares, products and ratios whose parts leave the range of the format although they do not."""

from losscodegen.compiler.rule import Fault, Phase, Rule, Witness
from losscodegen.compiler.rules_logs import _ATANH_SERIES
from losscodegen.compiler.rules_roots import LOG1P_OF_SQUARE

_SQUARE_IN_LOG = "The squares leave the floating-point range long before the logarithm does; the logarithm of \
a root is half that of the square."

_RATIO_IN_LOG = "The ratio or its slope may leave the floating-point range although the logarithm does not. Two \
numbers of like size are divided by one of them, so that their logarithms do not cancel; others are \
not. No gradient flows through the divisor."
_DIVISOR = (
    "alike = y <= 16777216*x and x <= 16777216*y",
    "divisor = detach(where(alike, x, 1))",
)

_NEAR_ONE = "Near 1 the terms agree to second order and cancel; there they are written as a series in what the \
ratio is off 1."
_OFF_ONE = (
    "top = where(abs(x - y) < y/4, x - y, 0)",
    "d = top/where(abs(x - y) < y/4, y, 1)",
    "r = d/(2 + d)",
    "q = r**2",
    f"odd = 2*r**3*({_ATANH_SERIES})",
)

RULES = (
    Rule(
        name="root-mean-square",
        pattern="sqrt(Mean(x[i]**2, i, where=m[i]))",
        let=(
            "largest = detach(amax(where(m[i], abs(x[i]), 0), i))",
            "scale = where(largest > 0 and isfinite(largest), largest, 1)",
            "mean_square = Mean((x[i]/scale)**2, i, where=m[i])",
            "root = sqrt(where(largest > 0, mean_square, 1))",
        ),
        replacement="largest*root",
        why="The squares leave the floating-point range long before the root does, and at 0 the "
        "root has infinite slope. The scale cancels from the result, hence no gradient flows "
        "through it; on rows of zeros the root of 1 gives the subgradient 0.",
        source="pytorch#193006",
        witness=Witness(point={"x": (1e20, 1e20)}),
        phase=Phase.EXPAND,
        safe=True,
    ),
    Rule(
        name="hypot",
        pattern="sqrt(Mean(x[i]**2, i, where=m[i]) + c)",
        condition="c > 0",
        let=("length = sqrt(Mean(x[i]**2, i, where=m[i]))",),
        replacement="hypot(length, sqrt(c))",
        why="The squares leave the floating-point range long before the root does.",
        source="measured",
        witness=Witness(point={"x": (1e20, 1.0), "c": 1.0}),
        domain={"c": "(0, oo)"},
    ),
    *(
        Rule(
            name="log-of-square-ratio",
            pattern=f"{log}(x**2/y)",
            condition="y >= 0",
            varying=("y",),
            replacement=f"2*{log}(abs(x)/sqrt(y))",
            why=_SQUARE_IN_LOG,
            source="algebra",
            witness=Witness(point={"x": 1e20, "y": 1e30}),
            domain={"y": "(0, oo)"},
        )
        for log in ("log", "log10")
    ),
    *(
        Rule(
            name="log-of-square-ratio",
            pattern=f"{log}(y/x**2)",
            condition="y >= 0",
            varying=("x",),
            replacement=f"-2*{log}(abs(x)/sqrt(y))",
            why=_SQUARE_IN_LOG,
            source="algebra",
            witness=Witness(point={"x": 1e20, "y": 1e30}),
            domain={"y": "(0, oo)"},
        )
        for log in ("log", "log10")
    ),
    Rule(
        name="projection-residual",
        pattern="x[t] - Sum(x[i]*y[i], i)/(Sum(y[i]**2, i) + c)*y[t]",
        condition="c > 0",
        let=(
            "scale = 2**floor(log(detach(Max(amax(abs(y[i]), i), sqrt(c))))/log(2))",
            "unit[i] = y[i]/scale",
            "square_sum = Sum(unit[i]**2, i)",
            "gap = (sqrt(c)/scale)**2",
            "share = Sum(x[i]*unit[i], i)/(square_sum + gap)",
            "rest[i] = x[i] - share*unit[i]",
            "along = Sum(rest[i]*unit[i], i) - share*gap",
        ),
        replacement="x[t] - share*(y[t]/scale) - detach(along)/(square_sum + gap)*(y[t]/scale)",
        why="The squares leave the floating-point range although the projection does not, and "
        "where x and y are nearly parallel, the difference keeps a part along y that is only "
        "rounding. That part is known exactly, so it is put right; its derivative is 0.",
        source="Daniel et al. 1976, reorthogonalization of Gram-Schmidt",
        witness=Witness(point={"x": (702.424,), "y": (698.358,), "c": 1e-8, "t": 0}),
        domain={"c": "(0, oo)"},
    ),
    Rule(
        name="projection",
        pattern="Sum(x[i]*y[i], i)/(Sum(y[i]**2, i) + c)*y[t]",
        condition="c > 0",
        let=(
            "scale = 2**floor(log(detach(Max(amax(abs(y[i]), i), sqrt(c))))/log(2))",
            "unit[i] = y[i]/scale",
            "share = Sum(x[i]*unit[i], i)/(Sum(unit[i]**2, i) + (sqrt(c)/scale)**2)",
        ),
        replacement="share*(y[t]/scale)",
        why="The squares leave the floating-point range although the projection does not. The "
        "scale cancels from the result, hence no gradient flows through it; dividing by a power "
        "of two rounds nothing.",
        source="measured",
        witness=Witness(point={"x": (1.0, 1.0), "y": (1e20, 1e20), "c": 1e-8, "t": 0}),
        domain={"c": "(0, oo)"},
        phase=Phase.EXPAND,
    ),
    *(
        Rule(
            name="log-of-square-sums",
            pattern=f"{log}((Sum(x[i]**2, i) + c)/(Sum(y[i]**2, i) + d))",
            condition="c > 0 and d > 0",
            let=(
                "scale = detach(Max(amax(abs(x[i]), i), sqrt(c)))",
                "square_sum = Sum((x[i]/scale)**2, i) + (sqrt(c)/scale)**2",
                "divisor = detach(Max(amax(abs(y[i]), i), sqrt(d)))",
                "square_sum_below = Sum((y[i]/divisor)**2, i) + (sqrt(d)/divisor)**2",
            ),
            replacement=f"{log}(square_sum/square_sum_below) + 2*{log}(scale/divisor)",
            why="The squares leave the floating-point range long before the logarithm does. The "
            "scales cancel from the result, hence no gradient flows through them.",
            source="algebra",
            witness=Witness(
                point={"x": (1e20, 1e20), "c": 1.0, "y": (1.0, 2.0), "d": 1.0}
            ),
            domain={"c": "(0, oo)", "d": "(0, oo)"},
            phase=Phase.EXPAND,
            safe=True,
        )
        for log in ("log", "log10")
    ),
    Rule(
        name="square-of-ratio",
        pattern="(x**2 + y**2)/(x*y)**2",
        condition="x > 0 and y > 0",
        varying=("x",),
        replacement="(1/y)**2 + (1/x)**2",
        why="The squares leave the floating-point range although those of the ratios do not.",
        source="algebra",
        witness=Witness(point={"x": 1e20, "y": 1e19}),
        domain={"x": "(0, oo)", "y": "(0, oo)"},
    ),
    Rule(
        name="square-of-ratio",
        pattern="(x**2 + y**2)/z**2",
        varying=("z",),
        replacement="(x/z)**2 + (y/z)**2",
        why="The squares leave the floating-point range although those of the ratios do not.",
        source="measured",
        witness=Witness(point={"x": 1e20, "y": 1e19, "z": 1e20}),
        domain={"z": "(0, oo)"},
    ),
    Rule(
        name="ratio-minus-log",
        pattern="log(y/x) + (x/y)**2/2 - 1/2",
        condition="x > 0 and y > 0",
        let=_OFF_ONE,
        replacement="where(abs(x - y) < y/4, d*r - odd + d**2/2, log(y/x) + (x/y)**2/2 - 1/2)",
        why=_NEAR_ONE,
        source="Loader, Fast and accurate computation of binomial probabilities",
        witness=Witness(point={"x": 1.0001, "y": 1.0}),
        domain={"x": "(0, 100)", "y": "(0, 100)"},
    ),
    Rule(
        name="ratio-minus-log",
        pattern="x/y - log(x/y) - 1",
        condition="x > 0 and y > 0",
        let=_OFF_ONE,
        replacement="where(abs(x - y) < y/4, d*r - odd, x/y - log(x/y) - 1)",
        why=_NEAR_ONE,
        source="Loader, Fast and accurate computation of binomial probabilities",
        witness=Witness(point={"x": 1.0001, "y": 1.0}),
        domain={"x": "(0, 100)", "y": "(0, 100)"},
    ),
    Rule(
        name="ratio-minus-log",
        pattern="x/y + log(y/x) - 1",
        condition="x > 0 and y > 0",
        let=_OFF_ONE,
        replacement="where(abs(x - y) < y/4, d*r - odd, x/y + log(y/x) - 1)",
        why=_NEAR_ONE,
        source="Loader, Fast and accurate computation of binomial probabilities",
        witness=Witness(point={"x": 1.0001, "y": 1.0}),
        domain={"x": "(0, 100)", "y": "(0, 100)"},
    ),
    Rule(
        name="log1p-of-scaled-square",
        pattern="log1p(a*(x*exp(s))**2)",
        optional=("a",),
        condition="a > 0",
        unless="s <= 80",
        varying=("x", "s"),
        let=(
            "u = sqrt(a)*x",
            "near = where(abs(u) <= exp(-s), u, 0)",
            "far = where(abs(u) <= exp(-s), 1, abs(u))",
            "exponent = where(abs(u) <= exp(-s) and isfinite(exp(s)), s, 0)",
            # The clip never acts: it tells the other rows that the square is small.
            "ratio = clip(near*exp(exponent), -2, 2)",
        ),
        replacement="where(abs(u) <= exp(-s), log1p(ratio**2), softplus(2*(log(far) + s)))",
        why="The exponential overflows before the square, and the square before the logarithm; "
        "beyond 1 the logarithm is taken first.",
        source="measured",
        witness=Witness(point={"x": 1e-20, "s": 100.0, "a": 1.0}),
        domain={"a": "(0, oo)"},
        safe=True,
    ),
    Rule(
        name="log1p-of-square",
        pattern="log1p(a*(x/y)**2)",
        optional=("a",),
        condition="a > 0 and y > 0",
        varying=("x", "y"),
        let=("top = abs(x)", "bottom = y/sqrt(a)"),
        replacement="where(top <= bottom, log1p((x/bottom)**2), "
        "2*log(top/bottom) + log1p((bottom/x)**2))",
        why=LOG1P_OF_SQUARE,
        source="measured",
        witness=Witness(
            point={"x": 1.0, "y": 1e-25, "a": 1.0}, fault=Fault.GRADIENT, wrt="y"
        ),
        domain={"a": "(0, oo)", "y": "(0, oo)"},
    ),
    *(
        Rule(
            name="log-of-ratio",
            pattern=f"{log}(y/x)",
            condition="x >= 0 and y >= 0",
            unless="x >= 1/1000 or y <= 2*x",
            varying=("x",),
            let=_DIVISOR,
            replacement=f"{log}(y/divisor) - {log}(x/divisor)",
            why=_RATIO_IN_LOG,
            source="measured",
            witness=Witness(
                point={"x": 1e-25, "y": 1.0}, fault=Fault.GRADIENT, wrt="x"
            ),
            domain={"x": "(0, oo)", "y": "(0, oo)"},
            phase=Phase.EXPAND,
        )
        for log in ("log", "log10")
    ),
)
