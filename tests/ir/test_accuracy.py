"""The measured worth of torch's functions: measured again, and held to what reads it."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import torch

from benchmarks import ops as benchmark
from losscodegen.compiler.kernels import KERNELS
from losscodegen.compiler.search.doubles import Doubles
from losscodegen.ir import accuracy
from losscodegen.ir.accuracy import EXACT_ULPS, ORDERS, Accuracy
from losscodegen.ir.ops import OPS, Op, Sort
from losscodegen.judge.oracles import Oracles
from losscodegen.judge.rounding import Dtype

ROOT = Path(__file__).parents[2]
SUBJECTS = {subject.name: subject for subject in benchmark.subjects()}
VERSION = accuracy.nearest(torch.__version__)
FACTOR = 4.0
"""Lanes of vector units and their leftovers round differently."""
NOISE = 2.0
"""A unit more or less means nothing."""

MOVES = frozenset(
    """arange argsort broadcast_shapes broadcast_tensors cat clone contiguous detach diagonal
    empty_like expand expand_as eye flatten flip frac frexp full_like gather long movedim new_full
    new_zeros numel ones_like permute reshape roll scatter searchsorted split squeeze
    take_along_dim tensor to transpose type unsqueeze view_as where zeros_like""".split()  # noqa: SIM905
)
"""Make, move and choose numbers, and round nothing."""
COMPARES = frozenset(["amax", "amin", "any", "argmax", "cummax", "isfinite", "isnan"])
ADDS = frozenset(["cdist", "cumsum", "einsum", "mean", "prod", "sum", "var"])
"""Accumulate: what rounding costs depends on the numbers and is judged loss by loss."""
FUSED = frozenset(kernel.function for kernel in KERNELS)
"""Whole losses of torch, which are judged as such."""
CORRECTS = frozenset(["lack", "zeta"])
"""Stand in the second derivative of ``_lgamma``, which is measured where that is tested."""
PYTHON = frozenset(
    [
        "Linear",
        "Parameter",
        "__init__",
        "apply",
        "autocast",
        "finfo",
        "get",
        "is_floating_point",
        "is_compiling",
        "is_grad_enabled",
        "named_parameters",
        "promote_types",
        "register_buffer",
        "removesuffix",
        "save_for_backward",
        "save_for_forward",
        "warn",
    ]
)


def called(text: str) -> Iterator[str]:
    """The functions and methods that are called with a dot, without the ``_`` of in-place ones."""
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Call(func=ast.Attribute(attr=name)):
                yield name if name.startswith("_") else name.removesuffix("_")
            case _:
                pass


def test_every_function_that_generated_code_calls_is_measured() -> None:
    paths = (ROOT / "generated").rglob("*.py")
    used = {n for p in paths for n in called(p.read_text(encoding="utf-8"))}
    known = {n for s in SUBJECTS.values() for n in called(s.torch)}
    exempt = MOVES | COMPARES | ADDS | FUSED | CORRECTS | PYTHON
    assert used - known - exempt == set()
    for column in accuracy.columns().values():
        for rows in column.values():
            assert list(rows) == list(SUBJECTS)


@pytest.mark.parametrize("name", SUBJECTS)
@pytest.mark.parametrize("dtype", benchmark.DTYPES, ids=lambda d: d.value)
def test_measured_again(name: str, dtype: Dtype) -> None:
    row = accuracy.columns()[VERSION][dtype.value][name]
    there = [row[order].at for order in row]
    found = benchmark.errors_of(SUBJECTS[name], dtype, further=there)
    note = accuracy.substitution(torch.__version__)
    for order in ORDERS:
        now = max(found[order].at.values(), default=None)
        assert (now is None) == (order not in row)
        if now is None:
            continue
        old = row[order].ulp
        assert old <= FACTOR * now + NOISE, (order, old, now, note)
        assert now <= FACTOR * old + NOISE, (order, old, now, note)
        for low, high in row[order].bad:
            assert low <= high


# ---------------------------------------------------------------------- what reads it


def names_of(row: Op) -> list[str]:
    """The rows about an op: one for every order that it has."""
    if row.order is None:
        return [row.name]
    return [n for n in SUBJECTS if n.rpartition("_")[0] == row.name]


@pytest.mark.parametrize(
    "row",
    [r for r in OPS.values() if r.sort is Sort.REAL and r.name != "detach"],
    ids=lambda r: r.name,
)
def test_the_words_of_the_op_table_agree(row: Op) -> None:
    """An op is called exact if every gradient measured is."""
    worst = max(accuracy.worst(name) for name in names_of(row))
    assert (row.autograd == "exact") == (worst <= EXACT_ULPS), worst
    if row.remedy:
        assert row.arity == (1, 1)
        assert accuracy.bands(row.name)


@cache
def oracles() -> Oracles:
    return Oracles()


@pytest.mark.parametrize("name", sorted(Doubles.functions.keys() & SUBJECTS.keys()))
def test_the_search_knows_the_same_faults(name: str) -> None:
    """Its model of torch's backward is as far off as torch is, where torch is wrong."""
    row = accuracy.columns()[VERSION]["float64"][name]
    simulated = Doubles.backward.get(name)
    if not row["gradient"].bad:
        assert simulated is None or name in ("exp", "sqrt")
        return
    for end in (end for band in row["gradient"].bad for end in band):
        if math.isnan(_cbrt_at_zero(name, end)):
            continue
        assert simulated is not None, name
        loss = SUBJECTS[name].loss()
        point = benchmark.point_at(SUBJECTS[name], (end,))
        truth = oracles()(loss, point, Dtype.FLOAT64)
        assert truth is not None
        (slope,) = truth.gradient["x"]
        got = simulated(end, Doubles.functions[name](end))
        assert slope.value.ulps(got, Dtype.FLOAT64) > EXACT_ULPS, end


def _cbrt_at_zero(name: str, end: float) -> float:
    """NaN where the derivative is infinite, and torch's is NaN: see the rule for it."""
    return math.nan if name == "cbrt" and end == 0 else 0.0


# ---------------------------------------------------------------------- versions


def test_a_version_without_a_column_gets_the_nearest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exact = {v: {} for v in ("2.6.0", "2.13.0", "3.0.1")}
    monkeypatch.setattr(accuracy, "columns", lambda: exact)
    wanted = {
        "2.13.0+cpu": "2.13.0",
        "2.5.1": "2.6.0",
        "2.9.1": "2.6.0",
        "2.14.0a0+git12": "2.13.0",
        "3.1": "3.0.1",
    }
    assert {v: accuracy.nearest(v) for v in wanted} == wanted
    assert accuracy.substitution("2.13.0+cu126") is None
    assert accuracy.substitution("2.14.1") == (
        "torch 2.14.1 was not measured, the figures of torch 2.13.0 are used; "
        "`python -m benchmarks.ops` measures it"
    )


def test_the_file_is_what_the_benchmark_writes() -> None:
    assert accuracy.FILE.read_text(encoding="utf-8") == benchmark.text(
        accuracy.columns()
    )


def test_stretches_of_bad_arguments() -> None:
    errors = benchmark.Errors()
    errors.at = {(float(x),): 1.0 for x in range(100)}
    errors.at |= {(x,): 1e6 for x in (20.0, 25.0, 60.0)}
    found = errors.accuracy(single=True)
    assert found == Accuracy(ulp=1e6, at=(20.0,), bad=((20.0, 25.0), (60.0, 60.0)))
