"""The reference of rewrites, from the rule table; every witness is measured and drawn."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module

import losscodegen.compiler
from losscodegen.compiler.rule import Rule
from losscodegen.compiler.rules import REFUTED, RULES
from losscodegen.compiler.search.differences import DIFFERENCES, Difference
from losscodegen.compiler.search.form import WHYS
from losscodegen.teach.blocks import measured_table
from losscodegen.teach.mathml import inline
from losscodegen.teach.model import RuleStory
from losscodegen.teach.plot import witness_figure
from losscodegen.teach.rules import Row, sides, story
from losscodegen.teach.witness import Neighbourhood, neighbourhood
from losscodegen_docs.markdown import (
    bullets,
    code,
    html,
    listing,
    prose,
    table,
    target,
)

PREFIX = "rules_"
SHORT = 16
"""Characters of a cell that stays in one line."""


@cache
def chapters() -> Mapping[str, tuple[Rule, ...]]:
    """The rules of each file of the table, in the order in which rules are tried."""
    places = {id(rule): k for k, rule in enumerate(RULES)}
    found: dict[str, tuple[Rule, ...]] = {}
    for info in pkgutil.iter_modules(losscodegen.compiler.__path__):
        if info.name.startswith(PREFIX):
            module = import_module(f"losscodegen.compiler.{info.name}")
            if rows := getattr(module, "RULES", ()):
                found[info.name.removeprefix(PREFIX)] = rows
    order = sorted(found, key=lambda name: places[id(found[name][0])])
    return {name: found[name] for name in order}


def rule_anchors() -> Mapping[tuple[str, str], str]:
    """The anchor of each name in each chapter; its first place has the plain one."""
    found: dict[tuple[str, str], str] = {}
    taken: set[str] = set()
    for chapter, rows in chapters().items():
        for name in dict.fromkeys(row.name for row in rows):
            found[chapter, name] = f"rule-{name}" + f"-{chapter}" * (name in taken)
            taken.add(name)
    return found


def refuted_anchor(name: str) -> str:
    return f"refuted-{name}"


def rules(chapter: str) -> str:
    """The rules of a chapter, rows of one name together.

    Raises:
        KeyError: there is no such chapter.
    """
    anchors = rule_anchors()
    rows = chapters()[chapter]
    module = import_module(f"losscodegen.compiler.{PREFIX}{chapter}")
    parts = [prose((module.__doc__ or "").strip()) + "\n"]
    for name in dict.fromkeys(row.name for row in rows):
        mine = [row for row in rows if row.name == name]
        parts.append(f"{target(anchors[chapter, name])}## {name}\n")
        parts += map(_row, mine)
    return "\n".join(parts)


def refuted() -> str:
    """Tempting rewrites that are wrong, each with its counterexample."""
    parts = []
    for row in REFUTED:
        parts.append(f"{target(refuted_anchor(row.name))}## {row.name}\n")
        parts.append(_row(row))
    return "\n".join(parts)


def rule_index() -> str:
    """Every rule by name, with what it is for."""
    anchors = rule_anchors()
    rows = []
    for (chapter, name), anchor in anchors.items():
        row = next(r for r in chapters()[chapter] if r.name == name)
        rows.append((name, f"[{name}](#{anchor})", code(row.pattern)))
    body = (cells[1:] for cells in sorted(rows))
    return table(("rule", "its first pattern"), body)


def forms() -> str:
    """What is tried by measurement where no rule applies."""
    kinds = table(("form", "why"), ((code(n), prose(w)) for n, w in WHYS.items()))
    rows = table(
        ("difference", "written as, with d = a - b", "where"),
        (
            (
                code(_difference(d)),
                code(d.form),
                code(d.near) if d.near else "everywhere",
            )
            for d in DIFFERENCES
        ),
    )
    return f"{kinds}\n{rows}"


def _difference(row: Difference) -> str:
    return "a**p - b**p" if row.exponent else f"{row.op}(a) - {row.op}(b)"


# ------------------------------------------------------------------------------------- a row


def _row(row: Row) -> str:
    both = sides(row)
    told = story(row, both)
    near = neighbourhood(row, both)
    return "\n".join(_parts(told, near))


def _cell(text: str) -> str:
    """Short ones are not broken."""
    return prose(text).replace(" ", "&nbsp;") if len(text) <= SHORT else prose(text)


def _parts(told: RuleStory, near: Neighbourhood | None) -> Iterator[str]:
    yield listing(
        f"{told.pattern.text}\n-> {told.replacement.text}"
        + "".join(f"\n   with {line}" for line in told.let)
    )
    yield html(
        f'<div class="rewrite"><span>{inline(told.pattern.latex, roomy=True)}</span>'
        '<span class="arrow">→</span>'
        f"<span>{inline(told.replacement.latex, roomy=True)}</span></div>"
    )
    yield prose(told.why) + "\n"
    yield bullets(
        (
            ("fires where", code(told.condition) if told.condition else ""),
            ("stays out where", code(told.unless) if told.unless else ""),
            ("without it", told.trouble.value if not told.refuted else ""),
            ("source", prose(told.source)),
        )
    )
    found = measured_table(told.measured)
    headings = (
        "number",
        "at",
        "exact",
        "pattern",
        "bits lost",
        "replacement",
        "bits lost",
    )
    yield table(headings, ([_cell(cell) for cell in row] for row in found.rows))
    if near is not None:
        yield html(witness_figure(told.name, near))
