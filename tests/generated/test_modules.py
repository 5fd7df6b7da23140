"""What holds for every generated module as a user calls it."""

from __future__ import annotations

import copy
import io
import pickle

import pytest
import torch
from torch import Tensor, nn

from losscodegen.ir.loss import DomainKind, Role
from losscodegen.judge.naive import naive_loss
from tests.generated.library import Case, cases

every = pytest.mark.parametrize("case", cases(), ids=str)

WHOLE = (
    DomainKind.BINARY,
    DomainKind.MASK,
    DomainKind.SIGN,
    DomainKind.COUNT,
    DomainKind.INTEGER,
)


def with_gradients(case: Case, dtype: torch.dtype) -> tuple[Tensor, list[Tensor]]:
    """The unreduced loss, and the gradient of its sum by everything that has one."""
    inputs = case.inputs(dtype)
    leaves = [inputs[k].requires_grad_() for k in case.differentiated]
    module = case.build(dtype=dtype)
    result = module(*inputs)
    leaves += module.parameters()
    # Only a loss that holds something constant may ignore an input.
    gradients = torch.autograd.grad(
        result.sum(), leaves, materialize_grads=case.detaches
    )
    return result.detach(), list(gradients)


@every
def test_value_and_gradient_are_finite(case: Case) -> None:
    result, gradients = with_gradients(case, torch.float32)
    assert result.isfinite().all()
    assert all(g.isfinite().all() for g in gradients)


@every
def test_reductions(case: Case) -> None:
    if case.loss.scalar:
        assert case.call(*case.inputs()).shape == ()
        return
    inputs = case.inputs()
    unreduced = case.build("none")(*inputs)
    torch.testing.assert_close(case.build("sum")(*inputs), unreduced.sum())
    mean = case.build("mean")(*inputs)
    assert mean.shape == ()
    if case.loss.mean_weight is None:
        torch.testing.assert_close(mean, unreduced.mean())


@every
def test_default_reduction_is_that_of_the_spec(case: Case) -> None:
    if not case.loss.scalar:
        assert case.build(None).reduction == case.loss.reduction


@every
@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_is_that_of_the_arguments_alone(
    case: Case, half: torch.dtype
) -> None:
    """The result is the float32 loss of the rounded arguments, rounded once."""
    inputs = case.inputs(half)
    result = case.call(*inputs)
    wide = case.call(*(i.float() if i.is_floating_point() else i for i in inputs))
    assert result.dtype is half
    assert wide.dtype is torch.float32
    torch.testing.assert_close(result, wide.to(half), rtol=0, atol=0, equal_nan=True)


@every
def test_half_precision_module(case: Case) -> None:
    """``module.half()`` takes buffers and parameters along."""
    module = case.build(dtype=torch.float16).half()
    assert module(*case.inputs(torch.float16)).dtype is torch.float16


@every
def test_autocast_changes_nothing(case: Case) -> None:
    plain = case.call(*case.inputs())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(case.call(*case.inputs()), plain)


@every
def test_float64_keeps_its_digits(case: Case) -> None:
    inputs = case.inputs(torch.float64)
    result = case.call(*inputs, dtype=torch.float64)
    assert result.dtype is torch.float64
    values = {
        v.name: case.values[v.name] if v.scalar else case.tensor(v, torch.float64)
        for v in case.loss.variables
    }
    for v in case.loss.parameters:  # a number that is trained begins in float32
        if v.role is Role.LEARNABLE and not v.axes:
            values[v.name] = torch.tensor(case.values[v.name]).double()
    wanted = naive_loss(case.loss, values, torch.float64)
    torch.testing.assert_close(result, wanted, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    "case", [c for c in cases() if len(c.differentiated) > 1], ids=str
)
def test_mixed_dtypes_promote(case: Case) -> None:
    """float64 next to float32 is float64, as everywhere in torch."""
    inputs = case.inputs()
    second = case.differentiated[1]
    inputs[second] = inputs[second].double()
    assert case.call(*inputs).dtype is torch.float64


def fitting(case: Case, dtype: torch.dtype) -> dict[int, Tensor]:
    """The targets that ``dtype`` can hold, by their position."""
    return {
        k: target.to(dtype)
        for k, target in enumerate(case.inputs())
        if case.loss.inputs[k].domain.kind in WHOLE
        and torch.equal(target.to(dtype).float(), target)
    }


@pytest.mark.parametrize(
    ("case", "dtype"),
    [
        pytest.param(case, dtype, id=f"{case}-{dtype}")
        for case in cases()
        for dtype in (torch.int64, torch.uint8, torch.bool)
        if fitting(case, dtype)
    ],
)
def test_targets_of_integers(case: Case, dtype: torch.dtype) -> None:
    inputs = case.inputs()
    plain = case.call(*inputs)
    for k, target in fitting(case, dtype).items():
        inputs[k] = target
    result = case.call(*inputs)
    assert result.dtype is torch.float32
    torch.testing.assert_close(result, plain, rtol=0, atol=0)


@every
def test_predictions_of_integers_are_refused(case: Case) -> None:
    """The result would have to be one, too."""
    inputs = [i.to(torch.int64) for i in case.inputs()]
    with pytest.raises(TypeError, match=r"must be floating point, got torch\.int64"):
        case.call(*inputs)


@every
def test_inputs_are_left_alone(case: Case) -> None:
    inputs = case.inputs()
    before = copy.deepcopy(inputs)
    module = case.build()
    buffers = copy.deepcopy(module.state_dict())
    for k in case.differentiated:
        inputs[k].requires_grad_()
    module(*inputs).sum().backward()
    assert all(map(torch.equal, inputs, before))
    assert all(torch.equal(v, buffers[k]) for k, v in module.state_dict().items())


@every
def test_deterministic(case: Case) -> None:
    first, gradients = with_gradients(case, torch.float32)
    second, again = with_gradients(case, torch.float32)
    assert torch.equal(first, second)
    assert all(map(torch.equal, gradients, again))


@every
def test_function_and_module_agree(case: Case) -> None:
    assert torch.equal(
        case.function(*case.tensors()).detach(), case.call(*case.inputs()).detach()
    )


# ---------------------------------------------------------------- persistence


def saved(module: nn.Module) -> io.BytesIO:
    file = io.BytesIO()
    torch.save(module.state_dict(), file)
    file.seek(0)
    return file


@every
def test_copies(case: Case) -> None:
    module = case.build()
    inputs = case.inputs()
    wanted = module(*inputs)
    for other in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert torch.equal(other(*inputs), wanted)
        assert repr(other) == repr(module)


@every
def test_state(case: Case) -> None:
    """Tensors are in it, numbers are not, and it can be saved and loaded."""
    module = case.build()
    tensors = {v.arg for v in case.loss.parameters if not v.scalar}
    given = {v.arg for v in case.loss.parameters if case.values[v.name] is not None}
    state = module.state_dict()
    assert set(state) == tensors & given
    changed = {name: value + 1 for name, value in state.items()}
    module.load_state_dict(changed)
    fresh = case.build()
    fresh.load_state_dict(torch.load(saved(module), weights_only=True))
    assert all(torch.equal(v, changed[k]) for k, v in fresh.state_dict().items())


@every
def test_learnable_parameters_learn(case: Case) -> None:
    learnable = {v.arg for v in case.loss.parameters if v.role is Role.LEARNABLE}
    assert {name for name, _ in case.build().named_parameters()} == learnable


@every
def test_representation_shows_the_parameters(case: Case) -> None:
    shown = case.build().extra_repr()
    for variable in case.loss.parameters:
        if variable.scalar:
            assert f"{variable.arg}={case.values[variable.name]!r}" in shown
        elif variable.axes:
            assert f"{variable.arg}=" in shown
    assert ("reduction='none'" in shown) is not case.loss.scalar
