"""Derivations and guards as a report tells them: line by line, with the bits that are saved."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from losscodegen.judge.rounding import Dtype
from losscodegen.markup import prose, scrolled, table
from losscodegen.teach.blocks import number_text
from losscodegen.teach.mathml import block, inline
from losscodegen.teach.model import (
    Derivation,
    Explanation,
    GuardStory,
    Measured,
)

LETTERS = 120
"""Of a point; a tensor of more is told by its beginning."""


def derivations(explanation: Explanation) -> Iterator[str]:
    """Every derivative, with the rules of calculus that lead to it."""
    for derivation in explanation.derivations:
        yield _derivation(derivation)


def _derivation(derivation: Derivation) -> str:
    name = f"The derivative of {derivation.of} by {derivation.wrt}"
    left = derivation.left.latex
    result = scrolled("formula", name, block(f"{left} = {derivation.result.latex}"))
    note = (
        f'<div class="note">{prose(derivation.note)}</div>' if derivation.note else ""
    )
    if len(derivation.steps) < 2:
        return result + note
    rows = [
        (
            inline(f"= {derivation.start.latex}", roomy=True),
            "",
        ),
        *(
            (inline(f"= {s.after.latex}", roomy=True), escape(s.rule))
            for s in derivation.steps
        ),
    ]
    lines = "".join(f"<tr><td>{line}</td><td>{rule}</td></tr>" for line, rule in rows)
    listing = scrolled(
        "table steps", f"{name}, step by step", f"<table><tbody>{lines}</tbody></table>"
    )
    return f"{result}<details><summary>Step by step</summary>{listing}</details>{note}"


def guards(explanation: Explanation) -> str:
    """Every guard: what goes wrong, what stands there instead, and what that is worth."""
    if not explanation.guards:
        return (
            "<p>Nothing had to be rewritten: the formula is right as it is typed.</p>"
        )
    items = "".join(f"<li>{_guard(story)}</li>" for story in explanation.guards)
    return f'<ol class="guards">{items}</ol>'


def _guard(story: GuardStory) -> str:
    sides = (
        scrolled("formula", "Before", inline(story.before.latex)),
        '<span class="arrow" aria-label="becomes" role="img">→</span>',
        scrolled("formula", "After", inline(story.after.latex)),
    )
    source = f'<p class="note">{escape(story.source)}</p>' if story.source else ""
    return (
        f"<strong>{escape(story.rule)}</strong> "
        f'<span class="soft">{escape(story.trouble.value)}</span>'
        f'<div class="rewrite">{"".join(sides)}</div>'
        f"{prose(story.sentence)}{prose(story.why)}{_measured(story)}{source}"
    )


def _measured(story: GuardStory) -> str:
    if not story.measured:
        return ""
    return table(
        f"What {story.rule} is worth",
        ("", "at", "exact", "as typed", "wrong bits", "rewritten", "wrong bits"),
        (
            (
                f"{_order(m)}, {escape(m.dtype)}",
                f"<code>{escape(_point(m))}</code>",
                f"<code>{escape(m.exact)}</code>",
                f"<code>{m.naive:.7g}</code>",
                f"{m.naive_bits:.1f} of {m.precision}",
                "" if m.guarded is None else f"<code>{m.guarded:.7g}</code>",
                "" if m.guarded_bits is None else f"{m.guarded_bits:.1f}",
            )
            for m in story.measured
        ),
        numbers=frozenset({4, 6}),
        wide=frozenset({1}),
    )


def _order(measured: Measured) -> str:
    by = f" by {escape(measured.wrt)}" if measured.wrt else ""
    return f"{escape(measured.order)}{by}"


def _point(measured: Measured) -> str:
    """The inputs, each with as many digits as tell it apart in the format."""
    dtype = Dtype(measured.dtype)
    text = ", ".join(
        f"{name} = {number_text(value, dtype)}"
        for name, value in measured.inputs
        if value is not None
    )
    return text if len(text) <= LETTERS else text[: LETTERS - 1] + "…"
