"""Sentences on the derivative at a kink, as the conventions of the language fix it.

A kink is worth a sentence only where a reader could land on it: not in a condition, not where the
declared domains keep the argument away from it, not where a power flattens it, and not where
nothing that is differentiated moves the argument.
"""

from __future__ import annotations

from collections.abc import Iterator

from losscodegen.compiler.ranges import Ranges, opposite
from losscodegen.ir.build import ZERO
from losscodegen.ir.loss import DomainKind, Loss, Role
from losscodegen.ir.nodes import (
    Call,
    Expr,
    Keep,
    Keeper,
    Number,
    Read,
    Reduce,
    Reduction,
    Select,
    Switch,
)
from losscodegen.ir.ops import OPS, Group, Shape
from losscodegen.ir.walk import children, inline_loss, walk

CONSTANT_KINDS = frozenset(
    {
        DomainKind.INDEX,
        DomainKind.BINARY,
        DomainKind.SIGN,
        DomainKind.COUNT,
        DomainKind.INTEGER,
        DomainKind.MASK,
        DomainKind.BOOL,
        DomainKind.CHOICE,
    }
)
"""Domains of separate points: nobody differentiates by such an input."""

_SENTENCES = {
    "abs": "The derivative of the absolute value at 0 is 0.",
    "sign": "The derivative of the sign is 0 everywhere.",
    "relu": "The derivative of the positive part at 0 is 0.",
    "max": "Arguments that tie for a maximum share its derivative equally.",
    "min": "Arguments that tie for a minimum share its derivative equally.",
    "clip": "At the ends of a clipped range the derivative is that of the inside.",
    "floor": "The derivative of the whole part is 0 everywhere.",
    "hypot": "The gradient of the length at 0 is 0.",
}
_NORM = "The gradient of the norm at 0 is 0."
_DIRECTION = "Vectors of zeros, which have no direction, stay what they are."
_EXTREME = "Entries that tie for an extreme share its derivative equally."
_MAXIMUM = "Entries that tie for the maximum share its derivative equally."
_MINIMUM = "Entries that tie for the minimum share its derivative equally."
_BOTH = "Arguments that tie for a maximum or minimum share its derivative equally."


def kink_sentences(written: Loss) -> str:
    """What holds at the kinks of ``written``, the empty string where it has none."""
    loss = inline_loss(written)
    moved = {
        v.name
        for v in loss.variables
        if v.role is not Role.PARAMETER and v.domain.kind not in CONSTANT_KINDS
    }
    found = dict.fromkeys(_kinks(loss.expression, Ranges.of_loss(loss), moved))
    return " ".join(_merged(list(found)))


def _merged(sentences: list[str]) -> list[str]:
    """Two sentences that differ by maximum and minimum alone as one."""
    for pair, one in (
        ((_SENTENCES["max"], _SENTENCES["min"]), _BOTH),
        ((_MAXIMUM, _MINIMUM), _EXTREME),
    ):
        if set(pair) <= set(sentences):
            first = min(map(sentences.index, pair))
            sentences[first] = one
            sentences = [s for s in sentences if s not in pair]
    return sentences


def _kinks(expr: Expr, ranges: Ranges, moved: set[str]) -> Iterator[str]:
    if not any(isinstance(n, Read) and n.name in moved for n in walk(expr)):
        return
    match expr:
        case Call("detach"):
            return
        case Call(op) if OPS[op].group in (Group.COMPARISON, Group.LOGIC):
            return
        case Select(condition, then, otherwise):
            yield from _kinks(then, ranges.under(condition), moved)
            yield from _kinks(otherwise, ranges.under(opposite(condition)), moved)
            return
        case Switch(_, then, otherwise):
            yield from _kinks(then, ranges, moved)
            yield from _kinks(otherwise, ranges, moved)
            return
        case Call("square", (base,)) | Call("pow", (base, Number(_))) if _flattens(
            expr
        ) and _vanishes_at_its_kink(base):
            for child in children(base):
                yield from _kinks(child, ranges, moved)
            return
        case Call(op, (Call("abs", (inner,)),)) if OPS[op].shape is Shape.EVEN:
            yield from _kinks(inner, ranges, moved)
            return
        case Call(op) if op in _SENTENCES:
            if not _avoided(expr, ranges):
                yield _SENTENCES[op]
        case Reduce(Reduction.NORM):
            yield _NORM
        case Keep(Keeper.NORMALIZE):
            yield _DIRECTION
        case Reduce(Reduction.AMAX):
            yield _MAXIMUM
        case Reduce(Reduction.AMIN):
            yield _MINIMUM
        case _:
            pass
    for child in children(expr):
        yield from _kinks(child, ranges, moved)


def _flattens(expr: Expr) -> bool:
    match expr:
        case Call("square"):
            return True
        case Call("pow", (_, Number(exponent))):
            return exponent > 1
        case _:
            return False


def _vanishes_at_its_kink(base: Expr) -> bool:
    match base:
        case Call("abs" | "relu" | "hypot") | Reduce(Reduction.NORM):
            return True
        case Call("max" | "min", args):
            return len(args) == 2 and ZERO in args
        case _:
            return False


def _avoided(expr: Call, ranges: Ranges) -> bool:
    """Whether the declared domains keep the arguments away from the kink."""
    match expr:
        case Call("abs" | "relu", (inner,)):
            return ranges.of(inner).nonzero or ranges.of(expr).positive
        case Call("hypot", args):
            return any(ranges.of(arg).nonzero for arg in args)
        case Call("max" | "min", (left, right)):
            return ranges.proves(Call("ne", (left, right)))
        case _:
            return False
