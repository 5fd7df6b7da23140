"""Fits and overlaps: cosines, correlations, and ratios of sums whose complement is lost."""

from losscodegen.compiler.rule import Phase, Purpose, Rule, Witness

_OPPOSITE_SIDES = "Once both point the same way, the cosine rounds to 1 and what is missing to 1 is lost; \
half the squared distance of the two directions is the same number. For opposite directions it is \
measured from the other end."

_SCALED = "The squares leave the floating-point range although the ratio does not. The largest length below \
the line is divided out of both sides; it cancels, hence no gradient flows through it."

_LARGEST_ENTRY = (
    "longest = Max(amax(abs(x[i]), i), amax(abs(y[i]), i))",
    "largest = detach(Max(longest, sqrt(c)))",
)

_AS_DISTANCE = "Once the two agree, the quotient rounds to 1; what is missing to 1 is the squared distance \
over the same denominator."

_PRODUCT_OF_SHARES = (
    "Once the two agree, the quotient rounds to 1. What is missing to 1 is the squared \
distance over the same denominator, and of the rest what the other factor is off 1."
)

_RATHER = "Once the two agree, the quotient rounds to 1; what is missing to 1 keeps its digits as a quotient of its own."

_ANGLE = "Where two directions nearly agree or oppose each other, the cosine rounds to 1 or beyond, and the angle \
and its slope are lost. The half of it is the angle of a triangle whose sides are the difference and the sum of the \
directions."

_HALVES = (
    "apart = norm(normalize(x[i], i) - normalize(y[i], i), i)",
    "together = norm(normalize(x[i], i) + normalize(y[i], i), i)",
)

RULES = (
    Rule(
        name="angle-of-directions",
        pattern="acos(Sum(normalize(x[i], i)*normalize(y[i], i), i))",
        let=(*_HALVES, "directed = apart + together > 0"),
        replacement="where(directed, 2*atan2(apart, where(directed, together, 1)), pi/2)",
        why=f"{_ANGLE} Without a direction the cosine is 0.",
        source="Kahan 2006, How Futile are Mindless Assessments of Roundoff",
        witness=Witness(point={"x": (1.0, 1e-5), "y": (1.0, 0.0)}),
        safe=True,
    ),
    Rule(
        name="angle-of-directions",
        pattern="acos(Sum(x[i]*y[i], i)/(norm(x[i], i)*norm(y[i], i)))",
        let=_HALVES,
        replacement="2*atan2(apart, together)",
        why=_ANGLE,
        source="Kahan 2006, How Futile are Mindless Assessments of Roundoff",
        witness=Witness(point={"x": (1.0, 1e-5), "y": (1.0, 0.0)}),
    ),
    Rule(
        name="cosine-of-large-vectors",
        pattern="Sum(x[i]*y[i], i)/(hypot(norm(x[i], i), a)*hypot(norm(y[i], i), b))",
        condition="a > 0 and b > 0",
        let=(
            "u[i] = x[i]/hypot(norm(x[i], i), a)",
            "v[i] = y[i]/hypot(norm(y[i], i), b)",
        ),
        replacement="Sum(u[i]*v[i], i)",
        why="The product of the vectors and that of their lengths overflow although the cosine does "
        "not; each vector is divided by its own length first.",
        source="pytorch#78064",
        purpose=Purpose.ENDS,
        witness=Witness(
            point={"x": (1e20, 2e20), "y": (2e20, 1e20), "a": 1e-6, "b": 1e-6}
        ),
        domain={"a": "(0, 1]", "b": "(0, 1]"},
    ),
    Rule(
        name="cosine-as-distance",
        pattern="1 - Sum(x[i]*y[i], i)/(norm(x[i], i)*norm(y[i], i))",
        let=(
            "cosine = Sum(normalize(x[i], i)*normalize(y[i], i), i)",
            "side = where(cosine >= 0, 1, -1)",
            "gap = Sum((normalize(x[i], i) - side*normalize(y[i], i))**2, i)",
        ),
        replacement="1 - side + side*gap/2",
        sole=True,
        why=_OPPOSITE_SIDES,
        source="pytorch#78064",
        purpose=Purpose.DIGITS,
        witness=Witness(point={"x": (1.0, 1e-5), "y": (1.0, 0.0)}),
        safe=True,
    ),
    Rule(
        name="cosine-as-distance",
        pattern="1 - Sum(normalize(x[i], i)*normalize(y[i], i), i)",
        let=(
            "cosine = Sum(normalize(x[i], i)*normalize(y[i], i), i)",
            "near = Sum((normalize(x[i], i) - normalize(y[i], i))**2, i)",
            "far = Sum((normalize(x[i], i) + normalize(y[i], i))**2, i)",
        ),
        replacement="where(cosine > 1/2, near/2, where(cosine < -1/2, 2 - far/2, 1 - cosine))",
        sole=True,
        why=_OPPOSITE_SIDES,
        source="pytorch#78064",
        purpose=Purpose.DIGITS,
        witness=Witness(point={"x": (1.0, 1e-5), "y": (1.0, 0.0)}),
        safe=True,
    ),
    Rule(
        name="cosine-as-distance",
        pattern="Sum(normalize(x[i], i)*normalize(y[i], i), i) - delta(k, t)",
        let=(
            "cosine = Sum(normalize(x[i], i)*normalize(y[i], i), i)",
            "near = Sum((normalize(x[i], i) - normalize(y[i], i))**2, i)",
            "far = Sum((normalize(x[i], i) + normalize(y[i], i))**2, i)",
            "lack = where(cosine > 1/2, near/2, where(cosine < -1/2, 2 - far/2, 1 - cosine))",
        ),
        replacement="where(k == t, -lack, cosine)",
        sole=True,
        why=_OPPOSITE_SIDES,
        source="measured",
        purpose=Purpose.DIGITS,
        witness=Witness(point={"x": (1.0, 1e-5), "y": (1.0, 0.0), "k": 0, "t": 0}),
        safe=True,
    ),
    Rule(
        name="cosine-as-distance",
        pattern="1 - Sum(x[i]*y[i], i)/(Max(norm(x[i], i), e)*Max(norm(y[i], i), f))",
        condition="e > 0 and f > 0",
        let=(
            "u[i] = normalize(x[i], i)",
            "v[i] = normalize(y[i], i)",
            "long = Sum(x[i]*u[i], i) >= e",
            "long_y = Sum(y[i]*v[i], i) >= f",
            "a[i] = where(long, u[i], x[i]/e)",
            "b[i] = where(long_y, v[i], y[i]/f)",
            "cosine = Sum(a[i]*b[i], i)",
            "side = where(cosine >= 0, 1, -1)",
            "gap = Sum((a[i] - side*b[i])**2, i)",
        ),
        replacement="where(long and long_y, 1 - side + side*gap/2, 1 - cosine)",
        sole=True,
        why=_OPPOSITE_SIDES,
        source="pytorch#78064",
        purpose=Purpose.DIGITS,
        witness=Witness(
            point={"x": (1.0, 1e-5), "y": (1.0, 0.0), "e": 1e-8, "f": 1e-8}
        ),
        domain={"e": "(0, 1)", "f": "(0, 1)"},
        safe=True,
    ),
    Rule(
        name="cosine-as-distance",
        pattern="1 - Sum(x[i]/hypot(norm(x[i], i), a)*(y[i]/hypot(norm(y[i], i), b)), i)",
        condition="a > 0 and b > 0",
        let=(
            "u[i] = x[i]/hypot(norm(x[i], i), a)",
            "v[i] = y[i]/hypot(norm(y[i], i), b)",
            "cosine = Sum(u[i]*v[i], i)",
            "side = where(cosine >= 0, 1, -1)",
            "beside = (a/hypot(norm(x[i], i), a))**2 + (b/hypot(norm(y[i], i), b))**2",
            "gap = Sum((u[i] - side*v[i])**2, i) + beside",
        ),
        replacement="1 - side + side*gap/2",
        sole=True,
        why=f"{_OPPOSITE_SIDES} What is added to the squared lengths counts as one entry more of "
        "each vector, where the other has 0.",
        source="pytorch#78064",
        purpose=Purpose.DIGITS,
        witness=Witness(
            point={"x": (1.0, 1e-5), "y": (1.0, 0.0), "a": 1e-6, "b": 1e-6}
        ),
        domain={"a": "(0, 1)", "b": "(0, 1)"},
        safe=True,
    ),
    Rule(
        name="cosine-as-distance",
        pattern="1 - Mean(x[i]/hypot(sqrt(Mean(x[i]**2, i)), a)*(y[i]/hypot(sqrt(Mean(y[i]**2, i)), b)), i)",
        condition="a > 0 and b > 0",
        let=(
            "length = hypot(sqrt(Mean(x[i]**2, i)), a)",
            "length_y = hypot(sqrt(Mean(y[i]**2, i)), b)",
            "u[i] = x[i]/length",
            "v[i] = y[i]/length_y",
            "cosine = Mean(u[i]*v[i], i)",
            "side = where(cosine >= 0, 1, -1)",
            "gap = Mean((u[i] - side*v[i])**2, i) + (a/length)**2 + (b/length_y)**2",
        ),
        replacement="1 - side + side*gap/2",
        sole=True,
        why=f"{_OPPOSITE_SIDES} What is added to the squared lengths counts as one entry more of "
        "each vector, where the other has 0.",
        source="measured",
        purpose=Purpose.DIGITS,
        witness=Witness(
            point={"x": (1.0, 1e-5), "y": (1.0, 0.0), "a": 1e-6, "b": 1e-6}
        ),
        domain={"a": "(0, 1)", "b": "(0, 1)"},
        safe=True,
    ),
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
        replacement="Sum((x[i] - y[i])**2, i)/(Sum(x[i]**2, i) + Sum(y[i]**2, i) + c)",
        why=_AS_DISTANCE,
        source="measured",
        witness=Witness(point={"x": (1.0, 1.00001), "y": (1.0, 1.0), "c": 0.5}),
        domain={"c": "(0, oo)"},
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
        why=f"{_RATHER} Where little overlaps it is the derivative that would cancel.",
        source="algebra",
        witness=Witness(point={"x": (1e-9, 0.0), "y": (0.0, 0.0), "c": 1.0}),
        domain={"x": "[0, 1]", "y": "[0, 1]", "c": "(0, oo)"},
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
