"""From programs to the text of a module: Jinja lays it out, Black formats it.

The template loops over ready-made strings; everything that is decided is decided here. The text is
compiled and its names are checked before it is returned, so that a defect of the emitter never
reaches a file.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache

import jinja2

from losscodegen import resources
from losscodegen.compiler import signature
from losscodegen.compiler.backends.torch import method
from losscodegen.compiler.checks import parameter_checks, shape_checks
from losscodegen.compiler.convention import call_clauses, construction_clauses
from losscodegen.compiler.docs import class_docstring, module_docstring
from losscodegen.compiler.emit_gradient import (
    GradientContext,
    call,
    code,
    gradient_contexts,
)
from losscodegen.compiler.formatting import WIDTH, definition, formatted, wrapped
from losscodegen.compiler.kinks import CONSTANT_KINDS
from losscodegen.compiler.program import Program
from losscodegen.compiler.statements import commented, statements
from losscodegen.compiler.tensor_nodes import Float
from losscodegen.compiler.tensors import only_compared
from losscodegen.ir.loss import Absent, DomainKind, Loss, Role
from losscodegen.language.calling import HELPERS

PAIRWISE = ("distances", "squared_distances")
"""Functions of `Distances` that a module defines where it uses them."""
LATER = ("later_amax", "later_logsumexp", "later_logsumexp_of_others")
"""Likewise of `Later`."""


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
    function_head: tuple[str, ...]
    body: tuple[str, ...]
    docstring: tuple[str, ...]
    annotations: tuple[str, ...]
    constructor_head: tuple[str, ...]
    constructor: tuple[str, ...]
    forward_head: tuple[str, ...]
    forward: tuple[str, ...]
    representation: tuple[str, ...]
    check_head: tuple[str, ...]
    checks: tuple[str, ...]
    gradients: tuple[GradientContext, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleContext:
    """The template's variables, exactly."""

    header: tuple[str, ...]
    title: str
    imports: tuple[str, ...]
    exports: tuple[str, ...]
    reduces: bool
    reduction: str
    """The type of ``reduction``."""
    legacy: bool
    helpers: tuple[str, ...]
    """The functions of calling conventions that are used."""
    pairwise: tuple[str, ...]
    """The functions of all pairs that are used."""
    later: tuple[str, ...]
    """The functions of risk sets that are used."""
    losses: tuple[LossContext, ...]


def emit(
    programs: tuple[tuple[Loss, Program], ...],
    *,
    module: str,
    origin: str,
    version: str,
    options: str = "",
) -> SourceFile:
    """The module that holds these losses, each given as written and as lowered.

    ``origin`` is the spec's path as the header shows it, ``options`` what else makes the same
    module again. Same input, same bytes.
    """
    module_losses = {program.loss.name: program.loss for _, program in programs}
    contexts = tuple(
        _loss_context(written, program, module_losses) for written, program in programs
    )
    body = "\n".join(
        "\n".join((*c.body, *c.checks, *c.function_head, *code(c.gradients)))
        for c in contexts
    )
    reduces = any(not written.scalar for written, _ in programs)
    types = {signature.reduction_type(written) for written, _ in programs}
    literal = reduces and "Reduction" in types
    pairwise = tuple(n for n in PAIRWISE if re.search(rf"\b_{n}\(", body))
    later = tuple(n for n in LATER if re.search(rf"\b_{n}\(", body))
    context = ModuleContext(
        header=_header(origin, version, options),
        title="\n".join(
            module_docstring(programs[0][0].summary or programs[0][0].name)
        ),
        imports=_imports(body, contexts, literal, pairwise),
        exports=tuple(
            sorted(f'"{name}"' for c in contexts for name in (c.name, c.function))
        ),
        reduces=reduces,
        reduction="Reduction" if literal else "str",
        legacy=any(signature.legacy(written) for written, _ in programs),
        helpers=tuple(n for n in sorted(HELPERS) if f"_{n}(" in body),
        pairwise=pairwise,
        later=later,
        losses=contexts,
    )
    values = {f.name: getattr(context, f.name) for f in fields(context)}
    text = formatted(template().render(values))
    _distrust(text, module)
    return SourceFile(name=f"{module}.py", text=text)


def package(modules: Mapping[str, str], *, folder: str, version: str) -> SourceFile:
    """The ``__init__.py`` of a folder of modules, given by name as texts: what they export.

    ``folder`` is that of the specs as the header shows it. Imports are relative, so that the
    folder can stand anywhere.
    """
    names = {name: _exported(text) for name, text in sorted(modules.items())}
    text = template("package.py.jinja").render(
        header=(
            f"# Generated by losscodegen {version} from {folder}. DO NOT EDIT.",
            "# Edit the specs instead, then run: losscodegen generate",
        ),
        folder=folder,
        modules=tuple(names.items()),
        exports=sorted(f'"{name}"' for found in names.values() for name in found),
    )
    return SourceFile(name="__init__.py", text=formatted(text))


def _exported(text: str) -> tuple[str, ...]:
    """The names in the ``__all__`` of a module."""
    for node in ast.parse(text).body:
        match node:
            case ast.Assign(targets=[ast.Name("__all__")], value=value):
                return tuple(ast.literal_eval(value))
    return ()


@lru_cache(maxsize=2)
def template(name: str = "module.py.jinja") -> jinja2.Template:
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    return environment.from_string(resources.template(name))


def _header(origin: str, version: str, options: str) -> tuple[str, ...]:
    sentences = (
        f"Generated by losscodegen {version} from {origin}. DO NOT EDIT.",
        f"Edit the spec instead, then run: losscodegen generate {origin}{options}",
    )
    return tuple(line for text in sentences for line in commented(text, WIDTH))


def _imports(
    body: str,
    contexts: tuple[LossContext, ...],
    literal: bool,
    pairwise: tuple[str, ...],
) -> tuple[str, ...]:
    everything = body + "\n".join("\n".join(c.constructor) for c in contexts)
    used = re.compile(r"\b(math|warnings)\.|(?P<legacy>_legacy_reduction)\(")
    modules = {m[1] or "warnings" for m in used.finditer(everything)}
    lines = [f"import {name}" for name in sorted(modules)]
    literal = literal or "Literal[" in everything
    untyped = bool(pairwise) or any(c.gradients for c in contexts)
    types = [name for name, used in (("Any", untyped), ("Literal", literal)) if used]
    if types:
        lines.append(f"from typing import {', '.join(types)}")
    if lines:
        lines.append("")
    lines.append("import torch")
    lines.append("from torch import Tensor, nn")
    if re.search(r"\bF\.", everything):
        lines.append("from torch.nn import functional as F")
    return tuple(lines)


# ---------------------------------------------------------------- one loss


def _loss_context(
    written: Loss, program: Program, module: dict[str, Loss]
) -> LossContext:
    loss = program.loss
    alone = len(module) == 1
    checks = tuple(parameter_checks(program))
    check_name = "_check_parameters" if alone else f"_check_{loss.function}"
    checked = signature.checked(loss)
    derived = program.derived
    checking = f"{check_name}({', '.join(v.split(':')[0] for v in checked)})"
    body: list[str] = [checking] if checks else []
    if loss.interface is None:
        body += shape_checks(program)
    else:
        body = [*call_clauses(loss, module), *body]
    body += _widening(program)
    body += statements(program.statements, spaced=True)
    if derived is not None:
        body += [*([] if program.statements else [""]), *call(derived)]
        body += statements(program.after, spaced=True)
    body += ["", *_returns(program)]
    constructor = [checking] if checks and loss.interface is None else []
    constructor += construction_clauses(loss)
    constructor += signature.constructor(loss)
    parameters = signature.function_parameters(loss)
    return LossContext(
        name=loss.name,
        function=loss.function,
        function_head=definition(loss.function, parameters, "Tensor", 0),
        body=wrapped(body, 4),
        docstring=tuple(class_docstring(written)),
        annotations=signature.attributes(loss),
        constructor_head=definition(
            "__init__", signature.constructor_parameters(loss), "None", 4
        ),
        constructor=wrapped(constructor, 8),
        forward_head=definition(
            "forward", signature.forward_parameters(loss), "Tensor", 4
        ),
        forward=wrapped(signature.forward_lines(loss), 8),
        representation=wrapped(signature.representation(loss), 8),
        check_head=definition(check_name, checked, "None", 0),
        checks=checks,
        gradients=gradient_contexts(derived),
    )


def _widening(program: Program) -> list[str]:
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


def _returns(program: Program) -> list[str]:
    if program.loss.scalar:
        return [f"return {program.result}.to(dtype)"]
    plain = f"return _reduce({program.result}, reduction).to(dtype)"
    mean = program.mean
    if mean is None:
        return [plain]
    lines = statements(mean.statements)
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


# ---------------------------------------------------------------- self-check


def _distrust(text: str, module: str) -> None:
    """Compile the text and check that every name in it is defined; raises AssertionError."""
    tree = ast.parse(text)
    compile(tree, f"{module}.py", "exec")
    defined, used = set(dir(builtins)), set[str]()
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
            case ast.Name(id=name, ctx=ast.Load()):
                used.add(name)
    missing = used - defined
    if missing:
        raise AssertionError(
            f"the generated {module}.py uses undefined names: {missing}"
        )
