"""Where a loss of the library loses digits as typed, and where the module does: as a picture."""

from __future__ import annotations

from html import escape

from losscodegen.language.parse import load_losses
from losscodegen.pipeline import generate
from losscodegen.resources import specs_directory
from losscodegen.teach.curves import errors, forms
from losscodegen.teach.plot import STYLES, error_plot, legend
from losscodegen.teach.slices import slices, spread, starting_point
from losscodegen_docs.markdown import html


def picture(name: str) -> str:
    """The wrong bits of value and derivative along the first input of a bundled loss."""
    path = specs_directory() / f"{name}.toml"
    (loss,) = load_losses(path)
    compared = forms(loss, generate(path).text)
    start = starting_point(loss)
    assert start is not None
    one = next(iter(slices(loss, start)))
    figures = [
        f"<figure><figcaption>{title}: wrong bits of {found.total}</figcaption>"
        f"{error_plot(title, found, one.name, spread(one.variable))}</figure>"
        for title, found in zip(
            ("Loss", f"Derivative by {one.name}"),
            errors(loss, one, compared),
            strict=True,
        )
    ]
    key = legend([(form, STYLES[form]) for form, _ in compared.named()])
    at = f'<p class="at">{escape(one.fixed)}</p>' if one.fixed else ""
    return html(f'<div class="plots two">{key}{"".join(figures)}{at}</div>')
