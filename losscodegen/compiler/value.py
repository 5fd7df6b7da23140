"""What lowering knows of an expression once it is a tensor."""

from __future__ import annotations

from dataclasses import dataclass

from losscodegen.compiler.layout import Layout
from losscodegen.compiler.tensor_nodes import (
    Tensor,
)
from losscodegen.ir.nodes import Guard


@dataclass(frozen=True, slots=True)
class Value:
    """A tensor expression, the indices of its dims, and what it carries along.

    ``weight`` counts the ops that are still inline. ``partial``: at run time it may be a number
    where ``layout`` says tensor, because a switch has a number on one side; broadcasting makes
    that right beside a full tensor, and nowhere else.
    """

    tensor: Tensor
    layout: Layout = ()
    static: bool = False
    integer: bool = False
    weight: int = 0
    guards: tuple[Guard, ...] = ()
    partial: bool = False
