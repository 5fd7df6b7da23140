"""Areas and angles: shares of products, and angles of ratios."""

from losscodegen.compiler.rule import Fault, Phase, Rule, Witness

_SCALED = "The products leave the floating-point range although their ratio does not. The largest factors of \
each side below the line are divided out; they cancel, hence no gradient flows through them."

_LENGTH = "The ratio or its slope leaves the floating-point range although the angle does not. Divided by the \
longer side, which cancels, the sides have a length between 1 and 2, and the angle has a slope."

RULES = (
    Rule(
        name="share-of-products",
        pattern="p*q/(a*b + c*d - p*q + e)",
        optional=("e",),
        condition="e >= 0",
        varying=("p", "q", "a", "b", "c", "d"),
        let=(
            "width = detach(Max(Max(abs(a), abs(c)), sqrt(e)))",
            "height = detach(Max(Max(abs(b), abs(d)), sqrt(e)))",
            "part = (p/width)*(q/height)",
            "whole = (a/width)*(b/height) + (c/width)*(d/height) - part"
            " + (sqrt(e)/width)*(sqrt(e)/height)",
        ),
        replacement="part/whole",
        why=_SCALED,
        source="measured",
        witness=Witness(
            point={
                "p": 1e20,
                "q": 1e19,
                "a": 2e20,
                "b": 1e20,
                "c": 1e20,
                "d": 1e19,
                "e": 1.0,
            }
        ),
        domain={
            "p": "(0, 1)",
            "q": "(0, 1)",
            "a": "[1, oo)",
            "b": "[1, oo)",
            "c": "[1, oo)",
            "d": "[1, oo)",
            "e": "(0, oo)",
        },
        safe=True,
    ),
    Rule(
        name="share-of-products",
        pattern="(a*b - c*d - f*g + p*q)/(a*b + e)",
        optional=("e",),
        condition="e >= 0",
        varying=("p", "q", "a", "b", "c", "d", "f", "g"),
        let=(
            "width = detach(Max(abs(a), sqrt(e)))",
            "height = detach(Max(abs(b), sqrt(e)))",
            "whole = (a/width)*(b/height)",
            "rest = whole - (c/width)*(d/height) - (f/width)*(g/height) + (p/width)*(q/height)",
        ),
        replacement="rest/(whole + (sqrt(e)/width)*(sqrt(e)/height))",
        why=_SCALED,
        source="measured",
        witness=Witness(
            point={
                "a": 4e20,
                "b": 1e20,
                "c": 1e20,
                "d": 1e20,
                "f": 1e20,
                "g": 1e20,
                "p": 1e19,
                "q": 1e19,
                "e": 1.0,
            }
        ),
        domain={"a": "[1, oo)", "b": "[1, oo)", "e": "(0, oo)"},
        safe=True,
    ),
    Rule(
        name="difference-of-angles",
        pattern="atan(x/y) - atan(z/w)",
        condition="y > 0 and w > 0",
        varying=("y", "w"),
        let=(
            "longer = detach(Max(abs(x), y))",
            "other_longer = detach(Max(abs(z), w))",
            "across = (x/longer)*(w/other_longer) - (z/other_longer)*(y/longer)",
            "along = (y/longer)*(w/other_longer) + (x/longer)*(z/other_longer)",
        ),
        replacement="atan2(across, along)",
        why="The ratios or their slopes leave the floating-point range although the angles do "
        "not, and two angles that agree cancel. Their difference is one angle, of sides that "
        "are divided by the longer ones, through which no gradient flows.",
        source="algebra",
        witness=Witness(point={"x": 1.0, "y": 1e-9, "z": 1.0, "w": 2e-9}),
        domain={"y": "(0, 10)", "w": "(0, 10)"},
        safe=True,
    ),
    Rule(
        name="angle-of-ratio",
        pattern="atan(x/y)",
        condition="y > 0",
        varying=("y",),
        calm=("x", "y"),
        let=("longer = detach(Max(abs(x), y))",),
        replacement="atan2(x/longer, y/longer)",
        why=_LENGTH,
        source="algebra",
        witness=Witness(point={"x": 1.0, "y": 1e-25}, fault=Fault.GRADIENT, wrt="y"),
        domain={"y": "(0, 10)"},
        phase=Phase.EXPAND,
        safe=True,
    ),
    Rule(
        name="angle-of-slope",
        pattern="atan(x)",
        unless="abs(x) <= 1000000",
        let=("longer = detach(Max(abs(x), 1))",),
        replacement="atan2(x/longer, 1/longer)",
        why="The derivative `1/(1 + x*x)` is 0 once the square overflows. Divided by the longer "
        "side, which cancels, both sides are at most 1; no gradient flows through the divisor.",
        source="measured",
        witness=Witness(
            point={"z": 1.9e18},
            instead={"x": "10*z"},
            fault=Fault.GRADIENT,
            wrt="z",
        ),
        calm=("x",),
        phase=Phase.EXPAND,
        gradient_only=True,
        safe=True,
    ),
)
