"""The fields of the interactive page: one for each parameter and input, in words of its domain."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from html import escape

from losscodegen.ir.loss import DomainKind, Loss, Variable
from losscodegen.judge.point import Array, Entry, Point
from losscodegen.judge.rounding import Dtype
from losscodegen.judge.samplers import Range
from losscodegen.judge.tensors import INTEGRAL
from losscodegen.judge.wording import format_number
from losscodegen.teach.slices import REACH

MOST_RUNNING = 12
"""Entries that may be picked to run; more would make a list that nobody reads."""
STEPS = 200


def parameter_fields(loss: Loss, start: Point) -> str:
    """A field for every scalar parameter."""
    rows = [_field(v, start.values.get(v.name)) for v in loss.parameters if v.scalar]
    return _group("Parameters", rows)


def input_fields(loss: Loss, start: Point) -> str:
    """A field for every tensor that has a value at the start."""
    rows = [
        _field(v, entry)
        for v in loss.variables
        if not v.scalar and isinstance(entry := start.values.get(v.name), Array)
    ]
    return _group("Point", rows)


def along_field(variables: Sequence[Variable], start: Point, along: str) -> str:
    """Which entry runs in the plots."""
    options = []
    for variable in variables:
        array = start.values.get(variable.name)
        if not isinstance(array, Array):
            continue
        for k in range(min(len(array.entries), MOST_RUNNING)):
            key = f"{variable.name}:{k}"
            name = variable.name + (f", entry {k}" if len(array.entries) > 1 else "")
            chosen = " selected" if along == key else ""
            options.append(
                f'<option value="{escape(key)}"{chosen}>{escape(name)}</option>'
            )
    if len(options) < 2:
        return ""
    return (
        '<p class="field"><label for="along">Plots run along</label>'
        f'<select id="along">{"".join(options)}</select></p>'
    )


def _group(title: str, rows: list[str]) -> str:
    if not rows:
        return ""
    return f"<fieldset><legend>{title}</legend>{''.join(rows)}</fieldset>"


def _field(variable: Variable, entry: Entry) -> str:
    name = escape(variable.name)
    label = (
        f'<label for="field-{name}"><code>{name}</code> {escape(variable.doc)}</label>'
    )
    return f'<p class="field">{label}{_control(variable, entry)}</p>'


def _control(variable: Variable, entry: Entry) -> str:
    name = escape(variable.name)
    about = f'id="field-{name}" data-symbol="{name}"'
    kind = variable.domain.kind
    if kind is DomainKind.CHOICE:
        return _select(about, variable.domain.choices, str(entry))
    if kind is DomainKind.BOOL and variable.scalar:
        return _select(about, ("false", "true"), str(bool(entry)).lower())
    text = _text(entry)
    box = (
        f'<input {about} value="{escape(text)}" inputmode="decimal" autocomplete="off" '
        'spellcheck="false">'
    )
    single = not isinstance(entry, Array) or len(entry.entries) == 1
    ends = _ends(variable, entry) if single else None
    if ends is None:
        return box
    low, high, step = ends
    slider = (
        f'<input type="range" min="{low:g}" max="{high:g}" step="{step:g}" '
        f'value="{escape(text)}" data-slides="{name}" aria-label="{name}, slider">'
    )
    return box + slider


def _select(about: str, words: Sequence[str], chosen: str) -> str:
    options = "".join(
        f"<option{' selected' * (word == chosen)}>{escape(word)}</option>"
        for word in words
    )
    return f"<select {about}>{options}</select>"


def _text(entry: Entry) -> str:
    if isinstance(entry, Array):
        return ", ".join(_number(e) for e in entry.entries)
    return "" if entry is None else _number(entry)


def _number(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return format_number(value, Dtype.FLOAT64).removesuffix(".0")
    return str(value)


def _ends(variable: Variable, entry: Entry) -> tuple[float, float, float] | None:
    """Where a slider begins and ends, and its steps; None for what is no continuum."""
    kind = variable.domain.kind
    if kind in INTEGRAL | {DomainKind.COUNT, DomainKind.BOOL}:
        return None
    if kind in (DomainKind.BINARY, DomainKind.MASK):
        return 0.0, 1.0, 1.0
    if kind is DomainKind.SIGN:
        return -1.0, 1.0, 2.0
    span = Range.of(variable.domain, Dtype.FLOAT32)
    default = variable.default
    usual = float(default) if isinstance(default, Fraction) else 0.0
    reach = (
        max(REACH, 4 * abs(usual)) if not variable.scalar else max(4 * abs(usual), 1.0)
    )
    low, high = max(span.low, -reach), min(span.high, reach)
    if low >= high:
        return None
    step = float(f"{(high - low) / STEPS:.1g}")
    if span.low > 0 or variable.domain.kind is DomainKind.POSITIVE:
        low = max(step, low)
    return low, high, step
