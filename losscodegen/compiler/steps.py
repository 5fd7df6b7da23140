"""What stabilisation hands on: the rewritten loss and every rewrite that led to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from losscodegen.ir.loss import Loss
from losscodegen.ir.nodes import Expr
from losscodegen.ir.walk import children, rebuild


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One rewrite: ``rule`` turned ``before`` into ``after``, because of ``why``.

    ``why`` is the sentence that stands in the generated code.
    """

    rule: str
    before: Expr
    after: Expr
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stabilized:
    """``loss`` has the value and the domain of the loss it came from, and no definitions left."""

    loss: Loss
    steps: tuple[Step, ...] = ()


def as_typed(expr: Expr, steps: Sequence[Step]) -> Expr:
    """``expr`` with what the ``steps`` have rewritten in it as it was before them."""
    made = {step.after: (k, step.before) for k, step in enumerate(steps)}
    known: dict[tuple[Expr, int], Expr] = {}

    def before(node: Expr, rewrites: int) -> Expr:
        """``node`` as it was before that many steps; what one has made may be part of the next."""
        name = (node, rewrites)
        if name not in known:
            found = made.get(node)
            if found is not None and found[0] < rewrites:
                known[name] = before(found[1], found[0])
            else:
                parts = tuple(before(c, rewrites) for c in children(node))
                known[name] = rebuild(node, parts)
        return known[name]

    return before(expr, len(steps))
