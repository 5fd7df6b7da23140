"""The hand-written modules of `tests/lab`, loaded and called as their users would."""

from __future__ import annotations

import functools
import importlib.util
import inspect
import math
import tomllib
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from losscodegen.ir.loss import Loss
from losscodegen.judge.accused import words_as_numbers
from losscodegen.judge.naive import Evaluator
from losscodegen.judge.oracles import Oracles
from losscodegen.judge.point import Array, Entry, Point, Real, Slope
from losscodegen.judge.points import default_values
from losscodegen.judge.rounding import Dtype
from losscodegen.judge.tensors import TORCH, Bound, bind
from losscodegen.language.parse import load_losses

LAB = Path(__file__).parent / "lab"
SPECS = Path(__file__).parent.parent / "specs"
ORACLES = Oracles()


Caller = Callable[[Mapping[str, Bound]], Tensor]


@dataclass(frozen=True)
class LabModule:
    """One entry of `lab.toml`."""

    file: str
    name: str
    spec: str
    verdict: str
    reduction: str
    init: Mapping[str, Any] = field(default_factory=dict)
    args: Mapping[str, str] = field(default_factory=dict)
    cause: str = ""
    note: str = ""
    dtype: str = ""
    shows: Mapping[str, Any] = field(default_factory=dict)
    listed: str = ""

    @property
    def loss(self) -> Loss:
        return read_loss(self.spec)

    @property
    def shown(self) -> dict[str, Entry]:
        """The point at which a defect shows, with the defaults of the parameters."""
        values = default_values(self.loss)
        for symbol, value in self.shows.items():
            made = entry(value)
            if self.loss.variable(symbol).axes and not isinstance(made, Array):
                made = Array((), (made,))  # type: ignore[arg-type]
            values[symbol] = made
        return values

    @property
    def target(self) -> Callable[..., Any]:
        return load_target(self.file, self.name)

    def keyword(self, symbol: str) -> str:
        """What the module calls a variable of the spec."""
        return self.args.get(symbol, self.loss.variable(symbol).arg)

    def settled(self, values: Mapping[str, Entry]) -> dict[str, Entry]:
        """``values`` with each parameter as the module has it: from `init`, or built in."""
        found = dict(values)
        known = parameters(self.target) | parameters(forward(self.target))
        defaults = default_values(self.loss)
        for variable in self.loss.parameters:
            name = self.keyword(variable.name)
            if name in self.init:
                value = self.init[name]
                found[variable.name] = entry(value)
            elif name not in known:
                found[variable.name] = defaults[variable.name]
        return found

    def prepared(self, bound: Mapping[str, Bound]) -> Caller:
        """The function, or an instance of the class for these parameters, ready to be called."""
        target = self.target
        dtype = next(
            b.dtype
            for b in bound.values()
            if isinstance(b, Tensor) and b.dtype.is_floating_point
        )
        fixed = {
            k: torch.tensor(v, dtype=dtype) if isinstance(v, list) else v
            for k, v in self.init.items()
        }
        given = self._keywords(bound)
        built = {k: v for k, v in given.items() if k in parameters(target)} | fixed
        if not isinstance(target, type):
            own = {self.keyword(v.name) for v in self.loss.inputs}
            constants = {k: v for k, v in built.items() if k not in own}

            def function(again: Mapping[str, Bound]) -> Tensor:
                given = self._keywords(again)
                inputs = {k: v for k, v in given.items() if k in built and k in own}
                return tensor_of(target(**inputs, **constants))

            return function
        instance = target(**built)
        if isinstance(instance, nn.Module):
            instance = instance.to(dtype)
        takes = parameters(forward(target))

        def method(again: Mapping[str, Bound]) -> Tensor:
            given = self._keywords(again)
            return tensor_of(instance(**{k: v for k, v in given.items() if k in takes}))

        return method

    def call(self, bound: Mapping[str, Bound]) -> Tensor:
        """What it returns for a value of every variable, by symbol."""
        return self.prepared(bound)(bound)

    def _keywords(self, bound: Mapping[str, Bound]) -> dict[str, Bound]:
        """The values under the names that the module has for them; none for what is left out."""
        return {
            self.keyword(s): value for s, value in bound.items() if value is not None
        }


def tensor_of(value: Any) -> Tensor:
    if not isinstance(value, Tensor):
        raise TypeError(f"the loss is a {type(value).__name__}, not a tensor")
    return value


def forward(target: Callable[..., Any]) -> Callable[..., Any]:
    if isinstance(target, type):
        return target.forward if issubclass(target, nn.Module) else target.__call__
    return target


@functools.cache
def parameters(function: Callable[..., Any]) -> frozenset[str]:
    return frozenset(inspect.signature(function).parameters)


def entry(value: Any) -> Entry:
    """A value of the manifest as an entry of a point; lists are tensors."""
    if not isinstance(value, list):
        plain: Entry = value
        return plain
    shape: list[int] = []
    level: Any = value
    while isinstance(level, list):
        shape.append(len(level))
        level = level[0]
    flat: Sequence[Any] = value
    for _ in shape[1:]:
        flat = [x for row in flat for x in row]
    return Array(tuple(shape), tuple(flat))


@functools.cache
def read_loss(spec: str) -> Loss:
    """The first loss of a spec of the library, or of a file beside the manifest."""
    path = LAB / spec if spec.endswith(".toml") else SPECS / f"{spec}.toml"
    return load_losses(path)[0]


@functools.cache
def load_target(file: str, name: str) -> Callable[..., Any]:
    path = LAB / file
    label = f"losscodegen_lab_{path.parent.name}_{path.stem}"
    spec = importlib.util.spec_from_file_location(label, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, name)  # type: ignore[no-any-return]


def manifest() -> tuple[LabModule, ...]:
    table = tomllib.loads((LAB / "lab.toml").read_text(encoding="utf-8"))
    return tuple(LabModule(**row) for row in table["module"])


# ---------------------------------------------------------------------- comparison


def _off(got: float, low: float, high: float, rtol: float, floor: float) -> bool:
    """Whether a number is outside of an interval by more than a tolerance."""
    if math.isnan(low) or math.isnan(high):
        return False
    if math.isnan(got):
        return True
    if math.isinf(low) or math.isinf(high) or math.isinf(got):
        return not low <= got <= high
    slack = rtol * max(abs(low), abs(high), floor)
    return not low - slack <= got <= high + slack


def _bounds(slope: Slope, dtype: Dtype) -> tuple[float, float]:
    known: list[Real] = [slope.value]
    if slope.low is not None and slope.high is not None:
        known = [slope.low, slope.high]
        if slope.value.finite:
            known.append(slope.value)
    numbers = [k.rounded(dtype) for k in known]
    return min(numbers), max(numbers)


def faults(
    module: LabModule,
    values: Mapping[str, Entry],
    dtype: Dtype,
    *,
    rtol: float,
    floor: float,
) -> list[str]:
    """What is wrong at a point beyond ``rtol``, beside exact mathematics.

    ``floor`` is the size below which an error counts as if the true number had that size.
    """
    loss = module.loss
    values = module.settled(values)
    truth = ORACLES(loss, Point(values=values), dtype)
    assert truth is not None
    want = [v.rounded(dtype) for v in truth.value]
    share, shape = 1.0, truth.shape
    bound = bind(loss, values, TORCH[dtype])
    if module.reduction == "none":
        wanted = want
    else:
        if module.reduction == "mean":
            share = _mean_weights(loss, values, truth.shape, len(want))
        wanted = [math.fsum(want) / share] if share else [math.nan]
        shape = ()
    before = {k: v.clone() for k, v in bound.items() if isinstance(v, Tensor)}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            got = module.call(bound)
    except Exception as problem:  # the module under test may raise anything
        return [f"raises {type(problem).__name__}: {problem}"]
    found: list[str] = []
    for name, kept in before.items():
        now = bound[name]
        if isinstance(now, Tensor) and not torch.equal(
            now.detach().nan_to_num(), kept.detach().nan_to_num()
        ):
            found.append(f"changes its input {name}")
    if tuple(got.shape) != tuple(shape):
        return [*found, f"shape is {tuple(got.shape)}, should be {tuple(shape)}"]
    if got.dtype != TORCH[dtype]:
        found.append(f"dtype is {got.dtype}")
    for k, (is_now, should) in enumerate(
        zip(got.detach().reshape(-1).tolist(), wanted, strict=True)
    ):
        if _off(is_now, should, should, rtol, floor) and not any(truth.jumps):
            found.append(f"value {k} is {is_now}, should be {should}")
    leaves = {
        name: b
        for name, b in bound.items()
        if isinstance(b, Tensor) and b.requires_grad
    }
    if leaves and share:  # the mean of nothing has no gradient worth a look
        found += _gradient_faults(
            got, leaves, truth.gradient, share, dtype, rtol, floor
        )
    found += _repetition_faults(module, bind(loss, values, TORCH[dtype]))
    return found


def _repetition_faults(module: LabModule, bound: Mapping[str, Bound]) -> list[str]:
    """Whether one instance says something else when it is asked again."""

    def copies() -> dict[str, Bound]:
        return {
            k: v.detach().clone() if isinstance(v, Tensor) else v
            for k, v in bound.items()
        }

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ready = module.prepared(copies())
            first, second = ready(copies()).detach(), ready(copies()).detach()
    except Exception as problem:
        return [f"a second call raises {type(problem).__name__}: {problem}"]
    same = torch.equal(first.nan_to_num(), second.nan_to_num())
    return [] if same else ["a second call differs"]


def _gradient_faults(
    got: Tensor,
    leaves: Mapping[str, Tensor],
    truth: Mapping[str, Sequence[Slope]],
    share: float,
    dtype: Dtype,
    rtol: float,
    floor: float,
) -> list[str]:
    found: list[str] = []
    slopes: Sequence[Tensor | None] = [None] * len(leaves)
    if got.requires_grad:
        try:
            slopes = torch.autograd.grad(
                got.sum(), list(leaves.values()), allow_unused=True
            )
        except Exception as problem:
            return [f"backward raises {type(problem).__name__}: {problem}"]
    for (name, leaf), slope in zip(leaves.items(), slopes, strict=True):
        numbers = (torch.zeros_like(leaf) if slope is None else slope).reshape(-1)
        for k, (is_now, should) in enumerate(
            zip(numbers.tolist(), truth[name], strict=True)
        ):
            low, high = _bounds(should, dtype)
            if math.isfinite(is_now) and math.inf in (-low, high, low, -high):
                continue  # a vertical tangent has no number for a slope
            if not should.jump and _off(is_now, low / share, high / share, rtol, floor):
                found.append(
                    f"gradient by {name}[{k}] is {is_now}, should be {low / share}"
                )
    return found


def _mean_weights(
    loss: Loss, values: Mapping[str, Entry], shape: Sequence[int], count: int
) -> float:
    """What the mean divides by."""
    if loss.mean_weight is None:
        return float(count)
    bound = {
        k: v.detach() if isinstance(v, Tensor) else v
        for k, v in bind(loss, values, torch.float64).items()
    }
    evaluator = Evaluator(loss, words_as_numbers(loss, bound), torch.float64)
    assert evaluator.loss.mean_weight is not None
    weight = evaluator.arranged(evaluator.evaluate(evaluator.loss.mean_weight))
    return float(weight.expand(tuple(shape)).sum())
