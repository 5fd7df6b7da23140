"""Calling conventions as generated code has them: clauses in order, arguments as prescribed."""

from __future__ import annotations

import inspect
import re
import types

import pytest
import torch

from losscodegen.errors import LossCodegenError
from losscodegen.judge.accused import load_text
from losscodegen.pipeline import generate_package, generate_text

INPUTS = """
inputs.x = { type = "real[B, C]", arg = "y_pred" }
inputs.y = { type = "real[B, C]", arg = "y_true" }
"""

SPEC = f"""
[ProbeLoss]
{INPUTS}
params.w = {{ type = "real[B, C] = none", arg = "sample_weight" }}
params.d = {{ type = "positive = 1.0", arg = "delta" }}
loss = "Sum(w*d*(x - y)**2, c)"
[ProbeLoss.interface]
constructor = ["delta", "*", "reduction", "sample_weight"]
forward = ["y_true", "prediction = y_pred"]
optional = ["delta"]
init = [{{ when = "delta is not None and delta == 7", error = "TypeError", message = "not {{delta}}" }}]
call = [
    {{ when = "y_pred.ndim == 1", instead = "ProbeLoss", set = {{ y_pred = "y_pred.unsqueeze(0)" }}, result = "loss.squeeze(0)" }},
    {{ when = "reduction == 'batchmean'", instead = "OtherLoss", set = {{ reduction = "'sum'" }}, result = "loss / y_pred.shape[0]" }},
    {{ when = "y_true.shape[-1:] != y_pred.shape[-1:]", error = "IndexError", message = "{{list(y_true.shape)}} against {{scalar_type(y_pred)}}" }},
    {{ when = "delta is None", set = {{ delta = "2.0" }} }},
    {{ when = "delta > 100", warning = "{{delta}} is large" }},
    {{ broadcast = ["y_pred", "y_true", "sample_weight"] }},
]

[OtherLoss]
{INPUTS}
loss = "Sum(abs(x - y), c)"
interface = {{ forward = ["y_pred", "y_true"] }}
"""


@pytest.fixture(scope="module")
def probe() -> types.ModuleType:
    return load_text(
        "generated_convention", generate_text(SPEC, file="probe.toml").text
    )


def test_signatures_are_as_prescribed(probe: types.ModuleType) -> None:
    constructor = inspect.signature(probe.ProbeLoss)
    assert list(constructor.parameters) == ["delta", "reduction", "sample_weight"]
    assert constructor.parameters["delta"].default is None
    assert constructor.parameters["reduction"].kind.name == "KEYWORD_ONLY"
    forward = inspect.signature(probe.ProbeLoss.forward)
    assert list(forward.parameters) == ["self", "y_true", "prediction"]


def test_arguments_reach_the_formula_by_name(probe: types.ModuleType) -> None:
    y = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    x = torch.tensor([[0.0, 0.0], [1.0, 1.0]])
    found = probe.ProbeLoss(0.5, reduction="none")(y, x)
    assert found.tolist() == [2.5, 6.5]


def test_clauses_apply_in_order(probe: types.ModuleType) -> None:
    y, x = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.zeros(2)
    assert probe.ProbeLoss(reduction="none")(y, x).tolist() == [10.0, 50.0]
    weight = torch.tensor([[1.0], [0.0]])
    weighted = probe.ProbeLoss(reduction="sum", sample_weight=weight)
    assert weighted(y, x).item() == 10.0
    assert probe.ProbeLoss(reduction="batchmean")(y, torch.zeros(2, 2)).item() == 5.0
    with pytest.warns(UserWarning, match=re.escape("101.0 is large")):
        probe.ProbeLoss(101.0)(y, y)


def test_errors_are_those_of_the_convention(probe: types.ModuleType) -> None:
    with pytest.raises(TypeError, match="not 7"):
        probe.ProbeLoss(7)
    with pytest.raises(IndexError, match=re.escape("[2, 3] against Float")):
        probe.ProbeLoss()(torch.zeros(2, 3), torch.zeros(2, 2))
    loss = probe.ProbeLoss(reduction="median")  # as in torch, said at the first call
    with pytest.raises(ValueError, match="median is not a valid value for reduction"):
        loss(torch.zeros(2, 2), torch.zeros(2, 2))


def test_a_missing_argument_of_the_other_class_is_said() -> None:
    spec = """
[ALoss]
inputs.x = "real[...]"
loss = "x**2"
interface = { call = [{ when = "x.ndim == 0", instead = "BLoss" }] }
[BLoss]
inputs.x = "real[...]"
params.q = "positive"
loss = "q*x"
interface = { forward = ["x"] }
"""
    with pytest.raises(LossCodegenError, match="BLoss needs the argument 'q'"):
        generate_text(spec, file="probe.toml")


def test_one_sample_without_the_axis_of_the_batch() -> None:
    spec = """
[ALoss]
inputs.x = { type = "real[B, C]", arg = "input" }
inputs.t = { type = "index(C)[B]", arg = "target" }
loss = "logsumexp(x, c) - x[b,t]"
interface = { class_axis_without_batch = true }
"""
    module = load_text("generated_single", generate_text(spec, file="probe.toml").text)
    x, t = torch.tensor([1.0, 2.0]), torch.tensor(1)
    batch = module.ALoss(reduction="none")(x[None], t[None])
    single = module.ALoss(reduction="none")(x, t)
    assert single.shape == ()
    assert torch.equal(single, batch[0])


def test_a_package_exports_what_its_modules_export() -> None:
    modules = {
        "b": '__all__ = ["BLoss", "b_loss"]\n',
        "a": '__all__ = ["ALoss"]\n',
    }
    text = generate_package("folder", modules).text
    assert "from .a import ALoss\nfrom .b import BLoss, b_loss\n" in text
    assert '__all__ = ["ALoss", "BLoss", "b_loss"]' in text
