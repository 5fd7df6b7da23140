"""The function with a backward of its own, as text."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass

from losscodegen.compiler.backends.torch import render
from losscodegen.compiler.checks import listed
from losscodegen.compiler.docs import prose
from losscodegen.compiler.emit_body import assignments
from losscodegen.compiler.formatting import WIDTH, definition, formatted, wrapped
from losscodegen.compiler.program import Assign, Derived, Statement
from losscodegen.compiler.signature import python_type

_SLOPE = "The derivative, and the derivative of that as a formula of its own."
_LOSS = "The loss, and its gradient as a formula of its own."
_TERMS = "The terms of the loss, and their gradient as a formula of its own."
_COST = (
    "It keeps the arguments for the gradient, not what was computed from them, and computes that "
    "again. Forward-mode derivatives, as of ``torch.func.jacfwd``, are not there."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GradientContext:
    """What the template needs of a `Derived`; lists of ready-made text."""

    name: str
    docstring: tuple[str, ...]
    forward_head: tuple[str, ...]
    forward: tuple[str, ...]
    context: tuple[str, ...]
    backward_head: tuple[str, ...]
    backward: tuple[str, ...]


def gradient_contexts(derived: Derived | None) -> tuple[GradientContext, ...]:
    """The classes of a function with its own gradient, and of derivatives that have theirs."""
    if derived is None:
        return ()
    further = [s.factor.function for s in derived.slopes if s.factor is not None]
    first = _context(derived, _docstring(derived))
    return (first, *(_context(f, [_SLOPE, ""]) for f in further))


def _context(derived: Derived, docstring: list[str]) -> GradientContext:
    parameters = [f"{v.arg}: {python_type(v)}" for v in derived.arguments]
    head = (f"{derived.context}: Any", f"{derived.grad}: Tensor")
    returns = "Tensor" if len(parameters) == 1 else "tuple[Tensor | None, ...]"
    return GradientContext(
        name=derived.name,
        docstring=tuple(docstring),
        forward_head=definition("forward", parameters, "Tensor", 4),
        forward=wrapped(_forward(derived), 8),
        context=wrapped(_kept(derived), 8),
        backward_head=definition("backward", head, returns, 4),
        backward=wrapped(_backward(derived), 8),
    )


def code(contexts: tuple[GradientContext, ...]) -> tuple[str, ...]:
    """The lines of the classes, to see what they use."""
    return tuple(line for c in contexts for line in (*c.forward, *c.backward))


def call(derived: Derived, name: str | None = None, indent: int = 4) -> list[str]:
    """The statement that assigns ``name``, which stands ``indent`` deep."""
    name = name or derived.result
    pragma = "# type: ignore[no-untyped-call]"
    operands = [render(operand) for operand in derived.operands]
    line = f"{name}: Tensor = {derived.name}.apply({', '.join(operands)})"
    if len(line) + indent <= WIDTH:
        return [f"{line}  {pragma}"]
    first, *rest = formatted(line, indent).splitlines()
    return [f"{first}  {pragma}", *rest]


def _forward(derived: Derived) -> list[str]:
    *block, last = derived.forward
    return _typed(derived, _returned(block, last, ""))


def _returned(block: list[Statement], last: Statement, rest: str) -> list[str]:
    """The lines of ``block``, and those that return what ``last`` would assign, and ``rest``."""
    lines = assignments(tuple(block), indent=8)
    if not isinstance(last, Assign):
        return [*lines, *assignments((last,), indent=8), f"return loss{rest}"]
    *comments, assignment = assignments((last,), indent=8)
    space = [""] if comments and lines else []
    value = assignment.removeprefix(f"{last.name} = ")
    return [*lines, *space, *comments, f"return {value}{rest}"]


def _typed(derived: Derived, lines: list[str]) -> list[str]:
    """``lines`` with the dtype of everything in front, if they need it."""
    if not any(re.search(r"\bwide\b", line) for line in lines):
        return lines
    return [f"wide = {derived.arguments[0].arg}.dtype", *lines]


def _docstring(derived: Derived) -> list[str]:
    cost = _COST
    constant = derived.arguments[len(derived.slopes) :]
    tensors = [f"``{v.arg}``" for v in constant if not v.scalar]
    if tensors:
        verb = "gets" if len(tensors) == 1 else "get"
        cost += f" {listed(tensors)} {verb} no gradient."
    return [_LOSS if derived.result == "loss" else _TERMS, "", *prose(cost), ""]


def _kept(derived: Derived) -> list[str]:
    """What forward leaves for backward."""
    tensors = [v.arg for v in derived.arguments if not v.scalar]
    scalars = [f"ctx.{v.arg}" for v in derived.arguments if v.scalar]
    if not scalars:
        return ["ctx.save_for_backward(*inputs)"]
    names = ", ".join(["*tensors", *scalars]) if tensors else ", ".join(scalars)
    return [f"{names} = inputs", "ctx.save_for_backward(*tensors)"]


def _backward(derived: Derived) -> list[str]:
    context = derived.context
    tensors = [v.arg for v in derived.arguments if not v.scalar]
    scalars = [v.arg for v in derived.arguments if v.scalar]
    comma = "," if len(tensors) == 1 else ""
    lines = [f"{', '.join(tensors)}{comma} = {context}.saved_tensors"]
    if scalars:
        values = ", ".join(f"{context}.{name}" for name in scalars)
        lines.append(f"{', '.join(scalars)} = {values}")
    names = [slope.name for slope in derived.slopes]
    rest = "".join(", None" for _ in derived.arguments[len(names) :])
    if len(names) == 1:
        (slope,) = derived.slopes
        *block, last = slope.statements
        if slope.factor is not None:
            lines += call(slope.factor.function, slope.factor.name, 8)
            return [*lines, *_returned(block, last, rest)]
        return [*lines, "", *_typed(derived, _returned(block, last, rest))]
    body = assignments(derived.shared, spaced=True, indent=8)
    body += ["", f"{' = '.join(names)} = None"]
    for place, slope in enumerate(derived.slopes):
        text = "\n".join(assignments(slope.statements, indent=12))
        body.append(f"if {context}.needs_input_grad[{place}]:")
        body += textwrap.indent(text, "    ").split("\n")
    lines += _typed(derived, body)
    return [*lines, "", f"return {', '.join(names)}{rest}"]
