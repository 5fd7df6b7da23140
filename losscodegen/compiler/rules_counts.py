"""Likelihoods of counts: mixtures with extra zeros, and the negative binomial distribution."""

from losscodegen.compiler.rule import Fault, Phase, Purpose, Rule, Witness
from losscodegen.compiler.rules_logs import _ATANH_SERIES

_MIXTURE = (
    "Once a leads, the logarithm of the sum and softplus agree and cancel. Their difference is a "
    "`log1p` of a product that keeps its digits; where that comes close to -1, both terms have the "
    "same sign."
)
_REST = "rest = where(abs(lead) < 1, 1/2 - tanh(lead/2)/2, sigmoid(-lead))"
"""The sigmoid of minus lead, whose second derivative would cancel near 0."""
_SATURATED = (
    "Once the inner exponential overflows, the derivative of the outer function is 0, and 0 times "
    "infinity is nan; there it has its limit."
)

_NEGATIVE_BINOMIAL = (
    "The terms are as large as the counts times their logarithms, and cancel. Taken apart are the "
    "deviance of y from the mean, written with `x - log(1 + x)`, and what is left at the mean, "
    "written with what the formula of Stirling leaves of the gamma functions. For y of "
    "at most 3 the gamma functions leave a few logarithms."
)


def _stirling(z: str) -> str:
    """What Stirling's formula leaves of the logarithm of x!, with z = 1/x, for x >= 12."""
    return (
        f"{z}*(1/12 - {z}**2*(1/360 - {z}**2*(1/1260 - {z}**2*(1/1680 - {z}**2*(1/1188"
        f" - {z}**2*(691/360360 - {z}**2/156))))))"
    )


def _series(q: str) -> str:
    return _ATANH_SERIES.replace("q", q)


_DEVIANCE = (
    "gap = y - m",
    "total = unit + weight*m",
    "share = unit + weight*y",
    "size = detach(total)",
    "ratio = gap/size/(total/size)",
    "t = weight*ratio",
    "move = unit*ratio",
    "whole = where(share >= 1 or m <= 3*share, total, 1)",
    "part = where(share >= 1 or m <= 3*share, share, 1)",
    "bends = log(total/size) - log(share/detach(share))",
    "apart = bends + detach(where(share >= 1 or m <= 3*share, log(whole/part), "
    "log(total) - log(share)))",
    "slow = abs(t) < 1/4",
    "ts = where(slow, t, 0)",
    "ms = where(slow, move, 0)",
    "h = ts/(2 + ts)",
    "hh = h**2",
    f"curved = ms*h - 2*ms/(2 + ts)*hh*({_series('hh')})",
    "n = where(y == 0, 1, y)",
    "v = -move/n",
    "close = abs(gap/total)*unit < n/4",
    "vs = where(close, v, 0)",
    "g = vs/(2 + vs)",
    "gg = g**2",
    f"near = vs*g - 2*g*gg*({_series('gg')})",
    "left = where(v < 0, m, 1)/n",
    "below = v - log(left) + where(v < 0, apart, 0)",
    "above = v - log1p(where(v > 0, v, 0))",
    "away = where(close, near, where(v > 0, above, below))",
)
"""``r*f((y - m)/(r + m)) + y*f(v)`` with ``f(x) = x - log(1 + x)``, both terms of one sign.

Here r is ``unit/weight``, of which one is 1 and the other at most 1.
"""

_AT_MEAN = (
    "z = weight/where(y == 0, 1, share)",
    "ny = where(y >= 12, 1/n, 1/12)",
    "few = where(y >= 12, 1, n)",
    f"own = where(y >= 12, {_stirling('ny')} + log(2*pi*n)/2, "
    "lgamma(1 + few) - few*log(few) + few)",
    "sum_z = where(z <= 1/12, z, 1/12)",
    "sum_x = 1/where(z <= 1/12, 1, z)",
    f"both = where(z <= 1/12, {_stirling('sum_z')}, "
    "lgamma(1 + sum_x) - (sum_x + 1/2)*log(sum_x) + sum_x - log(2*pi)/2)",
)

RULES = (
    Rule(
        name="negative-binomial",
        pattern="lgamma(r + y) - lgamma(r) - lgamma(1 + y) + r*(log(r) - log(r + m))"
        " + y*(log(m) - log(r + m))",
        condition="r > 0 and m > 0 and y >= 0",
        varying=("r", "m"),
        let=(
            "unit = where(r < 1, r, 1)",
            "weight = 1/where(r < 1, 1, r)",
            *_DEVIANCE,
            *_AT_MEAN,
            "rz = 1/where(r >= 12, r, 12)",
            "rx = where(r >= 12, 1, r)",
            f"rate = where(r >= 12, {_stirling('rz')} + log1p(n*rz)/2, "
            "lgamma(1 + rx) - (1 + rx)*log(rx) + rx + log(rx + n)/2 - log(2*pi)/2)",
            "some = where(slow, curved, move + r*apart) + n*away + rate + own - both",
            "first = y <= 3 and y == floor(y)",
            "taken = first and y > 0",
            "low = where(taken, where(m <= r, m, r), 1)",
            "high = where(taken, where(m <= r, r, m), 1)",
            "big = where(r >= 1, r, 1)",
            "tiny = where(r >= 1, 1, r)",
            "second = where(r >= 1, log1p(1/big), log1p(tiny) - log(tiny))",
            "third = where(r >= 1, log1p(2/big), log1p(tiny/2) + log(2) - log(tiny))",
            "steps = where(y > 1, second, 0) + where(y > 2, third - log(3), 0)"
            " - where(y > 1, log(2), 0)",
            "alone = r*(log(r + m) - log(r)) + y*(log1p(low/high) - log(low)) - steps",
        ),
        replacement="-where(first, alone, some)",
        why=_NEGATIVE_BINOMIAL,
        source="Loader, Fast and accurate computation of binomial probabilities",
        witness=Witness(point={"r": 1e9, "m": 2.0, "y": 3.0}),
        domain={"r": "(0, 100)", "m": "(0, 10)", "y": "[0, 10)"},
        safe=True,
    ),
    Rule(
        name="negative-binomial",
        pattern="lgamma(1/a) - lgamma(1/a + y) + lgamma(1 + y) + log1p(a*m)/a"
        " + y*(log1p(a*m) - log(a*m))",
        condition="a > 0 and m > 0 and y >= 0",
        varying=("a", "m"),
        let=(
            "unit = 1/where(a < 1, 1, a)",
            "weight = where(a < 1, a, 1)",
            *_DEVIANCE,
            *_AT_MEAN,
            "rz = where(a <= 1/12, a, 1/12)",
            "ax = where(a <= 1/12, 1, a)",
            f"rate = where(a <= 1/12, {_stirling('rz')} + log1p(n*rz)/2, "
            "lgamma(1 + 1/ax) + (1 + 1/ax)*log(ax) + 1/ax + log(1/ax + n)/2 - log(2*pi)/2)",
            "some = where(slow, curved, move + apart/where(slow, 1, a))"
            " + n*away + rate + own - both",
            "first = y <= 3 and y == floor(y)",
            "taken = first and y > 0",
            "u = where(taken, a*m, 1)",
            "low = where(u <= 1, u, 1)",
            "high = where(u <= 1, 1, u)",
            "logs = where(u <= 1, log1p(low) - log(where(taken, m, 1)), "
            "log1p(1/high) + log(where(taken, a, 1)))",
            "steps = where(y > 1, log1p(a) - log(2), 0) + where(y > 2, log1p(2*a) - log(3), 0)",
            "far = a*m > 10**9",
            "fa = where(far, a, 1)",
            "fm = where(far, m, 1)",
            "alone = where(far, (log(fa) + log(fm) + log1p(1/fa/fm))/fa, log1p(a*m)/a)"
            " + y*logs - steps",
        ),
        replacement="where(first, alone, some)",
        why=_NEGATIVE_BINOMIAL,
        source="Loader, Fast and accurate computation of binomial probabilities",
        witness=Witness(point={"a": 1e-9, "m": 2.0, "y": 3.0}),
        domain={"a": "(0, 10)", "m": "(0, 10)", "y": "[0, 10)"},
        safe=True,
    ),
    Rule(
        name="softplus-into-branches",
        pattern="softplus(a) - where(x == y, logaddexp(a, z), u)",
        replacement="where(x == y, softplus(a) - logaddexp(a, z), softplus(a) - u)",
        why="Where the two are equal, the logarithm of the sum and softplus cancel; side by side "
        "in one branch they can be taken together.",
        source="measured",
        witness=Witness(point={"a": 20.0, "z": -1.0, "u": 0.0, "x": 0.0, "y": 0.0}),
        domain={"x": "[1, 1]", "y": "[1, 1]"},
    ),
    Rule(
        name="softplus-into-branches",
        pattern="softplus(a) + where(x == y, -logaddexp(a, z), u)",
        replacement="where(x == y, softplus(a) - logaddexp(a, z), softplus(a) + u)",
        why="Where the two are equal, the logarithm of the sum and softplus cancel; side by side "
        "in one branch they can be taken together.",
        source="measured",
        witness=Witness(point={"a": 20.0, "z": -1.0, "u": 0.0, "x": 0.0, "y": 0.0}),
        domain={"x": "[1, 1]", "y": "[1, 1]"},
    ),
    Rule(
        name="log-of-mixture",
        pattern="softplus(a) - logaddexp(a, z)",
        condition="z <= 0",
        let=(
            "lead = where(a >= 0 or z >= -log(2), a, 0)",
            _REST,
            "mixed = where(a >= 0 or z >= -log(2), -log1p(rest*expm1(z)), "
            "softplus(a) - logaddexp(a, z))",
        ),
        replacement="mixed",
        why=_MIXTURE,
        source="Stan, log_mix; measured",
        purpose=Purpose.DIGITS,
        witness=Witness(point={"a": 20.0, "z": -1.0}),
        safe=True,
        domain={"z": "(-oo, 0]"},
    ),
    Rule(
        name="log-of-mixture",
        pattern="softplus(a) - logaddexp(a, z)",
        let=(
            "low = where(z <= 0, z, 0)",
            "lead = where(a >= 0 or z >= -log(2), a, 0)",
            _REST,
            "mixed = where(z <= 0 and (a >= 0 or z >= -log(2)), "
            "-log1p(rest*expm1(low)), softplus(a) - logaddexp(a, z))",
        ),
        replacement="mixed",
        why=_MIXTURE,
        source="Stan, log_mix; measured",
        purpose=Purpose.DIGITS,
        witness=Witness(point={"a": 20.0, "z": -1.0}),
        safe=True,
    ),
    Rule(
        name="log-of-share",
        pattern="k*(log(k) - log(k + y))",
        condition="k > 0 and y >= 0",
        varying=("k",),
        let=(
            "top = where(y < k/4, y, 0)",
            "s = top/where(y < k/4, k, 1)",
            "h = s/(2 + s)",
            "u = h**2",
            f"ratio = 2/(2 + s)*(1 + u*({_series('u')}))",
            "part = where(k >= 1 or y <= 3*k, k, 1)",
            "whole = where(k >= 1 or y <= 3*k, k + y, 1)",
            "apart = where(k >= 1 or y <= 3*k, -log(whole/part), log(k) - log(k + y))",
        ),
        replacement="where(y < k/4, -y*ratio, k*apart)",
        why="For large k the two logarithms cancel; the product is a series in `y/k` there.",
        source="measured",
        witness=Witness(point={"k": 1e9, "y": 1.0}),
        domain={"k": "(0, 10)", "y": "[0, 10)"},
        phase=Phase.EXPAND,
        safe=True,
    ),
    Rule(
        name="weighted-logsigmoid",
        pattern="n*logsigmoid(x)",
        condition="n >= 0",
        unless="n <= 1000 or x <= 80",
        varying=("n", "x"),
        let=("far = where(x > 40, x, 40)", "tail = n*exp(-far/2)*exp(-far/2)"),
        replacement="where(x > 40, -tail, n*logsigmoid(x))",
        why="The logarithm underflows, or loses digits below the smallest normal number, although "
        "its product with a large weight does not. There it is an exponential, of which the "
        "weight takes one half after the other.",
        source="measured",
        witness=Witness(point={"n": 1e15, "x": 103.9}),
        domain={"n": "[0, oo)"},
        phase=Phase.EXPAND,
        safe=True,
    ),
    Rule(
        name="saturated-exponential",
        pattern="expm1(-exp(x))",
        unless="x <= 80",
        replacement="where(exp(x) >= oo, -1, "
        "where(exp(x) < 1, expm1(-exp(x)), exp(-exp(x)) - 1))",
        why=_SATURATED,
        source="measured",
        witness=Witness(point={"x": 100.0}, fault=Fault.GRADIENT, wrt="x"),
        phase=Phase.EXPAND,
        gradient_only=True,
    ),
    Rule(
        name="saturated-exponential",
        pattern="exp(-exp(x))",
        unless="x <= 80",
        replacement="where(exp(x) >= oo, 0, exp(-exp(x)))",
        why=_SATURATED,
        source="measured",
        witness=Witness(point={"x": 100.0}, fault=Fault.GRADIENT, wrt="x"),
        phase=Phase.EXPAND,
        gradient_only=True,
    ),
    Rule(
        name="saturated-exponential",
        pattern="logaddexp(a, -exp(x))",
        unless="x <= 80",
        replacement="where(exp(x) >= oo, a, logaddexp(a, -exp(x)))",
        why=_SATURATED,
        source="measured",
        witness=Witness(point={"a": 1.0, "x": 100.0}, fault=Fault.GRADIENT, wrt="x"),
        phase=Phase.EXPAND,
        gradient_only=True,
    ),
)
