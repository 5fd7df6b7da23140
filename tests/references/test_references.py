"""Every loss of the library against an implementation that owes its formula nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest
import torch

from losscodegen.ir.loss import DomainKind, Loss, Role
from losscodegen.judge.accused import Accused
from losscodegen.judge.naive import naive_loss
from losscodegen.language.parse import load_losses
from losscodegen.resources import bundled_specs, specs_directory
from tests.references.draw import arguments, default
from tests.references.library import REFERENCES
from tests.references.table import Arguments, Reference

SPECS = tuple(p for p in bundled_specs() if p.parent.name != "torch_nn")
"""What torch.nn's own losses are compared with stands in tests/test_drop_ins.py."""

GENERATED = specs_directory().parent / "generated"

TRIALS = 3
"""The first with the defaults of the scalars and without optional tensors, the others drawn."""


def trials(loss: Loss, reference: Reference) -> Iterator[Arguments]:
    extra = [(True, setting) for setting in reference.settings]
    plans = [(k == 0, {}) for k in range(TRIALS)] + extra
    for k, (plain, setting) in enumerate(plans):
        rng = np.random.default_rng([k, *reference.stem.encode()])
        found = arguments(loss, rng, plain=plain) | dict(setting)
        if reference.change is not None:
            reference.change(found, rng)
        yield found


def example_arguments(loss: Loss) -> Arguments:
    """What the spec's example is called with, defaults included."""
    assert loss.example is not None
    shown = dict(loss.example.arguments)
    values: Arguments = {}
    for variable in loss.variables:
        if variable.name not in shown:
            values[variable.name] = default(variable)
        elif variable.scalar:
            values[variable.name] = shown[variable.name]
        else:
            whole = variable.domain.kind in (DomainKind.INDEX, DomainKind.INTEGER)
            dtype = np.int64 if whole else np.float64
            values[variable.name] = np.array(shown[variable.name], dtype=dtype)
    return values


def bound(values: Mapping[str, Any]) -> dict[str, Any]:
    """Arrays as tensors."""
    return {
        name: torch.from_numpy(v.copy()) if isinstance(v, np.ndarray) else v
        for name, v in values.items()
    }


def trained(loss: Loss, values: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers that are learnt, as tensors: a module would start from them in float32."""
    return {
        v.name: torch.tensor(values[v.name], dtype=torch.float64)
        for v in loss.parameters
        if v.role is Role.LEARNABLE and not v.axes
    }


def array(value: Any) -> np.ndarray[Any, Any]:
    return np.asarray(value.detach() if isinstance(value, torch.Tensor) else value)


def same(got: Any, wanted: Any, reference: Reference) -> None:
    got, wanted = array(got), array(wanted)
    assert got.shape == wanted.shape
    assert np.isfinite(wanted).all(), "the reference must be finite to say anything"
    np.testing.assert_allclose(got, wanted, rtol=reference.tolerance, atol=1e-12)


@pytest.fixture(scope="module")
def losses() -> dict[str, Loss]:
    return {path.stem: load_losses(path)[0] for path in SPECS}


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_every_spec_has_a_reference(path):
    assert path.stem in REFERENCES


@pytest.mark.parametrize("reference", REFERENCES.values(), ids=lambda r: r.stem)
def test_example_is_right(reference, losses):
    """To the digits that the spec shows."""
    loss = losses[reference.stem]
    assert loss.example is not None
    values = example_arguments(loss)
    got = array(reference.value(**values))
    wanted = np.asarray(loss.example.result)
    assert got.shape == wanted.shape
    np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-12)


@pytest.mark.parametrize("reference", REFERENCES.values(), ids=lambda r: r.stem)
def test_formula_is_the_loss_of_the_literature(reference, losses):
    loss = losses[reference.stem]
    for values in trials(loss, reference):
        got = naive_loss(loss, bound(values), torch.float64)
        same(got, reference.value(**values), reference)


@pytest.mark.parametrize("reference", REFERENCES.values(), ids=lambda r: r.stem)
def test_module_is_the_loss_of_the_literature(reference, losses):
    loss = losses[reference.stem]
    accused = Accused.load(loss, (GENERATED / f"{reference.stem}.py").read_text())
    for values in trials(loss, reference):
        wanted = array(reference.value(**values))
        tensors = bound(values) | trained(loss, values)
        same(accused.call(tensors, reduction="none"), wanted, reference)
        if loss.scalar:
            continue
        same(accused.call(tensors, reduction="sum"), wanted.sum(), reference)
        if reference.mean is None:
            assert loss.mean_weight is None, "a weighted mean needs its own reference"
            mean = wanted.mean()
        else:
            mean = reference.mean(**values)
        same(accused.call(tensors, reduction="mean"), mean, reference)
