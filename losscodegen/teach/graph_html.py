"""A computation graph as a drawing, and as a table for those who cannot use a drawing."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from losscodegen.markup import scrolled, table
from losscodegen.teach.graph import Graph, Outcome, Step
from losscodegen.teach.layout import layout

BOX, TALL, GAP = 156, 58, 44
"""Width and height of a box, and the room between two layers."""
MARGIN = 12
LETTERS, BOLD_LETTERS = 21, 15
"""As many fit into a box."""
MOST_DRAWN = 60
"""A graph of more boxes is left to the table."""
LOSSY = 2.0
"""From so many wrong bits on a step is marked."""


def graph_figure(graph: Graph) -> str:
    """The drawing, if it is not too large, and the table."""
    drawing = ""
    if len(graph.steps) <= MOST_DRAWN:
        drawing = scrolled("graph", "Computation graph", _drawing(graph))
    return f"{drawing}\n{_steps(graph)}"


def outcome_table(outcomes: Sequence[Outcome], total: int) -> str:
    """The loss and its derivatives at the point, form beside form."""
    names = [name for name, _, _ in outcomes[0].forms] if outcomes else []
    headings = ["", "exact, rounded"]
    for name in names:
        headings += [name, "wrong bits"]
    rows = [
        (
            escape(o.what),
            f"<code>{escape(o.exact)}</code>",
            *(
                cell
                for _, text, bits in o.forms
                for cell in (f"<code>{escape(text)}</code>", _bits(bits))
            ),
        )
        for o in outcomes
    ]
    numbers = frozenset(range(3, 3 + 2 * len(names), 2))
    return table(f"Results, wrong bits of {total}", headings, rows, numbers=numbers)


def _steps(graph: Graph) -> str:
    rows = [
        (
            str(k),
            f"<code>{escape(_named(step))}</code>",
            f'<span class="short">{", ".join(str(i + 1) for i in step.inputs)}</span>',
            f"<code>{escape(step.forward)}</code>",
            f"<code>{escape(step.exact)}</code>" if step.exact else "",
            _bits(step.bits),
            f"<code>{escape(step.backward)}</code>" if step.backward else "",
            (
                f"<code>{escape(step.exact_backward)}</code>"
                if step.exact_backward
                else ""
            ),
        )
        for k, step in enumerate(graph.steps, start=1)
    ]
    return table(
        "Steps of the computation",
        ("step", "computes", "from", f"forward, {graph.dtype.value}", "exact, rounded",
         "wrong bits", "backward", "exact, rounded"),
        rows,
        numbers=frozenset({5}),
    )  # fmt: skip


def _named(step: Step) -> str:
    text = step.text if len(step.text) <= 60 else step.text[:59] + "…"
    return f"{step.name} = {text}" if step.name else text


def _bits(bits: float | None) -> str:
    if bits is None:
        return ""
    text = f"{bits:.1f}".removesuffix(".0")
    return f'<span class="failed">{text}</span>' if bits >= LOSSY else text


# ------------------------------------------------------------------------------------- drawing


def _drawing(graph: Graph) -> str:
    found = layout([step.inputs for step in graph.steps])
    unit = BOX + 2 * MARGIN
    width = round(found.width * unit)
    height = found.layers * (TALL + GAP) - GAP + 2 * MARGIN

    def middle(place: tuple[float, int]) -> tuple[float, float]:
        return place[0] * unit, MARGIN + place[1] * (TALL + GAP) + TALL / 2

    parts = [
        f'<svg width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        'role="img" aria-label="The steps of the computation from the inputs to the loss; the '
        'table below has the same.">'
    ]
    for edge in found.edges:
        parts.append(_edge([middle(place) for place in edge]))
    for k, (step, place) in enumerate(zip(graph.steps, found.places, strict=True)):
        parts.append(_box(k + 1, step, *middle(place)))
    return "".join(parts) + "</svg>"


def _edge(places: list[tuple[float, float]]) -> str:
    """From below the operand to above the box, straight down through the layers between."""
    (x, y), *rest = places
    y += TALL / 2
    path = f"M{_n(x)} {_n(y)}"
    for k, (to, centre) in enumerate(rest):
        top = centre - TALL / 2 - (5 if k == len(rest) - 1 else 0)
        half = (y + top) / 2
        path += f"C{_n(x)} {_n(half)} {_n(to)} {_n(half)} {_n(to)} {_n(top)}"
        x, y = to, top
        if k < len(rest) - 1:
            y = centre + TALL / 2
            path += f"V{_n(y)}"
    head = f"M{_n(x - 4)} {_n(y - 2)}h8l-4 7z"
    return f'<path class="edge" d="{path}"/><path class="arrowhead" d="{head}"/>'


def _box(number: int, step: Step, x: float, y: float) -> str:
    lossy = (step.bits or 0) >= LOSSY or (step.backward_bits or 0) >= LOSSY
    kinds = " input" * step.leaf + " lossy" * lossy
    left, top = x - BOX / 2, y - TALL / 2
    lines = [("op", _named(step), 17)]
    lines.append(
        ("fwd bad" if (step.bits or 0) >= LOSSY else "fwd", f"→ {step.forward}", 34)
    )
    if step.backward:
        wrong = (step.backward_bits or 0) >= LOSSY
        lines.append(("bwd bad" if wrong else "bwd", f"← {step.backward}", 50))
    texts = "".join(
        f'<text class="{kind}" x="{_n(x)}" y="{_n(top + down)}" text-anchor="middle">'
        f"{escape(_clipped(text, BOLD_LETTERS if kind == 'op' else LETTERS))}</text>"
        for kind, text, down in lines
    )
    return (
        f'<g class="box{kinds}"><rect x="{_n(left)}" y="{_n(top)}" width="{BOX}" '
        f'height="{TALL}" rx="4"/><text class="at" x="{_n(left + 1)}" y="{_n(top - 3)}">{number}'
        f"</text>{texts}</g>"
    )


def _clipped(text: str, letters: int) -> str:
    return text if len(text) <= letters else text[: letters - 1] + "…"


def _n(x: float) -> str:
    return f"{x:.1f}".removesuffix(".0")
