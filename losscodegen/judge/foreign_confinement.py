"""The part of a spec that code which was not generated can be asked about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from losscodegen.errors import Location, fail
from losscodegen.ir.loss import Loss
from losscodegen.judge.foreign_plan import Plan
from losscodegen.judge.point import Array, Entry
from losscodegen.judge.rounding import Dtype, round_float
from losscodegen.judge.settings import Setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Confinement:
    """The part of a spec that a module has: parameters at fixed values, tensors left out.

    ``fixed`` are values by symbol, ``left`` optional tensors that the module does not take,
    ``tied`` pairs of symbols that are one argument of the module, ``sizes`` the axes that a fixed
    tensor has.
    """

    fixed: Mapping[str, Entry]
    left: frozenset[str]
    tied: tuple[tuple[str, str], ...]
    sizes: Mapping[str, int]

    def __call__(self, options: Sequence[Setting], dtype: Dtype) -> list[Setting]:
        found: dict[str, Setting] = {}
        for setting in options:
            fixed = {n: _in_format(e, dtype) for n, e in self.fixed.items()}
            scalars = {**setting.scalars, **fixed}
            for one, other in self.tied:
                scalars[other] = scalars[one]
            absent = (setting.absent | self.left) | {
                n for n, e in fixed.items() if isinstance(e, Array)
            }
            made = replace(
                setting,
                scalars=scalars,
                absent=absent,
                sizes=dict(self.sizes),
                batches=((3,), (2,)),
            )
            found.setdefault(repr((sorted(scalars.items()), sorted(absent))), made)
        return list(found.values())


def _in_format(entry: Entry, dtype: Dtype) -> Entry:
    if isinstance(entry, Array):
        return Array(
            entry.shape,
            tuple(
                round_float(e, dtype) if isinstance(e, float) else e
                for e in entry.entries
            ),
        )
    return round_float(entry, dtype) if isinstance(entry, float) else entry


def entry_of(value: Any) -> Entry:
    """A value of ``--init`` or ``--set`` as an entry of a point; lists are tensors."""
    if not isinstance(value, list):
        if not isinstance(value, bool | int | float | str):
            raise ValueError(f"{value!r} is no number, word or list")
        return value
    made = torch.tensor(value)
    return Array(tuple(made.shape), tuple(_leaves(value)))


def _leaves(value: Any) -> Iterator[Any]:
    for item in value if isinstance(value, list) else [value]:
        yield from _leaves(item) if isinstance(item, list) else [item]


def confinement(
    loss: Loss, plan: Plan, settings: Mapping[str, Entry], defaults: Mapping[str, Entry]
) -> Confinement:
    """What of the spec is judged for a plan; ``settings`` are what the user fixed, by any name.

    Raises:
        LossCodegenError: if a setting is no parameter of the spec.
    """
    settings = {_symbol(loss, name): entry for name, entry in settings.items()}
    fixed: dict[str, Entry] = {}
    left: set[str] = set()
    first: dict[str, str] = {}
    tied: list[tuple[str, str]] = []
    sizes: dict[str, int] = {}
    for variable in loss.parameters:
        name = plan.argument(variable.name)
        if variable.name in settings:
            fixed[variable.name] = settings[variable.name]
        elif name is None:
            if variable.scalar:
                fixed[variable.name] = defaults[variable.name]
            else:
                left.add(variable.name)
        elif name in plan.init:
            value = entry_of(plan.init[name])
            whole = isinstance(value, int) and not isinstance(value, bool)
            continuous = variable.domain.kind.value not in ("integer", "count", "index")
            fixed[variable.name] = float(value) if whole and continuous else value  # type: ignore[arg-type]
        elif name in first:
            tied.append((first[name], variable.name))
        first.setdefault(name or "", variable.name)
        entry = fixed.get(variable.name)
        if isinstance(entry, Array):
            sizes.update(zip(variable.subscripted_axes, entry.shape, strict=False))
    left |= {v.name for v in loss.inputs if v.optional and v.name not in plan.called}
    return Confinement(fixed=fixed, left=frozenset(left), tied=tuple(tied), sizes=sizes)


def _symbol(loss: Loss, name: str) -> str:
    for variable in loss.parameters:
        if name in (variable.name, variable.arg):
            return variable.name
    known = ", ".join(v.name for v in loss.parameters) or "no parameters"
    raise fail(
        "unknown-parameter",
        f"--set names {name}, which is no parameter of {loss.name}",
        Location("--set", 1, 1, len(name) + 1, name),
        f"it has {known}",
    )
