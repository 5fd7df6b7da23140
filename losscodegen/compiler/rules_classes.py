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
        name="share-of-surprise",
        pattern="log_softmax(x[i], i, at=t)/Sum(log_softmax(x[i], i), i)",
        let=(
            "largest = amax(x[i], i)",
            "ties = Sum(1, i, where=x[i] == largest)",
            "behind[i] = where(x[i] < largest or ties > 1, largest - x[i], 0)",
            "own_behind = where(x[t] < largest or ties > 1, largest - x[t], 0)",
            "rest = log1p(Sum(exp(x[i] - largest), i, where=x[i] < largest) + (ties - 1))",
            "n = Sum(1, i)",
            "own = own_behind + rest",
            "total = Sum(behind[i], i) + n*rest",
            "others = Sum(behind[i], i, where=i != t) + (n - 1)*rest",
            "lead = Sum(x[t] - x[i], i, where=i != t and (x[i] < largest or ties > 1))",
            "missing = lead + where(ties > 1, own_behind, 0) + rest",
            "usual = (1 - missing/total)/(n - 1)",
            "most = where(2*(n - 1)*own < n*total, usual, 1 - others/total)",
        ),
        replacement="where(2*(n - 1)*own < total, own/total, most)",
        why="What a class has of the sum is nearly all of it, or nearly one part in `n - 1` where "
        "another leads by far, and the derivative is that of the little that is missing: the "
        "quotient would hand on the difference of two that agree. Near 0 it is the quotient, near 1 "
        "it is 1 less what the others have, and between them it is measured from `1/(n - 1)`.",
        source="algebra",
        purpose=Purpose.DIGITS,
        witness=Witness(
            point={"x": (0.5, 40.0), "t": 0}, fault=Fault.GRADIENT, wrt="x"
        ),
        first=True,
        safe=True,
    ),
    Rule(
        name="cumulative-softmax",
        pattern="Sum(softmax(x[i], i) - y[i], i, where=i <= k)",
        let=(
            "p[i] = softmax(x[i], i)",
            "rest[i] = where(p[i] > 1/2, 0, p[i])",
            "past = Sum(where(p[i] > 1/2, 1, 0), i, where=i <= k) > 0",
            "before = Sum(rest[i], i, where=i <= k)",
            "after = Sum(rest[i], i, where=i > k)",
            "other = Sum(y[i], i, where=i <= k)",
        ),
        replacement="where(past, (1 - other) - after, before - other)",
        why="From a class on that leads by far, the probabilities add up to 1 less those still to "
        "come. What is left of 1 keeps its digits, and the derivative by the probability of a class "
        "is a sum over the few that lie between it and the one in the lead, where others would "
        "cancel.",
        source="measured",
        purpose=Purpose.DIGITS,
        witness=Witness(point={"x": (0.0, 20.0, 1.0), "y": (0.0, 1.0, 0.0), "k": 1}),
        first=True,
        safe=True,
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
