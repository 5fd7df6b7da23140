"""Logarithms of a square and a scale that is added to it, as in likelihoods with heavy tails."""

from losscodegen.compiler.rule import Fault, Phase, Rule, Witness

RULES = (
    *(
        Rule(
            name="log-ratio-of-sum",
            pattern=f"(k + n)*log(a*x**2 + {pattern}) - k*log({pattern})",
            condition="a > 0 and c > 0",
            varying=("a",),
            let=(f"u = x/({root})",),
            replacement=f"n*log(a*x**2 + {pattern}) + k*log1p(u**2)",
            why="For large k the two logarithms cancel; what the square adds is left as a "
            "`log1p`, of a ratio that levels off for large a without two slopes that cancel.",
            source="measured",
            witness=Witness(
                point={"a": 1e6, "x": 1.0, "c": 1.0, "k": 1e18, "n": 0.5},
                fault=Fault.GRADIENT,
                wrt="a",
            ),
            domain={"a": "(0, 10)", "c": "(0, 10)", "k": "(0, 10)", "n": "(0, 10)"},
            bent=True,
        )
        for pattern, root in (
            ("2*c*(1 + a)", "sqrt(2)*sqrt(c)*hypot(1, 1/sqrt(a))"),
            ("c*(1 + a)", "sqrt(c)*hypot(1, 1/sqrt(a))"),
        )
    ),
    Rule(
        name="log-ratio-of-sum",
        pattern="(a + c)*log(p + q) - a*log(q)",
        condition="p >= 0 and q > 0",
        replacement="c*log(p + q) + a*log1p(p/q)",
        why="For large a the two logarithms cancel; what p adds to q is left as a `log1p`.",
        source="measured",
        witness=Witness(point={"a": 1e9, "c": 0.5, "p": 1e-9, "q": 3.0}),
        domain={"p": "[0, 10)", "q": "(0, 10)", "a": "(0, 10)", "c": "(0, 10)"},
    ),
    *(
        Rule(
            name="log-less-log",
            pattern=f"log(a*x**2 + {pattern}) - log(a)",
            condition="a > 0 and c > 0",
            varying=("a",),
            let=(
                f"scale = {root}",
                "leads = abs(x) > scale",
                "top = where(leads, x, 1)",
                "ac = where(leads, a, 1)",
                "cc = where(leads, c, 1)",
                f"rest = {factor}cc/top*((1 + 1/ac)/top)",
                "below = where(leads, 0, x)",
            ),
            replacement="2*where(leads, log(abs(top)) + log1p(rest)/2, log(hypot(below, scale)))",
            why="Where the square leads, the slopes by a of the two logarithms cancel. Divided by "
            "a, the sum falls with a. The root keeps it in range; its own second derivative would "
            "cancel beside a large square, of which a `log1p` is taken.",
            source="measured",
            witness=Witness(
                point={"a": 3.0, "x": 30.0, "c": 1e-20}, fault=Fault.GRADIENT, wrt="a"
            ),
            domain={"a": "(0, 10)", "c": "(0, 10)"},
            bent=True,
            safe=True,
        )
        for factor, pattern, root in (
            ("2*", "2*c*(1 + a)", "sqrt(2)*sqrt(c)*hypot(1, 1/sqrt(a))"),
            ("", "c*(1 + a)", "sqrt(c)*hypot(1, 1/sqrt(a))"),
        )
    ),
    Rule(
        name="log-of-square-sum",
        pattern="log(a*x**2 + c)",
        condition="a > 0 and c > 0",
        varying=("x", "c"),
        optional=("a",),
        replacement="2*log(hypot(sqrt(a)*x, sqrt(c)))",
        phase=Phase.EXPAND,
        why="The square overflows although its logarithm does not.",
        source="measured",
        witness=Witness(point={"a": 1.0, "x": 1e20, "c": 1.0}),
        domain={"a": "(0, 10)", "c": "(0, 10)"},
    ),
)
