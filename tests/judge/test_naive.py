"""The plain formula against torch written by hand: every binder, keeper and way of reading."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from losscodegen.ir.ops import OPS, Sort
from losscodegen.judge.naive import Evaluator, naive_loss
from losscodegen.judge.plain import PRIMITIVES, meaning
from losscodegen.language.parse import losses_from_text

GENERATOR = torch.Generator().manual_seed(0)


def draw(*shape: int) -> Tensor:
    return torch.rand(*shape, dtype=torch.float64, generator=GENERATOR) + 0.1


X = draw(3, 4, 2)  # B, C, ...
Y = draw(3, 4, 2)
T = torch.tensor([[0, 3], [1, 1], [2, 0]])  # B, ...
M = torch.tensor([[[1, 0], [1, 1], [0, 1], [1, 1]]] * 3, dtype=torch.float64)
J = draw(3, 4, 4)  # B, C, C
W = draw(4)

DECLARED = """
inputs.x = { type = "real[B, C, ...]", doc = "a" }
inputs.y = { type = "real[B, C, ...]", doc = "b" }
inputs.t = { type = "index(C)[B, ...]", doc = "c" }
inputs.m = { type = "mask[B, C, ...]", doc = "d" }
inputs.j = { type = "real[B, C, C]", doc = "e" }
params.w = { type = "real[C]", doc = "f" }
params.s = { type = "real = 2.0", doc = "g" }
params.flag = { type = "bool = false", doc = "h" }
params.kind = { type = "choice(one, two) = two", doc = "i" }
indices = { k = "C", a = "B" }
"""
USED = (
    " + 0*(Sum(x + y + m, c) + t + Sum(w + j[b,c,c], c) + s"
    " + (1 if flag else 0) + (1 if kind == one else 0))"
)

FORMULAS: dict[str, Callable[[], Tensor]] = {
    "Sum(x, c)": lambda: X.sum(1),
    "Mean(x*y, c)": lambda: (X * Y).mean(1),
    "Prod(x, c)": lambda: X.prod(1),
    "amax(x, c)": lambda: X.amax(1),
    "amin(x, c)": lambda: X.amin(1),
    "logsumexp(x, c)": lambda: X.logsumexp(1),
    "norm(x, c)": lambda: X.norm(dim=1),
    "norm(x, c, p=3)": lambda: X.pow(3).sum(1).pow(1 / 3),
    "norm(x, c, p=oo)": lambda: X.amax(1),
    "var(x, c)": lambda: X.var(1),
    "Sum(x, c, where=m == 1)": lambda: (X * M).sum(1),
    "Mean(x, c, where=m)": lambda: (X * M).sum(1) / M.sum(1),
    "amax(x, c, where=m)": lambda: X.masked_fill(M == 0, -math.inf).amax(1),
    "logsumexp(x, c, where=m)": lambda: X.masked_fill(M == 0, -math.inf).logsumexp(1),
    "Prod(x, c, where=m)": lambda: X.masked_fill(M == 0, 1.0).prod(1),
    "var(x, c, where=c > 0)": lambda: X[:, 1:].var(1),
    "Sum(3, c)": lambda: torch.full((3, 2), 12.0, dtype=torch.float64),
    "x[b,t]": lambda: X.gather(1, T.unsqueeze(1)).squeeze(1),
    "w[t]": lambda: W[T],
    "x[b,0] - y[b,3]": lambda: X[:, 0] - Y[:, 3],
    "Sum(j[b,c,c], c)": lambda: J.diagonal(dim1=1, dim2=2)
    .sum(1, keepdim=True)
    .expand(3, 2),
    "Sum(j[b,c,k]*x[b,k], c, k)": lambda: torch.einsum("bck,bkr->br", J, X),
    "Sum((x[b,c] - x[a,c])**2, a, c)": lambda: (X[:, None] - X).square().sum((1, 2)),
    "Sum(abs(x[b,c+1] - x[b,c]), c, where=c < C - 1)": lambda: X.diff(dim=1)
    .abs()
    .sum(1),
    "Sum(x[b,c]*w[k], c, k, where=k <= c)": lambda: (X * W.cumsum(0)[:, None]).sum(1),
    "Sum(c*x, c)/C": lambda: (X * torch.arange(4.0)[:, None]).mean(1),
    "softmax(x, c, at=t)": lambda: X.softmax(1).gather(1, T.unsqueeze(1)).squeeze(1),
    "Sum(y*log_softmax(x, c), c)": lambda: (Y * X.log_softmax(1)).sum(1),
    "Sum(y*softmin(x, c), c)": lambda: (Y * (-X).softmax(1)).sum(1),
    "Sum(y*normalize(x, c), c)": lambda: (Y * X / X.norm(dim=1, keepdim=True)).sum(1),
    "s*Sum(x, c) if flag else Sum(y, c)": lambda: Y.sum(1),
    "(1 if kind == two else 0)*Sum(x, c)": lambda: X.sum(1),
    "Sum(delta(c, t)*x, c)": lambda: X.gather(1, T.unsqueeze(1)).squeeze(1),
    "Sum(clip(x, 0.2, 0.5), c)": lambda: X.clamp(0.2, 0.5).sum(1),
    "Sum(where(x > y, x, y), c)": lambda: torch.maximum(X, Y).sum(1),
    "Sum(softplus(x), c)": lambda: torch.nn.functional.softplus(X).sum(1),
}


@pytest.mark.parametrize("formula", FORMULAS)
def test_a_formula_is_what_its_words_say(formula: str) -> None:
    loss = losses_from_text(
        f'[TestLoss]\nsummary = "For a test."\n{DECLARED}\nloss = "{formula + USED}"'
    )[0]
    arguments = {
        "x": X,
        "y": Y,
        "t": T,
        "m": M,
        "j": J,
        "w": W,
        "s": 2.0,
        "flag": False,
        "kind": 1,
    }
    got = naive_loss(loss, arguments, torch.float64)
    torch.testing.assert_close(got, FORMULAS[formula](), rtol=1e-12, atol=1e-12)


def test_an_optional_left_out_is_a_factor_of_one() -> None:
    loss = losses_from_text("""
    [TestLoss]
    summary = "For a test."
    inputs.x = { type = "real[...]", doc = "a" }
    params.w = { type = "positive[...] = none", doc = "b" }
    loss = "w*x**2"
    """)[0]
    got = naive_loss(loss, {"x": X, "w": None}, torch.float64)
    torch.testing.assert_close(got, X.square())
    assert got.shape == X.shape


def test_dims_before_the_batch_stay_before_it() -> None:
    loss = losses_from_text("""
    [TestLoss]
    summary = "For a test."
    inputs.x = { type = "real[B, ..., C]", doc = "a" }
    inputs.v = { type = "real[C]", doc = "b" }
    loss = "x*v"
    """)[0]
    x, v = draw(2, 5, 3), draw(3)
    got = naive_loss(loss, {"x": x, "v": v}, torch.float64)
    torch.testing.assert_close(got, x * v)


def test_every_op_is_primitive_or_explained() -> None:
    for name, row in OPS.items():
        assert (name in PRIMITIVES) != (row.meaning is not None) or name == "detach"
        if name not in PRIMITIVES:
            assert meaning(name) is not None
    with pytest.raises(KeyError):
        meaning("exp")


UNARY = [
    row.name
    for row in OPS.values()
    if row.arity == (1, 1)
    and row.args is Sort.REAL
    and re.fullmatch(r"\.\w+\(\)", row.torch)
]


@pytest.mark.parametrize("op", UNARY)
def test_plain_ops_agree_with_the_torch_column(op: str) -> None:
    row = OPS[op]
    x = torch.tensor([0.3, 0.7, 0.9], dtype=torch.float64)
    if op == "acosh":
        x = x + 1
    loss = losses_from_text(f"""
    [TestLoss]
    summary = "For a test."
    inputs.x = {{ type = "real[...]", doc = "a" }}
    loss = "{f'where({op}(x), x, 1)' if row.sort is Sort.BOOL else f'{op}(x)'}"
    """)[0]
    got = naive_loss(loss, {"x": x}, torch.float64)
    want = getattr(x, row.torch.removeprefix(".").removesuffix("()"))()
    if row.sort is Sort.BOOL:
        want = torch.where(want, x, 1.0)
    torch.testing.assert_close(got, want, rtol=1e-12, atol=1e-12)


def test_mean_weight_has_the_dims_of_the_loss() -> None:
    loss = losses_from_text("""
    [TestLoss]
    summary = "For a test."
    inputs.x = { type = "real[B, C, ...]", doc = "a" }
    inputs.t = { type = "index(C)[B, ...]", doc = "b" }
    params.w = { type = "positive[C]", doc = "c" }
    loss = "w[t]*x[b,t]"
    mean_weight = "w[t]"
    """)[0]
    evaluator = Evaluator(loss, {"x": X, "t": T, "w": W}, torch.float64)
    assert evaluator.loss.mean_weight is not None
    weight = evaluator.arranged(evaluator.evaluate(evaluator.loss.mean_weight))
    torch.testing.assert_close(weight, W[T])


def test_what_has_no_value_has_none_after_a_ramp() -> None:
    """Typed as ``where(x > 0, x, 0)`` it would be 0, and the module that says NaN wrong."""
    (loss,) = losses_from_text(
        '[Tried]\nsummary = "For a test."\ninputs.x = "unit[...]"\n'
        'loss = "relu(log(x) - log(x**2))"\n'
    )
    x = torch.tensor([0.0, 0.5, 1.0], dtype=torch.float64)
    found = Evaluator(loss, {"x": x}, torch.float64).unreduced()
    assert found.isnan().tolist() == [True, False, False]
