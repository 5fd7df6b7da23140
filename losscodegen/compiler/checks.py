"""The statements of a generated function that reject wrong arguments, as text."""

from __future__ import annotations

import textwrap
from fractions import Fraction

from losscodegen.compiler.backends.torch import render
from losscodegen.compiler.program import (
    Program,
    ShapeCheck,
)
from losscodegen.compiler.tensor_nodes import Apply, Extent, Tensor
from losscodegen.compiler.tensors import names_in
from losscodegen.ir.loss import ELLIPSIS, Domain, DomainKind, Interval, Variable

REDUCTIONS = ("none", "mean", "sum")


def shape_text(axes: tuple[str, ...]) -> str:
    """The shape as documentation writes it: ``(B, C, ...)``."""
    inner = ", ".join(axes)
    return (
        f"({inner},)"
        if len(axes) == 1 and axes[0] not in (ELLIPSIS, "*")
        else f"({inner})"
    )


def shape_checks(program: Program) -> list[str]:
    """One ``if ...: raise`` per tensor argument whose shape can be wrong."""
    lines: list[str] = []
    earlier: list[Variable] = []
    for check in program.checks:
        variable = check.argument
        if not variable.optional:
            if any(v.axes == variable.axes for v in earlier):
                continue  # checked together with the first of that shape
            earlier.append(variable)
        lines += _shape_check(check, [v for v in earlier if v is not variable])
        alike = [c.argument for c in program.checks if c.argument.axes == variable.axes]
        alike = [v for v in alike if not v.optional]
        if not variable.optional and len(alike) > 1:
            lines += _same_shape([v.arg for v in alike])
    for condition, text in program.require:
        lines += _size_check(condition, text, earlier)
    return lines


def _size_check(condition: Tensor, text: str, tensors: list[Variable]) -> list[str]:
    """A requirement on the sizes of axes; ``text`` is how the spec writes it."""
    variable = next((v for v in tensors if v.arg in names_in(condition)), None)
    if variable is None:
        return []  # on parameters alone: checked with them
    broken = f"not ({render(condition)})"
    match condition:
        case Apply(op, (Extent(), _) as sides, static) if op in _OPPOSITES:
            broken = render(Apply(_OPPOSITES[op], sides, static))
    message = (
        f"{variable.arg} must have shape {shape_text(variable.axes)} with {text}, "
        f"got {{tuple({variable.arg}.shape)}}"
    )
    return [f"if {broken}:", *raise_error(message)]


_OPPOSITES = {"ge": "lt", "gt": "le", "le": "gt", "lt": "ge", "eq": "ne", "ne": "eq"}
"""For integers, which no NaN can be among."""


def _same_shape(args: list[str]) -> list[str]:
    if len(args) == 2:
        condition = f"{args[1]}.shape != {args[0]}.shape"
    else:
        condition = f"not {' == '.join(f'{arg}.shape' for arg in args)}"
    shapes = listed([f"{{tuple({arg}.shape)}}" for arg in args])
    message = f"{listed(args)} must have the same shape, got {shapes}"
    return [f"if {condition}:", *raise_error(message)]


def _shape_check(check: ShapeCheck, earlier: list[Variable]) -> list[str]:
    variable = check.argument
    arg = variable.arg
    owner = _owner(variable, earlier)
    condition = (
        f"{arg}.shape != {_expected(variable, owner)}"
        if owner is not None
        else _partial(check, earlier)
    )
    if condition is None:
        return []
    if variable.optional:
        condition = (
            f"{arg} is not None and ({condition})"
            if " or " in condition
            else f"{arg} is not None and {condition}"
        )
    shape = shape_text(variable.axes)
    known = owner
    if known is None:
        known = next((v for v in earlier if set(v.axes) & set(variable.axes)), None)
    got = f"{{tuple({arg}.shape)}}"
    if known is None:
        message = f"{arg} must have shape {shape}, got {got}"
    elif known.axes == variable.axes:
        message = (
            f"{arg} must have the shape of {known.arg}, "
            f"got {got} and {{tuple({known.arg}.shape)}}"
        )
    else:
        message = (
            f"{arg} must have shape {shape} where {known.arg} has "
            f"{shape_text(known.axes)}, got {got} and {{tuple({known.arg}.shape)}}"
        )
    return [f"if {condition}:", *raise_error(message)]


def raise_error(message: str, error: str = "ValueError") -> list[str]:
    """``raise error(message)``, whose fields in braces are expressions without spaces."""
    texts = quoted_lines(message)
    if len(texts) == 1 and len(texts[0].strip()) <= _SHORT:
        return [f"    raise {error}({texts[0].strip()})"]
    return [f"    raise {error}(", *(f"    {text}" for text in texts), "    )"]


def quoted_lines(message: str) -> list[str]:
    """A message as string literals that follow each other, one line each, indented by four."""
    lines = textwrap.wrap(
        message, _MESSAGE, break_long_words=False, break_on_hyphens=False
    )
    texts = [f"{line} " if k < len(lines) - 1 else line for k, line in enumerate(lines)]
    return [f'    {"f" if "{" in text else ""}"{text}"' for text in texts]


_MESSAGE = 70
"""Characters of a message on one line: it stands twelve deep, in quotes, before a comma."""
_SHORT = 62
"""Characters of a string that stands in the line of its ``raise``, eight deep."""


def listed(items: list[str]) -> str:
    """``a, b and c``."""
    if len(items) == 1:
        return items[0]
    return f"{', '.join(items[:-1])} and {items[-1]}"


def _owner(variable: Variable, earlier: list[Variable]) -> Variable | None:
    """An earlier argument that has every axis of ``variable``, each once."""
    for other in earlier:
        if set(variable.axes) <= set(other.axes) and len(set(other.axes)) == len(
            other.axes
        ):
            return other
    return None


def _expected(variable: Variable, owner: Variable) -> str:
    """The shape of ``variable`` in terms of ``owner.shape``: concatenated slices."""
    positions = [owner.axes.index(axis) for axis in variable.axes]
    runs: list[list[int]] = []
    for position in positions:
        if runs and position == runs[-1][-1] + 1:
            runs[-1].append(position)
        else:
            runs.append([position])
    parts = [f"{owner.arg}.shape{_slice(owner, run)}" for run in runs]
    return " + ".join(parts).replace(".shape[:]", ".shape")


def _slice(owner: Variable, run: list[int]) -> str:
    count = len(owner.axes)
    mark = owner.axes.index(ELLIPSIS) if ELLIPSIS in owner.axes else count
    first, last = run[0], run[-1]
    start = "" if first == 0 else str(first if first <= mark else first - count)
    end = (
        "" if last == count - 1 else str(last + 1 if last < mark else last + 1 - count)
    )
    return f"[{start}:{end}]"


def _partial(check: ShapeCheck, earlier: list[Variable]) -> str | None:
    """The condition that some known dim differs or their number is wrong."""
    arg = check.argument.arg
    axes = check.argument.axes
    count = len(axes) - (ELLIPSIS in axes)
    conditions = []
    if ELLIPSIS in axes:
        if count:
            conditions.append(f"{arg}.ndim < {count}")
    else:
        conditions.append(f"{arg}.ndim != {count}")
    mark = axes.index(ELLIPSIS) if ELLIPSIS in axes else len(axes)
    for position, known in enumerate(check.dims):
        dim = position if position < mark else position - len(axes)
        if isinstance(known, tuple):
            conditions.append(f"{arg}.shape[{dim}] != {known[0]}.shape[{known[1]}]")
        elif isinstance(known, int):
            conditions.append(f"{arg}.shape[{dim}] != {known}")
    other = next((v for v in earlier if ELLIPSIS in v.axes), None)
    if ELLIPSIS in axes and other is not None:
        batches = [_slice(v, [v.axes.index(ELLIPSIS)]) for v in (check.argument, other)]
        ours, theirs = (b.replace("[:]", "") for b in batches)
        conditions.append(f"{arg}.shape{ours} != {other.arg}.shape{theirs}")
    return " or ".join(conditions) or None


# ---------------------------------------------------------------- scalar parameters


def domain_condition(name: str, domain: Domain) -> tuple[str, str] | None:
    """A Python condition for a scalar in its domain, and what to say when it does not hold."""
    if domain.interval is not None:
        found = _interval_condition(name, domain.interval)
        if found is not None:
            return found
    match domain.kind:
        case DomainKind.POSITIVE:
            return f"{name} > 0", "be positive"
        case DomainKind.NONNEGATIVE:
            return f"{name} >= 0", "be non-negative"
        case DomainKind.NEGATIVE:
            return f"{name} < 0", "be negative"
        case DomainKind.UNIT:
            return f"0 <= {name} <= 1", "lie in [0, 1]"
        case DomainKind.BINARY | DomainKind.MASK:
            return f"{name} in (0, 1)", "be 0 or 1"
        case DomainKind.SIGN:
            return f"{name} in (-1, 1)", "be -1 or 1"
        case DomainKind.COUNT:
            return f"{name} >= 0 and {name} % 1 == 0", "be a non-negative integer"
        case DomainKind.INTEGER | DomainKind.INDEX:
            return f"{name} % 1 == 0", "be an integer"
        case DomainKind.REAL:
            return f"math.isfinite({name})", "be finite"
        case DomainKind.CHOICE:
            return f"{name} in {domain.choices!r}", f"be one of {domain.choices!r}"
        case _:
            return None


def _interval_condition(name: str, interval: Interval) -> tuple[str, str] | None:
    low, high = interval.low, interval.high
    left = "" if low is None else f"{_short(low)} {'<' if interval.low_open else '<='} "
    right = (
        "" if high is None else f" {'<' if interval.high_open else '<='} {_short(high)}"
    )
    if low is None and high is None:
        return None
    if low is not None and high is None and interval.high_open:
        right = " < math.inf"
    if low is None:
        left = "-math.inf < "
    text = f"{left}{name}{right}"
    return text, f"satisfy {text.replace('math.', '')}"


def _short(value: Fraction) -> str:
    text = repr(float(value))
    return text.removesuffix(".0")


def _quoted(text: str) -> str:
    return f'"{text}"'


def parameter_checks(program: Program) -> list[str]:
    """The body of ``_check_parameters``."""
    loss = program.loss
    lines: list[str] = []
    for variable in loss.parameters:
        if not variable.scalar:
            continue
        found = domain_condition(variable.arg, variable.domain)
        if found is None:
            continue
        condition, words = found
        given = f"{variable.arg} is not None and " if variable.optional else ""
        negated = f"not ({condition})" if " and " in condition else f"not {condition}"
        if " in " in condition:
            negated = condition.replace(" in ", " not in ", 1)
        plain = " in " in condition or condition.startswith("math.")
        rejects = "" if plain else "  # also rejects nan"
        lines.append(f"if {given}{negated}:{rejects}")
        lines += raise_error(f"{variable.arg} must {words}, got {{{variable.arg}!r}}")
    tensors = {v.arg for v in loss.variables if v.axes}
    for condition_, _ in program.require:
        if names_in(condition_) & tensors:
            continue  # sizes are known with the tensors
        text = render(condition_)
        names = [v.arg for v in loss.parameters if v.arg in names_in(condition_)]
        got = ", ".join(f"{n}={{{n}!r}}" for n in names)
        lines.append(f"if not ({text}):")
        lines += raise_error(f"{text.replace(chr(34), chr(39))} must hold, got {got}")
    if not loss.scalar and loss.interface is None:
        lines += [
            f"if reduction not in ({', '.join(map(_quoted, REDUCTIONS))}):",
            "    raise ValueError(",
            "        f\"reduction must be 'none', 'mean' or 'sum', got {reduction!r}\"",
            "    )",
        ]
    return lines
