"""Products of probabilities, and differences of them, before a logarithm is taken."""

from losscodegen.compiler.rule import Fault, Purpose, Rule, Witness

_UNDERFLOW = (
    "The product underflows or overflows although the sum of logarithms does neither."
)

_NONE = "Once all events are certain, or nearly, their product rounds to 1 and what is missing to 1 is lost. It \
is found from the logarithm of the product, and far out from the sum of the probabilities that one event fails."

_MISSING = (
    "total = Sum(softplus(-x[i]), i, where=m[i])",
    "rare = logsumexp(-x[i], i, where=m[i])",
)

_COMMON = (
    "What both sides have in common cancels, and with it the digits that it takes."
)

RULES = (
    Rule(
        name="product-of-exponentials-of-all",
        pattern="Prod(exp(x[i]), i, where=m[i])",
        replacement="exp(Sum(x[i], i, where=m[i]))",
        why="One exponential may overflow where another underflows; their product is finite.",
        source="algebra",
        witness=Witness(point={"x": (100.0, -100.0)}),
    ),
    Rule(
        name="log-of-product",
        pattern="log(Prod(x[i], i, where=m[i]))",
        condition="x[i] >= 0",
        replacement="Sum(log(x[i]), i, where=m[i])",
        why=_UNDERFLOW,
        source="every implementation of a log-likelihood",
        witness=Witness(point={"x": (1e-30, 1e-30)}),
        domain={"x": "(0, oo)"},
    ),
    Rule(
        name="log-of-product",
        pattern="xlogy(y, Prod(sigmoid(x[i]), i, where=m[i]))",
        replacement="y*Sum(logsigmoid(x[i]), i, where=m[i])",
        why=_UNDERFLOW,
        source="every implementation of a log-likelihood",
        witness=Witness(point={"x": (-100.0, -100.0), "y": 1.0}),
    ),
    Rule(
        name="log-of-product",
        pattern="xlogy(y, Prod(x[i], i, where=m[i]))",
        condition="x[i] >= 0",
        replacement="Sum(xlogy(y, x[i]), i, where=m[i])",
        why=_UNDERFLOW,
        source="every implementation of a log-likelihood",
        witness=Witness(point={"x": (1e-30, 1e-30), "y": 1.0}),
        domain={"x": "(0, oo)"},
    ),
    Rule(
        name="log-of-some-failure",
        pattern="log(1 - Prod(sigmoid(x[i]), i, where=m[i]))",
        let=_MISSING,
        replacement="where(rare < -37, rare, log1mexp(total))",
        why=_NONE,
        source="Maechler, Accurately computing log(1 - exp(-|a|)); measured",
        witness=Witness(point={"x": (20.0, 21.0)}),
    ),
    Rule(
        name="log-of-some-failure",
        pattern="xlogy(y, 1 - Prod(sigmoid(x[i]), i, where=m[i]))",
        let=(*_MISSING, "some = where(y == 0 and rare == -oo, 0, rare)"),
        replacement="y*where(rare < -37, some, log1mexp(total))",
        why=_NONE,
        source="Maechler, Accurately computing log(1 - exp(-|a|)); measured",
        witness=Witness(point={"x": (20.0, 21.0), "y": 1.0}),
    ),
    Rule(
        name="log-difference-of-sigmoids",
        pattern="log(sigmoid(x)*sigmoid(-y) - sigmoid(-x)*sigmoid(y))",
        replacement="logsigmoid(x) + logsigmoid(-y) + log1mexp(x - y)",
        why="Both round to 1, or to 0, before they are subtracted. Their difference is "
        "`sigmoid(x) sigmoid(-y) (1 - exp(y - x))`.",
        source="Salimans et al. 2017, PixelCNN++; measured",
        witness=Witness(point={"x": 200.0, "y": 199.0}),
        domain={"x": "(0, 5)", "y": "(-5, 0)"},
    ),
    Rule(
        name="log1mexp-of-exp",
        pattern="log1mexp(exp(x))",
        unless="x >= -37 and x <= 7",
        replacement="where(x < -37, x, log1mexp(exp(clip(x, -oo, 7))))",
        why="Far below 0 `exp(x)` underflows and the result is x; far above, it overflows and the "
        "result has long been 0.",
        source="GPflow and statsmodels, complementary log-log link; measured",
        witness=Witness(point={"x": -200.0}),
    ),
    Rule(
        name="common-part-cancels",
        pattern="x + r - x",
        replacement="r",
        why=_COMMON,
        source="algebra",
        witness=Witness(point={"x": 1e9, "r": 0.75}),
    ),
    *(
        Rule(
            name="common-part-cancels",
            pattern=pattern,
            replacement=replacement,
            why=_COMMON,
            source="algebra",
            witness=Witness(point={"x": x, "y": 0.1}),
            large=("x",),
        )
        for pattern, replacement, x in (
            ("x - relu(x - y)", "where(x > y, y, x)", 1e9),
            ("x + relu(y - x)", "where(y > x, y, x)", -1e9),
        )
    ),
    Rule(
        name="common-part-cancels",
        pattern="s*(a + x) - s*(b + x)",
        optional=("s",),
        replacement="s*(a - b)",
        why=_COMMON,
        source="algebra",
        witness=Witness(point={"s": 1.0, "x": 1e9, "a": 0.75, "b": -0.5}),
    ),
    Rule(
        name="complement-of-scaled-exp",
        pattern="c - exp(log(c) + x)",
        replacement="c*(1 - exp(x))",
        why="Near 0 the difference loses all digits that the exponential rounds away beside c.",
        source="algebra",
        purpose=Purpose.DIGITS,
        witness=Witness(point={"c": 2.0, "x": -1e-8}),
        domain={"c": "(0, 10)"},
    ),
    Rule(
        name="log-of-scaled-sigmoid",
        pattern="log(c*sigmoid(x))",
        condition="c > 0",
        replacement="log(c) + logsigmoid(x)",
        why="`sigmoid(x)` rounds to 1 or underflows to 0 before the logarithm is taken.",
        source="PyTensor, logsigm_to_softplus",
        witness=Witness(point={"c": 2.0, "x": -200.0}),
        domain={"c": "(0, 10)"},
    ),
    Rule(
        name="exp-from-expm1",
        pattern="1 + expm1(x)",
        replacement="exp(x)",
        why="Far below 0 `expm1(x)` rounds to -1, and the sum has lost its digits.",
        source="algebra",
        witness=Witness(point={"x": -20.0}),
    ),
    Rule(
        name="expm1-over-exp",
        pattern="expm1(x)/exp(x)",
        replacement="-expm1(-x)",
        why="Once `exp(x)` overflows, the quotient is `inf/inf = nan`.",
        source="algebra",
        witness=Witness(point={"x": 100.0}),
    ),
    *(
        Rule(
            name="quotient-of-exponential",
            pattern=f"k/{below}",
            optional=("k",),
            replacement=f"k*exp(-{exponent})",
            why="The exponential underflows although its reciprocal does not, or overflows, and "
            "the derivative of the quotient is `0 * inf`.",
            source="measured",
            witness=Witness(
                point=(
                    {"x": -30.0, "y": -30.0, "k": 3.0}
                    if "y" in below
                    else {"x": -60.0, "k": 3.0}
                ),
                fault=Fault.GRADIENT,
                wrt="x",
            ),
        )
        for below, exponent in (("(exp(x)*exp(y))", "(x + y)"), ("exp(x)", "x"))
    ),
)
