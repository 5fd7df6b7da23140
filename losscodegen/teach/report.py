"""A loss on one page that needs nothing else: mathematics, plots, guards, certificate, code."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from losscodegen import __version__
from losscodegen.ir.loss import Loss
from losscodegen.judge import evidence
from losscodegen.judge.accused import CannotLoadError
from losscodegen.judge.certificate import Certificate
from losscodegen.judge.point import Point
from losscodegen.judge.rounding import Dtype, round_float
from losscodegen.pipeline import compile_expressions
from losscodegen.teach import card, stories
from losscodegen.teach.curves import (
    GRADIENT,
    VALUE,
    Errors,
    Forms,
    curves,
    errors,
    forms,
)
from losscodegen.teach.graph import graph, outcomes
from losscodegen.teach.graph_html import graph_figure, outcome_table
from losscodegen.teach.html import code, page, section
from losscodegen.teach.model import Explanation
from losscodegen.teach.plot import (
    LABELLED,
    STYLES,
    Mark,
    curve_plot,
    error_plot,
    legend,
)
from losscodegen.teach.slices import Slice, point_text, slices, spread, starting_point


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A loss with all that is known of it."""

    loss: Loss
    spec: str
    """The text of its spec file."""
    source: str
    """The text of the module."""
    certificate: Certificate | None = None
    explanation: Explanation | None = None


def report(
    subjects: Sequence[Subject], *, style: str | None = None, home: str = ""
) -> str:
    """The page of the losses of one spec file, the same bytes for the same data.

    ``style`` is the address of the style sheet if it is not to be inside, ``home`` that of the
    page this one belongs to.
    """
    first = subjects[0]
    name = first.loss.name if len(subjects) == 1 else first.loss.module
    contents = "".join(
        f'<li><a href="#{key}">{escape(title)}</a></li>'
        for subject in subjects
        for key, title, _ in _parts(subject, len(subjects) > 1)
    )
    back = f'<p><a href="{escape(home)}">All losses</a></p>\n' if home else ""
    bodies = "".join(_body(subject, len(subjects) > 1) for subject in subjects)
    files = section(
        "code",
        "Code",
        code(first.source, "python", "Generated module"),
        "<h3>Spec</h3>",
        code(first.spec, "toml", "Spec"),
    )
    footer = (
        f"<footer><p>Written by losscodegen {__version__}. Formulas are set in a subset of STIX "
        "Two Math, copyright the STIX Fonts Project Authors, under the SIL Open Font License "
        "1.1.</p></footer>\n"
    )
    contents += '<li><a href="#code">Code</a></li>'
    nav = f'<nav class="contents" aria-label="Contents"><ul>{contents}</ul></nav>\n'
    return page(
        name,
        f"<main>\n{back}{_head(subjects)}{nav}{bodies}{files}</main>\n{footer}",
        style=style,
    )


def _head(subjects: Sequence[Subject]) -> str:
    first = subjects[0]
    if len(subjects) > 1:
        return f"<h1>{escape(first.loss.module)}</h1>\n"
    family = f'<p class="soft">{escape(first.loss.family)}</p>' * bool(
        first.loss.family
    )
    summary = f'<p class="lead">{escape(first.loss.summary)}</p>'
    return f"<h1>{escape(first.loss.name)}</h1>\n{summary}{family}\n"


def _parts(subject: Subject, several: bool) -> Iterator[tuple[str, str, str]]:
    """Key, title and kind of each section."""
    prefix = f"{subject.loss.function}-" if several else ""
    named = f" of {subject.loss.name}" if several else ""
    for kind, title in SECTIONS.items():
        yield prefix + kind, title + named, kind


SECTIONS = {
    "mathematics": "Definition",
    "derivatives": "Derivatives",
    "shape": "Shape",
    "digits": "Where digits are lost",
    "guards": "Guards",
    "graph": "Forward and backward",
    "certificate": "Certificate",
    "survival": "Survival",
}


def _body(subject: Subject, several: bool) -> str:
    content = _content(subject)
    return "".join(
        section(key, title, content[kind])
        for key, title, kind in _parts(subject, several)
    )


def _content(subject: Subject) -> dict[str, str]:
    loss, certificate, story = subject.loss, subject.certificate, subject.explanation
    slopes = card.derivatives(loss) if story is None else stories.derivations(story)
    rewrites = (
        card.guards(compile_expressions(loss))
        if story is None
        else stories.guards(story)
    )
    shape, digits, steps = pictures(loss, subject.source)
    return {
        "mathematics": "\n".join(card.mathematics(loss)),
        "derivatives": "\n".join(slopes),
        "shape": shape,
        "digits": digits,
        "guards": rewrites,
        "graph": steps,
        "certificate": (
            "<p>It was not judged. <code>losscodegen check</code> does that.</p>"
            if certificate is None
            else "\n".join(evidence.evidence(certificate))
        ),
        "survival": _survival(certificate),
    }


def _survival(certificate: Certificate | None) -> str:
    if certificate is None or not certificate.survival:
        return (
            "<p>It was not run in other ways than as it is: "
            "<code>losscodegen report --through all</code> does that.</p>"
        )
    return evidence.survival(certificate.survival)


# -------------------------------------------------------------------------------------- plots

NOTHING_RUNS = (
    "<p>Nothing is drawn: the entries of its inputs cannot change one by one, or the spec has no "
    "example to start from.</p>"
)


def pictures(loss: Loss, source: str) -> tuple[str, str, str]:
    """A loss drawn: its shape, where its digits are lost, and its graph where they are."""
    point = starting_point(loss)
    try:
        compared = forms(loss, source)
    except CannotLoadError as problem:
        message = f"<p>Nothing is drawn: {escape(str(problem))}.</p>"
        return message, message, message
    if point is None:
        return NOTHING_RUNS, NOTHING_RUNS, NOTHING_RUNS
    found = list(slices(loss, point))
    measured = [(one, errors(loss, one, compared)) for one in found]
    hard = next((p for one, e in measured if (p := hard_point(one, e))), None)
    steps = graph_part(loss, hard or point, compared)
    if not found:
        return NOTHING_RUNS, NOTHING_RUNS, steps
    return (
        "\n".join(shape_figures(loss, one, compared) for one in found),
        "\n".join(error_figures(one, e) for one, e in measured)
        + '<p class="note">Bits are those at the end of a float32 number that are wrong: 0 '
        "within an ulp, 24 where no digit is right, NaN and wrong infinities among them. "
        "The truth is from ball arithmetic. Gaps are where there is nothing to be right about."
        "</p>",
        steps,
    )


HARD = 12.0
"""From so many wrong bits on a point is worth a look at every step."""


def hard_point(one: Slice, measured: tuple[Errors, Errors]) -> Point | None:
    """A point of the slice at which the formula as typed fails, of as usual a size as there is."""
    for found in measured:
        typed = dict(found.forms)["as typed"]
        failing = [x for x, b in zip(found.x, typed, strict=True) if b >= HARD]
        finite = [x for x in failing if x != 0] or failing
        if finite:
            usual = min(
                finite, key=lambda x: abs(math.log10(abs(x))) if x else math.inf
            )
            return one.line(0, (round_float(float(f"{usual:.3g}"), Dtype.FLOAT32),))[0]
    return None


def graph_part(
    loss: Loss, point: Point, compared: Forms, dtype: Dtype = Dtype.FLOAT32
) -> str:
    """The computation graph at a point, after what all forms give there."""
    found = graph(loss, point, dtype)
    rows = outcomes(loss, point, compared.named(), dtype)
    if found is None:
        return "<p>The formula has too many steps to be read one by one.</p>"
    return (
        f"<p>At <code>{escape(point_text(point, dtype))}</code>, in {found.dtype.value}.</p>"
        f"{outcome_table(rows, found.dtype.precision)}"
        "<p>Step by step, the formula as typed: values go down (→), derivatives of the loss "
        "come back up (←). Steps with two or more wrong bits are marked.</p>"
        f"{graph_figure(found)}"
    )


def shape_figures(
    loss: Loss, one: Slice, compared: Forms, *, count: int = 161, pointing: bool = False
) -> str:
    """Loss, gradient and second derivative along a slice; with ``pointing``, where it stands."""
    drawn = curves(loss, one, compared.generated, count=count)
    marks: dict[str, Mark] = {}
    if pointing:
        here = curves(loss, one, compared.generated, numbers=(one.at,))
        marks = {k: Mark(x=one.at, y=c[0].y[0]) for k, c in here.items()}
    symbols = {VALUE: "Loss", GRADIENT: f"Derivative by {one.name}"}
    figures = "".join(
        f"<figure><figcaption>{escape(symbols.get(order, f'Second derivative by {one.name}'))}"
        f"</figcaption>"
        f"{curve_plot(order, lines, one.name, marks.get(order), pointing=pointing)}</figure>"
        for order, lines in drawn.items()
    )
    key = ""
    if len(one.labels) > 1:
        key = legend([(label, LABELLED[k % 2]) for k, label in enumerate(one.labels)])
    return f'{_at(one)}{key}<div class="plots">{figures}</div>'


def error_figures(
    one: Slice, measured: tuple[Errors, Errors], *, pointing: bool = False
) -> str:
    """Wrong bits of value and gradient along a slice, form beside form."""
    value, gradient = measured
    layout, at = spread(one.variable), one.at if pointing else None
    key = legend([(name, STYLES[name]) for name, _ in value.forms])
    titles = (("Loss", value), (f"Derivative by {one.name}", gradient))
    figures = "".join(
        f"<figure><figcaption>{escape(title)}: wrong bits of {found.total}</figcaption>"
        f"{error_plot(title, found, one.name, layout, at, pointing=pointing)}</figure>"
        for title, found in titles
    )
    return f'{_at(one)}{key}<div class="plots two">{figures}</div>'


def _at(one: Slice) -> str:
    labels = " and ".join(label for label in one.labels if label)
    where = ", ".join(part for part in (one.fixed, labels) if part)
    at = f"at <code>{escape(where)}</code>" if where else ""
    told = ", ".join(part for part in (escape(one.variable.doc), at) if part)
    about = f'<p class="note">{told}</p>' if told else ""
    return f"<h3>Along <code>{escape(one.name)}</code></h3>{about}"
