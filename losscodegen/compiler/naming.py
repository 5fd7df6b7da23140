"""Names for the values of a generated function."""

from __future__ import annotations

import keyword

from losscodegen.ir.loss import Loss
from losscodegen.ir.nodes import (
    Call,
    Expr,
    Index,
    Keep,
    Keeper,
    Number,
    Read,
    Reduce,
    Reduction,
    Select,
    Switch,
)
from losscodegen.ir.ops import OPS
from losscodegen.ir.walk import fresh_name

_REDUCTIONS = {
    Reduction.SUM: "total",
    Reduction.MEAN: "average",
    Reduction.PROD: "product",
    Reduction.LOGSUMEXP: "log_total",
    Reduction.AMAX: "largest",
    Reduction.AMIN: "smallest",
    Reduction.NORM: "length",
    Reduction.VAR: "variance",
}
_KEEPERS = {
    Keeper.SOFTMAX: "probabilities",
    Keeper.LOG_SOFTMAX: "log_probabilities",
    Keeper.SOFTMIN: "probabilities",
    Keeper.NORMALIZE: "direction",
}
RESERVED = frozenset(
    {
        "loss",
        "dtype",
        "wide",
        "reduction",
        "torch",
        "nn",
        "F",
        "math",
        "Tensor",
        "Literal",
    }
    | {"abs", "max", "min", "float", "int", "bool", "self", "super", "tuple", "range"}
)
"""What a generated function already uses."""


class Names:
    """Hands out names, each once."""

    def __init__(self, loss: Loss) -> None:
        self._taken = set(RESERVED) | {v.arg for v in loss.variables}
        self._arguments = {v.name: v.arg for v in loss.variables}

    def take(self, stem: str) -> str:
        stem = stem.rstrip("_") or "value"
        if keyword.iskeyword(stem):
            stem += "_"
        name = stem if stem not in self._taken else fresh_name(stem, self._taken)
        self._taken.add(name)
        return name

    def for_expression(self, expr: Expr) -> str:
        """The name of ``expr``: its own if it has one, else after what computes it."""
        name = expr.origin.name
        if isinstance(expr, Keep) and isinstance(expr.at, Read):
            at = self._arguments.get(expr.at.name, expr.at.name)
            return self.take(f"{name or _KEEPERS[expr.kind]}_{at}")
        if name is not None:
            if name.startswith("safe_"):
                name = "safe_" + self._arguments.get(name[5:], name[5:])
            return self.take(name)
        match expr:
            case Index(symbol):
                return self.take(symbol)
            case Read(symbol, subscripts):
                arg = self._arguments.get(symbol, symbol)
                parts = [str(s.value) for s in subscripts if isinstance(s, Number)]
                return self.take("_".join((arg, *parts)) if parts else f"{arg}_there")
            case Call("add", (Read(), Call("neg", (Read(),)))):
                return self.take("residual")
            case Call("add", (Number(1), Call("neg", (Read(name=symbol),)))):
                return self.take(f"one_minus_{self._arguments.get(symbol, symbol)}")
            case Call("add", (_, Call("neg", _))):
                return self.take("difference")
            case Call(op, _):
                return self.take(OPS[op].noun if op in OPS else "value")
            case Reduce(kind, _, _):
                return self.take(_REDUCTIONS[kind])
            case Keep(kind, _, _, _):
                return self.take(_KEEPERS[kind])
            case Select() | Switch():
                return self.take("chosen")
            case _:
                return self.take("value")
