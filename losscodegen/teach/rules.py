"""Rows of the rule table explained, each with its witness measured in bits."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from losscodegen.compiler.bindings import Bindings, Template
from losscodegen.compiler.instantiate import fill
from losscodegen.compiler.ranges import TRUE
from losscodegen.compiler.row_loss import in_context, row_loss
from losscodegen.compiler.rule import INDICES, Fault, Refuted, Rule
from losscodegen.compiler.rules import REFUTED, RULES
from losscodegen.ir.build import number, power
from losscodegen.ir.loss import DomainKind, Loss
from losscodegen.ir.nodes import Call, Expr, Index, Read, Reduce, Select, Switch
from losscodegen.ir.walk import walk
from losscodegen.judge.oracle_second import bends
from losscodegen.judge.oracles import Oracles
from losscodegen.judge.point import Array, Entry, Point
from losscodegen.judge.rounding import Dtype, round_float
from losscodegen.language.formula import parse_formula
from losscodegen.pipeline import compile_losses
from losscodegen.teach.formulas import Writer
from losscodegen.teach.measure import as_inputs, bits_wrong, decimal, entry_name
from losscodegen.teach.model import Measured, RuleStory, Trouble
from losscodegen.teach.run import (
    Function,
    Watch,
    bend,
    compiled,
    evaluate,
    generated,
    trouble,
)
from losscodegen.teach.typed import LEFT_OUT, code_of, plainly

Row = Rule | Refuted
ROWS: tuple[Row, ...] = (*RULES, *REFUTED)
RULE_NAMES = tuple(dict.fromkeys(row.name for row in ROWS))

_SIZE = 3
_BITS = 256

KINK = "a kink"
"""What stands for the truth where there is none: any finite number will do."""


def explain_rule(name: str) -> tuple[RuleStory, ...]:
    """All rows of this name, rules first.

    Raises:
        KeyError: there is none.
    """
    rows = [row for row in ROWS if row.name == name]
    if not rows:
        raise KeyError(name)
    return tuple(map(story, rows))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """Both sides of a row as functions of the names in it, and where its witness stands."""

    loss: Loss
    pattern: Function
    replacement: Function
    point: Point
    dtype: Dtype


def sides(row: Row) -> Sides:
    """A rule's replacement is the module that is generated for its pattern, a refuted one its
    formula as typed."""
    loss = row_loss(row, _witnessed(row, row.pattern))
    dtype = Dtype(row.witness.dtype)
    if isinstance(row, Rule):
        other = generated(loss, compile_losses((loss,), origin="").text)
    else:
        wrong = row_loss(row, _witnessed(row, row.replacement))
        other = compiled(_typed(wrong), wrong.function)
    return Sides(
        loss=loss,
        pattern=compiled(_typed(loss), loss.function),
        replacement=other,
        point=_point(loss, row, dtype),
        dtype=dtype,
    )


def story(row: Row, known: Sides | None = None) -> RuleStory:
    """A row with its witness measured; ``known`` saves making its sides again."""
    writer = Writer(declared=frozenset())
    measured, what = _measured(row, known or sides(row))
    rule = row if isinstance(row, Rule) else None
    return RuleStory(
        name=row.name,
        refuted=rule is None,
        pattern=writer.formula(parse_formula(row.pattern, indices=INDICES)),
        replacement=writer.formula(parse_formula(row.replacement, indices=INDICES)),
        let=rule.let if rule else (),
        condition=(rule.condition or "") if rule else "",
        unless=(rule.unless or "") if rule else "",
        phase=rule.phase.value if rule else "",
        purpose=rule.purpose.value if rule else "",
        why=" ".join(row.why.split()),
        source=row.source,
        trouble=what,
        measured=measured,
    )


def _measured(row: Row, both: Sides) -> tuple[tuple[Measured, ...], Trouble]:
    """The witness of a row, as the pattern and as what replaces it give it."""
    loss, point, dtype = both.loss, both.point, both.dtype
    naive, other = both.pattern, both.replacement
    oracles = Oracles()
    known = oracles(loss, point, dtype)
    if known is None:
        return (), Trouble.UNSEEN
    fault, name = row.witness.fault, row.witness.wrt or ""
    wrt = [name] if name and fault is not Fault.VALUE else []
    place, truth, kink = 0, known.value[0], False
    if fault is Fault.SECOND:
        (found,) = bends(oracles.at(loss, point), point, dtype, _BITS)[name]
        truth = found.value
        pair = (
            bend(naive, loss, point, dtype, name),
            bend(other, loss, point, dtype, name),
        )
    elif wrt:
        results = [_slopes(f, loss, point, dtype, name) for f in (naive, other)]
        slopes = known.gradient[name]
        worst = 1 if isinstance(row, Refuted) else 0
        place = max(
            range(len(slopes)),
            key=lambda k: bits_wrong(slopes[k].value, results[worst][k], dtype),
        )
        truth, kink = slopes[place].value, slopes[place].kink
        pair = (results[0][place], results[1][place])
    else:
        one = evaluate(naive, loss, point, dtype, ()).value
        two = evaluate(other, loss, point, dtype, ()).value
        pair = (one[0], two[0])
    watch = Watch()
    wrong_function = other if isinstance(row, Refuted) else naive
    evaluate(wrong_function, loss, point, dtype, wrt, watch)
    chooses = any(isinstance(n, Select | Switch) for n in walk(loss.expression))
    true = truth.rounded(dtype)
    free = kink or not truth.finite
    bits = [bits_wrong(truth, got, dtype) for got in pair]
    if free:
        # Any finite number is a subgradient, or as good as one; so is the right infinity.
        bits = [
            0.0 if math.isfinite(got) or got == true else float(dtype.precision)
            for got in pair
        ]
    entry = point.values.get(name)
    at = float(entry.entries[place]) if isinstance(entry, Array) and wrt else None
    bad = pair[1] if isinstance(row, Refuted) else pair[0]
    what, _ = trouble(watch, bad, true, at, chooses)
    order = {Fault.VALUE: "value", Fault.GRADIENT: "derivative"}.get(fault, fault.value)
    return (
        (
            Measured(
                order=order,
                dtype=dtype.value,
                precision=dtype.precision,
                inputs=as_inputs(point),
                exact=KINK if free else decimal(truth),
                true=true,
                naive=pair[0],
                naive_bits=round(bits[0], 1),
                guarded=pair[1],
                guarded_bits=round(bits[1], 1),
                wrt=entry_name(point, name, place) if wrt else "",
                place=place,
            ),
        ),
        what,
    )


def _slopes(
    function: Function, loss: Loss, point: Point, dtype: Dtype, name: str
) -> tuple[float, ...]:
    return evaluate(function, loss, point, dtype, [name]).gradient[name]


def _typed(loss: Loss) -> str:
    """A side of a row as code; what only generated modules can call is written out."""
    text = code_of(loss, without=LEFT_OUT)
    if re.search(r"(?<![\w.])_\w+\(", text):
        written = replace(loss, expression=plainly(loss.expression))
        text = code_of(written, without=LEFT_OUT)
    return text


# ---------------------------------------------------------------------- a row as a loss


def _witnessed(row: Row, side: str) -> Expr:
    """A side of a row with an input for each name, as the witness has it."""
    formula = parse_formula(side, indices=INDICES)
    filled = fill(formula, Bindings(dict(_names(row, formula)), _own()))
    return in_context(row, filled)


def _own() -> dict[Index, tuple[Index, ...]]:
    return {Index(n, a): (Index(n, a),) for n, a in INDICES.items()}


def _names(row: Row, formula: Expr) -> Iterator[tuple[str, Template]]:
    """What each name stands for: itself, a cube where it is to be huge, or no condition."""
    huge = (*row.huge, *row.steep, *row.cubic) if isinstance(row, Rule) else ()
    conditions, narrower = set(), set()
    for node in walk(formula):
        match node:
            case Reduce(where=Read(name)):
                conditions.add(name)
            case Reduce(where=Call("and", (Read(outer), Read(name)))):
                conditions.add(outer)
                narrower.add(name)
            case _:
                pass
    seen: set[str] = set()
    for node in walk(formula):
        if not isinstance(node, Read) or node.name in seen:
            continue
        inner = tuple(s for s in node.subscripts if isinstance(s, Index))
        if node.subscripts and not inner:
            continue
        seen.add(node.name)
        own: Expr = Read(node.name, inner)
        if node.name in conditions:
            own = TRUE
        elif node.name in narrower:
            own = Call("gt", (own, number(0)))
        elif node.name in huge:
            own = power(own, number(3))
        yield node.name, Template((own,), inner)


def _point(loss: Loss, row: Row, dtype: Dtype) -> Point:
    """The witness, rounded to its dtype."""
    values: dict[str, Entry] = {}
    for variable in loss.variables:
        given = row.witness.point.get(variable.name, 1.0)
        if variable.scalar:
            assert isinstance(given, float)
            values[variable.name] = given
        elif isinstance(given, tuple):
            values[variable.name] = _array(given, dtype)
        elif variable.domain.kind is DomainKind.INDEX:
            values[variable.name] = Array((), (int(given),))
        else:
            shape = (_SIZE,) * len(variable.subscripted_axes)
            entry = round_float(given, dtype)
            values[variable.name] = Array(shape, (entry,) * math.prod(shape))
    return Point(values=values)


def _array(given: tuple[float | tuple[float, ...], ...], dtype: Dtype) -> Array:
    rows = [row if isinstance(row, tuple) else (row,) for row in given]
    shape = (len(rows), len(rows[0])) if isinstance(given[0], tuple) else (len(rows),)
    return Array(shape, tuple(round_float(e, dtype) for row in rows for e in row))
