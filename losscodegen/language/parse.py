"""From the strings of a spec file to losses: typed expressions over declared names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from losscodegen.errors import Diagnostic, Location, LossCodegenError
from losscodegen.ir.build import ZERO
from losscodegen.ir.loss import (
    Accuracy,
    Definition,
    Gradient,
    Law,
    Loss,
    Variable,
)
from losscodegen.ir.nodes import Expr, Read, Use
from losscodegen.ir.ops import Sort
from losscodegen.ir.walk import free_indices, inline, walk
from losscodegen.language.definitions import read_definitions
from losscodegen.language.dims import batched, with_dims
from losscodegen.language.examples import ExampleReader
from losscodegen.language.formula import read_expression
from losscodegen.language.interfaces import InterfaceReader
from losscodegen.language.laws import read_law
from losscodegen.language.names import (
    camel_case,
    class_objection,
    module_objection,
    quoted,
    snake_case,
)
from losscodegen.language.namespace import Namespace
from losscodegen.language.sense import nonsense
from losscodegen.language.source import Source
from losscodegen.language.spec import (
    SpecFile,
    SpecLoss,
    read_spec,
    read_spec_text,
)
from losscodegen.language.toml import whole_file

_CALL = re.compile(r"([^\W\d]\w*)\s*\(")


def load_losses(path: Path) -> tuple[Loss, ...]:
    """The losses of the spec file at ``path``.

    Raises:
        LossCodegenError: with every problem of the file.
    """
    return parse(read_spec(path))


def losses_from_text(text: str, file: str = "<text>") -> tuple[Loss, ...]:
    """The losses of a spec given as text; ``file`` is what messages call it.

    Raises:
        LossCodegenError: with every problem of the text.
    """
    return parse(read_spec_text(text, file))


def parse(spec: SpecFile) -> tuple[Loss, ...]:
    """The losses of a spec file, in its order.

    Raises:
        LossCodegenError: with every problem of the file in order of position.
    """
    problems = list(spec.problems)
    objection = module_objection(spec.module)
    if objection is not None:
        message = (
            f"the file makes a module called {quoted(spec.module)}, which {objection}"
        )
        problems.append(Diagnostic("bad-name", message, whole_file(spec.file)))
    _check_classes(spec.losses, problems)
    classes = tuple(loss.name.text for loss in spec.losses)
    losses = tuple(
        _Parser(loss, spec.module, classes, problems).loss() for loss in spec.losses
    )
    if problems:
        raise LossCodegenError(sorted(dict.fromkeys(problems), key=_position))
    return losses


def _position(problem: Diagnostic) -> tuple[int, int]:
    location = problem.location
    return (0, 0) if location is None else (location.line, location.column)


def _check_classes(losses: Iterable[SpecLoss], problems: list[Diagnostic]) -> None:
    """Class names are usable, and so are the functions that they make."""
    functions: dict[str, Source] = {}
    for loss in losses:
        name, place = loss.name.text, loss.name.whole()
        objection = class_objection(name)
        if objection is not None:
            camel = camel_case(name)
            good = camel != name and class_objection(camel) is None
            hint = f"did you mean '{camel}'?" if good else None
            message = f"{quoted(name)} {objection}"
            problems.append(Diagnostic("bad-name", message, place, hint))
            continue
        function = snake_case(name)
        first = functions.setdefault(function, loss.name)
        if first is not loss.name:
            message = f"'{first.text}' and '{name}' both make a function '{function}'"
            problems.append(Diagnostic("name-clash", message, place))


class _Parser:
    """Parses one loss; what is wrong goes to ``problems``, and the loss is then of no use."""

    def __init__(
        self,
        spec: SpecLoss,
        module: str,
        classes: tuple[str, ...],
        problems: list[Diagnostic],
    ) -> None:
        self.spec = spec
        self.module = module
        self.classes = classes
        self.problems = problems
        self.before = len(problems)
        self.names = Namespace(spec, problems)
        self.scope = self.names.scope()
        self.definitions: tuple[Definition, ...] = ()

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong with this loss so far."""
        return (
            len(self.problems) == self.before
            and not self.spec.unreadable
            and not self.scope.broken
        )

    def problem(
        self,
        code: str,
        message: str,
        location: Location | None,
        hint: str | None = None,
    ) -> None:
        self.problems.append(Diagnostic(code, message, location, hint))

    def loss(self) -> Loss:
        spec, names, problems = self.spec, self.names, self.problems
        self._define()
        expression = self._formula(spec.loss)
        weight = None if spec.mean_weight is None else self._formula(spec.mean_weight)
        loss = Loss(
            name=spec.name.text,
            function=snake_case(spec.name.text),
            module=self.module,
            expression=expression,
            inputs=names.inputs,
            parameters=names.parameters,
            axes=tuple(names.axes.values()),
            indices=names.indices,
            definitions=self.definitions,
            mean_weight=weight,
            reduction="mean" if spec.reduction is None else spec.reduction.text,
            gradient=self._gradient(),
            gradient_place=None if spec.gradient is None else spec.gradient.whole(),
            accuracy=self._accuracy(),
            require=tuple(self._formula(s, Sort.BOOL) for s in spec.require),
            laws=tuple(self._laws()),
            interface=(
                None
                if spec.interface is None
                else InterfaceReader(names, self.classes, problems).read(spec.interface)
            ),
            family=spec.family,
            summary=spec.summary,
            description=spec.description,
            reference=spec.reference,
            notes=spec.notes,
            location=spec.name.whole(),
        )
        if self.sound:
            self._check_shadowed(loss)
            self._check_used(loss)
            self.problems += nonsense(loss)
            loss = with_dims(loss)
            self._check_reduction(loss)
        if spec.example is not None and self.sound:
            reader = ExampleReader(loss, problems)
            example = reader.read(spec.example, spec.example_location)
            loss = replace(loss, example=example)
        return loss

    def _gradient(self) -> Gradient:
        """The mode; a word that is none was complained about already."""
        given = self.spec.gradient
        words = {mode.value: mode for mode in Gradient}
        return Gradient.AUTO if given is None else words.get(given.text, Gradient.AUTO)

    def _accuracy(self) -> Accuracy:
        """The mode; a word that is none was complained about already."""
        given = self.spec.accuracy
        words = {mode.value: mode for mode in Accuracy}
        default = Accuracy.RELATIVE
        return default if given is None else words.get(given.text, default)

    # ------------------------------------------------------------------ formulas

    def _define(self) -> None:
        if self.spec.let is None or not self._declared:
            return
        self.definitions, self.scope = read_definitions(
            self.spec.let, self.scope, problems=self.problems
        )
        for definition in self.definitions:
            if definition.location is not None:
                meaning = ("a definition", definition.location)
                self.names.meanings.setdefault(definition.name, meaning)

    @property
    def _declared(self) -> bool:
        """Whether the names of formulas are known, as far as they have a declaration."""
        return not self.spec.unreadable & {"inputs", "params", "indices", "let"}

    def _formula(self, source: Source | None, sort: Sort = Sort.REAL) -> Expr:
        if source is None or not self._declared:
            return ZERO
        return read_expression(source, self.scope, sort=sort, problems=self.problems)

    def _laws(self) -> Iterable[Law]:
        for source in self.spec.laws if self._declared else ():
            yield read_law(source, self.scope, problems=self.problems)

    def _expressions(self, loss: Loss) -> Iterable[Expr]:
        yield from (definition.body for definition in loss.definitions)
        yield from _roots(loss)
        yield from loss.require

    # ------------------------------------------------------------------ names in use

    def _check_shadowed(self, loss: Loss) -> None:
        """A function may lend its name to a variable if the formulas do not call it as well."""
        seen: set[str] = set()
        for expression in self._expressions(loss):
            for node in walk(expression):
                place = node.origin.location
                if place is None:
                    continue
                call = _CALL.match(place.text, place.column - 1)
                name = call[1] if call else ""
                if name in self.names.meanings and name not in seen:
                    seen.add(name)
                    end = place.column + len(name)
                    where = replace(place, end_column=end)
                    self.names.claim(name, "a function", where)

    def _check_used(self, loss: Loss) -> None:
        """Whatever is declared makes a difference."""
        reads: set[str] = set()
        uses: set[str] = set()
        for root in _roots(loss):
            inlined = inline(root, loss.definitions)
            reads |= {node.name for node in walk(inlined) if isinstance(node, Read)}
            uses |= _uses(root, loss.definitions)
        for condition in loss.require:
            uses |= _uses(condition, loss.definitions)
        declared: list[tuple[str, Variable | Definition, set[str]]] = [
            *(("input", variable, reads) for variable in loss.inputs),
            *(("parameter", variable, reads) for variable in loss.parameters),
            *(("definition", definition, uses) for definition in loss.definitions),
        ]
        for kind, item, used in declared:
            if item.name not in used:
                message = f"the {kind} {quoted(item.name)} is never used"
                hint = "remove it, or use it in the formula"
                self.problem(f"unused-{kind}", message, item.location, hint)

    # ------------------------------------------------------------------ reduction

    def _check_reduction(self, loss: Loss) -> None:
        weight, source = loss.mean_weight, self.spec.mean_weight
        if loss.scalar:
            message = "the loss is a single number, there is nothing to reduce"
            for given, what in (
                (self.spec.reduction, "reduction"),
                (source, "mean_weight"),
            ):
                if given is not None:
                    self.problem(what.replace("_", "-"), message, given.whole())
            return
        if weight is None or source is None:
            return
        inlined = inline(weight, loss.definitions)
        extra = [i.name for i in free_indices(inlined) if i not in loss.free]
        if extra:
            message = f"the weight depends on {', '.join(extra)}, the loss does not"
            self.problem("mean-weight", message, source.whole())
        elif loss.batch is None and batched(inlined, loss):
            message = "the weight depends on '...', the loss does not"
            self.problem("mean-weight", message, source.whole())


def _roots(loss: Loss) -> Iterable[Expr]:
    """What the value of the loss is made of."""
    yield loss.expression
    if loss.mean_weight is not None:
        yield loss.mean_weight


def _uses(expression: Expr, definitions: tuple[Definition, ...]) -> set[str]:
    """The definitions that an expression is made of, directly and through others."""
    bodies = {definition.name: definition.body for definition in definitions}
    found: set[str] = set()
    waiting = [expression]
    while waiting:
        for node in walk(waiting.pop()):
            if isinstance(node, Use) and node.name not in found:
                found.add(node.name)
                waiting.append(bodies[node.name])
    return found
