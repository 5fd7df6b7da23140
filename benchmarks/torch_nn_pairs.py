"""What `benchmarks.torch_nn` measures: torch's class and the generated one beside the truth."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from torch import nn

from benchmarks.torch_nn_points import Case, Fact, as_point, points, restated
from losscodegen.ir.loss import Loss
from losscodegen.judge.accused import Accused, load_text
from losscodegen.judge.case import Case as Judged
from losscodegen.judge.criterion import (
    Limits,
    Measure,
    Skip,
    measure,
    measure_slope,
    near_overflow,
    scaled_error,
)
from losscodegen.judge.decided import Sides
from losscodegen.judge.oracles import Oracles
from losscodegen.judge.point import Point, Real, Truth
from losscodegen.judge.probes import Spread, spread, spread_of_lines
from losscodegen.judge.rounding import Dtype
from losscodegen.judge.tensors import Result, execute
from losscodegen.judge.variants import Variants
from losscodegen.language.parse import load_losses

ROOT = Path(__file__).parent.parent
LIMITS = Limits()
SMALL = 2.0
"""Ulp up to which an error is not looked into."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One entry of a result: the numbers of torch's class and of the generated one."""

    point: Point
    name: str
    """``value``, or the variable that the gradient is by."""
    want: Real
    got: tuple[float, float]
    errors: tuple[Measure, Measure]
    scaled: tuple[float, float]
    """In units of what one ulp of the inputs changes, where an error is not small.

    Of a result that is right on another side of a decision that rounding makes, the error there.
    """

    @property
    def ulp(self) -> tuple[float, float]:
        return self.errors[0].ulp, self.errors[1].ulp

    def wrong(self, side: int) -> bool:
        """Whether the judge would call it wrong, away from the ends of the format's range."""
        return is_wrong(self.name, self.ulp[side], self.scaled[side])


def is_wrong(name: str, ulp: float, scaled: float) -> bool:
    order = "value" if name == "value" else "gradient"
    return ulp > LIMITS.fails(order) and scaled > LIMITS.scaled


@dataclass(frozen=True, slots=True)
class _Wanted:
    """An entry of the truth, and how a number is held against it."""

    name: str
    k: int
    real: Real
    judge: Callable[[float, Dtype], Measure | Skip]

    def of(self, result: Result | Spread) -> float:
        found = result.value if self.name == "value" else result.gradient[self.name]
        return found[self.k]


class Bench:
    """The losses, both classes of each, and the truth."""

    def __init__(self) -> None:
        self.losses: dict[str, Loss] = {}
        self.classes: dict[str, tuple[type[nn.Module], type[nn.Module]]] = {}
        self.restated: dict[tuple[object, ...], Loss] = {}
        self.oracles = Oracles()
        self.variants = Variants()
        for path in sorted((ROOT / "specs" / "torch_nn").glob("*.toml")):
            text = (ROOT / "generated" / "torch_nn" / f"{path.stem}.py").read_text()
            module = load_text(f"beside_torch_nn_{path.stem}", text)
            for loss in load_losses(path):
                # The class for indices turns to that for probabilities by itself.
                name = loss.name.replace("Probabilities", "")
                self.losses[loss.name] = loss
                self.classes[loss.name] = getattr(nn, name), getattr(module, name)

    def case(self, case: Case, dtype: Dtype) -> list[Pair]:
        loss = self.loss(case)
        return self.pairs(loss, points(loss, case, dtype), dtype)

    def fact(self, fact: Fact, dtype: Dtype) -> list[Pair]:
        loss = self.loss(fact)
        return self.pairs(loss, [as_point(loss, fact.at(dtype), dtype)], dtype)

    def loss(self, of: Case | Fact) -> Loss:
        key = of.loss, *sorted((n, d.value) for n, d in of.domains.items())
        if key not in self.restated:
            self.restated[key] = restated(self.losses[of.loss], of.domains)
        return self.restated[key]

    def pairs(self, loss: Loss, at: Sequence[Point], dtype: Dtype) -> list[Pair]:
        """Every entry of value and gradient where there is something to be right about.

        Raises:
            RuntimeError: if one of the classes does not take a point.
        """
        theirs, ours = (
            execute(loss, at, Accused(loss, cls).call, dtype)
            for cls in self.classes[loss.name]
        )
        return [
            pair
            for point, *both in zip(at, theirs, ours, strict=True)
            for pair in self._at(loss, point, both, dtype)
        ]

    def _at(
        self, loss: Loss, point: Point, both: Sequence[Result], dtype: Dtype
    ) -> Iterator[Pair]:
        for result in both:
            if result.error is not None:
                raise RuntimeError(f"{loss.name} at {point}: {result.error}")
        truth = self.oracles(loss, point, dtype)
        assert truth is not None
        spreads: list[Spread] = []
        sides = Sides(loss, self.oracles, dtype)
        for wanted in _wanted(truth, dtype):
            one, other = (wanted.of(result) for result in both)
            first, second = wanted.judge(one, dtype), wanted.judge(other, dtype)
            if not (isinstance(first, Measure) and isinstance(second, Measure)):
                continue
            if not spreads and max(first.ulp, second.ulp) > SMALL:
                ask = self.oracles
                spreads += [
                    spread(ask, loss, point, truth, dtype, self.variants),
                    spread_of_lines(ask, loss, point, truth, dtype),
                ]
            scaled = [
                _scaled(wanted, spreads, dtype, got, found.ulp)
                for got, found in ((one, first), (other, second))
            ]
            for side, (got, found) in enumerate(((one, first), (other, second))):
                if is_wrong(wanted.name, found.ulp, scaled[side]):
                    case = _case(wanted, point, truth, got, found)
                    sides.settle(case, LIMITS)
                    scaled[side] = min(scaled[side], case.scaled)
            yield Pair(
                point,
                wanted.name,
                wanted.real,
                (one, other),
                (first, second),
                (scaled[0], scaled[1]),
            )


def _wanted(truth: Truth, dtype: Dtype) -> Iterator[_Wanted]:
    for k, want in enumerate(truth.value):
        if not truth.jumps[k]:
            yield _Wanted("value", k, want, partial(measure, want))
    # Of a loss beyond the range of the format there is no gradient to be had.
    if any(near_overflow(v, dtype) for v in truth.value):
        return
    for name, slopes in truth.gradient.items():
        for k, slope in enumerate(slopes):
            if not slope.jump:
                yield _Wanted(name, k, slope.value, partial(measure_slope, slope))


def _case(
    wanted: _Wanted, point: Point, truth: Truth, got: float, found: Measure
) -> Judged:
    """A result as the judge looks at it; of the formula as typed nothing is known here."""
    of_value = wanted.name == "value"
    return Judged(
        point=point,
        truth=truth,
        order="value" if of_value else "gradient",
        variable=None if of_value else wanted.name,
        entry=wanted.k,
        want=wanted.real,
        got=got,
        ulp=found.ulp,
        fault=found.fault,
        naive=got,
        naive_ulp=found.ulp,
        naive_value_ulp=found.ulp,
        tame=False,
    )


def _scaled(
    wanted: _Wanted, spreads: Sequence[Spread], dtype: Dtype, got: float, ulp: float
) -> float:
    each = (scaled_error(wanted.real, got, wanted.of(s), ulp, dtype) for s in spreads)
    return min(each, default=ulp)
