"""The typed expressions that every stage works on: a closed union of few nodes.

An expression is a real number (or a truth value) for each value of its free indices and, when it
reads a tensor declared with ``...``, for each element of that batch. Nothing is simplified on
construction: ``0*log(x)`` stays what it is, because floating point cares.

Nodes are compared and hashed by structure alone. `Origin` rides along: where the node was written,
what a reader would call it, and the guard it belongs to. A node never changes, so what follows from
it alone is worked out once: its hash, and the facts of functions that are `remembered`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from fractions import Fraction
from functools import wraps
from typing import Any, TypeVar, cast

from losscodegen.errors import Location

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """The trace of a rule in generated code: its name and the sentence that explains it."""

    rule: str
    why: str
    smooth: bool = field(default=False, compare=False)
    """Whether a clip of this rule may have either derivative at its ends: it cancels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What is known of a node besides its meaning; never part of equality."""

    location: Location | None = None
    name: str | None = None
    """The name a reader would give the value: a definition's, or the one a rule supplies."""
    guard: Guard | None = None
    helped: bool = False
    """Whether the module defines the op anew, for its second derivative."""


def _origin() -> Origin:
    return field(default=NO_ORIGIN, compare=False, repr=False, kw_only=True)


NO_ORIGIN = Origin()


class Reduction(Enum):
    """Binders: the index disappears."""

    SUM = "Sum"
    MEAN = "Mean"
    PROD = "Prod"
    LOGSUMEXP = "logsumexp"
    AMAX = "amax"
    AMIN = "amin"
    NORM = "norm"
    VAR = "var"


class Keeper(Enum):
    """Functions of a whole axis that keep its index."""

    SOFTMAX = "softmax"
    LOG_SOFTMAX = "log_softmax"
    SOFTMIN = "softmin"
    NORMALIZE = "normalize"


class Node:
    """What is known of a node already. No fields: not compared, printed, copied or pickled."""

    __slots__ = ("_facts", "_hash")
    _facts: dict[Callable[..., Any], Any]
    _hash: int


def remembered(function: Callable[[Expr], T]) -> Callable[[Expr], T]:
    """``function``, which depends on a node and nothing else, computed once for each object.

    Not once for equal nodes: these may differ in their origins, and so may the results.
    """

    @wraps(function)
    def known(expr: Expr) -> T:
        try:
            return cast(T, expr._facts[function])
        except AttributeError:
            object.__setattr__(expr, "_facts", {})
        except KeyError:
            pass
        fact = expr._facts[function] = function(expr)
        return fact

    return known


def _hashed_once(cls: type[T]) -> type[T]:
    """Without it, every look-up in a dict would hash the whole tree below the node again."""
    structural = cast(Callable[[Any], int], cls.__hash__)

    def known(self: Any) -> int:
        try:
            return cast(int, self._hash)
        except AttributeError:
            object.__setattr__(self, "_hash", structural(self))
            return cast(int, self._hash)

    cls.__hash__ = known  # type: ignore[method-assign]
    return cls


@_hashed_once
@dataclass(frozen=True, slots=True)
class Number(Node):
    """An exact rational; ``text`` is how the spec wrote it (``1e-7``)."""

    value: Fraction
    text: str | None = field(default=None, compare=False)
    origin: Origin = _origin()


class Named(Enum):
    """Constants that are no rationals. Minus infinity is ``neg(oo)``."""

    PI = "pi"
    E = "E"
    OO = "oo"


@_hashed_once
@dataclass(frozen=True, slots=True)
class Constant(Node):
    name: Named
    origin: Origin = _origin()


@_hashed_once
@dataclass(frozen=True, slots=True)
class Index(Node):
    """An index of an axis: as a subscript it selects, as a number it counts from 0."""

    name: str
    axis: str
    origin: Origin = _origin()


@_hashed_once
@dataclass(frozen=True, slots=True)
class Size(Node):
    """The number of elements of an axis."""

    axis: str
    origin: Origin = _origin()


@_hashed_once
@dataclass(frozen=True, slots=True)
class Read(Node):
    """An element of an input or a parameter.

    One subscript per declared axis (none for ``...``, which is always elementwise): an `Index`, an
    index plus or minus a number (a shift), a number, or an integer-valued expression (a gather).
    """

    name: str
    subscripts: tuple[Expr, ...] = ()
    origin: Origin = _origin()


@_hashed_once
@dataclass(frozen=True, slots=True)
class Use(Node):
    """A definition of the ``let`` block at given subscripts. `inline` removes these."""

    name: str
    subscripts: tuple[Expr, ...] = ()
    origin: Origin = _origin()


@_hashed_once
@dataclass(frozen=True, slots=True)
class Call(Node):
    """An op of the op table, comparisons and logic included. ``add`` and ``mul`` are n-ary."""

    op: str
    args: tuple[Expr, ...]
    origin: Origin = _origin()


@_hashed_once
@dataclass(frozen=True, slots=True)
class Select(Node):
    """Elementwise choice, ``where(condition, then, otherwise)``. A Piecewise is a chain of them."""

    condition: Expr
    then: Expr
    otherwise: Expr
    origin: Origin = _origin()


@_hashed_once
@dataclass(frozen=True, slots=True)
class Switch(Node):
    """``then if condition else otherwise`` over scalar parameters, decided in Python.

    The branch not taken is not computed at all. ``condition`` reads only scalar parameters.
    """

    condition: Expr
    then: Expr
    otherwise: Expr
    origin: Origin = _origin()


@_hashed_once
@dataclass(frozen=True, slots=True)
class Reduce(Node):
    """A binder over one or more indices, where ``where`` holds (everywhere if it is None).

    ``order`` is the p of a norm and None for every other kind. Over no element at all a sum is 0, a
    product 1, a logsumexp -oo, an amax -oo, an amin oo, a mean and a var undefined.
    ``var`` is the sample variance, divided by the number of elements minus one.
    """

    kind: Reduction
    body: Expr
    indices: tuple[Index, ...]
    where: Expr | None = None
    order: Expr | None = None
    origin: Origin = _origin()


@_hashed_once
@dataclass(frozen=True, slots=True)
class Keep(Node):
    """``kind`` over the bound ``index``, taken at the subscript ``at`` (usually the index itself).

    ``log_softmax(x, c)`` used at the target ``t`` is ``Keep(LOG_SOFTMAX, x[b,c], c, at=t[b])``:
    ``index`` is bound in ``body`` and free nowhere else.
    """

    kind: Keeper
    body: Expr
    index: Index
    at: Expr
    origin: Origin = _origin()


Expr = (
    Number
    | Constant
    | Index
    | Size
    | Read
    | Use
    | Call
    | Select
    | Switch
    | Reduce
    | Keep
)
