"""Fits and overlaps: ratios of sums whose complement is lost."""

from losscodegen.compiler.rule import Phase, Rule, Witness

_SCALED = "The squares leave the floating-point range although the ratio does not. The largest length below \
the line is divided out of both sides; it cancels, hence no gradient flows through it."

_LARGEST_ENTRY = (
    "longest = Max(amax(abs(x[i]), i), amax(abs(y[i]), i))",
    "largest = detach(Max(longest, sqrt(c)))",
)

_AS_DISTANCE = "Once the two agree, the quotient rounds to 1; what is missing to 1 is the squared distance \
over the same denominator."

_LITTLE = "Where little overlaps it is the derivative that would cancel."

_PRODUCT_OF_SHARES = (
    "Once the two agree, the quotient rounds to 1. What is missing to 1 is the squared \
distance over the same denominator, and of the rest what the other factor is off 1."
)

_RATHER = "Once the two agree, the quotient rounds to 1; what is missing to 1 keeps its digits as a quotient of its own."

RULES = (
    Rule(
        name="ratio-of-square-sums",
        pattern="Sum(x[i]**2, i)/Sum(y[i]**2, i)",
        let=("ratio = norm(x[i], i)/norm(y[i], i)",),
        replacement="ratio**2",
        why="The squares leave the floating-point range although the ratio of their sums does "
        "not; norms do not.",
        source="measured",
        witness=Witness(point={"x": (1e20, 1.0), "y": (1e20, 3.0)}),
    ),
    Rule(
        name="ratio-of-square-sums",
        pattern="(x**2 + y**2)/(z**2 + w**2 + e)",
        condition="e >= 0",
        let=(
            "largest = detach(Max(Max(abs(z), abs(w)), sqrt(e)))",
            "below = (z/largest)**2 + (w/largest)**2 + (sqrt(e)/largest)**2",
        ),
        replacement="((x/largest)**2 + (y/largest)**2)/below",
        why=_SCALED,
        source="measured",
        witness=Witness(point={"x": 1e20, "y": 1e19, "z": 1e20, "w": 2e20, "e": 1.0}),
        domain={"e": "(0, oo)"},
        safe=True,
    ),
    Rule(
        name="ratio-of-square-sums",
        pattern="z**2/(x**2 + y**2 + c)",
        condition="c >= 0",
        varying=("x", "y"),
        let=(
            "largest = detach(Max(Max(abs(x), abs(y)), sqrt(c)))",
            "below = (x/largest)**2 + (y/largest)**2 + (sqrt(c)/largest)**2",
        ),
        replacement="(z/largest)**2/below",
        why=_SCALED,
        source="measured",
        witness=Witness(point={"x": 1e20, "y": 2e20, "z": 1e20, "c": 1.0}),
        domain={"c": "(0, oo)"},
        safe=True,
    ),
    Rule(
        name="ratio-of-square-sums",
        pattern="x**2/(y**2 + e)",
        condition="e >= 0",
        varying=("x", "y"),
        as_written=True,
        let=("largest = detach(Max(abs(y), sqrt(e)))",),
        replacement="(x/largest)**2/((y/largest)**2 + (sqrt(e)/largest)**2)",
        why=_SCALED,
        source="measured",
        witness=Witness(point={"x": 1e20, "y": 1e20, "e": 1.0}),
        domain={"e": "(0, oo)"},
        safe=True,
    ),
    Rule(
        name="overlap-as-distance",
        pattern="1 - q*(2*x*y + c)/(x**2 + y**2 + c)",
        optional=("c",),
        condition="c >= 0",
        varying=("x", "y"),
        let=(
            "apart = (x - y)**2/(x**2 + y**2 + c)",
            "share = (2*x*y + c)/(x**2 + y**2 + c)",
        ),
        replacement="apart + share*(1 - q)",
        why=_PRODUCT_OF_SHARES,
        source="algebra",
        witness=Witness(point={"x": 1.00001, "y": 1.0, "c": 0.5, "q": 1.0}),
        domain={"c": "(0, oo)"},
    ),
    Rule(
        name="overlap-as-distance",
        pattern="1 - (2*x*y + c)/(x**2 + y**2 + c)",
        optional=("c",),
        condition="c >= 0",
        varying=("x", "y"),
        replacement="(x - y)**2/(x**2 + y**2 + c)",
        why=_AS_DISTANCE,
        source="algebra",
        witness=Witness(point={"x": 1.00001, "y": 1.0, "c": 0.5}),
        domain={"c": "(0, oo)"},
    ),
    Rule(
        name="overlap-as-distance",
        pattern="1 - (2*Mean(x[i]*y[i], i) + c)/(Mean(x[i]**2, i) + Mean(y[i]**2, i) + c)",
        optional=("c",),
        replacement="Mean((x[i] - y[i])**2, i)/(Mean(x[i]**2, i) + Mean(y[i]**2, i) + c)",
        why=_AS_DISTANCE,
        source="measured",
        witness=Witness(point={"x": (1.0, 1.00001), "y": (1.0, 1.0), "c": 0.5}),
        domain={"c": "(0, oo)"},
    ),
    Rule(
        name="share-of-squares",
        pattern="(2*x*y + c)/(x**2 + y**2 + c)",
        optional=("c",),
        condition="c >= 0",
        varying=("x", "y"),
        let=(
            "largest = detach(Max(Max(abs(x), abs(y)), sqrt(c)))",
            "least = (sqrt(c)/largest)**2",
            "below = (x/largest)**2 + (y/largest)**2 + least",
        ),
        replacement="(2*(x/largest)*(y/largest) + least)/below",
        why=_SCALED,
        source="measured",
        witness=Witness(point={"x": 1e20, "y": 2e20, "c": 1.0}),
        domain={"c": "(0, oo)"},
        phase=Phase.EXPAND,
        safe=True,
    ),
    Rule(
        name="share-of-squares",
        pattern="(2*Mean(x[i]*y[i], i) + c)/(Mean(x[i]**2, i) + Mean(y[i]**2, i) + c)",
        optional=("c",),
        condition="c >= 0",
        unless="abs(x[i]) <= 1 and abs(y[i]) <= 1",
        let=(
            *_LARGEST_ENTRY,
            "least = (sqrt(c)/largest)**2",
            "below = Mean((x[i]/largest)**2, i) + Mean((y[i]/largest)**2, i) + least",
        ),
        replacement="(2*Mean((x[i]/largest)*(y[i]/largest), i) + least)/below",
        why=_SCALED,
        source="measured",
        witness=Witness(point={"x": (1e20, 1.0), "y": (2e20, 1.0), "c": 1.0}),
        domain={"c": "(0, oo)"},
        phase=Phase.EXPAND,
        safe=True,
    ),
    Rule(
        name="share-of-squares",
        pattern="Mean(z[i]**2, i)/(Mean(x[i]**2, i) + Mean(y[i]**2, i) + c)",
        optional=("c",),
        condition="c >= 0",
        unless="abs(x[i]) <= 1 and abs(y[i]) <= 1",
        let=(
            *_LARGEST_ENTRY,
            "below = Mean((x[i]/largest)**2, i) + Mean((y[i]/largest)**2, i)"
            " + (sqrt(c)/largest)**2",
        ),
        replacement="Mean((z[i]/largest)**2, i)/below",
        why=_SCALED,
        source="measured",
        witness=Witness(
            point={"x": (1e20, 1.0), "y": (2e20, 1.0), "z": (1e20, 0.0), "c": 1.0}
        ),
        domain={"c": "(0, oo)"},
        phase=Phase.EXPAND,
        safe=True,
    ),
    Rule(
        name="overlap-as-distance",
        pattern="1 - (2*Sum(x[i]*y[i], i) + c)/(Sum(x[i]**2, i) + Sum(y[i]**2, i) + c)",
        optional=("c",),
        let=(
            "whole = Sum(x[i]**2, i) + Sum(y[i]**2, i) + c",
            "share = (2*Sum(x[i]*y[i], i) + c)/whole",
        ),
        replacement="where(share > 1/2, Sum((x[i] - y[i])**2, i)/whole, 1 - share)",
        why=f"{_AS_DISTANCE} {_LITTLE}",
        source="measured",
        witness=Witness(point={"x": (1.0, 1.00001), "y": (1.0, 1.0), "c": 0.5}),
        domain={"c": "(0, oo)"},
        safe=True,
    ),
    Rule(
        name="overlap-as-distance",
        pattern="1 - (2*Sum(x[i]*y[i], i) + c)/(Sum(x[i], i) + Sum(y[i], i) + c)",
        optional=("c",),
        condition="c >= 0 and x[i] >= 0 and x[i] <= 1 and y[i] >= 0 and y[i] <= 1",
        let=(
            "apart = Sum(x[i]*(1 - y[i]) + (1 - x[i])*y[i], i)",
            "shared = 2*Sum(x[i]*y[i], i) + c",
            "whole = Sum(x[i], i) + Sum(y[i], i) + c",
        ),
        replacement="where(apart < shared, apart/whole, 1 - shared/whole)",
        why=f"{_RATHER} {_LITTLE}",
        source="algebra",
        witness=Witness(point={"x": (1e-9, 0.0), "y": (0.0, 0.0), "c": 1.0}),
        domain={"x": "[0, 1]", "y": "[0, 1]", "c": "(0, oo)"},
        safe=True,
    ),
    Rule(
        name="agreement-of-series",
        pattern="1 - 2*Mean((x[i] - Mean(x[i], i))*(y[i] - Mean(y[i], i)), i)"
        "/(Mean((x[i] - Mean(x[i], i))**2, i) + Mean((y[i] - Mean(y[i], i))**2, i)"
        " + (Mean(x[i], i) - Mean(y[i], i))**2)",
        let=(
            "m = Mean(x[i], i)",
            "n = Mean(y[i], i)",
            "larger = Max(amax(abs(x[i] - m), i), amax(abs(y[i] - n), i))",
            "largest = detach(Max(larger, abs(m - n)))",
            "scale = where(largest > 0 and isfinite(largest), largest, 1)",
            "own[i] = (x[i] - m)/scale",
            "other[i] = (y[i] - n)/scale",
            "whole = Mean(own[i]**2, i) + Mean(other[i]**2, i) + ((m - n)/scale)**2",
            "distance = Mean(((x[i] - y[i])/scale)**2, i)",
            "near = 2*distance < whole",
            "product = where(near, distance, 2*Mean(own[i]*other[i], i))/whole",
        ),
        replacement="where(near, product, 1 - product)",
        why="Between series that agree, what is missing to 1 is their distance, of which no digits are "
        "lost; far apart its derivative would cancel. The squares leave the floating-point range "
        "although the quotient does not: the scale cancels, and no gradient flows through it.",
        source="algebra",
        witness=Witness(point={"x": (1.0, 2.0), "y": (1.0000001, 2.0)}),
        safe=True,
    ),
    Rule(
        name="complement-of-share",
        pattern="(1 - (x + c)/(x + c + y))**p",
        optional=("c",),
        let=("rest = y",),
        replacement="(rest/(x + c + rest))**p",
        why="Once the share is nearly the whole, it rounds to 1; what is missing to 1 is the "
        "other share, which keeps its digits.",
        source="measured",
        witness=Witness(point={"x": 1.0, "y": 1e-9, "c": 0.5, "p": 0.75}),
        domain={"x": "(0, oo)", "y": "(0, oo)", "c": "(0, oo)", "p": "(0, 3]"},
    ),
    Rule(
        name="quotient-near-one",
        pattern="1 - (x + c)/(x + c + y)",
        condition="x >= 0 and c >= 0 and y >= 0",
        varying=("x", "y"),
        let=("shared = x + c", "rest = y", "whole = x + c + rest"),
        replacement="where(rest < shared, rest/whole, 1 - shared/whole)",
        why=f"{_RATHER} Where the share is small it is the derivative that would cancel.",
        source="algebra",
        witness=Witness(point={"x": 0.0, "y": 1e-9, "c": 0.5}),
        domain={"x": "(0, oo)", "y": "(0, oo)", "c": "(0, oo)"},
        phase=Phase.EXPAND,
        safe=True,
    ),
)
