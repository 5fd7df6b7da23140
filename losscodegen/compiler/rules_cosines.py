"""Cosines of vectors, and the angles between them."""

from losscodegen.compiler.rule import Purpose, Rule, Witness

_OPPOSITE_SIDES = "Once both point the same way, the cosine rounds to 1 and what is missing to 1 is lost; \
half the squared distance of the two directions is the same number. For opposite directions it is \
measured from the other end. Directions that are nearly orthogonal have nothing to lose; there, the slope of \
the distance would be the difference of each from the other."

_ANGLE = "Where two directions nearly agree or oppose each other, the cosine rounds to 1 or beyond, and the angle \
and its slope are lost. The half of it is the angle of a triangle whose sides are the difference and the sum of the \
directions."

_HALVES = (
    "apart = norm(normalize(x[i], i) - normalize(y[i], i), i)",
    "together = norm(normalize(x[i], i) + normalize(y[i], i), i)",
)

_ANGLES = (
    (
        "Sum(normalize(x[i], i)*normalize(y[i], i), i)",
        (*_HALVES, "directed = apart + together > 0"),
        "where(directed, 2*atan2(apart, where(directed, together, 1)), pi/2)",
        f"{_ANGLE} Without a direction the cosine is 0.",
        True,
    ),
    (
        "Sum(x[i]*y[i], i)/(norm(x[i], i)*norm(y[i], i))",
        _HALVES,
        "2*atan2(apart, together)",
        _ANGLE,
        False,
    ),
)
"""Cosines as they are written, the angle and why, and whether it needs no further guard."""

_LENGTHENED = f"{_OPPOSITE_SIDES} What is added to the squared lengths counts as one entry more of each vector, where \
the other has 0."

_ENDS = (
    "cosine = Sum(normalize(x[i], i)*normalize(y[i], i), i)",
    "near = Sum((normalize(x[i], i) - normalize(y[i], i))**2, i)",
    "far = Sum((normalize(x[i], i) + normalize(y[i], i))**2, i)",
)
_LACK = "where(cosine > 1/2, near/2, where(cosine < -1/2, 2 - far/2, 1 - cosine))"
_FROM_THE_NEARER_END = "where(abs(cosine) > 1/2, 1 - side + side*gap/2, 1 - cosine)"

RULES = (
    *(
        Rule(
            name="angle-of-directions",
            pattern=f"acos({cosine})",
            let=lines,
            replacement=angle,
            why=why,
            source="Kahan 2006, How Futile are Mindless Assessments of Roundoff",
            witness=Witness(point={"x": (1.0, 1e-5), "y": (1.0, 0.0)}),
            safe=safe,
        )
        for cosine, lines, angle, why, safe in _ANGLES
    ),
    # No cosine is beyond 1 but by rounding, hence such a clip takes nothing else away.
    *(
        Rule(
            name="angle-of-directions",
            pattern=f"acos(clip({cosine}, low, high))",
            condition="low <= -1 and high >= 1",
            let=lines,
            replacement=angle,
            why=why,
            source="Kahan 2006, How Futile are Mindless Assessments of Roundoff",
            witness=Witness(
                point={"x": (1.0, 1e-5), "y": (1.0, 0.0), "low": -1.0, "high": 1.0}
            ),
            domain={"low": "[-2, -1]", "high": "[1, 2]"},
            safe=safe,
        )
        for cosine, lines, angle, why, safe in _ANGLES
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
        replacement=_FROM_THE_NEARER_END,
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
        let=(*_ENDS,),
        replacement=_LACK,
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
            *_ENDS,
            f"lack = {_LACK}",
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
        replacement="where(long and long_y and abs(cosine) > 1/2, 1 - side + side*gap/2, 1 - cosine)",
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
        replacement=_FROM_THE_NEARER_END,
        sole=True,
        why=_LENGTHENED,
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
        replacement=_FROM_THE_NEARER_END,
        sole=True,
        why=_LENGTHENED,
        source="measured",
        witness=Witness(
            point={"x": (1.0, 1e-5), "y": (1.0, 0.0), "a": 1e-6, "b": 1e-6}
        ),
        domain={"a": "(0, 1)", "b": "(0, 1)"},
        safe=True,
    ),
)
