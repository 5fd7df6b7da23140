"""The emitter: template and data agree, text is what Black makes of it, free text is harmless."""

from __future__ import annotations

import ast
import os
from dataclasses import fields, replace
from pathlib import Path

import black
import jinja2
import jinja2.meta
import pytest

from losscodegen import resources
from losscodegen.compiler.branches import GUARDS
from losscodegen.compiler.emit import LossContext, ModuleContext
from losscodegen.compiler.example import print_tensor
from losscodegen.compiler.rules import RULES
from losscodegen.language.parse import losses_from_text
from losscodegen.pipeline import compile_losses, generate_text

CASES = sorted((Path(__file__).parents[1] / "cases" / "lowering").glob("*.toml"))

REWRITES = frozenset(rule.name for rule in RULES) | GUARDS
"""Everything that stabilisation may do: the cases are about lowering alone."""

SPEC = """
[ProbeLoss]
summary = "Probe."
inputs.x = { type = "real[...]", arg = "prediction" }
loss = "x**2"
"""


def test_template_variables_are_the_context_fields() -> None:
    text = resources.template("module.py.jinja")
    tree = jinja2.Environment().parse(text)
    assert jinja2.meta.find_undeclared_variables(tree) == {
        f.name for f in fields(ModuleContext)
    }
    for field in fields(LossContext):
        assert f"loss.{field.name}" in text, field.name
    helpers = jinja2.Environment().parse(resources.template("helpers.py.jinja"))
    assert jinja2.meta.find_undeclared_variables(helpers) == {"helpers"}


@pytest.mark.parametrize("case", CASES, ids=lambda p: p.stem)
def test_case(case: Path) -> None:
    """The function's statements are as written below ``# output``; UPDATE_CASES=1 rewrites them."""
    spec, _, expected = case.read_text().partition("# output\n")
    losses = losses_from_text(spec, f"{case.stem}.toml")
    got = function_body(
        compile_losses(losses, origin="specs/x.toml", without=REWRITES).text
    )
    if os.environ.get("UPDATE_CASES"):
        case.write_text(f"{spec}# output\n{got}")
    assert got == expected


def function_body(text: str) -> str:
    """The statements of the generated function between widening and the end."""
    lines = text.split("\n")
    start = next(
        k for k, line in enumerate(lines) if ".to(wide)" in line and " = " in line
    )
    while lines[start]:
        start += 1
    end = next(k for k, line in enumerate(lines) if line.startswith("class "))
    return "\n".join(line[4:] for line in lines[start + 1 : end]).rstrip("\n") + "\n"


def test_same_input_same_bytes() -> None:
    assert generate_text(SPEC, file="probe.toml") == generate_text(
        SPEC, file="probe.toml"
    )


def test_output_is_formatted() -> None:
    text = generate_text(SPEC, file="probe.toml").text
    assert black.format_str(text, mode=black.Mode()) == text


HOSTILE = (
    'Ends the docstring """ and goes on.',
    "Ends with a backslash \\",
    'Ends with a quote "',
    "Two\nlines, and a nul \x00 byte.",
    "{{ 7*7 }} {% raw %} stays text.",
    '"""\nimport os\nos.abort()\n"""',
    "A bidirectional \u202e override.",
)


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("key", ["summary", "description", "reference", "notes"])
def test_free_text_stays_text(text: str, key: str) -> None:
    (loss,) = losses_from_text(SPEC, "probe.toml")
    changed = replace(loss, **{key: text})  # type: ignore[arg-type]
    source = compile_losses([changed], origin="specs/probe.toml").text
    plain = ast.dump(
        _without_docstrings(compile_losses([loss], origin="specs/probe.toml").text)
    )
    assert ast.dump(_without_docstrings(source)) == plain


def _without_docstrings(source: str) -> ast.Module:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(
            node, ast.Module | ast.ClassDef | ast.FunctionDef
        ) and ast.get_docstring(node):
            node.body[0] = ast.Pass()
    return tree


@pytest.mark.parametrize(
    "value",
    [
        (0.125, 2.5),
        (0.6931471805, 2.061e-9),
        (1.0, 2.0),
        ((3.0, 4.0), (0.5, -1.0)),
        0.25,
        (float("nan"), 1.5),
        (1e-5, 2e-5),
        (123456.0, 0.5),
    ],
)
def test_print_tensor_is_how_torch_prints(value: tuple[float, ...]) -> None:
    import torch

    assert print_tensor(value) == str(torch.tensor(value))
