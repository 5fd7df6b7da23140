"""Signatures, constructors, ``extra_repr`` and argument checks, as generated code has them."""

from __future__ import annotations

import inspect
import re
import types
from typing import Any

import pytest
import torch

from losscodegen.compiler.checks import listed, raise_error
from losscodegen.judge.accused import load_text
from losscodegen.pipeline import generate_text

SPEC = """
[ProbeLoss]
inputs.x = { type = "real[B, C, ...]", arg = "logits" }
inputs.t = { type = "index(C)[B, ...]", arg = "target" }
params.w = { type = "nonnegative[C] = none", arg = "weight" }
params.q = { type = "real[C]", arg = "prior" }
params.W = { type = "real[C]", arg = "centers" }
params.a = { type = "positive = 1.5", arg = "alpha" }
params.k = { type = "count", arg = "order" }
params.s = { type = "real = 0.5", arg = "log_scale" }
params.mode = "choice(plain, squared) = plain"
params.full = "bool = false"
learnable = ["W", "s"]
loss = '''
w[t]*(x[b,t] + q[t] + W[t])*exp(s)*a**k*(1 if mode == squared else 2)
    + (1 if full else 0)'''
"""


def module(text: str) -> types.ModuleType:
    return load_text("generated_probe", generate_text(text, file="probe.toml").text)


def small(declarations: str, loss: str) -> types.ModuleType:
    return module(f'[ProbeLoss]\n{declarations}\nloss = "{loss}"')


@pytest.fixture(scope="module")
def probe() -> types.ModuleType:
    return module(SPEC)


def test_function(probe: Any) -> None:
    """Tensors in front, those that may be left out last; numbers by keyword."""
    signature = inspect.signature(probe.probe_loss)
    assert [(p.name, p.kind.name[:7]) for p in signature.parameters.values()] == [
        ("logits", "POSITIO"),
        ("target", "POSITIO"),
        ("prior", "POSITIO"),
        ("centers", "POSITIO"),
        ("log_scale", "POSITIO"),
        ("weight", "POSITIO"),
        ("order", "KEYWORD"),
        ("alpha", "KEYWORD"),
        ("mode", "KEYWORD"),
        ("full", "KEYWORD"),
        ("reduction", "KEYWORD"),
    ]


def test_constructor(probe: Any) -> None:
    """What is required first; a learnable number is given as a number."""
    signature = inspect.signature(probe.ProbeLoss)
    assert str(signature) == (
        "(prior: torch.Tensor, centers: torch.Tensor, order: int, "
        "weight: torch.Tensor | None = None, alpha: float = 1.5, "
        "log_scale: float = 0.5, mode: Literal['plain', 'squared'] = 'plain', "
        "full: bool = False, *, reduction: Literal['none', 'mean', 'sum'] = 'mean') -> None"
    )


def test_state(probe: Any) -> None:
    centers = torch.ones(3)
    loss = probe.ProbeLoss(torch.zeros(3), centers, 2, weight=torch.ones(3))
    assert set(dict(loss.named_parameters())) == {"centers", "log_scale"}
    assert set(dict(loss.named_buffers())) == {"prior", "weight"}
    loss.centers.data += 1.0
    assert torch.equal(centers, torch.ones(3)), "the initial value is copied"
    assert loss.extra_repr() == (
        "weight=(3,), prior=(3,), centers=(3,), alpha=1.5, order=2, mode='plain', "
        "full=False, reduction='mean'"
    )
    without = probe.ProbeLoss(torch.zeros(3), centers, 2)
    assert without.extra_repr().startswith("weight=None, ")


def test_gradients_reach_learnable_parameters(probe: Any) -> None:
    loss = probe.ProbeLoss(torch.zeros(3), torch.ones(3), 2)
    loss(torch.randn(2, 3, 4), torch.zeros(2, 4, dtype=torch.int64)).backward()
    assert loss.centers.grad is not None
    assert loss.log_scale.grad is not None


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"alpha": 0.0}, "alpha must be positive, got 0.0"),
        ({"alpha": float("nan")}, "alpha must be positive, got nan"),
        ({"order": 1.5}, "order must be a non-negative integer, got 1.5"),
        ({"order": float("inf")}, "order must be a non-negative integer, got inf"),
        ({"mode": "cubed"}, "mode must be one of ('plain', 'squared'), got 'cubed'"),
        ({"reduction": "max"}, "reduction must be 'none', 'mean' or 'sum', got 'max'"),
    ],
)
def test_wrong_numbers(probe: Any, changed: dict[str, Any], message: str) -> None:
    options = {"prior": torch.zeros(3), "centers": torch.ones(3), "order": 2} | changed
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        probe.ProbeLoss(**options)


SHAPES = [
    (
        {"logits": (2,)},
        "logits must have shape (B, C, ...), got (2,)",
    ),
    (
        {"target": (2,)},
        "target must have shape (B, ...) where logits has (B, C, ...), got (2,) and (2, 3, 4)",
    ),
    (
        {"prior": (4,)},
        "prior must have shape (C,) where logits has (B, C, ...), got (4,) and (2, 3, 4)",
    ),
    (
        {"centers": (1,)},
        "prior and centers must have the same shape, got (3,) and (1,)",
    ),
    (
        {"weight": (1,)},
        "weight must have shape (C,) where logits has (B, C, ...), got (1,) and (2, 3, 4)",
    ),
]


@pytest.mark.parametrize(("changed", "message"), SHAPES)
def test_wrong_shapes(
    probe: Any, changed: dict[str, tuple[int, ...]], message: str
) -> None:
    shapes = {"logits": (2, 3, 4), "target": (2, 4), "prior": (3,), "centers": (3,)}
    tensors: dict[str, Any] = {
        name: torch.zeros(shape) for name, shape in (shapes | changed).items()
    }
    tensors["target"] = tensors["target"].long()
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        probe.probe_loss(**tensors, log_scale=torch.tensor(0.5), order=2)


def test_same_shapes_are_one_check() -> None:
    names = [f"value{k}" for k in range(4)]
    declared = "\n".join(f'inputs.{name} = "real[...]"' for name in names)
    text = f'[ProbeLoss]\n{declared}\nloss = "{"+".join(names)}"'
    source = generate_text(text, file="probe.toml").text
    assert source.count("have the same shape") == 1
    loss = load_text("generated_probe", source)
    tensors = [torch.zeros(2), torch.zeros(2), torch.zeros(2), torch.zeros(1)]
    message = (
        "value0, value1, value2 and value3 must have the same shape, "
        "got (2,), (2,), (2,) and (1,)"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        loss.probe_loss(*tensors)


def test_batches_on_both_sides_are_compared() -> None:
    """No argument has all the axes of the other; ``...`` is the same all the same."""
    loss = small(
        'inputs.x = "real[..., D]"\ninputs.y = "real[..., K]"', "Sum(x, d)*Sum(y, k)"
    )
    with pytest.raises(
        ValueError, match=r"y must have shape \(\.\.\., K\) where x has"
    ):
        loss.probe_loss(torch.zeros(2, 3, 5), torch.zeros(1, 3, 4))


def test_optional_tensor_of_the_shape_of_an_input() -> None:
    loss = small(
        'inputs.x = "real[...]"\nparams.weight = "positive[...] = none"', "weight*x"
    )
    message = "weight must have the shape of x, got (1,) and (2,)"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        loss.probe_loss(torch.zeros(2), torch.zeros(1))


def test_requirement_between_parameters() -> None:
    loss = module("""
        [ProbeLoss]
        inputs.x = "real[...]"
        params.a = { type = "real = 0.0", arg = "low" }
        params.b = { type = "real = 1.0", arg = "high" }
        require = ["a < b"]
        loss = "clip(x, a, b)"
        """)
    message = "low < high must hold, got low=1.0, high=0.5"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        loss.ProbeLoss(1.0, 0.5)
    loss.ProbeLoss(0.5, 1.0)


def test_requirement_on_a_size() -> None:
    loss = small('inputs.x = "real[B, C]"\nrequire = ["C >= 2"]', "Sum(x, c)/(C - 1)")
    message = "x must have shape (B, C) with C >= 2, got (3, 1)"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        loss.probe_loss(torch.zeros(3, 1))
    loss.probe_loss(torch.zeros(3, 2))


def test_large_labels_stay_apart() -> None:
    """Neighbours that are one number in float32."""
    loss = small(
        'inputs.x = "real[B]"\ninputs.t = "integer[B]"\nindices = { i = "B" }',
        "Sum(x[i], i, where=t[i] == t[b])",
    )
    labels = torch.tensor([2**24, 2**24 + 1])
    got = loss.probe_loss(torch.ones(2), labels, reduction="none")
    assert got.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_trained_tensors_may_be_half(dtype: torch.dtype) -> None:
    loss = small(
        'inputs.x = "real[B, D]"\nparams.W = "real[C, D]"\nlearnable = ["W"]',
        "Sum(x[b,d]*W[c,d], d)",
    )
    got = loss.probe_loss(
        torch.ones(2, 3, dtype=dtype), torch.ones(4, 3, dtype=dtype), reduction="none"
    )
    assert got.dtype == dtype
    assert got.unique().tolist() == [3.0]


def test_integer_predictions_are_refused() -> None:
    loss = small('inputs.x = "real[...]"\ninputs.y = "binary[...]"', "x*y")
    with pytest.raises(
        TypeError, match=r"^x must be floating point, got torch\.int64$"
    ):
        loss.probe_loss(torch.ones(2, dtype=torch.int64), torch.ones(2))


def test_long_representation_is_broken_into_lines() -> None:
    names = [f"some_parameter_{k}" for k in range(5)]
    declared = "\n".join(f'params.{name} = "positive = 1.0"' for name in names)
    text = generate_text(
        f'[ProbeLoss]\ninputs.x = "real[...]"\n{declared}\nloss = "x*{"*".join(names)}"',
        file="probe.toml",
    ).text
    assert max(map(len, text.split("\n"))) <= 88
    loss = load_text("generated_probe", text).ProbeLoss()
    shown = ", ".join(f"{name}=1.0" for name in names)
    assert loss.extra_repr() == f"{shown}, reduction='mean'"


def test_a_scalar_loss_without_parameters_shows_nothing() -> None:
    loss = small('inputs.x = "real[D]"', "Sum(x, d)").ProbeLoss()
    assert repr(loss) == "ProbeLoss()"


def test_constant_inputs_are_taken_as_they_are() -> None:
    """An input that is only compared with 0 and 1 needs no floating dtype."""
    text = generate_text(
        '[ProbeLoss]\ninputs.x = "real[...]"\ninputs.m = "mask[...]"\n'
        'loss = "where(m == 1, x, 0)"',
        file="probe.toml",
    ).text
    assert "m.to(wide)" not in text
    loss = load_text("generated_probe", text).probe_loss
    x, mask = torch.tensor([1.0, 2.0]), torch.tensor([True, False])
    assert loss(x, mask, reduction="sum").item() == 1.0


def test_labels_that_are_only_compared_are_taken_as_they_are() -> None:
    """float32 would round large labels to their neighbours."""
    probe = small(
        'inputs.x = "real[B]"\ninputs.t = "integer[B]"\nindices = { i = "B", j = "B" }',
        "Sum(x[j], j, where=t[j] == t[i])",
    )
    x, labels = torch.tensor([1.0, 2.0]), torch.tensor([2**24, 2**24 + 1])
    assert probe.probe_loss(x, labels, reduction="none").tolist() == [1.0, 2.0]


# ---------------------------------------------------------------- messages


@pytest.mark.parametrize(
    ("items", "text"),
    [(["a"], "a"), (["a", "b"], "a and b"), (list("abc"), "a, b and c")],
)
def test_listed(items: list[str], text: str) -> None:
    assert listed(items) == text


def test_long_messages_are_broken_between_words() -> None:
    message = "the first words of a message that is long, " * 4 + "got {value!r}"
    lines = raise_error(message)
    assert all(len(line) <= 84 for line in lines)
    source = "\n".join(["def raises(value):", *lines])
    scope: dict[str, Any] = {}
    exec(compile(source, "raises", "exec"), scope)
    with pytest.raises(ValueError, match=re.escape(message.replace("{value!r}", "3"))):
        scope["raises"](3)
