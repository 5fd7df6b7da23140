"""A module on whole batches: its reduction, and whether elements keep apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from losscodegen.ir.loss import ELLIPSIS, Loss
from losscodegen.judge.foreign import Foreign, Kind, mean_weights
from losscodegen.judge.foreign_confinement import Confinement
from losscodegen.judge.oracles import Oracles, point_sizes
from losscodegen.judge.point import Point
from losscodegen.judge.points import admitted, generator, repaired
from losscodegen.judge.rounding import Dtype
from losscodegen.judge.settings import settings
from losscodegen.judge.shaped import shaped_point
from losscodegen.judge.tensors import Bound, bind

ROUNDS = 3
TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRecord:
    """One call on a batch. ``asked`` is the reduction asked for, None for the module's default."""

    point: Point
    batch: tuple[int, ...]
    sizes: dict[str, int]
    asked: str | None
    expected: Kind
    got: Tensor | None
    entries: Tensor
    weights: Tensor
    error: str = ""

    @property
    def want(self) -> Tensor:
        if self.expected == "none":
            return self.entries
        total = self.entries.sum()
        return total if self.expected == "sum" else total / self.weights.sum()

    @property
    def right(self) -> bool:
        """Within rounding in float64, shape included."""
        got, want = self.got, self.want
        if got is None or got.shape != want.shape:
            return False
        size = (
            TOLERANCE * float(self.entries.abs().max()) if self.entries.numel() else 0
        )
        close = (got - want).abs() <= TOLERANCE * want.abs() + size
        return bool((close | ~want.isfinite()).all())


def batch_points(
    loss: Loss, confinement: Confinement, seed: int
) -> list[tuple[tuple[int, ...], Point]]:
    """Tame batches of some shapes, each filled a few times."""
    random = generator(loss, seed, "batches")
    options = confinement(settings(loss, Dtype.FLOAT64, random, limit=4), Dtype.FLOAT64)
    batches: tuple[tuple[int, ...], ...] = ((),)
    if any(ELLIPSIS in v.axes for v in loss.inputs):
        batches = ((4,), (3,), (2, 3))
    found = []
    for k, batch in enumerate(batches * ROUNDS):
        for _ in range(8):
            point = shaped_point(
                loss,
                options[0],
                Dtype.FLOAT64,
                random,
                size=2,
                batch=batch,
                fill="tidy",
                ignored=k % 3 == 1,
            )
            fit = admitted(loss, [repaired(loss, point)])
            if fit:
                found.append((batch, fit[0]))
                break
    return found


def plain_bound(loss: Loss, point: Point) -> dict[str, Bound]:
    return {
        name: b.detach() if isinstance(b, Tensor) else b
        for name, b in bind(loss, point.values, torch.float64).items()
    }


def record(
    foreign: Foreign,
    oracles: Oracles,
    batch: tuple[int, ...],
    point: Point,
    asked: str | None,
    expected: Kind,
) -> BatchRecord:
    """One call, beside what it should give."""
    loss = foreign.loss
    bound = plain_bound(loss, point)
    truth = oracles(loss, point, Dtype.FLOAT64)
    assert truth is not None
    entries = torch.tensor(
        [v.rounded(Dtype.FLOAT64) for v in truth.value], dtype=torch.float64
    ).reshape(truth.shape)
    got, error = None, ""
    try:
        got = foreign.plainly(bound, reduction=asked).detach().double()
    except Exception as problem:  # the code may raise whatever it likes
        error = f"{type(problem).__name__}: {problem}"
    return BatchRecord(
        point=point,
        batch=batch,
        sizes=point_sizes(loss, point),
        asked=asked,
        expected=expected,
        got=got,
        entries=entries,
        weights=mean_weights(loss, bound, truth.shape),
        error=error,
    )


def returned_kind(
    foreign: Foreign, points: Sequence[tuple[tuple[int, ...], Point]]
) -> Kind:
    """Whether a batch of several gives several numbers or one; "mean" stands for one."""
    for _, point in points:
        bound = plain_bound(foreign.loss, point)
        try:
            got = foreign.plainly(bound)
        except Exception:  # judged elsewhere
            continue
        if foreign.loss.scalar:
            return "none"
        return "mean" if got.numel() == 1 and got.ndim <= 1 else "none"
    return "none"
