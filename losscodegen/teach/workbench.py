"""One answer of the interactive page: a spec and a point in, pieces of HTML out.

It runs in a process of its own (`losscodegen.teach.worker`), with limits of time and memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from html import escape
from typing import Any

from losscodegen.errors import Diagnostic, LossCodegenError, cell_width
from losscodegen.ir.loss import ELLIPSIS, Loss
from losscodegen.judge.accused import CannotLoadError
from losscodegen.judge.point import Array, Point
from losscodegen.judge.rounding import Dtype
from losscodegen.judge.tensors import is_pointwise
from losscodegen.language.parse import losses_from_text
from losscodegen.pipeline import Compiled, compile_expressions, finished, source_of
from losscodegen.teach import card
from losscodegen.teach.curves import Forms, errors, forms
from losscodegen.teach.fields import along_field, input_fields, parameter_fields
from losscodegen.teach.given import given_point
from losscodegen.teach.html import code
from losscodegen.teach.report import error_figures, graph_part, shape_figures
from losscodegen.teach.slices import Slice, runnable, slice_of, starting_point

FILE = "spec.toml"
MOST_SPEC = 20_000
"""Characters of a spec; the longest of the library has a quarter of that."""

EFFORTS = ("", "hurried", "rest")
"""Everything at once; or first what comes quickly, and then what that has left open."""
DTYPES = {"float32": Dtype.FLOAT32, "float64": Dtype.FLOAT64}
DENSE, CURVE = 4, 121
"""Fewer points than a report has: the page answers while one types."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What a spec gives, whatever the point."""

    loss: Loss
    compiled: Compiled
    source: str
    compared: Forms | None
    start: Point | None
    pieces: Mapping[str, str]
    texts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question of the page, as plain data that has been looked at.

    ``fields`` are texts by symbol, ``along`` is the entry that runs, ``x`` or ``x:3``; ``effort``
    is one of `EFFORTS`.
    """

    spec: str
    fields: Mapping[str, str]
    along: str = ""
    dtype: str = "float32"
    effort: str = ""

    @classmethod
    def of(cls, data: object) -> Asked:
        """A question from plain data.

        Raises:
            LossCodegenError: if it is none.
        """
        match data:
            case {"spec": str(spec), **rest}:
                pass
            case _:
                raise LossCodegenError(Diagnostic("bad-request", "there is no spec"))
        fields: Any = rest.get("fields", {})
        along: Any = rest.get("along", "")
        dtype: Any = rest.get("dtype", "float32")
        effort: Any = rest.get("effort", "")
        if len(spec) > MOST_SPEC:
            message = (
                f"the spec has {len(spec)} characters, at most {MOST_SPEC} are read"
            )
            raise LossCodegenError(Diagnostic("too-long", message))
        whole = (
            isinstance(fields, dict)
            and len(fields) <= 100
            and all(isinstance(t, str) for pair in fields.items() for t in pair)
            and isinstance(along, str)
            and isinstance(dtype, str)
            and dtype in DTYPES
            and effort in EFFORTS
        )
        if not whole:
            message = "the fields, the direction, the precision or the effort are none"
            raise LossCodegenError(Diagnostic("bad-request", message))
        return cls(spec, fields, along, dtype, effort)


def answer(data: object) -> dict[str, Any]:
    """The pieces of the page for a question, or the problems with it; never an exception.

    A hurried answer says whether it is ``open``; the rest of it is empty if nothing changes.
    """
    try:
        asked = Asked.of(data)
        known = _known(asked.spec)
        if asked.effort != "hurried":
            known.finish()
    except LossCodegenError as error:
        return {"problems": [_problem(d) for d in error.diagnostics]}
    if asked.effort == "rest" and known.made.source == known.begun.source:
        return {"problems": []}
    made = known.made
    found: dict[str, Any] = {
        "title": made.loss.name,
        "pieces": dict(made.pieces),
        "texts": dict(made.texts),
        "problems": [],
        "open": made.compiled.open,
    }
    try:
        found["pieces"] |= _pictures(made, asked)
    except LossCodegenError as error:
        found["problems"] = [_problem(d) for d in error.diagnostics]
    return found


@dataclass(slots=True)
class Known:
    """What is known of a spec: what was ``begun`` in a hurry, and what was ``made`` of it."""

    begun: Made
    made: Made

    def finish(self) -> None:
        """Chooses the gradient, if that is open."""
        begun = self.made
        compiled = finished(begun.compiled)
        if compiled.program == begun.compiled.program:
            self.made = replace(begun, compiled=compiled)
        else:
            self.made = _made(compiled, begun.texts["toml"], begun.start)


@lru_cache(maxsize=8)
def _known(spec: str) -> Known:
    losses = losses_from_text(spec, FILE)
    if len(losses) > 1:
        message = f"the page shows one loss, the spec has {len(losses)}"
        raise LossCodegenError(
            Diagnostic("several-losses", message, losses[1].location)
        )
    loss = losses[0]
    compiled = compile_expressions(loss, hurried=True)
    made = _made(compiled, spec, starting_point(loss))
    return Known(made, made)


def _made(compiled: Compiled, spec: str, start: Point | None) -> Made:
    loss = compiled.loss
    source = source_of([compiled], origin=FILE).text
    try:
        compared = forms(loss, source)
    except CannotLoadError:
        compared = None
    return Made(
        loss=loss,
        compiled=compiled,
        source=source,
        compared=compared,
        start=start,
        pieces={
            "summary": f'<p class="lead">{escape(loss.summary)}</p>',
            "mathematics": card.displayed(card.definition_latex(loss), "Definition")
            + card.symbols(loss),
            "derivatives": "\n".join(card.derivatives(loss)),
            "guards": card.guards(compiled),
            "code": code(source, "python", "Generated module"),
        },
        texts={
            "python": source,
            "toml": spec,
            "latex": card.definition_latex(loss),
        },
    )


# ----------------------------------------------------------------------------------- the point

NO_POINT = (
    "<p>Nothing is drawn: no point was found to start from. An <code>example</code> in the spec "
    "gives one.</p>"
)


def _pictures(made: Made, asked: Asked) -> dict[str, str]:
    loss, compared = made.loss, made.compared
    if made.start is None or compared is None:
        return {"shape": NO_POINT, "digits": "", "graph": "", "controls": ""}
    point = given_point(loss, made.start, asked.fields)
    found = {"controls": controls(loss, point, asked.along)}
    one = _slice(loss, point, asked.along)
    dtype = DTYPES[asked.dtype]
    found["graph"] = _safely(lambda: graph_part(loss, point, compared, dtype))
    if one is None:
        return found | {"shape": NO_POINT, "digits": ""}
    found["shape"] = _safely(
        lambda: shape_figures(loss, one, compared, count=CURVE, pointing=True)
    )
    dense = DENSE if is_pointwise(loss) else 1
    found["digits"] = _safely(
        lambda: error_figures(
            one, errors(loss, one, compared, dtype, dense=dense), pointing=True
        )
    )
    return found


def _safely(draw: Callable[[], str]) -> str:
    """A picture; where the loss cannot be computed at the point, the reason."""
    try:
        return draw()
    except (ArithmeticError, ValueError, IndexError, RuntimeError) as error:
        reason = str(error).partition("\n")[0]
        return f"<p>It cannot be computed here: {escape(reason[:300])}</p>"


def _slice(loss: Loss, point: Point, along: str) -> Slice | None:
    name, _, place = along.partition(":")
    variables = [
        v for v in runnable(loss) if isinstance(point.values.get(v.name), Array)
    ]
    if not variables:
        return None
    variable = next((v for v in variables if v.name == name), variables[0])
    array = point.values[variable.name]
    assert isinstance(array, Array)
    entry = int(place) if place.isdecimal() and len(place) < 4 else 0
    if not array.entries:
        return None
    return slice_of(loss, point, variable, entry if entry < len(array.entries) else 0)


def controls(loss: Loss, start: Point, along: str) -> str:
    """The fields for parameters and inputs, and for the entry that runs."""
    tensors = ELLIPSIS not in {a for v in loss.inputs for a in v.axes}
    note = (
        ""
        if is_pointwise(loss) or tensors
        else '<p class="note">One batch is shown.</p>'
    )
    return (
        parameter_fields(loss, start)
        + input_fields(loss, start)
        + along_field(runnable(loss), start, along)
        + note
    )


# -------------------------------------------------------------------------------- the problems


def _problem(problem: Diagnostic) -> dict[str, Any]:
    """A problem for the page: where it is, and the line with the caret below it."""
    place = problem.location
    excerpt = ""
    if place is not None and place.text:
        lines = str(problem).split("\n")[1:3]
        excerpt = "\n".join(line.removeprefix("    ") for line in lines)
    return {
        "code": problem.code,
        "message": problem.message,
        "hint": problem.hint or "",
        "line": place.line if place else 0,
        "column": place.column if place else 0,
        "end_column": place.end_column if place else 0,
        "excerpt": excerpt,
        "width": sum(map(cell_width, excerpt.split("\n")[0])),
    }
