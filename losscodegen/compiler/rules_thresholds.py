"""Probabilities between two thresholds, one of which may be missing."""

from losscodegen.compiler.rule import Rule, Witness

RULES = (
    Rule(
        name="log-difference-of-thresholds",
        pattern="log(where(a < b, sigmoid(x), 1) - where(c < d, sigmoid(y), 0))",
        let=(
            "below = where(a < b, logsigmoid(x), 0)",
            "above = where(c < d, logsigmoid(-y), 0)",
            "between = where(a < b, where(c < d, log1mexp(x - y), 0), 0)",
        ),
        replacement="below + above + between",
        why="Both sigmoids round to 1, or to 0, before they are subtracted. Their difference is "
        "`sigmoid(x) sigmoid(-y) (1 - exp(y - x))`; a missing one leaves out its factors.",
        source="Salimans et al. 2017, PixelCNN++; measured",
        witness=Witness(
            point={"a": 0.0, "b": 1.0, "c": 0.0, "d": 1.0, "x": 200.0, "y": 199.0}
        ),
        domain={"x": "(0, 5)", "y": "(-5, 0)"},
    ),
    Rule(
        name="difference-of-partial-sums",
        pattern="Sum(x[i], i, where=i < a) - Sum(x[i], i, where=i < b)",
        condition="a >= b",
        replacement="Sum(x[i], i, where=i < a and i >= b)",
        why="What both sums have in common cancels, and with it the digits that it takes.",
        source="algebra",
        witness=Witness(point={"x": (1e9, 1.0, 0.0), "a": 2.0, "b": 1.0}),
        domain={"a": "[2, 3]", "b": "[0, 2]"},
    ),
    Rule(
        name="log1mexp-of-exponentials",
        pattern="log1mexp(Sum(exp(x[i]), i, where=m[i]))",
        let=("total = logsumexp(x[i], i, where=m[i])",),
        replacement="log1mexp(exp(total))",
        why="The exponentials underflow or overflow although their logarithm does neither.",
        source="GPflow and statsmodels, complementary log-log link; measured",
        witness=Witness(point={"x": (-200.0, -201.0)}),
    ),
)
