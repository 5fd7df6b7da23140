"""Roots at 0, and differences of roots."""

from losscodegen.compiler.rule import Fault, Phase, Rule, Witness

_GAP = (
    "gap[i] = where(x[i] == 0 or y[i] == 0, x[i] + y[i], "
    "((x[i] - y[i])/(sqrt(x[i]) + sqrt(y[i])))**2)"
)

_SQUARED = (
    "At 0 the slope of a root is infinite, which times 0 is nan, although the square of the root has "
    "slope 1. There the square is differentiated by itself; what it adds to the value is 0."
)

RULES = (
    Rule(
        name="square-of-roots",
        pattern="x + y - 2*sqrt(x)*sqrt(y)",
        condition="x >= 0 and y >= 0",
        replacement="(sqrt(x) - sqrt(y))**2",
        why="Where x and y are close, the terms cancel; the roots are subtracted before they are "
        "squared.",
        source="algebra",
        witness=Witness(point={"x": 1.0001, "y": 1.0}),
        domain={"x": "(0, 10)", "y": "(0, 10)"},
    ),
    Rule(
        name="distance-of-roots",
        pattern="norm(sqrt(x[i]) - sqrt(y[i]), i)",
        condition="x[i] >= 0 and y[i] >= 0",
        let=(_GAP, "square = Sum(gap[i], i)"),
        replacement="where(square == 0, 0, sqrt(square))",
        why="At 0 the slope of a root is infinite; where one root is 0, the square of the "
        "difference is the other number itself, with slope 1. Elsewhere the roots of numbers that "
        "are close cancel; the difference of the numbers over the sum of the roots does not.",
        source="measured",
        witness=Witness(
            point={"x": (1.0, 0.0), "y": (0.5, 0.0)}, fault=Fault.GRADIENT, wrt="x"
        ),
        domain={"x": "[0, 10)", "y": "[0, 10)"},
    ),
    Rule(
        name="square-with-roots",
        pattern="(r + k*sqrt(x) + l*sqrt(y))**2",
        condition="x >= 0 and y >= 0",
        unless="x > 0 and y > 0",
        varying=("x", "y"),
        optional=("r", "k", "l"),
        let=(
            "root = where(x == 0, 0, sqrt(where(x == 0, 1, x)))",
            "root_y = where(y == 0, 0, sqrt(where(y == 0, 1, y)))",
            "zero = where(x == 0, x, 0)",
            "zero_y = where(y == 0, y, 0)",
        ),
        replacement="(r + k*root + l*root_y)**2 + k*(k*zero) + l*(l*zero_y)",
        why=_SQUARED,
        source="measured",
        witness=Witness(
            point={"r": 0.0, "k": 2.0, "x": 0.0, "l": 0.0, "y": 1.0},
            fault=Fault.GRADIENT,
            wrt="x",
        ),
        domain={"x": "[0, 10)", "y": "[0, 10)"},
        safe=True,
        gradient_only=True,
    ),
    Rule(
        name="square-with-roots",
        pattern="(r + k*sqrt(x) - l*sqrt(y))**2",
        condition="x >= 0 and y >= 0",
        unless="x > 0 and y > 0",
        varying=("x", "y"),
        optional=("r", "k", "l"),
        let=(
            "root = where(x == 0, 0, sqrt(where(x == 0, 1, x)))",
            "root_y = where(y == 0, 0, sqrt(where(y == 0, 1, y)))",
            "zero = where(x == 0, x, 0)",
            "zero_y = where(y == 0, y, 0)",
        ),
        replacement="(r + k*root - l*root_y)**2 + k*(k*zero) + l*(l*zero_y)",
        why=_SQUARED,
        source="measured",
        witness=Witness(
            point={"r": 0.0, "k": 2.0, "x": 0.0, "l": 0.0, "y": 1.0},
            fault=Fault.GRADIENT,
            wrt="x",
        ),
        domain={"x": "[0, 10)", "y": "[0, 10)"},
        safe=True,
        gradient_only=True,
    ),
    Rule(
        name="square-with-roots",
        pattern="(r + k*sqrt(x))**2",
        condition="x >= 0",
        unless="x > 0",
        varying=("x",),
        optional=("k",),
        let=(
            "root = where(x == 0, 0, sqrt(where(x == 0, 1, x)))",
            "zero = where(x == 0, x, 0)",
        ),
        replacement="(r + k*root)**2 + k*(k*zero)",
        why=_SQUARED,
        source="measured",
        witness=Witness(
            point={"r": 0.0, "k": 2.0, "x": 0.0}, fault=Fault.GRADIENT, wrt="x"
        ),
        domain={"x": "[0, 10)"},
        safe=True,
        gradient_only=True,
    ),
    Rule(
        name="root-at-zero",
        pattern="sqrt(x)",
        varying=("x",),
        as_written=True,
        whole=True,
        unless="x > 0",
        replacement="where(x == 0, 0, sqrt(x))",
        why="At 0 the slope of the root is infinite, which times 0 is nan. There the derivative is "
        "taken as 0, which is right for what else the root is multiplied with.",
        source="pytorch#6394; measured",
        witness=Witness(
            point={"x": 0.0, "z": 0.0},
            instead={"x": "abs(z)"},
            fault=Fault.GRADIENT,
            wrt="z",
        ),
        domain={"x": "[0, oo)"},
        phase=Phase.EXPAND,
        gradient_only=True,
    ),
)
