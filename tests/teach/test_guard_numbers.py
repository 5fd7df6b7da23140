"""What explanations say of guards is worked out again: where a form breaks, and by how many bits.

By other means than those that it was worked out with: the truth by mpmath, loop by loop; the form
as printed by Python, in PyTorch; the formula once more by NumPy, operation by operation.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from inspect import signature
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from mpmath import mp, mpf

from losscodegen.ir.loss import ELLIPSIS, Loss
from losscodegen.ir.nodes import Expr, Index, Keep, Number, Read, Reduce
from losscodegen.ir.walk import free_indices, inline_loss, walk
from losscodegen.judge.point import Array, Point
from losscodegen.pipeline import compile_losses
from losscodegen.teach.blocks import blocks
from losscodegen.teach.model import GuardStory, Measured
from losscodegen.teach.show import as_text
from losscodegen.teach.typed import part_of
from tests.teach.plain_mathematics import Numbers
from tests.teach.test_explain import (
    DIGITS,
    DTYPES,
    NAMES,
    exact_value,
    function_of,
    lost,
    printed_arguments,
    told,
)

ROWS = [(name, k) for name in NAMES for k in range(len(told(name)[1].guards))]


def story(name: str, k: int) -> tuple[Loss, GuardStory]:
    loss, explanation = told(name)
    return loss, explanation.guards[k]


# ------------------------------------------------------------------------------- the truth


def alone(loss: Loss, m: Measured) -> Measured:
    """A derivative in the one sample of the batch that it belongs to, where there is a batch."""
    symbol, _, rest = m.wrt.partition("[")
    where = [int(p) for p in rest.rstrip("]").split(",") if p]
    axes = {v.name: v.axes for v in loss.variables}
    if len(where) <= len([a for a in axes.get(symbol, ()) if a != ELLIPSIS]):
        return m
    at = axes[symbol].index(ELLIPSIS)
    extra = len(where) - len(axes[symbol]) + 1
    sample = where[at : at + extra]
    inputs = []
    for name, value in m.inputs:
        if not loss.variable(name).scalar:
            array = np.array(value)
            if ELLIPSIS in axes[name]:
                start = axes[name].index(ELLIPSIS)
                array = array[(*[slice(None)] * start, *sample)]
            value = array.tolist()
        inputs.append((name, value))
    left = [*where[:at], *where[at + extra :]]
    wrt = f"{symbol}[{', '.join(map(str, left))}]" if left else symbol
    return replace(m, inputs=tuple(inputs), wrt=wrt)


def at_point(loss: Loss, m: Measured, kind: type[Numbers], **more: Any) -> Numbers:
    values: dict[str, Any] = {v.name: None for v in loss.variables if v.optional}
    sizes: dict[str, int] = {}
    for symbol, value in m.inputs:
        variable = loss.variable(symbol)
        if variable.scalar:
            values[symbol] = value
            continue
        tensor = torch.tensor(value, dtype=torch.float64)
        values[symbol] = Array(tuple(tensor.shape), tuple(tensor.reshape(-1).tolist()))
        named = zip(variable.subscripted_axes, tensor.shape, strict=False)
        sizes |= {axis: size for axis, size in named if not axis.isdecimal()}
    return kind(loss, Point(values=values), sizes, **more)


def places(numbers: Numbers, expr: Expr, loss: Loss) -> list[dict[Index, int]]:
    """Every entry of a part of the formula, the last index running fastest."""
    order = {index: k for k, index in enumerate(loss.free)}
    free = sorted(free_indices(expr), key=lambda i: (order.get(i, len(order)), i.name))
    ranges = (range(numbers.size(i.axis)) for i in free)
    return [dict(zip(free, p, strict=True)) for p in product(*ranges)]


def exact_part(loss: Loss, expr: Expr, m: Measured) -> Any:
    """The number that is told, of ``expr`` by itself."""
    m = alone(loss, m)
    plain = at_point(loss, m, Numbers)
    entries = places(plain, expr, loss)
    if m.order == "value":
        return plain.at(expr, entries[m.place])
    symbol, _, rest = m.wrt.partition("[")
    where = tuple(int(p) for p in rest.rstrip("]").split(",") if p)
    step = mpf(10) ** -300
    up, down = (
        sum(
            at_point(loss, m, Numbers, moved=(symbol, where, h)).at(expr, env)
            for env in entries
        )
        for h in (step, -step)
    )
    return (up - down) / (2 * step)


def exact(loss: Loss, guard: GuardStory, m: Measured) -> Any:
    if not guard.before_code:
        return exact_value(loss, m)
    assert guard.before.expr is not None
    return exact_part(loss, guard.before.expr, m)


@pytest.mark.parametrize(("name", "k"), ROWS)
def test_the_truth_and_the_bits(name: str, k: int) -> None:
    loss, guard = story(name, k)
    with mp.workdps(DIGITS):
        for m in guard.measured:
            true = exact(loss, guard, m)
            near = abs(true) * mpf(10) ** -10 + mpf(10) ** -400
            assert abs(mpf(m.exact) - true) <= near, m
            rounded = torch.tensor(float(true), dtype=DTYPES[m.dtype]).item()
            assert m.true == rounded or abs(true) < 1e-300
            assert m.naive_bits == pytest.approx(lost(m.naive, true, m), abs=0.06), m
            assert m.guarded is not None
            assert m.guarded_bits == pytest.approx(lost(m.guarded, true, m), abs=0.06)


def test_something_was_compared() -> None:
    measured = [m for name, k in ROWS for m in story(name, k)[1].measured]
    assert len(measured) >= 20
    assert {m.order for m in measured} == {"value", "derivative"}


# ------------------------------------------------------------------------------- both forms


def module_function(text: str, name: str) -> Callable[..., Any]:
    """The function of a generated module, run by Python as it stands."""
    scope: dict[str, Any] = {"__name__": "printed"}
    exec(compile(text, "<printed>", "exec"), scope)
    function: Callable[..., Any] = scope[name]
    if "reduction" in signature(function).parameters:
        return lambda **given: function(**given, reduction="none")
    return function


def computed(function: Callable[..., Any], loss: Loss, m: Measured) -> float:
    arguments = printed_arguments(loss, m)
    value = function(**arguments)
    if m.order == "value":
        return float(value.detach().reshape(-1)[m.place])
    leaf = arguments[loss.variable(m.wrt.partition("[")[0]).arg]
    (slope,) = torch.autograd.grad(value.sum(), leaf)
    return float(slope.reshape(-1)[m.place])


def same(one: float, other: float | None) -> bool:
    return other is not None and (
        one == other or (math.isnan(one) and math.isnan(other))
    )


@pytest.mark.parametrize(("name", "k"), ROWS)
def test_both_forms_give_what_is_told(name: str, k: int) -> None:
    loss, guard = story(name, k)
    for m in guard.measured:
        if guard.before_code:
            assert guard.before.expr is not None
            part = part_of(loss, guard.before.expr)
            naive = function_of(guard.before_code)
            text = compile_losses((part,), origin="").text
            guarded = module_function(text, part.function)
        else:
            without = frozenset({guard.rule})
            text = compile_losses((loss,), origin="", without=without).text
            naive = module_function(text, loss.function)
            guarded = module_function(told(name)[1].generated.text, loss.function)
        assert same(computed(naive, loss, m), m.naive), m
        assert same(computed(guarded, loss, m), m.guarded), m


@pytest.mark.parametrize(("name", "k"), ROWS)
def test_the_replacement_that_is_printed_is_as_good(name: str, k: int) -> None:
    loss, guard = story(name, k)
    if not guard.after_code or re.search(r"(?<![\w.])_\w+\(", guard.after_code):
        pytest.skip("it is not printed, or calls a function of the module")
    with mp.workdps(DIGITS):
        for m in guard.measured:
            got = computed(function_of(guard.after_code), loss, m)
            assert lost(got, exact(loss, guard, m), m) <= m.naive_bits - 3.9, m


# ------------------------------------------------------------------------------- NumPy


FLOAT = {"float32": np.float32, "float64": np.float64}

OPERATIONS: Mapping[str, Callable[..., Any]] = {
    "add": lambda *a: summed(a),
    "mul": lambda *a: multiplied(a),
    "neg": lambda x: -x,
    "div": lambda x, y: x / y,
    "pow": lambda x, y: np.power(x, y),
    "square": lambda x: x * x,
    "abs": np.abs,
    "sign": np.sign,
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "cosh": np.cosh,
    "sinh": np.sinh,
    "tanh": np.tanh,
    "log1p": np.log1p,
    "expm1": np.expm1,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "max": lambda *a: max(a),
    "min": lambda *a: min(a),
    "relu": lambda x: np.maximum(x, 0),
}


def summed(values: Any) -> Any:
    first, *rest = values
    for value in rest:
        first = first + value
    return first


def multiplied(values: Any) -> Any:
    first, *rest = values
    for value in rest:
        first = first * value
    return first


@dataclass
class Floats(Numbers):
    """The same loops in floating point: every operation is rounded."""

    dtype: Any = np.float32

    def at(self, expr: Expr, env: Mapping[Index, int]) -> Any:
        match expr:
            case Number(value):
                return self.dtype(value.numerator) / self.dtype(value.denominator)
            case Read():
                found = super().at(expr, env)
                return found if isinstance(found, bool) else self.dtype(float(found))
            case _ if hasattr(expr, "op") and expr.op in OPERATIONS:
                return self.dtype(
                    OPERATIONS[expr.op](*(self.at(a, env) for a in expr.args))
                )
            case Reduce() | Keep():
                return self.collected(expr, env)
            case _:
                return super().at(expr, env)

    def collected(self, expr: Reduce | Keep, env: Mapping[Index, int]) -> Any:
        indices = expr.indices if isinstance(expr, Reduce) else (expr.index,)
        where = expr.where if isinstance(expr, Reduce) else None
        values = [self.at(expr.body, e) for e in self.over(indices, where, env)]
        match expr.kind.value:
            case "Sum":
                return summed(values)
            case "logsumexp":
                return np.log(summed(list(map(np.exp, values))))
            case "amax":
                return max(values)
            case "norm" if isinstance(expr, Reduce) and expr.order is not None:
                order = self.at(expr.order, env)
                total = summed([np.abs(v) ** order for v in values])
                return total ** (1 / order)
            case kind if isinstance(expr, Keep) and kind in ("softmax", "log_softmax"):
                at = values[int(super().at(expr.at, env))]
                share = np.exp(at) / summed(list(map(np.exp, values)))
                return np.log(share) if kind == "log_softmax" else share
            case kind:
                raise NotImplementedError(kind)


def values_by_numpy() -> Iterator[tuple[str, int, Measured]]:
    for name, k in ROWS:
        _, guard = story(name, k)
        for m in guard.measured:
            if m.order == "value" and guard.before_code:
                yield name, k, m


@pytest.mark.parametrize(("name", "k", "m"), list(values_by_numpy()))
def test_numpy_breaks_at_the_same_inputs(name: str, k: int, m: Measured) -> None:
    """By as many bits, give or take two: its functions round otherwise than PyTorch's."""
    loss, guard = story(name, k)
    assert guard.before.expr is not None
    floats = at_point(loss, m, Floats, dtype=FLOAT[m.dtype])
    entries = places(floats, guard.before.expr, loss)
    with np.errstate(all="ignore"):
        got = float(floats.at(guard.before.expr, entries[m.place]))
    with mp.workdps(DIGITS):
        bits = lost(got, exact(loss, guard, m), m)
    assert bits == pytest.approx(m.naive_bits, abs=2.0), (got, m)


# ------------------------------------------------------------------------------- what is printed


@pytest.mark.parametrize("name", NAMES)
def test_the_text_shows_these_numbers_and_no_others(name: str) -> None:
    _, explanation = told(name)
    text = as_text(blocks(explanation))
    shown = re.findall(r"(?m)^  (?:value|∂\S.*?), float(?:32|64)  .*$", text)
    measured = [
        *explanation.measured,
        *(m for g in explanation.guards for m in g.measured),
    ]
    assert len(shown) == len(measured)
    for line, m in zip(shown, measured, strict=True):
        assert f"  {m.naive_bits:g} of {m.precision}  " in line
        assert line.endswith(f"  {m.guarded_bits:g}")
        assert f"  {m.exact}  " in line
    for guard in explanation.guards:
        fired = f", {guard.count} times" if guard.count > 1 else ""
        assert f"{guard.rule} ({guard.trouble.value}){fired}\n" in text
    assert {
        n.name
        for n in walk(inline_loss(told(name)[0]).expression)
        if isinstance(n, Read)
    }
