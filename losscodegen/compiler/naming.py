"""Names for the values of a generated function."""

from __future__ import annotations

import keyword
from collections.abc import Callable

from losscodegen.ir.loss import DomainKind, Loss
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
from losscodegen.ir.ops import OPS, Group
from losscodegen.ir.walk import fresh_name, walk

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
_OF_A_NAME = {
    "neg": "minus_{}",
    "log": "log_{}",
    "log1p": "log1p_{}",
    "exp": "exp_{}",
    "sqrt": "sqrt_{}",
    "square": "{}_squared",
    "abs": "abs_{}",
    "detach": "constant_{}",
    "lgamma": "log_gamma_{}",
    "isnan": "{}_missing",
}
"""What to call a function of something that has a name."""

_OF_NUMBER = {
    ("eq", 0): "{}_is_zero",
    ("ne", 0): "{}_nonzero",
    ("gt", 0): "{}_positive",
    ("lt", 0): "{}_negative",
    ("eq", 1): "{}_is_one",
}
_GENERIC = frozenset({"total", "product", "difference", "ratio", "chosen", "value"})
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

Label = Callable[[Expr], str | None]
"""The name that an expression has in the function already, None if it has none."""


class Names:
    """Hands out names, each once."""

    def __init__(self, loss: Loss) -> None:
        self._loss = loss
        self._taken = set(RESERVED) | {v.arg for v in loss.variables}
        self._arguments = {v.name: v.arg for v in loss.variables}
        self._inputs = {v.name for v in loss.inputs}
        self._first: dict[str, frozenset[str]] = {}
        """For each stem, what its first holder was computed from."""

    def take(self, stem: str, expr: Expr | None = None) -> str:
        """``stem``; if that is taken, ``stem_of`` whatever ``expr`` is about, or with a number."""
        stem = stem.rstrip("_") or "value"
        if keyword.iskeyword(stem):
            stem += "_"
        read = frozenset() if expr is None else self._read(expr)
        name = stem
        if name in self._taken:
            first = self._first.get(stem, read)
            other = read - first if len(read - first) == 1 else read
            if len(other) == 1 and read != first:
                name = f"{stem}_{next(iter(other))}"
        if name in self._taken:
            name = fresh_name(stem, self._taken)
        self._first.setdefault(stem, read)
        self._taken.add(name)
        return name

    def _read(self, expr: Expr) -> frozenset[str]:
        """The inputs that ``expr`` is computed from."""
        return frozenset(
            self._arguments[n.name]
            for n in walk(expr)
            if isinstance(n, Read) and n.name in self._inputs
        )

    def for_expression(
        self, expr: Expr, label: Label = lambda _: None, role: str | None = None
    ) -> str:
        """The name of ``expr``: its own if it has one, else after what computes it.

        Where that would say little, it is called after its ``role`` in a larger expression.
        """
        name = expr.origin.name
        if isinstance(expr, Keep) and isinstance(expr.at, Read):
            at = self._arguments.get(expr.at.name, expr.at.name)
            return self.take(f"{name or _KEEPERS[expr.kind]}_{at}", expr)
        if name is not None and name.startswith("safe_"):
            name = "safe_" + self._arguments.get(name[5:], name[5:])
        if name is None:
            name = self._stem(expr, label)
            name = role if role is not None and name in _GENERIC else name
        return self.take(name, expr)

    def _argument(self, expr: Expr, label: Label) -> str | None:
        """The name of an operand: an argument's, or that of an earlier statement."""
        if isinstance(expr, Read) and all(
            isinstance(s, Index) for s in expr.subscripts
        ):
            return self._arguments.get(expr.name, expr.name)
        return label(expr)

    def _stem(self, expr: Expr, label: Label) -> str:
        match expr:
            case Index(symbol):
                return symbol
            case Read(symbol, subscripts):
                arg = self._arguments.get(symbol, symbol)
                parts = [str(s.value) for s in subscripts if isinstance(s, Number)]
                return "_".join((arg, *parts)) if parts else f"{arg}_there"
            case Call(op) if op not in OPS:
                return "value"
            case Call(op, args) if OPS[op].group is Group.COMPARISON:
                return self._comparison(op, args, label)
            case Call():
                return self._call(expr, label)
            case Reduce(kind):
                return _REDUCTIONS[kind]
            case Keep(kind):
                return _KEEPERS[kind]
            case Select(_, then, Number()) if expr.origin.guard is not None:
                inner = self._argument(then, label) or self._stem(then, label)
                return inner if inner.startswith("safe_") else f"safe_{inner}"
            case Switch(Call(op), Number(), Read(symbol)) if op not in OPS:
                return f"{self._arguments.get(symbol, symbol)}_there"
            case Select() | Switch():
                return "chosen"
            case _:
                return "value"

    def _call(self, expr: Call, label: Label) -> str:
        match expr:
            case Call("add", (Read(left), Call("neg", (Read(right),)))) if {
                left,
                right,
            } <= self._inputs and left != right:
                return "residual"
            case Call(
                "add", (Number(1), Call("neg", (inner,)))
            ) if operand := self._argument(inner, label):
                return f"one_minus_{operand}"
            case Call("add", (_, Call("neg"))):
                return "difference"
            case Call("sigmoid", (Call("neg"),)):
                return "complement"
            case Call("logsigmoid", (Call("neg"),)):
                return "log_complement"
            case Call("div", (_, Number(2))):
                return "half"
            case Call("pow", (base, Number(2))):
                operand = self._argument(base, label)
                return "square" if operand is None else f"{operand}_squared"
            case Call(op, (inner,)) if op in _OF_A_NAME:
                operand = self._argument(inner, label)
                if operand is not None:
                    return _OF_A_NAME[op].format(operand)
        return OPS[expr.op].noun

    def _comparison(self, op: str, args: tuple[Expr, ...], label: Label) -> str:
        match args:
            case (Read(name), Read(other)) if self._is_index(name) and self._is_scalar(
                other
            ):
                # A target compared with a parameter: the value that marks targets to ignore.
                return "valid" if op == "ne" else "ignored" if op == "eq" else "below"
            case (Read(name), Number(1)) if op == "eq" and self._is_mask(name):
                return "kept"
            case (operand, Number(number)) if number in (0, 1):
                named = self._argument(operand, label)
                template = _OF_NUMBER.get((op, int(number)))
                if named is not None and template is not None:
                    return template.format(named)
        return OPS[op].noun

    def _is_index(self, name: str) -> bool:
        kind = self._loss.variable(name).domain.kind
        return kind in (DomainKind.INDEX, DomainKind.INTEGER)

    def _is_scalar(self, name: str) -> bool:
        return self._loss.variable(name).scalar

    def _is_mask(self, name: str) -> bool:
        return self._loss.variable(name).domain.kind is DomainKind.MASK
