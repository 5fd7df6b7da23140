"""A module as a function of tensors alone, and its results at the points of a group."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from losscodegen.ir.loss import Loss
from losscodegen.judge.accused import Accused
from losscodegen.judge.rounding import Dtype
from losscodegen.judge.tensors import (
    TORCH,
    Bound,
    Result,
    Stack,
    bind,
    split_stack,
    stacks,
)
from losscodegen.survival.plan import Group

Call = Callable[..., Tensor]
"""Takes the tensors of `EntryPoint.arguments` and gives the unreduced loss."""
Prepare = Callable[["EntryPoint", Sequence[Tensor]], Call]
"""Makes a call of an entry point; the tensors are an example of its arguments."""


class EntryPoint(nn.Module):
    """A module whose learnable parameters are arguments: only tensors go in, only one comes out.

    What is no tensor, such as an optional input that is left out, is part of it.
    """

    def __init__(self, accused: Accused, bound: Mapping[str, Bound]) -> None:
        super().__init__()
        learnable = accused.learnable(bound)
        dtype = next(iter(learnable.values())).dtype if learnable else None
        self.loss = accused.loss
        self.module = accused.build(bound, dtype=dtype)
        self.paths = tuple(learnable)
        self.fixed = tuple(
            None if isinstance(bound[v.name], Tensor) else (bound[v.name],)
            for v in accused.loss.inputs
        )

    def forward(self, *tensors: Tensor) -> Tensor:
        count = len(self.paths)
        given = iter(tensors[count:])
        inputs = tuple(next(given) if f is None else f[0] for f in self.fixed)
        if not count:
            return self.module(*inputs)  # type: ignore[no-any-return]
        state = dict(zip(self.paths, tensors, strict=False))
        return torch.func.functional_call(  # type: ignore[no-any-return]
            self.module, state, inputs
        )

    @property
    def names(self) -> tuple[str, ...]:
        """The variable behind each argument, by symbol."""
        arguments = {v.arg: v.name for v in self.loss.parameters}
        layer = self.loss.interface and self.loss.interface.layer
        if layer:
            arguments |= {
                f"{layer.name}.{part}": arguments[arg]
                for part, arg in (("weight", layer.weight), ("bias", layer.bias))
            }
        tensors = [
            v.name for v, f in zip(self.loss.inputs, self.fixed, strict=True) if not f
        ]
        return tuple(arguments[path] for path in self.paths) + tuple(tensors)

    def arguments(self, accused: Accused, bound: Mapping[str, Bound]) -> list[Tensor]:
        """The tensors for a call, those that gradients are asked for requiring them."""
        tensors = [bound[v.name] for v in self.loss.inputs]
        found = [*accused.learnable(bound).values(), *tensors]
        return [t for t in found if isinstance(t, Tensor)]


def leaves(tensors: Sequence[Tensor]) -> list[Tensor]:
    """The same as tensors of their own, so that a gradient ends at them."""
    return [t.detach().clone().requires_grad_(t.requires_grad) for t in tensors]


def run_group(
    accused: Accused,
    group: Group,
    dtype: Dtype,
    prepare: Prepare,
    *,
    slopes: bool = True,
    lay: Callable[[Sequence[str], Sequence[Tensor]], list[Tensor]] | None = None,
    fetch: Callable[[Tensor], Tensor] = lambda t: t,
) -> list[Result]:
    """Value and gradient at every point of a group through the call that ``prepare`` makes once.

    ``lay`` makes the leaves of the arguments, given the variables behind them, and ``fetch`` plain
    tensors of results. Without ``slopes`` there are no gradients.
    """
    results: dict[int, Result] = {}
    made: tuple[EntryPoint, Call] | None = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for stack in stacks(group.loss, group.points):
            bound = bind(group.loss, stack.values, TORCH[dtype])
            if made is None:
                entry = EntryPoint(accused, bound)
                example = leaves(entry.arguments(accused, bound))
                made = entry, prepare(entry, example)
            entry, call = made
            tensors = leaves(entry.arguments(accused, bound))
            if lay is not None:
                tensors = lay(entry.names, tensors)
            value, gradient = _call(call, entry.names, tensors, slopes, fetch)
            results.update(apart(group.loss, stack, value, gradient))
    return [results[k] for k in range(len(group.points))]


def _call(
    call: Call,
    names: Sequence[str],
    tensors: Sequence[Tensor],
    slopes: bool,
    fetch: Callable[[Tensor], Tensor],
) -> tuple[Tensor, dict[str, Tensor]]:
    if not slopes:
        with torch.no_grad():
            return fetch(call(*tensors)), {}
    value = call(*tensors)
    wanted = {n: t for n, t in zip(names, tensors, strict=True) if t.requires_grad}
    found: Sequence[Tensor | None] = [None] * len(wanted)
    if wanted and value.requires_grad:
        found = torch.autograd.grad(
            value.sum(), list(wanted.values()), allow_unused=True
        )
    gradient = {
        name: fetch(torch.zeros_like(leaf) if g is None else g)
        for (name, leaf), g in zip(wanted.items(), found, strict=True)
    }
    return fetch(value.detach()), gradient


def apart(
    loss: Loss, stack: Stack, value: Tensor, gradient: Mapping[str, Tensor]
) -> dict[int, Result]:
    """The results of a call, by the places of its points."""
    whole = Result(
        shape=tuple(value.shape),
        value=tuple(value.reshape(-1).tolist()),
        gradient={n: tuple(g.reshape(-1).tolist()) for n, g in gradient.items()},
        dtype=str(value.dtype).removeprefix("torch."),
    )
    if stack.joined:
        return dict(split_stack(loss, stack, whole, gradient))
    return {stack.places[0]: whole}
