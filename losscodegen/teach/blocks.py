"""An explanation as a sequence of blocks, which every format prints in its own way."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from losscodegen.judge.rounding import Dtype
from losscodegen.language.mathematics import symbol
from losscodegen.teach.inputs import shortest
from losscodegen.teach.model import (
    CodeStory,
    Derivation,
    Explanation,
    Formula,
    GuardStory,
    Measured,
    Numbers,
    RuleStory,
)


@dataclass(frozen=True, slots=True)
class Heading:
    text: str
    level: int = 2


@dataclass(frozen=True, slots=True)
class Paragraph:
    text: str


@dataclass(frozen=True, slots=True)
class Line:
    """One equation: ``left = right``, and what is said beside it. Without ``left`` it goes on."""

    left: Formula | None
    right: Formula
    note: str = ""


@dataclass(frozen=True, slots=True)
class Mathematics:
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    text: str
    language: str = "python"


@dataclass(frozen=True, slots=True)
class Table:
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure in HTML; formats that have no pictures do without."""

    figure: str


Block = Heading | Paragraph | Mathematics | Listing | Table | Picture


def blocks(told: Explanation) -> Iterator[Block]:
    """A loss, in the order in which a textbook would tell of it."""
    yield Heading(told.title, 1)
    yield from _paragraphs(told.summary, told.description)
    yield Heading("Formula")
    yield Mathematics(
        (
            Line(told.left, told.formula),
            *(Line(left, body) for left, body in told.definitions),
        )
    )
    yield Table(
        ("symbol", "argument", "domain", "meaning"),
        tuple((symbol(s.name), s.argument, s.domain, s.doc) for s in told.symbols),
    )
    if told.reference:
        yield Paragraph(f"Reference: {told.reference}")
    if told.derivations:
        yield Heading("Derivative")
    opposite = {d.wrt for d in told.derivations if d.mirrors}
    for derivation in told.derivations:
        if derivation.wrt in opposite and not derivation.mirrors:
            continue  # those of definitions, which its one line does without
        yield from _derivation(derivation, told)
    yield Heading("The formula as typed")
    yield Listing(told.naive.text)
    if told.measured:
        yield Paragraph(
            "The inputs at which it goes most wrong, beside ball arithmetic and the guarded "
            "module:"
        )
        yield measured_table(told.measured)
    else:
        yield Paragraph(
            "No input was found at which it goes wrong by more than a few bits."
        )
    yield Heading("Guards")
    if not told.guards:
        yield Paragraph("The formula needs none: it is computed as it is typed.")
    for guard in told.guards:
        yield from _guard(guard)
    yield Heading("The module")
    yield Paragraph(
        f"Its function, without documentation; backward is {told.gradient}. "
        f"`losscodegen generate {told.name} --stdout` prints all of it."
    )
    yield Listing(function_text(told.generated.text))


def _paragraphs(*texts: str) -> Iterator[Paragraph]:
    for text in texts:
        if text:
            yield Paragraph(" ".join(text.split()))


def _derivation(derivation: Derivation, told: Explanation) -> Iterator[Block]:
    if derivation.mirrors:
        one = next(
            d.left
            for d in told.derivations
            if d.wrt == derivation.mirrors and d.of == "loss"
        )
        right = Formula(
            text=f"-{one.text}", plain=f"−{one.plain}", latex=f"-{one.latex}"
        )
        note = f"the opposite of that by {symbol(derivation.mirrors)}"
        yield Mathematics((Line(derivation.left, right, note),))
        return
    first = Line(derivation.left, derivation.start)
    rest = (Line(None, step.after, step.rule) for step in derivation.steps)
    yield Mathematics((first, *rest))
    if derivation.note:
        yield Paragraph(derivation.note)


def _guard(guard: GuardStory) -> Iterator[Block]:
    times = f", {guard.count} times" if guard.count > 1 else ""
    yield Heading(f"{guard.rule} ({guard.trouble.value}){times}", 3)
    yield Paragraph(guard.why)
    if guard.before != guard.after:
        yield Mathematics(
            (Line(None, guard.before, "typed"), Line(None, guard.after, "guarded"))
        )
    yield Paragraph(guard.sentence)
    if guard.measured:
        yield measured_table(guard.measured)
    yield Paragraph(f"Source: {guard.source}")


def measured_table(measured: Sequence[Measured]) -> Table:
    """One row for each number: the truth, both forms, and the bits that are wrong."""
    return Table(
        ("number", "at", "exact", "typed", "bits lost", "guarded", "bits lost"),
        tuple(_row(m) for m in measured),
    )


def _row(m: Measured) -> tuple[str, ...]:
    dtype = Dtype(m.dtype)
    what = "value" if m.order == "value" else f"∂/∂{symbol(m.wrt)}"
    if m.order == "second derivative":
        what = f"∂²/∂{symbol(m.wrt)}²"
    guarded = "" if m.guarded is None else shortest(m.guarded, dtype)
    bits = "" if m.guarded_bits is None else f"{m.guarded_bits:g}"
    return (
        f"{what}, {m.dtype}",
        point_text(m),
        m.exact,
        shortest(m.naive, dtype),
        f"{m.naive_bits:g} of {m.precision}",
        guarded,
        bits,
    )


def point_text(m: Measured) -> str:
    """The inputs of a measurement: ``x = 0, y = 100``; defaults are not among them."""
    return ", ".join(
        f"{symbol(name)} = {number_text(value, Dtype(m.dtype))}"
        for name, value in m.inputs
        if name not in m.defaults
    )


def number_text(value: Numbers | str | bool | None, dtype: Dtype) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(number_text(v, dtype) for v in value)}]"
    if isinstance(value, bool | str) or value is None:
        return str(value)
    return shortest(float(value), dtype)


def function_text(module: str) -> str:
    """The first function of a module that others are made of, without its docstring."""
    tree = ast.parse(module)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            lines = module.splitlines()[node.lineno - 1 : node.end_lineno]
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                start, end = first.lineno, first.end_lineno or first.lineno
                del lines[start - node.lineno : end - node.lineno + 1]
            return "\n".join(lines) + "\n"
    return module


# ---------------------------------------------------------------------- rules and codes


def rule_blocks(
    stories: Sequence[RuleStory], figures: Sequence[str] = ()
) -> Iterator[Block]:
    """A rule of the compiler, or one that was refuted.

    ``figures`` are pictures of the witnesses, a row's empty where there is none.
    """
    for place, story in enumerate(stories):
        refuted = " (refuted)" if story.refuted else f" ({story.trouble.value})"
        yield Heading(f"{story.name}{refuted}", 1)
        yield Paragraph(story.why)
        rows = [
            ("pattern", story.pattern.text),
            ("replacement", story.replacement.text),
        ]
        rows += [("with", line) for line in story.let]
        rows += [("where", story.condition)] if story.condition else []
        rows += [("unless", story.unless)] if story.unless else []
        rows += [("phase", story.phase)] if story.phase else []
        rows += [("for", story.purpose)] if story.purpose else []
        rows += [("source", story.source)]
        yield Table(("", ""), tuple(rows))
        if story.measured:
            yield Paragraph(
                "The counterexample, with the replacement as the guarded form:"
                if story.refuted
                else "The witness: the pattern fails there, the replacement does not."
            )
            yield measured_table(story.measured)
        if any(figures[place : place + 1]):
            yield Picture(figures[place])


def code_blocks(story: CodeStory) -> Iterator[Block]:
    """An error code, with a file that brings it about."""
    yield Heading(f"error[{story.code}]", 1)
    yield Paragraph(story.meaning)
    if story.example:
        yield Heading("An example")
        yield Listing(story.example, "toml")
    if story.message:
        yield Listing(story.message, "console")
    yield Heading("How to mend it")
    yield Paragraph(story.mend)
