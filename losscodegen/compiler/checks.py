"""The statements of a generated function that reject wrong arguments, as text."""

from __future__ import annotations

from losscodegen.compiler.backends.torch import render
from losscodegen.compiler.program import Program, ShapeCheck
from losscodegen.ir.loss import ELLIPSIS, Domain, DomainKind, Interval, Loss, Variable

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
        lines += _shape_check(check, earlier)
        if not check.argument.optional:
            earlier.append(check.argument)
    return lines


def _shape_check(check: ShapeCheck, earlier: list[Variable]) -> list[str]:
    variable = check.argument
    arg = variable.arg
    same = [v for v in earlier if v.axes == variable.axes]
    if same and not variable.optional:
        other = same[0].arg
        return [
            f"if {arg}.shape != {other}.shape:",
            "    raise ValueError(",
            f'        "{other} and {arg} must have the same shape, "',
            f'        f"got {{tuple({other}.shape)}} and {{tuple({arg}.shape)}}"',
            "    )",
        ]
    owner = _owner(variable, earlier)
    condition = (
        f"{arg}.shape != {_expected(variable, owner)}"
        if owner is not None
        else _partial(check)
    )
    if condition is None:
        return []
    if variable.optional:
        condition = (
            f"{arg} is not None and ({condition})"
            if " or " in condition
            else (f"{arg} is not None and {condition}")
        )
    known = owner or (earlier[0] if earlier else None)
    shape = shape_text(variable.axes)
    head = f'f"{arg} must have shape {shape}'
    if known is not None and any(isinstance(d, tuple) for d in check.dims):
        message = [
            f'        "{arg} must have shape {shape} where {known.arg} has '
            f'{shape_text(known.axes)}, "',
            f'        f"got {{tuple({arg}.shape)}} and {{tuple({known.arg}.shape)}}"',
        ]
    else:
        message = [f'        {head}, got {{tuple({arg}.shape)}}"']
    return [f"if {condition}:", "    raise ValueError(", *message, "    )"]


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
    return " + ".join(f"{owner.arg}.shape{_slice(owner, run)}" for run in runs)


def _slice(owner: Variable, run: list[int]) -> str:
    count = len(owner.axes)
    mark = owner.axes.index(ELLIPSIS) if ELLIPSIS in owner.axes else count
    first, last = run[0], run[-1]
    start = "" if first == 0 else str(first if first <= mark else first - count)
    end = (
        "" if last == count - 1 else str(last + 1 if last < mark else last + 1 - count)
    )
    return f"[{start}:{end}]"


def _partial(check: ShapeCheck) -> str | None:
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
    return " or ".join(conditions) or None


# ---------------------------------------------------------------- scalar parameters


def domain_condition(name: str, domain: Domain) -> tuple[str, str] | None:
    """A Python condition for a scalar in its domain, and what to say when it does not hold."""
    if domain.interval is not None:
        return _interval_condition(name, domain.interval)
    match domain.kind:
        case DomainKind.POSITIVE:
            return f"{name} > 0", "be positive"
        case DomainKind.NONNEGATIVE:
            return f"{name} >= 0", "not be negative"
        case DomainKind.NEGATIVE:
            return f"{name} < 0", "be negative"
        case DomainKind.UNIT:
            return f"0 <= {name} <= 1", "lie in [0, 1]"
        case DomainKind.BINARY | DomainKind.MASK:
            return f"{name} in (0, 1)", "be 0 or 1"
        case DomainKind.SIGN:
            return f"{name} in (-1, 1)", "be -1 or 1"
        case DomainKind.COUNT:
            return (
                f"{name} >= 0 and {name} == int({name})",
                "be a whole number, not negative",
            )
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


def _short(value: object) -> str:
    text = repr(float(value))  # type: ignore[arg-type]
    return text.removesuffix(".0")


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
        rejects = "  # also rejects nan" if " in " not in condition else ""
        lines += [
            f"if {given}{negated}:{rejects}",
            f'    raise ValueError(f"{variable.arg} must {words}, got {{{variable.arg}!r}}")',
        ]
    for condition_, text in program.require:
        names = [
            v.arg for v in loss.parameters if v.scalar and v.arg in render(condition_)
        ]
        got = ", ".join(f"{n}={{{n}!r}}" for n in names)
        message = text.replace("{", "{{").replace("}", "}}").replace('"', "'")
        lines += [
            f"if not ({render(condition_)}):",
            f'    raise ValueError(f"{message} must hold, got {got}")',
        ]
    if not loss.scalar:
        lines += [
            f"if reduction not in {REDUCTIONS!r}:",
            "    raise ValueError(",
            "        f\"reduction must be 'none', 'mean' or 'sum', got {reduction!r}\"",
            "    )",
        ]
    return lines


def checked_parameters(loss: Loss) -> list[Variable]:
    """The scalars that ``_check_parameters`` looks at."""
    return [v for v in loss.parameters if v.scalar]
