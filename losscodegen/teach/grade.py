"""Is a submitted derivative right? Proved where it can be, else compared in ball arithmetic."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import Enum

from losscodegen.compiler.differentiate import gradient
from losscodegen.compiler.latex import wanted_element
from losscodegen.compiler.tidy import negative, product, total
from losscodegen.errors import LossCodegenError, fail
from losscodegen.ir.build import ONE, ZERO
from losscodegen.ir.loss import Loss, Variable
from losscodegen.ir.nodes import Call, Expr, Index, Read, Size
from losscodegen.ir.walk import free_indices, inline, inline_loss, transform
from losscodegen.judge.oracle import Oracle
from losscodegen.judge.point import Point
from losscodegen.language.formula import read_expression
from losscodegen.language.scope import Scope
from losscodegen.language.source import Source
from losscodegen.teach.derivation import differentiated
from losscodegen.teach.draws import axis_sizes, draws
from losscodegen.teach.formulas import Writer
from losscodegen.teach.measure import as_inputs
from losscodegen.teach.model import Inputs
from losscodegen.teach.proof import proved
from losscodegen.teach.slipped import wrong_derivatives

POINTS = 20
CLOSE = 1e-10
"""Numbers of an answer and of the derivative differ by no more of their size."""

SECONDS = 1.0
"""So long a proof may take; in a class each has a fifth of it."""

Values = tuple[tuple[float, ...], ...]
"""The entries of an expression at each point."""


class Verdict(Enum):
    """What an answer is."""

    RIGHT = "right"
    WRONG = "wrong"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Counterexample:
    """Inputs at which an answer is wrong, as much as at any that were tried."""

    inputs: Inputs
    expected: float
    got: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Grade:
    """The verdict on one answer. ``slip`` is the row of the table of slips that explains it."""

    answer: str
    wrt: str
    verdict: Verdict
    proved: bool = False
    counterexample: Counterexample | None = None
    slip: str = ""
    hint: str = ""
    problem: str = ""


@dataclass(slots=True)
class Question:
    """The derivative of a loss by one variable, and what is known of wrong answers to it."""

    loss: Loss
    variable: Variable
    seconds: float = SECONDS
    element: Read = field(init=False)
    right: Expr = field(init=False)
    points: list[Point] = field(init=False)
    values: Values = field(init=False)
    _oracle: Oracle = field(init=False)
    _wrong: list[tuple[str, str, Values]] | None = None

    def __post_init__(self) -> None:
        plain = _counted(inline_loss(self.loss))
        self.element = wanted_element(self.variable, self.loss, plain.expression)
        self.right = gradient(plain.expression, self.element)
        extra = tuple(i for i in free_indices(self.element) if i not in plain.free)
        widened = replace(plain, indices=(*plain.indices, *extra))
        self._oracle = Oracle(widened, axis_sizes(self.loss), wrt=())
        points = draws(self.loss, POINTS)
        values = [self._at(self.right, point) for point in points]
        kept = [k for k, row in enumerate(values) if all(map(math.isfinite, row))]
        self.points = [points[k] for k in kept]
        self.values = tuple(values[k] for k in kept)
        if not kept:
            raise fail(
                "vacuous-check",
                f"no input was found at which {self.loss.name} has a slope",
            )

    @property
    def scope(self) -> Scope:
        """What an answer may read: the symbols of the spec and the indices of the element."""
        scope = Scope.of_loss(self.loss)
        extra = {i.name: i.axis for i in free_indices(self.element)}
        return replace(scope, indices={**scope.indices, **extra})

    # ------------------------------------------------------------------ grading

    def grade(self, answer: str, *, file: str = "answer") -> Grade:
        """The verdict on an answer in the language of formulas; nothing of it is executed."""
        name = self.element.name
        try:
            expr = read_expression(Source.plain(answer, file), self.scope)
            self._check(expr, answer, file)
        except LossCodegenError as error:
            return Grade(
                answer=answer,
                wrt=name,
                verdict=Verdict.UNREADABLE,
                problem=str(error),
            )
        plain = _optional_as_one(inline(expr, self.loss.definitions), self.loss)
        got = tuple(self._at(plain, point) for point in self.points)
        if _same(got, self.values):
            sure = proved(total(self.right, negative(plain)), self.loss, self.seconds)
            return Grade(answer=answer, wrt=name, verdict=Verdict.RIGHT, proved=sure)
        slip, hint = self._slip(got)
        return Grade(
            answer=answer,
            wrt=name,
            verdict=Verdict.WRONG,
            counterexample=self._worst(got),
            slip=slip,
            hint=hint,
        )

    def _check(self, expr: Expr, answer: str, file: str) -> None:
        allowed = {*self.loss.free, *free_indices(self.element)}
        stray = [i.name for i in free_indices(expr) if i not in allowed]
        if stray:
            by = Writer.of(self.loss).formula(self.element).text
            raise fail(
                "missing-index",
                f"the index {stray[0]!r} is not bound",
                Source.plain(answer, file).location(0, len(answer)),
                f"the answer is the derivative by {by}: its indices may be used",
            )

    def _at(self, expr: Expr, point: Point) -> tuple[float, ...]:
        """The entries over all free indices that the derivative has, in one order."""
        indices = self._indices()
        # A term that is 0 makes the result run over every index of the derivative.
        spread = total_of(expr, indices)
        found = self._oracle.evaluate(spread, point)
        return tuple(v.rounded() for v in found.entries)

    def _indices(self) -> tuple[Index, ...]:
        return tuple(dict.fromkeys((*self.loss.free, *free_indices(self.element))))

    def _worst(self, got: Values) -> Counterexample:
        """The entry that is off by the most of its size."""
        found: tuple[float, Counterexample] | None = None
        for point, mine, theirs in zip(self.points, self.values, got, strict=True):
            for want, have in zip(mine, theirs, strict=True):
                off = _distance(want, have)
                if found is None or off > found[0]:
                    example = Counterexample(
                        inputs=as_inputs(point), expected=want, got=have
                    )
                    found = off, example
        assert found is not None
        return found[1]

    # ------------------------------------------------------------------ slips

    def _slip(self, got: Values) -> tuple[str, str]:
        """The first row of the table that gives this answer."""
        if _same(got, _scaled(self.values, -1.0)):
            return "sign", "The whole derivative has the wrong sign."
        for slip, hint, values in self._known():
            if _same(got, values):
                return slip, hint
        ratio = _ratio(got, self.values)
        if ratio is not None:
            return "constant-factor", f"The answer is {ratio:.6g} times the derivative."
        return (
            "",
            "It is none of the usual slips: compare the numbers at the inputs given.",
        )

    def _known(self) -> list[tuple[str, str, Values]]:
        if self._wrong is None:
            self._wrong = list(self._made())
        return self._wrong

    def _made(self) -> Iterator[tuple[str, str, Values]]:
        writer = Writer.of(self.loss)
        plain = _counted(inline_loss(self.loss)).expression
        for axis in self.loss.axes:
            for count in (Size(axis.name), Call("div", (ONE, Size(axis.name)))):
                hint = f"The sum or mean over {axis.name} is off: a factor 1/N is lost or too many."
                yield from self._row("reduction", hint, product(count, self.right))
        for wrong in wrong_derivatives(plain, self.element):
            here = writer.formula(wrong.here).plain if wrong.here is not None else ""
            hint = wrong.slip.hint.format(here=here)
            yield from self._row(wrong.slip.name, hint, wrong.derivative)
        for name, hint, expr in terms_wrong(self.right):
            yield from self._row(name, hint, expr)
        for other in differentiated(self.loss):
            if other != self.variable and other.axes == self.variable.axes:
                element = replace(self.element, name=other.name)
                hint = f"This is the derivative by {other.name}, not by {self.variable.name}."
                yield from self._row("wrong-variable", hint, gradient(plain, element))
        yield from self._row("undifferentiated", "This is the loss itself.", plain)

    def _row(
        self, name: str, hint: str, expr: Expr
    ) -> Iterator[tuple[str, str, Values]]:
        with suppress(ValueError, TypeError, LookupError, OverflowError):
            values = tuple(self._at(expr, point) for point in self.points)
            if not _same(values, self.values):
                yield name, hint, values


def question(
    loss: Loss, wrt: str | None = None, *, seconds: float = SECONDS
) -> Question:
    """The question for the derivative of ``loss`` by ``wrt``, its first continuous input if None.

    ``seconds`` is how long the proof of one right answer may take.

    Raises:
        LossCodegenError: there is no such variable, or the loss is not differentiated by it.
    """
    variables = differentiated(loss)
    names = ", ".join(v.name for v in variables)
    if not variables:
        raise fail("wrong-variable", f"{loss.name} has no input to differentiate by")
    if wrt is None:
        return Question(loss, variables[0], seconds)
    found = next((v for v in variables if v.name == wrt), None)
    if found is None:
        raise fail(
            "wrong-variable",
            f"{loss.name} is not differentiated by {wrt!r}",
            hint=f"it is by {names}",
        )
    return Question(loss, found, seconds)


def terms_wrong(right: Expr) -> Iterator[tuple[str, str, Expr]]:
    """The derivative with one term of its sum left out, or with the wrong sign."""
    match right:
        case Call("add", args):
            for k, term in enumerate(args):
                rest = (*args[:k], *args[k + 1 :])
                text = Writer(declared=frozenset()).formula(term).plain
                yield "missing-term", f"The term {text} is missing.", total(*rest)
                flipped = total(*args[:k], negative(term), *args[k + 1 :])
                yield "sign", f"The term {text} has the wrong sign.", flipped
        case _:
            return


def total_of(expr: Expr, indices: tuple[Index, ...]) -> Expr:
    """``expr`` plus a 0 for each index, so that its entries run over all of them."""
    missing = [i for i in indices if i not in free_indices(expr)]
    if not missing:
        return expr
    return Call("add", (expr, *(Call("mul", (ZERO, i)) for i in missing)))


def _counted(loss: Loss) -> Loss:
    return replace(loss, expression=_optional_as_one(loss.expression, loss))


def _optional_as_one(expr: Expr, loss: Loss) -> Expr:
    optional = {v.name for v in loss.variables if v.optional}
    return transform(
        expr, lambda n: ONE if isinstance(n, Read) and n.name in optional else n
    )


# ---------------------------------------------------------------------- numbers


def _distance(want: float, have: float) -> float:
    if not math.isfinite(have):
        return math.inf
    return abs(want - have) / max(abs(want), abs(have), 1e-12)


def _same(left: Values, right: Values) -> bool:
    return all(
        len(a) == len(b)
        and all(_distance(y, x) <= CLOSE for x, y in zip(a, b, strict=True))
        for a, b in zip(left, right, strict=True)
    )


def _scaled(values: Values, factor: float) -> Values:
    return tuple(tuple(factor * v for v in row) for row in values)


def _ratio(got: Values, right: Values) -> float | None:
    """The constant that ``got`` is times ``right``."""
    pairs = [
        (x, y)
        for a, b in zip(got, right, strict=True)
        for x, y in zip(a, b, strict=True)
        if y != 0
    ]
    if not pairs or not math.isfinite(pairs[0][0]) or pairs[0][0] == 0:
        return None
    ratio = pairs[0][0] / pairs[0][1]
    return ratio if _same(got, _scaled(right, ratio)) else None
