"""Clips: where a branch or an exponential is computed that a bound then takes away."""

from losscodegen.compiler.rule import Fault, Rule, Witness

RULES = (
    *(
        Rule(
            name="huber-as-clip",
            pattern=f"where(abs(r) {inside} d, r**2/2, d*(abs(r) - d/2))",
            condition="d > 0",
            let=("c = clip(r, -d, d)",),
            smooth=True,
            replacement="c*(r - c/2)",
            why="With `c = clip(r, -d, d)` both branches are `c (r - c/2)`. Selecting them with "
            "torch.where would also differentiate the branch not taken, where an infinite r gives "
            "`0 * inf = nan`.",
            source="optax, huber_loss",
            witness=Witness(
                point={"r": float("inf"), "d": 1.0}, fault=Fault.GRADIENT, wrt="r"
            ),
            domain={"d": "(0, oo)"},
        )
        for inside in ("<=", "<")
    ),
    *(
        Rule(
            name="smooth-l1-as-clip",
            pattern=f"where(abs(r) {inside} d, r**2/(2*d), abs(r) - d/2)",
            condition="d > 0",
            let=("c = clip(r, -d, d)",),
            smooth=True,
            replacement="c/d*(r - c/2)",
            why="With `c = clip(r, -d, d)` both branches are `c/d (r - c/2)`. Selecting them with "
            "torch.where would also differentiate the branch not taken, where an infinite r gives "
            "`0 * inf = nan`.",
            source="optax, huber_loss",
            witness=Witness(
                point={"r": float("inf"), "d": 1.0}, fault=Fault.GRADIENT, wrt="r"
            ),
            domain={"d": "(0, oo)"},
        )
        for inside in ("<", "<=")
    ),
    Rule(
        name="clipped-ratio",
        pattern="Min(exp(d)*a, exp(clip(d, low, high))*a)",
        condition="high >= low",
        let=("bounded = where(a >= 0, Min(d, high), Max(d, low))",),
        replacement="exp(bounded)*a",
        why="The ratio overflows where it is clipped, and the gradient 0 of the clipped side "
        "times infinity is nan. Clipping its logarithm, on the side that the sign asks for, is "
        "the same function.",
        source="slime#2198",
        witness=Witness(
            point={"d": 100.0, "a": 1.0, "low": -0.2, "high": 0.2},
            fault=Fault.GRADIENT,
            wrt="d",
        ),
        domain={"low": "[-1, 0]", "high": "[0, 1]"},
    ),
    Rule(
        name="clipped-exp",
        pattern="clip(exp(x), low, high)",
        condition="low > 0 and high >= low",
        replacement="exp(clip(x, log(low), log(high)))",
        why="The exponential overflows where it is clipped, and the gradient 0 times infinity "
        "is nan; clipping the exponent is the same function.",
        source="trl#6637",
        witness=Witness(
            point={"x": 100.0, "low": 0.5, "high": 2.0}, fault=Fault.GRADIENT, wrt="x"
        ),
        domain={"low": "[0.1, 0.9]", "high": "[1, 2]"},
    ),
)
