"""Worked examples: whether they fit the declarations, and their values as tuples."""

from __future__ import annotations

import math
from dataclasses import dataclass

from losscodegen.errors import Diagnostic, Location
from losscodegen.ir.loss import ELLIPSIS, DomainKind, Example, Loss, Nested, Variable
from losscodegen.language.domains import admits, format_declared
from losscodegen.language.names import closest, quoted
from losscodegen.language.spec import SpecValue

RESULT = "result"
_WHOLE = (DomainKind.INDEX, DomainKind.COUNT, DomainKind.INTEGER)


@dataclass(frozen=True, slots=True)
class _Size:
    size: int
    said_by: str


class ExampleReader:
    """Reads the example of ``loss``; what is wrong with it goes to ``problems``."""

    def __init__(self, loss: Loss, problems: list[Diagnostic]) -> None:
        self.loss = loss
        self.problems = problems
        self._sizes: dict[str, _Size] = {}
        self._batch: tuple[str, tuple[int, ...]] | None = None

    def read(
        self, entries: tuple[SpecValue, ...], location: Location | None
    ) -> Example | None:
        """The example, None if anything is wrong."""
        before = len(self.problems)
        given = {e.name.text: e for e in entries if e.name is not None}
        variables = {v.name: v for v in self.loss.variables}
        for name, entry in given.items():
            if name not in variables and name != RESULT:
                assert entry.name is not None
                hint = closest(name, (*variables, RESULT))
                message = f"there is no input or parameter {quoted(name)}"
                self.problem(message, entry.name.whole(), hint)
        missing = [n for n, v in variables.items() if n not in given and v.required]
        missing += [] if RESULT in given else [RESULT]
        if missing:
            names = ", ".join(f"'{name}'" for name in missing)
            self.problem(f"the example has no {names}", location)
        arguments = tuple(
            (name, self._argument(given[name], variable))
            for name, variable in variables.items()
            if name in given
        )
        result: Nested = 0.0
        if RESULT in given:
            result = self._result(given[RESULT], sound=len(self.problems) == before)
        if len(self.problems) > before:
            return None
        return Example(arguments=arguments, result=result)

    def problem(
        self, message: str, location: Location | None, hint: str | None = None
    ) -> None:
        self.problems.append(Diagnostic("example", message, location, hint))

    # ------------------------------------------------------------------ values

    def _argument(self, entry: SpecValue, variable: Variable) -> Nested | str:
        kind = variable.domain.kind
        if variable.scalar and kind in (DomainKind.BOOL, DomainKind.CHOICE):
            return self._option(entry, variable)
        shape = self._shape(entry)
        if shape is not None:
            self._check_shape(entry, variable, shape)
        value = self._numbers(entry, variable)
        if variable.scalar and kind in _WHOLE and isinstance(value, float):
            return int(value) if math.isfinite(value) else value
        return value

    def _option(self, entry: SpecValue, variable: Variable) -> float | str:
        value = entry.value
        if variable.domain.kind is DomainKind.BOOL:
            if isinstance(value, bool):
                return value
            self.problem(f"'{variable.name}' is true or false", entry.location)
        elif isinstance(value, str) and value in variable.domain.choices:
            return value
        else:
            choices = ", ".join(f'"{word}"' for word in variable.domain.choices)
            self.problem(f"'{variable.name}' is one of {choices}", entry.location)
        return 0.0

    def _numbers(self, entry: SpecValue, variable: Variable | None) -> Nested:
        """The number or array, each entry of it in the domain of ``variable``."""
        value = entry.value
        if isinstance(value, tuple):
            return tuple(self._numbers(inner, variable) for inner in value)
        if isinstance(value, str):
            self.problem(f"expected a number, got {quoted(value)}", entry.location)
            return 0.0
        try:
            number = float(value)
        except OverflowError:
            self.problem("the number does not fit into float64", entry.location)
            return 0.0
        if math.isnan(number):
            return math.nan  # the one object, so that equal examples compare equal
        if variable is not None and math.isfinite(number):
            self._check_number(entry, variable, number)
        return number

    def _check_number(
        self, entry: SpecValue, variable: Variable, number: float
    ) -> None:
        domain = variable.domain
        if domain.kind is DomainKind.INDEX:
            # Targets outside the range are legal where the formula rules them out.
            fine = number == math.floor(number)
        else:
            fine = admits(domain, number)
        if not fine:
            message = f"{number:g} is not {format_declared(domain)}"
            self.problem(f"{message}, as '{variable.name}' has to be", entry.location)

    # ------------------------------------------------------------------ shapes

    def _shape(self, entry: SpecValue) -> tuple[int, ...] | None:
        """The shape of a nested array; None if it is ragged, which is a problem."""
        if not isinstance(entry.value, tuple):
            return ()
        shapes = [self._shape(inner) for inner in entry.value]
        for inner, shape in zip(entry.value, shapes, strict=True):
            if shape is None:
                return None
            if shape != shapes[0]:
                message = (
                    f"the array is ragged: {_form(shape)} after {_form(shapes[0])}"
                )
                self.problem(message, inner.location)
                return None
        return (len(shapes), *(shapes[0] or () if shapes else ()))

    def _check_shape(
        self, entry: SpecValue, variable: Variable, shape: tuple[int, ...]
    ) -> None:
        axes = variable.axes
        named = len(variable.subscripted_axes)
        if ELLIPSIS not in axes:
            if len(shape) != named:
                self._wrong_rank(entry, variable, shape)
                return
            front, back = named, named
        else:
            if len(shape) < named:
                self._wrong_rank(entry, variable, shape)
                return
            front = axes.index(ELLIPSIS)
            back = len(shape) - (len(axes) - front - 1)
            self._check_batch(entry, variable, shape[front:back])
        for axis, size in zip(
            variable.subscripted_axes, shape[:front] + shape[back:], strict=True
        ):
            self._check_size(entry, variable, axis, size)

    def _wrong_rank(
        self, entry: SpecValue, variable: Variable, shape: tuple[int, ...]
    ) -> None:
        if not variable.axes:
            self.problem(f"'{variable.name}' is a single number", entry.location)
            return
        axes = ", ".join(variable.axes)
        message = f"'{variable.name}' has the axes [{axes}], the value {_form(shape)}"
        self.problem(message, entry.location)

    def _check_batch(
        self, entry: SpecValue, variable: Variable, shape: tuple[int, ...]
    ) -> None:
        if self._batch is None:
            self._batch = (variable.name, shape)
        elif self._batch[1] != shape:
            other, theirs = self._batch
            message = (
                f"for '...' '{variable.name}' has {_form(shape)}, "
                f"'{other}' {_form(theirs)}"
            )
            self.problem(message, entry.location)

    def _check_size(
        self, entry: SpecValue, variable: Variable, axis: str, size: int
    ) -> None:
        if axis.isdecimal():
            if size != int(axis):
                message = (
                    f"'{variable.name}' has {size} entries where {axis} are declared"
                )
                self.problem(message, entry.location)
            return
        known = self._sizes.setdefault(axis, _Size(size, variable.name))
        if known.size != size:
            message = (
                f"axis {axis} has the size {size} in '{variable.name}' "
                f"and {known.size} in '{known.said_by}'"
            )
            self.problem(message, entry.location)

    def _result(self, entry: SpecValue, *, sound: bool) -> Nested:
        value = self._numbers(entry, None)
        shape = self._shape(entry)
        expected = self._expected() if sound else None
        if shape is not None and expected is not None and shape != expected:
            message = (
                f"the loss has the shape {_form(expected)}, the result {_form(shape)}"
            )
            self.problem(message, entry.location)
        return value

    def _expected(self) -> tuple[int, ...] | None:
        """The shape of the unreduced loss; None if the arguments do not tell."""
        sizes: list[int] = []
        for index in self.loss.free:
            if index.axis.isdecimal():
                sizes.append(int(index.axis))
            elif index.axis in self._sizes:
                sizes.append(self._sizes[index.axis].size)
            else:
                return None
        if self.loss.batch is None:
            return tuple(sizes)
        if self._batch is None:
            return None
        place = self.loss.batch
        return (*sizes[:place], *self._batch[1], *sizes[place:])


def _form(shape: tuple[int, ...] | None) -> str:
    return f"({', '.join(map(str, shape or ()))}{',' if len(shape or ()) == 1 else ''})"
