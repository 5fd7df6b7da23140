"""Random well-typed specs: every domain, axes, masks, gathers, pairs, branches, parameters.

A formula is typed: ``real``, ``positive`` and ``unit`` expressions are made of each other such that
a logarithm gets a positive argument and a root one that is not negative. The stream of choices is a
``random.Random``, or hypothesis's, which then shrinks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

REAL = (
    "({r}) + ({r})",
    "({r}) - ({r})",
    "({p}) - ({p})",
    "({r})*({r})",
    "({r})/({p})",
    "-({r})",
    "log({p})",
    "log({u} + {p})",
    "tanh({r})",
    "atan({r})",
    "asinh({r})",
    "sin({r})",
    "logsigmoid({r})",
    "clip({r}, -1, 2)",
    "Max({r}, {r})",
    "Min({r}, {r})",
    "where({c}, {r}, {r})",
    "Piecewise(({r}, {c}), ({r}, True))",
    "({r})**3",
    "xlogy({u}, {p})",
    "erf({r})",
)
POSITIVE = (
    "exp({r})",
    "exp(-({p}))",
    "softplus({r})",
    "log1p({p})",
    "1 + ({r})**2",
    "sqrt(1 + ({r})**2)",
    "sqrt({p})",
    "({p}) + ({p})",
    "({p})*({p})",
    "({p})/({p})",
    "({p})**a",
    "abs({r}) + a",
    "1/({p})",
    "cosh({r})",
    "1 + ({u})",
    "2 - ({u})",
)
NONNEGATIVE = (
    "({r})**2",
    "abs({r})",
    "relu({r})",
    "Max(0, {r})",
    "log(cosh({r}))",
    "sqrt(1 + ({r})**2) - 1",
    "log(1 + ({r})**2)",
    "1 - exp(-({r})**2)",
    "({p})",
    "-log({u})",
)
UNIT = (
    "sigmoid({r})",
    "exp(-({p}))",
    "1 - ({u})",
    "({u})*({u})",
    "({p})/(1 + ({p}))",
    "1/(1 + ({r})**2)",
)
CONDITIONS = (
    "({r}) > ({r})",
    "abs({r}) <= a",
    "({r}) < 1",
    "({u}) >= 1/2",
    "({c}) and ({c})",
    "not ({c})",
)
OVER_C = (
    "Sum({0}, c)",
    "Mean({0}, c)",
    "Sum({0}, c, where=m > 0)",
    "Sum({0}, c, where=c != t)",
    "logsumexp({0}, c)",
    "logsumexp({0}, c, where=m > 0)",
    "amax({0}, c)",
    "amin({0}, c)",
    "norm({0}, c)",
    "var({0}, c)",
    "Sum({0}, c)/C",
    "-Sum(softmax({0}, c)*log_softmax(x, c), c)",
    "logsumexp({0}, c) - x[b,t]",
)
"""What takes a formula over c away."""

KEEPING = ("softmax({0}, c)", "log_softmax({0}, c)", "normalize({0}, c)")

PAIRS = (
    "Sum(({0})*x[j,c], c)",
    "Sum((x[b,c] - x[j,c])**2, c)",
    "Sum(normalize(x[b,c], c)*normalize(x[j,c], c), c)",
)
OVER_J = (
    "logsumexp({0}, j)",
    "logsumexp({0}, j, where=j != b)",
    "Mean({0}, j, where=j != b)",
    "Sum(relu(1 - ({0})), j, where=t[j] != t[b])",
)


@dataclass
class Maker:
    """One spec in the making: which leaves there are, and which choices are left."""

    random: Random
    reals: tuple[str, ...]
    positives: tuple[str, ...]
    units: tuple[str, ...]
    conditions: tuple[str, ...]
    lets: list[str] = field(default_factory=list)

    def choose(self, rows: Sequence[str]) -> str:
        return rows[self.random.randrange(len(rows))]

    def fill(self, rows: Sequence[str], depth: int) -> str:
        """A row with a formula of its type in every place."""
        makers: dict[str, Callable[[int], str]] = {
            "{r}": self.real,
            "{p}": self.positive,
            "{u}": self.unit,
            "{c}": self.condition,
        }
        text, out = self.choose(rows), ""
        while text:
            for mark, make in makers.items():
                if text.startswith(mark):
                    out, text = out + make(depth - 1), text[3:]
                    break
            else:
                out, text = out + text[0], text[1:]
        return out

    def stop(self, depth: int) -> bool:
        return depth <= 0 or self.random.randrange(5) == 0

    def real(self, depth: int) -> str:
        if self.stop(depth):
            return self.choose(self.reals)
        return self.fill(REAL if self.random.randrange(3) else NONNEGATIVE, depth)

    def positive(self, depth: int) -> str:
        return (
            self.choose(self.positives)
            if self.stop(depth)
            else self.fill(POSITIVE, depth)
        )

    def unit(self, depth: int) -> str:
        return self.choose(self.units) if self.stop(depth) else self.fill(UNIT, depth)

    def condition(self, depth: int) -> str:
        if self.stop(depth):
            return self.choose(self.conditions)
        return self.fill(CONDITIONS, depth)


def pointwise_spec(random: Random) -> str:
    """A loss of single entries: up to three inputs of any domain, up to two parameters."""
    inputs = {"x": "real[...]"}
    second = ("real", "positive", "unit", "binary", "sign", "count", "nonnegative")
    kind = second[random.randrange(len(second))]
    if random.randrange(4):
        inputs["y"] = f"{kind}[...]"
    if random.randrange(3) == 0:
        inputs["s"] = "positive[...]"
    reals = ["x", "x", *(["y", "x - y", "x*y"] if "y" in inputs else []), "a", "1"]
    positives = ["a", "2", *(["s"] if "s" in inputs else [])]
    positives += ["y"] * (inputs.get("y") == "positive[...]")
    units = [
        "1/2",
        "q",
        *(["y", "y"] if kind in ("unit", "binary") and "y" in inputs else []),
    ]
    conditions = ["x > 0", "abs(x) <= a"]
    if "y" in inputs:
        conditions += ["x > y", "y == 1" if kind in ("binary", "sign") else "y > 1/2"]
    maker = Maker(
        random, tuple(reals), tuple(positives), tuple(units), tuple(conditions)
    )
    return _written(inputs, maker.fill(REAL + NONNEGATIVE, 3), "")


def shaped_spec(random: Random) -> str:
    """A loss over an axis, with labels and a mask, and over pairs of samples."""
    inputs = {"x": "real[B, C]", "t": "index(C)[B]"}
    inputs |= {"m": "mask[B, C]"} if random.randrange(2) else {}
    kind = ("real", "positive", "binary", "simplex(C)")[random.randrange(4)]
    if random.randrange(3):
        inputs["y"] = f"{kind}[B, C]"
    reals = ["x", "x", "a", *(["x - y", "x*y"] if "y" in inputs else [])]
    positives = [
        "a",
        "2",
        *(["y"] if inputs.get("y", "").startswith("positive") else []),
    ]
    units = ["1/2", "q", *(["y"] if inputs.get("y", " ")[0] in "bs" else [])]
    conditions = ["x > 0", "c == t", "c != t", *(["m > 0"] if "m" in inputs else [])]
    maker = Maker(
        random, tuple(reals), tuple(positives), tuple(units), tuple(conditions)
    )
    body = maker.real(2)
    if random.randrange(4) == 0:
        body = maker.choose(KEEPING).format(f"x + {body}")
    if random.randrange(4) == 0:
        pair = maker.choose(PAIRS).format(f"x + {body}")
        lets = f"s[b,j] = {pair}/a"
        return _written(inputs, maker.choose(OVER_J).format("s"), lets)
    rows = [r for r in OVER_C if "m > 0" not in r or "m" in inputs]
    loss = maker.choose(rows).format(f"x + {body}" if "x" not in body else body)
    outer = maker.choose(
        ("{0}", "{0}", "{0}", "log(1 + ({0})**2)", "softplus({0})", "({0})**2")
    )
    return _written(inputs, outer.format(loss), "")


def _written(inputs: dict[str, str], loss: str, lets: str) -> str:
    """The spec as TOML, with only the declarations that its formulas use."""
    text = f"{loss} {lets}"
    words = set("".join(c if c.isalnum() else " " for c in text).split())
    used = {n: t for n, t in inputs.items() if n in words}
    params = {"a": "positive = 1.5", "q": "unit = 0.25"}
    lines = ["[RandomLoss]"]
    lines += [f'inputs.{name} = "{kind}"' for name, kind in used.items()]
    lines += [f'params.{n} = "{k}"' for n, k in params.items() if n in words]
    lines += ['indices = { j = "B" }'] if "j" in words else []
    lines += [f'let = "{lets}"'] if lets else []
    return "\n".join([*lines, f'loss = "{loss}"', ""])


def random_spec(random: Random) -> str:
    """The text of a spec file with one loss, which depends on an input."""
    while True:
        text = (shaped_spec if random.randrange(3) == 0 else pointwise_spec)(random)
        if "inputs.x" in text:
            return text
