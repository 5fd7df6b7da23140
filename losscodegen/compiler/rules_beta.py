"""The likelihood of proportions under beta distributions."""

from losscodegen.compiler.rule import Rule, Witness
from losscodegen.compiler.rules_likelihood import _STIRLING
from losscodegen.compiler.rules_logs import _ATANH_SERIES


def _deviance(name: str, a: str, gap: str, far: str) -> tuple[str, ...]:
    """``a*log(a/m) + m - a`` with ``gap = a - m``: by series where a and m are alike."""
    series = _ATANH_SERIES.replace("q", f"{name}_square")
    return (
        f"{name}_ratio = {gap}/({a} + {a} - ({gap}))",
        f"{name}_alike = abs({name}_ratio) < 1/9",
        f"{name}_near = where({name}_alike, {name}_ratio, 0)",
        f"{name}_square = {name}_near**2",
        f"{name}_odd = 2*({a})*{name}_near**3*({series})",
        f"{name} = where({name}_alike, {gap}*{name}_near + {name}_odd, {far} - ({gap}))",
    )


RULES = (
    Rule(
        name="beta-deviance",
        pattern="lgamma(x) + lgamma(y) - lgamma(x + y) - (x - 1)*log(p) - (y - 1)*log(1 - p)",
        condition="x > 0 and y > 0 and p > 0 and p < 1",
        let=(
            "alike = x <= 256*y and y <= 256*x",
            "both = x >= 16 and y >= 16 and alike",
            "first = where(both, x, 16)",
            "second = where(both, y, 16)",
            "total = first + second",
            "gap = first*(1 - p) - second*p",
            *_deviance("one", "first", "gap", "first*(log(first/total) - log(p))"),
            *_deviance(
                "other", "second", "(-gap)", "second*(log(second/total) - log1p(-p))"
            ),
            "scale = (log(total) - log(first) - log(second) + log(2*pi))/2",
            "z = 1/first",
            "w = 1/second",
            "t = 1/total",
            f"rest = {_STIRLING.format(z='z')} + {_STIRLING.format(z='w')}"
            f" - {_STIRLING.format(z='t')}",
            "few = where(both, 1, x)",
            "little = where(both, 1, y)",
            "plain = lgamma(few) + lgamma(little) - lgamma(few + little)"
            " - (few - 1)*log(p) - (little - 1)*log1p(-p)",
        ),
        replacement="where(both, one + other + (log(p) + log1p(-p) + scale) + rest, plain)",
        why="For large x and y of like size the logarithms of gamma cancel with those of the proportions. What "
        "is left by the formula of Stirling are two deviances, written with `x - log(1 + x)`.",
        source="Loader, Fast and accurate computation of binomial probabilities",
        witness=Witness(point={"x": 1e6, "y": 1e6, "p": 0.5}),
        domain={"x": "(0, 100)", "y": "(0, 100)", "p": "(0, 1)"},
        safe=True,
        first=True,
    ),
)
