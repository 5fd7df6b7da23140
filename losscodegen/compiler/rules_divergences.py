"""Divergences of two softmax distributions given by their logits, and entropies."""

from losscodegen.compiler.rule import Fault, Purpose, Rule, Witness

_WHY = "Between nearly equal predictions the logarithms cancel to second order. There every term is \
`exp(-u) - 1 + u` with u the difference of the logarithms, which adds to the same sum, is never \
negative, and is summed as `cosh(u) - 1` less the series of `sinh(u) - u`. Elsewhere all is measured \
from the class that leads, where nothing is left of a confident prediction but its rivals."

_SERIES = (
    "s[i] = u[i]**2",
    "tail[i] = 1 + s[i]/72*(1 + s[i]/110*(1 + s[i]/156*(1 + s[i]/210*(1 + s[i]/272))))",
    "odd[i] = u[i]**3/6*(1 + s[i]/20*(1 + s[i]/42*tail[i]))",
    "close = Sum(probability[i]*(2*sinh(u[i]/2)**2 - odd[i]), i)",
)
"""``odd`` is sinh(u) - u for |u| < 1."""

_LET = (
    "largest = amax(x[i], i)",
    "ties = Sum(1, i, where=x[i] == largest)",
    "led[i] = x[i] < largest or ties > 1",
    "opposite = Sum(y[i], i, where=x[i] == largest)/ties",
    "top = detach(amax(y[i], i))",
    "rivals = logsumexp(x[i] - largest, i, where=led[i])",
    "opposing = logsumexp(y[i] - top, i, where=led[i]) - (opposite - top)",
    "total = where(ties > 1, rivals, softplus(rivals))",
    "opposite_total = where(ties > 1, opposing, softplus(opposing))",
    "log_probability[i] = x[i] - largest - total",
    "probability[i] = exp(log_probability[i])",
    "lead[i] = x[i] - y[i] - (largest - opposite)",
    "far = Sum(probability[i]*lead[i], i, where=led[i]) - (total - opposite_total)",
    "near = amax(abs(lead[i]), i) < 1/2",
    "gap[i] = where(near and led[i], lead[i], 0)",
    "change = log1p(-2*Sum(exp(log_probability[i] - gap[i]/2)*sinh(gap[i]/2), i))",
    "u[i] = gap[i] + change",
    *_SERIES,
)
"""``led`` are all classes but the leading one, of which nothing is left over: it is measured from
itself. Where several lead, none is confident, and all are among them. ``change`` is the logarithm
of what one softmax sums up to over that of the other."""

RULES = (
    Rule(
        name="softmax-entropy",
        pattern="Sum(exp(log_softmax(x[i], i))*log_softmax(x[i], i), i)",
        let=(
            "largest = amax(x[i], i)",
            "below[i] = x[i] - largest",
            "near = amin(below[i], i) > -1/2",
            "gap[i] = where(near, below[i], 0)",
            "probability[i] = softmax(gap[i], i)",
            "u[i] = gap[i] - log1p(2*Mean(exp(gap[i]/2)*sinh(gap[i]/2), i))",
            *_SERIES,
            "rest = Sum(exp(below[i]), i, where=x[i] < largest)",
            "moment = Sum(below[i]*exp(below[i]), i, where=x[i] < largest)",
            "ties = Sum(1, i, where=x[i] == largest)",
            "far = moment/(ties + rest) - log1p(rest + (ties - 1))",
        ),
        replacement="where(near, close - log(Sum(1, i)), far)",
        why="The derivative by the logit of a confident prediction is the small difference of "
        "large terms. Summed over the others alone, measured from the largest, no such term "
        "comes up. Between classes that are nearly equal it is small as well: there the entropy is "
        "measured from its maximum, by the divergence from it.",
        source="measured",
        purpose=Purpose.DIGITS,
        witness=Witness(point={"x": (20.0, 0.0, 1.0)}, fault=Fault.GRADIENT, wrt="x"),
        safe=True,
    ),
    Rule(
        name="softmax-divergence",
        pattern="Sum(exp(log_softmax(x[i], i))*(log_softmax(x[i], i) - log_softmax(y[i], i)), i)",
        let=_LET,
        replacement="where(near, close, far)",
        why=_WHY,
        source="Schulman 2020, Approximating KL Divergence; measured",
        purpose=Purpose.DIGITS,
        witness=Witness(point={"x": (1.0, 0.5, 0.0), "y": (1.0001, 0.5, 0.0)}),
        safe=True,
    ),
    Rule(
        name="softmax-divergence",
        pattern="Sum(softmax(x[i], i)*(log_softmax(x[i], i) - log_softmax(y[i], i)), i)",
        let=_LET,
        replacement="where(near, close, far)",
        why=_WHY,
        source="Schulman 2020, Approximating KL Divergence; measured",
        purpose=Purpose.DIGITS,
        witness=Witness(point={"x": (1.0, 0.5, 0.0), "y": (1.0001, 0.5, 0.0)}),
        safe=True,
    ),
)
