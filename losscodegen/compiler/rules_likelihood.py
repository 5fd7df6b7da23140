"""Negative log-likelihoods and divergences: gamma functions, logarithms of sums, counts."""

from losscodegen.compiler.rule import Fault, Phase, Purpose, Rule, Witness
from losscodegen.compiler.rules_logs import (
    _ATANH_SERIES,
    _SINH_SERIES,
    LONG_ATANH_SERIES,
)

_STIRLING = (
    "(1/12 - {z}**2*(1/360 - {z}**2*(1/1260 - {z}**2*(1/1680 - {z}**2/1188))))*{z}"
)
"""lgamma(x) less the leading terms of Stirling, with z = 1/x, for x >= 16."""


def _difference(x: str, d: str, short: str) -> tuple[str, ...]:
    """What makes ``lgamma(x) - lgamma(x + d)`` as ``steps + change``, for d <= x or 16 <= x.

    The steps lead from x to x + 16, two factors of the gamma function at a time, where x is
    ``short``. From 16 on what is common to the two series of Stirling is taken out first; what is
    left of them is written by powers of 1/x and 1/(x + d), less each other, over d.
    """
    steps = " + ".join(
        f"log1p(added*(2*first + {2 * k + 1} + added)/((first + {k})*(first + {k + 1})))"
        for k in range(0, 16, 2)
    )
    return (
        f"first = where({short}, {x}, 1)",
        f"added = where({short}, {d}, 0)",
        f"steps = {steps}",
        f"far = where({x} >= 16, {x}, {x} + 16)",
        f"u = {d}/far",
        "s = where(u < 1/4, u, 0)",
        "h = s/(2 + s)",
        "q = h**2",
        f"odd = 2*h**3*({_ATANH_SERIES})",
        f"main = where(u < 1/4, far*(s*h - odd) + log1p(s)/2, {d} - (far - 1/2)*log1p(u))",
        "z = 1/far",
        f"w = 1/(far + {d})",
        "c = z*w",
        "e = z**2 + w**2",
        "third = e + c",
        "fifth = e*third - c**2",
        "seventh = e*fifth - c**2*third",
        "ninth = e*seventh - c**2*fifth",
        "last = 691/360360*(e*ninth - c**2*seventh)",
        f"series = {d}*c*(1/12 - third/360 + fifth/1260 - seventh/1680 + ninth/1188 - last)",
        f"change = main - {d}*log(far + {d}) + series",
    )


RULES = (
    Rule(
        name="exp-minus-multiple",
        pattern="exp(x) - y*(x + r)",
        optional=("r",),
        varying=("x",),
        unless="y > 1 or y < 1",
        let=("d = where(abs(x) < 1, x, 0)", f"odd = {_SINH_SERIES}"),
        replacement="where(abs(x) < 1, 2*sinh(d/2)**2 + odd + (1 - (y - 1)*d) - y*r, "
        "exp(x) - y*(x + r))",
        why="For y = 1 the derivative `exp(x) - 1` cancels near 0. There the function is written "
        "with `exp(x) - x - 1`, whose own derivative keeps its digits.",
        source="measured",
        purpose=Purpose.DIGITS,
        witness=Witness(
            point={"x": 1e-9, "y": 1.0, "r": 0.0}, fault=Fault.GRADIENT, wrt="x"
        ),
        gradient_only=True,
        balanced=True,
    ),
    Rule(
        name="log-beta",
        pattern="lgamma(x) + lgamma(y) - lgamma(x + y)",
        condition="x > 0 and y > 0",
        let=(
            "small = where(x <= y, x, y)",
            "large = where(x <= y, y, x)",
            *_difference("large", "small", "large < 16"),
        ),
        replacement="lgamma(small) + steps + change",
        why="The logarithms of gamma with the larger arguments cancel where the smaller one is "
        "small beside them. What is common to their series by Stirling is taken out first; where "
        "they are below 16 the recurrence leads there.",
        source="Didonato and Morris, algorithm 708",
        witness=Witness(point={"x": 0.5, "y": 1e9}),
        domain={"x": "(0, 100)", "y": "(0, 100)"},
    ),
    Rule(
        name="log-beta",
        pattern="lgamma(x) + lgamma(1 + y) - lgamma(x + y)",
        condition="x > 0 and y >= 0",
        let=(
            "small = where(x <= 1 + y, x, 1 + y)",
            "large = where(x <= 1 + y, 1 + y, x)",
            "beta = lgamma(small) + (lgamma(large) - lgamma(large + small)) + log(x + y)",
        ),
        replacement="where(y == 0, lgamma(x) - lgamma(x + y) + lgamma(1 + y), beta)",
        why="The two logarithms of gamma with the largest arguments cancel; taken together, their "
        "difference keeps its digits.",
        source="Didonato and Morris, algorithm 708",
        witness=Witness(point={"x": 0.5, "y": 1e9}),
        domain={"x": "(0, 100)", "y": "[0, 100)"},
    ),
    Rule(
        name="log-gamma-half-step",
        pattern="lgamma(k/2) - lgamma(k/2 + 1/2) + log(c*k)/2",
        condition="k > 0 and c > 0",
        unless="k <= 32",
        varying=("k",),
        optional=("c",),
        let=("x = where(k >= 32, k/2, 16)", "near = where(k >= 32, 1, k)", "z = 1/x"),
        replacement="where(k >= 32, (1/8 - z**2*(1/192 - z**2*(1/640 - z**2*(17/14336 - z**2*31/18432))))*z + log(2*c)/2, "
        "lgamma(near/2) - lgamma(near/2 + 1/2) + log(c*near)/2)",
        why="For large k the three terms cancel up to a constant and a series in 1/k.",
        source="Abramowitz and Stegun, 6.1.40",
        witness=Witness(point={"k": 1e9, "c": 0.5}),
        domain={"k": "(0, 1000)", "c": "(0, 10)"},
    ),
    Rule(
        name="log-gamma-half-step",
        pattern="lgamma(x) - lgamma(x + 1/2)",
        condition="x > 0",
        unless="x <= 16",
        varying=("x",),
        let=("far = where(x >= 16, x, 16)", "near = where(x >= 16, 1, x)", "z = 1/far"),
        replacement="where(x >= 16, (1/8 - z**2*(1/192 - z**2*(1/640 - z**2*(17/14336 - z**2*31/18432))))*z - log(far)/2, "
        "lgamma(near) - lgamma(near + 1/2))",
        why="For large x the two cancel up to `log(x)/2` and a series in 1/x.",
        source="Abramowitz and Stegun, 6.1.40",
        witness=Witness(point={"x": 1e9}),
        domain={"x": "(0, 1000)"},
    ),
    Rule(
        name="log-gamma-difference",
        pattern="lgamma(x) - lgamma(x + d)",
        condition="x > 0 and d >= 0",
        unless="d <= 0 or (x <= 16 and d >= 1/2)",
        varying=("x",),
        let=(
            "apart = x < 16 and d > x",
            "near = where(apart, x, 1)",
            *_difference("x", "d", "x < 16 and d <= x"),
        ),
        replacement="where(apart, lgamma(near) - lgamma(near + d), steps + change)",
        why="For small d, beside x, the two cancel. What is common to their series by Stirling is "
        "taken out first; where x is below 16 the recurrence leads to `x + 16`.",
        source="TFP, log_gamma_difference",
        witness=Witness(point={"x": 1e9, "d": 2.0}),
        domain={"x": "(0, 1000)", "d": "[0, 1000)"},
        balanced=True,
    ),
    Rule(
        name="log1p-over-slope-apart",
        pattern="(1 + 1/x)*log1p(x*y)",
        condition="x > 0 and y >= 0",
        replacement="log1p(x*y) + log1p(x*y)/x",
        why="For small x the large parts of the derivative by x cancel; the quotient by itself "
        "has a series.",
        source="measured",
        witness=Witness(point={"x": 1e-9, "y": 1.0}, fault=Fault.GRADIENT, wrt="x"),
        domain={"x": "(0, 10)", "y": "[0, 10)"},
    ),
    Rule(
        name="log1p-over-slope",
        pattern="log1p(x*y/q)/x",
        condition="x > 0 and y >= 0 and q > 0",
        varying=("q",),
        let=(
            "s = where(x*y < q, x*y/q, 0)",
            "h = s/(2 + s)",
            "u = h**2",
            f"ratio = 2/(2 + s)*(1 + u*({LONG_ATANH_SERIES}))",
            "part = detach(where(x*y < 1e18*q, q, 1))",
        ),
        replacement="where(x*y < q, y/q*ratio, (log((q + x*y)/part) - log(q/part))/x)",
        why="For small x the derivative by x is a difference of two large numbers; the quotient "
        "is a series there. For small q the ratio and its slope overflow, which the logarithms "
        "of its sides do not; they cancel unless both are divided by q, through which no "
        "gradient flows.",
        source="measured",
        witness=Witness(
            point={"x": 1e-9, "y": 1.0, "q": 1.0}, fault=Fault.GRADIENT, wrt="x"
        ),
        domain={"x": "(0, 10)", "y": "[0, 10)", "q": "(0, 10)"},
        phase=Phase.EXPAND,
    ),
    Rule(
        name="log1p-over-slope",
        pattern="k*log1p(y/k)",
        condition="k > 0 and y >= 0",
        varying=("k",),
        let=(
            "top = where(y < k/4, y, 0)",
            "s = top/where(y < k/4, k, 1)",
            "h = s/(2 + s)",
            "u = h**2",
            f"ratio = 2/(2 + s)*(1 + u*({_ATANH_SERIES.replace('q', 'u')}))",
        ),
        replacement="where(y < k/4, y*ratio, k*log1p(y/k))",
        why="For large k the derivative by k is a difference of two numbers that agree; the "
        "product is a series there.",
        source="measured",
        witness=Witness(point={"k": 1e9, "y": 1.0}, fault=Fault.GRADIENT, wrt="k"),
        domain={"k": "(0, 10)", "y": "[0, 10)"},
        phase=Phase.EXPAND,
    ),
    Rule(
        name="log1p-over-slope",
        pattern="log1p(x*y)/x",
        condition="x > 0 and y >= 0",
        let=(
            "u = x*y",
            "s = where(u < 1/4, u, 0)",
            "h = s/(2 + s)",
            "q = h**2",
            f"ratio = 2/(2 + s)*(1 + q*({_ATANH_SERIES}))",
        ),
        replacement="where(u < 1/4, y*ratio, log1p(u)/x)",
        why="For small x the derivative by x is a difference of two large numbers; the quotient "
        "is a series there.",
        source="measured",
        witness=Witness(point={"x": 1e-9, "y": 1.0}, fault=Fault.GRADIENT, wrt="x"),
        domain={"x": "(0, 10)", "y": "[0, 10)"},
        phase=Phase.EXPAND,
    ),
    Rule(
        name="log-of-sum",
        pattern="log(x) + log1p(a*b/x)",
        condition="x > 0 and a > 0 and b >= 0",
        varying=("a", "b", "x"),
        let=("root = sqrt(a)*sqrt(b)",),
        replacement="where(a*b <= 1e9, log(x + a*b), 2*log(root) + log1p(x/(a*b)))",
        why="For a large ratio the derivatives by x cancel, and the ratio overflows; the sum of "
        "the two is one logarithm. Far out the product overflows, of which the roots do not.",
        source="algebra",
        witness=Witness(
            point={"x": 1e-9, "a": 1.0, "b": 1.0}, fault=Fault.GRADIENT, wrt="x"
        ),
        domain={"x": "(0, oo)", "a": "(0, oo)", "b": "[0, oo)"},
    ),
    Rule(
        name="log-of-sum",
        pattern="log(x) + log1p(y/x)",
        condition="x > 0 and y >= 0",
        replacement="log(x + y)",
        why="For a large ratio the derivatives by x cancel, and the ratio overflows; the sum of "
        "the two is one logarithm.",
        source="algebra",
        witness=Witness(point={"x": 1e-9, "y": 1.0}, fault=Fault.GRADIENT, wrt="x"),
        domain={"x": "(0, 10)", "y": "[0, 10)"},
    ),
    Rule(
        name="log-of-reciprocal",
        pattern="log(c/x)",
        condition="c >= 1/8 and c <= 8 and x > 0",
        varying=("x",),
        replacement="log(c) - log(x)",
        why="For small x the slope of the quotient overflows although that of its logarithm "
        "does not.",
        source="measured",
        witness=Witness(point={"c": 3.0, "x": 1e-25}, fault=Fault.GRADIENT, wrt="x"),
        domain={"c": "[0.125, 8]", "x": "(0, 10)"},
    ),
    Rule(
        name="ratio-times-scale",
        pattern="s*(d/s*a + b)",
        condition="s > 0",
        replacement="d*a + s*b",
        why="The ratio may overflow although the scale cancels from the product.",
        source="algebra",
        witness=Witness(point={"s": 1e-20, "d": 1e20, "a": 1.0, "b": 0.0}),
        domain={"s": "(0, 10)"},
    ),
    Rule(
        name="ratio-times-scale",
        pattern="s*(d/s + b)",
        condition="s > 0",
        replacement="d + s*b",
        why="The ratio may overflow although the scale cancels from the product.",
        source="algebra",
        witness=Witness(point={"s": 1e-20, "d": 1e20, "b": 0.0}),
        domain={"s": "(0, 10)"},
    ),
    Rule(
        name="digamma-shifted",
        pattern="digamma(x)",
        condition="x > 0",
        unless="x >= 30",
        let=(
            "head = 1/x + 1/(x + 1) + 1/(x + 2) + 1/(x + 3) + 1/(x + 4) + 1/(x + 5)"
            " + 1/(x + 6) + 1/(x + 7) + 1/(x + 8) + 1/(x + 9)",
            "shifted = x + 10",
            "z = 1/shifted**2",
            "tail = z*(1/12 - z*(1/120 - z*(1/252 - z*(1/240 - z*(1/132"
            " - z*(691/32760 - z/12))))))",
        ),
        replacement="log(shifted) - 1/(2*shifted) - tail - head",
        why="The derivative of torch's `digamma` has 9 digits; that of its series, reached by the "
        "recurrence, has all.",
        source="measured",
        witness=Witness(
            point={"x": 1.37}, fault=Fault.GRADIENT, wrt="x", dtype="float64"
        ),
        domain={"x": "(0, 10)"},
        phase=Phase.EXPAND,
        gradient_only=True,
    ),
    *(
        Rule(
            name="weighted-exp",
            pattern="y*exp(x)",
            condition=condition,
            unless=unless,
            varying=("x", "y"),
            as_written=not outer,
            let=("exponent = where(y == 0 and not isfinite(exp(x)), 0, x)",),
            replacement="y*exp(exponent/2)*exp(exponent/2)",
            why="Where the exponential overflows, a weight of 0 makes it `0 * inf = nan` and a "
            "small weight infinite; the factors of the two halves stay in range.",
            source="measured",
            witness=Witness(point={"x": 100.0, "y": 0.0}),
            domain=domain,
            phase=Phase.EXPAND,
            outer=outer,
        )
        for condition, unless, domain, outer in (
            ("y >= 0", "y > 0 or x <= 80", {"y": "[0, 10)"}, False),
            (None, "y > 0 or y < 0 or where(y == 0, x, 0) <= 80", {}, True),
        )
    ),
)
