"""The Python API: classes without files."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch

import losscodegen
from losscodegen.errors import LossCodegenError


def test_load_a_bundled_spec_by_name() -> None:
    module = losscodegen.load("huber")
    loss = module.HuberLoss(delta=2.0, reduction="none")
    got = loss(torch.tensor([1.0, 5.0]), torch.zeros(2))
    assert got.tolist() == [0.5, 8.0]
    assert module.huber_loss(torch.ones(1), torch.zeros(1)).item() == 0.5


def test_load_a_file(tmp_path: Path) -> None:
    spec = tmp_path / "probe.toml"
    spec.write_text('[ProbeLoss]\ninputs.x = "real[...]"\nloss = "x**2"\n')
    module = losscodegen.load(spec)
    assert module.ProbeLoss()(torch.tensor([3.0])).item() == 9.0
    assert [p.name for p in tmp_path.iterdir()] == ["probe.toml"]


def test_loaded_classes_can_be_pickled() -> None:
    loss = losscodegen.load("huber").HuberLoss(delta=3.0)
    assert pickle.loads(pickle.dumps(loss)).delta == 3.0


@pytest.mark.parametrize("path", ["no_such_loss", "folder/none.toml"])
def test_load_nothing(path: str) -> None:
    with pytest.raises(LossCodegenError) as caught:
        losscodegen.load(path)
    assert path in str(caught.value)


def test_compile_strings() -> None:
    compiled = losscodegen.compile_loss(
        "log(1 + exp(-k*x))",
        {"x": "real[...]"},
        {"k": "positive = 1.0"},
        name="MarginLoss",
    )
    assert compiled.certificate is not None
    assert compiled.certificate.passed
    x = torch.tensor([-100.0, 0.0], requires_grad=True)
    value = compiled(k=2.0, reduction="sum")(x)
    value.backward()
    assert value.item() == pytest.approx(200.0 + 0.6931472)
    assert x.grad is not None
    assert x.grad.tolist() == [-2.0, -1.0]
    assert "class MarginLoss(nn.Module)" in compiled.source


def test_compile_sympy() -> None:
    import sympy

    x, y = sympy.symbols("x y", real=True)
    compiled = losscodegen.compile_loss(
        sympy.log(sympy.cosh(x - y)), (x, y), name="LogCosineLoss", verify=False
    )
    assert compiled.certificate is None
    got = compiled(reduction="none")(torch.tensor([200.0]), torch.tensor([0.0]))
    assert got.item() == pytest.approx(200.0 - 0.6931472)


def test_compile_reports_what_is_wrong() -> None:
    with pytest.raises(LossCodegenError) as caught:
        losscodegen.compile_loss("lgo(x)", {"x": "real[...]"})
    assert "lgo" in str(caught.value)
    assert "did you mean" in str(caught.value)


def test_load_with_another_gradient() -> None:
    loss = losscodegen.load("pseudo_huber", gradient="symbolic").PseudoHuberLoss()
    x = torch.tensor(1e6, dtype=torch.float64, requires_grad=True)
    value = loss(x, torch.zeros_like(x))
    (slope,) = torch.autograd.grad(value, x, create_graph=True)
    (curvature,) = torch.autograd.grad(slope, x)
    assert curvature.item() == pytest.approx(1e-18)


def test_load_with_a_gradient_that_is_none() -> None:
    with pytest.raises(LossCodegenError, match="'auto', 'autograd', 'symbolic'"):
        losscodegen.load("huber", gradient="numeric")


def test_load_with_absolute_accuracy() -> None:
    """The plain form: its small results are 0, its large ones as right as before."""
    x, y = torch.tensor([[20.0, 0.0], [0.0, 20.0]]), torch.tensor([0, 0])
    name = "torch_nn/cross_entropy_loss"
    plain = losscodegen.load(name, accuracy="absolute").CrossEntropyLoss
    exact = losscodegen.load(name).CrossEntropyLoss
    assert plain(reduction="none")(x, y).tolist() == [0.0, 20.0]
    assert exact(reduction="none")(x, y)[0].item() == pytest.approx(2.0611537e-9)


def test_load_with_an_accuracy_that_is_none() -> None:
    with pytest.raises(
        LossCodegenError, match="accuracy must be one of 'relative', 'a"
    ):
        losscodegen.load("huber", accuracy="high")


def test_compile_with_absolute_accuracy() -> None:
    compiled = losscodegen.compile_loss(
        "exp(x) - x - 1", {"x": "real[...]"}, accuracy="absolute"
    )
    assert "torch.where" not in compiled.source
    assert "Its accuracy is absolute" in compiled.source
    assert compiled.certificate is not None
    assert compiled.certificate.passed
    assert compiled.certificate.accuracy == "absolute"


def test_compile_with_a_symbolic_gradient() -> None:
    compiled = losscodegen.compile_loss(
        "log(cosh(x))", {"x": "real[...]"}, gradient="symbolic"
    )
    assert "class _Custom(torch.autograd.Function)" in compiled.source
    assert compiled.certificate is not None
    assert compiled.certificate.passed
