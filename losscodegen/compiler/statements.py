"""Statements of a program as lines of text, the guards as comments before them."""

from __future__ import annotations

import textwrap

from losscodegen.compiler.backends.torch import render
from losscodegen.compiler.formatting import WIDTH
from losscodegen.compiler.program import (
    Assign,
    Branch,
    Statement,
)
from losscodegen.compiler.tensor_nodes import Tensor
from losscodegen.compiler.tensors import contracted
from losscodegen.ir.nodes import Guard


def statements(
    block: tuple[Statement, ...], *, spaced: bool = False, indent: int = 4
) -> list[str]:
    """The lines of a block that stands ``indent`` deep, an empty one before it if ``spaced``."""
    lines: list[str] = []
    for statement in block:
        match statement:
            case Assign(name, value, guards):
                if guards and lines:
                    lines.append("")
                for guard in guards:
                    lines += _comment(guard, WIDTH - indent)
                lines += _assignment(name, value)
            case Branch(condition, then, otherwise):
                lines.append(f"if {render(condition)}:")
                lines += textwrap.indent("\n".join(statements(then)), "    ").split(
                    "\n"
                )
                lines += _otherwise(otherwise)
    if spaced and lines and lines[0] != "":
        lines.insert(0, "")
    return lines


def _assignment(name: str, value: Tensor) -> list[str]:
    line = f"{name} = {render(value)}"
    argument = contracted(value)
    if argument is None:
        return [line]
    device = f'"cpu" if {argument}.is_meta else {argument}.device.type'
    return [
        "# Autocast would multiply matrices in half precision.",
        f"with torch.autocast({device}, enabled=False):",
        f"    {line}",
    ]


def _otherwise(block: tuple[Statement, ...]) -> list[str]:
    """``else`` with its block, or ``elif`` where the block is one more branch."""
    if len(block) == 1 and isinstance(block[0], Branch):
        inner = statements(block)
        return [f"el{inner[0]}", *inner[1:]]
    return [
        "else:",
        *textwrap.indent("\n".join(statements(block)), "    ").split("\n"),
    ]


def _comment(guard: Guard, width: int) -> list[str]:
    text = " ".join(f"Guard [{guard.rule}]: {guard.why}".split())
    return commented(text, width)


def commented(text: str, width: int) -> list[str]:
    """``text`` as comments of at most ``width`` characters a line."""
    wrapped = textwrap.wrap(
        text, width - 2, break_long_words=False, break_on_hyphens=False
    )
    return [f"# {line}" for line in wrapped]
