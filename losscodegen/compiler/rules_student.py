"""The likelihood of Student's t distribution, whose terms cancel at both ends of its range."""

from losscodegen.compiler.rule import Fault, Rule, Witness
from losscodegen.compiler.rules_logs import _ATANH_SERIES

_STEPS = "*".join(f"(1 + 1/(4*(x + {n})*(x + {n + 1})))" for n in range(10)).replace(
    "(x + 0)", "x"
)
"""The product whose root makes ``sqrt(x + 10)*gamma(x + 10)/gamma(x + 10 + 1/2)`` of that at x."""

_HALF_STEP = (
    "(1/8 - w**2*(1/192 - w**2*(1/640 - w**2*(17/14336 - w**2*(31/18432 - w**2*(691/180224"
    " - w**2*(5461/425984 - w**2*929569/15728640)))))))*w"
)
"""The logarithm of ``sqrt(x)*gamma(x)/gamma(x + 1/2)``, with w = 1/x, for x >= 10."""

RULES = (
    Rule(
        name="student-likelihood",
        pattern="(k + 1)/2*log1p((d/s)**2/k) + log(s) + log(c*k)/2"
        " + lgamma(k/2) - lgamma(k/2 + 1/2)",
        condition="k > 0 and s > 0 and c > 0",
        varying=("k", "s"),
        optional=("c",),
        let=(
            "many = k >= 1",
            "near = abs(d) <= s*sqrt(k)/2",
            "nk = where(near, k, 1)",
            "z = where(near, d, 0)/where(near, s, 1)",
            "v = z**2/nk",
            "h = v/(2 + v)",
            "q = h**2",
            f"ratio = 2/(2 + v)*(1 + q*({_ATANH_SERIES}))",
            "fd = where(near, 1, d)",
            "fs = where(near, 1, s)",
            "fk = where(near, 1, k)",
            "logs = log1p((fd/fs)**2/fk)",
            "whole = where(near, z**2*ratio, fk*logs)/2",
            "spread = where(near, v*ratio/2 + log(s), where(many, logs/2 + log(fs), "
            "log(hypot(fd, fs*sqrt(fk)))))",
            "x = where(many, k/2, 16)",
            "few = where(many, 1, k)",
            "w = 1/(x + 10)",
            f"series = log({_STEPS})/2 + {_HALF_STEP} + log(2*c)/2",
            "gammas = lgamma(few/2) - lgamma(few/2 + 1/2) + log(c)/2",
        ),
        replacement="whole + spread + where(many, series, gammas"
        " + where(near, log(few)/2, 0))",
        why="For few degrees of freedom the logarithms of the scale cancel beyond the centre, where "
        "they are one logarithm of a sum; for many, the powers and the gamma functions cancel up "
        "to series.",
        source="Abramowitz and Stegun, 6.1.40; measured",
        witness=Witness(
            point={"k": 1e-8, "d": 1.25, "s": 0.75, "c": 3.0},
            fault=Fault.GRADIENT,
            wrt="s",
        ),
        domain={"k": "(0, 100)", "s": "(0, 10)", "c": "(0, 10)"},
        safe=True,
        first=True,
    ),
)
