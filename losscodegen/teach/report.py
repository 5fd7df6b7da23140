"""A loss on one page that needs nothing else: mathematics, plots, guards, certificate, code."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from losscodegen import __version__
from losscodegen.ir.loss import Loss
from losscodegen.judge.accused import CannotLoadError
from losscodegen.judge.certificate import Certificate
from losscodegen.pipeline import Compiled, compile_expressions
from losscodegen.teach import card, evidence
from losscodegen.teach.curves import GRADIENT, VALUE, Forms, curves, errors, forms
from losscodegen.teach.html import code, page, section
from losscodegen.teach.plot import LABELLED, STYLES, curve_plot, error_plot, legend
from losscodegen.teach.slices import Slice, slices, spread, starting_point


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A loss with all that is known of it."""

    loss: Loss
    spec: str
    """The text of its spec file."""
    source: str
    """The text of the module."""
    certificate: Certificate | None = None


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
    loss, certificate = subject.loss, subject.certificate
    compiled: Compiled = compile_expressions(loss)
    shape, digits = pictures(loss, subject.source)
    return {
        "mathematics": "\n".join(card.mathematics(loss)),
        "derivatives": "\n".join(card.derivatives(loss)),
        "shape": shape,
        "digits": digits,
        "guards": card.guards(compiled),
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


def pictures(loss: Loss, source: str) -> tuple[str, str]:
    """The plots of a loss: its shape, and where its digits are lost."""
    point = starting_point(loss)
    found = [] if point is None else list(slices(loss, point))
    if not found:
        return NOTHING_RUNS, NOTHING_RUNS
    try:
        compared = forms(loss, source)
    except CannotLoadError as problem:
        message = f"<p>Nothing is drawn: {escape(str(problem))}.</p>"
        return message, message
    return (
        "\n".join(shape_figures(loss, one, compared) for one in found),
        "\n".join(error_figures(loss, one, compared) for one in found)
        + '<p class="note">Bits are those at the end of a float32 number that are wrong: 0 '
        "within an ulp, 24 where no digit is right, NaN and wrong infinities among them. "
        "The truth is from ball arithmetic. Gaps are where there is nothing to be right about."
        "</p>",
    )


def shape_figures(loss: Loss, one: Slice, compared: Forms, *, count: int = 161) -> str:
    """Loss, gradient and second derivative along a slice."""
    drawn = curves(loss, one, compared.generated, count=count)
    symbols = {VALUE: "Loss", GRADIENT: f"Derivative by {one.name}"}
    figures = "".join(
        f"<figure><figcaption>{escape(symbols.get(order, f'Second derivative by {one.name}'))}"
        f"</figcaption>{curve_plot(order, lines, one.name)}</figure>"
        for order, lines in drawn.items()
    )
    key = ""
    if len(one.labels) > 1:
        key = legend([(label, LABELLED[k % 2]) for k, label in enumerate(one.labels)])
    return f'{_at(one)}{key}<div class="plots">{figures}</div>'


def error_figures(loss: Loss, one: Slice, compared: Forms, *, dense: int = 8) -> str:
    """Wrong bits of value and gradient along a slice, form beside form."""
    value, gradient = errors(loss, one, compared, dense=dense)
    layout = spread(one.variable)
    key = legend([(name, STYLES[name]) for name, _ in value.forms])
    figures = "".join(
        f"<figure><figcaption>{title}: wrong bits of {found.total}</figcaption>"
        f"{error_plot(title, found, one.name, layout)}</figure>"
        for title, found in (
            ("Loss", value),
            (f"Derivative by {escape(one.name)}", gradient),
        )
    )
    return f'{_at(one)}{key}<div class="plots two">{figures}</div>'


def _at(one: Slice) -> str:
    labels = " and ".join(label for label in one.labels if label)
    where = ", ".join(part for part in (one.fixed, labels) if part)
    at = f", at <code>{escape(where)}</code>" if where else ""
    about = f'<p class="note">{escape(one.variable.doc)}{at}</p>'
    return f"<h3>Along <code>{escape(one.name)}</code></h3>{about}"
