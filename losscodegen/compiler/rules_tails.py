"""Tails that underflow before a logarithm is taken, and differences near a minimum."""

from losscodegen.compiler.rule import Fault, Rule, Witness
from losscodegen.compiler.rules_logs import _ATANH_SERIES

_ERFC_SERIES = (
    "1 - t*(1 - 3*t*(1 - 5*t*(1 - 7*t*(1 - 9*t*(1 - 11*t*(1 - 13*t*(1 - 15*t*(1 - 17*t*(1 - 19*t)"
    "))))))))"
)
"""sqrt(pi)*x*exp(x**2)*erfc(x) with t = 1/(2*x**2) for x > 9."""
_FAR = ("z = where(x > 9, x, 10)", "t = 1/(2*z**2)", f"tail = {_ERFC_SERIES}")

_BERNOULLI_SERIES = (
    "1 - d/2 + q/12*(1 - q/60*(1 - q/42*(1 - q/40*(1 - 5*q/198*(1 - 691*q/27300*(1 - 35*q/1382))))"
    "))"
)
"""d/(exp(d) - 1) with q = d**2 for |d| < 1/2, to the last digit of float64."""

_BINARY = "A prediction is certain once its logit is large; then x and `x*y` cancel, in the gradient at \
the latest. This sum has only positive terms."

RULES = (
    Rule(
        name="log-of-scaled-exp",
        pattern="log(y*exp(x))",
        condition="y > 0",
        replacement="x + log(y)",
        why="The exponential overflows or underflows although its logarithm is x.",
        source="algebra",
        witness=Witness(point={"x": -200.0, "y": 2.0}),
        domain={"y": "(0, oo)"},
    ),
    Rule(
        name="log-of-exp",
        pattern="log(exp(x))",
        replacement="x",
        why="The exponential overflows or underflows although its logarithm is x.",
        source="algebra",
        witness=Witness(point={"x": -200.0}),
    ),
    Rule(
        name="log-of-scaled-power",
        pattern="log(y*x**p)",
        condition="x > 0 and y > 0",
        varying=("x",),
        replacement="log(y) + p*log(x)",
        why="The power overflows or underflows although its logarithm does not.",
        source="darts#621",
        witness=Witness(point={"x": 1e-10, "p": 7.0, "y": 2.0}),
        domain={"x": "(0, 10)", "y": "(0, 10)"},
    ),
    Rule(
        name="log-difference-of-exponentials",
        pattern="log(exp(x) - exp(y))",
        replacement="x + log1mexp(x - y)",
        why="The exponentials overflow or underflow, and cancel where they are close.",
        source="PyTensor, logdiffexp_to_log1mexpdiff",
        witness=Witness(point={"x": 100.0, "y": 99.0}),
        domain={"x": "(0, 30)", "y": "(-30, 0)"},
    ),
    Rule(
        name="softmax-of-two",
        pattern="exp(x)/(exp(x) + exp(y))",
        replacement="sigmoid(x - y)",
        why="Once the exponentials overflow, the quotient is `inf/inf = nan`.",
        source="algebra",
        witness=Witness(point={"x": 100.0, "y": 99.0}),
    ),
    Rule(
        name="log-mixture",
        pattern="log(a*exp(x) + b*exp(y))",
        condition="a > 0 and b > 0",
        replacement="logaddexp(x + log(a), y + log(b))",
        why="The exponentials overflow or underflow; logaddexp takes out the larger first.",
        source="Stan, log_mix",
        witness=Witness(point={"x": 100.0, "y": 99.0, "a": 0.3, "b": 0.7}),
        domain={"a": "(0, oo)", "b": "(0, oo)"},
    ),
    Rule(
        name="binary-cross-entropy-split",
        pattern="max(x, 0) - x*y + softplus(-abs(x))",
        condition="y >= 0 and y <= 1",
        replacement="(1 - y)*softplus(x) + y*softplus(-x)",
        why=_BINARY,
        source="pytorch#195677",
        witness=Witness(point={"x": 20.0, "y": 1.0}, fault=Fault.GRADIENT, wrt="x"),
        domain={"y": "[0, 1]"},
    ),
    Rule(
        name="binary-cross-entropy-split",
        pattern="relu(x) - x*y + softplus(-abs(x))",
        condition="y >= 0 and y <= 1",
        replacement="(1 - y)*softplus(x) + y*softplus(-x)",
        why=_BINARY,
        source="pytorch#195677",
        witness=Witness(point={"x": 20.0, "y": 1.0}, fault=Fault.GRADIENT, wrt="x"),
        domain={"y": "[0, 1]"},
    ),
    Rule(
        name="erf-complement",
        pattern="1 - erf(x)",
        replacement="erfc(x)",
        unless="x <= 0",
        why="`erf(x)` rounds to 1 where `erfc(x)` still has all its digits.",
        source="PyTensor, local_one_minus_erf",
        witness=Witness(point={"x": 4.0}),
    ),
    Rule(
        name="erf-complement",
        pattern="1 + erf(x)",
        replacement="erfc(-x)",
        unless="x >= 0",
        why="`erf(x)` rounds to -1 where `erfc(-x)` still has all its digits.",
        source="PyTensor, local_one_plus_erf",
        witness=Witness(point={"x": -4.0}),
    ),
    Rule(
        name="log-erfc",
        pattern="log(erfc(x)/2)",
        unless="x >= -1 and x <= 9",
        let=_FAR,
        replacement="where(x > 9, log(tail) - log(2*sqrt(pi)) - log(z) - z**2, "
        "where(x < -1/2, log1p(-erfc(-x)/2), log(erfc(x)/2)))",
        why="For large x `erfc` underflows, and its asymptotic series has a few terms; for negative "
        "x what is missing to 1 is known by itself.",
        source="Abramowitz and Stegun, 7.1.23",
        witness=Witness(point={"x": 15.0}),
    ),
    Rule(
        name="log-erfc",
        pattern="log(erfc(x))",
        unless="x <= 9",
        let=_FAR,
        replacement="where(x > 9, log(tail) - log(sqrt(pi)) - log(z) - z**2, log(erfc(x)))",
        why="For large x `erfc` underflows, and its asymptotic series has a few terms.",
        source="Abramowitz and Stegun, 7.1.23",
        witness=Witness(point={"x": 15.0}),
    ),
    Rule(
        name="log-of-scaled-erfc",
        pattern="log(y*erfc(x))",
        condition="y > 0",
        replacement="log(2*y) + log(erfc(x)/2)",
        why="In the tail `erfc` underflows before the logarithm is taken.",
        source="scipy.special.log_ndtr",
        witness=Witness(point={"y": 3.0, "x": 15.0}),
        domain={"y": "(0, 10)", "x": "(-5, 20)"},
        unless="x <= 9",
    ),
    Rule(
        name="scaled-erfc",
        pattern="exp(x**2)*erfc(x)",
        unless="x <= 9",
        let=_FAR,
        replacement="where(x > 9, tail/(sqrt(pi)*z), exp(x**2)*erfc(x))",
        why="For large x the one factor overflows and the other underflows; the asymptotic series of "
        "their product has a few terms.",
        source="Abramowitz and Stegun, 7.1.23",
        witness=Witness(point={"x": 30.0}),
        domain={"x": "(-5, 20)"},
    ),
    Rule(
        name="log-minus-digamma",
        pattern="log(x) - digamma(x)",
        condition="x > 0",
        let=(
            "far = where(x > 10, x, 10)",
            "z = 1/far**2",
            "tail = z*(1/12 - z*(1/120 - z*(1/252 - z*(1/240 - z*(1/132"
            " - z*(691/32760 - z/12))))))",
        ),
        replacement="where(x > 10, 1/(2*far) + tail, log(x) - digamma(x))",
        why="For large x the two terms cancel to `1/(2*x)`; the asymptotic series is summed there.",
        source="Abramowitz and Stegun, 6.3.18",
        witness=Witness(point={"x": 1e6}),
        domain={"x": "(0, 100)"},
    ),
    Rule(
        name="variance-by-moments",
        pattern="Mean(x[i]**2, i, where=m[i]) - Mean(x[i], i, where=m[i])**2",
        let=("middle = Mean(x[i], i, where=m[i])",),
        replacement="Mean((x[i] - middle)**2, i, where=m[i])",
        why="Both terms are as large as the mean is squared; the difference may be smaller than "
        "their rounding, and negative.",
        source="ignite#3662",
        witness=Witness(point={"x": (10001.0, 10002.0, 10003.0)}),
    ),
    Rule(
        name="variance-by-moments",
        pattern="Mean(x[i]**2, i, where=m[i]) - k*Mean(x[i], i, where=m[i])**2",
        let=("middle = Mean(x[i], i, where=m[i])",),
        replacement="Mean((x[i] - middle)**2, i, where=m[i]) + (1 - k)*middle**2",
        why="Both terms are as large as the mean is squared; for k near 1 the difference may be "
        "smaller than their rounding. What the entries spread about their mean is added instead.",
        source="algebra",
        witness=Witness(point={"x": (10001.0, 10002.0, 10003.0), "k": 1.0}),
        domain={"k": "[0, 1]"},
    ),
    Rule(
        name="poisson-deviance",
        pattern="xlogy(x, x/y) - x + y",
        condition="y > 0",
        let=(
            "d = where(abs(x - y) < y/4, (x - y)/y, 0)",
            "r = d/(2 + d)",
            "q = r**2",
            f"odd = 2*r**3*({_ATANH_SERIES})",
        ),
        replacement="where(abs(x - y) < y/4, y*(d*r + (1 + d)*odd), xlogy(x, x/y) - x + y)",
        why="Where x is close to y the terms cancel to `(x - y)**2/(2*y)`; there a series in "
        "`(x - y)/(x + y)` is summed.",
        source="Loader, Fast and accurate computation of binomial probabilities",
        witness=Witness(point={"x": 1.0001, "y": 1.0}),
        domain={"x": "[0, 100)", "y": "(0, 100)"},
        balanced=True,
    ),
    Rule(
        name="bernoulli-function",
        pattern="x/expm1(x)",
        let=("d = where(abs(x) < 1/2, x, 0)", "q = d**2"),
        replacement=f"where(abs(x) < 1/2, {_BERNOULLI_SERIES}, "
        "where(x > 0, x*exp(-x)/(1 - exp(-x)), x/expm1(x)))",
        why="Near 0 the two terms of the derivative cancel, and for large x the exponential "
        "overflows; there is a series for the one and its inverse for the other.",
        source="Abramowitz and Stegun, 23.1.1",
        witness=Witness(point={"x": 1e-8}, fault=Fault.GRADIENT, wrt="x"),
    ),
)
