"""What leaves the range of the format although the result, or its derivative, does not."""

import math

from losscodegen.compiler.rule import Fault, Phase, Rule, Witness, magnitude
from losscodegen.compiler.rules_overflow import LOG_OVERFLOWS

RULES = (
    *(
        Rule(
            name="angle-out-of-range",
            pattern=f"{function}(x)",
            replacement=f"where(isfinite(x), {function}(x), 0)",
            unless="abs(x) <= 1e9",
            why="The argument overflows. Its rounding alone turns it many times, so that one number "
            "between -1 and 1 is as good as another, but nan is none.",
            source="measured",
            witness=Witness(point={"x": math.inf}, fault=Fault.GRADIENT, wrt="x"),
            phase=Phase.LEVEL,
            outside=True,
            huge=("x",),
        )
        for function in ("sin", "cos")
    ),
    *(
        Rule(
            name="log-term-of-positive",
            pattern=f"xlogy(p, {function}(x))",
            replacement=f"p*{log}",
            why="The argument of the logarithm is positive but underflows. Its logarithm is finite, "
            "so that nothing is special about a factor of 0.",
            source="algebra",
            witness=Witness(point={"p": 2.0, "x": -200.0}),
        )
        for function, log in (
            ("exp", "x"),
            ("softplus", "log(softplus(x))"),
        )
    ),
    *(
        Rule(
            name=name,
            pattern=pattern,
            condition=condition,
            optional=("k",),
            varying=("x",),
            unless="x >= k",
            replacement=f"where(x < k, log(k + {rest}) - log(x), {pattern})",
            why="For small x the slope of the quotient overflows although that of its logarithm "
            "does not.",
            source="measured",
            witness=Witness(
                point={"k": 1.0, "x": 1e-25, "y": 1.0}, fault=Fault.GRADIENT, wrt="x"
            ),
            domain={"k": "(0, 10)", "x": "(0, 10)", "y": "[0, 10)"},
            phase=Phase.EXPAND,
            as_written=True,
            calm=calm,
        )
        for name, pattern, condition, rest, calm in (
            (
                "log1p-of-reciprocal",
                "log1p(k/x)",
                "k > 0 and x > 0",
                "x",
                ("k", "x"),
            ),
            (
                "log-with-reciprocal",
                "log(y + k/x)",
                "k > 0 and x > 0 and y >= 0",
                "x*y",
                ("k", "x", "y"),
            ),
        )
    ),
    *(
        Rule(
            name="logit-out-of-range",
            pattern=f"{function}(x[i], i, at=t)",
            let=(
                "top = detach(amax(x[i], i))",
                "level[i] = where(x[i] >= top, 0, -oo)",
                # Of one class this is infinite or nan.
                "reach = top/(Sum(1, i) - 1)",
            ),
            replacement=f"{function}(where(isfinite(reach), x[i], level[i]), i, at=t)",
            why="Infinite logits would meet as `inf - inf = nan` although the lead is clear; and of a "
            "single class the probability is 1 whatever its logit and the slope of that.",
            source="algebra",
            witness=Witness(
                point={"x": (1.0, math.inf, 2.0)},
                fault=Fault.GRADIENT,
                wrt="x",
                whole=True,
            ),
            phase=Phase.LEVEL,
            huge=("x",),
        )
        for function in ("softmax", "log_softmax")
    ),
    Rule(
        name="direction-out-of-range",
        pattern="normalize(x[i], i, at=t)",
        let=(
            "top = detach(amax(abs(x[i]), i))",
            f"size[i] = {magnitude('abs(x[i])')}",
            "longest = amax(size[i], i)",
            "ratio[i] = detach(sign(x[i]))*exp(size[i] - longest)",
        ),
        replacement="normalize(where(isfinite(top), x[i], ratio[i]), i, at=t)",
        why="An entry overflows although the direction does not; it is that of the entries over the "
        "largest of them, by their logarithms.",
        source="algebra",
        witness=Witness(point={"x": (1.0, 1e20, 2.0), "t": 1}),
        phase=Phase.LEVEL,
        huge=("x",),
    ),
    *(
        Rule(
            name=name,
            pattern="logsumexp(x[i], i, where=m[i])",
            let=("top = amax(x[i], i, where=m[i])",),
            replacement="where(isfinite(detach(top)), logsumexp(x[i], i, where=m[i]), top)",
            why="The largest term overflows and is the whole result; beside it the others, and the "
            "slope of the sum, would be `inf - inf = nan`.",
            source="algebra",
            witness=witness,
            phase=Phase.LEVEL,
            outside=True,
            cubic=cubic,
            huge=huge,
            grown=True,
            nested=nested,
        )
        for name, cubic, huge, nested, witness in (
            (
                "inner-sum-out-of-range",
                (),
                ("x",),
                True,
                Witness(point={"x": (1.0, 1e20, 2.0)}, within="log1p(x**2)"),
            ),
            (
                "sum-out-of-range",
                ("x",),
                (),
                False,
                Witness(
                    point={"x": (1.0, math.inf, 2.0)}, fault=Fault.GRADIENT, wrt="x"
                ),
            ),
        )
    ),
    Rule(
        name="log-of-reciprocal-sum",
        pattern="log(1/(1 + x))",
        condition="x >= 0",
        replacement="-log1p(x)",
        why="`1 + x` rounds away the digits of a small x.",
        source="algebra",
        witness=Witness(point={"x": 1e-8}),
        domain={"x": "[0, 10)"},
    ),
    Rule(
        name="log-cosh-less-size",
        pattern="abs(x) - log(cosh(x))",
        replacement="log(2) - log1p(exp(-2*abs(x)))",
        first=True,
        why="For large x the two terms cancel to `log(2)`.",
        source="algebra",
        witness=Witness(point={"x": 1e9}),
    ),
    Rule(
        name="log-cosh-beside-argument",
        pattern="x + log(cosh(x))",
        replacement="where(x < -1, softplus(2*x) - log(2), x + log(cosh(x)))",
        first=True,
        why="For large negative x the two terms cancel to `-log(2)`.",
        source="algebra",
        witness=Witness(point={"x": -1e9}),
        unless="x >= -1",
    ),
    Rule(
        name="log-cosh-beside-argument",
        pattern="x - log(cosh(x - y))",
        replacement="where(abs(x - y) > 1,"
        " where(x > y, y, x - (y - x)) - (softplus(-2*abs(x - y)) - log(2)),"
        " x - log(cosh(x - y)))",
        first=True,
        why="Far above y the logarithm is nearly `x - y`, and x cancels.",
        source="algebra",
        witness=Witness(point={"x": 1e9, "y": 0.75}),
    ),
    Rule(
        name="pseudo-huber-beside-argument",
        pattern="x + sqrt(1 + x**2) - 1",
        replacement="where(x < -1, 1/(sqrt(1 + x**2) - x) - 1, x + (sqrt(1 + x**2) - 1))",
        first=True,
        why="For large negative x the root and x cancel to 0.",
        source="algebra",
        witness=Witness(point={"x": -1e7}, dtype="float64"),
        unless="x >= -1",
    ),
    Rule(
        name="log-out-of-range",
        pattern="log(x)",
        condition="x >= 0",
        replacement=f"where(x <= 1e9, log(x), {magnitude('x')})",
        unless="x <= 1e9",
        why=LOG_OVERFLOWS,
        source="measured",
        witness=Witness(point={"x": 1e20}, instead={"x": "x*x**2"}),
        domain={"x": "(0, oo)"},
        phase=Phase.OVERFLOW,
        outside=True,
        huge=("x",),
    ),
    Rule(
        name="log-term-out-of-range",
        pattern="xlogy(p, x)",
        condition="x >= 0",
        replacement=f"where(x <= 1e9, xlogy(p, x), p*{magnitude('x')})",
        unless="x <= 1e9",
        why=LOG_OVERFLOWS,
        source="measured",
        witness=Witness(point={"p": 2.0, "x": 1e20}, instead={"x": "x*x**2"}),
        domain={"x": "(0, oo)"},
        phase=Phase.OVERFLOW,
        outside=True,
        huge=("x",),
    ),
)
