"""Derivations with one slip in them: what each wrong step makes of the whole derivative."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from losscodegen.compiler.conditions import both
from losscodegen.compiler.tidy import chosen
from losscodegen.ir.build import ONE, ZERO, call
from losscodegen.ir.nodes import Call, Expr, Read
from losscodegen.ir.walk import walk
from losscodegen.teach.calculus import step
from losscodegen.teach.slips import SLIPS, Slip


@dataclass(frozen=True, slots=True)
class Wrong:
    """A derivative with one slip in it; ``here`` is the part that was differentiated wrongly."""

    slip: Slip
    derivative: Expr
    here: Expr | None


@dataclass(slots=True)
class _Deriver:
    """Differentiates with a slip at one expression; ``target`` None is none."""

    wrt: Read
    slip: Slip | None = None
    target: Expr | None = None
    variant: int = 0
    known: dict[Expr, Expr] = field(default_factory=dict)

    def of(self, expr: Expr) -> Expr:
        found = self.known.get(expr)
        if found is None:
            found = self.known[expr] = self._of(expr)
        return found

    def _of(self, expr: Expr) -> Expr:
        if not any(isinstance(n, Read) and n.name == self.wrt.name for n in walk(expr)):
            return ZERO
        match expr:
            case Read(_, subscripts):
                pairs = zip(subscripts, self.wrt.subscripts, strict=True)
                condition = both(*(call("eq", a, b) for a, b in pairs))
                return chosen(condition, ONE, ZERO)
            case Call("detach"):
                return ZERO
            case _:
                pass
        if self.slip is not None and expr == self.target:
            variants = list(self.slip.change(expr, self.of))
            return variants[self.variant]
        return step(expr, self.of).after


def wrong_derivatives(expr: Expr, wrt: Read) -> Iterator[Wrong]:
    """``expr`` differentiated with each slip at each place where it can be made, one at a time."""
    right = _Deriver(wrt)
    right.of(expr)
    places = [
        node
        for node, slope in reversed(right.known.items())
        if not isinstance(node, Read) and slope != ZERO
    ]
    for slip in SLIPS:
        for node in places:
            count = sum(1 for _ in slip.change(node, right.of))
            for variant in range(count):
                wrong = _Deriver(wrt, slip, node, variant).of(expr)
                yield Wrong(slip, wrong, node)
