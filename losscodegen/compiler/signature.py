"""Signatures, constructor and ``extra_repr`` of a generated class, as text."""

from __future__ import annotations

import textwrap

from losscodegen.ir.interface import LAYER_ARGUMENTS, Layer
from losscodegen.ir.loss import Absent, DomainKind, Loss, Role, Variable

LEGACY = ("size_average", "reduce")
"""Arguments that torch's constructors took before there was ``reduction``."""


def legacy(loss: Loss) -> bool:
    return loss.interface is not None and LEGACY[0] in loss.interface.constructor


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


def _unset(variable: Variable, loss: Loss) -> bool:
    """Whether a convention lets a parameter be None until one of its clauses sets it."""
    return loss.interface is not None and variable.arg in loss.interface.optional


def _typed(variable: Variable, loss: Loss) -> str:
    text = python_type(variable)
    return f"{text} | None" if _unset(variable, loss) else text


def layer_of(loss: Loss) -> Layer | None:
    return None if loss.interface is None else loss.interface.layer


def _own(loss: Loss) -> list[Variable]:
    """The parameters that are attributes of the class, not of a layer that it holds."""
    layer = layer_of(loss)
    held = () if layer is None else (layer.weight, layer.bias)
    return [v for v in loss.parameters if v.arg not in held]


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


def declaration(variable: Variable, loss: Loss) -> str:
    default = "None" if _unset(variable, loss) else default_text(variable)
    text = f"{variable.arg}: {_typed(variable, loss)}"
    return text if default is None else f"{text} = {default}"


def _tensors(loss: Loss) -> list[Variable]:
    """Parameters that are tensors, those without a default first."""
    found = [v for v in loss.parameters if not v.scalar]
    return sorted(found, key=lambda v: not v.required)


def _scalars(loss: Loss) -> list[Variable]:
    found = [v for v in loss.parameters if v.scalar]
    return sorted(found, key=lambda v: not v.required)


def reduction_type(loss: Loss) -> str:
    """Another class's convention lets the call refuse a reduction, in its own words."""
    return "Reduction" if loss.interface is None else "str"


def _reduction(loss: Loss) -> str:
    return f'reduction: {reduction_type(loss)} = "{loss.reduction}"'


def may_be_number(variable: Variable, loss: Loss) -> bool:
    """Whether a clause of the convention makes a tensor of an input given as a number."""
    clauses = () if loss.interface is None else loss.interface.at_call
    number = f"isinstance({variable.arg}, float)"
    return any(number in (clause.when or "") for clause in clauses)


def _input(variable: Variable, loss: Loss) -> str:
    return "Tensor | float" if may_be_number(variable, loss) else "Tensor"


def function_parameters(loss: Loss) -> tuple[str, ...]:
    """Tensors are positional, hyperparameters keyword-only."""
    positional = [f"{v.arg}: {_input(v, loss)}" for v in loss.inputs]
    for variable in _tensors(loss):
        if variable.role is Role.LEARNABLE:
            positional.append(f"{variable.arg}: Tensor")
        else:
            positional.append(declaration(variable, loss))
    positional.sort(key=lambda text: "=" in text)
    keywords = [declaration(v, loss) for v in _scalars(loss)]
    if not loss.scalar:
        keywords.append(_reduction(loss))
    return (*positional, *(["*", *keywords] if keywords else []))


def function_arguments(loss: Loss) -> tuple[tuple[str, bool], ...]:
    """The arguments of the functional form in its order, and whether they go by name only."""
    found = []
    keyword = False
    for text in function_parameters(loss):
        if text == "*":
            keyword = True
        else:
            found.append((text.partition(":")[0], keyword))
    return tuple(found)


def constructor_parameters(loss: Loss) -> tuple[str, ...]:
    if loss.interface is not None and loss.interface.constructor:
        return ("self", *(_conventional(loss, n) for n in loss.interface.constructor))
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
            listed.append(declaration(variable, loss))
    return (*listed, *([] if loss.scalar else ["*", _reduction(loss)]))


def _conventional(loss: Loss, name: str) -> str:
    """An argument of a constructor that another class prescribes."""
    if name == "*":
        return name
    if name == "reduction":
        return _reduction(loss)
    if name in LEGACY:
        return f"{name}: bool | None = None"
    if layer_of(loss) is not None and name in LAYER_ARGUMENTS:
        return LAYER_ARGUMENTS[name]
    return declaration(next(v for v in loss.parameters if v.arg == name), loss)


def constructor(loss: Loss) -> tuple[str, ...]:
    lines = _layer_lines(layer_of(loss))
    for variable in _own(loss):
        arg = variable.arg
        if variable.role is Role.LEARNABLE:
            initial = f"{arg}.clone()" if variable.axes else f"torch.tensor({arg})"
            lines.append(f"self.{arg} = nn.Parameter({initial})")
        elif variable.axes:
            lines.append(f'self.register_buffer("{arg}", {arg})')
        else:
            lines.append(f"self.{arg} = {arg}")
    if not loss.scalar:
        reduction = "reduction"
        if legacy(loss):
            reduction = f"_legacy_reduction({', '.join(LEGACY)}, reduction)"
        lines.append(f"self.reduction = {reduction}")
    return tuple(lines)


def _layer_lines(layer: Layer | None) -> list[str]:
    if layer is None:
        return []
    return [
        "self.num_classes = num_classes",
        "self.out_features = out_features",
        "self.options = options",
        f"self.{layer.name} = nn.Linear(in_features, math.prod(out_features, start=num_classes), "
        "bias=bias, device=device, dtype=dtype)",
    ]


def attributes(loss: Loss) -> tuple[str, ...]:
    lines = [
        f"{v.arg}: {'nn.Parameter' if v.role is Role.LEARNABLE else _typed(v, loss)}"
        for v in _own(loss)
    ]
    if not loss.scalar:
        lines.append(f"reduction: {reduction_type(loss)}")
    return tuple(lines)


def forward_parameters(loss: Loss) -> tuple[str, ...]:
    types = {v.arg: _input(v, loss) for v in loss.inputs}
    return ("self", *(f"{name}: {types[arg]}" for name, arg in _call(loss)))


def _call(loss: Loss) -> tuple[tuple[str, str], ...]:
    """What a call names its arguments, and which inputs they are."""
    if loss.interface is not None and loss.interface.forward:
        return loss.interface.forward
    return tuple((v.arg, v.arg) for v in loss.inputs)


def forward_arguments(loss: Loss) -> tuple[str, ...]:
    named = {arg: name for name, arg in _call(loss)}
    listed = [named[v.arg] for v in loss.inputs]
    tensors = sorted(
        _tensors(loss),
        key=lambda v: v.role is not Role.LEARNABLE and not v.required,
    )
    listed += [_held(v, loss) for v in tensors]
    listed += [f"{v.arg}=self.{v.arg}" for v in _scalars(loss)]
    if not loss.scalar:
        listed.append("reduction=self.reduction")
    return tuple(listed)


def _held(variable: Variable, loss: Loss) -> str:
    """Where a class keeps a tensor: in itself, or as a matrix in a layer."""
    layer = layer_of(loss)
    if layer is None or variable.arg not in (layer.weight, layer.bias):
        return f"self.{variable.arg}"
    if variable.arg == layer.weight:
        return f"self.{layer.name}.weight.reshape(*shape, -1)"
    return "None if bias is None else bias.reshape(shape)"


def forward_lines(loss: Loss) -> tuple[str, ...]:
    """The statements of ``forward``."""
    lines = []
    if (layer := layer_of(loss)) is not None:
        lines = [
            "shape = (self.num_classes, *self.out_features)",
            f'bias = dict(self.{layer.name}.named_parameters()).get("bias")',
        ]
    return (*lines, f"return {loss.function}({', '.join(forward_arguments(loss))})")


def checked(loss: Loss) -> tuple[str, ...]:
    """The parameters of ``_check_parameters``."""
    listed = [f"{v.arg}: {python_type(v)}" for v in loss.parameters if v.scalar]
    unchecked = loss.scalar or loss.interface is not None
    return (*listed, *([] if unchecked else ["reduction: str"]))


def representation(loss: Loss) -> tuple[str, ...]:
    """The body of ``extra_repr``: numbers as they are, tensors by their shape.

    A class that another one prescribes has none, as those of torch have none.
    """
    if loss.interface is not None:
        return ()
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
