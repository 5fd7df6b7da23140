"""The interactive page itself: a form, and the answer to what it asks.

The first answer is part of the page, so that it can be read without a script; with one, the
pieces are replaced as one types.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Any

from losscodegen.teach.html import page, section

if TYPE_CHECKING:
    from losscodegen.teach.app import Bundled

PIECES = {
    "mathematics": "Definition",
    "derivatives": "Derivatives",
    "shape": "Shape",
    "digits": "Where digits are lost",
    "graph": "Forward and backward",
    "guards": "Guards",
    "code": "Generated module",
}
COPIES = {
    "python": "Copy code",
    "toml": "Copy spec",
    "latex": "Copy LaTeX",
    "link": "Copy link",
}


def bench(
    question: Mapping[str, Any],
    answer: Mapping[str, Any],
    library: Mapping[str, Bundled],
    picked: str,
) -> str:
    """The page for a question and its answer."""
    spec = question.get("spec")
    text = spec if isinstance(spec, str) else ""
    pieces = answer.get("pieces", {})
    title = answer.get("title", "Losses")
    problems = answer.get("problems", [])
    body = (
        f'<header><h1 id="title">{escape(title)}</h1>'
        f'<div id="summary">{pieces.get("summary", "")}</div></header>\n'
        f'<main>\n<div class="bench"><div class="asking">\n{_picker(library, picked)}'
        f"{_editor(text, problems)}</div>\n"
        f'<div class="turning"><form id="controls">{pieces.get("controls", "")}</form>'
        f"{_precision(question)}{_copies()}</div></div>\n"
        '<p id="state" class="note" role="status"></p>\n'
        f'<div id="answer" aria-live="off">{_sections(pieces)}</div>\n</main>\n'
    )
    head = (
        '<link rel="icon" href="assets/icon.svg" type="image/svg+xml">\n'
        '<script src="assets/bench.js" defer></script>\n'
    )
    return page(f"{title} · losscodegen", body, style="assets/style.css", head=head)


def problem_list(problems: list[Mapping[str, Any]]) -> str:
    """Problems as the page shows them; the script builds the same."""
    items = []
    for problem in problems:
        line = problem["line"]
        place = f"Line {line}: " if line else ""
        excerpt = problem["excerpt"]
        shown = _excerpt(excerpt) if excerpt else ""
        hint = f"<p>Hint: {escape(problem['hint'])}</p>" if problem["hint"] else ""
        items.append(
            f"<li><p>{place}{escape(problem['message'])}</p>{shown}{hint}</li>"
        )
    return "".join(items)


def _excerpt(text: str) -> str:
    return (
        f'<pre tabindex="0" role="group" aria-label="Where it is">{escape(text)}</pre>'
    )


def _picker(library: Mapping[str, Bundled], picked: str) -> str:
    families: dict[str, list[str]] = {}
    for name, bundled in library.items():
        families.setdefault(bundled.family or "others", []).append(name)
    groups = "".join(
        f'<optgroup label="{escape(family)}">'
        + "".join(
            f'<option value="{escape(n)}"{" selected" * (n == picked)}>{escape(n)}</option>'
            for n in sorted(names)
        )
        + "</optgroup>"
        for family, names in sorted(families.items())
    )
    return (
        '<form class="field" method="get" action="/"><label for="pick">Start from</label>'
        f'<span class="row"><select id="pick" name="loss"><option value="">…</option>{groups}'
        '</select><button id="open">Open</button></span></form>\n'
    )


def _editor(text: str, problems: list[Mapping[str, Any]]) -> str:
    wrong = ' aria-invalid="true"' if problems else ""
    return (
        '<form class="field" method="get" action="/"><label for="spec">Spec</label>'
        '<div class="editor"><pre id="marks" aria-hidden="true"></pre>'
        '<textarea id="spec" name="text" rows="16" spellcheck="false" autocapitalize="off" '
        f'autocomplete="off" wrap="off" aria-describedby="problems"{wrong}>\n'
        f'{escape(text)}</textarea></div><button id="compile">Compile</button></form>\n'
        f'<div role="alert"><ul id="problems">{problem_list(problems)}</ul></div>\n'
    )


def _precision(question: Mapping[str, Any]) -> str:
    chosen = question.get("dtype", "float32")
    options = "".join(
        f"<option{' selected' * (name == chosen)}>{name}</option>"
        for name in ("float32", "float64")
    )
    return (
        '<p class="field"><label for="dtype">Precision of what is compared</label>'
        f'<select id="dtype">{options}</select></p>'
    )


def _copies() -> str:
    buttons = "".join(
        f'<button type="button" data-copies="{key}">{text}</button>'
        for key, text in COPIES.items()
    )
    return f'<p class="copies" hidden>{buttons}</p>'


def _sections(pieces: Mapping[str, str]) -> str:
    return "".join(
        section(f"part-{key}", title, f'<div id="{key}">{pieces.get(key, "")}</div>')
        for key, title in PIECES.items()
    )
