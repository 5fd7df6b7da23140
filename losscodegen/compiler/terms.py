"""The terms of a loss that is a sum: the elementwise function that it is made of."""

from __future__ import annotations

from dataclasses import dataclass, replace

from losscodegen.compiler.layout import BATCH, axes_of
from losscodegen.compiler.ranges import Ranges
from losscodegen.compiler.rule import Rule
from losscodegen.compiler.stabilize import stabilize
from losscodegen.ir.loss import ELLIPSIS, Domain, DomainKind, Loss, Role, Variable
from losscodegen.ir.nodes import Expr, Index, Keep, Read, Reduce, Reduction
from losscodegen.ir.walk import free_indices, fresh_name, transform, walk

_NAME = "terms"


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """``kernel`` gives the terms, ``whole`` is the loss in which ``terms`` stands for them."""

    kernel: Loss
    whole: Loss
    terms: Read


def split(loss: Loss, rules: tuple[Rule, ...]) -> Split | None:
    """The terms of the one sum or mean in ``loss``; None if that is not what it is.

    ``loss`` holds no definitions. A sum that leaves entries out is none of those: what it leaves
    out may be infinite. Nor is one that a rule rewrites together with its terms.
    """
    found = _split(loss)
    if found is None or _entangled(loss, rules):
        return None
    return found


def _entangled(loss: Loss, rules: tuple[Rule, ...]) -> bool:
    """Whether a rewrite leaves no sum as it was."""
    for step in stabilize(loss, rules).steps:
        kept = set(walk(step.after))
        if any(isinstance(n, Reduce) and n not in kept for n in walk(step.before)):
            return True
    return False


def _split(loss: Loss) -> Split | None:
    binders = {n for n in walk(loss.expression) if isinstance(n, Reduce | Keep)}
    if len(binders) != 1:
        return None
    (binder,) = binders
    match binder:
        case Reduce(Reduction.SUM | Reduction.MEAN, body, indices, None) if not (
            isinstance(body, Read)
        ):
            pass
        case _:
            return None
    axes = axes_of(loss)
    reads = [n for n in walk(body) if isinstance(n, Read)]
    rank = {v.name: v for v in loss.variables}
    wide = any(ELLIPSIS in rank[r.name].axes for r in reads)
    entries = {*free_indices(body), *indices}
    layout = axes.sort((*entries, *((BATCH,) if wide else ())))
    order = tuple(e for e in layout if isinstance(e, Index))
    kernel = replace(
        loss,
        expression=body,
        free=order,
        batch=layout.index(BATCH) if wide else None,
        mean_weight=None,
    )
    taken = {n for v in loss.variables for n in (v.name, v.arg)}
    name = fresh_name(_NAME, taken) if _NAME in taken else _NAME
    nonnegative = Ranges.of_loss(loss).of(body).nonnegative
    kind = DomainKind.NONNEGATIVE if nonnegative else DomainKind.REAL
    variable = Variable(
        name=name,
        arg=name,
        role=Role.INPUT,
        domain=Domain(kind=kind),
        axes=tuple(e.axis if isinstance(e, Index) else ELLIPSIS for e in layout),
    )
    terms = Read(name, order)
    summed = replace(binder, body=terms)

    def visit(node: Expr) -> Expr:
        return summed if node == binder else node

    whole = replace(
        loss,
        expression=transform(loss.expression, visit),
        inputs=(*loss.inputs, variable),
    )
    return Split(kernel=kernel, whole=whole, terms=terms)
