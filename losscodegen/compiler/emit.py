"""From programs to the text of a module: Jinja lays it out, Black formats it.

The template loops over ready-made strings; everything that is decided is decided here. The text is
compiled and its names are checked before it is returned, so that a defect of the emitter never
reaches a file.
"""

from __future__ import annotations

import ast
import builtins
import re
import textwrap
from dataclasses import dataclass, fields
from functools import lru_cache

import black
import jinja2
from black.mode import Mode, TargetVersion

from losscodegen import resources
from losscodegen.compiler import signature
from losscodegen.compiler.backends.torch import method, render
from losscodegen.compiler.checks import parameter_checks, shape_checks
from losscodegen.compiler.docs import class_docstring, module_docstring
from losscodegen.compiler.kinks import CONSTANT_KINDS
from losscodegen.compiler.program import Assign, Branch, Program, Statement
from losscodegen.compiler.tensors import only_compared
from losscodegen.ir.loss import DomainKind, Loss
from losscodegen.ir.nodes import Guard

WIDTH = 88
_MODE = Mode(
    target_versions={TargetVersion.PY311}, line_length=WIDTH, string_normalization=True
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A generated module: its file name and its text."""

    name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LossContext:
    """What the template needs of one loss; lists of ready-made text."""

    name: str
    function: str
    function_parameters: tuple[str, ...]
    body: tuple[str, ...]
    docstring: tuple[str, ...]
    annotations: tuple[str, ...]
    constructor_parameters: tuple[str, ...]
    constructor: tuple[str, ...]
    forward_parameters: tuple[str, ...]
    forward_arguments: tuple[str, ...]
    representation: tuple[str, ...]
    check_name: str
    check_parameters: tuple[str, ...]
    checks: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleContext:
    """The template's variables, exactly."""

    version: str
    origin: str
    title: str
    imports: tuple[str, ...]
    exports: tuple[str, ...]
    reduces: bool
    losses: tuple[LossContext, ...]


def emit(
    programs: tuple[tuple[Loss, Program], ...],
    *,
    module: str,
    origin: str,
    version: str,
) -> SourceFile:
    """The module that holds these losses, each given as written and as lowered.

    ``origin`` is the spec's path as the header shows it. Same input, same bytes.
    """
    contexts = tuple(
        _loss_context(written, program, alone=len(programs) == 1)
        for written, program in programs
    )
    body = "\n".join(
        "\n".join((*c.body, *c.checks, *c.function_parameters)) for c in contexts
    )
    reduces = any(not written.scalar for written, _ in programs)
    context = ModuleContext(
        version=version,
        origin=origin,
        title="\n".join(
            module_docstring(programs[0][0].summary or programs[0][0].name)
        ),
        imports=_imports(body, contexts, reduces),
        exports=tuple(
            sorted(f'"{name}"' for c in contexts for name in (c.name, c.function))
        ),
        reduces=reduces,
        losses=contexts,
    )
    values = {f.name: getattr(context, f.name) for f in fields(context)}
    text = template().render(values)
    formatted = black.format_str(text, mode=_MODE)
    _distrust(formatted, module)
    return SourceFile(name=f"{module}.py", text=formatted)


@lru_cache(maxsize=1)
def template() -> jinja2.Template:
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    return environment.from_string(resources.template("module.py.jinja"))


def _imports(
    body: str, contexts: tuple[LossContext, ...], reduces: bool
) -> tuple[str, ...]:
    everything = body + "\n".join("\n".join(c.constructor) for c in contexts)
    lines = ["import math"] if re.search(r"\bmath\.", everything) else []
    if reduces or "Literal[" in everything:
        lines.append("from typing import Literal")
    if lines:
        lines.append("")
    lines.append("import torch")
    lines.append("from torch import Tensor, nn")
    if re.search(r"\bF\.", everything):
        lines.append("from torch.nn import functional as F")
    return tuple(lines)


# ---------------------------------------------------------------- one loss


def _loss_context(written: Loss, program: Program, *, alone: bool) -> LossContext:
    loss = program.loss
    checks = tuple(parameter_checks(program))
    check_name = "_check_parameters" if alone else f"_check_{loss.function}"
    checked = signature.checked(loss)
    call = f"{check_name}({', '.join(v.split(':')[0] for v in checked)})"
    body: list[str] = [call] if checks else []
    body += shape_checks(program)
    body += _widening(program)
    body += _statements(program.statements, spaced=True)
    body += ["", *_returns(program)]
    return LossContext(
        name=loss.name,
        function=loss.function,
        function_parameters=signature.function_parameters(loss),
        body=tuple(body),
        docstring=tuple(class_docstring(written)),
        annotations=signature.attributes(loss),
        constructor_parameters=signature.constructor_parameters(loss),
        constructor=(*([call] if checks else []), *signature.constructor(loss)),
        forward_parameters=signature.forward_parameters(loss),
        forward_arguments=signature.forward_arguments(loss),
        representation=signature.representation(loss),
        check_name=check_name,
        check_parameters=checked,
        checks=checks,
    )


def _widening(program: Program) -> list[str]:
    """Half precision inputs become float32 until the result."""
    inputs = [
        v for v in program.loss.inputs if v.domain.kind is not DomainKind.INDEX
    ]
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
    line = f"{', '.join(widened)} = {', '.join(f'{a}.to(wide)' for a in widened)}"
    if len(line) <= WIDTH - 4:
        return [*lines, line]
    return [*lines, *(f"{arg} = {arg}.to(wide)" for arg in widened)]


def _statements(
    statements: tuple[Statement, ...], *, spaced: bool = False
) -> list[str]:
    lines: list[str] = []
    for statement in statements:
        match statement:
            case Assign(name, value, guards):
                if guards and lines:
                    lines.append("")
                for guard in guards:
                    lines += _comment(guard)
                lines.append(f"{name} = {render(value)}")
            case Branch(condition, then, otherwise):
                lines.append(f"if {render(condition)}:")
                lines += textwrap.indent("\n".join(_statements(then)), "    ").split(
                    "\n"
                )
                lines += _otherwise(otherwise)
    if spaced and lines and lines[0] != "":
        lines.insert(0, "")
    return lines


def _otherwise(block: tuple[Statement, ...]) -> list[str]:
    """``else`` with its block, or ``elif`` where the block is one more branch."""
    if len(block) == 1 and isinstance(block[0], Branch):
        inner = _statements(block)
        return [f"el{inner[0]}", *inner[1:]]
    return [
        "else:",
        *textwrap.indent("\n".join(_statements(block)), "    ").split("\n"),
    ]


def _comment(guard: Guard) -> list[str]:
    text = " ".join(f"Guard [{guard.rule}]: {guard.why}".split())
    wrapped = textwrap.wrap(
        text, WIDTH - 6, break_long_words=False, break_on_hyphens=False
    )
    return [f"# {line}" for line in wrapped]


def _returns(program: Program) -> list[str]:
    if program.loss.scalar:
        return [f"return {program.result}.to(dtype)"]
    plain = f"return _reduce({program.result}, reduction).to(dtype)"
    mean = program.mean
    if mean is None:
        return [plain]
    lines = _statements(mean.statements)
    total = method(mean.weight, "sum()")
    condition = 'reduction == "mean"'
    if mean.present is not None:
        condition = f"{mean.present} is not None and {condition}"
    return [
        f"if {condition}:",
        *(f"    {line}" for line in lines),
        f"    return ({program.result}.sum() / {total}).to(dtype)",
        plain,
    ]


# ---------------------------------------------------------------- self-check


def _distrust(text: str, module: str) -> None:
    """Compile the text and check that every name in it is defined; raises AssertionError."""
    tree = ast.parse(text)
    compile(tree, f"{module}.py", "exec")
    defined = set(dir(builtins))
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                defined.add(name)
            case ast.arg(arg=name):
                defined.add(name)
            case ast.alias(name=name, asname=asname):
                defined.add(asname or name)
            case ast.Name(id=name, ctx=ast.Store()):
                defined.add(name)
    used = {
        n.id
        for n in ast.walk(tree)
        if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)
    }
    missing = used - defined
    if missing:
        raise AssertionError(
            f"the generated {module}.py uses undefined names: {missing}"
        )
