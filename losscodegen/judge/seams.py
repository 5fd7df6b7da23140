"""Points on both sides of every decision: kinks of the formula, seams that a guard introduced.

Whatever runs is watched at the level of tensor operations: which comparisons it makes, where
results leave the range, vanish or change sign, where an addend is absorbed. Along a path through
the domain each such fact flips somewhere; bisection over the ordinals of the format finds the
two neighbouring numbers between which it does. Nothing is known of the source text.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from losscodegen.ir.loss import Loss
from losscodegen.judge.point import Array, Point
from losscodegen.judge.rounding import Dtype, from_ordinal, ordinal, round_float
from losscodegen.judge.samplers import Range
from losscodegen.judge.tensors import (
    DIFFERENTIABLE,
    TORCH,
    Function,
    is_pointwise,
    run,
    stacks,
)

Facts = dict[str, Tensor]

COARSE = 24
"""Bisections for what is no decision: where a range is left matters, the last bit does not."""

_ORDER = frozenset({"lt", "le", "gt", "ge", "eq", "ne", "less", "greater"})
_LARGER = frozenset({"maximum", "minimum", "max", "min", "fmax", "fmin"})
_SIGNED = frozenset({"abs", "sign", "sgn", "relu"})
_CLAMPS = frozenset({"clamp", "clip", "clamp_min", "clamp_max", "hardtanh"})
_RANGED = frozenset(
    {
        "exp",
        "expm1",
        "log",
        "log1p",
        "pow",
        "mul",
        "div",
        "truediv",
        "square",
        "sqrt",
        "cosh",
        "sinh",
        "sigmoid",
        "tanh",
    }
)
_SUMS = frozenset({"add", "sub", "rsub"})
_STEPS = frozenset({"floor", "ceil", "round", "trunc"})


class Witness(TorchFunctionMode):
    """Notes, for every operation, the facts that a floating-point result hangs on."""

    def __init__(self) -> None:
        super().__init__()
        self.facts: Facts = {}
        self.count = 0

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        name = getattr(func, "__name__", "").strip("_")
        name = name[1:] if name in ("radd", "rmul", "rtruediv", "rpow") else name
        if args and isinstance(args[0], Tensor):
            self.count += 1
            with torch.no_grad(), torch._C.DisableTorchFunction():
                self.look(name, args, kwargs or {}, out)
        return out

    def look(
        self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any
    ) -> None:
        first = args[0].detach()
        second = args[1] if len(args) > 1 else kwargs.get("other")
        if name in _ORDER:
            self.note("seam", "lt", first < second)
            self.note("seam", "gt", first > second)
        elif name in _LARGER:
            if isinstance(second, Tensor) and second.is_floating_point():
                self.note("seam", "lt", first < second)
        elif name in _SIGNED:
            self.note("seam", "negative", first < 0)
        elif name in _CLAMPS:
            bounds = (*args[1:3], kwargs.get("min"), kwargs.get("max"))
            for k, bound in enumerate(bounds):
                if bound is not None:
                    self.note("seam", f"bound{k}", first < bound)
        elif name == "softplus":
            beta = kwargs.get("beta", args[1] if len(args) > 1 else 1)
            threshold = kwargs.get("threshold", args[2] if len(args) > 2 else 20)
            self.note("seam", "threshold", first * beta > threshold)
        elif name in _STEPS and isinstance(out, Tensor):
            self.note("seam", "odd", out.detach() % 2 == 1)
        elif isinstance(out, Tensor) and out.is_floating_point():
            if name in _RANGED:
                self.note("range", "infinite", out.isinf())
                self.note("range", "zero", out == 0)
                self.note("range", "one", out == 1)
                self.note("root", "negative", out < 0)
            elif name in _SUMS:
                self.note("root", "negative", out < 0)
                for k, addend in enumerate((first, second)):
                    self.note("range", f"absorbed{k}", out == addend)

    def note(self, kind: str, name: str, fact: Tensor) -> None:
        self.facts[f"{kind}/{self.count}/{name}"] = fact.detach()


# ---------------------------------------------------------------------- paths


@dataclass(frozen=True, slots=True)
class Path:
    """All points that differ from ``base`` in one entry of one variable."""

    base: Point
    name: str
    place: int
    range: Range

    def at(self, number: int, label: str = "") -> Point:
        array = self.base.values[self.name]
        assert isinstance(array, Array)
        entries = list(array.entries)
        entries[self.place] = from_ordinal(number, self.range.dtype)
        values = {**self.base.values, self.name: Array(array.shape, tuple(entries))}
        return Point(values=values, label=label)


@dataclass(slots=True)
class Flip:
    """A fact that differs between the ordinals ``low`` and ``high`` of a path."""

    path: Path
    fact: str
    element: int
    low: int
    high: int
    before: bool
    steps: int = 0

    @property
    def open(self) -> bool:
        """Whether bisecting further is worth it: decisions are found to the last bit."""
        width = self.high - self.low
        return width > 1 and (self.fact.startswith("seam") or self.steps < COARSE)


def boundaries(
    loss: Loss,
    function: Function,
    dtype: Dtype,
    bases: Sequence[Point],
    random: Random,
    *,
    label: str,
    slopes: bool = False,
    limit: int = 120,
) -> list[Point]:
    """The `points_beside` all `flips`, named after ``label`` and what flips there."""
    found = flips(loss, function, dtype, bases, random, slopes=slopes, limit=limit)
    return points_beside(found, label)


def points_beside(found: Sequence[Flip], label: str) -> list[Point]:
    """Of each flip the two neighbours between which it is, and the next on either side."""
    points = []
    for flip in found:
        for number in (flip.low, flip.high, flip.low - 1, flip.high + 1):
            if from_ordinal(number, flip.path.range.dtype) in flip.path.range:
                kind = flip.fact.split("/")[0]
                points.append(flip.path.at(number, f"{label} {kind} {flip.path.name}"))
    return points


def flips(
    loss: Loss,
    function: Function,
    dtype: Dtype,
    bases: Sequence[Point],
    random: Random,
    *,
    slopes: bool = False,
    limit: int = 120,
) -> list[Flip]:
    """Neighbouring numbers on paths through ``bases``, between which what is computed flips.

    With ``slopes`` the backward pass is watched, too: it may be code of the module's own.
    """
    pointwise = is_pointwise(loss)
    found: list[Flip] = []
    for lanes in _lanes(loss, bases, dtype, random):
        grids = [_grid(path.range, pointwise) for path in lanes]
        points = [
            path.at(n) for path, grid in zip(lanes, grids, strict=True) for n in grid
        ]
        facts = _observe(loss, function, dtype, points, slopes)
        start = 0
        for path, grid in zip(lanes, grids, strict=True):
            rows = {n: f[start : start + len(grid)] for n, f in facts.items()}
            found += _flips(path, grid, rows)
            start += len(grid)
    found = _spread(found, random, limit // 2 if pointwise else 5)
    _bisect(loss, function, dtype, found, slopes)
    return found


def _lanes(
    loss: Loss, bases: Sequence[Point], dtype: Dtype, random: Random
) -> list[list[Path]]:
    """Paths in groups that can be watched in one go: many if pointwise, else one by one."""
    paths = []
    for base in bases:
        for variable in loss.inputs:
            array = base.values.get(variable.name)
            if variable.domain.kind in DIFFERENTIABLE and isinstance(array, Array):
                places = range(len(array.entries))
                for place in random.sample(places, min(2, len(places))):
                    span = Range.of(variable.domain, dtype)
                    paths.append(Path(base, variable.name, place, span))
    if is_pointwise(loss):
        return [random.sample(paths, min(24, len(paths)))]
    return [[path] for path in random.sample(paths, min(3, len(paths)))]


def _grid(span: Range, fine: bool) -> list[int]:
    """Ordinals along a path: dense where users live, and out to both ends."""
    dtype = span.dtype
    values = [s * 10.0 ** (k / 4) for k in range(-24, 13) for s in (-1.0, 1.0)]
    values += [0.5 * k for k in range(-50, 51)] if fine else [5.0 * k for k in (-4, 4)]
    values += [
        s * 10.0**k
        for k in (-300, -150, -30, -15, 15, 30, 150, 300)
        for s in (-1.0, 1.0)
    ]
    values += [1.0 - 10.0**-k for k in range(1, 8)]
    if not fine:
        values = values[::3]
    values += [0.0, span.low, span.high]
    numbers = (round_float(v, dtype) for v in values)
    return sorted(
        {ordinal(v, dtype) for v in numbers if math.isfinite(v) and v in span}
    )


def _observe(
    loss: Loss,
    function: Function,
    dtype: Dtype,
    points: Sequence[Point],
    slopes: bool,
) -> Facts:
    """The facts at every point: a row for each, a column for each element of the result."""
    found: list[Facts] = []
    for stack in stacks(loss, points):
        witness = Witness()
        try:
            with witness:
                run(loss, stack.values, function, TORCH[dtype], slopes=slopes)
        except Exception:  # judged elsewhere; nothing was seen here
            return {}
        if stack.joined:
            count = len(stack.places)
            found.append(
                {
                    n: f.reshape(count, 1)
                    for n, f in witness.facts.items()
                    if f.numel() == count
                }
            )
        else:
            found.append({n: f.reshape(1, -1) for n, f in witness.facts.items()})
    # Python's own decisions may differ from point to point; what all have in common counts.
    common = set.intersection(*(set(f) for f in found)) if found else set()
    return {
        n: torch.cat([f[n] for f in found])
        for n in sorted(common)
        if len({f[n].shape[1] for f in found}) == 1
    }


def _flips(path: Path, grid: list[int], facts: Facts) -> list[Flip]:
    """Every fact at every step of the path where it changes, once."""
    found = []
    for name, rows in facts.items():
        changes: dict[int, int] = {}
        for step, element in (rows[1:] != rows[:-1]).nonzero().tolist():
            changes.setdefault(step, element)
        for step, element in changes.items():
            before = bool(rows[step, element])
            found.append(Flip(path, name, element, grid[step], grid[step + 1], before))
    return found


def _bisect(
    loss: Loss, function: Function, dtype: Dtype, flips: Sequence[Flip], slopes: bool
) -> None:
    """Narrows each flip down to two neighbouring numbers."""
    while open_ := [f for f in flips if f.open]:
        pointwise = is_pointwise(loss)
        groups = [open_] if pointwise else [[f] for f in open_]
        for group in groups:
            middles = [f.path.at((f.low + f.high) // 2) for f in group]
            facts = _observe(loss, function, dtype, middles, slopes)
            for k, flip in enumerate(group):
                middle = (flip.low + flip.high) // 2
                flip.steps += 1
                fact = facts.get(flip.fact)
                same = fact is not None and bool(fact[k, flip.element]) == flip.before
                if same:
                    flip.low = middle
                else:
                    flip.high = middle


def _spread(flips: list[Flip], random: Random, limit: int) -> list[Flip]:
    """At most ``limit`` of them, every fact in turn."""
    groups: dict[str, list[Flip]] = {}
    for flip in flips:
        groups.setdefault(flip.fact, []).append(flip)
    for group in groups.values():
        random.shuffle(group)
    chosen: list[Flip] = []
    pools = sorted(groups.items(), key=lambda g: (not g[0].startswith("seam"), g[0]))
    while len(chosen) < limit and any(group for _, group in pools):
        for _, group in pools:
            if group and len(chosen) < limit:
                chosen.append(group.pop())
    return chosen
