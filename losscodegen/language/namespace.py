"""The declared names of a loss: what each stands for, and that none stands for two things."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from losscodegen.errors import Diagnostic, Location, LossCodegenError
from losscodegen.ir.loss import (
    ELLIPSIS,
    Absent,
    Axis,
    DomainKind,
    Role,
    Variable,
)
from losscodegen.ir.nodes import Index
from losscodegen.language.declarations import Declaration, read_declaration
from losscodegen.language.domains import CONTINUOUS
from losscodegen.language.names import (
    argument_objection,
    closest,
    quoted,
    symbol_objection,
)
from losscodegen.language.scope import Scope, own_index
from losscodegen.language.source import Source
from losscodegen.language.spec import SpecLoss, SpecVariable

_WORD = re.compile(r"[^\W\d]\w*")


class Namespace:
    """Reads the declarations of one loss; what is wrong goes to ``problems``.

    Names whose declaration could not be read are ``broken``: nothing more is said of them.
    """

    def __init__(self, spec: SpecLoss, problems: list[Diagnostic]) -> None:
        self.problems = problems
        self.inputs: tuple[Variable, ...] = ()
        self.parameters: tuple[Variable, ...] = ()
        self.axes: dict[str, Axis] = {}
        self.indices: tuple[Index, ...] = ()
        self.broken: set[str] = set()
        self.meanings: dict[str, tuple[str, Location]] = {}
        self._arguments: list[tuple[Variable, Location]] = []
        self._measured: list[tuple[str, str, Location]] = []
        learnable = {source.text for source in spec.learnable}
        self.inputs = self._declare(spec.inputs, Role.INPUT, learnable)
        self.parameters = self._declare(spec.params, Role.PARAMETER, learnable)
        self._check_arguments()
        self._check_measured()
        self._check_learnable(spec.learnable)
        self.indices = tuple(self._further_indices(spec.indices))

    @property
    def variables(self) -> tuple[Variable, ...]:
        return self.inputs + self.parameters

    def scope(self) -> Scope:
        """The scope of formulas, as yet without definitions."""
        return Scope.of(
            self.variables,
            axes=self.axes.values(),
            indices=self.indices,
            broken=self.broken,
        )

    def claim(self, name: str, meaning: str, location: Location) -> bool:
        """Gives ``name`` this meaning, unless it has one: one name, one meaning."""
        if name not in self.meanings:
            self.meanings[name] = (meaning, location)
            return True
        other, first = self.meanings[name]
        self.problem(
            "name-clash",
            f"{quoted(name)} is {other} and {meaning}",
            location,
            f"{other} in line {first.line}, column {first.column}; rename one of them",
        )
        return False

    def problem(
        self,
        code: str,
        message: str,
        location: Location | None,
        hint: str | None = None,
    ) -> None:
        self.problems.append(Diagnostic(code, message, location, hint))

    # ------------------------------------------------------------------ variables

    def _declare(
        self, specs: Iterable[SpecVariable], role: Role, learnable: set[str]
    ) -> tuple[Variable, ...]:
        variables = []
        for spec in specs:
            name, place = spec.name.text, spec.name.whole()
            kind = "an input" if role is Role.INPUT else "a parameter"
            fine = self._unobjectionable(name, symbol_objection, place)
            fine = self.claim(name, kind, place) and fine
            declaration = self._declaration(spec)
            if not fine or declaration is None:
                self.broken.add(name)
                continue
            own = role
            if role is Role.PARAMETER and name in learnable:
                own = Role.LEARNABLE
            variable = self._variable(spec, declaration, own)
            self._check_role(spec, variable, declaration)
            place = place if spec.arg is None else spec.arg.whole()
            self._arguments.append((variable, place))
            variables.append(variable)
        return tuple(variables)

    def _declaration(self, spec: SpecVariable) -> Declaration | None:
        if spec.type is None:
            return None
        try:
            declaration = read_declaration(spec.type)
        except LossCodegenError as error:
            self.problems += error.diagnostics
            # It may have declared axes, or the words of a choice.
            for word in _WORD.findall(spec.type.text):
                self.broken |= {word, own_index(word)}
            return None
        for axis, location in zip(
            declaration.axes, declaration.axis_locations, strict=True
        ):
            self._add_axis(axis, location)
        measured, location_ = declaration.domain.axis, declaration.domain_axis_location
        if measured is not None and location_ is not None:
            self._measured.append((spec.name.text, measured, location_))
        return declaration

    def _add_axis(self, name: str, location: Location) -> None:
        if name == ELLIPSIS or name in self.axes:
            return
        size = int(name) if name.isdecimal() else None
        self.axes[name] = Axis(name=name, size=size)
        if size is None:
            self.claim(name, "an axis", location)
            self.claim(own_index(name), f"the index of axis {name}", location)

    def _variable(
        self, spec: SpecVariable, declaration: Declaration, role: Role
    ) -> Variable:
        return Variable(
            name=spec.name.text,
            arg=spec.name.text if spec.arg is None else spec.arg.text,
            role=role,
            domain=declaration.domain,
            axes=declaration.axes,
            default=declaration.default,
            default_text=declaration.default_text,
            doc=spec.doc,
            buffer=role is Role.PARAMETER and bool(declaration.axes),
            location=spec.name.whole(),
        )

    def _check_role(
        self, spec: SpecVariable, variable: Variable, declaration: Declaration
    ) -> None:
        assert spec.type is not None
        whole = spec.type.whole()
        kind = variable.domain.kind
        if variable.role is Role.INPUT:
            if kind in (DomainKind.BOOL, DomainKind.CHOICE):
                message = f"an input cannot be a {kind.value}"
                hint = "declare it under params, or as a mask or binary tensor"
                self.problem("bad-domain", message, whole, hint)
            if declaration.default is not Absent.REQUIRED:
                where = declaration.default_location
                hint = "declare it under params"
                self.problem("bad-default", "an input has no default", where, hint)
        elif variable.axes and not isinstance(declaration.default, Absent):
            where = declaration.default_location
            hint = "write '= none', or nothing if it has to be given"
            message = "the only default of a tensor is none"
            self.problem("bad-default", message, where, hint)
        if variable.role is Role.LEARNABLE and kind not in CONTINUOUS:
            message = f"a parameter of type {kind.value} cannot be learnable"
            self.problem("not-learnable", message, whole)
        if spec.buffer and not variable.buffer:
            message = "only a tensor parameter that is not learnable can be a buffer"
            self.problem("not-a-buffer", message, spec.name.whole())

    # ------------------------------------------------------------------ what names refer to

    def _unobjectionable(
        self, name: str, objection: Callable[[str], str | None], place: Location
    ) -> bool:
        reason = objection(name)
        if reason is not None:
            other = name.strip("_") if name.startswith("_") else f"{name}_"
            hint = f"did you mean '{other}'?" if objection(other) is None else None
            self.problem("bad-name", f"{quoted(name)} {reason}", place, hint)
        return reason is None

    def _check_arguments(self) -> None:
        """Arguments are usable in Python, and differ from each other and from symbols."""
        symbols = {variable.name for variable in self.variables}
        seen: dict[str, str] = {}
        for variable, place in self._arguments:
            name, arg = variable.name, variable.arg
            fine = self._unobjectionable(arg, argument_objection, place)
            other = seen.setdefault(arg, name)
            if fine and other != name:
                message = f"the argument {quoted(arg)} is '{other}' and '{name}'"
                self.problem("name-clash", message, place)
            elif arg != name and arg in symbols:
                message = f"the argument {quoted(arg)} of '{name}' is another symbol"
                self.problem("name-clash", message, place)

    def _check_measured(self) -> None:
        """The axis of an index(C) must be an axis of something, or nothing knows its size."""
        for variable, name, location in self._measured:
            if name.isdecimal() or name in self.axes or name in self.broken:
                continue
            self.broken.add(variable)
            hint = closest(name, self._named_axes())
            message = f"nothing has an axis {quoted(name)}"
            self.problem("unknown-axis", message, location, hint)

    def _check_learnable(self, learnable: tuple[Source, ...]) -> None:
        parameters = [v.name for v in self.parameters]
        seen: set[str] = set()
        for source in learnable:
            name = source.text
            if name in seen:
                message = f"{quoted(name)} is there twice"
                self.problem("duplicate-entry", message, source.whole())
            elif name not in parameters and name not in self.broken:
                message = f"there is no parameter {quoted(name)}"
                hint = closest(name, parameters)
                self.problem("unknown-name", message, source.whole(), hint)
            seen.add(name)

    def _further_indices(
        self, pairs: Iterable[tuple[Source, Source]]
    ) -> Iterable[Index]:
        for key, value in pairs:
            name, axis, place = key.text, value.text, key.whole()
            if axis in self.axes and name == own_index(axis):
                continue  # it is there already, with this very meaning
            fine = self._unobjectionable(name, symbol_objection, place)
            fine = self.claim(name, f"an index of axis {axis}", place) and fine
            if axis not in self.axes:
                fine = False
                if axis not in self.broken:
                    message = f"nothing has an axis {quoted(axis)}"
                    hint = closest(axis, self._named_axes())
                    self.problem("unknown-axis", message, value.whole(), hint)
            if fine:
                yield Index(name, axis)
            else:
                self.broken.add(name)

    def _named_axes(self) -> list[str]:
        return [name for name in self.axes if not name.isdecimal()]
