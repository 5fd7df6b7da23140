"""Softmax, cross entropy and norms: what runs over a whole axis."""

from losscodegen.compiler.rule import Entries, Fault, Phase, Purpose, Rule, Witness

_MARGIN = (
    "largest = detach(amax(x[i], i, where=m[i]))",
    "below[i] = x[i] - largest",
    "rivals = logsumexp(below[i], i, where=i != t and m[i]) - (x[t] - largest)",
)
_UNMASKED = (
    "largest = detach(amax(x[i], i))",
    "below[i] = x[i] - largest",
    "rivals = logsumexp(below[i], i, where=i != t) - (x[t] - largest)",
)

_SPLIT: dict[str, Entries] = {
    "x": (1e9, 0.0, 1.0),
    "y": 1e9,
    "k": (1.0, -1.0, 1.0),
    "h": 0.0,
    "z": (0.0, 0.0, 0.0),
    "w": (0.5, 0.5, 0.5),
}
_FAR_OUT: tuple[
    tuple[str, str | None, tuple[str, ...], tuple[str, ...], str, dict[str, Entries]],
    ...,
] = (
    # logits, condition, constants, their parts, the sum less y, witness
    (
        "c + x[i]",
        None,
        ("c",),
        ("large[i] = x[i]",),
        "c + (logsumexp(large[i] - top, i, where=m[i]) + (top - y))",
        {"x": (1e9, 0.0, 1.0), "y": 1e9, "c": 0.5},
    ),
    *(
        (
            f"where(k[i] {below} h, z[i], x[i] + w[i])",
            f"abs(where(k[i] {below} h, z[i], w[i])) <= 1000",
            (),
            (
                f"large[i] = where(k[i] {below} h, 0, x[i])",
                f"small[i] = where(k[i] {below} h, z[i], w[i])",
            ),
            "logsumexp(large[i] - top + small[i], i, where=m[i]) + (top - y)",
            _SPLIT,
        )
        for below in ("<", "<=")
    ),
)

RULES = (
    *(
        Rule(
            name="constant-over-axis",
            pattern=pattern,
            replacement=constant,
            why="It is the same for all inputs; the gradient of what rounding leaves of it is noise.",
            source="definition",
            witness=Witness(
                point={"x": (9997.25, 1.75, 10000.5)}, fault=Fault.GRADIENT, wrt="x"
            ),
        )
        for pattern, constant in (
            ("Sum(softmax(x[i], i), i)", "1"),
            ("Mean(softmax(x[i], i), i)", "1/I"),
            ("logsumexp(log_softmax(x[i], i), i)", "0"),
            (
                "norm(normalize(x[i], i), i)",
                "where(amax(abs(x[i]), i) > 0, 1, 0)",
            ),
        )
    ),
    Rule(
        name="softmax",
        pattern="exp(x[t])/Sum(exp(x[i]), i)",
        replacement="softmax(x[i], i, at=t)",
        why="The exponentials overflow; softmax takes out the largest first.",
        source="pytorch#195684",
        witness=Witness(point={"x": (100.0, 3.0), "t": 0}),
    ),
    Rule(
        name="softmax-of-weights",
        pattern="softmax(x[i] + log(y[i]), i, at=t)",
        condition="y[i] >= 0",
        unless="y[i] > 0",
        let=(
            "logit[i] = x[i] + log(where(y[i] > 0, y[i], 1))",
            "largest = detach(amax(logit[i], i, where=y[i] > 0))",
            "slope[i] = exp(x[i] - largest)",
            "nothing[i] = where(isfinite(slope[i]), y[i]*slope[i], 0)",
            "weight[i] = where(y[i] > 0, exp(logit[i] - largest), nothing[i])",
            "own_logit = x[t] + log(where(y[t] > 0, y[t], 1))",
            "own_slope = exp(x[t] - largest)",
            "own_nothing = where(isfinite(own_slope), y[t]*own_slope, 0)",
            "own_weight = where(y[t] > 0, exp(own_logit - largest), own_nothing)",
        ),
        replacement="own_weight/Sum(weight[i], i)",
        why="At a weight of 0 the slope of its logarithm is infinite, which times a probability of 0 "
        "is nan, although that of the probability is not. There the weight is a factor.",
        source="algebra",
        witness=Witness(
            point={"x": (1.0, 2.0, 0.5), "y": (0.25, 0.0, 0.75), "t": 1},
            fault=Fault.GRADIENT,
            wrt="y",
        ),
        domain={"y": "[0, 10)"},
        safe=True,
    ),
    Rule(
        name="log-softmax",
        pattern="log(softmax(x[i], i, at=t))",
        replacement="log_softmax(x[i], i, at=t)",
        why="The probability underflows to 0 before its logarithm is taken.",
        source="keras#17634",
        witness=Witness(point={"x": (0.0, 200.0), "t": 0}),
    ),
    Rule(
        name="logsumexp-of-shifted",
        pattern="logsumexp(x[i] + y, i)",
        varying=("y",),
        let=("top = detach(amax(x[i], i))",),
        replacement="top + y + logsumexp(x[i] - top, i)",
        why="A large offset rounds away what the others differ by, of which the probabilities "
        "consist, and those no longer add up to 1. They do not depend on it.",
        source="torch FunctionsManual.cpp, logsumexp_backward; measured",
        witness=Witness(
            point={"x": (-1.5, 0.25, 0.5), "y": 33554464.0},
            fault=Fault.GRADIENT,
            wrt="x",
        ),
        phase=Phase.LEVEL,
        gradient_only=True,
        slopes=("y",),
        large=("y",),
    ),
    Rule(
        name="offset-of-rivals",
        pattern="logsumexp(c + x[i], i, where=m[i]) - x[t]",
        replacement="c + (logsumexp(x[i], i, where=m[i]) - x[t])",
        as_written=True,
        why="Added to large x the offset is rounded away, although it is all that is left in the end.",
        source="measured",
        witness=Witness(point={"x": (1e9, 0.0, 1.0), "t": 0, "c": 0.5}),
    ),
    *(
        Rule(
            name="small-part-of-logits",
            pattern=f"logsumexp({logits}, i, where=m[i]) - y",
            condition=condition,
            steady=steady,
            varying=("y",),
            large=("x",),
            let=(*parts, "top = detach(amax(large[i], i, where=m[i]))"),
            replacement=replacement,
            why="Beside large x the rest of the logits is rounded away, although it is all that is "
            "left once the largest of them cancels. The largest is taken out first; no gradient "
            "flows through it.",
            source="measured",
            witness=Witness(point=point),
            domain=dict.fromkeys({*point} & {"z", "w"}, "[-1, 1]"),
        )
        for logits, condition, steady, parts, replacement, point in _FAR_OUT
    ),
    Rule(
        name="cross-entropy-as-margin",
        pattern="logsumexp(x[i], i, where=m[i]) - x[t]",
        condition="m[t]",
        let=_MARGIN,
        replacement="softplus(rivals)",
        why="Once the model is confident, `log sum exp(x)` and `x[t]` cancel, and the loss and "
        "its derivative by `x[t]` round to 0. Measured from `x[t]` itself, the loss is the "
        "softplus of what the rivals add up to, where nothing is left to cancel. The largest x "
        "is taken out for the digits of the rivals; no gradient flows through it.",
        source="pytorch#195678",
        purpose=Purpose.DIGITS,
        witness=Witness(point={"x": (20.0, 0.0, 1.0), "t": 0}),
    ),
    Rule(
        name="log-sum-exp-shifted",
        pattern="logsumexp(x[i], i, where=m[i]) - x[t]",
        as_written=True,
        let=(
            "largest = detach(amax(x[i], i, where=m[i]))",
            "below[i] = x[i] - largest",
            "total = logsumexp(below[i], i, where=m[i])",
        ),
        replacement="total - (x[t] - largest)",
        why="A common offset of all x cancels exactly, without the rounding of a large sum. No "
        "gradient flows through the offset.",
        source="measured",
        witness=Witness(point={"x": (1e6, 1000000.25, 0.0), "t": 0}),
    ),
    Rule(
        name="log-sum-exp-normalised",
        pattern="logsumexp(x[i], i, where=m[i])",
        as_written=True,
        let=(
            "largest = detach(amax(x[i], i, where=m[i]))",
            "below[i] = x[i] - largest",
        ),
        replacement="logsumexp(below[i], i, where=m[i]) + largest",
        why="The backward of `logsumexp` is `exp(x - result)`, whose entries no longer add up to 1 "
        "once a large result is rounded. No gradient flows through the offset.",
        source="measured",
        witness=Witness(point={"x": (1e8, 1e8)}, fault=Fault.GRADIENT, wrt="x"),
        phase=Phase.EXPAND,
        gradient_only=True,
    ),
    Rule(
        name="cross-entropy-as-margin",
        pattern="log_softmax(x[i], i, at=t)",
        let=_UNMASKED,
        replacement="-softplus(rivals)",
        why="Once the model is confident, `log sum exp(x)` and `x[t]` cancel, and the loss and "
        "its derivative by `x[t]` round to 0. Measured from `x[t]` itself, the loss is the "
        "softplus of what the rivals add up to, where nothing is left to cancel. The largest x "
        "is taken out for the digits of the rivals; no gradient flows through it.",
        source="pytorch#195678",
        purpose=Purpose.DIGITS,
        witness=Witness(point={"x": (20.0, 0.0, 1.0), "t": 0}),
    ),
    Rule(
        name="log-softmax",
        pattern="x[t] - logsumexp(x[i], i)",
        replacement="log_softmax(x[i], i, at=t)",
        why="One function for the whole axis, whose derivative is the softmax itself.",
        source="PyTensor, local_logsoftmax",
        witness=Witness(
            point={"x": (1e6, 1000002.5, 0.0), "t": 0}, fault=Fault.GRADIENT, wrt="x"
        ),
    ),
    Rule(
        name="softmax-as-margin",
        pattern="1 - softmax(x[i], i, at=t)",
        let=_UNMASKED,
        replacement="sigmoid(rivals)",
        why="A confident probability rounds to 1; what is missing to 1 is the sigmoid of what "
        "the rivals add up to.",
        source="pytorch#195684",
        purpose=Purpose.DIGITS,
        witness=Witness(point={"x": (20.0, 0.0, 1.0), "t": 0}),
    ),
    Rule(
        name="softmax-residual",
        pattern="softmax(x[i], i, at=k) - delta(k, t)",
        let=(
            *_UNMASKED,
            "leading = amax(x[i], i)",
            "ties = Sum(1, i, where=x[i] == leading)",
            "rest = Sum(exp(x[i] - leading), i, where=x[i] < leading)",
            "lag = where(x[k] < leading or ties > 1, x[k] - leading, 0)",
            "probability = exp(lag - log1p(rest + (ties - 1)))",
        ),
        replacement="where(k == t, -sigmoid(rivals), probability)",
        why="A confident probability rounds to 1; what is missing to 1 is the sigmoid of what "
        "the rivals add up to. Where another class leads, nothing is left of its derivative in that "
        "of `softmax`; alone in the lead, it is no distance from itself, and its gradient is what "
        "the others give.",
        source="pytorch#195684",
        purpose=Purpose.DIGITS,
        witness=Witness(point={"x": (20.0, 0.0, 1.0), "k": 0, "t": 0}),
        safe=True,
    ),
    Rule(
        name="log-softmax-tail",
        pattern="log_softmax(x[i], i, at=t)",
        let=(
            "largest = amax(x[i], i)",
            "below = Sum(exp(x[i] - largest), i, where=x[i] < largest)",
            "ties = Sum(1, i, where=x[i] == largest)",
            "lag = where(x[t] < largest or ties > 1, x[t] - largest, 0)",
            "log_probability = lag - log1p(below + (ties - 1))",
        ),
        replacement="log_probability",
        why="The logarithm of the largest probability is lost where it is taken of a sum that "
        "rounds to 1; `log1p` of what the others add to it keeps its digits. Alone in the lead, a "
        "class is no distance from itself, and its gradient is what the others give.",
        source="pytorch#195680",
        purpose=Purpose.DIGITS,
        witness=Witness(point={"x": (20.0, 0.0, 1.0), "t": 0}),
        phase=Phase.EXPAND,
        safe=True,
    ),
    Rule(
        name="norm",
        pattern="sqrt(Sum(x[i]**2, i, where=m[i]))",
        replacement="norm(x[i], i, where=m[i])",
        why="The squares leave the floating-point range long before the root does, and at 0 the "
        "derivative of the root is infinite.",
        source="pytorch#193006",
        witness=Witness(point={"x": (1e20, 1e20)}),
    ),
    Rule(
        name="norm-scaling",
        pattern="norm(x[i], i, p=2, where=m[i])",
        let=(
            "largest = detach(amax(where(m[i], abs(x[i]), 0), i))",
            "scale = where(largest > 0 and isfinite(largest), largest, 1)",
            "square_sum = Sum((where(m[i], x[i], 0)/scale)**2, i)",
            "root = sqrt(where(largest > 0, square_sum, 1))",
        ),
        replacement="largest*root",
        why="The squares leave the floating-point range long before the norm does, and at 0 the "
        "root has infinite slope. The scale cancels from the result, hence no gradient flows "
        "through it; on rows of zeros the root of 1 gives the subgradient 0.",
        source="pytorch#193006",
        purpose=Purpose.ENDS,
        witness=Witness(point={"x": (1e20, 1e20)}),
        phase=Phase.EXPAND,
        safe=True,
        single=True,
    ),
    Rule(
        name="norm-scaling",
        pattern="norm(x[i], i, p=p, where=m[i])",
        condition="p >= 1",
        unless="p == 1 or p == 2",
        let=(
            "largest = detach(amax(where(m[i], abs(x[i]), 0), i))",
            "scale = where(largest > 0 and isfinite(largest), largest, 1)",
            "power_sum = Sum((where(m[i], abs(x[i]), 0)/scale)**p, i)",
            "root = where(largest > 0, power_sum, 1)**(1/p)",
        ),
        replacement="largest*root",
        why="The powers leave the floating-point range long before the norm does, and at 0 the "
        "root has infinite slope. The scale cancels from the result, hence no gradient flows "
        "through it; on rows of zeros the root of 1 gives the subgradient 0.",
        source="pytorch#43211",
        witness=Witness(point={"x": (1e20, 1e20), "p": 3.0}),
        domain={"p": "[1, 5]"},
        phase=Phase.EXPAND,
        safe=True,
        single=True,
    ),
    Rule(
        name="norm-scaling",
        pattern="norm(x[i], i, p=p, where=m[i])",
        unless="p == 2",
        let=(
            "largest = detach(amax(where(m[i], abs(x[i]), 0), i))",
            "scale = where(largest > 0 and isfinite(largest), largest, 1)",
            "nonzero[i] = where(x[i] == 0, 1, abs(x[i]))",
            "entry[i] = where(x[i] == 0, 0, (nonzero[i]/scale)**p)",
            "power_sum = Sum(where(m[i], entry[i], 0), i)",
            "root = where(largest > 0, power_sum, 1)**(1/p)",
        ),
        replacement="largest*root",
        why="The powers leave the floating-point range long before the norm does; at 0 the root, "
        "and for p < 1 each power, has infinite slope. The scale cancels from the result, hence "
        "no gradient flows through it; entries and rows of zeros get the subgradient 0.",
        source="pytorch#44452",
        witness=Witness(point={"x": (1e20, 1e20), "p": 2.5}),
        domain={"p": "(0, 5]"},
        phase=Phase.EXPAND,
        safe=True,
        single=True,
    ),
)
