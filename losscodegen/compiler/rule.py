"""What a rule is: one row of the rule table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType

INDICES = {"i": "I", "j": "J"}
"""The bound indices of patterns and the axes they run over."""


Entries = float | tuple[float, ...] | tuple[tuple[float, ...], ...]
"""A number, a row of them, or a matrix."""


class Phase(Enum):
    """When a rule is tried. Every phase runs until none of its rules fires any more."""

    RECOGNISE = "recognise"
    """Formulas become the functions they are: ``log(1 + exp(x))`` becomes ``softplus(x)``."""
    LEVEL = "level"
    """Functions that level off are kept from arguments whose derivative overflows."""
    EXPAND = "expand"
    """Functions whose own gradient is poor become expressions whose gradient is good."""
    OVERFLOW = "overflow"
    """What overflows although the result does not is replaced far out."""
    BEND = "bend"
    """So do those whose value and gradient are right and whose second derivative is poor. Losses
    over axes are left alone, where a tensor more costs most."""


class Fault(Enum):
    """What goes wrong at a witness."""

    VALUE = "value"
    GRADIENT = "gradient"
    SECOND = "second derivative"


class Purpose(Enum):
    """What goes wrong without a rule, at its witness or anywhere else."""

    RANGE = "range"
    """NaN and infinities, or errors that are not small beside usual results; or a row that is for
    those does not recognise its pattern any more."""
    DIGITS = "digits"
    """Nothing but digits of results, and of gradients, that are small beside usual ones. Where the
    spec asks for absolute accuracy, such a rule stays out unless those digits matter to the rest
    of the formula."""
    ENDS = "ends"
    """NaN and infinities, or errors of any size, but only where numbers are neither 0 nor between
    1/ORDINARY and ORDINARY in magnitude. Absolute accuracy is not promised there, and such a rule
    stays out of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """A point where the pattern fails in floating point and the replacement does not.

    ``point`` gives every name of the pattern a number, or a tuple of numbers for a name that
    depends on a bound index, of rows for one that depends on two; a subscript such as ``t`` is a
    position. ``wrt`` is the name whose derivative fails. ``instead`` puts formulas in place of
    names, where it takes a context to see the fault; ``within`` is a formula around the pattern,
    which is ``x`` there. Where it takes the ``whole`` axis, ``t`` is its index.
    """

    point: Mapping[str, Entries] = field(hash=False)
    fault: Fault = Fault.VALUE
    dtype: str = "float32"
    wrt: str | None = None
    instead: Mapping[str, str] = field(
        default_factory=lambda: MappingProxyType({}), hash=False
    )
    within: str = "x"
    whole: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rewrite, as data.

    Attributes:
        name: kebab-case; stands in the generated code, ``Guard [name]``.
        pattern: a formula; see `match` for what its names stand for.
        let: lines ``name = formula`` or ``name[i] = formula`` that name intermediates.
        replacement: a formula over the names of the pattern and of ``let``.
        condition: what must be proved for the rule to fire, over the names of the pattern.
        unless: the rule stays out where this is proved, because nothing can go wrong.
        optional: names that may be missing: 1 in a product, 0 in a sum.
        varying: names that must not stand for Python numbers.
        steady: names that must stand for Python numbers.
        why: one sentence, the comment in the generated code.
        source: where this is known from.
        witness: a point where the pattern fails and the replacement does not.
        domain: where the names may lie when the two sides are compared; a range such as
            ``"(0, oo)"`` by name, ``"(-oo, oo)"`` for the others.
        purpose: what the rule is for.
        as_written: the rule fires only on what stands in the spec, not on what other rules made.
        whole: the rule fires only where the pattern is all there is, not on a factor of a product
            or some terms of a sum: with ``as_written``, on functions that the spec itself calls.
        sole: the rule stays out of sums with a Python number beside that of the pattern: the two
            are one number, and what is missing to it is another thing.
        safe: the selects of the replacement need no further guard, and its derivative is
            bounded for every finite argument.
        bounded: such a replacement is no larger than 1.
        balanced: the selects of the replacement need no further guard, because where the branch
            that is dropped has no finite derivative the other has none either.
        smooth: the replacement's derivative is continuous at the ends of its clip, whichever
            derivative clip itself is given there.
        gradient_only: the value of the pattern is right, only its gradient is not; such a rule
            stays out where no gradient flows.
        helped: the module defines a function of its own for the op of the pattern, which computes
            the replacement, or the same with derivatives of its own. Its docstring says why.
        bent: the second derivative of the replacement is right, too; rows for the sake of that
            stay out of it.
        linear: the rule fires only on parts in which the formula is linear: elsewhere the slope of
            the part counts for more than its second derivative.
        nested: the rule fires only on other parts: what the formula is linear in overflows into its
            result.
        cut: a name; the rule stays out where it stands for a ``relu``, which hands no gradient on
            where it is 0, not even an infinite one.
        single: the rule stays out where the pattern is a distance of all pairs: those are lowered
            to a function that does what the rule does.
        slopes: the names by which the gradient fails, if it is not all of them; the rule stays
            out where no gradient flows through what they stand for.
        large: names; the rule fires only where what they stand for may be as large as an input.
        huge: names; the rule fires only where what they stand for may overflow although every
            input is of an ordinary size.
        steep: names; the rule fires only where the derivative of what they stand for may overflow.
        cubic: names; the rule fires only where what they stand for may overflow although the square
            of every input does not. What it is divided by does not count.
        tiny: names; the rule fires only where what they stand for may underflow although every
            input is of an ordinary size.
        distinct: names that must not stand for the same.
        calm: names; the rule stays out where what they stand for may overflow.
        outside: the rule stays out of the branches that another rule has made.
        overflows: the rule fires only where an argument of the pattern may.
        grown: the rule fires only where what it rewrites may overflow.
        outer: the rule fires only on what there is one of for each result, not on the terms of a
            sum, where a tensor more costs most.
        scalars: the rule fires on Python numbers, too, as they stand in the spec. They are rounded
            to double, which is not enough for float64 where digits cancel.
        first: the rule is tried before the parts of a formula are rewritten, and sees them as they
            stand in the spec.
    """

    name: str
    pattern: str
    replacement: str
    why: str
    source: str
    witness: Witness
    let: tuple[str, ...] = ()
    condition: str | None = None
    unless: str | None = None
    optional: tuple[str, ...] = ()
    varying: tuple[str, ...] = ()
    steady: tuple[str, ...] = ()
    domain: Mapping[str, str] = field(
        default_factory=lambda: MappingProxyType({}), hash=False
    )
    phase: Phase = Phase.RECOGNISE
    purpose: Purpose = Purpose.RANGE
    as_written: bool = False
    whole: bool = False
    sole: bool = False
    safe: bool = False
    bounded: bool = False
    balanced: bool = False
    smooth: bool = False
    gradient_only: bool = False
    helped: bool = False
    bent: bool = False
    linear: bool = False
    nested: bool = False
    cut: str | None = None
    single: bool = False
    slopes: tuple[str, ...] = ()
    large: tuple[str, ...] = ()
    huge: tuple[str, ...] = ()
    steep: tuple[str, ...] = ()
    cubic: tuple[str, ...] = ()
    tiny: tuple[str, ...] = ()
    distinct: tuple[str, ...] = ()
    calm: tuple[str, ...] = ()
    outside: bool = False
    overflows: bool = False
    grown: bool = False
    outer: bool = False
    scalars: bool = False
    first: bool = False

    @property
    def sloped(self) -> bool:
        """Whether the rule is for the sake of a derivative alone."""
        return self.gradient_only or self.phase is Phase.BEND


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuted:
    """A tempting rewrite that is wrong, and the point that shows it.

    ``fault`` tells whether the two sides differ as functions or only the replacement's gradient
    is wrong in floating point.
    """

    name: str
    pattern: str
    replacement: str
    why: str
    source: str
    witness: Witness
    exact: bool = False
    """Whether both sides are equal as real functions, so that only rounding refutes it."""


def magnitude(argument: str) -> str:
    """The logarithm of ``argument``, which is not negative, as `magnitudes` takes it apart."""
    return f"where({argument} > 0, log({argument}), -oo)"
