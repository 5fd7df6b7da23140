"""Likelihoods of counts: mixtures with extra zeros, and the negative binomial distribution."""

from losscodegen.compiler.rule import Fault, Phase, Rule, Witness

_MIXTURE = (
    "Once a leads, the logarithm of the sum and softplus agree and cancel. Their difference is a "
    "`log1p` of a product that keeps its digits; where that comes close to -1, both terms have the "
    "same sign."
)
_SATURATED = (
    "Once the inner exponential overflows, the derivative of the outer function is 0, and 0 times "
    "infinity is nan; there it has its limit."
)

RULES = (
    Rule(
        name="softplus-into-branches",
        pattern="softplus(a) - where(c, logaddexp(a, z), u)",
        replacement="where(c, softplus(a) - logaddexp(a, z), softplus(a) - u)",
        why="Where the condition holds, the logarithm of the sum and softplus cancel; side by side "
        "in one branch they can be taken together.",
        source="measured",
        witness=Witness(
            point={"a": 20.0, "z": -1.0, "u": 0.0, "x": 1.0},
            instead={"c": "x > 0"},
        ),
    ),
    Rule(
        name="softplus-into-branches",
        pattern="softplus(a) + where(c, -logaddexp(a, z), u)",
        replacement="where(c, softplus(a) - logaddexp(a, z), softplus(a) + u)",
        why="Where the condition holds, the logarithm of the sum and softplus cancel; side by side "
        "in one branch they can be taken together.",
        source="measured",
        witness=Witness(
            point={"a": 20.0, "z": -1.0, "u": 0.0, "x": 1.0},
            instead={"c": "x > 0"},
        ),
    ),
    Rule(
        name="log-of-mixture",
        pattern="softplus(a) - logaddexp(a, z)",
        condition="z <= 0",
        let=(
            "mixed = where(a >= 0 or z >= -log(2), -log1p(sigmoid(-a)*expm1(z)), "
            "softplus(a) - logaddexp(a, z))",
        ),
        replacement="mixed",
        why=_MIXTURE,
        source="Stan, log_mix; measured",
        witness=Witness(point={"a": 20.0, "z": -1.0}),
        domain={"z": "(-oo, 0]"},
    ),
    Rule(
        name="log-of-mixture",
        pattern="softplus(a) - logaddexp(a, z)",
        let=(
            "mixed = where(z <= 0 and (a >= 0 or z >= -log(2)), "
            "-log1p(sigmoid(-a)*expm1(z)), softplus(a) - logaddexp(a, z))",
        ),
        replacement="mixed",
        why=_MIXTURE,
        source="Stan, log_mix; measured",
        witness=Witness(point={"a": 20.0, "z": -1.0}),
    ),
    Rule(
        name="saturated-exponential",
        pattern="expm1(-exp(x))",
        unless="x <= 80",
        replacement="where(exp(x) >= oo, -1, expm1(-exp(x)))",
        why=_SATURATED,
        source="measured",
        witness=Witness(point={"x": 100.0}, fault=Fault.GRADIENT, wrt="x"),
        phase=Phase.EXPAND,
        gradient_only=True,
    ),
    Rule(
        name="saturated-exponential",
        pattern="exp(-exp(x))",
        unless="x <= 80",
        replacement="where(exp(x) >= oo, 0, exp(-exp(x)))",
        why=_SATURATED,
        source="measured",
        witness=Witness(point={"x": 100.0}, fault=Fault.GRADIENT, wrt="x"),
        phase=Phase.EXPAND,
        gradient_only=True,
    ),
    Rule(
        name="saturated-exponential",
        pattern="logaddexp(a, -exp(x))",
        unless="x <= 80",
        replacement="where(exp(x) >= oo, a, logaddexp(a, -exp(x)))",
        why=_SATURATED,
        source="measured",
        witness=Witness(point={"a": 1.0, "x": 100.0}, fault=Fault.GRADIENT, wrt="x"),
        phase=Phase.EXPAND,
        gradient_only=True,
    ),
)
