"""What notebooks show of losses: static HTML with MathML, and LaTeX. Nothing is measured here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from losscodegen.ir.loss import Loss
from losscodegen.judge import evidence
from losscodegen.judge.certificate import Certificate
from losscodegen.markup import details, output, prose
from losscodegen.pipeline import compile_expressions
from losscodegen.teach import card, stories
from losscodegen.teach.html import code
from losscodegen.teach.mathml import block
from losscodegen.teach.model import Explanation


def losses_html(losses: Sequence[Loss]) -> str:
    """The mathematics of some losses."""
    return output(*(part for loss in losses for part in _paper(loss)))


def losses_latex(losses: Sequence[Loss]) -> str:
    """The formulas of some losses between dollar signs."""
    return "\n\n".join(f"$$\n{card.definition_latex(loss)}\n$$" for loss in losses)


def compiled_html(loss: Loss, source: str, certificate: Certificate | None) -> str:
    """A loss with what was rewritten, the verdict and, folded up, the module."""
    parts = [*_paper(loss), "<h4>Guards</h4>", card.guards(compile_expressions(loss))]
    if certificate is not None:
        parts.append(evidence.verdict(certificate))
        told = "\n".join(list(evidence.evidence(certificate))[1:])
        parts.append(details("Certificate", told))
    parts.append(details("Module", code(source, "python", "Generated module")))
    return output(*parts)


def explanation_html(told: Explanation) -> str:
    """A loss with its derivatives step by step and the story of each guard."""
    formulas = [(told.left, told.formula), *told.definitions]
    return output(
        f"<h3>{escape(told.title)}</h3>",
        prose(told.summary),
        *(block(f"{left.latex} = {right.latex}") for left, right in formulas),
        "<h4>Derivatives</h4>",
        *stories.derivations(told),
        "<h4>Guards</h4>",
        stories.guards(told),
        details("As typed", code(told.naive.text, "python", "The formula as typed")),
        details("Module", code(told.generated.text, "python", "Generated module")),
    )


def explanation_latex(told: Explanation) -> str:
    """The formula and its derivatives between dollar signs."""
    lines = [(told.left, told.formula), *told.definitions]
    lines += [(d.left, d.result) for d in told.derivations]
    rows = [f"{left.latex} &= {right.latex}" for left, right in lines]
    body = " \\\\\n".join(rows)
    return f"$$\n\\begin{{aligned}}\n{body}\n\\end{{aligned}}\n$$"


def _paper(loss: Loss) -> Iterator[str]:
    yield f"<h3>{escape(loss.name)}</h3>"
    if loss.summary:
        yield prose(loss.summary)
    yield card.displayed(card.definition_latex(loss), "Definition")
    yield card.symbols(loss)
