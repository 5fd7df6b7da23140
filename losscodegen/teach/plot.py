"""Plots as SVG: a few lines, two axes, colours from the style sheet of the page.

Text is text and colours are classes, so that a plot follows the page from light to dark and onto
paper. Forms differ in dashes, too: colour alone says nothing to many readers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

from losscodegen.teach.curves import GRADIENT, VALUE, Curve, Errors
from losscodegen.teach.scales import Distances, Scale, clear_range, written
from losscodegen.teach.slices import Spread
from losscodegen.teach.witness import PATTERN, REPLACEMENT, SMALLEST, Neighbourhood

NARROW, BROAD, HEIGHT = 340, 460, 210
"""Three of the first stand side by side, or two of the second."""
LEFT, RIGHT, TOP, BOTTOM = 50, 12, 12, 34

STYLES = {
    "as typed": ("typed", "5 3"),
    "torch.nn": ("own", "1.5 2.5"),
    "generated": ("generated", ""),
    PATTERN: ("typed", "5 3"),
    REPLACEMENT: ("generated", ""),
}
"""The class and the dashes of the line of a form."""

ORDERS = {VALUE: "value", GRADIENT: "derivative"}
"""What captions call the orders whose names stand for something else elsewhere."""

LABELLED = (("first", ""), ("second", "6 3"))
"""The same for the curves of a label's two values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    x: Sequence[float]
    y: Sequence[float]
    style: tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A point that is pointed at."""

    x: float
    y: float


def curve_plot(
    title: str,
    curves: Sequence[Curve],
    variable: str,
    mark: Mark | None = None,
    *,
    pointing: bool = False,
) -> str:
    """A function of one entry. With ``pointing`` it says which number stands where."""
    x = curves[0].x
    across = Scale(x[0], x[-1])
    up = Scale(*clear_range([c.y for c in curves]))
    lines = [Line(x=c.x, y=c.y, style=LABELLED[k % 2]) for k, c in enumerate(curves)]
    ends = ", ".join(
        f"{c.label + ': ' if c.label else ''}{_end(c.y[0])} at {written(x[0])}"
        f" and {_end(c.y[-1])} at {written(x[-1])}"
        for c in curves
    )
    return _figure(
        title, f"Over {variable}. {ends}.", lines, across, up, variable, mark,
        pointing=pointing,
    )  # fmt: skip


def error_plot(
    title: str,
    errors: Errors,
    variable: str,
    spread: Spread,
    at: float | None = None,
    *,
    pointing: bool = False,
) -> str:
    """Wrong bits over all sizes of one entry, which is pointed at where it is ``at``."""
    across = Scale(errors.x[0], errors.x[-1], spread)
    return _error_figure(title, errors, variable, across, at, pointing)


def witness_plot(title: str, found: Neighbourhood) -> str:
    """Wrong bits of both sides of a rule near its witness, which is pointed at."""
    x, both = found.errors.x, found.errors.x[0] < found.centre < found.errors.x[-1]
    nearest = min(abs(n - found.centre) for n in x if n != found.centre)
    across = Distances(
        x[0], x[-1], centre=found.centre, nearest=SMALLEST if both else nearest
    )
    at = found.at if math.isfinite(found.at) else None
    return _error_figure(title, found.errors, found.name, across, at, pointing=False)


def witness_figure(rule: str, found: Neighbourhood) -> str:
    """`witness_plot` with its legend and what it shows."""
    order = ORDERS.get(found.errors.order, found.errors.order)
    at = f" at {found.fixed}" if found.fixed else ""
    total, name = found.errors.total, found.name
    caption = f"Wrong bits of the {order}, of {total}, over {name}{at}"
    key = legend([(form, STYLES[form]) for form, _ in found.errors.forms])
    return (
        f'<figure class="witness"><figcaption>{escape(caption)}</figcaption>{key}'
        f"{witness_plot(f'{rule}: {caption}', found)}</figure>"
    )


def _error_figure(
    title: str,
    errors: Errors,
    variable: str,
    across: Scale,
    at: float | None,
    pointing: bool,
) -> str:
    up = Scale(-0.02 * errors.total, 1.04 * errors.total)
    lines = [
        Line(x=errors.x, y=bits, style=STYLES[name]) for name, bits in errors.forms
    ]
    worst = "; ".join(
        f"{name}: at most {_end(max((b for b in bits if not math.isnan(b)), default=math.nan))}"
        for name, bits in errors.forms
    )
    return _figure(
        title, f"Wrong bits of {errors.total}. {worst}.", lines, across, up, variable,
        None if at is None else Mark(x=at, y=math.nan),
        ticks=[(k * errors.total / 4, f"{k * errors.total / 4:.0f}") for k in range(5)],
        width=BROAD,
        pointing=pointing,
    )  # fmt: skip


def legend(entries: Sequence[tuple[str, tuple[str, str]]]) -> str:
    """The names of the lines, each beside a piece of it."""
    return '<ul class="legend">{}</ul>'.format(
        "".join(
            '<li><svg viewBox="0 0 26 8" width="26" height="8" aria-hidden="true">'
            f'<path class="line {name}"{_dashed(dashes)} d="M1 4H25"/></svg> {escape(text)}</li>'
            for text, (name, dashes) in entries
        )
    )


def _end(y: float) -> str:
    return written(y) if math.isfinite(y) else str(y)


def _dashed(dashes: str) -> str:
    return f' stroke-dasharray="{dashes}"' if dashes else ""


def _figure(
    title: str,
    about: str,
    lines: Sequence[Line],
    across: Scale,
    up: Scale,
    variable: str,
    mark: Mark | None = None,
    ticks: Sequence[tuple[float, str]] | None = None,
    width: int = NARROW,
    pointing: bool = False,
) -> str:
    """The SVG; its name for those who hear the page is the title and what it shows."""
    right, bottom = width - RIGHT, HEIGHT - BOTTOM

    def h(x: float) -> float:
        return LEFT + across.place(x) * (right - LEFT)

    def v(y: float) -> float:
        return bottom - up.place(y) * (bottom - TOP)

    parts = [
        f'<svg class="plot" viewBox="0 0 {width} {HEIGHT}" role="img" '
        f'aria-label="{escape(title)}. {escape(about)}"'
        f"{_pointed(lines[0].x, h) if pointing else ''}>"
    ]
    for y, text in ticks if ticks is not None else up.ticks():
        parts.append(
            f'<path class="grid" d="M{LEFT} {_n(v(y))}H{right}"/>'
            f'<text x="{LEFT - 6}" y="{_n(v(y) + 4)}" text-anchor="end">{text}</text>'
        )
    for x, text in across.ticks():
        parts.append(
            f'<path class="tick" d="M{_n(h(x))} {bottom}v5"/>'
            f'<text x="{_n(h(x))}" y="{bottom + 18}" text-anchor="middle">{text}</text>'
        )
    parts.append(
        f'<text class="name" x="{right}" y="{HEIGHT - 2}" text-anchor="end">'
        f"{escape(variable)}</text>"
        f'<path class="axis" d="M{LEFT} {TOP}V{bottom}H{right}"/>'
    )
    # Nested, so that what runs away is cut off at the frame without an id to refer to.
    parts.append(
        f'<svg x="{LEFT}" y="{TOP - 2}" width="{right - LEFT}" height="{bottom - TOP + 4}" '
        f'viewBox="{LEFT} {TOP - 2} {right - LEFT} {bottom - TOP + 4}">'
    )
    for line in lines:
        name, dashes = line.style
        path = "".join(_path((h(x), v(y)) for x, y in zip(line.x, line.y, strict=True)))
        parts.append(f'<path class="line {name}"{_dashed(dashes)} d="{path}"/>')
    if mark is not None and across.low <= mark.x <= across.high:
        parts.append(f'<path class="here" d="M{_n(h(mark.x))} {TOP}V{bottom}"/>')
        if math.isfinite(mark.y):
            parts.append(
                f'<circle class="here" cx="{_n(h(mark.x))}" cy="{_n(v(mark.y))}" r="4"/>'
            )
    return "".join(parts) + "</svg></svg>"


def _pointed(numbers: Sequence[float], place: Callable[[float], float]) -> str:
    """Which number stands at which place across, for a script that asks where one points."""
    places = " ".join(_n(place(x)) for x in numbers)
    return f' data-places="{places}" data-numbers="{" ".join(map(repr, numbers))}"'


_FAR = 4.0 * HEIGHT


def _path(places: Iterator[tuple[float, float]]) -> Iterator[str]:
    """A line through all places, broken where there is none."""
    down = False
    for x, y in places:
        if math.isnan(y):
            down = False
            continue
        y = min(max(y, -_FAR), _FAR)
        yield f"{'L' if down else 'M'}{_n(x)} {_n(y)}"
        down = True


def _n(x: float) -> str:
    """A coordinate: a tenth of a pixel is more than can be seen."""
    return f"{x:.1f}".removesuffix(".0")
