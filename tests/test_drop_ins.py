"""The replacements of torch.nn's losses, tried on the samples that PyTorch tests its own with."""

from __future__ import annotations

import copy
import inspect
import pickle
import re
import warnings

import pytest
import torch
from torch import nn

from losscodegen.cli.outside import OUTSIDE
from tests import torch_suite
from tests.drop_ins import MAPPING

DEPRECATED = {"NLLLoss2d": "an alias of NLLLoss"}

DIFFERENT = {
    "BCELoss": (
        "grad of leaf 0",
        "PyTorch's gradient at 0 and 1 is not that of its value, which is constant there",
    ),
    "BCEWithLogitsLoss": (
        "reduction='none': value: .*nan",
        "PyTorch gives NaN at a logit of -inf where the loss is infinite",
    ),
    "CosineEmbeddingLoss": (
        "value",
        "PyTorch's product of squared norms overflows in float32",
    ),
    "CrossEntropyLoss": (
        r"weight=T\(3,\),label_smoothing=0.3,reduction='mean'",
        "a smoothed class of weight 0 and logit -inf is 0*inf",
    ),
    "TripletMarginLoss": ("p=inf", "the norm of infinite order is refused"),
}
"""Where replacements differ at extreme arguments (a pattern of the report), and why."""


def test_every_loss_of_torch_is_replaced_or_said_to_be_outside() -> None:
    known = {cls.__name__ for cls in MAPPING} | {o.name for o in OUTSIDE}
    assert set(torch.nn.modules.loss.__all__) - set(DEPRECATED) == known


@pytest.mark.parametrize("cls", MAPPING, ids=lambda cls: cls.__name__)
def test_same_interface(cls: type[nn.Module]) -> None:
    """Signatures, state, representation, copies, pickles."""
    assert torch_suite.interface(cls, MAPPING[cls]) == []


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("source", ["module", "criterion", "opinfo"])
@pytest.mark.parametrize("cls", MAPPING, ids=lambda cls: cls.__name__)
def test_samples(cls: type[nn.Module], source: str, dtype: torch.dtype) -> None:
    """Same values, gradients and errors as PyTorch's class on PyTorch's samples."""
    table = run(cls, dtype, source)
    assert [line for row in table.values() for line in row.first] == []


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("cls", MAPPING, ids=lambda cls: cls.__name__)
def test_extreme_samples(cls: type[nn.Module], dtype: torch.dtype) -> None:
    """The same at saturated, infinite, equal and empty arguments, but for what is listed."""
    table = run(cls, dtype, "extreme")
    pattern, _ = DIFFERENT.get(cls.__name__, ("(?!)", ""))
    lines = [line for row in table.values() for line in row.first]
    assert [line for line in lines if not re.search(pattern, line)] == []


def run(
    cls: type[nn.Module], dtype: torch.dtype, source: str
) -> dict[tuple[str, str, str], torch_suite.Row]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch_suite.run({cls: MAPPING[cls]}, [dtype], [source], keep=1000)


def test_the_samples_are_there() -> None:
    """A loop over nothing would agree with everything."""
    rows = run(nn.CrossEntropyLoss, torch.float64, "module")
    assert sum(row.samples for row in rows.values()) > 50
    assert sum(row.errors for row in rows.values()) > 5


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_a_gradient_that_is_wrong_by_little_is_told(dtype: torch.dtype) -> None:
    """Double precision decides only between ours and torch's; it excuses nobody."""

    class Steeper(MAPPING[nn.CrossEntropyLoss]):  # type: ignore[misc]
        def forward(self, input: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
            loss: torch.Tensor = super().forward(input, target)
            return loss + 1e-4 * (loss - loss.detach())

    table = torch_suite.run({nn.CrossEntropyLoss: Steeper}, [dtype], ["module"])
    assert sum(row.grad for row in table.values()) > 20
    assert sum(row.value for row in table.values()) == 0


# ---------------------------------------------------------------- what samples do not show


def ours(cls: type[nn.Module]) -> type[nn.Module]:
    return MAPPING[cls]


@pytest.mark.parametrize(
    ("size_average", "reduce", "expected"),
    [
        (True, None, "mean"),
        (False, None, "sum"),
        (None, False, "none"),
        (False, True, "sum"),
    ],
)
def test_legacy_arguments(
    size_average: bool | None, reduce: bool | None, expected: str
) -> None:
    with pytest.warns(UserWarning, match="size_average") as theirs:
        nn.MSELoss(size_average, reduce)
    with pytest.warns(UserWarning, match="size_average") as here:
        loss = ours(nn.MSELoss)(size_average, reduce)
    assert loss.reduction == expected
    assert str(here[0].message) == str(theirs[0].message)
    assert here[0].filename == __file__


def test_sizes_that_differ_are_broadcast_with_a_warning() -> None:
    x, y = torch.ones(2, 3), torch.zeros(3)
    with pytest.warns(UserWarning, match="target size") as theirs:
        expected = nn.L1Loss(reduction="none")(x, y)
    with pytest.warns(UserWarning, match="target size") as here:
        found = ours(nn.L1Loss)(reduction="none")(x, y)
    assert torch.equal(found, expected)
    assert str(here[0].message) == str(theirs[0].message)


def test_soft_margin_does_not_overflow() -> None:
    x = torch.tensor([-200.0], requires_grad=True)
    loss = ours(nn.SoftMarginLoss)()(x, torch.tensor([1.0]))
    loss.backward()
    assert loss.item() == 200.0
    assert x.grad is not None and x.grad.item() == -1.0
    assert nn.SoftMarginLoss()(x, torch.tensor([1.0])).item() == float("inf")


def test_a_confident_cross_entropy_keeps_its_digits() -> None:
    logits = torch.tensor([[20.0, 0.0, 0.0]])
    found = ours(nn.CrossEntropyLoss)()(logits, torch.tensor([0])).item()
    exact = 4.122307236380407e-09  # log1p(2*exp(-20))
    assert abs(found / exact - 1) < 1e-6
    assert nn.CrossEntropyLoss()(logits, torch.tensor([0])).item() == 0.0


def test_masked_classes_cost_nothing() -> None:
    """A logit of -inf takes its class out, also where the target is almost certain."""
    logits = torch.tensor(
        [[0.0, float("-inf"), 1.0], [float("-inf"), 2.0, float("-inf")]]
    )
    logits.requires_grad_()
    target = torch.tensor([0, 1])
    found = ours(nn.CrossEntropyLoss)(reduction="none")(logits, target)
    torch.testing.assert_close(
        found, nn.CrossEntropyLoss(reduction="none")(logits, target)
    )
    found.sum().backward()
    assert logits.grad is not None and bool(logits.grad.isfinite().all())


def test_state_goes_from_torch_to_ours_and_back() -> None:
    theirs = nn.LinearCrossEntropyLoss(3, 5, bias=True, weight=torch.rand(5))
    loss = ours(nn.LinearCrossEntropyLoss)(3, 5, bias=True, weight=torch.rand(5))
    loss.load_state_dict(theirs.state_dict())
    x, t = torch.randn(4, 3), torch.tensor([0, 4, 1, 2])
    torch.testing.assert_close(loss(x, t), theirs(x, t))
    theirs.load_state_dict(loss.state_dict())


@pytest.mark.parametrize("cls", MAPPING, ids=lambda cls: cls.__name__)
def test_a_loss_is_a_module_like_any_other(cls: type[nn.Module]) -> None:
    needed = [
        p for p in inspect.signature(cls).parameters.values() if p.default is p.empty
    ]
    loss = MAPPING[cls](*[3] * len(needed))
    assert isinstance(pickle.loads(pickle.dumps(loss)), MAPPING[cls])
    assert isinstance(copy.deepcopy(loss), MAPPING[cls])
    assert loss.half().double() is loss


@pytest.mark.parametrize("classes", [1, 2, 5])
def test_a_list_of_labels_ends_at_the_first_negative_one(classes: int) -> None:
    """What stands behind it is no label, class 0 in particular, whatever it is replaced by."""
    torch.manual_seed(classes)
    generated = ours(nn.MultiLabelMarginLoss)(reduction="none")
    theirs = nn.MultiLabelMarginLoss(reduction="none")
    for _ in range(20):
        x = torch.randn(3, classes, dtype=torch.float64, requires_grad=True)
        target = torch.stack([torch.randperm(classes) for _ in range(3)])
        target[torch.rand(3, classes) < 0.4] = -1
        values = generated(x, target), theirs(x, target)
        slopes = [torch.autograd.grad(v.sum(), x)[0] for v in values]
        torch.testing.assert_close(values[0], values[1])
        torch.testing.assert_close(slopes[0], slopes[1])
