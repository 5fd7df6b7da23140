"""Logarithms, exponentials and what cancels between them."""

from losscodegen.compiler.rule import Fault, Phase, Purpose, Rule, Witness

_SINH_SERIES = (
    "d**3/6*(1 + d**2/20*(1 + d**2/42*(1 + d**2/72*(1 + d**2/110*(1 + d**2/156*(1 + d**2/210"
    "*(1 + d**2/272)))))))"
)
"""sinh(d) - d for |d| < 1, to the last digit of float64."""

_ATANH_SERIES = (
    "1/3 + q*(1/5 + q*(1/7 + q*(1/9 + q*(1/11 + q*(1/13 + q*(1/15 + q*(1/17 + q*(1/19 + q/21)))))"
    ")))"
)
"""(atanh(r) - r)/r**3 with q = r**2 for |r| <= 1/7, to the last digit of float64."""


def atanh_series(last: int) -> str:
    """``(atanh(r) - r)/r**3`` with u = r**2, up to the term with ``1/last``."""
    text = f"u/{last}"
    for k in range(last - 2, 3, -2):
        text = f"u*(1/{k} + {text})"
    return f"1/3 + {text}"


LONG_ATANH_SERIES = atanh_series(35)
"""(atanh(r) - r)/r**3 with u = r**2 for |r| <= 1/3, to the last digit of float64 in the slope."""

RULES = (
    Rule(
        name="exp-minus-tangent",
        pattern="exp(x) - x - 1",
        let=("d = where(abs(x) < 1, x, 0)", f"odd = {_SINH_SERIES}"),
        replacement="where(abs(x) < 1, 2*sinh(d/2)**2 + odd, exp(x) - x - 1)",
        why="Near 0 the terms cancel to `x**2/2`. There `cosh(x) - 1` and the series of "
        "`sinh(x) - x` are added instead, which are both small by themselves.",
        source="trl#3015; measured",
        purpose=Purpose.DIGITS,
        witness=Witness(point={"x": 1e-4}),
        balanced=True,
    ),
    Rule(
        name="expm1",
        pattern="exp(x) - 1",
        replacement="expm1(x)",
        unless="abs(x) >= 1",
        why="Near 0 the difference loses all digits that `exp(x)` rounds away beside 1.",
        source="Kahan",
        witness=Witness(point={"x": 1e-8}),
    ),
    Rule(
        name="log1mexp",
        pattern="log(1 - exp(x))",
        replacement="log1mexp(-x)",
        condition="x <= 0",
        why="Neither `1 - exp(x)` nor `expm1(x)` alone keeps the digits of both ends.",
        source="Maechler, Accurately computing log(1 - exp(-|a|))",
        witness=Witness(point={"x": -20.0}),
        domain={"x": "(-30, 0)"},
    ),
    Rule(
        name="log1mexp",
        pattern="log1p(-exp(x))",
        replacement="log1mexp(-x)",
        condition="x <= 0",
        why="Near 0 `exp(x)` rounds to 1 and the logarithm is -inf.",
        source="trl#2564",
        witness=Witness(point={"x": -1e-9}),
        domain={"x": "(-30, 0)"},
    ),
    Rule(
        name="log1mexp",
        pattern="log(-expm1(x))",
        replacement="log1mexp(-x)",
        condition="x <= 0",
        why="For large arguments `expm1` rounds to -1 and value and gradient are exactly 0.",
        source="Maechler, Accurately computing log(1 - exp(-|a|))",
        witness=Witness(point={"x": -20.0}),
        domain={"x": "(-30, 0)"},
    ),
    Rule(
        name="inverse-softplus",
        pattern="log(expm1(x))",
        replacement="x + log1mexp(x)",
        condition="x >= 0",
        why="`exp(x)` overflows although the result is close to x.",
        source="gpytorch#775",
        witness=Witness(point={"x": 100.0}),
        domain={"x": "(0, 30)"},
    ),
    Rule(
        name="log-sum-exp",
        pattern="log(Sum(exp(x[i]), i, where=m[i]))",
        replacement="logsumexp(x[i], i, where=m[i])",
        why="The exponentials overflow or underflow; logsumexp takes out the largest first.",
        source="pytorch#49724",
        witness=Witness(point={"x": (100.0, 3.0)}),
    ),
    Rule(
        name="weighted-log-sum-exp",
        pattern="log(Sum(w[i]*exp(x[i]), i, where=m[i]))",
        as_written=True,
        let=(
            "largest = detach(amax(x[i], i, where=m[i] and w[i] != 0))",
            "total = Sum(w[i]*exp(x[i] - largest), i, where=m[i])",
        ),
        replacement="log(total) + largest",
        why="The exponentials overflow or underflow. The largest x that has a weight is taken out "
        "first; no gradient flows through it.",
        source="scipy.special.logsumexp with weights b",
        witness=Witness(point={"x": (100.0, 99.0), "w": (1.0, 0.5)}),
        domain={"w": "[0, oo)"},
    ),
    Rule(
        name="log-add-exp",
        pattern="log(exp(x) + Sum(exp(y[i]), i, where=m[i]))",
        let=("total = logsumexp(y[i], i, where=m[i])",),
        replacement="logaddexp(x, total)",
        why="The exponentials overflow or underflow; these functions take out the largest first.",
        source="lightning-bolts#811",
        witness=Witness(point={"x": 1.0, "y": (100.0, 3.0)}),
    ),
    Rule(
        name="log-add-exp",
        pattern="log(exp(x) + exp(y))",
        replacement="logaddexp(x, y)",
        why="The exponentials overflow or underflow; logaddexp takes out the larger first.",
        source="Stan, log_sum_exp",
        witness=Witness(point={"x": 100.0, "y": 3.0}),
    ),
    Rule(
        name="log-add-exp",
        pattern="log(c + exp(x))",
        condition="c > 0",
        unless="x <= 80",
        replacement="logaddexp(x, log(c))",
        why="The exponential overflows although its logarithm does not.",
        source="measured",
        witness=Witness(point={"x": 100.0, "c": 2.0}),
        domain={"c": "(0, oo)"},
    ),
    Rule(
        name="log-add-exp-of-larger",
        pattern="x + softplus(logsumexp(y[i] - x, i, where=m[i]))",
        let=(
            "largest = detach(amax(y[i], i, where=m[i]))",
            "below[i] = y[i] - largest",
            "total = logsumexp(below[i], i, where=m[i]) + largest",
        ),
        replacement="where(x >= total, x + softplus(total - x), total + softplus(x - total))",
        why="Measured from a small x, the others are large, and x is added to them only to cancel. "
        "Measured from the larger, both terms add up.",
        source="Stan, log_sum_exp; measured",
        witness=Witness(point={"x": -1e8, "y": (0.25, 1.0)}),
        balanced=True,
    ),
    Rule(
        name="log-add-exp-shifted",
        pattern="logaddexp(logsumexp(x[i], i, where=m[i]), logsumexp(y[j], j, where=n[j])) - z",
        let=(
            "largest = detach(amax(x[i], i, where=m[i]))",
            "other_largest = detach(amax(y[j], j, where=n[j]))",
            "total = logsumexp(x[i] - largest, i, where=m[i]) + (largest - z)",
            "other_total = logsumexp(y[j] - other_largest, j, where=n[j]) + (other_largest - z)",
        ),
        replacement="logaddexp(total, other_total)",
        why="What is subtracted may be as large as the largest x, and then nothing is left but what "
        "the others add, which a large sum has rounded away. No gradient flows through the offsets.",
        source="measured",
        purpose=Purpose.DIGITS,
        witness=Witness(
            point={"x": (10.0, -90.0, -80.0), "y": (-10.0, -9.0, -8.0), "z": 10.0}
        ),
    ),
    Rule(
        name="log-add-exp-as-margin",
        pattern="logaddexp(x, logsumexp(y[i], i, where=m[i])) - x",
        let=("margin[i] = y[i] - x", "rivals = logsumexp(margin[i], i, where=m[i])"),
        replacement="softplus(rivals)",
        why="Once x leads, the two terms cancel. Measured from x itself nothing is left to cancel.",
        source="pytorch#195680",
        purpose=Purpose.DIGITS,
        witness=Witness(point={"x": 20.0, "y": (0.0, 1.0)}),
    ),
    Rule(
        name="log-add-exp-as-margin",
        pattern="logaddexp(x, y) - x",
        replacement="softplus(y - x)",
        why="Once x leads, the two terms cancel. Measured from x itself nothing is left to cancel.",
        source="pytorch#195680",
        purpose=Purpose.DIGITS,
        witness=Witness(point={"x": 20.0, "y": 0.0}),
    ),
    Rule(
        name="tangent-minus-log1p",
        pattern="x - log(1 + x)",
        let=(
            "d = where(abs(x) < 1/4, x, 0)",
            "r = d/(2 + d)",
            "q = r**2",
            f"odd = 2*r**3*({_ATANH_SERIES})",
        ),
        replacement="where(abs(x) < 1/4, d*r - odd, x - log1p(x))",
        why="Near 0 both terms agree to first order and cancel to `x**2/2`; there a series in "
        "`x/(2 + x)` is summed.",
        source="Loader, Fast and accurate computation of binomial probabilities",
        purpose=Purpose.DIGITS,
        witness=Witness(point={"x": 1e-4}),
        domain={"x": "(-1, 100)"},
        balanced=True,
    ),
    Rule(
        name="tangent-minus-log1p",
        pattern="x - log1p(x)",
        let=(
            "d = where(abs(x) < 1/4, x, 0)",
            "r = d/(2 + d)",
            "q = r**2",
            f"odd = 2*r**3*({_ATANH_SERIES})",
        ),
        replacement="where(abs(x) < 1/4, d*r - odd, x - log1p(x))",
        why="Near 0 both terms agree to first order and cancel to `x**2/2`; there a series in "
        "`x/(2 + x)` is summed.",
        source="Loader, Fast and accurate computation of binomial probabilities",
        purpose=Purpose.DIGITS,
        witness=Witness(point={"x": 1e-6}),
        domain={"x": "(-1, 100)"},
        balanced=True,
    ),
    Rule(
        name="tangent-minus-log",
        pattern="x - log(x) - 1",
        as_written=True,
        let=(
            "d = where(abs(x - 1) < 1/4, x - 1, 0)",
            "r = d/(2 + d)",
            "q = r**2",
            f"odd = 2*r**3*({_ATANH_SERIES})",
        ),
        replacement="where(abs(x - 1) < 1/4, d*r - odd, x - log(x) - 1)",
        why="Near 1 the terms cancel to `(x - 1)**2/2`; there a series in `(x - 1)/(x + 1)` is "
        "summed.",
        source="Loader, Fast and accurate computation of binomial probabilities",
        witness=Witness(point={"x": 1.0001}),
        domain={"x": "(0, 100)"},
        balanced=True,
    ),
    Rule(
        name="log1p",
        pattern="log(1 + x)",
        replacement="log1p(x)",
        why="`1 + x` rounds away the digits of a small x.",
        source="Kahan",
        witness=Witness(point={"x": 1e-8}),
        domain={"x": "(-1, 100)"},
        scalars=True,
    ),
    Rule(
        name="log-cosh",
        pattern="log(cosh(x))",
        let=("size = abs(x)",),
        replacement="where(size < 1, log1p(2*sinh(x/2)**2), size + softplus(-2*size) - log(2))",
        why="`cosh` overflows for large x, and the usual form `|x| + log1p(exp(-2|x|)) - log 2` "
        "has lost value and gradient for small x.",
        source="torchmetrics#3490; measured",
        witness=Witness(point={"x": 100.0}),
        scalars=True,
    ),
    Rule(
        name="exp-power",
        pattern="exp(x)**p",
        replacement="exp(p*x)",
        why="`exp(x)` overflows or underflows although its power does not.",
        source="algebra",
        witness=Witness(point={"x": 100.0, "p": 0.5}),
    ),
    Rule(
        name="log1mexp-branches",
        pattern="log1mexp(x)",
        replacement="where(x < log(2), log(-expm1(-x)), log1p(-exp(-x)))",
        why="Below log 2 `1 - exp(-x)` is computed without cancelling, above it is close to 1.",
        source="Maechler, Accurately computing log(1 - exp(-|a|))",
        witness=Witness(point={"x": 20.0}),
        domain={"x": "(0, 30)"},
        phase=Phase.EXPAND,
    ),
    Rule(
        name="expm1-gradient",
        pattern="expm1(x)",
        replacement="where(abs(x) < 1, expm1(x), exp(x) - 1)",
        unless="x >= -1",
        why="The derivative of torch's `expm1` is computed as `result + 1`, which is 0 below -17; "
        "away from 0 `exp(x) - 1` is as good and its derivative is exact.",
        source="torch derivatives.yaml",
        purpose=Purpose.DIGITS,
        witness=Witness(point={"x": -20.0}, fault=Fault.GRADIENT, wrt="x"),
        phase=Phase.EXPAND,
        gradient_only=True,
        balanced=True,
    ),
    Rule(
        name="sigmoid-tail",
        pattern="sigmoid(x)",
        replacement="exp(logsigmoid(x))",
        unless="x <= 0",
        why="The derivative of torch's `sigmoid` is computed as `y (1 - y)`, which is 0 from 17 on; "
        "that of `logsigmoid` is complete.",
        source="pytorch#195681",
        purpose=Purpose.DIGITS,
        witness=Witness(point={"x": 20.0}, fault=Fault.GRADIENT, wrt="x"),
        phase=Phase.EXPAND,
        gradient_only=True,
    ),
    Rule(
        name="xlogy-at-zero",
        pattern="xlogy(x, x)",
        replacement="where(x == 0, 0, x*log(x))",
        unless="x > 0",
        why="At 0 the backward of `xlogy(x, x)` is `0/0 = nan`.",
        source="pytorch#89558",
        witness=Witness(point={"x": 0.0}, fault=Fault.GRADIENT, wrt="x"),
        domain={"x": "[0, oo)"},
        phase=Phase.EXPAND,
    ),
    Rule(
        name="xlogy-at-zero",
        pattern="xlogy(x, y)",
        replacement="xlogy(x, where(x == 0 and y == 0, 1, y))",
        unless="x > 0 or x < 0 or y > 0",
        why="At (0, 0) the derivative with respect to y is `0/0 = nan`; the value is 0 for any y.",
        source="pytorch#89558",
        witness=Witness(point={"x": 0.0, "y": 0.0}, fault=Fault.GRADIENT, wrt="y"),
        domain={"y": "[0, oo)"},
        phase=Phase.EXPAND,
        gradient_only=True,
        slopes=("y",),
    ),
)
