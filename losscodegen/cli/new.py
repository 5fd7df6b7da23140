"""``losscodegen new``: a spec to start from."""

from __future__ import annotations

import os
from pathlib import Path

import click

from losscodegen.cli import completion
from losscodegen.cli.files import PROJECT_SPECS, find_specs, text_of, write_all
from losscodegen.cli.output import say
from losscodegen.cli.settings import common
from losscodegen.errors import fail
from losscodegen.resources import schema_text

SCHEMA = "losscodegen.schema.json"
"""The copy of the schema beside the specs of a project: editors find it without a network."""

TEMPLATE = '''\
{schema}
# The line above is for editors that know taplo, as Even Better TOML does: completion and checks.

[{name}]
# One sentence; it becomes the first line of the documentation.
summary = "Smooth absolute error: quadratic near zero, linear in the tails."
# The chapter of the library it belongs to.
family = "regression"
# A paper or page that defines the loss.
# reference = "https://..."

# Each input: its domain and its axes; `...` is any further shape, handled element by element.
# `arg` is its name in Python, the key is its symbol in the formula.
inputs.x = {{ type = "real[...]", arg = "prediction", doc = "predictions" }}
inputs.y = {{ type = "real[...]", arg = "target", doc = "targets" }}

# Each parameter: a domain and a default.
params.scale = {{ type = "positive = 1.0", doc = "error at which the tails begin" }}

# Definitions, one a line, in order.
let = """
r = (x - y)/scale
"""

# The formula, before any reduction. `losscodegen functions` lists what it may call.
loss = "scale*(sqrt(1 + r**2) - 1)"

# What the constructor's `reduction` defaults to: "mean", "sum" or "none".
reduction = "mean"

# Identities and inequalities that verification holds the loss to.
laws = ["loss >= 0", "loss(x=y) == 0", "loss(x=y, y=x) == loss"]
'''


@click.command()
@click.argument("name", metavar="NAME")
@click.option(
    "--from",
    "model",
    metavar="SPEC",
    shell_complete=completion.specs,
    help="Start from a loss of the library.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The file to write.  [default: specs/NAME.toml]",
)
@common
def new(name: str, model: str | None, output: Path | None) -> None:
    """Write a spec to start from; it generates and checks clean at once.

    NAME is the name of the class (QuantileLoss) or of the module (quantile).
    """
    class_name, module = _names(name)
    target = output or PROJECT_SPECS / f"{module}.toml"
    if target.exists():
        raise fail("file-exists", f"{target} exists and would be overwritten")
    schema = _schema_for(target)
    line = f"#:schema {_relative(schema, target.parent)}"
    if model is None:
        text = TEMPLATE.format(schema=line, name=class_name)
    else:
        text = _copied(model, class_name, line)
    texts = {target: text}
    if _outdated(schema):
        texts[schema] = schema_text()
    write_all(texts)
    for path in texts:
        say(f"wrote {path}")
    say(f"next: losscodegen generate {target} && losscodegen check {target}")


def _schema_for(target: Path) -> Path:
    """The schema that the spec at ``target`` points to: the nearest above it, or one beside it."""
    for folder in (target.parent, *target.parent.parents):
        if (folder / SCHEMA).is_file():
            return folder / SCHEMA
        if folder == PROJECT_SPECS:
            return folder / SCHEMA
    return target.parent / SCHEMA


def _relative(schema: Path, folder: Path) -> str:
    """As editors want it: from the spec, with a dot in front."""
    path = Path(os.path.relpath(schema, folder)).as_posix()
    return path if path.startswith("../") else f"./{path}"


def _outdated(schema: Path) -> bool:
    """Whether the copy is lacking, or is one that an earlier version wrote."""
    text = text_of(schema)
    if text is None:
        return not schema.exists()
    return text != schema_text() and '"title": "losscodegen spec"' in text


def _names(name: str) -> tuple[str, str]:
    """The class and the module called ``name``, which may be written as either."""
    from losscodegen.language.names import (
        camel_case,
        class_objection,
        module_objection,
        quoted,
        snake_case,
    )

    class_name = name if name[:1].isupper() else camel_case(name)
    class_name = class_name.removesuffix("Loss") + "Loss"
    module = snake_case(class_name).removesuffix("_loss")
    objection = class_objection(class_name) or module_objection(module)
    spelled = name.isascii() and name.replace("_", "").isalnum()
    if objection or not module or not spelled:
        raise fail(
            "bad-name",
            f"{quoted(name)} {objection or 'is no name of a class or a module'}",
            hint="use letters and digits, for example QuantileLoss or quantile",
        )
    return class_name, module


def _copied(model: str, class_name: str, schema: str) -> str:
    """The first loss of a spec under a new name."""
    from dataclasses import replace

    from losscodegen.language.parse import load_losses
    from losscodegen.language.write import format_loss

    (path,) = find_specs([model])
    loss = replace(load_losses(path)[0], name=class_name, interface=None)
    return f"{schema}\n\n{format_loss(loss)}"
