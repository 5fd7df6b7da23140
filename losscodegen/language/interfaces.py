"""The ``interface`` table of a loss: the calling convention of the class it stands in for."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable

from losscodegen.errors import Diagnostic, Location
from losscodegen.ir.interface import LAYER_ARGUMENTS, Clause, Interface, Layer
from losscodegen.ir.loss import Variable
from losscodegen.language.calling import ERRORS, read_condition, read_message
from losscodegen.language.names import closest, quoted
from losscodegen.language.namespace import Namespace
from losscodegen.language.source import Source
from losscodegen.language.spec import SpecClause, SpecInterface

LEGACY_ARGUMENTS = ("size_average", "reduce", "reduction")
"""Arguments of torch's constructors that say how to reduce, and are no parameters."""

_DOTTED = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)+")
_IDENTIFIER = re.compile(r"[^\W\d]\w*")


def _usable(name: str) -> bool:
    return bool(_IDENTIFIER.fullmatch(name)) and not keyword.iskeyword(name)


class InterfaceReader:
    """Reads the table; what is wrong with it goes to ``problems``."""

    def __init__(
        self, names: Namespace, classes: Iterable[str], problems: list[Diagnostic]
    ) -> None:
        self.names = names
        self.classes = tuple(classes)
        self.problems = problems

    def read(self, spec: SpecInterface) -> Interface:
        names = self.names
        forward = [self._renamed(source) for source in spec.forward]
        self._check_arguments(
            [argument for _, argument in forward],
            spec.forward_location,
            names.inputs,
            (),
            "forward",
        )
        layer = self._layer(spec)
        held = () if layer is None else (layer.weight, layer.bias)
        further = () if layer is None else tuple(LAYER_ARGUMENTS)
        constructor = [source for source in spec.constructor if source.text != "*"]
        self._check_arguments(
            constructor,
            spec.constructor_location,
            tuple(v for v in names.parameters if v.arg not in held),
            (*LEGACY_ARGUMENTS, *further),
            "constructor",
        )
        if spec.compare is not None and not _DOTTED.fullmatch(spec.compare.text):
            message = f"{quoted(spec.compare.text)} is no class with its module"
            self._problem(message, spec.compare.whole(), "as in torch.nn.HuberLoss")
        parameters = [v.arg for v in names.parameters]
        for source in spec.optional:
            self._check_known(source, parameters, "parameter")
        arguments = [v.arg for v in names.inputs] + parameters + ["reduction"]
        return Interface(
            constructor=tuple(source.text for source in spec.constructor),
            forward=tuple((name, argument.text) for name, argument in forward),
            class_axis_without_batch=spec.class_axis_without_batch,
            compare=None if spec.compare is None else spec.compare.text,
            optional=tuple(source.text for source in spec.optional),
            layer=layer,
            at_construction=tuple(
                self._clause(c, [*parameters, *further, "reduction"]) for c in spec.init
            ),
            at_call=tuple(self._clause(c, arguments) for c in spec.call),
        )

    def _layer(self, spec: SpecInterface) -> Layer | None:
        if not spec.layer:
            return None
        found = {key.text: value for key, value in spec.layer}
        if set(found) != {"name", "weight", "bias"}:
            place = spec.layer[0][0].whole()
            self._problem("a layer has a name, a weight and a bias", place)
            return None
        for key in ("weight", "bias"):
            known = [v.arg for v in self.names.parameters if v.axes]
            self._check_known(found[key], known, "tensor parameter")
        if not _usable(found["name"].text):
            self._problem("this is no name", found["name"].whole())
        return Layer(**{key: source.text for key, source in found.items()})

    def _problem(
        self, message: str, location: Location, hint: str | None = None
    ) -> None:
        self.problems.append(Diagnostic("interface", message, location, hint))

    def _renamed(self, source: Source) -> tuple[str, Source]:
        """``name = argument``: what a call says, and what the loss calls it."""
        left, equals, right = source.text.partition("=")
        if not equals:
            return source.text, source
        start = len(left) + 1 + len(right) - len(right.lstrip())
        argument = source.part(start, len(source.text.rstrip()))
        name = left.strip()
        if not _usable(name):
            self._problem(f"{quoted(name)} is no name of an argument", source.whole())
        return name, argument

    def _check_arguments(
        self,
        given: list[Source],
        location: Location,
        variables: tuple[Variable, ...],
        further: tuple[str, ...],
        what: str,
    ) -> None:
        """``given`` names every variable that must be given, and nothing unknown."""
        known = [v.arg for v in variables]
        seen: set[str] = set()
        for source in given:
            name = source.text
            if name in seen:
                message = f"{quoted(name)} is there twice"
                self.problems.append(
                    Diagnostic("duplicate-entry", message, source.whole())
                )
            elif name not in (*known, *further) and name not in self.names.broken:
                message = f"no argument is called {quoted(name)}"
                hint = closest(name, (*known, *further))
                self._problem(message, source.whole(), hint)
            seen.add(name)
        missing = [v.arg for v in variables if v.required and v.arg not in seen]
        if given and missing:
            names = ", ".join(f"'{name}'" for name in missing)
            self._problem(f"'{what}' has no {names}", location)

    # ------------------------------------------------------------------ clauses

    def _clause(self, spec: SpecClause, names: list[str]) -> Clause:
        self._check_kind(spec)
        for name in (*spec.broadcast, *(name for name, _ in spec.values)):
            self._check_known(name, names, "argument")
        if spec.error is not None:
            self._check_known(spec.error, sorted(ERRORS), "exception")
        if spec.instead is not None:
            self._check_known(spec.instead, self.classes, "class of this file")

        def condition(source: Source | None, known: list[str]) -> str:
            if source is None:
                return ""
            return read_condition(source, known, self.problems)

        def message(source: Source | None) -> str:
            return "" if source is None else read_message(source, names, self.problems)

        return Clause(
            when=condition(spec.when, names) if spec.when is not None else None,
            error="" if spec.error is None else spec.error.text,
            message=message(spec.message),
            warning=message(spec.warning),
            broadcast=tuple(source.text for source in spec.broadcast),
            instead="" if spec.instead is None else spec.instead.text,
            values=tuple((n.text, condition(v, names)) for n, v in spec.values),
            result=condition(spec.result, [*names, "loss"]),
        )

    def _check_kind(self, spec: SpecClause) -> None:
        """A clause does one thing."""
        does = {
            "error": spec.error is not None,
            "warning": spec.warning is not None,
            "broadcast": bool(spec.broadcast),
            "instead": spec.instead is not None,
            "set": bool(spec.values) and spec.instead is None,
        }
        if sum(does.values()) != 1:
            said = ", ".join(key for key, value in does.items() if value) or "nothing"
            message = f"a clause does one thing; this one has {said}"
            self._problem(message, spec.location, f"one of {', '.join(does)}")
        if (spec.error is None) != (spec.message is None):
            self._problem("'error' and 'message' go together", spec.location)
        if spec.result is not None and spec.instead is None:
            self._problem("'result' goes with 'instead'", spec.location)

    def _check_known(self, source: Source, known: Iterable[str], what: str) -> None:
        known = tuple(known)
        if source.text not in known:
            hint = closest(source.text, known) or f"there are {', '.join(known)}"
            message = f"no {what} is called {quoted(source.text)}"
            self._problem(message, source.whole(), hint)
