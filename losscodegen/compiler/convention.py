"""The clauses of a calling convention as statements of a generated function."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from losscodegen.compiler import signature
from losscodegen.compiler.checks import quoted_lines, raise_error
from losscodegen.errors import fail
from losscodegen.ir.interface import Clause
from losscodegen.ir.loss import Loss
from losscodegen.language.calling import HELPERS

REDUCTION_CLAUSE = Clause(
    when="reduction not in ('none', 'mean', 'sum')",
    error="ValueError",
    message="{reduction} is not a valid value for reduction",
)
"""How torch refuses a reduction, where the spec does not say otherwise."""


def call_clauses(loss: Loss, module: Mapping[str, Loss]) -> list[str]:
    """What a generated function with torch's convention begins with.

    ``module`` has the losses of the file by class, which clauses may hand over to.
    """
    assert loss.interface is not None
    clauses = list(loss.interface.at_call)
    refused = any(c.error and "reduction" in (c.when or "") for c in clauses)
    if not loss.scalar and not refused:
        # After clauses that know a reduction of their own.
        own = any("reduction" in (c.when or "") for c in clauses)
        clauses.insert(len(clauses) if own else 0, REDUCTION_CLAUSE)
    if loss.interface.class_axis_without_batch:
        clauses.insert(0, _without_batch(loss))
    return [line for clause in clauses for line in _clause(clause, loss, module)]


def construction_clauses(loss: Loss) -> list[str]:
    """What a constructor with torch's convention checks."""
    if loss.interface is None:
        return []
    clauses = loss.interface.at_construction
    return [line for clause in clauses for line in _clause(clause, loss, {})]


def _without_batch(loss: Loss) -> Clause:
    """One sample without the axis of the batch is a batch of one."""
    first = loss.inputs[0]
    rank = len([axis for axis in first.axes if axis != "..."])
    values = tuple(
        (v.arg, f"{v.arg}.unsqueeze(0)")
        for v in loss.inputs
        if v.axes[:1] == first.axes[:1]
    )
    return Clause(
        when=f"{first.arg}.ndim == {rank - 1}",
        instead=loss.name,
        values=values,
        result="loss.squeeze(0)",
    )


def _clause(clause: Clause, loss: Loss, module: Mapping[str, Loss]) -> list[str]:
    lines = _action(clause, loss, module)
    if clause.when is None:
        return lines
    return [f"if {_spelled(clause.when)}:", *(f"    {line}" for line in lines)]


def _action(clause: Clause, loss: Loss, module: Mapping[str, Loss]) -> list[str]:
    if clause.error:
        # It stands one level deep in `raise_error` already.
        raised = raise_error(_spelled(clause.message), clause.error)
        return [line.removeprefix("    ") for line in raised]
    if clause.warning:
        texts = quoted_lines(_spelled(clause.warning))
        texts[-1] += ","
        return ["warnings.warn(", *texts, "    stacklevel=2,", ")"]
    if clause.broadcast:
        return _broadcast(clause.broadcast, loss)
    if clause.instead:
        return _hand_over(clause, loss, module)
    return [f"{name} = {_spelled(value)}" for name, value in clause.values]


def _spelled(text: str) -> str:
    """With the helpers of the module called by their private names."""
    return re.sub(rf"\b({'|'.join(sorted(HELPERS))})\(", r"_\1(", text)


def _broadcast(names: Iterable[str], loss: Loss) -> list[str]:
    optional = {v.arg for v in loss.variables if v.optional}
    numbers = {v.arg for v in loss.inputs if signature.may_be_number(v, loss)}
    listed = tuple(names)
    if not (optional | numbers) & set(listed):
        joined = ", ".join(listed)
        return [f"{joined} = torch.broadcast_tensors({joined})"]
    shapes = ", ".join(f"{name}.shape" for name in listed if name not in optional)
    lines = []
    if perhaps := [name for name in listed if name in optional]:
        items = f"{perhaps[0]}," if len(perhaps) == 1 else ", ".join(perhaps)
        lines.append(f"given = [x.shape for x in ({items}) if x is not None]")
        shapes += ", *given"
    lines.append(f"shape = torch.broadcast_shapes({shapes})")
    for name in listed:
        expanded = f"{name}.expand(shape)"
        if name in optional:
            expanded = f"None if {name} is None else {expanded}"
        lines.append(f"{name} = {expanded}")
    return lines


def _hand_over(clause: Clause, loss: Loss, module: Mapping[str, Loss]) -> list[str]:
    other = module[clause.instead]
    values = dict(clause.values)
    known = {v.arg for v in loss.variables} | {"reduction"}
    arguments = []
    for arg, keyword in signature.function_arguments(other):
        if arg not in known:
            variable = next(v for v in other.variables if v.arg == arg)
            if not variable.required:
                continue
            raise fail(
                "interface",
                f"{clause.instead} needs the argument '{arg}', which {loss.name} has not",
                loss.location,
                "both must call it the same",
            )
        value = _spelled(values.get(arg, arg))
        arguments.append(f"{arg}={value}" if keyword else value)
    call = f"{other.function}({', '.join(arguments)})"
    if not clause.result:
        return [f"return {call}"]
    return [f"loss = {call}", f"return {_spelled(clause.result)}"]
