"""Modules that are right as they are and die in a known way, and one that outlives them all."""

from __future__ import annotations

from dataclasses import dataclass

from losscodegen.ir.loss import Loss
from losscodegen.language.parse import parse
from losscodegen.language.spec import read_spec_text

SPECS = """
[SquareLoss]
inputs.x = { type = "real[...]", arg = "prediction", doc = "a" }
inputs.y = { type = "real[...]", arg = "target", doc = "b" }
loss = "(x - y)**2"
summary = "The square."

[ProductLoss]
inputs.x = { type = "real[B, D]", arg = "prediction", doc = "a" }
inputs.y = { type = "real[B, D]", arg = "target", doc = "b" }
loss = "Sum(x[b, d]*y[b, d], d)"
summary = "The product."
"""
LOSSES = {loss.name: loss for loss in parse(read_spec_text(SPECS, "doomed.toml"))}
SQUARE, PRODUCT = LOSSES["SquareLoss"], LOSSES["ProductLoss"]

ROBUST = {
    SQUARE: "(x - y).square()",
    PRODUCT: "(x * y).sum(1)",
}
"""A result that survives in every way."""


def source(loss: Loss, result: str, before: str = "", state: str = "") -> str:
    """The text of a module whose forward returns ``result``."""
    return f"""
import torch
from torch import nn


class {loss.name}(nn.Module):
    def __init__(self, *, reduction="mean"):
        super().__init__()
        self.reduction = reduction
        {state or "pass"}

    def forward(self, x, y):
        {before or "pass"}
        return {result}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doomed:
    """A module, the ways in which it dies, and a word of the reason."""

    loss: Loss
    result: str
    before: str = ""
    state: str = ""
    dies: tuple[str, ...]
    why: str

    @property
    def source(self) -> str:
        return source(self.loss, self.result, self.before, self.state)


DOOMED = {
    "a constant on the CPU": Doomed(
        loss=SQUARE,
        result="(x - y).square() * torch.ones(1)",
        dies=("fake-cuda",),
        why="cpu",
    ),
    "a number on the CPU": Doomed(
        loss=SQUARE,
        result="torch.maximum((x - y).square(), self.least)",
        state="self.least = torch.tensor(0.0)",
        dies=("fake-cuda",),
        why="tensor on cpu",
    ),
    "half the digits on a GPU": Doomed(
        loss=SQUARE,
        result="(x - y).square().to(x.dtype if x.device.type == 'cpu' else torch.half)",
        dies=("fake-cuda",),
        why="the result is torch.float16",
    ),
    "state that is changed": Doomed(
        loss=SQUARE,
        result="(x - y).square()",
        before="self.seen.add_(x.detach().sum())",
        state="self.register_buffer('seen', torch.zeros(()))",
        dies=("vmap",),
        why="captured Tensor",
    ),
    "a look at the numbers": Doomed(
        loss=SQUARE,
        result="(x - y).square() if (x == x).all() else (x - y).abs() ** 2",
        dies=("vmap", "export", "onnx", "fake-cuda"),
        why="data-dependent|Could not guard|vmap|local_scalar_dense",
    ),
    "a product of matrices": Doomed(
        loss=PRODUCT,
        result="(x.unsqueeze(1) @ y.unsqueeze(2)).reshape(-1).to(x.dtype)",
        dies=("autocast-bf16", "autocast-f16"),
        why="should be",
    ),
    "a function that ONNX lacks": Doomed(
        loss=SQUARE,
        result="(x - y).square() + 0 * torch.special.i0e(0 * x.tanh())",
        dies=("onnx",),
        why="i0e",
    ),
    "an operation that cannot be cut": Doomed(
        loss=PRODUCT,
        result="(x * y).sum(1) + 0 * torch.searchsorted(x.tanh(), y.tanh()).sum(1)",
        dies=("shard-batch", "shard-classes"),
        why="sharding strategy",
    ),
}
