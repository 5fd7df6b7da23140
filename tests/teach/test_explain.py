"""Ten explanations read end to end: every number is worked out again by other means."""

from __future__ import annotations

import math
import re
from functools import cache
from typing import Any

import pytest
import torch
from mpmath import mp, mpf
from torch.nn import functional as F

from losscodegen.ir.loss import Loss
from losscodegen.ir.nodes import Index
from losscodegen.ir.walk import inline
from losscodegen.judge.point import Array, Point
from losscodegen.language.parse import load_losses
from losscodegen.resources import bundled_specs
from losscodegen.teach.blocks import blocks
from losscodegen.teach.explain import explain
from losscodegen.teach.model import Explanation, Measured, Trouble
from losscodegen.teach.show import as_html, as_markdown, as_text
from losscodegen.teach.typed import typed
from tests.teach.plain_mathematics import Numbers

NAMES = (
    *("huber", "sigmoid_focal", "bce_with_logits", "cross_entropy", "poisson_nll"),
    *("p_norm_distance", "log_cosh", "gaussian_nll", "dice", "triplet_margin"),
)
SPECS = {path.stem: path for path in bundled_specs() if path.parent.name == "specs"}
DTYPES = {"float32": torch.float32, "float64": torch.float64}
DIGITS = 800
"""exp(1500) beside 1 takes 650."""


@cache
def told(name: str) -> tuple[Loss, Explanation]:
    (loss,) = load_losses(SPECS[name])
    return loss, explain(loss)


def function_of(text: str) -> Any:
    """What is printed, run by Python as it stands."""
    scope: dict[str, Any] = {
        "torch": torch,
        "math": math,
        "F": F,
        "Tensor": torch.Tensor,
    }
    exec(compile(text, "<printed>", "exec"), scope)
    return next(v for k, v in scope.items() if k.endswith("_loss"))


def printed_arguments(loss: Loss, m: Measured) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for symbol, value in m.inputs:
        variable = loss.variable(symbol)
        if variable.scalar:
            found[variable.arg] = value
            continue
        dtype = (
            torch.int64 if variable.domain.kind.value == "index" else DTYPES[m.dtype]
        )
        tensor = torch.tensor(value, dtype=dtype)
        wanted = m.wrt.partition("[")[0] == symbol
        found[variable.arg] = tensor.requires_grad_() if wanted else tensor
    return found


def by_torch(loss: Loss, text: str, m: Measured) -> float:
    arguments = printed_arguments(loss, m)
    value = function_of(text)(**arguments)
    if m.order == "value":
        return float(value.detach().reshape(-1)[m.place])
    leaf = arguments[loss.variable(m.wrt.partition("[")[0]).arg]
    (slope,) = torch.autograd.grad(value.sum(), leaf)
    return float(slope.reshape(-1)[m.place])


def lost(got: float, exact: Any, m: Measured) -> float:
    """Wrong bits: the logarithm of the error in units of the last place of the exact number."""
    precision = {"float32": 24, "float64": 53}[m.dtype]
    if not math.isfinite(got):
        return precision
    last = {"float32": -149, "float64": -1074}[m.dtype]
    if abs(exact) >= mpf(2) ** last:
        last = max(last, int(mp.floor(mp.log(abs(exact), 2))) - precision + 1)
    unit = mpf(2) ** last
    ulps = abs(mpf(got) - exact) / unit
    if ulps >= mpf(2) ** (precision - 1):
        return precision
    return float(mp.log(ulps, 2)) if ulps > 1 else 0.0


def exact_value(loss: Loss, m: Measured) -> Any:
    """The value at the printed inputs, loop by loop in many digits."""
    values: dict[str, Any] = {v.name: None for v in loss.variables if v.optional}
    for symbol, value in m.inputs:
        variable = loss.variable(symbol)
        if variable.scalar:
            values[symbol] = value
            continue
        tensor = torch.tensor(value, dtype=torch.float64)
        entries = tuple(tensor.reshape(-1).tolist())
        values[symbol] = Array(tuple(tensor.shape), entries)
    sizes = {
        axis: size
        for v in loss.variables
        if isinstance(values.get(v.name), Array)
        for axis, size in zip(v.subscripted_axes, values[v.name].shape, strict=False)
    }
    expr = inline(loss.expression, loss.definitions)
    point = Point(values=values)
    env: dict[Index, int] = dict.fromkeys(loss.free, 0)
    if m.order == "value":
        return Numbers(loss, point, sizes).at(expr, env)
    symbol, _, rest = m.wrt.partition("[")
    places = tuple(int(p) for p in rest.rstrip("]").split(",") if p)
    step = mpf(10) ** -300
    up, down = (
        Numbers(loss, point, sizes, moved=(symbol, places, h)).at(expr, env)
        for h in (step, -step)
    )
    return (up - down) / (2 * step)


@pytest.mark.parametrize("name", NAMES)
def test_the_formula_as_typed_gives_what_is_printed(name: str) -> None:
    loss, found = told(name)
    assert found.measured
    for m in found.measured:
        got = by_torch(loss, found.naive.text, m)
        assert got == m.naive or (math.isnan(got) and math.isnan(m.naive)), m


@pytest.mark.parametrize("name", NAMES)
def test_exact_numbers_and_bits_are_worked_out_again(name: str) -> None:
    loss, found = told(name)
    with mp.workdps(DIGITS):
        for m in found.measured:
            exact = exact_value(loss, m)
            near = abs(exact) * mpf(10) ** -10 + mpf(10) ** -400
            assert abs(mpf(m.exact) - exact) <= near, m
            assert m.naive_bits == pytest.approx(lost(m.naive, exact, m), abs=0.06), m
            assert m.guarded is not None
            assert m.guarded_bits == pytest.approx(lost(m.guarded, exact, m), abs=0.06)
            assert m.naive_bits >= m.guarded_bits + 3.9


@pytest.mark.parametrize("name", NAMES)
def test_guards_that_are_printed_as_code_give_what_is_printed(name: str) -> None:
    loss, found = told(name)
    for guard in found.guards:
        for m in guard.measured:
            if guard.before_code:
                got = by_torch(loss, guard.before_code, m)
                assert got == m.naive or (math.isnan(got) and math.isnan(m.naive)), m
            assert m.naive_bits > (m.guarded_bits or 0)


@pytest.mark.parametrize("name", NAMES)
def test_every_guard_of_the_module_has_a_story(name: str) -> None:
    _, found = told(name)
    stories = {guard.rule for guard in found.guards}
    lines = found.generated.text.split("# Guard [")[1:]
    assert {line.partition("]")[0] for line in lines} <= stories
    for guard in found.guards:
        assert guard.why
        assert guard.source
        assert guard.sentence


@pytest.mark.parametrize("name", NAMES)
def test_all_formats_say_the_same(name: str) -> None:
    _, found = told(name)
    text, page = as_text(blocks(found)), as_html(blocks(found), name)
    markdown = as_markdown(blocks(found))
    for guard in found.guards:
        assert all(guard.rule in form for form in (text, page, markdown))
    for form in (text, page, markdown):
        assert found.title in form
    assert "\x1b" not in text
    assert page.startswith("<!DOCTYPE html>")
    assert "```math" in markdown


@pytest.mark.parametrize("name", SPECS)
def test_what_is_typed_needs_nothing_but_torch(name: str) -> None:
    """No function that only generated modules have."""
    for loss in load_losses(SPECS[name]):
        assert not re.search(r"(?<![\w.])_\w+\(", typed(loss)), name


def test_a_guard_that_needs_others_says_so() -> None:
    """The root mean square alone overflows; the rule that splits the logarithm does not help."""
    _, found = told("psnr")
    (split,) = [g for g in found.guards if g.rule == "log-of-square-ratio"]
    assert split.trouble is Trouble.TOGETHER
    assert split.measured == ()
    assert "other guards" in split.sentence


@pytest.mark.parametrize("name", ["nca", "exo_pair"])
def test_parts_that_are_no_losses_are_told_without_numbers(name: str) -> None:
    """Pairs of rows, and a part of parameters alone."""
    _, found = told(name)
    assert found.guards


def test_a_loss_that_hands_calls_over_is_told_with_the_other() -> None:
    (path,) = [p for p in bundled_specs() if p.stem == "cross_entropy_loss"]
    losses = load_losses(path)
    (loss,) = [one for one in losses if one.name == "CrossEntropyLoss"]
    found = explain(loss, losses)
    assert found.guards
    assert "class CrossEntropyProbabilitiesLoss(" in found.generated.text


def test_what_stands_before_a_guard_needs_nothing_but_torch() -> None:
    """A logarithm of gamma has a function of the module's own, which is not there as typed."""
    _, found = told("negative_binomial_logits_nll")
    assert any("lgamma" in g.before_code for g in found.guards)
    for guard in found.guards:
        assert not re.search(r"(?<![\w.])_\w+\(", guard.before_code)
