"""The generated library as its users have it: modules that are imported and called."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from losscodegen.ir.loss import DomainKind, Loss, Role, Variable
from losscodegen.ir.nodes import Call, Expr, Read, Reduce, Reduction
from losscodegen.ir.ops import OPS, Group
from losscodegen.ir.walk import children, inline_loss, walk
from losscodegen.language.parse import load_losses
from losscodegen.resources import bundled_specs
from tests.references.draw import arguments
from tests.references.library import REFERENCES

SEPARATE = (
    DomainKind.INDEX,
    DomainKind.BINARY,
    DomainKind.SIGN,
    DomainKind.COUNT,
    DomainKind.INTEGER,
    DomainKind.MASK,
)
"""Domains of separate points: no gradient with respect to such an input."""


@dataclass(frozen=True)
class Case:
    """A loss of the library with one set of ordinary arguments."""

    loss: Loss
    module: ModuleType
    values: Mapping[str, Any]
    """By symbol, as NumPy arrays and Python numbers; an optional tensor left out is None."""
    expression: Expr = field(repr=False)

    def __str__(self) -> str:
        return self.loss.module

    # ------------------------------------------------------------ arguments

    def tensor(self, variable: Variable, dtype: torch.dtype) -> Tensor | None:
        """The drawn value of a tensor argument; what cannot be an index gets ``dtype``."""
        value = self.values[variable.name]
        if value is None:
            return None
        index = variable.domain.kind is DomainKind.INDEX
        return torch.as_tensor(np.array(value)).to(torch.int64 if index else dtype)

    def inputs(self, dtype: torch.dtype = torch.float32) -> list[Tensor]:
        tensors = [self.tensor(v, dtype) for v in self.loss.inputs]
        return [t for t in tensors if t is not None]

    def options(self, dtype: torch.dtype = torch.float32) -> dict[str, Any]:
        """What the constructor is called with, ``reduction`` aside."""
        options = {}
        for variable in self.loss.parameters:
            value = self.values[variable.name]
            if value is not None:
                options[variable.arg] = (
                    self.tensor(variable, dtype) if variable.axes else value
                )
        return options

    # ------------------------------------------------------------ the module

    @property
    def factory(self) -> type[nn.Module]:
        return getattr(self.module, self.loss.name)

    def build(
        self, reduction: str | None = "none", dtype: torch.dtype = torch.float32
    ) -> nn.Module:
        options = self.options(dtype)
        if reduction is not None and not self.loss.scalar:
            options["reduction"] = reduction
        return self.factory(**options)

    def call(self, *inputs: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """The unreduced loss of ``inputs``."""
        return self.build(dtype=dtype)(*inputs)

    def function(self, *tensors: Tensor | None, **changed: Any) -> Tensor:
        """The functional form, unreduced, at the drawn scalars; tensors in its own order."""
        options = {v.arg: self.values[v.name] for v in self.loss.parameters if v.scalar}
        if not self.loss.scalar:
            options["reduction"] = "none"
        return getattr(self.module, self.loss.function)(*tensors, **options | changed)

    def tensors(self, dtype: torch.dtype = torch.float32) -> list[Tensor | None]:
        """The positional arguments of the functional form."""
        parameters = [v for v in self.loss.parameters if not v.scalar]
        parameters.sort(key=lambda v: v.role is not Role.LEARNABLE and not v.required)
        return [self.tensor(v, dtype) for v in (*self.loss.inputs, *parameters)]

    # ------------------------------------------------------------ what kind of loss it is

    @property
    def differentiated(self) -> list[int]:
        """The positions of the inputs that a gradient exists for."""
        felt = _felt(self.expression)
        return [
            k
            for k, variable in enumerate(self.loss.inputs)
            if variable.domain.kind not in SEPARATE and variable.name in felt
        ]

    @property
    def ops(self) -> set[str]:
        return {n.op for n in walk(self.expression) if isinstance(n, Call)}

    @property
    def binders(self) -> set[Reduction]:
        return {n.kind for n in walk(self.expression) if isinstance(n, Reduce)}

    @property
    def detaches(self) -> bool:
        """Whether the gradient is, by definition, not that of the value."""
        return "detach" in self.ops

    @property
    def pointwise(self) -> bool:
        """Whether every element of the loss depends on one element of each input."""
        loss = self.loss
        same = all(v.axes == ("...",) for v in (*loss.inputs, *self._tensor_parameters))
        return loss.free == () and loss.batch == 0 and same

    @property
    def _tensor_parameters(self) -> list[Variable]:
        return [v for v in self.loss.parameters if not v.scalar and not v.optional]


def drawn(loss: Loss, *, plain: bool = True, seed: int = 0) -> Mapping[str, Any]:
    """Ordinary arguments, a function of the name of the loss alone."""
    rng = np.random.default_rng([seed, *loss.module.encode()])
    values = arguments(loss, rng, plain=plain)
    inputs = {v.name for v in loss.inputs}
    reads = (n for e in loss.require for n in walk(e) if isinstance(n, Read))
    if any(read.name in inputs for read in reads):  # such as corners of a box in order
        change = REFERENCES[loss.module].change
        message = "a loss with conditions on its inputs needs proper ones"
        assert change is not None, message
        change(values, rng)
    return values


@lru_cache(maxsize=1)
def cases() -> tuple[Case, ...]:
    """Every loss of the library, with arguments that leave out what may be left out.

    The replacements of torch.nn's own follow another convention: see tests/test_drop_ins.py.
    """
    paths = [path for path in bundled_specs() if path.parent.name != "torch_nn"]
    losses = [loss for path in paths for loss in load_losses(path)]
    return tuple(
        Case(
            loss,
            importlib.import_module(f"generated.{loss.module}"),
            drawn(loss),
            inline_loss(loss).expression,
        )
        for loss in losses
    )


def _felt(expr: Expr) -> set[str]:
    """What is read outside of comparisons: only that has a gradient."""
    match expr:
        case Read(name):
            return {name}
        case Call(op) if OPS[op].group in (Group.COMPARISON, Group.LOGIC):
            return set()
        case _:
            return set[str]().union(*map(_felt, children(expr)))
