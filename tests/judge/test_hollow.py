"""Logarithms of probabilities may be minus infinity, and are; other real inputs never."""

from __future__ import annotations

import math

import pytest

from losscodegen.ir.loss import Loss
from losscodegen.judge import shaped
from losscodegen.judge.certificate import Severity
from losscodegen.judge.check import verify
from losscodegen.judge.hollow import HOLLOW
from losscodegen.judge.point import Array
from losscodegen.judge.points import sample
from losscodegen.judge.rounding import Dtype
from losscodegen.language.parse import losses_from_text

KIND = "logprob(C)"


def pick(kind: str = KIND) -> Loss:
    return losses_from_text(f"""
        [PickLoss]
        summary = "For a test."
        inputs.x = {{ type = "{kind}[B, C, ...]", doc = "a" }}
        inputs.t = {{ type = "index(C)[B, ...]", doc = "b" }}
        loss = "-x[b,t]"
        """)[0]


@pytest.mark.parametrize("dtype", [Dtype.FLOAT32, Dtype.FLOAT64])
def test_every_pattern_is_sampled(dtype: Dtype) -> None:
    drawn = sample(pick(), dtype, count=30).points
    hollow = [p for p in drawn if p.label.startswith("edge of minus infinity")]
    assert {p.label.split(", ")[1] for p in hollow} == {f"{h} of x" for h in HOLLOW}
    for point in hollow:
        x, t = point.values["x"], point.values["t"]
        assert isinstance(x, Array)
        assert isinstance(t, Array)
        size, inner = x.shape[1], math.prod(x.shape[2:])
        for k, target in enumerate(t.entries):
            start = k // inner * size * inner + k % inner
            line = [x.entries[start + j * inner] for j in range(size)]
            gone = [math.isinf(e) for e in line]
            assert sum(gone) == (size - 1 if "all but" in point.label else 1)
            if "target" in point.label:
                assert gone[int(target)] is ("all but" not in point.label)


@pytest.mark.parametrize("kind", ["real", "negative", "nonnegative"])
def test_an_open_end_is_not_reached(kind: str) -> None:
    for point in sample(pick(kind), Dtype.FLOAT64, count=30).points:
        x = point.values["x"]
        assert isinstance(x, Array)
        assert all(math.isfinite(e) for e in x.entries)


MODULE = """
import torch
from torch import nn
from torch.nn import functional as F


class PickLoss(nn.Module):
    def __init__(self, *, reduction="mean"):
        super().__init__()
        if reduction not in ("none", "mean", "sum"):
            raise ValueError(f"got {{reduction!r}}")
        self.reduction = reduction

    def forward(self, x, t):
        loss = {loss}
        return loss if self.reduction == "none" else getattr(loss, self.reduction)()
"""

RIGHT = "-x.gather(1, t.unsqueeze(1)).squeeze(1)"
MASKED = "-(F.one_hot(t, x.shape[1]).movedim(-1, 1) * x).sum(1)"


def failures(loss: str) -> set[tuple[str, str | None]]:
    found = verify(pick(), MODULE.format(loss=loss), points=30)
    return {(f.code, f.order) for f in found.findings if f.severity is Severity.FAILURE}


def test_a_right_module_passes() -> None:
    assert failures(RIGHT) == set()


@pytest.mark.parametrize(
    ("loss", "fault"),
    [
        (MASKED, ("wrong-nan", "value")),
        (f"({RIGHT}).clamp(max=1e4)", ("wrong-digits", "value")),
        (f"{RIGHT} + (x.exp().sqrt() * 0).sum(1)", ("wrong-nan", "gradient")),
    ],
)
def test_what_breaks_there_is_found(loss: str, fault: tuple[str, str]) -> None:
    assert fault in failures(loss)


def test_only_there_does_a_product_with_a_mask_show(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shaped, "hollow_points", lambda *_: ())
    assert failures(MASKED) == set()
