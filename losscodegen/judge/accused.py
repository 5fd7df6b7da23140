"""The module under judgement: loaded from its text and called as a user would call it."""

from __future__ import annotations

import importlib.abc
import importlib.util
import sys
import types
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from losscodegen.ir.loss import DomainKind, Loss, Role
from losscodegen.judge.tensors import Bound, Function


class CannotLoadError(Exception):
    """The text is no module with the class that the spec names."""


class _TextLoader(importlib.abc.InspectLoader):
    """Loads a module from a string; tracebacks and ``inspect`` see its source."""

    def __init__(self, source: str) -> None:
        self.source = source

    def get_source(self, fullname: str) -> str:
        return self.source

    def get_code(self, fullname: str) -> types.CodeType:
        return self.source_to_code(self.source, f"<{fullname}>")

    def is_package(self, fullname: str) -> bool:
        return False


def load_text(name: str, source: str) -> types.ModuleType:
    """The module that ``source`` is the text of, registered in ``sys.modules`` as ``name``.

    Registered, because pickling and ``torch.compile`` look a class up by its module.
    """
    loader = _TextLoader(source)
    spec = importlib.util.spec_from_loader(name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    previous = sys.modules.get(name)
    sys.modules[name] = module
    try:
        loader.exec_module(module)
    except BaseException:
        if previous is None:
            del sys.modules[name]
        else:
            sys.modules[name] = previous
        raise
    return module


@dataclass(frozen=True, slots=True)
class Accused:
    """The class that a generated module defines for ``loss``."""

    loss: Loss
    factory: type[nn.Module]

    @classmethod
    def load(cls, loss: Loss, source: str) -> Accused:
        name = f"losscodegen_accused_{loss.module or loss.function}"
        try:
            module = load_text(name, source)
        except Exception as problem:
            raise CannotLoadError(f"{type(problem).__name__}: {problem}") from problem
        factory = getattr(module, loss.name, None)
        if not (isinstance(factory, type) and issubclass(factory, nn.Module)):
            raise CannotLoadError(f"it defines no nn.Module called {loss.name}")
        return cls(loss, factory)

    def build(
        self,
        bound: Mapping[str, Bound],
        *,
        reduction: str | None = "none",
        dtype: torch.dtype | None = None,
    ) -> nn.Module:
        """The module for these parameters; learnable ones become its attributes as they are."""
        keywords: dict[str, Any] = self._layer_arguments(bound)
        held = self._held(bound)
        for variable in self.loss.parameters:
            value = bound[variable.name]
            if value is None or variable.arg in held:
                continue
            if isinstance(value, Tensor):
                value = value.detach()
                if variable.role is Role.LEARNABLE and value.ndim == 0:
                    value = value.item()
            keywords[variable.arg] = value
        if reduction is not None and not self.loss.scalar:
            keywords["reduction"] = reduction
        module = self.factory(**keywords)
        return module if dtype is None else module.to(dtype)

    def call(
        self,
        bound: Mapping[str, Bound],
        *,
        reduction: str | None = "none",
        dtype: torch.dtype | None = None,
    ) -> Tensor:
        """``Loss(...)(*inputs)``; gradients reach learnable parameters through ``bound``."""
        learnable = self.learnable(bound)
        if learnable and dtype is None:
            dtype = next(iter(learnable.values())).dtype
        module = self.build(bound, reduction=reduction, dtype=dtype)
        inputs = tuple(bound[v.name] for v in self.loss.inputs)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what it warns its users of is not judged
            if learnable:
                result = torch.func.functional_call(module, learnable, inputs)
            else:
                result = module(*inputs)
        if not isinstance(result, Tensor):
            raise TypeError(f"the loss is a {type(result).__name__}, not a tensor")
        return result

    def learnable(self, bound: Mapping[str, Bound]) -> dict[str, Tensor]:
        """The tensors among the learnable parameters, by their names in the module."""
        layer = self.loss.interface and self.loss.interface.layer
        return {
            f"{layer.name}.{key}" if layer else key: value
            for key, value in self._matrices(bound).items()
        } | {
            v.arg: value
            for v in self.loss.parameters
            if v.role is Role.LEARNABLE and isinstance(value := bound[v.name], Tensor)
        }

    def _held(self, bound: Mapping[str, Bound]) -> dict[str, Tensor]:
        """The weight and the bias of the layer that the class holds, by argument."""
        layer = self.loss.interface and self.loss.interface.layer
        if not layer:
            return {}
        values = {v.arg: bound[v.name] for v in self.loss.parameters}
        found = {arg: values[arg] for arg in (layer.weight, layer.bias)}
        return {arg: v for arg, v in found.items() if isinstance(v, Tensor)}

    def _matrices(self, bound: Mapping[str, Bound]) -> dict[str, Tensor]:
        """The same with all outputs in one axis, as a layer keeps them."""
        held = tuple(self._held(bound).values())
        if not held:
            return {}
        weight, bias = held
        return {
            "weight": weight.reshape(-1, weight.shape[-1]),
            "bias": bias.reshape(-1),
        }

    def _layer_arguments(self, bound: Mapping[str, Bound]) -> dict[str, Any]:
        held = tuple(self._held(bound).values())
        if not held:
            return {}
        classes, *others, features = held[0].shape
        return {
            "in_features": features,
            "num_classes": classes,
            "out_features": tuple(others),
            "bias": True,
        }

    def function(self) -> Function:
        """The unreduced loss as a function of every variable by symbol."""
        return self.call


def words_as_numbers(loss: Loss, bound: Mapping[str, Bound]) -> dict[str, Any]:
    """The same arguments with the word of a choice as the number of its place."""
    found: dict[str, Any] = dict(bound)
    for variable in loss.parameters:
        value = bound[variable.name]
        if variable.domain.kind is DomainKind.CHOICE and isinstance(value, str):
            found[variable.name] = variable.domain.choices.index(value)
    return found
