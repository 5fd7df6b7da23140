"""Generated modules under autograd, torch.func, torch.compile and fake tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from losscodegen.ir.loss import Role
from tests.generated.library import Case, cases

every = pytest.mark.parametrize("case", cases(), ids=str)


def differentiable(case: Case) -> tuple[Callable[..., Tensor], list[Tensor]]:
    """The unreduced loss as a function of all that has a gradient, and where to check it."""
    parameters = [v for v in case.loss.parameters if v.role is Role.LEARNABLE]
    tensors = case.tensors(torch.float64)
    places = [*case.differentiated]
    places += range(len(case.loss.inputs), len(case.loss.inputs) + len(parameters))

    def function(*moved: Tensor) -> Tensor:
        arguments = list(tensors)
        for place, value in zip(places, moved, strict=True):
            arguments[place] = value
        return case.function(*arguments)

    point = [tensors[k] for k in places]
    assert all(t is not None for t in point)
    return function, [t.clone().requires_grad_() for t in point if t is not None]


SMOOTH = [c for c in cases() if not c.detaches]
"""Where something is held constant, the gradient is not that of the value, by definition."""


@pytest.mark.parametrize("case", SMOOTH, ids=str)
def test_gradcheck(case: Case) -> None:
    """The drawn points lie at no kink: backward is the slope of forward."""
    function, point = differentiable(case)
    assert torch.autograd.gradcheck(function, point, fast_mode=True)


@pytest.mark.parametrize("case", SMOOTH, ids=str)
def test_gradgradcheck(case: Case) -> None:
    function, point = differentiable(case)
    assert torch.autograd.gradgradcheck(
        function, point, fast_mode=True, atol=1e-4, rtol=1e-3
    )


# ---------------------------------------------------------------- torch.func

POINTWISE = [c for c in cases() if c.pointwise and c.differentiated]


@pytest.mark.parametrize("case", POINTWISE, ids=str)
def test_vmap_of_grad(case: Case) -> None:
    """Per-element gradients are the gradient of the sum."""
    position = case.differentiated[0]
    inputs = [i.flatten() for i in case.inputs(torch.float64)]
    module = case.build("none", torch.float64)
    each = torch.func.grad(module, argnums=position)
    got = torch.func.vmap(each)(*inputs)
    inputs[position].requires_grad_()
    (wanted,) = torch.autograd.grad(
        module(*inputs).sum(), inputs[position], materialize_grads=case.detaches
    )
    torch.testing.assert_close(got, wanted, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("case", POINTWISE, ids=str)
def test_functional_derivatives_agree(case: Case) -> None:
    """Forward over reverse, as `torch.func.hessian` has it, needs no custom backward."""
    position = case.differentiated[0]
    inputs = [i.flatten()[:2] for i in case.inputs(torch.float64)]
    module = case.build("sum", torch.float64)
    jacobian = torch.func.jacfwd(module, argnums=position)(*inputs)
    gradient = torch.func.grad(module, argnums=position)(*inputs)
    torch.testing.assert_close(jacobian, gradient, rtol=1e-12, atol=1e-14)
    hessian = torch.func.hessian(module, argnums=position)(*inputs)
    assert hessian.shape == (2, 2)
    assert hessian.isfinite().all()


# ---------------------------------------------------------------- other devices


@every
def test_fake_tensors_on_another_device(case: Case) -> None:
    """Shapes, dtypes and devices propagate: nothing is made on the CPU, nothing is looked at."""
    wanted = case.call(*case.inputs())
    with FakeTensorMode(allow_non_fake_inputs=False) as mode:

        def moved(tensor: Tensor) -> Tensor:
            fake = mode.from_tensor(tensor)
            return torch.empty_like(fake, device="cuda")

        module = case.build()
        for name, value in [*module.named_buffers(), *module.named_parameters()]:
            old = getattr(module, name)
            new = moved(value)
            if isinstance(old, torch.nn.Parameter):
                # A gradient would need what only a torch built for CUDA has.
                new = torch.nn.Parameter(new, requires_grad=False)
            setattr(module, name, new)
        inputs = list(map(moved, case.inputs()))
        try:
            got = module(*inputs)
        except RuntimeError as error:
            if "not linked with support for cuda" not in str(error):
                raise
            pytest.skip("indexing and ~ take a device guard, which this torch lacks")
    assert got.device.type == "cuda"
    assert got.shape == wanted.shape
    assert got.dtype is wanted.dtype


@every
def test_meta_device(case: Case) -> None:
    module = case.build("none").to("meta")
    got = module(*(i.to("meta") for i in case.inputs()))
    assert got.shape == case.call(*case.inputs()).shape


# ---------------------------------------------------------------- torch.compile

SAMPLE = 12
"""Every so manieth loss is compiled in each run, the others in the slow tests."""


def compiled(case: Case, backend: Any) -> None:
    torch._dynamo.reset()
    module = case.build()
    inputs = case.inputs()
    leaves = [inputs[k].requires_grad_() for k in case.differentiated]
    plain = module(*inputs)
    graph = torch.compile(module, fullgraph=True, backend=backend)
    result = graph(*inputs)
    torch.testing.assert_close(result, plain)
    options = {"materialize_grads": case.detaches}
    got = torch.autograd.grad(result.sum(), leaves, **options)
    wanted = torch.autograd.grad(plain.sum(), leaves, **options)
    torch.testing.assert_close(got, wanted)


@pytest.mark.parametrize("case", cases()[::SAMPLE], ids=str)
def test_one_graph(case: Case) -> None:
    compiled(case, "aot_eager")


@pytest.mark.slow
@pytest.mark.parametrize(
    "case", [c for k, c in enumerate(cases()) if k % SAMPLE], ids=str
)
def test_one_graph_of_the_others(case: Case) -> None:
    compiled(case, "aot_eager")


# ---------------------------------------------------------------- torch.export

DISTANCES = [c for c in cases() if hasattr(c.module, "_Distances")]
"""``torch.export`` traces the forward of their own function, and drops its backward."""


@pytest.mark.parametrize("case", DISTANCES, ids=str)
def test_exported_distances_have_a_gradient_where_all_entries_are_zero(
    case: Case,
) -> None:
    module, inputs = case.build(), case.inputs()
    places = case.differentiated
    for k in places:
        inputs[k] = torch.zeros_like(inputs[k])
    exported = torch.export.export(module, tuple(inputs)).module()
    gradients = []
    for run in (module, exported):
        leaves = [inputs[k].clone().requires_grad_() for k in places]
        moved = list(inputs)
        for k, leaf in zip(places, leaves, strict=True):
            moved[k] = leaf
        gradients.append(torch.autograd.grad(run(*moved).sum(), leaves))
    torch.testing.assert_close(*gradients, equal_nan=False)
