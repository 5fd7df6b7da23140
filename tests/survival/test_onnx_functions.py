"""The functions that the exporter is taught, against their values in float64."""

from __future__ import annotations

import math

import pytest
import torch
from mpmath import mp
from torch import Tensor, nn
from torch.nn import functional as F

from losscodegen.judge.rounding import Dtype, ulp_distance
from losscodegen.survival.onnx_functions import translations

ORDINARY = (0.0, -0.0, 0.3, 1.0, 2.5, 17.0, 30.0, 88.0, 1e-4, 3e-8, 1e-8, 1e-20, 1e-38)
RANGED = (90.0, 104.0, 1e4, 1e10, 3e38, math.inf)
CASES = {
    "log1p": (torch.log1p, (*ORDINARY, *RANGED, -1e-9, -1e-4, -0.5, -0.9999999, -1.0)),
    "expm1": (torch.expm1, tuple(s * x for x in (*ORDINARY, *RANGED) for s in (1, -1))),
    "log_sigmoid": (
        F.logsigmoid,
        tuple(s * x for x in (*ORDINARY, *RANGED) for s in (1, -1)),
    ),
    "lgamma": (
        torch.lgamma,
        (
            *(x for x in ORDINARY if x > 0),
            *(1.0 + s * d for d in (6e-8, 1e-4, 0.01) for s in (1, -1)),
            *(2.0 + s * d for d in (2e-7, 1e-4, 0.01) for s in (1, -1)),
            *(0.5, 3.0, 7.9999995, 8.0, 100.0, 1e10, 1e37, 3e38, math.inf, -math.inf),
            *(0.0, -1.0, -3.0, -0.3, -2.5, -2.9999998, -100.25, -1e-20),
        ),
    ),
}


class Lone(nn.Module):
    def __init__(self, function: object) -> None:
        super().__init__()
        self.function = function

    def forward(self, *tensors: Tensor) -> Tensor:
        return self.function(*tensors)  # type: ignore[operator, no-any-return]


def exported(function: object, *tensors: Tensor) -> Tensor:
    """What onnxruntime makes of it."""
    for package in ("onnx", "onnxscript"):
        pytest.importorskip(package)
    runtime = pytest.importorskip("onnxruntime")
    program = torch.onnx.export(
        Lone(function),
        tensors,
        dynamo=True,
        verbose=False,
        custom_translation_table=translations(),
    )
    assert program is not None
    session = runtime.InferenceSession(program.model_proto.SerializeToString())
    names = [node.name for node in session.get_inputs()]
    feed = {n: t.numpy() for n, t in zip(names, tensors, strict=True)}
    return torch.as_tensor(session.run(None, feed)[0])


def compare(got: Tensor, want: Tensor, at: object) -> None:
    """Within 4 ulp of the value in float64, or of the smallest normal number."""
    for x, g, w in zip(at, got.tolist(), want.tolist(), strict=True):  # type: ignore[call-overload]
        rounded = torch.tensor(w, dtype=torch.float64).float().item()
        if not math.isfinite(rounded) or rounded == 0:
            assert g == rounded, (x, g, w)
        elif abs(g - w) > Dtype.FLOAT32.tiny:
            mantissa, power = math.frexp(w)
            ulp = ulp_distance(g, int(mantissa * 2**53), power - 53, Dtype.FLOAT32)
            assert ulp <= 4, (x, g, w)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
@pytest.mark.filterwarnings("ignore")
def test_functions_of_one_number(name: str) -> None:
    function, numbers = CASES[name]
    x = torch.tensor(numbers)
    compare(exported(function, x), function(x.double()), numbers)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_lgamma_in_double_precision() -> None:
    """Numbers up to 16 are subtracted, each with a rounding or two of 8 eps."""
    x = torch.tensor(
        [1e-300, 0.3, 0.5, 1 + 1e-9, 1.7, 2 - 1e-9, 5.0, 7.999, 8.0, 50.0, 1e200, -2.5],
        dtype=torch.float64,
    )
    got = exported(torch.lgamma, x)
    for number, found in zip(x.tolist(), got.tolist(), strict=True):
        with mp.workdps(30):
            want = mp.re(mp.loggamma(number))
            assert abs(found - want) <= 32 * 2.0**-52 * max(1, abs(want)), number


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_hypot() -> None:
    sides = (0.0, 1e-38, 1e-30, 3e-5, 1.0, 4.0, 1e25, 2e38, math.inf)
    pairs = [(a, -b) for a in sides for b in sides]
    x, y = torch.tensor(pairs).unbind(1)
    want = torch.hypot(x.double(), y.double())
    compare(exported(torch.hypot, x, y), want, pairs)


@pytest.mark.slow
@pytest.mark.parametrize("p", [1.0, 1.5, 2.0, math.inf])
@pytest.mark.filterwarnings("ignore")
def test_cdist(p: float) -> None:
    generator = torch.Generator().manual_seed(7)
    x = torch.randn(2, 3, 5, generator=generator)
    y = torch.randn(2, 4, 5, generator=generator)

    def distances(x: Tensor, y: Tensor) -> Tensor:
        return torch.cdist(x, y, p=p, compute_mode="donot_use_mm_for_euclid_dist")

    got, want = exported(distances, x, y), distances(x.double(), y.double())
    assert got.shape == want.shape == (2, 3, 4)
    compare(got.flatten(), want.flatten(), range(24))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_amax() -> None:
    x = torch.tensor([[1.0, -3.0], [math.inf, 2.0], [-5.0, -4.0]])
    for function in (
        torch.amax,
        lambda x: x.amax(dim=1),
        lambda x: x.amax(dim=(0, 1), keepdim=True),
    ):
        assert torch.equal(exported(function, x), function(x))
