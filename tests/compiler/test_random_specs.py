"""Random well-typed specs: what compiles must agree with the formula as it is written.

The reference is the judge's evaluator, which works on named axes and shares nothing with lowering.
Formulas stay at ordinary magnitudes here; the ends of the float range are the judge's business.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from losscodegen.errors import LossCodegenError
from losscodegen.ir.loss import Loss
from losscodegen.judge.accused import Accused
from losscodegen.judge.naive import naive_loss
from losscodegen.language.parse import losses_from_text
from losscodegen.pipeline import compile_losses

HEADER = """
[RandomLoss]
inputs.x = "real[B, C, ...]"
inputs.y = "real[B, C, ...]"
inputs.t = "index(C)[B, ...]"
inputs.v = "real[B, ...]"
params.w = "nonnegative[C] = none"
params.a = "positive = 1.5"
params.f = "bool = true"
indices = { i = "C", j = "C" }
"""

UNARY = (
    "exp(-({0})**2)",
    "log(1 + ({0})**2)",
    "sqrt(1 + ({0})**2)",
    "abs({0})",
    "tanh({0})",
    "sigmoid({0})",
    "softplus({0})",
    "logsigmoid({0})",
    "relu({0})",
    "-({0})",
    "({0})**2",
    "cos({0})",
    "clip({0}, -1, 2)",
    "log(cosh({0}))",
    "({0})/(1 + ({0})**2)",
    "({0} if f else a)",
)
BINARY = (
    "({0}) + ({1})",
    "({0}) - ({1})",
    "({0})*({1})",
    "Max({0}, {1})",
    "Min({0}, {1})",
    "where({0} > {1}, {0}, {1})",
    "({0})/(2 + tanh({1}))",
    "({0} if f else {1})",
    "where({0} > 0, sqrt(abs({0})), {1})",
)
LEAVES = ("x", "y", "v", "a", "w", "x - y", "2", "x[b,t]", "w[t]", "C")
# What takes a formula over c away, and what keeps it.
REDUCERS = (
    "Sum({0}, c)",
    "Mean({0}, c)",
    "logsumexp({0}, c)",
    "amax({0}, c)",
    "Sum({0}, c, where=c != t)",
    "Mean({0}, c, where=x > y)",
    "norm({0}, c)",
    "Sum({0}, c)/C",
)
KEEPERS = ("softmax({0}, c)", "log_softmax({0}, c)", "log_softmax({0}, c, at=t)")


@dataclass(frozen=True)
class Sizes:
    B: int = 3
    C: int = 4
    D: int = 2


@st.composite
def formulas(draw: st.DrawFn, depth: int = 3) -> str:
    """A formula that may depend on b, c and the batch."""
    if depth == 0:
        return draw(st.sampled_from(LEAVES))
    kind = draw(
        st.sampled_from(("unary", "binary", "binary", "reducer", "keeper", "leaf"))
    )
    if kind == "leaf":
        return draw(st.sampled_from(LEAVES))
    first = draw(formulas(depth - 1))
    if kind == "unary":
        return draw(st.sampled_from(UNARY)).format(first)
    if kind == "binary":
        return draw(st.sampled_from(BINARY)).format(first, draw(formulas(depth - 1)))
    table = REDUCERS if kind == "reducer" else KEEPERS
    # The body always depends on c, so that the reduction is one.
    return draw(st.sampled_from(table)).format(f"x + {first}")


def arguments(
    loss: Loss, seed: int, *, weighted: bool, flag: bool
) -> dict[str, object]:
    generator = torch.Generator().manual_seed(seed)
    size = Sizes()

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    values: dict[str, object] = {
        "x": normal(size.B, size.C, size.D),
        "y": normal(size.B, size.C, size.D),
        "t": torch.randint(size.C, (size.B, size.D), generator=generator),
        "v": normal(size.B, size.D),
        "w": normal(size.C).abs() if weighted else None,
        "a": 1.5,
        "f": flag,
    }
    return {v.name: values[v.name] for v in loss.variables}


@given(
    formula=formulas(),
    seed=st.integers(0, 1000),
    weighted=st.booleans(),
    flag=st.booleans(),
)
@settings(max_examples=25)
def test_agrees_with_the_formula(
    formula: str, seed: int, weighted: bool, flag: bool
) -> None:
    # Every variable appears, so that no declaration is unused.
    text = HEADER + f'loss = "{formula} + 0*(x + y + v + t + a*w + (1 if f else 2))"\n'
    loss = read(text)
    assume(loss is not None)
    assert loss is not None
    module = compile_losses([loss], origin="specs/random.toml").text
    given_ = arguments(loss, seed, weighted=weighted, flag=flag)
    wanted = naive_loss_of(loss, given_)
    assume(bool(wanted.isfinite().all()))
    got = Accused.load(loss, module).call(given_)  # type: ignore[arg-type]
    assert got.shape == wanted.shape
    scale = 1.0 + wanted.abs().max().item()
    assert torch.allclose(got, wanted, rtol=1e-7, atol=1e-8 * scale), module


def read(text: str) -> Loss | None:
    """The loss, or None for a spec that is refused at a place in it."""
    try:
        return losses_from_text(text, "random.toml")[0]
    except LossCodegenError as refused:
        if refused.diagnostics[0].location is None:
            raise
        return None


def naive_loss_of(loss: Loss, given_: dict[str, object]) -> Tensor:
    return naive_loss(loss, given_, torch.float64)  # type: ignore[arg-type]


@pytest.mark.parametrize("weighted", [False, True])
def test_the_generator_reaches_the_weights(weighted: bool) -> None:
    (loss,) = losses_from_text(
        HEADER + 'loss = "w*x*a*v*(y if f else 1) + t"\n', "r.toml"
    )
    module = compile_losses([loss], origin="specs/r.toml").text
    given_ = arguments(loss, 1, weighted=weighted, flag=True)
    got = Accused.load(loss, module).call(given_)  # type: ignore[arg-type]
    assert torch.allclose(got, naive_loss_of(loss, given_))
