"""What a module promises of the derivative of its gradient.

Under ``create_graph=True`` a hand-written backward takes another path, which no gradient of
training does. There the gradient has to be the same, and its derivative along a direction that of
the exact gradient. How many digits of second derivatives are right is judged elsewhere, and of
losses without axes alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

import torch
from torch import Tensor

from losscodegen.ir.loss import Loss
from losscodegen.ir.nodes import Call
from losscodegen.ir.walk import inline_loss, walk
from losscodegen.judge.accused import Accused
from losscodegen.judge.oracles import Oracles
from losscodegen.judge.point import Array, Entry, Point
from losscodegen.judge.points import admitted
from losscodegen.judge.rounding import Dtype
from losscodegen.judge.samplers import Range
from losscodegen.judge.tensors import bind, differentiable, run
from losscodegen.judge.wording import format_point

POINTS = 3
STEPS = 2.0**-17, 2.0**-18
"""Beside the numbers of a point; where both do not say the same there is a kink between."""
ALIKE = 1e-6
"""How near two differences are where there is none."""
NOISE = 1e-9
"""What the rounding of gradients leaves of a difference, beside the largest one."""
SLACK = 1e-4
"""How far a derivative may be off beside the largest one, and ``NOISE`` beside 1: all is tame."""

Slopes = Mapping[str, Sequence[float]]
"""The entries of a gradient, or of a direction, by symbol."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two points on both sides of one, and half of what is between them, over the step."""

    ends: tuple[Point, Point]
    direction: Slopes
    step: float


def second_fault(
    loss: Loss, accused: Accused, points: Sequence[Point]
) -> tuple[int, str]:
    """How many numbers were compared with the truth, and what is wrong."""
    oracles, checked = Oracles(), 0
    for point in [p for p in points if p.label == "tidy"][:POINTS]:
        compared, fault = _fault_at(loss, accused, oracles, point)
        checked += compared
        if fault:
            return checked, f"{fault}, at {format_point(point)}"
    return checked, ""


def _fault_at(
    loss: Loss, accused: Accused, oracles: Oracles, point: Point
) -> tuple[int, str]:
    bound = bind(loss, point.values, torch.float64)
    leaves = {
        name: b
        for name, b in bound.items()
        if isinstance(b, Tensor) and b.requires_grad and b.numel()
    }
    value = accused.call(bound)
    if not leaves or not value.requires_grad:
        return 0, ""
    found = torch.autograd.grad(
        value.sum(), [*leaves.values()], create_graph=True, materialize_grads=True
    )
    gradient = dict(zip(leaves, found, strict=True))
    checked = 0
    _, plain = run(loss, point.values, accused.call, torch.float64)
    for name, slope in gradient.items():
        if not torch.allclose(slope, plain[name], 1e-9, 1e-9, equal_nan=True):
            return (
                checked,
                f"the gradient by {name} is another with create_graph=True",
            )
        checked += slope.numel()
    pairs = [_pair(loss, point, step) for step in STEPS]
    wanted = _derivative(loss, oracles, pairs)
    if not wanted:
        return checked, ""
    second = _along(gradient, leaves, pairs[-1].direction)
    largest = max(abs(d) for each in wanted.values() for d in each.values())
    slack = SLACK * largest + NOISE
    for name, each in wanted.items():
        for k, want in each.items():
            if not abs(second[name][k] - want) <= slack:
                told = f"the derivative of the gradient by {name} along a direction"
                return checked, f"{told} is {second[name][k]}, not {want}"
            checked += 1
    return checked, ""


def _along(
    gradient: Mapping[str, Tensor], leaves: Mapping[str, Tensor], direction: Slopes
) -> Slopes:
    """The derivative of the gradient along a direction, by autograd."""
    product = sum(
        (gradient[name].flatten() * torch.tensor(v, dtype=torch.float64)).sum()
        for name, v in direction.items()
        if name in gradient
    )
    zeros = [torch.zeros_like(leaf) for leaf in leaves.values()]
    # Where no graph was made, as by ``once_differentiable``, all derivatives are 0.
    if not isinstance(product, Tensor) or not product.requires_grad:
        second = zeros
    else:
        own = torch.autograd.grad(
            product, [*leaves.values()], allow_unused=True, materialize_grads=True
        )
        # Added, for autograd has tensors of zeros without a storage.
        second = [a + b for a, b in zip(zeros, own, strict=True)]
    return {n: s.flatten().tolist() for n, s in zip(leaves, second, strict=True)}


def _pair(loss: Loss, point: Point, step: float) -> Pair:
    """Every entry goes up or down; at the end of its domain it stays where it is."""
    random = Random(loss.name)
    ends: tuple[dict[str, Entry], ...] = (dict(point.values), dict(point.values))
    direction: dict[str, Sequence[float]] = {}
    for variable in loss.variables:
        array = point.values[variable.name]
        if not (isinstance(array, Array) and differentiable(variable)):
            continue
        span = Range.of(variable.domain, Dtype.FLOAT64)
        both: list[tuple[float, float]] = []
        for x in map(float, array.entries):
            by = random.choice((-1, 1)) * step * max(abs(x), 1.0)
            fits = x - by in span and x + by in span
            both.append((x - by, x + by) if fits else (x, x))
        direction[variable.name] = [(b - a) / (2 * step) for a, b in both]
        for end, entries in zip(ends, zip(*both, strict=True), strict=True):
            end[variable.name] = Array(array.shape, entries)
    first, other = (replace(point, values=end) for end in ends)
    return Pair((first, other), direction, step)


def _derivative(
    loss: Loss, oracles: Oracles, pairs: Sequence[Pair]
) -> dict[str, dict[int, float]]:
    """The exact gradient's derivative along a direction, by symbol and place.

    Empty where none is known: at a kink, at the end of a domain, and where something is held
    constant, of which the gradient is by definition not that of the value.
    """
    inlined = inline_loss(loss)
    held = any(
        isinstance(n, Call) and n.op == "detach" for n in walk(inlined.expression)
    )
    inside = all(all(v) for pair in pairs for v in pair.direction.values())
    if held or not inside or any(len(admitted(loss, p.ends)) < 2 for p in pairs):
        return {}
    each, sizes = [], []
    for pair in pairs:
        truths = [oracles(loss, end, Dtype.FLOAT64) for end in pair.ends]
        low, high = truths
        if low is None or high is None:
            return {}
        sizes += [abs(s.value.rounded()) for t in low.gradient.values() for s in t]
        each.append(
            {
                name: [
                    (b.value.rounded() - a.value.rounded()) / (2 * pair.step)
                    for a, b in zip(slopes, high.gradient[name], strict=True)
                ]
                for name, slopes in low.gradient.items()
            }
        )
    rough, fine = each
    largest = max((s for s in sizes if math.isfinite(s)), default=0.0)
    found = {
        name: {
            k: d
            for k, (d, other) in enumerate(zip(own, rough[name], strict=True))
            if abs(d - other) <= ALIKE * abs(d) + NOISE * largest
        }
        for name, own in fine.items()
    }
    return found if any(found.values()) else {}
