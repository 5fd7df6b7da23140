"""Angles between lines, and lengths in curved spaces."""

from losscodegen.compiler.rule import Rule, Witness

_LINES = "Where two lines nearly agree, the cosine rounds to 1 or beyond, and the angle and its slope are lost. \
The half of it is the angle of a triangle whose sides are the difference and the sum of the directions, one of them \
turned round where they point apart."

_SIDES = (
    "cosine = Sum(normalize(x[i], i)*normalize(y[i], i), i)",
    "side = where(cosine >= 0, 1, -1)",
    "apart = norm(normalize(x[i], i) - side*normalize(y[i], i), i)",
    "together = norm(normalize(x[i], i) + side*normalize(y[i], i), i)",
)

_ANGLE = "where(cosine == 0, pi/2, 2*atan2(apart, where(cosine == 0, 1, together)))"

_SOURCE = "Kahan 2006, How Futile are Mindless Assessments of Roundoff"

_SIZES = (
    "abs(Sum(normalize(x[i], i)*normalize(y[i], i), i))",
    "abs(Sum(x[i]*y[i], i))/(norm(x[i], i)*norm(y[i], i))",
    "abs(Sum(x[i]*y[i], i)/(norm(x[i], i)*norm(y[i], i)))",
)
"""The cosine of the angle between two lines, as it is written."""

RULES = (
    *(
        Rule(
            name="angle-of-lines",
            pattern=f"acos({size})",
            let=_SIDES,
            replacement=_ANGLE,
            why=_LINES,
            source=_SOURCE,
            witness=Witness(point={"x": (1.0, 1e-5), "y": (1.0, 0.0)}),
            safe=True,
        )
        for size in _SIZES
    ),
    # No cosine is beyond 1 but by rounding, hence such a clip takes nothing else away.
    *(
        Rule(
            name="angle-of-lines",
            pattern=f"acos(clip({size}, low, high))",
            condition="low <= 0 and high >= 1",
            let=_SIDES,
            replacement=_ANGLE,
            why=_LINES,
            source=_SOURCE,
            witness=Witness(
                point={"x": (1.0, 1e-5), "y": (1.0, 0.0), "low": 0.0, "high": 1.0}
            ),
            domain={"low": "[-2, 0]", "high": "[1, 2]"},
            safe=True,
        )
        for size in _SIZES
    ),
    Rule(
        name="acosh-near-one",
        pattern="acosh(1 + x)",
        replacement="2*asinh(sqrt(x/2))",
        why="`1 + x` rounds away the digits of a small x, and the slope at 1 is infinite; the root of x "
        "keeps both.",
        source="Abramowitz and Stegun, 4.6.20; Nickel and Kiela 2017, Poincare Embeddings",
        witness=Witness(point={"x": 1e-9}),
        domain={"x": "(0, 100)"},
    ),
)
