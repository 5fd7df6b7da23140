"""What stands in a function as lines of text: widening, statements, the return."""

from __future__ import annotations

import textwrap

from losscodegen.compiler.backends.torch import method, render
from losscodegen.compiler.formatting import WIDTH
from losscodegen.compiler.kinks import CONSTANT_KINDS
from losscodegen.compiler.program import Assign, Branch, Program, Statement
from losscodegen.compiler.tensor_nodes import Float, Tensor
from losscodegen.compiler.tensors import contracted, only_compared
from losscodegen.ir.loss import Absent, DomainKind, Role
from losscodegen.ir.nodes import Guard


def widening(program: Program) -> list[str]:
    """Half precision inputs become float32 until the result."""
    inputs = [v for v in program.loss.inputs if v.domain.kind is not DomainKind.INDEX]
    # The result has the dtype of what varies freely: a target may be of integers.
    real = [v.arg for v in inputs if v.domain.kind not in CONSTANT_KINDS]
    real = real or [inputs[0].arg]
    lines = [f"dtype = {real[0]}.dtype"]
    if len(real) > 1:
        lines = [f"dtype = torch.promote_types({real[0]}.dtype, {real[1]}.dtype)"]
    lines += [f"dtype = torch.promote_types(dtype, {arg}.dtype)" for arg in real[2:]]
    lines += [
        "if not dtype.is_floating_point:",
        f'    raise TypeError(f"{real[0]} must be floating point, got {{dtype}}")',
        "wide = torch.promote_types(dtype, torch.float32)  # half precision is too coarse",
    ]
    widened = [v.arg for v in inputs if not only_compared(program, v.arg)]
    # A module in half precision has its own tensors in half precision, too.
    widened += [
        v.arg
        for v in program.loss.parameters
        if v.role is Role.LEARNABLE
        or (
            v.axes
            and v.default is Absent.REQUIRED
            and v.domain.kind not in CONSTANT_KINDS
        )
    ]
    line = f"{', '.join(widened)} = {', '.join(f'{a}.to(wide)' for a in widened)}"
    if widened and len(line) <= WIDTH - 4:
        return [*lines, line]
    return [*lines, *(f"{arg} = {arg}.to(wide)" for arg in widened)]


def assignments(
    statements: tuple[Statement, ...], *, spaced: bool = False, indent: int = 4
) -> list[str]:
    """The lines of a block that stands ``indent`` deep, an empty one before it if ``spaced``."""
    lines: list[str] = []
    for statement in statements:
        match statement:
            case Assign(name, value, guards):
                if guards and lines:
                    lines.append("")
                for guard in guards:
                    lines += _comment(guard, WIDTH - indent)
                lines += _assignment(name, value)
            case Branch(condition, then, otherwise):
                lines.append(f"if {render(condition)}:")
                lines += textwrap.indent("\n".join(assignments(then)), "    ").split(
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
        inner = assignments(block)
        return [f"el{inner[0]}", *inner[1:]]
    return [
        "else:",
        *textwrap.indent("\n".join(assignments(block)), "    ").split("\n"),
    ]


def _comment(guard: Guard, width: int) -> list[str]:
    text = " ".join(f"Guard [{guard.rule}]: {guard.why}".split())
    return commented(text, width)


def commented(text: str, width: int) -> list[str]:
    wrapped = textwrap.wrap(
        text, width - 2, break_long_words=False, break_on_hyphens=False
    )
    return [f"# {line}" for line in wrapped]


def returns(program: Program) -> list[str]:
    if program.loss.scalar:
        return [f"return {program.result}.to(dtype)"]
    plain = f"return _reduce({program.result}, reduction).to(dtype)"
    mean = program.mean
    if mean is None:
        return [plain]
    lines = assignments(mean.statements)
    # Truth values are counted as they are.
    weight = mean.weight.value if isinstance(mean.weight, Float) else mean.weight
    total = method(weight, "sum()")
    condition = 'reduction == "mean"'
    if mean.present is not None:
        condition = f"{mean.present} is not None and {condition}"
    return [
        f"if {condition}:",
        *(f"    {line}" for line in lines),
        f"    return ({program.result}.sum() / {total}).to(dtype)",
        plain,
    ]
