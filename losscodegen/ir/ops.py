"""THE function table: one row per op, everything that is known of it.

The parser's whitelist, the printer, domain and range inference, differentiation, code generation,
the judge's naive evaluator and ``losscodegen functions`` read the same row. Formulas in a row are
in the syntax of spec files with the arguments called ``x``, ``y``, ``z`` in order; a test plays
every column against the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Sort(Enum):
    """What an expression is: a real number or a truth value."""

    REAL = "real"
    BOOL = "bool"


class Group(Enum):
    """The chapter of the language reference an op belongs to."""

    ARITHMETIC = "arithmetic"
    COMPARISON = "comparison"
    LOGIC = "logic"
    POINTWISE = "pointwise"
    STABLE = "written as meant, emitted stably"
    CHOICE = "choice"
    OTHER = "other"


class Shape(Enum):
    """How an op moves along its argument; one-argument ops only."""

    INCREASING = "increasing"
    DECREASING = "decreasing"
    EVEN = "even, increasing for x >= 0"
    NONE = "none of these"


@dataclass(frozen=True, slots=True, kw_only=True)
class Op:
    """One function.

    name: the name in the IR; also its spelling in specs, unless ``operator`` is set.
    also: further spellings that specs may use.
    arity: least and greatest number of arguments (None: any number).
    meaning: the op in terms of simpler ones; None for a primitive.
    order: the first argument is an integer literal from the first to the second of these numbers
        (None: without end) that says which function is meant; None where it is no such literal.
    domain: where it is defined; None means everywhere.
    range: the interval of its values.
    derivative: one formula per argument, at points that are no kink; () for an n-ary op, whose
        rule is code in `differentiate`, and for truth values.
    kinks: condition at which the derivative jumps or does not exist.
    convention: the derivative at the kink, in words.
    torch: spelling with ``{0}``, ``{1}``; a leading ``.`` makes it a method of the first argument.
    python: spelling for Python floats; it encloses every argument that could come apart.
    autograd: why torch's own backward of that spelling is wrong where it is, ``exact`` where it is
        not; how wrong, and at which arguments, is measured: see `accuracy`.
    remedy: whether ``derivative``, stabilised and evaluated in torch, is right there.
    special: whether it is no elementary function; torch computes those to fewer digits.
    singular: arguments at which value or derivative is infinite or undefined, as a condition:
        what a dead branch must be kept away from. None: value and derivative are finite and tame
        for every finite argument (no overflow either).
    safe: a harmless argument for dead branches.
    noun: what to call the result when code needs a name for it.
    latex: spelling in mathematics; the printer encloses an argument that the spelling does not.
    doc: one line for the reference.
    """

    name: str
    group: Group
    arity: tuple[int, int | None] = (1, 1)
    also: tuple[str, ...] = ()
    operator: str | None = None
    sort: Sort = Sort.REAL
    args: Sort = Sort.REAL
    meaning: str | None = None
    order: tuple[int, int | None] | None = None
    domain: str | None = None
    range: str = "(-oo, oo)"
    shape: Shape = Shape.NONE
    derivative: tuple[str, ...] = ()
    kinks: str | None = None
    convention: str | None = None
    torch: str
    python: str | None = None
    tensors: bool = False
    autograd: str = "exact"
    remedy: bool = False
    special: bool = False
    singular: str | None = None
    safe: str = "1"
    noun: str = "value"
    latex: str | None = None
    doc: str = ""


_A, _C, _L, _P, _S, _X = (
    Group.ARITHMETIC,
    Group.COMPARISON,
    Group.LOGIC,
    Group.POINTWISE,
    Group.STABLE,
    Group.CHOICE,
)

# fmt: off
_ROWS = (
    # ---------------------------------------------------------------- arithmetic
    Op(name="add", group=_A, arity=(2, None), operator="+", torch="+", python="+", noun="total", latex="{0} + {1}", doc="sum"),
    Op(name="mul", group=_A, arity=(2, None), operator="*", torch="*", python="*", singular="True", safe="0", noun="product", latex="{0} {1}", doc="product"),
    Op(name="neg", group=_A, operator="-", derivative=("-1",), shape=Shape.DECREASING, torch="-", python="-", noun="negative", latex="-{0}", doc="negative"),
    Op(name="div", group=_A, arity=(2, 2), operator="/", domain="y != 0", derivative=("1/y", "-x/y**2"), torch="/", python="/", singular="True", noun="ratio", latex=r"\frac{{{0}}}{{{1}}}", doc="quotient"),
    Op(name="pow", group=_A, arity=(2, 2), operator="**", domain="x > 0 or (x == 0 and y >= 0) or y == floor(y)", derivative=("y*x**(y - 1)", "xlogy(x**y, x)"), torch=".pow({1})", python="**", singular="True", noun="power", latex="{0}^{{{1}}}", doc="power; 0**0 is 1"),
    Op(name="mod", group=_A, arity=(2, 2), operator="%", domain="y != 0", derivative=("1", "-floor(x/y)"), kinks="floor(x/y) == x/y", convention="that of the right side", torch=".remainder({1})", python="%", singular="y == 0", noun="remainder", latex=r"{0} \bmod {1}", doc="remainder with the sign of the divisor"),
    # ---------------------------------------------------------------- comparisons and logic
    Op(name="eq", group=_C, arity=(2, 2), also=("Eq",), operator="==", sort=Sort.BOOL, torch="==", python="==", noun="same", latex="{0} = {1}", doc="equal"),
    Op(name="ne", group=_C, arity=(2, 2), also=("Ne",), operator="!=", sort=Sort.BOOL, torch="!=", python="!=", noun="differs", latex=r"{0} \ne {1}", doc="not equal"),
    Op(name="lt", group=_C, arity=(2, 2), also=("Lt",), operator="<", sort=Sort.BOOL, torch="<", python="<", noun="below", latex="{0} < {1}", doc="less"),
    Op(name="le", group=_C, arity=(2, 2), also=("Le",), operator="<=", sort=Sort.BOOL, torch="<=", python="<=", noun="within", latex=r"{0} \le {1}", doc="less or equal"),
    Op(name="gt", group=_C, arity=(2, 2), also=("Gt",), operator=">", sort=Sort.BOOL, torch=">", python=">", noun="above", latex="{0} > {1}", doc="greater"),
    Op(name="ge", group=_C, arity=(2, 2), also=("Ge",), operator=">=", sort=Sort.BOOL, torch=">=", python=">=", noun="beyond", latex=r"{0} \ge {1}", doc="greater or equal"),
    Op(name="and", group=_L, arity=(2, None), also=("And",), operator="and", sort=Sort.BOOL, args=Sort.BOOL, torch="&", python="and", noun="both", latex=r"{0} \wedge {1}", doc="conjunction"),
    Op(name="or", group=_L, arity=(2, None), also=("Or",), operator="or", sort=Sort.BOOL, args=Sort.BOOL, torch="|", python="or", noun="either", latex=r"{0} \vee {1}", doc="disjunction"),
    Op(name="not", group=_L, also=("Not",), operator="not", sort=Sort.BOOL, args=Sort.BOOL, torch="~", python="not", noun="other", latex=r"\neg {0}", doc="negation"),
    Op(name="isnan", group=_L, sort=Sort.BOOL, torch=".isnan()", python="math.isnan({0})", noun="missing", latex=r"{0} \text{{ is NaN}}", doc="whether a value is missing (NaN)"),
    Op(name="isfinite", group=_L, sort=Sort.BOOL, torch=".isfinite()", python="math.isfinite({0})", noun="finite", latex=r"{0} \text{{ is finite}}", doc="whether a value is neither NaN nor infinite"),
    # ---------------------------------------------------------------- pointwise
    Op(name="exp", group=_P, range="(0, oo)", shape=Shape.INCREASING, derivative=("exp(x)",), torch=".exp()", python="math.exp({0})", singular="x > 80", safe="0", noun="exponential", latex=r"e^{{{0}}}", doc="exponential"),
    Op(name="log", group=_P, also=("ln",), domain="x > 0", shape=Shape.INCREASING, derivative=("1/x",), torch=".log()", python="math.log({0})", singular="x <= 0", noun="log_value", latex=r"\log {0}", doc="natural logarithm"),
    Op(name="sqrt", group=_P, domain="x >= 0", range="[0, oo)", shape=Shape.INCREASING, derivative=("1/(2*sqrt(x))",), torch=".sqrt()", python="math.sqrt({0})", singular="x <= 0", noun="root", latex=r"\sqrt{{{0}}}", doc="square root"),
    Op(name="cbrt", group=_P, shape=Shape.INCREASING, meaning="sign(x)*abs(x)**Rational(1, 3)", derivative=("1/(3*cbrt(x)**2)",), torch="{0}.sign() * {0}.abs().pow(1.0 / 3.0)", python="math.cbrt({0})", autograd="NaN at 0", singular="x == 0", noun="root", latex=r"\sqrt[3]{{{0}}}", doc="real cube root"),
    Op(name="abs", group=_P, also=("Abs",), range="[0, oo)", shape=Shape.EVEN, derivative=("sign(x)",), kinks="x == 0", convention="0", torch=".abs()", python="abs({0})", noun="magnitude", latex=r"\lvert {0} \rvert", doc="absolute value"),
    Op(name="sign", group=_P, range="[-1, 1]", shape=Shape.INCREASING, derivative=("0",), kinks="x == 0", convention="0", torch=".sign()", python="math.copysign({0} != 0, {0})", noun="direction", latex=r"\operatorname{{sign}}({0})", doc="-1, 0 or 1"),
    Op(name="square", group=_P, range="[0, oo)", shape=Shape.EVEN, meaning="x**2", derivative=("2*x",), torch=".square()", python="({0}) ** 2", singular="True", safe="0", noun="square", latex="{0}^2", doc="x**2"),
    Op(name="floor", group=_P, shape=Shape.INCREASING, derivative=("0",), kinks="x == floor(x)", convention="0", torch=".floor()", python="math.floor({0})", noun="whole", latex=r"\lfloor {0} \rfloor", doc="greatest integer not above x; derivative 0"),
    Op(name="log10", group=_P, domain="x > 0", shape=Shape.INCREASING, meaning="log(x)/log(10)", derivative=("1/(x*log(10))",), torch=".log10()", python="math.log10({0})", singular="x <= 0", noun="log_value", latex=r"\log_{{10}} {0}", doc="decimal logarithm"),
    Op(name="sin", group=_P, range="[-1, 1]", derivative=("cos(x)",), torch=".sin()", python="math.sin({0})", noun="sine", latex=r"\sin {0}", doc="sine"),
    Op(name="cos", group=_P, range="[-1, 1]", derivative=("-sin(x)",), torch=".cos()", python="math.cos({0})", noun="cosine", latex=r"\cos {0}", doc="cosine"),
    Op(name="tan", group=_P, domain="cos(x) != 0", derivative=("1 + tan(x)**2",), torch=".tan()", python="math.tan({0})", singular="cos(x) == 0", safe="0", noun="tangent", latex=r"\tan {0}", doc="tangent"),
    Op(name="asin", group=_P, domain="-1 <= x <= 1", range="[-1.5707963267948968, 1.5707963267948968]", shape=Shape.INCREASING, derivative=("1/sqrt((1 - x)*(1 + x))",), torch=".asin()", python="math.asin({0})", autograd="loses digits near 1", remedy=True, singular="abs(x) >= 1", safe="0", noun="angle", latex=r"\arcsin {0}", doc="inverse sine"),
    Op(name="acos", group=_P, domain="-1 <= x <= 1", range="[0, 3.1415926535897936]", shape=Shape.DECREASING, derivative=("-1/sqrt((1 - x)*(1 + x))",), torch=".acos()", python="math.acos({0})", autograd="loses digits near 1", remedy=True, singular="abs(x) >= 1", safe="0", noun="angle", latex=r"\arccos {0}", doc="inverse cosine"),
    Op(name="atan", group=_P, range="[-1.5707963267948968, 1.5707963267948968]", shape=Shape.INCREASING, derivative=("1/(1 + x**2)",), torch=".atan()", python="math.atan({0})", noun="angle", latex=r"\arctan {0}", doc="inverse tangent"),
    Op(name="atan2", group=_P, arity=(2, 2), domain="x != 0 or y != 0", range="[-3.1415926535897936, 3.1415926535897936]", derivative=("y/(x**2 + y**2)", "-x/(x**2 + y**2)"), kinks="x == 0 and y <= 0", convention="0 at the origin", tensors=True, torch="torch.atan2({0}, {1})", python="math.atan2({0}, {1})", autograd="squares overflow", singular="x == 0 and y <= 0", noun="angle", latex=r"\operatorname{{atan2}}({0}, {1})", doc="angle of the point (y, x)"),
    Op(name="sinh", group=_P, shape=Shape.INCREASING, derivative=("cosh(x)",), torch=".sinh()", python="math.sinh({0})", singular="abs(x) > 80", safe="0", noun="sine", latex=r"\sinh {0}", doc="hyperbolic sine"),
    Op(name="cosh", group=_P, range="[1, oo)", shape=Shape.EVEN, derivative=("sinh(x)",), torch=".cosh()", python="math.cosh({0})", singular="abs(x) > 80", safe="0", noun="cosine", latex=r"\cosh {0}", doc="hyperbolic cosine"),
    Op(name="tanh", group=_P, range="[-1, 1]", shape=Shape.INCREASING, derivative=("1/cosh(x)**2",), torch=".tanh()", python="math.tanh({0})", autograd="1 - y*y is 0 from |x| > 9 (19 in float64)", remedy=True, noun="squashed", latex=r"\tanh {0}", doc="hyperbolic tangent"),
    Op(name="asinh", group=_P, shape=Shape.INCREASING, derivative=("1/sqrt(1 + x**2)",), torch=".asinh()", python="math.asinh({0})", autograd="0 where x**2 overflows", remedy=True, noun="angle", latex=r"\operatorname{{arsinh}}({0})", doc="inverse hyperbolic sine"),
    Op(name="acosh", group=_P, domain="x >= 1", range="[0, oo)", shape=Shape.INCREASING, derivative=("1/sqrt((x - 1)*(x + 1))",), torch=".acosh()", python="math.acosh({0})", autograd="0 where x**2 overflows", remedy=True, singular="x <= 1", safe="2", noun="angle", latex=r"\operatorname{{arcosh}}({0})", doc="inverse hyperbolic cosine"),
    Op(name="atanh", group=_P, domain="-1 < x < 1", shape=Shape.INCREASING, derivative=("1/((1 - x)*(1 + x))",), torch=".atanh()", python="math.atanh({0})", autograd="loses digits near 1", remedy=True, singular="abs(x) >= 1", safe="0", noun="angle", latex=r"\operatorname{{artanh}}({0})", doc="inverse hyperbolic tangent"),
    Op(name="hypot", group=_P, arity=(2, 2), range="[0, oo)", meaning="sqrt(x**2 + y**2)", derivative=("x/hypot(x, y)", "y/hypot(x, y)"), kinks="x == 0 and y == 0", convention="0", tensors=True, torch="torch.hypot({0}, {1})", python="math.hypot({0}, {1})", autograd="NaN at (0, 0)", singular="x == 0 and y == 0", noun="length", latex=r"\sqrt{{{0}^2 + {1}^2}}", doc="sqrt(x**2 + y**2) without overflow"),
    Op(name="erf", group=_P, special=True, range="[-1, 1]", shape=Shape.INCREASING, derivative=("2*exp(-x**2)/sqrt(pi)",), torch=".erf()", python="math.erf({0})", noun="erf_value", latex=r"\operatorname{{erf}}({0})", doc="error function"),
    Op(name="erfc", group=_P, special=True, range="[0, 2]", shape=Shape.DECREASING, derivative=("-2*exp(-x**2)/sqrt(pi)",), torch=".erfc()", python="math.erfc({0})", noun="erfc_value", latex=r"\operatorname{{erfc}}({0})", doc="complementary error function"),
    Op(name="erfinv", group=_P, special=True, domain="-1 < x < 1", shape=Shape.INCREASING, derivative=("sqrt(pi)/2*exp(erfinv(x)**2)",), torch=".erfinv()", singular="abs(x) >= 1", safe="0", noun="quantile", latex=r"\operatorname{{erf}}^{{-1}}({0})", doc="inverse error function"),
    Op(name="lgamma", group=_P, special=True, also=("loggamma",), domain="x > 0", derivative=("digamma(x)",), torch=".lgamma()", python="math.lgamma({0})", autograd="loses digits near 1.4616, the root of digamma", singular="x <= 0", noun="log_gamma", latex=r"\log\Gamma({0})", doc="logarithm of the gamma function, for positive x"),
    Op(name="gamma", group=_P, special=True, domain="x > 0", range="(0, oo)", derivative=("gamma(x)*digamma(x)",), torch=".lgamma().exp()", python="math.gamma({0})", autograd="loses digits near 1.4616, the root of digamma", singular="x < 1e-15 or x > 30", noun="gamma_value", latex=r"\Gamma({0})", doc="gamma function, for positive x"),
    Op(name="digamma", group=_P, special=True, domain="x > 0", shape=Shape.INCREASING, derivative=("polygamma(1, x)",), torch=".digamma()", autograd="1e-9 in float64", singular="x < 1e-15", noun="digamma_value", latex=r"\psi({0})", doc="derivative of lgamma"),
    Op(name="polygamma", group=_P, special=True, arity=(2, 2), order=(0, None), domain="y > 0", derivative=("0", "polygamma(x + 1, y)"), torch="torch.polygamma({0}, {1})", autograd="1e-9 in float64 for order 0", singular="y <= 0", noun="polygamma_value", latex=r"\psi^{{({0})}}({1})", doc="derivatives of digamma; the order comes first and is a number"),
    Op(name="besseli", group=_P, special=True, arity=(2, 2), order=(0, 1), derivative=("0", "where(x == 0, besseli(1, y), besseli(0, y) - besseli(1, y)/y)"), torch="torch.special.i{0}({1})", autograd="inf up to two units before the result leaves the range of the format", singular="abs(y) > 80 or (x == 1 and y == 0)", safe="1", noun="bessel", latex=r"I_{{{0}}}({1})", doc="modified Bessel function of order 0 or 1; the order comes first"),
    # ---------------------------------------------------------------- written as meant, emitted stably
    Op(name="sigmoid", group=_S, range="[0, 1]", shape=Shape.INCREASING, meaning="1/(1 + exp(-x))", derivative=("sigmoid(x)*sigmoid(-x)",), torch=".sigmoid()", python="math.exp(min({0}, 0.0) - math.log1p(math.exp(-abs({0}))))", autograd="y*(1 - y) is 0 from x > 16.7 (36.8 in float64)", remedy=True, noun="probability", latex=r"\sigma({0})", doc="logistic function"),
    Op(name="logsigmoid", group=_S, range="(-oo, 0]", shape=Shape.INCREASING, meaning="-log(1 + exp(-x))", derivative=("sigmoid(-x)",), torch="F.logsigmoid({0})", python="(min({0}, 0.0) - math.log1p(math.exp(-abs({0}))))", noun="log_probability", latex=r"\log\sigma({0})", doc="log(sigmoid(x))"),
    Op(name="softplus", group=_S, range="[0, oo)", shape=Shape.INCREASING, meaning="log(1 + exp(x))", derivative=("sigmoid(x)",), torch="F.softplus({0}, threshold=40.0)", python="(max({0}, 0.0) + math.log1p(math.exp(-abs({0}))))", noun="smooth_positive", latex=r"\operatorname{{softplus}}({0})", doc="log(1 + exp(x))"),
    Op(name="log1p", group=_S, domain="x > -1", shape=Shape.INCREASING, meaning="log(1 + x)", derivative=("1/(1 + x)",), torch=".log1p()", python="math.log1p({0})", singular="x <= -1", safe="0", noun="log_value", latex=r"\log(1 + {0})", doc="log(1 + x)"),
    Op(name="expm1", group=_S, range="[-1, oo)", shape=Shape.INCREASING, meaning="exp(x) - 1", derivative=("exp(x)",), torch=".expm1()", python="math.expm1({0})", autograd="y + 1 is 0 below -16.7 (-36.8 in float64)", remedy=True, singular="x > 80", safe="0", noun="excess", latex=r"(e^{{{0}}} - 1)", doc="exp(x) - 1"),
    Op(name="log1mexp", group=_S, domain="x > 0", range="(-oo, 0]", shape=Shape.INCREASING, meaning="log(1 - exp(-x))", derivative=("1/expm1(x)",), torch=".neg().expm1().neg().log()", python="math.log(-math.expm1(-({0})))", autograd="0 beyond 16.8", remedy=True, singular="x <= 0", noun="log_value", latex=r"\log(1 - e^{{-{0}}})", doc="log(1 - exp(-x)), x > 0"),
    Op(name="logaddexp", group=_S, arity=(2, 2), meaning="log(exp(x) + exp(y))", derivative=("sigmoid(x - y)", "sigmoid(y - x)"), tensors=True, torch="torch.logaddexp({0}, {1})", python="(max({0}, {1}) + math.log1p(math.exp(-abs(({0}) - ({1})))))", noun="log_total", latex=r"\log(e^{{{0}}} + e^{{{1}}})", doc="log(exp(x) + exp(y))"),
    Op(name="xlogy", group=_S, arity=(2, 2), domain="x == 0 or y > 0", meaning="where(x == 0 and y <= 0, 0, x*log(y))", derivative=("log(y)", "where(x == 0, 0, x/y)"), torch="torch.xlogy({0}, {1})", python="(({0}) * math.log({1}) if {0} else 0.0)", autograd="NaN at (0, 0)", singular="y <= 0", noun="log_term", latex=r"{0} \log {1}", doc="x*log(y), 0 where x is 0"),
    Op(name="relu", group=_S, range="[0, oo)", shape=Shape.INCREASING, meaning="where(x <= 0, 0, x)", derivative=("where(x > 0, 1, 0)",), kinks="x == 0", convention="0", torch=".relu()", python="max({0}, 0.0)", noun="positive_part", latex=r"({0})_+", doc="positive part, derivative 0 at 0"),
    # ---------------------------------------------------------------- choice
    Op(name="max", group=_X, arity=(1, None), also=("Max",), kinks="x == y", convention="1/2 each", tensors=True, torch="torch.maximum({0}, {1})", python="max({args})", noun="larger", latex=r"\max({args})", doc="greatest argument"),
    Op(name="min", group=_X, arity=(1, None), also=("Min",), kinks="x == y", convention="1/2 each", tensors=True, torch="torch.minimum({0}, {1})", python="min({args})", noun="smaller", latex=r"\min({args})", doc="least argument"),
    Op(name="clip", group=_X, arity=(3, 3), also=("clamp",), meaning="where(x < y, y, where(x > z, z, x))", derivative=("where(y <= x and x <= z, 1, 0)", "where(x < y, 1, 0)", "where(x > z, 1, 0)"), kinks="x == y or x == z", convention="that of the inside", torch=".clamp({1}, {2})", python="min(max({0}, {1}), {2})", noun="clipped", latex=r"\operatorname{{clip}}({0}, {1}, {2})", doc="x kept between y and z; derivative 1 at both ends"),
    Op(name="delta", group=_X, arity=(2, 2), also=("KroneckerDelta",), range="[0, 1]", meaning="where(x == y, 1, 0)", derivative=("0", "0"), torch="({0} == {1})", python="float(({0}) == ({1}))", noun="same", latex=r"\delta_{{{0},{1}}}", doc="1 where x == y, else 0"),
    Op(name="heaviside", group=_X, also=("Heaviside",), range="[0, 1]", meaning="where(x > 0, 1, where(x == 0, Rational(1, 2), 0))", shape=Shape.INCREASING, derivative=("0",), kinks="x == 0", convention="0", torch=".sign().add(1.0).mul(0.5)", python="(0.5 + 0.5 * math.copysign({0} != 0, {0}))", noun="step", latex=r"\theta({0})", doc="unit step, 1/2 at 0"),
    # ---------------------------------------------------------------- other
    Op(name="detach", group=Group.OTHER, meaning="x", shape=Shape.INCREASING, derivative=("0",), torch=".detach()", python="{0}", noun="constant", latex=r"\operatorname{{sg}}({0})", doc="x, as a constant for differentiation"),
)
# fmt: on

OPS: dict[str, Op] = {row.name: row for row in _ROWS}
"""Every op by its name in the IR."""

SPELLINGS: dict[str, Op] = {
    spelling: row
    for row in _ROWS
    for spelling in (row.name, *row.also)
    if row.operator is None or spelling in row.also
}
"""The ops that a spec calls by name, by every accepted spelling."""
