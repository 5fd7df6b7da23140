"""Whether a loss is better off with its symbolic gradient: by the op table, or by measurement.

Most ops with a poor backward are rewritten by rules. What is left of them in the stabilised loss is
looked up: if torch's backward was measured to be wrong for an argument that the op can have here,
and the op's own derivative would be right there, the symbolic gradient is taken. Provided that
there is one, and nothing in it is in doubt.

A formula that is small enough to be measured is measured: where autograd loses most digits
somewhere, and the symbolic gradient is good everywhere, that is taken. Not where the accuracy is
absolute: the digits that are lost there are those of small results.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from losscodegen.compiler.branches import Protector
from losscodegen.compiler.intervals import Range
from losscodegen.compiler.ranges import Ranges, opposite
from losscodegen.compiler.rules import RULES
from losscodegen.compiler.search.measure import BAD, GOOD, Point, Source, points
from losscodegen.compiler.search.slopes import Slopes, by_autograd, by_formula
from losscodegen.compiler.search.stage import defaults, leaves
from losscodegen.compiler.soundness import NONE, Soundness
from losscodegen.compiler.stabilize import stabilize
from losscodegen.compiler.steps import Stabilized
from losscodegen.compiler.symbolic import (
    Elementwise,
    Symbolic,
    differentiated,
    evaluated,
    symbolic,
)
from losscodegen.compiler.tame import Tame
from losscodegen.errors import LossCodegenError
from losscodegen.ir.accuracy import bands
from losscodegen.ir.loss import Accuracy, Gradient, Loss
from losscodegen.ir.nodes import Call, Expr, Reduce, Select, Switch
from losscodegen.ir.ops import OPS, Sort
from losscodegen.ir.walk import children, inline_loss, walk

_LEAST = 2.0**-60
"""Sizes of arguments below it, or beyond its inverse, are not met in training."""


@dataclass(frozen=True, slots=True)
class Settled:
    """How a gradient is computed, never `Gradient.AUTO`, with what had to be worked out to know.

    stable: the stabilised loss, if it is what autograd is to differentiate.
    form: the symbolic gradient, if it is the one to be taken.
    open: whether the symbolic gradient may be better, and was not tried.
    """

    gradient: Gradient
    stable: Stabilized | None = None
    form: Symbolic | None = None
    open: bool = False


def settled_gradient(
    loss: Loss, *, stable: Stabilized | None = None, hurried: bool = False
) -> Settled:
    """How the gradient of ``loss`` is computed.

    ``stable`` is the stabilised loss, if that is at hand. In a hurry nothing symbolic is compiled:
    where it would have to be, autograd is taken and the question left open.
    """
    if loss.gradient is not Gradient.AUTO:
        return Settled(loss.gradient)
    stable = stable or stabilize(loss)
    trials = (
        _measured(inline_loss(loss), stable.loss),
        _remedied(loss, stable.loss),
    )
    needed = [trial for trial in trials if trial is not None]
    if hurried:
        return Settled(Gradient.AUTOGRAD, stable, open=bool(needed))
    for trial in needed:
        form = trial()
        if form is not None:
            return Settled(Gradient.SYMBOLIC, form=form)
    return Settled(Gradient.AUTOGRAD, stable)


_Trial = Callable[[], Symbolic | None]
"""Compiles the symbolic gradient; None if it is no better."""


def _remedied(loss: Loss, stable: Loss) -> _Trial | None:
    """What tries the symbolic gradient, if the op table knows of a poor backward to be cured."""
    return partial(_remedy, loss) if _suspects(loss) and _poor(stable) else None


def _remedy(loss: Loss) -> Symbolic | None:
    """The symbolic gradient, if nothing in it is in doubt."""
    try:
        form = symbolic(loss, RULES)
    except LossCodegenError:
        return None  # not elementwise: nobody asked for it
    return form if all(_sound(slope) for slope in _slopes(form.function)) else None


def _measured(loss: Loss, stable: Loss) -> _Trial | None:
    """What tries the symbolic gradient, if that of ``stable`` is not good at all points."""
    if loss.accuracy is not Accuracy.RELATIVE:
        return None
    reads = leaves(loss.expression)
    if reads is None or loss.mean_weight is not None:
        return None
    variables = {v.name: v for v in loss.variables}
    wrt = tuple(r for r in reads if differentiated(variables[r.name]))
    if not wrt:
        return None
    ranges, usual = Ranges.of_loss(loss), defaults(loss)
    sources: dict[Expr, Source] = {
        read: Source(ranges.of(read), read.name in usual, usual.get(read.name))
        for read in reads
    }
    where = [
        point
        for point in points(loss.expression, sources, wrt, more=True)
        if all(_usual(value) for value in point.leaves.values())
    ]
    plain = by_autograd(stable.expression, where, wrt)
    if plain is None or plain.worst <= BAD:
        return None
    return partial(_better, loss, where, wrt)


def _better(
    loss: Loss, where: Sequence[Point], wrt: tuple[Expr, ...]
) -> Symbolic | None:
    """The symbolic gradient, if it is good at all points."""
    try:
        form = symbolic(loss, RULES, weigh=partial(_weigh, where, wrt))
    except (LossCodegenError, _NotGoodError):
        return None
    names = (variable.name for variable, _ in form.function.slopes)
    formulas = (slope.loss.expression for slope in _slopes(form.function))
    slopes = Slopes(dict(form.operands), dict(zip(names, formulas, strict=True)))
    return form if _good(slopes, where, wrt) else None


class _NotGoodError(Exception):
    """One of the derivatives loses digits as well."""


def _weigh(
    where: Sequence[Point],
    wrt: tuple[Expr, ...],
    operands: Mapping[str, Expr],
    name: str,
    formula: Expr,
) -> None:
    """Raises an error if the derivative by one operand is all of some, and not good."""
    others = (e for other, e in operands.items() if other != name)
    shared = {node for other in others for node in walk(other)}
    own = {node for node in walk(operands[name]) if node not in shared}
    places = [place for place, leaf in enumerate(wrt) if leaf in own]
    alone = tuple(wrt[place] for place in places)
    there = [
        replace(p, truth=(p.truth[0], *(p.truth[1 + k] for k in places))) for p in where
    ]
    if alone and not _good(Slopes(operands, {name: formula}), there, alone):
        raise _NotGoodError


def _good(slopes: Slopes, where: Sequence[Point], wrt: tuple[Expr, ...]) -> bool:
    found = by_formula(slopes, where, wrt)
    return found is not None and found.worst <= GOOD


def _usual(value: float) -> bool:
    """Whether a number is of a size that is worth an `autograd.Function`."""
    return value == 0 or _LEAST < abs(value) < 1 / _LEAST


def _suspects(loss: Loss) -> bool:
    """Whether an op with a poor backward may be left; others come from rules, which know better."""
    bodies = (loss.expression, *(d.body for d in loss.definitions))
    nodes = (n for body in bodies for n in walk(body))
    return any(isinstance(n, Call) and n.op in OPS and OPS[n.op].remedy for n in nodes)


def _slopes(function: Elementwise) -> Iterator[Stabilized]:
    """The first derivatives, as they are evaluated."""
    for _, slope in function.slopes:
        yield evaluated(slope)


def _sound(slope: Stabilized) -> bool:
    loss = slope.loss
    soundness = Soundness(Protector.of_loss(loss, RULES, []).tame)
    return soundness.doubts(loss.expression, Ranges.of_loss(loss)) == NONE


def _poor(loss: Loss) -> bool:
    tame = Protector.of_loss(loss, RULES, []).tame
    return any(poor_ops(loss.expression, Ranges.of_loss(loss), tame))


def poor_ops(expr: Expr, ranges: Ranges, tame: Tame) -> Iterator[str]:
    """The ops in ``expr`` with a backward that is wrong where their derivative is right."""
    if not tame.depends(expr):
        return
    match expr:
        case Select(condition, then, otherwise) | Switch(condition, then, otherwise):
            yield from poor_ops(then, ranges.under(condition), tame)
            yield from poor_ops(otherwise, ranges.under(opposite(condition)), tame)
            return
        case Reduce(_, body, _, where):
            yield from poor_ops(body, ranges.under(where), tame)
            return
        case Call(op) if OPS[op].sort is Sort.BOOL:
            return
        case Call(op, args) if OPS[op].remedy:
            (found,) = (ranges.of(a) for a in args)
            if any(_meets(found, low, high) for low, high in bands(op)):
                yield op
        case _:
            pass
    for child in children(expr):
        yield from poor_ops(child, ranges, tame)


def _meets(found: Range, low: float, high: float) -> bool:
    """Whether an argument can be between the two numbers."""
    above = low < found.high or (low == found.high and not found.high_open)
    below = found.low < high or (found.low == high and not found.low_open)
    return above and below
