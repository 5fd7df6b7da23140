"""``1 - cosine`` as half a squared distance: in which sums, for which vectors, at what cost."""

from __future__ import annotations

from types import ModuleType

import pytest
import torch

from losscodegen.api import import_text
from losscodegen.language.parse import losses_from_text
from losscodegen.pipeline import compile_losses

GUARD = "Guard [cosine-as-distance]"

ROWS = """
[ApartLoss]
summary = "For a test."
inputs.x = {{ type = "real[B, D]", doc = "a" }}
inputs.y = {{ type = "real[B, D]", doc = "b" }}
inputs.w = {{ type = "real[B]", doc = "c" }}
params.m = {{ type = "real = 0.25", doc = "d" }}
indices = {{ b = "B" }}
let = "cosine[b] = Sum(normalize(x[b,d], d)*normalize(y[b,d], d), d)"
loss = "where(w[b] < m, 0, {formula})"
"""

PAIRS = """
[PairsLoss]
summary = "For a test."
inputs.x = { type = "real[B, D]", doc = "a" }
indices = { i = "B", j = "B" }
let = "apart[i,j] = 2 - 2*Sum(normalize(x[i,d], d)*normalize(x[j,d], d), d)"
loss = "Sum(apart[i,j]**2, j)"
"""


def text_of(spec: str) -> str:
    return compile_losses(losses_from_text(spec), origin="x.toml").text


def module_of(spec: str) -> ModuleType:
    return import_text("cosine_distances", text_of(spec))


@pytest.mark.parametrize(
    ("formula", "fires"),
    [
        ("1 - cosine[b]", True),
        ("2 - 2*cosine[b]", True),
        ("m*(1 - cosine[b])", True),
        ("1 - cosine[b] + w[b]", True),
        # What is missing to another number than 1 cancels nowhere in particular.
        ("1 - cosine[b] - m", False),
        ("3 - 2*cosine[b]", False),
        ("1 - m*cosine[b]", False),
    ],
)
def test_sums_in_which_the_cosine_is_taken_from_one(formula: str, fires: bool) -> None:
    assert (GUARD in text_of(ROWS.format(formula=formula))) is fires


@pytest.mark.parametrize("scale", [1.0, -1.0])
def test_directions_that_nearly_agree_or_oppose(scale: float) -> None:
    module = module_of(ROWS.format(formula="2 - 2*cosine[b]"))
    x = torch.tensor([[3.0, 1e-4]])
    y = torch.tensor([[scale, 0.0]], requires_grad=True)
    loss = module.apart_loss(x, y, torch.ones(1))
    small = 1e-8 / 9
    expected = small if scale > 0 else 4 - small
    assert loss.item() == pytest.approx(expected, rel=1e-6)
    (slope,) = torch.autograd.grad(loss, y)
    assert slope[0].tolist() == pytest.approx([0.0, -2e-4 / 3], rel=1e-5, abs=1e-12)


LENGTHS = """
[LengthsLoss]
summary = "For a test."
inputs.x = { type = "real[B, D]", doc = "a" }
inputs.y = { type = "real[B, D]", doc = "b" }
loss = "1 - Sum(x*y, d)/(Max(norm(x, d), 1e-8)*Max(norm(y, d), 1e-8))"
"""


def test_directions_that_are_nearly_orthogonal() -> None:
    """As a distance, the slope would be the difference of the one from itself."""
    module = module_of(LENGTHS)
    x = torch.tensor([[-1e-5, 1.0, 0.0]])
    y = torch.tensor([[1.0, -2e-5, 1.0]], requires_grad=True)
    loss = module.lengths_loss(x, y, reduction="sum")
    (slope,) = torch.autograd.grad(loss, y)
    exact = -(x.double() - (x @ y.T).double() / (y @ y.T).double() * y.double())
    expected = exact / torch.linalg.vector_norm(y.double())
    assert slope[0].tolist() == pytest.approx(expected[0].tolist(), rel=1e-5)


def test_vectors_without_a_direction() -> None:
    """They stay what they are, so that the cosine is 0."""
    module = module_of(ROWS.format(formula="1 - cosine[b]"))
    x = torch.tensor([[0.0, 0.0], [0.0, 0.0]])
    y = torch.tensor([[1.0, 2.0], [0.0, 0.0]])
    loss = module.apart_loss(x, y, torch.ones(2), reduction="none")
    assert loss.tolist() == [1.0, 1.0]


def test_all_pairs_hold_no_tensor_of_their_differences() -> None:
    text = text_of(PAIRS)
    assert GUARD in text
    assert "_squared_distances(direction, direction)" in text
    assert "_squared_distances(direction, -direction)" in text
    assert ".unsqueeze(1) +" not in text


CLASSES = """
[ClassesLoss]
summary = "For a test."
inputs.x = { type = "real[B, D]", doc = "a" }
inputs.t = { type = "index(C)[B]", doc = "b" }
params.w = { type = "real[C, D]", doc = "c" }
learnable = ["w"]
let = "cosine[b,c] = Sum(normalize(x[b,d], d)*normalize(w[c,d], d), d)"
loss = "Sum((cosine[b,c] - delta(c, t))**2, c)"
"""


def test_the_true_class_is_near_one_and_others_are_near_any_number() -> None:
    module = module_of(CLASSES)
    x = torch.tensor([[3.0, 1e-3]])
    w = torch.tensor([[1.0, 0.0]], requires_grad=True)
    loss = module.classes_loss(x, torch.tensor([0]), w, reduction="sum")
    lack = (1e-3 / 3) ** 2 / 2
    assert loss.item() == pytest.approx(lack**2, rel=1e-5)
    (slope,) = torch.autograd.grad(loss, w)
    assert slope[0].tolist() == pytest.approx([0.0, -2 * lack * 1e-3 / 3], rel=1e-5)
