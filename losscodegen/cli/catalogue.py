"""``show``, ``functions``, ``rules``, ``schema``: what there is, as text or as JSON."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from losscodegen.cli import completion
from losscodegen.cli.files import find_specs
from losscodegen.cli.output import heading, print_json, print_table
from losscodegen.cli.progress import track
from losscodegen.cli.settings import common
from losscodegen.errors import Diagnostic, LossCodegenError

if TYPE_CHECKING:
    from losscodegen.compiler.rule import Refuted, Rule
    from losscodegen.compiler.search.differences import Difference
    from losscodegen.ir.loss import Loss

as_json = click.option("--json", "json", is_flag=True, help="Print JSON.")


def load_all(paths: Sequence[Path]) -> list[tuple[Path, Loss]]:
    """Every loss of every spec; the problems of all of them in one error."""
    from losscodegen.language.parse import load_losses

    problems: list[Diagnostic] = []
    losses: list[tuple[Path, Loss]] = []
    for path in track(paths, "reading", lambda path: path.stem):
        try:
            losses += ((path, loss) for loss in load_losses(path))
        except LossCodegenError as error:
            problems += error.diagnostics
    if problems:
        raise LossCodegenError(problems)
    return losses


@click.command()
@click.argument("spec", metavar="SPEC", shell_complete=completion.specs)
@as_json
@common
def show(spec: str, json: bool) -> None:
    """Show the declarations and the formula of each loss of a spec."""
    losses = [loss for _, loss in load_all(find_specs([spec]))]
    cards = [_card(loss) for loss in losses]
    if json:
        print_json(cards)
    else:
        click.echo("\n\n".join(_card_text(card) for card in cards))


def _card(loss: Loss) -> dict[str, Any]:
    from losscodegen.language.printer import format_expression
    from losscodegen.language.write import format_declaration

    return {
        "name": loss.name,
        "function": loss.function,
        "module": loss.module,
        "family": loss.family,
        "summary": loss.summary,
        "description": loss.description,
        "reference": loss.reference,
        "notes": loss.notes,
        "variables": [
            {
                "symbol": variable.name,
                "arg": variable.arg,
                "role": variable.role.value,
                "type": format_declaration(variable),
                "doc": variable.doc,
            }
            for variable in loss.variables
        ],
        "definitions": [
            {
                "name": definition.name,
                "indices": [index.name for index in definition.indices],
                "formula": format_expression(definition.body),
            }
            for definition in loss.definitions
        ],
        "loss": format_expression(loss.expression),
        "mean_weight": loss.mean_weight and format_expression(loss.mean_weight),
        "reduction": None if loss.scalar else loss.reduction,
        "gradient": loss.gradient.value,
        "accuracy": loss.accuracy.value,
        "shape": _shape(loss),
        "require": [format_expression(condition) for condition in loss.require],
        "laws": [law.text for law in loss.laws],
    }


def _shape(loss: Loss) -> list[str]:
    """The dims of the unreduced loss: axis names, with ``...`` where the batch stands."""
    axes = [index.axis for index in loss.free]
    if loss.batch is not None:
        axes.insert(loss.batch, "...")
    return axes


def _card_text(card: dict[str, Any]) -> str:
    lines = [heading(card["name"]) + f"  ({card['family']})"]
    lines += [card["summary"]] if card["summary"] else []
    lines += ["", *_indented(card["description"])] if card["description"] else []
    width = max(len(variable["symbol"]) for variable in card["variables"])
    types = max(len(variable["type"]) for variable in card["variables"])
    lines.append("")
    for variable in card["variables"]:
        text = f"  {variable['symbol']:{width}}  {variable['type']:{types}}"
        lines.append(f"{text}  {variable['doc']}".rstrip())
    lines.append("")
    for definition in card["definitions"]:
        subscripts = f"[{', '.join(definition['indices'])}]" * bool(
            definition["indices"]
        )
        lines.append(f"  {definition['name']}{subscripts} = {definition['formula']}")
    lines.append(f"  loss = {card['loss']}")
    if card["mean_weight"]:
        lines.append(f"  mean_weight = {card['mean_weight']}")
    if card["gradient"] != "auto":
        lines.append(f"  gradient = {card['gradient']!r}")
    if card["accuracy"] != "relative":
        lines.append(f"  accuracy = {card['accuracy']!r}")
    shape = ", ".join(card["shape"])
    reduced = f", reduction {card['reduction']!r}" if card["reduction"] else ""
    lines += ["", f"  unreduced shape: ({shape}){reduced}"]
    lines += [f"  require: {text}" for text in card["require"]]
    lines += [f"  law: {text}" for text in card["laws"]]
    lines += [f"  reference: {card['reference']}"] if card["reference"] else []
    lines += [f"  notes: {card['notes'].strip()}"] if card["notes"] else []
    return "\n".join(lines)


def _indented(text: str) -> list[str]:
    return [f"  {line}".rstrip() for line in text.strip().splitlines()]


@click.command()
@as_json
@common
def functions(json: bool) -> None:
    """List the functions that formulas may call."""
    rows = _function_rows()
    if json:
        print_json(rows)
        return
    print_table(("function", "meaning"), [(row["name"], _meaning(row)) for row in rows])


def _meaning(row: dict[str, Any]) -> str:
    parts = [
        row["doc"],
        row["domain"] and f"defined where {row['domain']}",
        row["convention"] and f"derivative at kinks: {row['convention']}",
        row["also"] and f"also {', '.join(row['also'])}",
    ]
    return "; ".join(part for part in parts if part)


def _function_rows() -> list[dict[str, Any]]:
    from losscodegen.cli.forms import FORMS
    from losscodegen.ir.ops import OPS, Sort

    ops = [
        {
            "name": op.operator or op.name,
            "also": [spelling for spelling in op.also if spelling != op.operator],
            "group": op.group.value,
            "arity": list(op.arity),
            "domain": op.domain,
            "range": op.range if op.sort is Sort.REAL else None,
            "derivative": list(op.derivative),
            "kinks": op.kinks,
            "convention": op.convention,
            "doc": op.doc,
        }
        for op in OPS.values()
    ]
    forms = [
        {
            "name": form.spelling,
            "also": list(form.also),
            "group": form.group,
            "arity": None,
            "domain": None,
            "range": form.range,
            "derivative": [],
            "kinks": form.kinks,
            "convention": form.convention,
            "doc": form.doc,
        }
        for form in FORMS
    ]
    return ops + forms


@click.command()
@as_json
@common
def rules(json: bool) -> None:
    """List the rewrites that make formulas stable, and the tempting ones that are wrong.

    Where none applies, the forms that are tried by measurement stand in between.
    """
    from losscodegen.compiler.rules import REFUTED, RULES
    from losscodegen.compiler.search.differences import DIFFERENCES
    from losscodegen.compiler.search.form import WHYS

    if json:
        forms = [{"name": name, "why": why} for name, why in WHYS.items()]
        tables = {"rules": RULES, "forms": forms, "differences": DIFFERENCES}
        print_json({**tables, "refuted": REFUTED})
        return
    click.echo("\n".join(_rewrite(rule) for rule in RULES))
    click.echo("Tried by measurement, where no rule applies:\n")
    click.echo("\n".join(map(_difference, DIFFERENCES)))
    click.echo("\n".join(_entry(name, (), why) for name, why in WHYS.items()))
    click.echo("Tempting, and refuted:\n")
    click.echo("\n".join(_rewrite(rule) for rule in REFUTED))


def _rewrite(rule: Rule | Refuted) -> str:
    """A row of the rule table for reading: what becomes what, where and why."""
    lets = getattr(rule, "let", ())
    condition = getattr(rule, "condition", None)
    lines = [rule.pattern, f"-> {rule.replacement}"]
    lines += [f"   with {line}" for line in lets]
    lines += [f"   where {condition}"] if condition else []
    return _entry(rule.name, lines, rule.why)


def _difference(row: Difference) -> str:
    power = "**p" if row.exponent else ""
    a, b = (f"a{power}", f"b{power}") if power else (f"{row.op}(a)", f"{row.op}(b)")
    lines = [f"{a} - {b}", f"-> {row.form}", "   with d = a - b"]
    lines += [f"   where {row.near}"] if row.near else []
    return _entry(row.name, lines, row.why)


def _entry(name: str, lines: Sequence[str], why: str) -> str:
    wrapped = textwrap.wrap(why, 88, break_on_hyphens=False)
    body = textwrap.indent("\n".join([*lines, *wrapped]), "    ")
    return f"{heading(name)}\n{body}\n"


@click.command()
@common
def schema() -> None:
    """Print the JSON Schema of spec files, for completion in editors."""
    from losscodegen.language.schema import json_schema

    print_json(json_schema())
