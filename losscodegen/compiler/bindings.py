"""What a pattern turned out to stand for, and how its replacement is put back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction

from losscodegen.compiler.canonical import (
    Factor,
    Term,
    from_factors,
    from_terms,
    scaled,
)
from losscodegen.compiler.equality import same
from losscodegen.ir.build import ONE
from losscodegen.ir.nodes import Call, Expr, Index, Number, Read, Reduce
from losscodegen.ir.walk import children, free_indices, substitute


@dataclass(frozen=True, slots=True)
class Template:
    """What a name of a pattern stands for; ``params`` are the bound indices it may depend on.

    A name in a subscript stands for as many expressions as its binder has indices.
    """

    bodies: tuple[Expr, ...]
    params: tuple[Index, ...] = ()

    @property
    def body(self) -> Expr:
        (body,) = self.bodies
        return body

    def at(self, subscripts: tuple[Expr, ...]) -> Expr:
        """The expression with its parameters replaced."""
        return substitute(self.body, dict(zip(self.params, subscripts, strict=True)))


@dataclass(frozen=True, slots=True)
class Bindings:
    """What has been matched so far."""

    names: Mapping[str, Template] = field(default_factory=dict)
    indices: Mapping[Index, tuple[Index, ...]] = field(default_factory=dict)
    inside: frozenset[Index] = frozenset()
    """The bound indices of the binders around the place that is being matched."""

    def bind(self, name: str, template: Template) -> Bindings:
        return replace(self, names={**self.names, name: template})

    def enter(self, pattern: tuple[Index, ...], found: tuple[Index, ...]) -> Bindings:
        """A single pattern index stands for all indices of the binder it meets."""
        pairs = (
            {pattern[0]: found}
            if len(pattern) == 1
            else {p: (f,) for p, f in zip(pattern, found, strict=True)}
        )
        inside = self.inside | set(found)
        return replace(self, indices={**self.indices, **pairs}, inside=inside)

    def leave(self, outer: Bindings) -> Bindings:
        """What is known outside of the binder that ``outer`` entered."""
        return replace(self, inside=outer.inside)


@dataclass(frozen=True, slots=True)
class Match:
    """``expression == scale*pattern + sum(terms)`` or ``scale*pattern*product(factors)``."""

    bindings: Bindings
    scale: Fraction = Fraction(1)
    terms: tuple[Term, ...] = ()
    factors: tuple[Factor, ...] = ()
    position: int = 0
    """Where in the sum the pattern stood."""
    power: Fraction = Fraction(1)
    """The pattern occurred to this power."""

    @property
    def whole(self) -> bool:
        """Whether the expression is the pattern and nothing else."""
        return self.scale == self.power == 1 and not self.terms and not self.factors

    def around(self, replacement: Expr) -> Expr:
        """The expression with ``replacement`` in place of the pattern."""
        if self.terms:
            new = terms_of_replacement(replacement, self.scale)
            return from_terms(
                (*self.terms[: self.position], *new, *self.terms[self.position :])
            )
        if self.power == 1 and not self.factors:
            return scaled(replacement, self.scale)
        sign, body = _unsigned(replacement)
        return from_factors(
            self.scale * sign**self.power.numerator,
            (*self.factors, Factor(body, self.power)),
        )


def _unsigned(expr: Expr) -> tuple[int, Expr]:
    """``expr`` without a leading minus."""
    match expr:
        case Call("neg", (arg,)):
            return -1, arg
        case _:
            return 1, expr


def terms_of_replacement(replacement: Expr, scale: Fraction) -> tuple[Term, ...]:
    """``scale*replacement`` as terms of a sum; a named replacement stays whole."""
    if replacement.origin.name is not None:
        return (Term(scale, replacement),)
    match replacement:
        case Call("add", args) if abs(scale) == 1:
            return tuple(t for a in args for t in terms_of_replacement(a, scale))
        case Call("neg", (arg,)):
            return (Term(-scale, arg),)
        case Number(value):
            return (Term(scale * value, ONE),)
        case _:
            return (Term(scale, replacement),)


def solve(template: Template, expr: Expr) -> tuple[Expr, ...] | None:
    """The subscripts at which ``template`` is ``expr``; None unless there is exactly one choice."""
    found: dict[Index, Expr] = {}
    if not _solve(template.body, expr, frozenset(template.params), found):
        return None
    if len(found) != len(template.params):
        return None
    subscripts = tuple(found[p] for p in template.params)
    return subscripts if same(template.at(subscripts), expr) else None


def _solve(
    body: Expr, expr: Expr, params: frozenset[Index], found: dict[Index, Expr]
) -> bool:
    """Walks both in step and notes what stands where ``body`` has a parameter."""
    if isinstance(body, Index) and body in params:
        return found.setdefault(body, expr) == expr
    if not params.intersection(free_indices(body)):
        return True
    if type(body) is not type(expr):
        return False
    match body, expr:
        case Call(op, args), Call(other, others) if op != other or len(args) != len(
            others
        ):
            return False
        case Read(name), Read(other) if name != other:
            return False
        case Reduce(_, _, ours), Reduce(_, _, theirs) if ours != theirs:
            expr = _renamed(expr, ours, theirs)
        case _:
            pass
    pairs = zip(children(body), children(expr), strict=False)
    return all(_solve(b, e, params, found) for b, e in pairs)


def _renamed(expr: Expr, ours: tuple[Index, ...], theirs: tuple[Index, ...]) -> Expr:
    """A reduction with the bound indices of the one it is compared with."""
    if len(ours) != len(theirs) or not isinstance(expr, Reduce):
        return expr
    new: dict[Index, Expr] = dict(zip(theirs, ours, strict=True))
    return replace(expr, body=substitute(expr.body, new), indices=ours)
