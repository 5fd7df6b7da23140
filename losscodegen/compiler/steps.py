"""What stabilisation hands on: the rewritten loss and every rewrite that led to it."""

from __future__ import annotations

from dataclasses import dataclass

from losscodegen.ir.loss import Loss
from losscodegen.ir.nodes import Expr


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
