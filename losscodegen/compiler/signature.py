"""Signatures, constructor and ``extra_repr`` of a generated class, as text."""

from __future__ import annotations

import textwrap

from losscodegen.ir.loss import Absent, DomainKind, Loss, Role, Variable


def python_type(variable: Variable) -> str:
    kind = variable.domain.kind
    if variable.axes or variable.role is not Role.PARAMETER:
        text = "Tensor"
    elif kind is DomainKind.BOOL:
        text = "bool"
    elif kind is DomainKind.CHOICE:
        words = ", ".join(f'"{c}"' for c in variable.domain.choices)
        text = f"Literal[{words}]"
    elif kind in (DomainKind.COUNT, DomainKind.INTEGER, DomainKind.INDEX):
        text = "int"
    else:
        text = "float"
    return f"{text} | None" if variable.optional else text


def default_text(variable: Variable) -> str | None:
    """The default as Python writes it; None if the argument is required."""
    default = variable.default
    if variable.required:
        return None
    if isinstance(default, Absent):
        return "None"
    if isinstance(default, bool):
        return repr(default)
    if isinstance(default, str):
        return f'"{default}"'
    if python_type(variable).startswith("int") and default.denominator == 1:
        return str(default.numerator)
    return repr(float(default))


def declaration(variable: Variable) -> str:
    default = default_text(variable)
    text = f"{variable.arg}: {python_type(variable)}"
    return text if default is None else f"{text} = {default}"


def _tensors(loss: Loss) -> list[Variable]:
    """Parameters that are tensors, those without a default first."""
    found = [v for v in loss.parameters if not v.scalar]
    return sorted(found, key=lambda v: not v.required)


def _scalars(loss: Loss) -> list[Variable]:
    found = [v for v in loss.parameters if v.scalar]
    return sorted(found, key=lambda v: not v.required)


def _reduction(loss: Loss) -> str:
    return f'reduction: Reduction = "{loss.reduction}"'


def function_parameters(loss: Loss) -> tuple[str, ...]:
    """Tensors are positional, hyperparameters keyword-only."""
    positional = [f"{v.arg}: Tensor" for v in loss.inputs]
    for variable in _tensors(loss):
        if variable.role is Role.LEARNABLE:
            positional.append(f"{variable.arg}: Tensor")
        else:
            positional.append(declaration(variable))
    positional.sort(key=lambda text: "=" in text)
    keywords = [declaration(v) for v in _scalars(loss)]
    if not loss.scalar:
        keywords.append(_reduction(loss))
    return (*positional, *(["*", *keywords] if keywords else []))


def constructor_parameters(loss: Loss) -> tuple[str, ...]:
    ordered = sorted(loss.parameters, key=lambda v: not v.required)
    listed = ["self"]
    for variable in ordered:
        if variable.role is Role.LEARNABLE:
            default = default_text(variable)
            listed.append(
                f"{variable.arg}: {'Tensor' if variable.axes else 'float'}"
                + (f" = {default}" if default else "")
            )
        else:
            listed.append(declaration(variable))
    return (*listed, *([] if loss.scalar else ["*", _reduction(loss)]))


def constructor(loss: Loss) -> tuple[str, ...]:
    lines = []
    for variable in loss.parameters:
        arg = variable.arg
        if variable.role is Role.LEARNABLE:
            initial = f"{arg}.clone()" if variable.axes else f"torch.tensor({arg})"
            lines.append(f"self.{arg} = nn.Parameter({initial})")
        elif variable.axes:
            lines.append(f'self.register_buffer("{arg}", {arg})')
        else:
            lines.append(f"self.{arg} = {arg}")
    if not loss.scalar:
        lines.append("self.reduction = reduction")
    return tuple(lines)


def attributes(loss: Loss) -> tuple[str, ...]:
    lines = [
        f"{v.arg}: {'nn.Parameter' if v.role is Role.LEARNABLE else python_type(v)}"
        for v in loss.parameters
    ]
    if not loss.scalar:
        lines.append("reduction: Reduction")
    return tuple(lines)


def forward_parameters(loss: Loss) -> tuple[str, ...]:
    return ("self", *(f"{v.arg}: Tensor" for v in loss.inputs))


def forward_arguments(loss: Loss) -> tuple[str, ...]:
    listed = [v.arg for v in loss.inputs]
    tensors = sorted(
        _tensors(loss),
        key=lambda v: v.role is not Role.LEARNABLE and not v.required,
    )
    listed += [f"self.{v.arg}" for v in tensors]
    listed += [f"{v.arg}=self.{v.arg}" for v in _scalars(loss)]
    if not loss.scalar:
        listed.append("reduction=self.reduction")
    return tuple(listed)


def checked(loss: Loss) -> tuple[str, ...]:
    """The parameters of ``_check_parameters``."""
    listed = [f"{v.arg}: {python_type(v)}" for v in loss.parameters if v.scalar]
    return (*listed, *([] if loss.scalar else ["reduction: str"]))


def representation(loss: Loss) -> tuple[str, ...]:
    """The body of ``extra_repr``: numbers as they are, tensors by their shape."""
    lines = []
    parts = []
    for variable in loss.parameters:
        arg = variable.arg
        if variable.scalar:
            parts.append(f"{arg}={{self.{arg}!r}}")
        elif variable.optional:
            shown = f"None if self.{arg} is None else tuple(self.{arg}.shape)"
            lines.append(f"{arg} = {shown}")
            parts.append(f"{arg}={{{arg}}}")
        elif variable.axes:
            parts.append(f"{arg}={{tuple(self.{arg}.shape)}}")
    if not loss.scalar:
        parts.append("reduction={self.reduction!r}")
    if not parts:
        return ('return ""',)
    texts = textwrap.wrap(", ".join(parts), _LINE, break_long_words=False)
    if len(texts) == 1:
        return (*lines, f'return f"{texts[0]}"')
    between = [f'    f"{text} "' for text in texts[:-1]]
    return (*lines, "return (", *between, f'    f"{texts[-1]}"', ")")


_LINE = 72
"""Characters of a string on one line: it stands twelve deep, in quotes."""
