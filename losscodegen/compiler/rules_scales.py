"""What is divided by, multiplied with or measured on a scale that may leave the range by itself."""

from losscodegen.compiler.rule import Fault, Phase, Rule, Witness

_SELECTS = "Where the coefficient is 0 so is the product, but `0 * inf` would be nan once the squares overflow. \
Each entry meets the coefficient before it is squared."

RULES = (
    *(
        Rule(
            name="coefficient-of-squares",
            pattern=f"k*{total}(x[i]**2, i, where=m[i])",
            condition="k >= 0",
            unless="k > 0 or k <= 0 or abs(x[i]) <= 1000000",
            varying=("x",),
            replacement=f"{total}((k*x[i])*x[i], i, where=m[i])",
            why=_SELECTS,
            source="measured",
            witness=Witness(point={"k": 0.0, "x": (1e20, 1.0), "m": (1, 1)}),
            domain={"k": "[0, 10)"},
            phase=Phase.EXPAND,
        )
        for total in ("Mean", "Sum")
    ),
    *(
        Rule(
            name="coefficient-of-exponential",
            pattern=pattern,
            condition="k >= 0",
            unless="k > 0",
            steady=("k",),
            replacement=f"where(k > 0, {pattern}, 0)",
            why="Where the coefficient is 0 so is the product, but `0 * inf` would be nan once the "
            "exponential overflows.",
            source="measured",
            witness=Witness(point={"k": 0.0, "x": 100.0, "y": 1.0}),
            domain={"k": "[0, 10)"},
            first=True,
            large=("x",),
        )
        for pattern in ("k*(exp(x) + y)", "k*exp(x)")
    ),
    Rule(
        name="ratio-of-square-sums",
        pattern="(x**2 + y**2)/detach(z**2 + w**2)",
        varying=("z", "w"),
        let=(
            "scale = detach(Max(abs(z), abs(w)))",
            "below = detach((z/scale)**2 + (w/scale)**2)",
        ),
        replacement="((x/scale)**2 + (y/scale)**2)/below",
        why="The squares leave the floating-point range although their ratio does not. Both sides "
        "are divided by the larger length below the line, which cancels.",
        source="measured",
        witness=Witness(point={"x": 1e20, "y": 1e20, "z": 2e20, "w": 1e20}),
        domain={"z": "(0, oo)", "w": "(0, oo)"},
        safe=True,
    ),
    Rule(
        name="relative-difference",
        pattern="abs(x - y)/Max(abs(y), e)",
        condition="e > 0",
        let=(
            "gap = abs(x - y)",
            "far = where(gap > abs(y)/2 and abs(y) > e, y, 1)",
        ),
        replacement="where(gap > abs(y)/2 and abs(y) > e, abs(1 - x/far), gap/Max(abs(y), e))",
        why="The derivative by y is `x/y**2` up to its sign, and cancels where it is put together "
        "from those of the numerator and the denominator. Far from y the ratio of the two is "
        "as good, and has that derivative.",
        source="algebra",
        witness=Witness(
            point={"x": 1.0, "y": 1e9, "e": 1e-8}, fault=Fault.GRADIENT, wrt="y"
        ),
        domain={"e": "(0, 1)"},
        phase=Phase.EXPAND,
        gradient_only=True,
        slopes=("y",),
        safe=True,
    ),
    Rule(
        name="share-of-products",
        pattern="p*q/(a*b + c*d - p*q)",
        varying=("p", "q", "a", "b", "c", "d"),
        let=(
            "width = detach(Max(abs(a), abs(c)))",
            "height = detach(Max(abs(b), abs(d)))",
            "part = (p/width)*(q/height)",
            "whole = (a/width)*(b/height) + (c/width)*(d/height) - part",
        ),
        replacement="part/whole",
        why="The products leave the floating-point range although their ratio does not. The largest "
        "factors of each side below the line are divided out; they cancel, hence no gradient flows "
        "through them.",
        source="measured",
        witness=Witness(
            point={"p": 1e20, "q": 1e19, "a": 2e20, "b": 1e20, "c": 1e20, "d": 1e19}
        ),
        domain={
            "p": "(0, 1)",
            "q": "(0, 1)",
            "a": "[1, oo)",
            "b": "[1, oo)",
            "c": "[1, oo)",
            "d": "[1, oo)",
        },
        safe=True,
    ),
    Rule(
        name="divisor-with-reciprocal",
        pattern="k/(y + a/x)",
        optional=("k",),
        condition="a > 0 and x > 0 and y >= 0",
        varying=("x",),
        steady=("a",),
        unless="x >= a",
        let=("small = where(x < a, x, 0)",),
        replacement="where(x < a, k*small/(a + small*y), k/(y + a/x))",
        why="For small x the slope of its reciprocal overflows although that of the quotient does "
        "not. There both sides of the quotient are multiplied by x.",
        source="algebra",
        witness=Witness(
            point={"k": 1.0, "a": 1.0, "x": 1e-25, "y": 1.0},
            fault=Fault.GRADIENT,
            wrt="x",
        ),
        domain={"a": "(0, 10)", "x": "(0, 10)", "y": "[0, 10)"},
        phase=Phase.EXPAND,
        as_written=True,
    ),
    Rule(
        name="bounded-over-itself",
        pattern="k*Min(x, y)/x",
        optional=("k",),
        condition="x > 0",
        varying=("x",),
        replacement="k*where(x <= y, 1, y/x)",
        why="Up to the bound, numerator and denominator are one number. Their ratio does not change "
        "with it, but the two parts of its derivative would leave their rounding.",
        source="measured",
        witness=Witness(
            point={"k": 0.7, "x": 2.3, "y": 5.0}, fault=Fault.GRADIENT, wrt="x"
        ),
        domain={"x": "(0, oo)", "y": "(0, oo)"},
    ),
    *(
        Rule(
            name="softmax-of-squares",
            pattern=f"softmax(-a*((x[i] - y){over})**2, i, at=t)",
            condition="a >= 0",
            varying=("y",),
            let=(
                "nearest = amin(abs(x[i] - y), i)",
                "anchor = detach(amax(x[i], i, where=abs(x[i] - y) <= nearest))",
            ),
            replacement=f"softmax(-a*((x[i] - anchor){over}*((x[i] - y + (anchor - y)){over})), "
            "i, at=t)",
            why="The squares overflow although the probabilities exist, and far from all x they "
            "are rounded to one number. Less the smallest of them, which softmax takes out "
            "anyway, they are products of differences. No gradient flows through the entry that "
            "is taken out.",
            source="algebra",
            witness=Witness(
                point={"a": 0.5, "x": (0.0, 1.0), "y": 1e20, "t": 1, **scale}
            ),
            domain={"a": "(0, 1)", **dict.fromkeys(scale, "(1, 10)")},
        )
        for over, scale in (("", {}), ("/s", {"s": 2.0}))
    ),
)
