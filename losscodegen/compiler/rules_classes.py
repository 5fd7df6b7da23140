"""Differences and powers of class probabilities, gates of probability ratios, and the farther of two values."""

from losscodegen.compiler.rule import Fault, Phase, Purpose, Rule, Witness

RULES = (
    Rule(
        name="difference-of-log-probabilities",
        pattern="log_softmax(x[i], i, at=s) - log_softmax(x[i], i, at=t)",
        replacement="x[s] - x[t]",
        why="Two log-probabilities of one row differ by as much as their logits; the logarithm of the sum, "
        "beside which small logits are rounded away, is in both.",
        source="by definition",
        purpose=Purpose.DIGITS,
        witness=Witness(point={"x": (1e-30, 3e-30), "s": 0, "t": 1}),
        first=True,
    ),
    Rule(
        name="softmax-power",
        pattern="1 - softmax(x[i], i, at=t)**p",
        replacement="-expm1(p*log_softmax(x[i], i, at=t))",
        why="A confident probability rounds to 1 and a hopeless one to 0, whose power has no "
        "finite slope; in log space the complement of the power keeps its digits and its gradient.",
        source="measured",
        witness=Witness(point={"x": (20.0, 0.0, 1.0), "t": 0, "p": 0.5}),
        domain={"p": "(0, 4]"},
    ),
    Rule(
        name="softmax-power",
        pattern="softmax(x[i], i, at=t)**p",
        replacement="exp(p*log_softmax(x[i], i, at=t))",
        why="A probability underflows to 0 although its power does not.",
        source="measured",
        witness=Witness(point={"x": (-200.0, 0.0, 1.0), "t": 0, "p": 0.1}),
        domain={"p": "(0, 4]"},
    ),
    Rule(
        name="mean-from-the-lead",
        pattern="Sum(softmax(y[i], i)*z[i], i)",
        varying=("z",),
        slopes=("y",),
        as_written=True,
        let=(
            "largest = detach(amax(y[i], i))",
            "leads[i] = where(y[i] == largest, 1, 0)",
            "lead = detach(Sum(leads[i]*z[i], i)/Sum(leads[i], i))",
            "origin = where(isfinite(lead), lead, 0)",
        ),
        replacement="origin + Sum(softmax(y[i], i)*(z[i] - origin), i)",
        why="Once one probability is nearly 1, what they average differs from that mean by less "
        "than it is rounded, and that difference is the derivative of the largest logit. "
        "Probabilities add up to 1, so that the origin cancels, and no gradient flows through "
        "it; measured from what belongs to the largest, only what the others add is left.",
        source="measured",
        witness=Witness(
            point={"y": (20.0, 0.0, 1.0), "z": (1.0, 3.0, 2.0)},
            fault=Fault.GRADIENT,
            wrt="y",
        ),
        gradient_only=True,
        safe=True,
    ),
    Rule(
        name="probability-of-the-lead",
        pattern="softmax(x[i], i, at=t)",
        as_written=True,
        let=(
            "p[i] = softmax(x[i], i)",
            "own = softmax(x[i], i, at=t)",
            "rest = Sum(where(p[i] > 1/2, 0, p[i]), i)",
        ),
        replacement="where(own > 1/2, 1 - rest, own)",
        why="The derivative of softmax subtracts from what arrives at each probability the mean of "
        "all, which is what arrives at the largest once that is nearly 1. Written as what the "
        "others leave of 1, it hands to them what it gets, and the mean is of differences.",
        source="measured",
        witness=Witness(
            point={"x": (20.0, 0.0, 1.0), "t": 0},
            fault=Fault.GRADIENT,
            wrt="x",
        ),
        phase=Phase.EXPAND,
        gradient_only=True,
        safe=True,
    ),
    Rule(
        name="clipped-complement",
        pattern="log(1 - relu((1 - m)*sigmoid(x) - m*sigmoid(-x)))",
        condition="m >= 0 and m < 1",
        let=("excess = relu((1 - m)*sigmoid(x) - m*sigmoid(-x))",),
        replacement="where(m == 0, logsigmoid(-x), log1p(-excess))",
        why="With a margin of 0 the probability is not clipped, and once it rounds to 1 the "
        "logarithm of its complement is -inf; `logsigmoid(-x)` is the same function.",
        source="Ridnik et al., asymmetric loss",
        witness=Witness(point={"x": 40.0, "m": 0.0}),
        domain={"m": "[0, 0.9]"},
    ),
    Rule(
        name="saturated-gate",
        pattern="sigmoid(a*expm1(x))",
        condition="a > 0",
        unless="x <= 80",
        let=("bound = log1p(800/a)",),
        replacement="sigmoid(a*expm1(Min(x, bound)))",
        why="Where the exponential overflows, the gate has long been 1, and its gradient 0 times "
        "infinity is nan. Cutting the exponent off where the gate is 1 in every format changes "
        "no value.",
        source="measured",
        witness=Witness(point={"x": 100.0, "a": 1.0}, fault=Fault.GRADIENT, wrt="x"),
        domain={"a": "[0.1, 10]", "x": "(-10, 1000)"},
        safe=True,
        bounded=True,
    ),
    Rule(
        name="farther-square",
        pattern="Max((x - c)**2, (y - c)**2)",
        let=("far = where(sign(x - y)*((x - c) + (y - c)) >= 0, x, y)",),
        replacement="(far - c)**2",
        why="Distances that differ are often equal once they are rounded, and a maximum of two "
        "equal values gives half of the gradient to each. Which of x and y is farther from c "
        "is decided before rounding.",
        source="measured",
        witness=Witness(
            point={"x": 0.25, "y": 0.5, "c": 1e9}, fault=Fault.GRADIENT, wrt="y"
        ),
    ),
)
