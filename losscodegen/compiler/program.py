"""What lowering makes of a loss: statements that assign every name once, and what is checked."""

from __future__ import annotations

from dataclasses import dataclass

from losscodegen.compiler.tensor_nodes import Tensor
from losscodegen.ir.loss import Loss, Variable
from losscodegen.ir.nodes import Guard


@dataclass(frozen=True, slots=True)
class Assign:
    """``name = value``, after the comments of the guards that start here."""

    name: str
    value: Tensor
    guards: tuple[Guard, ...] = ()


@dataclass(frozen=True, slots=True)
class Branch:
    """An ``if`` decided in Python; both blocks assign the same names that are used afterwards."""

    condition: Tensor
    then: tuple[Statement, ...]
    otherwise: tuple[Statement, ...]


Statement = Assign | Branch


@dataclass(frozen=True, slots=True, kw_only=True)
class ShapeCheck:
    """An argument whose shape must follow from what came before.

    ``dims`` is one entry per declared axis: the (argument, dim) that fixed its size, an int for an
    axis written as a number, None for an axis seen here first, ``...`` for the batch.
    """

    argument: Variable
    dims: tuple[tuple[str, int] | int | str | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mean:
    """How ``reduction="mean"`` divides, where it is not the number of elements.

    ``weight`` already has the shape of the loss; it applies only if ``present`` is not None.
    """

    statements: tuple[Statement, ...]
    weight: Tensor
    present: str | None = None


@dataclass(frozen=True, slots=True)
class Slope:
    """The derivative by an argument, times what backward is given: ``name``, which the last of
    ``statements`` assigns. ``factor`` is a function that the derivative itself is, if any.
    """

    argument: Variable
    name: str
    statements: tuple[Statement, ...]
    factor: Factor | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor:
    """A derivative that brings its own derivative: ``name`` is what backward calls its value."""

    name: str
    function: Derived


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """An elementwise function with a backward of its own; it assigns ``loss`` in forward.

    ``operands`` are what it is called with.
    ``shared`` is what several of the ``slopes`` need; ``grad`` is what backward calls the gradient
    that it is given, ``context`` the place for what forward leaves it.
    """

    name: str
    arguments: tuple[Variable, ...]
    operands: tuple[Tensor, ...]
    forward: tuple[Statement, ...]
    shared: tuple[Statement, ...]
    slopes: tuple[Slope, ...]
    grad: str
    context: str
    result: str = "loss"
    """What the function that calls it calls its value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A lowered loss. ``loss`` is the stabilised IR it came from, for the documentation."""

    loss: Loss
    checks: tuple[ShapeCheck, ...]
    statements: tuple[Statement, ...]
    result: str
    mean: Mean | None = None
    require: tuple[tuple[Tensor, str], ...] = ()
    """What the scalar parameters must satisfy together, and how the spec words it."""
    guards: tuple[Guard, ...] = ()
    derived: Derived | None = None
    """The function that computes the result from what the statements assign, if there is one."""
    after: tuple[Statement, ...] = ()
    """What makes the loss of what that function gives, if that is not the loss itself."""
