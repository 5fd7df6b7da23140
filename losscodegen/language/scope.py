"""The names a formula may use, and what each of them means."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from losscodegen.ir.loss import (
    Axis,
    Definition,
    DomainKind,
    Loss,
    Variable,
)
from losscodegen.ir.nodes import Call, Expr, Index, Read, Use
from losscodegen.ir.ops import OPS, Sort

CONSTANTS = ("pi", "E", "oo")

_NO_NAMES: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Everything that is declared where a formula stands.

    ``indices`` maps each index to its axis, the axes' own indices included. In an ``open``
    scope a name that is not declared is a `Read`; elsewhere it is an error. ``broken`` are
    names whose own declaration is in error: they are never complained about. ``later`` are
    definitions that come further down, for the hint. Where a tensor with the axes ``whole`` is
    replaced, the bare name of another with these axes is that tensor, whatever they are called.
    """

    variables: Mapping[str, Variable] = field(default_factory=dict)
    definitions: Mapping[str, Definition] = field(default_factory=dict)
    axes: Mapping[str, Axis] = field(default_factory=dict)
    indices: Mapping[str, str] = field(default_factory=dict)
    open: bool = False
    broken: frozenset[str] = frozenset()
    later: frozenset[str] = frozenset()
    whole: tuple[str, ...] | None = None

    @classmethod
    def of(
        cls,
        variables: Iterable[Variable],
        *,
        axes: Iterable[Axis] = (),
        indices: Iterable[Index] = (),
        definitions: Iterable[Definition] = (),
        broken: Iterable[str] = (),
    ) -> Scope:
        """The scope of these declarations; axes not listed are taken from the variables."""
        variables = tuple(variables)
        table = {axis.name: axis for axis in axes}
        for variable in variables:
            for name in variable.subscripted_axes:
                size = int(name) if name.isdecimal() else None
                table.setdefault(name, Axis(name=name, size=size))
        own = {own_index(name): name for name in table if not name.isdecimal()}
        return cls(
            variables={v.name: v for v in variables},
            definitions={d.name: d for d in definitions},
            axes=table,
            indices=own | {i.name: i.axis for i in indices},
            broken=frozenset(broken),
        )

    @classmethod
    def of_loss(cls, loss: Loss) -> Scope:
        """The scope in which the formulas of ``loss`` are read."""
        return cls.of(
            loss.variables,
            axes=loss.axes,
            indices=loss.indices,
            definitions=loss.definitions,
        )

    @classmethod
    def free(cls, indices: Mapping[str, str] = _NO_NAMES) -> Scope:
        """A scope without declarations: all names but these indices and axes are reads."""
        axes = {
            name: Axis(name=name, size=int(name) if name.isdecimal() else None)
            for name in indices.values()
        }
        return cls(axes=axes, indices=dict(indices), open=True)

    def defining(self, definition: Definition) -> Scope:
        """This scope with one definition more."""
        return replace(
            self, definitions={**self.definitions, definition.name: definition}
        )

    def names(self) -> Iterator[str]:
        """Every name that may stand alone, in order of declaration."""
        yield from self.variables
        yield from self.definitions
        yield from self.indices
        yield from (name for name in self.axes if not name.isdecimal())
        yield from CONSTANTS

    def default_subscripts(self, name: str) -> tuple[Index, ...] | None:
        """The subscripts that the bare ``name`` stands for; None where it has to have some.

        An axis read through its own index is unambiguous only if the variable has it once.
        """
        if name in self.definitions:
            return self.definitions[name].indices
        axes = self.variables[name].subscripted_axes
        if self.variables[name].axes == self.whole:
            return self.variables[name].positions
        if len(set(axes)) < len(axes) or any(axis.isdecimal() for axis in axes):
            return None
        return tuple(Index(own_index(axis), axis) for axis in axes)

    def sort(self, expr: Expr) -> Sort | None:
        """Whether ``expr`` is a number or a truth value; None if that cannot be known."""
        match expr:
            case Call(op):
                return OPS[op].sort
            case Read(name):
                variable = self.variables.get(name)
                if variable is None:
                    return None
                truth = variable.domain.kind is DomainKind.BOOL
                return Sort.BOOL if truth else Sort.REAL
            case Use(name):
                definition = self.definitions.get(name)
                return None if definition is None else self.sort(definition.body)
            case _:
                return Sort.REAL


def own_index(axis: str) -> str:
    """The index that belongs to a named axis: ``b`` to ``B``."""
    return axis.lower()


def spelled(scope: Scope, name: str) -> str:
    """A variable or definition with its axes or indices, as where it is declared."""
    if name in scope.definitions:
        inside = [index.name for index in scope.definitions[name].indices]
    else:
        inside = list(scope.variables[name].axes)
    return f"{name}[{', '.join(inside)}]" if inside else name
