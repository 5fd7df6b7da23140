"""Whether a loss is better off with its symbolic gradient: decided by the op table.

Most ops with a poor backward are rewritten by rules. What is left of them in the stabilised loss is
looked up: if torch's backward is wrong for an argument that the op can have here, and the op's own
derivative would be right there, the symbolic gradient is taken. Provided that there is one, and
nothing in it is in doubt.
"""

from __future__ import annotations

from collections.abc import Iterator

from losscodegen.compiler.branches import Protector
from losscodegen.compiler.intervals import Range, point
from losscodegen.compiler.ranges import Ranges, opposite
from losscodegen.compiler.rules import RULES
from losscodegen.compiler.soundness import NONE, Soundness
from losscodegen.compiler.stabilize import stabilize
from losscodegen.compiler.steps import Stabilized
from losscodegen.compiler.symbolic import Elementwise, symbolic
from losscodegen.compiler.tame import Tame
from losscodegen.errors import LossCodegenError
from losscodegen.ir.loss import Gradient, Loss
from losscodegen.ir.nodes import Call, Expr, Reduce, Select, Switch
from losscodegen.ir.ops import OPS, Sort
from losscodegen.ir.walk import children, walk


def settled_gradient(loss: Loss) -> Gradient:
    """How the gradient of ``loss`` is computed: never `Gradient.AUTO`."""
    if loss.gradient is not Gradient.AUTO:
        return loss.gradient
    if not _suspects(loss) or not _poor(stabilize(loss).loss):
        return Gradient.AUTOGRAD
    try:
        form = symbolic(loss, RULES)
    except LossCodegenError:
        return Gradient.AUTOGRAD  # not elementwise: nobody asked for it
    sound = all(_sound(slope) for slope in _slopes(form.function))
    return Gradient.SYMBOLIC if sound else Gradient.AUTOGRAD


def _suspects(loss: Loss) -> bool:
    """Whether an op with a poor backward may be left; others come from rules, which know better."""
    bodies = (loss.expression, *(d.body for d in loss.definitions))
    nodes = (n for body in bodies for n in walk(body))
    return any(isinstance(n, Call) and n.op in OPS and OPS[n.op].remedy for n in nodes)


def _slopes(function: Elementwise) -> Iterator[Stabilized]:
    """The first derivatives, as they are evaluated."""
    for _, slope in function.slopes:
        yield slope.value if isinstance(slope, Elementwise) else slope


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
            found = [ranges.of(a) for a in args]
            for fault in OPS[op].faults:
                if all(map(_contains, found, fault)):
                    yield op
        case _:
            pass
    for child in children(expr):
        yield from poor_ops(child, ranges, tame)


def _contains(found: Range, value: float) -> bool:
    return found & point(value) == point(value)
