"""A loss as the compiler and the judge see it: declarations, definitions, one expression."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from fractions import Fraction

from losscodegen.errors import Location
from losscodegen.ir.interface import Interface as Interface
from losscodegen.ir.modes import Accuracy as Accuracy
from losscodegen.ir.modes import Gradient as Gradient
from losscodegen.ir.nodes import Expr, Index

ELLIPSIS = "..."
"""Stands among the axes of a variable for any number of further dims, always elementwise."""


class DomainKind(Enum):
    """The sets a variable may be declared to lie in; the value is the word of the language."""

    REAL = "real"
    POSITIVE = "positive"
    NONNEGATIVE = "nonnegative"
    NEGATIVE = "negative"
    UNIT = "unit"
    BINARY = "binary"
    SIGN = "sign"
    COUNT = "count"
    INTEGER = "integer"
    INDEX = "index"
    SIMPLEX = "simplex"
    LOGPROB = "logprob"
    MASK = "mask"
    BOOL = "bool"
    CHOICE = "choice"


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A real interval; an end of None is infinite and open."""

    low: Fraction | None = None
    high: Fraction | None = None
    low_open: bool = True
    high_open: bool = True

    def __contains__(self, value: float | Fraction) -> bool:
        if value != value:
            return False
        if self.low is not None and (
            value < self.low or (self.low_open and value == self.low)
        ):
            return False
        return self.high is None or not (
            value > self.high or (self.high_open and value == self.high)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """Where the entries of a variable lie.

    ``axis`` is the axis (or the number, ``"4"``) that index, simplex and logprob refer to;
    ``choices`` the words of a choice; ``interval`` a declared ``in [a, b)``.
    """

    kind: DomainKind
    axis: str | None = None
    choices: tuple[str, ...] = ()
    interval: Interval | None = None


class Role(Enum):
    INPUT = "input"
    PARAMETER = "parameter"
    LEARNABLE = "learnable"


class Absent(Enum):
    """Defaults that are no value."""

    REQUIRED = "required"
    NONE = "none"
    """May be left out: as a factor it is 1, its branch is not emitted."""


ORDINARY = 2.0**30
"""The largest number for which absolute accuracy is promised. Products of two squares of such
numbers, and their reciprocals, stay in the range of float32."""

Default = Fraction | bool | str | Absent


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A declared input or parameter.

    ``name`` is the symbol in formulas, ``arg`` its Python name. ``axes`` are names, sizes
    (``"4"``) or `ELLIPSIS`; a parameter without axes is a Python scalar.
    """

    name: str
    arg: str
    role: Role
    domain: Domain
    axes: tuple[str, ...] = ()
    default: Default = Absent.REQUIRED
    default_text: str | None = field(default=None, compare=False)
    doc: str = ""
    buffer: bool = False
    location: Location | None = field(default=None, compare=False)

    @property
    def optional(self) -> bool:
        """Whether it may be left out. Never a learnable parameter, which has to start somewhere."""
        return self.default is Absent.NONE and self.role is not Role.LEARNABLE

    @property
    def required(self) -> bool:
        """Whether the constructor must be given it."""
        return self.default is Absent.REQUIRED or (
            self.default is Absent.NONE and self.role is Role.LEARNABLE
        )

    @property
    def scalar(self) -> bool:
        """A Python number, bool or word: known when the loss is built, never differentiated."""
        return self.role is Role.PARAMETER and not self.axes

    @property
    def subscripted_axes(self) -> tuple[str, ...]:
        """The axes that take a subscript."""
        return tuple(a for a in self.axes if a != ELLIPSIS)

    @property
    def positions(self) -> tuple[Index, ...]:
        """An index for each: the axis's own, or one of the place if that says too little."""
        axes = self.subscripted_axes
        return tuple(
            (
                Index(f"#{place}", axis)
                if axis.isdecimal() or axes.count(axis) > 1
                else Index(axis.lower(), axis)
            )
            for place, axis in enumerate(axes)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """A named axis; ``size`` is known only for axes written as a number."""

    name: str
    size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A line of the ``let`` block: ``name[indices] = body``, usable at any subscripts."""

    name: str
    indices: tuple[Index, ...]
    body: Expr
    location: Location | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class LawSide:
    """``factor*loss(x=..., ...) + offset``, or the bare ``factor`` when ``loss`` is False."""

    factor: Expr
    loss: bool = False
    replaced: tuple[tuple[str, Expr], ...] = ()
    offset: Expr | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Law:
    """An identity or inequality that the loss must satisfy; ``relation`` is a comparison op."""

    left: LawSide
    relation: str
    right: LawSide
    text: str = field(default="", compare=False)
    location: Location | None = field(default=None, compare=False)


Nested = float | tuple["Nested", ...]
"""A number or a tensor written as nested tuples."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A worked example: arguments by symbol, and the unreduced loss they give."""

    arguments: tuple[tuple[str, Nested | str], ...]
    """A str is the word of a choice."""
    result: Nested


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """One table of a spec file, parsed.

    ``free`` are the indices of the unreduced loss in the order of its dims; ``batch`` is the number
    of them that stand before ``...``, None where the loss has no ``...``. A loss with neither is a
    scalar and takes no ``reduction``.
    """

    name: str
    function: str
    module: str
    expression: Expr
    inputs: tuple[Variable, ...]
    parameters: tuple[Variable, ...] = ()
    axes: tuple[Axis, ...] = ()
    indices: tuple[Index, ...] = ()
    """The further indices declared in ``indices``; each axis also has its own lower-case one."""
    definitions: tuple[Definition, ...] = ()
    free: tuple[Index, ...] = ()
    batch: int | None = None
    mean_weight: Expr | None = None
    reduction: str = "mean"
    gradient: Gradient = Gradient.AUTO
    gradient_place: Location | None = field(default=None, compare=False)
    """Where the spec asks for that mode, if it does."""
    accuracy: Accuracy = Accuracy.RELATIVE
    require: tuple[Expr, ...] = ()
    laws: tuple[Law, ...] = ()
    interface: Interface | None = None
    example: Example | None = None
    family: str = ""
    summary: str = ""
    description: str = ""
    reference: str = ""
    notes: str = ""
    location: Location | None = field(default=None, compare=False)

    @property
    def variables(self) -> tuple[Variable, ...]:
        return self.inputs + self.parameters

    def variable(self, name: str) -> Variable:
        """The input or parameter called ``name`` in formulas; KeyError if there is none."""
        for variable in self.variables:
            if variable.name == name:
                return variable
        raise KeyError(name)

    @property
    def scalar(self) -> bool:
        return not self.free and self.batch is None
